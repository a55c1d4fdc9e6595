"""Stock items of a variant, of a location or of a whole business, in an order that writers never change."""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from inventory.domain.errors import StockItemUnreadable, StoreUnavailable
from inventory.domain.model import StockItemId
from inventory.storage.items import read_stock_at_location
from inventory.storage.keys import BUSINESS_SHARDS
from inventory.storage.lookups import KEYS_MAX
from inventory.storage.stock_index import shard_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from inventory.domain.model import StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.levels import LevelFilter
    from inventory.storage.lookups import Lookups
    from inventory.storage.stock_index import StockIndex

    type FoundStockItem = tuple[StockItemId, StockItem]


class StockItems:
    """Reads stock items lazily, in chunks of ``chunk`` (up to 101), each at most once.

    Every iterator raises ``StoreUnavailable`` if the next ones could not be read in time, and ``StockItemUnreadable``
    if the next one can't be read. What it gave before is good.
    """

    def __init__(self, lookups: Lookups, ids: StockIndex) -> None:
        self.lookups = lookups
        self.ids = ids

    def wanted(
        self, business_id: UUID, wanted: LevelFilter, after: StockItemId | None, chunk: int, budget: RetryBudget
    ) -> Iterator[FoundStockItem]:
        """Give the stock items of the filter's variant and location, after one of them, in the order of the fewest."""
        if wanted.variant_id is None:
            return self._of_business(business_id, wanted.location_id, after, chunk, budget)
        if wanted.location_id is None:
            return self._of_variant(business_id, wanted.variant_id, after, chunk, budget)
        return self._single(StockItemId(business_id, wanted.variant_id, wanted.location_id), budget)

    def _single(self, stock_item_id: StockItemId, budget: RetryBudget) -> Iterator[FoundStockItem]:
        item = budget.retry(partial(self.lookups.stock_item, *stock_item_id))
        if item is not None:
            yield stock_item_id, read_stock_at_location(item)[1]

    def _of_variant(
        self, business_id: UUID, variant_id: UUID, after: StockItemId | None, chunk: int, budget: RetryBudget
    ) -> Iterator[FoundStockItem]:
        location_id = None if after is None else after.location_id
        while True:
            read = partial(self.lookups.stock_items, business_id, variant_id, after=location_id, limit=chunk)
            page = budget.retry(read)
            for found_id, stock in page.stock_items:
                yield StockItemId(business_id, variant_id, found_id), stock
            location_id = page.next_after
            if location_id is None:
                return

    def _of_business(
        self, business_id: UUID, location_id: UUID | None, after: StockItemId | None, chunk: int, budget: RetryBudget
    ) -> Iterator[FoundStockItem]:
        """Read ids in the index, and what they have from the table. An id whose stock item is gone is left out."""
        ids: list[StockItemId] = []
        for shard in range(0 if after is None else shard_of(after), BUSINESS_SHARDS):
            while True:
                read = partial(self.ids.page, business_id, shard, location_id=location_id, after=after)
                try:
                    found, after = budget.retry(partial(read, limit=chunk - len(ids)))
                except (StoreUnavailable, StockItemUnreadable):
                    yield from self._read(ids, budget)
                    raise
                ids += found
                if len(ids) == chunk:
                    yield from self._read(ids, budget)
                    ids = []
                if after is None:
                    break
        yield from self._read(ids, budget)

    def _read(self, ids: list[StockItemId], budget: RetryBudget) -> Iterator[FoundStockItem]:
        for some in batched(ids, KEYS_MAX, strict=False):
            items = budget.retry(partial(self.lookups.stock_items_by_id, some))
            for each in some:
                if each in items:
                    yield each, read_stock_at_location(items[each])[1]
