"""How much of a variant is where: now, from its stock items, or at an instant, from its ledger rows around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import RowMissing, StoreUnavailable
from inventory.domain.timestamps import instant_text
from inventory.storage.ledger_index import stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.model import StockItem
    from inventory.storage.ledger_index import LedgerIndex

LATE_AT_MOST: Final = timedelta(minutes=5)
"""An index is behind for about a second; a row that is this old and not there will not come."""

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Level:
    """A variant's quantity on hand at one location, in units, after the adjustment of that ``sequence``."""

    variant_id: UUID
    location_id: UUID
    quantity: int
    sequence: int
    updated_at: datetime


def level_now(variant_id: UUID, location_id: UUID, stock: StockItem) -> Level:
    """The level that a stock item holds."""
    return Level(variant_id, location_id, stock.quantity, stock.sequence, stock.updated_at)


def level_at(
    index: LedgerIndex,
    business_id: UUID,
    variant_id: UUID,
    location_id: UUID,
    stock: StockItem,
    as_of: datetime,
    *,
    now: datetime,
    between_calls: Callable[[], None],
) -> Level | None:
    """The level at an instant, that instant's own adjustment included; None before the first adjustment.

    ``stock`` is the stock item, read before this call. Two calls are made; what ``between_calls`` raises ends it.

    Raises:
        StoreUnavailable: the index could not be read, or lacks a row that it will have in a moment.
        RowMissing: it lacks one that it had to have long ago.
        RowUnreadable: one of the two rows is none.
    """
    if stock.updated_at <= as_of:
        return level_now(variant_id, location_id, stock)
    partition = stock_item_partition(business_id, variant_id, location_id)
    until = index.page(partition, last=instant_text(as_of), newest_first=True, limit=1).rows()
    between_calls()
    since = index.page(partition, first=instant_text(as_of + _TICK), limit=1).rows()
    # The rows on both sides must be neighbours, and there is a later one: a row that the index does not have yet
    # would otherwise make an older balance pass for that of the instant.
    if not since or since[0].sequence != (until[0].sequence if until else 0) + 1:
        # What is missing is older than the row behind it, or is the last one, whose time the stock item has.
        if now - (since[0].created_at if since else stock.updated_at) > LATE_AT_MOST:
            place = {"business_id": business_id, "variant_id": variant_id, "location_id": location_id}
            raise RowMissing({name: str(each) for name, each in place.items()})
        raise StoreUnavailable
    if not until:
        return None
    return Level(variant_id, location_id, until[0].quantity_after, until[0].sequence, until[0].created_at)
