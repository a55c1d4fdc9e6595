"""The ledger's indexes and stock items in memory, for one thread: what the history is read from, and what it costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inventory.domain.rules import stock_after
from inventory.storage.items import ledger_item
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS
from tests.support.fakes.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from inventory.domain.model import Adjustment, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexPage, IndexQuery

type Place = tuple[UUID, UUID]
"""Variant and location."""


@dataclass
class MemoryLedger:
    """One business's rows. ``before_page`` is called before each Query; ``unseen`` rows are not in the indexes yet."""

    rows: list[Adjustment] = field(default_factory=list)
    heads: dict[Place, Adjustment] = field(default_factory=dict)
    unseen: set[UUID] = field(default_factory=set)
    before_page: Callable[[], None] = lambda: None
    limits: list[int | None] = field(default_factory=list)
    rows_read: int = 0
    _items: defaultdict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))

    def append(self, row_id: UUID, place: Place, created_at: datetime, **members: Any) -> Adjustment:
        """Append a row to a stock item as the service would: in sequence; only its time is the test's business."""
        head = self.heads.get(place)
        assert head is None or head.created_at < created_at, "time never goes back in one stock item"
        delta = members.pop("delta", 1)
        row = an_adjustment(
            id=row_id,
            variant_id=place[0],
            location_id=place[1],
            created_at=created_at,
            delta=delta,
            quantity_after=(head.quantity_after if head else 0) + delta,
            sequence=(head.sequence if head else 0) + 1,
            **members,
        )
        self.rows.append(row)
        self.heads[place] = row
        item = ledger_item(row)
        for name in ("stock_item", "business_shard"):
            self._items[item[name]["S"]].append(item)
        return row

    def of_variant(
        self, business_id: UUID, variant_id: UUID, budget: RetryBudget, *, limit: int
    ) -> list[tuple[UUID, StockItem]]:
        assert business_id == BUSINESS
        places = sorted(place for place in self.heads if place[0] == variant_id)
        return [(place[1], stock_after(self.heads[place])) for place in places[:limit]]

    def page(self, query: IndexQuery) -> IndexPage:
        self.before_page()
        unseen = {str(each) for each in self.unseen}
        page = page_of((item for item in self._items[query.partition.key] if item["id"]["S"] not in unseen), query)
        self.limits.append(query.limit)
        self.rows_read += len(page.items)
        return page
