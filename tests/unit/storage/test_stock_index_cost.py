"""What the index of a business's stock items costs an adjustment: one write unit for the first, none for all others.

Counted by DynamoDB's rules: a part of a transaction takes two units for each KB of the larger of the old and the new
item; an index takes one for each KB of its entry, where the entry is new or changes.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any
from uuid import UUID

from inventory.domain.store import Committed
from inventory.storage.items import stock_index_attributes
from tests.support.builders.domain import a_snapshot, an_adjustment
from tests.support.builders.ids import NOW, TICK
from tests.support.fakes.tables import INVENTORY_TABLE
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment

INDEXED = ("business_shard", "location_variant")
KB = 1024


def size_bytes(item: dict[str, Any]) -> int:
    return sum(len(name) + len(str(next(iter(typed.values()))).encode()) for name, typed in item.items())


def entry(item: dict[str, Any]) -> dict[str, Any] | None:
    """The item's entry in the index: keys only."""
    return {name: item[name] for name in ("pk", "sk", *INDEXED)} if set(INDEXED) <= item.keys() else None


def stock_items(store: StoreOnTables) -> dict[Any, Any]:
    return {place: dict(item) for place, item in store.tables.items.items() if place[0] == INVENTORY_TABLE}


def write_units(store: StoreOnTables, row: Adjustment, seen: Adjustment | None) -> tuple[int, int]:
    """Commit a row, and count the units of the inventory table and of its index."""
    before = stock_items(store)
    stock = None if seen is None else store.load().stock[row.stock_item_id]
    assert isinstance(store.store.commit([row], a_snapshot(stock=stock)), Committed)
    (place,) = [place for place, item in stock_items(store).items() if before.get(place) != item]
    old, new = before.get(place, {}), stock_items(store)[place]
    of_table = 2 * ceil(max(size_bytes(old), size_bytes(new)) / KB)
    changed = entry(new) if entry(new) != entry(old) else None
    return of_table, 0 if changed is None else ceil(size_bytes(changed) / KB)


def test_only_the_adjustment_that_creates_a_stock_item_writes_to_the_index() -> None:
    store = StoreOnTables()
    store.tables.with_catalog()
    first = an_adjustment()
    second = an_adjustment(
        id=UUID(int=2), sequence=2, quantity_after=10, created_at=NOW + TICK, previous_hash=first.hash
    )
    third = an_adjustment(
        id=UUID(int=3), sequence=3, quantity_after=15, created_at=NOW + 2 * TICK, previous_hash=second.hash
    )

    units = [write_units(store, row, seen) for row, seen in ((first, None), (second, first), (third, second))]

    assert units == [(2, 1), (2, 0), (2, 0)]
    (item,) = [item for place, item in stock_items(store).items() if place[1].startswith("STOCK#")]
    assert {name: item[name] for name in INDEXED} == stock_index_attributes(first.stock_item_id)
