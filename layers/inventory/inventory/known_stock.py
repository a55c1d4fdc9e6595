"""The states in which an environment knows stock items to be, while it seems to be the only one that moves them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from inventory.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from inventory.model import StockItem

STOCK_ENTRIES_MAX: Final = 10_000
"""Stock items whose states are kept: about 1 KB each."""

SHARED_LIFETIME_S: Final = 60
"""Seconds for which a stock item that someone else has moved is read before each decision."""


class KnownStock[Key: Hashable]:
    """The last state seen of each stock item. ``time_s`` is the wall clock in seconds.

    A state may be out of date without harm: a commit's condition finds that out, and hands the present one back. But
    it costs a transaction, and on an item that several environments move at once, nearly every time. So an item that
    was found moved, or being moved, by someone else is not known any more for a while.
    """

    def __init__(self, time_s: Callable[[], float]) -> None:
        self._time_s = time_s
        self._states: Memory[Key, StockItem] = Memory(lifetime_s=math.inf, entries_max=STOCK_ENTRIES_MAX, time_s=time_s)
        self._shared: Memory[Key, bool] = Memory(
            lifetime_s=SHARED_LIFETIME_S, entries_max=STOCK_ENTRIES_MAX, time_s=time_s
        )

    def state(self, key: Key) -> StockItem | None:
        """The state to commit upon without reading; None where it should be read."""
        return None if self._shared.trusted(key) else self._states.last_known(key)

    def saw(self, key: Key, stock: StockItem) -> None:
        """Keep the state that was read or written."""
        self._states.remember(key, stock, read_at_s=self._time_s())

    def is_shared(self, key: Key) -> None:
        """Read it for a while: someone else moves it too."""
        self._states.forget(key)
        self._shared.remember(key, True, read_at_s=self._time_s())  # noqa: FBT003  a set whose entries end

    def forget(self, key: Key) -> None:
        """Read it once: what became of a write is unknown."""
        self._states.forget(key)
