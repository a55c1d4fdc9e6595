"""Stock levels: now, from a stock item, or at an instant, from the ledger rows on both sides of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import RowMissing, StoreUnavailable
from inventory.domain.timestamps import TICK, instant_text
from inventory.storage.ledger_index import IndexQuery, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.model import StockItem, StockItemId
    from inventory.storage.ledger_index import LedgerIndex

INDEX_DELAY_MAX: Final = timedelta(minutes=5)
"""An index is usually about a second behind. A row that is older than this and not there is missing."""


class LevelFilter(NamedTuple):
    """Which levels to read: of a variant, a location, both or the whole business; now or at ``as_of``, inclusive.

    ``as_of`` needs a variant. Both limits of the quantity are inclusive.
    """

    variant_id: UUID | None = None
    location_id: UUID | None = None
    as_of: datetime | None = None
    quantity_at_most: int | None = None
    quantity_at_least: int | None = None

    @property
    def limits_quantity(self) -> bool:
        """Whether levels are left out for their quantity."""
        return self.quantity_at_most is not None or self.quantity_at_least is not None

    def includes(self, quantity: int) -> bool:
        """Whether a quantity is within the limits."""
        return (self.quantity_at_most is None or quantity <= self.quantity_at_most) and (
            self.quantity_at_least is None or quantity >= self.quantity_at_least
        )


class Level(NamedTuple):
    """A variant's quantity on hand at one location, in units, after the adjustment with that ``sequence``.

    ``counted_at`` is when it was last counted until today, None if never, and ``sku`` is the variant's SKU today: also
    where the level is one of the past.
    """

    variant_id: UUID
    location_id: UUID
    quantity: int
    sequence: int
    updated_at: datetime
    counted_at: datetime | None = None
    sku: str | None = None


def level_now(stock_item_id: StockItemId, stock: StockItem) -> Level:
    """Give the level of a stock item."""
    _, variant_id, location_id = stock_item_id
    return Level(variant_id, location_id, stock.quantity, stock.sequence, stock.updated_at, stock.counted_at)


def level_at(
    index: LedgerIndex,
    stock_item_id: StockItemId,
    stock: StockItem,
    as_of: datetime,
    *,
    now: datetime,
    between_calls: Callable[[], None],
) -> Level | None:
    """Give the level at an instant, with that instant's own adjustment; None before the first adjustment.

    ``stock`` is the stock item, read before this call. ``between_calls`` is called between the two Queries; its
    exceptions pass through.

    Raises:
        StoreUnavailable: the index could not be read, or is still behind.
        RowMissing: the index lacks a row that is too old to be late.
        RowUnreadable: one of the two rows can't be read.
    """
    if stock.updated_at <= as_of:
        return level_now(stock_item_id, stock)
    partition = stock_item_partition(*stock_item_id)
    before = index.page(IndexQuery(partition, last=instant_text(as_of), newest_first=True, limit=1)).rows()
    between_calls()
    after = index.page(IndexQuery(partition, first=instant_text(as_of + TICK), limit=1)).rows()
    # There is a row after the instant, and both rows must be neighbours. Otherwise a row that the index does not have
    # yet is missing between them, and the level would be an older one.
    if not after or after[0].sequence != (before[0].sequence if before else 0) + 1:
        # The missing row is older than the row after it, or it is the last one, whose time the stock item has.
        if now - (after[0].created_at if after else stock.updated_at) > INDEX_DELAY_MAX:
            raise RowMissing({name: str(value) for name, value in stock_item_id._asdict().items()})
        raise StoreUnavailable
    if not before:
        return None
    _, variant_id, location_id = stock_item_id
    last = before[0]
    return Level(variant_id, location_id, last.quantity_after, last.sequence, last.created_at, stock.counted_at)
