"""What an environment keeps of what it read: bounded, and only for as long as it can be trusted."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from inventory.domain.model import StockItem


class Memory[Key: Hashable, Value]:
    """Values by key, each trusted for ``lifetime_s`` seconds; beyond ``entries_max`` the oldest is forgotten.

    ``time_s`` gives the wall clock in seconds, not a monotonic one: that stands still in a frozen or restored
    environment. Where it is found to have gone back, all is forgotten: no age can be told any more. Nothing finds that
    out where nobody looks until the clock is as far again; then values are trusted for longer by as much as it was set
    back.
    """

    def __init__(self, *, lifetime_s: float, entries_max: int, time_s: Callable[[], float]) -> None:
        self._lifetime_s = lifetime_s
        self._entries_max = entries_max
        self._time_s = time_s
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._latest_s = -math.inf
        # The groups of a batch look and remember side by side, and a dictionary can't be looked through while it grows.
        self._lock = threading.Lock()

    def trusted(self, key: Key) -> Value | None:
        """The value, unless it is unknown or too old."""
        with self._lock:
            now_s = self._time_s()
            if now_s < self._latest_s:
                self._entries.clear()
            self._latest_s = now_s
            entry = self._entries.get(key)
        return None if entry is None or now_s - entry[0] >= self._lifetime_s else entry[1]

    def last_known(self, key: Key) -> Value | None:
        """The value however old: good for a guess that is checked."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def remember(self, key: Key, value: Value, *, read_at_s: float) -> None:
        """Keep a value that was read at ``read_at_s``, the time before the read began."""
        with self._lock:
            # It may have been read before the clock was set back, and come too late to be forgotten with the others.
            self._latest_s = max(self._latest_s, read_at_s)
            self._entries.pop(key, None)
            self._entries[key] = (read_at_s, value)
            while len(self._entries) > self._entries_max:
                del self._entries[next(iter(self._entries))]

    def forget(self, key: Key) -> None:
        """Drop a value that turned out to be gone."""
        with self._lock:
            self._entries.pop(key, None)


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

    def mark_contended(self, key: Key) -> None:
        """Read it for a while: someone else moves it too."""
        self._states.forget(key)
        self._shared.remember(key, True, read_at_s=self._time_s())  # noqa: FBT003  a set whose entries end

    def forget(self, key: Key) -> None:
        """Read it once: what became of a write is unknown."""
        self._states.forget(key)
