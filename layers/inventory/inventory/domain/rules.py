"""Every rule of the business, as pure functions: no AWS, no clock, no randomness."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from inventory.domain.errors import (
    AlreadyReversed,
    BadInstant,
    CountSuperseded,
    InstantOutOfWindow,
    InsufficientStock,
    LocationNotFound,
    NoDefaultLocation,
    QuantityLimitExceeded,
    ReasonDirection,
    ReasonNotFound,
    StaleQuantity,
    VariantNotFound,
)
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import (
    BUILT_IN_REASON_CODES,
    GENESIS_HASH,
    QUANTITY_MAX,
    Adjustment,
    Business,
    Command,
    ReversalLink,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.timestamps import TICK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

INSTANT_AHEAD_MAX: Final = timedelta(seconds=60)
"""How far an instant of a request may be ahead of the service's clock."""

OCCURRED_AT_AGE_MAX: Final = timedelta(days=366)
"""How long ago a change may have happened in the real world."""

_VERSION_AND_VARIANT: Final = 0xF000_C000_0000_0000_0000
_VERSION_8: Final = 0x8000_8000_0000_0000_0000
"""The bits of a UUID that say of which kind it is, and what they are in one of our own making (RFC 9562, 5.8)."""

type Trail = tuple[StockItem, ...]
"""The states of one stock item: the one that was read, and the one after each row that was decided since."""


class RowIdentity(NamedTuple):
    """The id of a new ledger row, and its place in a group; a row that was requested on its own has none."""

    id: UUID
    group_id: UUID | None = None
    group_line: int | None = None
    group_size: int | None = None


def decide(
    command: Command, snapshot: Snapshot, trails: Mapping[StockItemId, Trail], *, identity: RowIdentity, now: datetime
) -> Adjustment:
    """Decide one command from one snapshot.

    Args:
        command: what is asked for.
        snapshot: what the decision is made from, except its ``recorded`` and its ``stock``.
        trails: of each stock item that has rows. The command is decided from its last state.
        identity: of the new ledger row.
        now: the present, UTC; the row's ``created_at`` unless the stock item's last row is as young.

    Raises:
        Refusal: the first rule that the command breaks: catalog, reversed before, counted since, expected quantity,
            direction of the reason, stock, limit.
    """
    business, stock_item_id = require_active(command, snapshot)
    if snapshot.reversed_by is not None:
        raise AlreadyReversed(reversed_by=snapshot.reversed_by)
    trail = trails.get(stock_item_id, ())
    stock = trail[-1] if trail else None
    delta = _delta(command, snapshot, stock_item_id, trail)
    quantity_after = _require_quantity(command, delta, stock, business, snapshot)
    row = _next_row(command, identity, stock_item_id, stock, delta, quantity_after, now)
    return row._replace(hash=row_hash(row))


def _next_row(
    command: Command,
    identity: RowIdentity,
    stock_item_id: StockItemId,
    stock: StockItem | None,
    delta: int,
    quantity_after: int,
    now: datetime,
) -> Adjustment:
    """Make the row that follows a state of its stock item, but for its hash."""
    return Adjustment(
        id=identity.id,
        business_id=command.business_id,
        variant_id=stock_item_id.variant_id,
        location_id=stock_item_id.location_id,
        delta=delta,
        reason=command.reason,
        reason_code=command.reason_code,
        reference=command.reference,
        expected_quantity=command.expected_quantity,
        location_defaulted=command.location_id is None,
        sequence=stock.sequence + 1 if stock else 1,
        quantity_after=quantity_after,
        # The order of time is the order of sequence, even across machines whose clocks differ.
        created_at=max(now, stock.updated_at + TICK) if stock else now,
        created_by=command.actor,
        reverses=command.reverses,
        previous_hash=stock.head_hash if stock else GENESIS_HASH,
        hash="",
        kind=command.kind,
        group_id=identity.group_id,
        group_line=identity.group_line,
        group_size=identity.group_size,
        counted_quantity=command.counted_quantity,
        counted_at=command.counted_at,
        sku=command.sku,
        occurred_at=command.occurred_at,
    )


