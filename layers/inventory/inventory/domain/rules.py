"""Every rule of the business, as pure functions: no AWS, no clock, no randomness."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory.domain.errors import (
    AlreadyReversed,
    InsufficientStock,
    LocationNotFound,
    NoDefaultLocation,
    QuantityLimitExceeded,
    StaleQuantity,
    VariantNotFound,
)
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH, QUANTITY_MAX, Adjustment, Command, Snapshot, StockItem

if TYPE_CHECKING:
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
        Refusal: the first rule that stands against it: existence of variant and location, reversed before, the stock.
    """
    if snapshot.business is None or not snapshot.variant_active:
        raise VariantNotFound
    if snapshot.location_id is None:
        raise NoDefaultLocation
    if not snapshot.location_active:
        raise LocationNotFound
    if snapshot.reversed_by is not None:
        raise AlreadyReversed(reversed_by=snapshot.reversed_by)

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
        location_defaulted=command.location_id is None,
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


def same_request(command: Command, row: Adjustment) -> bool:
    """Whether ``row`` was made by a request equal to ``command``, whoever sent it and whatever its spelling.

    Naming the default location and leaving it out are two requests; left out twice they are one, whatever the default
    has become meanwhile.
    """
    return (
        command.location_id == (None if row.location_defaulted else row.location_id)
        and command.variant_id == row.variant_id
        and command.quantity_change == row.delta
        and command.reason == row.reason
        and command.reason_code == row.reason_code
        and command.reference == row.reference
        and command.expected_quantity == row.expected_quantity
        and command.reverses == row.reverses
    )
