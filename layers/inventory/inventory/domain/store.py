"""The store that the adjusting loop needs: what it reads, what it writes, and what becomes of a write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from inventory.domain.model import Adjustment, Command, Rejection, ReversalLink, Snapshot, StockItemId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

OPERATIONS_MAX: Final = 100
"""Operations of one transaction: an update for each stock item, a put for each row, a put for a reversal link, and a
check for each message that must not have been rejected."""

MESSAGES_MAX: Final = 100
"""Messages whose rejections are read in one call."""

GROUP_MAX: Final = OPERATIONS_MAX - 1
"""Ledger rows of one transaction: at least one operation updates a stock item."""


class Committed:
    """The transaction was applied."""


class Contended:
    """Nothing was applied: another transaction was using the same items, or the table was throttled."""


type CommitResult = Committed | Snapshot | Contended
"""A snapshot means that nothing was applied: it is the snapshot of the commit, with what has changed since."""


def no_deadline() -> None:
    """Allow every call."""


class Store(Protocol):
    """Where stock and ledger are kept. Each method raises ``StoreUnavailable`` where it got no complete answer.

    All commands of a call, at least one, are for one business.
    """

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        """Make a snapshot from the cache alone; None where a part of it is not cached."""
        ...

    def load(
        self,
        commands: Sequence[Command],
        recorded_ids: Sequence[UUID] = (),
        *,
        reverses: UUID | None = None,
        transactional: bool = False,
        require_time: Callable[[], None] = no_deadline,
    ) -> Snapshot:
        """Read what the decisions of ``commands`` need.

        Args:
            commands: they name the stock items and reason codes.
            recorded_ids: ids of ledger rows to look for; an id may come twice.
            reverses: the id of the row or group whose reversal to look for.
            transactional: read all in one transaction if it fits into one; the snapshot says whether it did.
            require_time: called before each call to the store but the first. What it raises ends the load.
        """
        ...

    def stock_item_ids(
        self, commands: Sequence[Command], *, require_time: Callable[[], None] = no_deadline
    ) -> list[StockItemId | None]:
        """Return which stock item each command is for, as the catalog was at most a minute ago.

        None where the SKU is unknown, or no location is given and the business has no default one.
        """
        ...

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        """Read ledger rows by id in one transaction; rows that do not exist are left out.

        At most ``GROUP_MAX`` ids; an id may come twice. Unlike a load, it sees either all of a commit or nothing of
        it, and it raises while a commit of one of the rows is in progress.
        """
        ...

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        """Append ``rows`` and update their stock items if these still are as in the snapshot: all or nothing.

        Each row continues the one before it of its stock item, and the first one continues the snapshot's stock. A
        ``link`` is put if what it names was never reversed. None of the messages may have been rejected.
        """
        ...


class Applied:
    """The message can't be rejected: a row of its idempotency key is in the ledger."""


class Rejections(Protocol):
    """Which messages were rejected. Each method raises ``StoreUnavailable`` where it got no complete answer."""

    def find(self, message_digests: Sequence[str]) -> dict[str, Rejection]:
        """Read the rejections of at most ``MESSAGES_MAX`` messages by their digests; a digest may come twice."""
        ...

    def put(
        self, message_digest: str, rejection: Rejection, row_id: tuple[UUID, UUID] | None
    ) -> Rejection | Applied | None:
        """Record that a message is rejected, unless it was already, or is applied.

        Args:
            message_digest: of the message.
            rejection: why.
            row_id: the business and the id of the row that the message would write first; None if it names none.

        Returns:
            None if it is recorded now; else the rejection that was recorded before, or ``Applied``.
        """
        ...