def require_active(command: Command, snapshot: Snapshot) -> tuple[Business, StockItemId]:
    """Return the business and the stock item, whose variant and location are known and in use; so is the reason.

    Raises:
        Refusal: of these that the business has no such active one.
    """
    business = snapshot.business
    variant_id = snapshot.variants.get(variant_name(command))
    if business is None or variant_id is None:
        raise VariantNotFound
    location_id = command.location_id or business.default_location_id
    if location_id is None:
        raise NoDefaultLocation
    if location_id not in snapshot.locations:
        raise LocationNotFound(location_id=location_id if command.kind == "transfer" else None)
    code = command.reason_code
    if code is not None and code not in BUILT_IN_REASON_CODES and code not in snapshot.reasons:
        raise ReasonNotFound
    return business, StockItemId(command.business_id, variant_id, location_id)


def variant_name(command: Command) -> UUID | str:
    """Return what the command names its variant by: the SKU or the id.

    Raises:
        ValueError: it names none.
    """
    name = command.variant_id if command.sku is None else command.sku
    if name is None:
        raise ValueError("the command names no variant")
    return name


def stock_item_id(command: Command, snapshot: Snapshot) -> StockItemId | None:
    """Return which stock item the command is for; None where its variant is unknown or it has no location."""
    variant_id = snapshot.variants.get(variant_name(command))
    location_id = command.location_id or (snapshot.business.default_location_id if snapshot.business else None)
    if variant_id is None or location_id is None:
        return None
    return StockItemId(command.business_id, variant_id, location_id)


def _delta(command: Command, snapshot: Snapshot, stock_item_id: StockItemId, trail: Trail) -> int:
    """Return the change in units: the one that was asked for, or what a count found more or less than the level."""
    if command.counted_quantity is None:
        if command.quantity_change is None:
            raise ValueError("the command is neither a change nor a count")
        return command.quantity_change
    if not trail:
        return command.counted_quantity
    if command.counted_at is None:
        return command.counted_quantity - trail[-1].quantity
    counted_through = trail[-1].counted_through
    if counted_through is not None and counted_through > command.counted_at:
        raise CountSuperseded(counted_through=counted_through)
    return command.counted_quantity - _level(snapshot, stock_item_id, trail, command.counted_at)


def _level(snapshot: Snapshot, stock_item_id: StockItemId, trail: Trail, as_of: datetime) -> int:
    """Return the quantity at an instant, with the change of that instant.

    No row can be added before the last one any more. So a level of the past, once it was read, stays as it is.
    """
    for stock in reversed(trail):
        if stock.updated_at <= as_of:
            return stock.quantity
    return 0 if trail[0].sequence == 1 else snapshot.past_levels[stock_item_id, as_of]


def _require_quantity(
    command: Command, delta: int, stock: StockItem | None, business: Business, snapshot: Snapshot
) -> int:
    """Return the quantity on hand after the change, if it may become that."""
    on_hand = stock.quantity if stock else 0
    quantity_after = on_hand + delta
    if command.expected_quantity is not None and command.expected_quantity != on_hand:
        raise StaleQuantity(quantity_on_hand=on_hand)
    if snapshot.reasons and command.kind in {"adjustment", "count"}:
        _require_direction(command, delta, snapshot)
    # Negative stock can remain from before a business forbade it. An increase is always allowed, as it corrects that.
    if quantity_after < 0 and delta < 0 and not business.allow_negative_stock:
        raise InsufficientStock(quantity_on_hand=on_hand, quantity_change=delta)
    if abs(quantity_after) > QUANTITY_MAX:
        raise QuantityLimitExceeded
    return quantity_after


def _require_direction(command: Command, delta: int, snapshot: Snapshot) -> None:
    """Require the sign of the change that its reason code is for. A count that was right has none."""
    direction = snapshot.reasons.get(command.reason_code or "", "any")
    if (direction == "increase" and delta < 0) or (direction == "decrease" and delta > 0):
        raise ReasonDirection(direction=direction)


def require_instants(lines: Sequence[Command], now: datetime, *, rows_per_line: int | None) -> None:
    """Require that the instants of a request are not too early or too late.

    ``rows_per_line`` is None for a request without lines.

    Raises:
        InstantOutOfWindow: with all that are not.
    """
    found = [each for place, line in enumerate(lines) for each in _bad_instants(line, now, place, rows_per_line)]
    if found:
        raise InstantOutOfWindow(list(dict.fromkeys(found)))


