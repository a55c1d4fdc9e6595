"""What contention is judged by: how long to wait, how often to try, and what to remember of a stock item."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, override
from unittest.mock import patch

from inventory import tries
from inventory.adjust import Committed, stock_after, unlimited
from inventory.dynamodb import DynamoDBStore
from inventory.errors import TryAgain
from inventory.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from inventory.adjust import CommitResult
    from inventory.model import Adjustment, Command


class Remember(StrEnum):
    """When an environment trusts the state in which its own last transaction left a stock item."""

    NEVER = "never"
    ALWAYS = "always"
    UNTIL_MOVED = "until moved"
    """Until the item was found moved by somebody else once: it is shared then, and always read first."""
    UNTIL_CONFLICT = "until conflict"
    """Until then, or until a transaction of somebody else was met on it."""


@dataclass(frozen=True, slots=True)
class Doubling:
    """Waits are random up to a limit that doubles from try to try."""

    base_s: float
    cap_s: float

    def __call__(self, number: int) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** (number - 1))


@dataclass(frozen=True, slots=True)
class Fading:
    """The same, but from some try on the limit falls again: who has waited for long tries more often than newcomers."""

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
        waits, attempts_max = self.waits, self.attempts_max or tries.ATTEMPTS_MAX

        def again(these: tries.Tries) -> None:
            assert waits is not None
            if these.number >= attempts_max:
                raise TryAgain
            these.sleep(these.fraction() * waits(these.number))
            these.number += 1

        with ExitStack() as stack:
            stack.enter_context(patch.object(tries, "ATTEMPTS_MAX", attempts_max))
            if waits is not None:
                stack.enter_context(patch.object(tries.Tries, "again", again))
            yield


class CountingStore(DynamoDBStore):
    """The service's store; ``commits`` counts its tries to write."""

    commits = 0

    @override
    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        self.commits += 1
        return super().commit(rows, snapshot)


class RememberingStore(CountingStore):
    """A store that may answer a load from memory. Refusals are not its business: here nothing is refused."""

    remember = Remember.NEVER

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._last: dict[tuple[UUID, UUID], Snapshot] = {}
        self._shared: set[tuple[UUID, UUID]] = set()

    @override
    def load(
        self, command: Command, recorded_ids: Sequence[UUID], *, between_calls: Callable[[], None] = unlimited
    ) -> Snapshot:
        key = (command.business_id, command.variant_id)
        last = self._last.pop(key, None)
        if last is not None and key not in self._shared:
            return last
        return super().load(command, recorded_ids, between_calls=between_calls)

    @override
    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        result = super().commit(rows, snapshot)
        key = (rows[-1].business_id, rows[-1].variant_id)
        if isinstance(result, Committed):
            if self.remember is not Remember.NEVER:
                self._last[key] = replace(snapshot, stock=stock_after(rows[-1]))
        elif self.remember is Remember.UNTIL_CONFLICT or (
            self.remember is Remember.UNTIL_MOVED and isinstance(result, Snapshot)
        ):
            self._shared.add(key)
        return result


def store_kind(policy: Policy) -> type[CountingStore]:
    """The service's own store, or one that remembers as a policy says."""
    if policy.remember is None:
        return CountingStore
    return type("_Store", (RememberingStore,), {"remember": policy.remember})
