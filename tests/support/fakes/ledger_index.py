"""The ledger's indexes in memory: rows in the order of time, in chunks as DynamoDB cuts them."""

from __future__ import annotations

from copy import replace
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from inventory.domain.model import GENESIS_HASH
from inventory.storage.items import ledger_item
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, NOW
from tests.support.fakes.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.domain.model import Adjustment
    from inventory.storage.ledger_index import IndexPage, IndexQuery


@dataclass
class IndexedLedger:
    """Rows in any order; ``rows`` may grow. ``before_query`` gets the number of each query, from 1, before it runs."""

    rows: list[Adjustment] = field(default_factory=list)
    businesses: set[UUID] = field(default_factory=lambda: {BUSINESS})
    chunk_rows_max: int = 1_000
    before_query: Callable[[int], None] = lambda _: None
    read: list[str] = field(default_factory=list)
    """The partition keys that were read, in order."""

    def has_business(self, business_id: UUID) -> bool:
        return business_id in self.businesses

    def page(self, query: IndexQuery) -> IndexPage:
        self.read.append(query.partition.key)
        self.before_query(len(self.read))
        items = map(ledger_item, self.rows)
        limit = min(query.limit or self.chunk_rows_max, self.chunk_rows_max)
        return page_of(items, replace(query, limit=limit))


def a_history(deltas: Sequence[tuple[int, int, int]], *, business_id: UUID = BUSINESS) -> list[Adjustment]:
    """Rows of several stock items, chained, oldest first: each is a variant's number, a location's number and a delta.

    One in three is stamped with the same microsecond as the row before it, of another stock item if there is one.
    """
    heads: dict[tuple[int, int], Adjustment] = {}
    rows: list[Adjustment] = []
    now = NOW - timedelta(days=30)
    for number, (variant, location, delta) in enumerate(deltas):
        head = heads.get((variant, location))
        if number % 3 or (head is not None and head.created_at == now):
            now += timedelta(microseconds=number * 7 + 1)
        row = an_adjustment(
            id=UUID(int=(number * 2_654_435_761) % 2**64, version=4),
            business_id=business_id,
            variant_id=UUID(int=variant + 1, version=4),
            location_id=UUID(int=location + 1, version=4),
            delta=delta,
            sequence=1 if head is None else head.sequence + 1,
            quantity_after=delta if head is None else head.quantity_after + delta,
            created_at=now,
            previous_hash=GENESIS_HASH if head is None else head.hash,
        )
        heads[variant, location] = row
        rows.append(row)
    return rows
