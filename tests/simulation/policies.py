"""What contention is judged by: how long to wait, how often to try, and what to remember of a stock item."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, override
from unittest.mock import patch

from inventory import tries
from inventory.adjust import Committed, stock_after, unlimited
from inventory.dynamodb import DynamoDBStore
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
class Policy:
    """The service's settings, and the alternatives to them."""

    base_s: float = tries.BACKOFF_BASE_S
    cap_s: float = tries.BACKOFF_CAP_S
    attempts_max: int = tries.ATTEMPTS_MAX
    remember: Remember = Remember.NEVER

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the loop go by this policy's numbers."""
        with (
            patch.object(tries, "BACKOFF_BASE_S", self.base_s),
            patch.object(tries, "BACKOFF_CAP_S", self.cap_s),
            patch.object(tries, "ATTEMPTS_MAX", self.attempts_max),
        ):
            yield


class RememberingStore(DynamoDBStore):
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
        elif (
            self.remember is Remember.UNTIL_CONFLICT
            or (self.remember is Remember.UNTIL_MOVED and isinstance(result, Snapshot))
        ):
            self._shared.add(key)
        return result


def store_kind(policy: Policy) -> type[DynamoDBStore]:
    """The store that remembers as a policy says."""
    return type("_Store", (RememberingStore,), {"remember": policy.remember})
