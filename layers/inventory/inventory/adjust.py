"""The one use case: load, decide, commit, and again from the fresh state when someone was faster.

``decide`` holds every rule of the business and nothing else: no AWS, no clock, no randomness. ``Adjuster`` is the loop
around it; it knows the store only by the protocol below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from inventory.chain import row_hash
from inventory.errors import (
    AlreadyReversed,
    IdempotencyKeyReused,
    InsufficientStock,
    LocationNotFound,
    NoDefaultLocation,
    QuantityLimitExceeded,
    Refusal,
    StaleQuantity,
    StoreUnavailable,
    TryAgain,
    VariantNotFound,
)
from inventory.model import GENESIS_HASH, QUANTITY_MAX, Adjustment, Command, Snapshot, StockItem
from inventory.tries import Tries

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_TICK: Final = timedelta(microseconds=1)


def decide(command: Command, snapshot: Snapshot, *, adjustment_id: UUID, now: datetime) -> Adjustment:
    """Decide one command from one snapshot.

    Args:
        command: what is asked for.
        snapshot: what it is decided from; its ``recorded`` takes no part.
        adjustment_id: the id that the ledger row will bear.
        now: the present, UTC; the row's ``created_at`` unless the stock item's last row is as young.

    Raises:
        Refusal: the first rule that stands against it: reversed before, existence of variant and location, the stock.
            Reversed before comes first, for nothing will ever change that.
    """
    if snapshot.reversed_by is not None:
        raise AlreadyReversed(reversed_by=snapshot.reversed_by)
    if snapshot.business is None or not snapshot.variant_active:
        raise VariantNotFound
    if snapshot.location_id is None:
        raise NoDefaultLocation
    if not snapshot.location_active:
        raise LocationNotFound

    stock = snapshot.stock
    on_hand = stock.quantity if stock else 0
    quantity_after = on_hand + command.quantity_change
    if command.expected_quantity is not None and command.expected_quantity != on_hand:
        raise StaleQuantity(quantity_on_hand=on_hand)
    # An increase is never refused for want of stock: it mends a quantity that is negative from an earlier setting.
    if quantity_after < 0 and command.quantity_change < 0 and not snapshot.business.allow_negative_stock:
        raise InsufficientStock(quantity_on_hand=on_hand, quantity_change=command.quantity_change)
    if abs(quantity_after) > QUANTITY_MAX:
        raise QuantityLimitExceeded

    row = Adjustment(
        id=adjustment_id,
        business_id=command.business_id,
        variant_id=command.variant_id,
        location_id=snapshot.location_id,
        delta=command.quantity_change,
        reason=command.reason,
        reason_code=command.reason_code,
        reference=command.reference,
        expected_quantity=command.expected_quantity,
        location_defaulted=snapshot.location_id == snapshot.business.default_location_id,
        sequence=stock.sequence + 1 if stock else 1,
        quantity_after=quantity_after,
        # The order of time and of sequence is one, even across machines whose clocks differ.
        created_at=max(now, stock.updated_at + _TICK) if stock else now,
        created_by=command.actor,
        reverses=command.reverses,
        previous_hash=stock.head_hash if stock else GENESIS_HASH,
        hash="",
    )
    return replace(row, hash=row_hash(row))


def stock_after(row: Adjustment) -> StockItem:
    """The stock item as a ledger row leaves it."""
    return StockItem(quantity=row.quantity_after, sequence=row.sequence, updated_at=row.created_at, head_hash=row.hash)


def keyed_id(business_id: UUID, idempotency_key: str) -> UUID:
    """Derive an adjustment's id from its business and key: a UUID of version 8 from SHA-256 (RFC 9562, B.2)."""
    digest = bytearray(sha256(business_id.bytes + idempotency_key.encode("ascii")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def same_request(command: Command, snapshot: Snapshot, row: Adjustment) -> bool:
    """Whether ``row`` was made by a request equal to ``command``, whoever sent it and whatever its spelling.

    Naming the default location or leaving it out is one request, be it the default of now or of then.
    """
    if command.location_id is not None:
        same_location = command.location_id == row.location_id
    else:
        same_location = row.location_defaulted or snapshot.location_id == row.location_id
    return (
        same_location
        and command.variant_id == row.variant_id
        and command.quantity_change == row.delta
        and command.reason == row.reason
        and command.reason_code == row.reason_code
        and command.reference == row.reference
        and command.expected_quantity == row.expected_quantity
        and command.reverses == row.reverses
    )


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction was applied."""


@dataclass(frozen=True, slots=True)
class AlreadyRecorded:
    """Nothing was applied: the ledger already has a row of that id."""

    row: Adjustment


@dataclass(frozen=True, slots=True)
class StockMoved:
    """Nothing was applied: the stock item is no longer what was seen; ``stock`` is what it is."""

    stock: StockItem | None


@dataclass(frozen=True, slots=True)
class ReversedMeanwhile:
    """Nothing was applied: what the row was to reverse is reversed already, by the adjustment ``reversed_by``."""

    reversed_by: UUID


@dataclass(frozen=True, slots=True)
class Contended:
    """Nothing was applied: another transaction was under way on the same items, or the table is throttled."""


type CommitResult = Committed | AlreadyRecorded | StockMoved | ReversedMeanwhile | Contended


def unlimited() -> None:
    """Let every call be made."""


class Store(Protocol):
    """Where stock and ledger live. Each method raises ``StoreUnavailable`` where it got no whole answer."""

    def load(
        self, command: Command, recorded_id: UUID | None, *, between_calls: Callable[[], None] = unlimited
    ) -> Snapshot:
        """Read all that a decision needs; look for the ledger row ``recorded_id`` unless that is None.

        A store that needs more than one call for it calls ``between_calls`` before each further one; what that raises
        ends the load.
        """
        ...

    def find(self, business_id: UUID, adjustment_id: UUID) -> Adjustment | None:
        """Read one ledger row, as of now."""
        ...

    def commit(self, row: Adjustment, seen: StockItem | None) -> CommitResult:
        """Append ``row`` and update its stock item, both or neither, if the stock item still is what was seen.

        A row that reverses another is appended only if that one was never reversed, and leaves the link that says so.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """An adjustment that stands in the ledger. ``replayed``: an earlier request put it there, nothing was written.

    ``attempts`` counts the tries of this request, from 1.
    """

    adjustment: Adjustment
    replayed: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Adjuster:
    """The loop, with all that is not a pure function handed in.

    ``clock`` gives the present in UTC, ``new_id`` a fresh id, ``fraction`` a random number in [0, 1), ``sleep`` waits
    for seconds.
    """

    store: Store
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    fraction: Callable[[], float]
    sleep: Callable[[float], None]

    def adjust(self, command: Command, *, remaining_s: Callable[[], float]) -> Outcome:
        """Apply a command once, however often it has to be tried; ``remaining_s`` is the time left in seconds.

        Raises:
            Refusal: final; nothing stands in the ledger under the request's id.
            TryAgain: not settled in time; it may or may not stand in the ledger.
        """
        return self.carry_out(command, Tries(remaining_s, self.sleep, self.fraction))

    def carry_out(self, command: Command, tries: Tries) -> Outcome:
        """The same for a request that may have used some of its tries on finding out what it asks for."""
        return _Request(self, command, tries).run()


class _Request:
    """One command on its way: its id, and the rows that it tried to commit without learning what became of them."""

    def __init__(self, parts: Adjuster, command: Command, tries: Tries) -> None:
        key = command.idempotency_key
        self._parts = parts
        self._command = command
        self._tries = tries
        self._id = parts.new_id() if key is None else keyed_id(command.business_id, key)
        self._unsettled: list[Adjustment] = []

    def run(self) -> Outcome:
        snapshot: Snapshot | None = None
        while True:
            try:
                result = self._try(snapshot or self._load())
            except StoreUnavailable:
                # After a commit the outcome is unknown: the next load looks for the row before anything is decided.
                result = None
            if isinstance(result, Outcome):
                return result
            # All waits but the first are longer than a read: a state from before one has moved on a busy item.
            snapshot = result if self._tries.number == 1 else None
            self._tries.again()

    def _try(self, snapshot: Snapshot) -> Outcome | Snapshot | None:
        """Decide and commit once; without an outcome, the state to go on from, or None where it must be read again."""
        if snapshot.recorded is not None:
            return self._settle(snapshot, snapshot.recorded)
        if snapshot.reversed_by == self._id:
            # The reversal is this request's own: its row was looked for a moment too early.
            return None
        try:
            row = decide(self._command, snapshot, adjustment_id=self._id, now=self._parts.clock())
        except Refusal:
            recorded = self._recorded_meanwhile(snapshot)
            if recorded is None:
                raise
            return self._settle(snapshot, recorded)
        return self._commit(row, snapshot)

    def _commit(self, row: Adjustment, snapshot: Snapshot) -> Outcome | Snapshot | None:
        self._tries.require_time()
        self._unsettled.append(row)
        result = self._parts.store.commit(row, snapshot.stock)
        self._unsettled.pop()
        match result:
            case Committed():
                return Outcome(row, replayed=False, attempts=self._tries.number)
            case AlreadyRecorded(row=recorded):
                return self._settle(snapshot, recorded)
            case StockMoved(stock=stock):
                return replace(snapshot, stock=stock)
            case ReversedMeanwhile(reversed_by=reversed_by):
                return replace(snapshot, reversed_by=reversed_by)
            case Contended():
                return None

    def _load(self) -> Snapshot:
        self._tries.require_time()
        may_be_recorded = self._command.idempotency_key is not None or bool(self._unsettled)
        recorded_id = self._id if may_be_recorded else None
        return self._parts.store.load(self._command, recorded_id, between_calls=self._tries.require_time)

    def _recorded_meanwhile(self, snapshot: Snapshot) -> Adjustment | None:
        """Look for the request's row once more before a refusal becomes final.

        The first try of the same key may have been applied, and have emptied the stock, after this request looked for
        its row and before it read the stock. A try of this request's own that is still on its way could even be
        applied after the refusal: as long as the stock item stands where that try saw it, nothing is final. Nor is it
        where the default location changed in between: the stock item of that try is another one, and was not read.
        What another one has reversed, though, no try of this request's own can reverse any more.
        """
        if self._command.idempotency_key is None and not self._unsettled:
            return None
        self._tries.require_time()
        recorded = self._parts.store.find(self._command.business_id, self._id)
        if recorded is None and snapshot.reversed_by is None and self._may_land(snapshot):
            raise TryAgain
        return recorded

    def _may_land(self, snapshot: Snapshot) -> bool:
        """Whether a try that is still on its way could yet be applied."""
        sequence = snapshot.stock.sequence if snapshot.stock else 0
        return any(row.location_id != snapshot.location_id or row.sequence > sequence for row in self._unsettled)

    def _settle(self, snapshot: Snapshot, recorded: Adjustment) -> Outcome:
        """Answer from the ledger: this request's own row, an earlier one of the same request, or another's.

        A row counts as this request's own where it is equal to what was tried, to the microsecond. Two requests that
        decided the same at the same microsecond can't be told apart: then neither says that it is a replay.
        """
        if recorded in self._unsettled:
            return Outcome(recorded, replayed=False, attempts=self._tries.number)
        key = self._command.idempotency_key
        if key is None:
            raise AssertionError("a row bears an id that this request drew at random")
        if not same_request(self._command, snapshot, recorded):
            raise IdempotencyKeyReused(key=key)
        return Outcome(recorded, replayed=True, attempts=self._tries.number)