def _bad_instants(command: Command, now: datetime, place: int, rows_per_line: int | None) -> Iterator[BadInstant]:
    # All lines of a transfer have the instant of their request.
    is_shared = rows_per_line is None or command.kind == "transfer"
    line = None if is_shared or rows_per_line is None else place // rows_per_line
    latest = now + INSTANT_AHEAD_MAX
    if command.occurred_at is not None and not now - OCCURRED_AT_AGE_MAX <= command.occurred_at <= latest:
        yield BadInstant(line, "occurred_at", command.occurred_at, "at most 366 days ago and 60 seconds ahead")
    if command.counted_at is not None and command.counted_at > latest:
        yield BadInstant(line, "counted_at", command.counted_at, "at most 60 seconds ahead")


def stock_after(row: Adjustment, before: StockItem | None = None) -> StockItem:
    """Return the state of the stock item after a ledger row; ``before`` is the state before it."""
    counted_at = before.counted_at if before else None
    counted_through = before.counted_through if before else None
    if row.kind == "count":
        counted_at, counted_through = row.counted_at or row.created_at, row.created_at
    return StockItem(row.quantity_after, row.sequence, row.created_at, row.hash, counted_at, counted_through)


def keyed_id(business_id: UUID, idempotency_key: str, key_line: int = 0) -> UUID:
    """Derive a row's id from its business and key: a UUID of version 8 from SHA-256 (RFC 9562, B.2).

    Each further request under the same key has a ``key_line``. No key can stand for another one with a line, as a key
    has visible characters only.
    """
    name = idempotency_key.encode("ascii")
    return _derived_id(business_id, name if key_line == 0 else b"%b\0%d" % (name, key_line))


def group_row_id(group_id: UUID, group_line: int) -> UUID:
    """Derive the id of a group's row from the group's id, which is that of its first row.

    No idempotency key leads to it, as a key has visible characters only.
    """
    return group_id if group_line == 0 else _derived_id(group_id, b"\0%d" % group_line)


def _derived_id(namespace: UUID, name: bytes) -> UUID:
    number = int.from_bytes(sha256(namespace.bytes + name).digest()[:16])
    return UUID(int=number & ~_VERSION_AND_VARIANT | _VERSION_8)


def group_row_ids(first: Adjustment) -> list[UUID]:
    """Return the ids of all rows of a group, of which ``first`` is the first one."""
    return [group_row_id(first.id, line) for line in range(first.group_size or 1)]


def reversal_of(row: Adjustment, link: ReversalLink) -> UUID | None:
    """Return the id of the row that reverses ``row``; None if the reversal of its group leaves it out.

    ``link`` is the one of the row, or of its group. A group is reversed from its last row to its first.
    """
    if row.group_line is None or row.group_size is None:
        return link.reversal_id
    if row.group_line in link.left_out:
        return None
    later_lines = range(row.group_line + 1, row.group_size)
    return group_row_id(link.reversal_id, sum(line not in link.left_out for line in later_lines))


def same_request(command: Command, row: Adjustment, identity: RowIdentity) -> bool:
    """Whether the request that made ``row`` was equal to ``command``. The actor does not count.

    To name the default location and to leave it out are different requests. Two requests that leave it out are equal,
    even if the default location has changed in between. So it is with a SKU and its variant's id. What was counted is
    compared, and not the change that followed from it.
    """
    return (
        command.location_id == (None if row.location_defaulted else row.location_id)
        and command.sku == row.sku
        and (command.sku is not None or command.variant_id == row.variant_id)
        and command.counted_quantity == row.counted_quantity
        and command.counted_at == row.counted_at
        and (command.counted_quantity is not None or command.quantity_change == row.delta)
        and command.reason == row.reason
        and command.reason_code == row.reason_code
        and command.reference == row.reference
        and command.expected_quantity == row.expected_quantity
        and command.reverses == row.reverses
        and command.kind == row.kind
        and command.occurred_at == row.occurred_at
        and identity == (row.id, row.group_id, row.group_line, row.group_size)
    )
