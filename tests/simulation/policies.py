"""What contention is judged by: how long to wait, how often to try, and what to remember of a stock item."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, override
from unittest.mock import patch

from inventory.domain import retry_budget
from inventory.domain.errors import RetryBudgetSpent
from inventory.storage.cache import Cache
from inventory.storage.stock_store import STOCK_ENTRIES_MAX, StockStore

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from inventory.domain.model import Adjustment, Command, ReversalLink, Snapshot
    from inventory.domain.store import CommitResult


class Remember(StrEnum):
    """When an environment trusts the state in which it last saw a stock item, if not by the service's rule."""

    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Doubling:
    """Waits are random up to a limit that doubles from attempt to attempt."""

    base_s: float
    cap_s: float

    def __call__(self, number: int) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** (number - 1))


@dataclass(frozen=True, slots=True)
class Fading:
    """The same, but after some attempts the limit falls again: requests that have waited long retry more often."""

    base_s: float
    peak_s: float
    fade: float
    floor_s: float

    def __call__(self, number: int) -> float:
        return max(
            self.floor_s if number > 3 else 0.0, min(self.base_s * 2.0 ** (number - 1), self.peak_s * self.fade**number)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """An alternative to the service's own settings; None stands for these.

    ``waits`` gives the longest wait in seconds after a try, by the number of the try from 1.
    """

    waits: Callable[[int], float] | None = None
    attempts_max: int | None = None
    remember: Remember | None = None

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the loop go by this policy."""
        waits, attempts_max = self.waits, self.attempts_max or retry_budget.ATTEMPTS_MAX

        def next_attempt(these: retry_budget.RetryBudget) -> None:
            assert waits is not None
            if these.attempts >= attempts_max:
                raise RetryBudgetSpent
            these.sleep(these.fraction() * waits(these.attempts))
            these.attempts += 1

        with ExitStack() as stack:
            stack.enter_context(patch.object(retry_budget, "ATTEMPTS_MAX", attempts_max))
            if waits is not None:
                stack.enter_context(patch.object(retry_budget.RetryBudget, "next_attempt", next_attempt))
            yield


class CountingStore(StockStore):
    """The service's store; ``commits`` counts its attempts to write."""

    commits = 0

    @override
    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        self.commits += 1
        return super().commit(rows, snapshot, link, message_digests)


class _StoreThatReads(CountingStore):
    """A store that reads before each decision."""

    @override
    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return None


class _NeverContended[Key: Hashable, Value](Cache[Key, Value]):
    @override
    def mark_contended(self, key: Key) -> None:
        self.forget(key)


class _StoreThatAlwaysRemembers(CountingStore):
    """A store that takes the state of an item that others move, too, for known as soon as it has seen it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stock = _NeverContended(lifetime_s=math.inf, entries_max=STOCK_ENTRIES_MAX, time_s=self._time_s)


_STORES: Final[dict[Remember | None, type[CountingStore]]] = {
    None: CountingStore,
    Remember.NEVER: _StoreThatReads,
    Remember.ALWAYS: _StoreThatAlwaysRemembers,
}


def store_kind(policy: Policy) -> type[CountingStore]:
    """The service's own store, or one that remembers as a policy says."""
    return _STORES[policy.remember]
