"""Every rule of the business, as pure functions: no AWS, no clock, no randomness."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
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
from inventory.domain.model import GENESIS_HASH, QUANTITY_MAX, Adjustment, Business, Command, Snapshot, StockItem
from inventory.domain.timestamps import TICK

if TYPE_CHECKING:
    from datetime import datetime


def decide(command: Command, snapshot: Snapshot, *, adjustment_id: UUID, now: datetime) -> Adjustment:
    """Decide one command from one snapshot.

    Args:
        command: what is asked for.
        snapshot: what the decision is made from, except its ``recorded``.
        adjustment_id: the id of the new ledger row.
        now: the present, UTC; the row's ``created_at`` unless the stock item's last row is as young.

    Raises:
        Refusal: the first rule that the command breaks: catalog, reversed before, expected quantity, stock, limit.
    """
    business, location_id = _require_active(snapshot)
    if snapshot.reversed_by is not None:
        raise AlreadyReversed(reversed_by=snapshot.reversed_by)
    quantity_after = _require_quantity(command, snapshot.stock, business)
    row = Adjustment(
        id=adjustment_id,
        business_id=command.business_id,
        variant_id=command.variant_id,
        location_id=location_id,
        delta=command.quantity_change,
        reason=command.reason,
        reason_code=command.reason_code,
        reference=command.reference,
        expected_quantity=command.expected_quantity,
        location_defaulted=command.location_id is None,
        sequence=snapshot.stock.sequence + 1 if snapshot.stock else 1,
        quantity_after=quantity_after,
        # The order of time is the order of sequence, even across machines whose clocks differ.
        created_at=max(now, snapshot.stock.updated_at + TICK) if snapshot.stock else now,
        created_by=command.actor,
        reverses=command.reverses,
        previous_hash=snapshot.stock.head_hash if snapshot.stock else GENESIS_HASH,
        hash="",
    )
    return replace(row, hash=row_hash(row))


def _require_active(snapshot: Snapshot) -> tuple[Business, UUID]:
    """Return the business and the location, both known and in use; so is the variant."""
    if snapshot.business is None or not snapshot.variant_active:
        raise VariantNotFound
    if snapshot.location_id is None:
        raise NoDefaultLocation
    if not snapshot.location_active:
        raise LocationNotFound
    return snapshot.business, snapshot.location_id


def _require_quantity(command: Command, stock: StockItem | None, business: Business) -> int:
    """Return the quantity on hand after the change, if it may become that."""
    on_hand = stock.quantity if stock else 0
    quantity_after = on_hand + command.quantity_change
    if command.expected_quantity is not None and command.expected_quantity != on_hand:
        raise StaleQuantity(quantity_on_hand=on_hand)
    # Negative stock can remain from before a business forbade it. An increase is always allowed, as it corrects that.
    if quantity_after < 0 and command.quantity_change < 0 and not business.allow_negative_stock:
        raise InsufficientStock(quantity_on_hand=on_hand, quantity_change=command.quantity_change)
    if abs(quantity_after) > QUANTITY_MAX:
        raise QuantityLimitExceeded
    return quantity_after


def stock_after(row: Adjustment) -> StockItem:
    """Return the state of the stock item after a ledger row."""
    return StockItem(quantity=row.quantity_after, sequence=row.sequence, updated_at=row.created_at, head_hash=row.hash)


def keyed_id(business_id: UUID, idempotency_key: str) -> UUID:
    """Derive an adjustment's id from its business and key: a UUID of version 8 from SHA-256 (RFC 9562, B.2)."""
    digest = bytearray(sha256(business_id.bytes + idempotency_key.encode("ascii")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def same_request(command: Command, row: Adjustment) -> bool:
    """Whether the request that made ``row`` was equal to ``command``. The actor does not count.

    To name the default location and to leave it out are different requests. Two requests that leave it out are equal,
    even if the default location has changed in between.
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
