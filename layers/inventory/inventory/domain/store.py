"""The store that the adjusting loop needs: what it reads, what it writes, and what becomes of a write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from inventory.domain.model import Adjustment, Command, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

GROUP_MAX: Final = 99
"""Ledger rows of one transaction: DynamoDB takes 100 operations, and one of them updates the stock item."""


class Committed:
    """The transaction was applied."""


class Contended:
    """Nothing was applied: another transaction was using the same items, or the table was throttled."""


type CommitResult = Committed | Snapshot | Contended
"""A snapshot means that nothing was applied: it is the snapshot of the commit, with what has changed since."""


def no_deadline() -> None:
    """Allow every call."""


class Store(Protocol):
    """Where stock and ledger are kept. Each method raises ``StoreUnavailable`` where it got no complete answer."""

    def cached(self, command: Command) -> Snapshot | None:
        """Make a snapshot from the cache alone; None where a part of it is not cached."""
        ...

    def load(
        self,
        command: Command,
        recorded_ids: Sequence[UUID],
        *,
        transactional: bool = False,
        require_time: Callable[[], None] = no_deadline,
    ) -> Snapshot:
        """Read what the decision of ``command`` needs, and of every other command for the same stock item.

        Args:
            command: it names the stock item.
            recorded_ids: ids of ledger rows to look for; an id may come twice.
            transactional: read all in one transaction if it fits into one; the snapshot says whether it did.
            require_time: called before each call to the store but the first. What it raises ends the load.
        """
        ...

    def default_location_id(self, business_id: UUID) -> UUID | None:
        """Return the business's default location, at most a minute old; None where it has none."""
        ...

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows by id in one transaction; rows that do not exist are left out.

        At most ``GROUP_MAX`` ids; an id may come twice. Unlike a load, it sees either all of a commit or nothing of
        it, and it raises while a commit of one of the rows is in progress.
        """
        ...

    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        """Append ``rows`` and update their stock item if it still is as in the snapshot: all or nothing.

        Each row continues the one before it, and the first one continues the snapshot's stock. A row that reverses
        another is appended only if that one was never reversed, together with the link that records the reversal.
        """
        ...
