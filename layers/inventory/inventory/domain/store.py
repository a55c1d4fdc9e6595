"""The store that the adjusting loop needs: what it loads, and what a commit can come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from inventory.domain.model import Adjustment, Command, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

GROUP_MAX: Final = 99
"""Ledger rows of one transaction: DynamoDB takes 100 parts, and one is the stock item's."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction was applied."""


@dataclass(frozen=True, slots=True)
class Contended:
    """Nothing was applied: another transaction was under way on the same items, or the table is throttled."""


type CommitResult = Committed | Snapshot | Contended
"""A snapshot: nothing was applied, for what was seen has changed; it is the one decided from, with what has."""


def unlimited() -> None:
    """Let every call be made."""


class Store(Protocol):
    """Where stock and ledger live. Each method raises ``StoreUnavailable`` where it got no whole answer."""

    def remembered(self, command: Command) -> Snapshot | None:
        """What is known without a call of all that a decision needs; None where that is not all."""
        ...

    def load(
        self,
        command: Command,
        recorded_ids: Sequence[UUID],
        *,
        transactional: bool = False,
        between_calls: Callable[[], None] = unlimited,
    ) -> Snapshot:
        """Read all that a decision needs, for ``command`` and for others of its stock item.

        The ledger rows that bear one of ``recorded_ids`` are looked for too; an id may be named twice. With
        ``transactional`` all is read in one transaction, where it fits into one: the snapshot says so. A store that
        needs more than one call calls ``between_calls`` before each further one; what that raises ends the load.
        """
        ...

    def default_location_id(self, business_id: UUID) -> UUID | None:
        """The business's default location, of now or of the last minute; None where there is none."""
        ...

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows by id, as of now; those that do not exist are left out.

        At most ``GROUP_MAX`` ids; one may be named twice. Unlike a load's, its answer is of one moment: of a commit
        that anyone has seen a part of it sees all, or it raises.
        """
        ...

    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        """Append ``rows`` and update their stock item, all or nothing, if it still is what was seen.

        They follow one upon the other from the snapshot's stock. A row that reverses another is appended only if that
        one was never reversed, and leaves the link that says so.
        """
        ...
