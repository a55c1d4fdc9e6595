"""Levels of a whole business on a real engine: every stock item once under writers, and from before the index too."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain.model import StockItemId
from inventory.domain.retry_budget import RetryBudget
from inventory.queries import reader as readers
from inventory.queries.levels import LevelFilter
from inventory.storage import keys, stock_indexing
from inventory.storage.items import key_attributes, stock_index_attributes
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from inventory.storage.stock_index import StockIndex
from inventory.storage.stock_indexing import StockIndexing
from tests.support.harness.shop import AMPLE_S, environment

if TYPE_CHECKING:
    from inventory.queries.levels import Level
    from inventory.queries.reader import Reader
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients
    from tests.support.harness.shop import Environment, Shop

BUDGET = RetryBudget(lambda: AMPLE_S, sleep=lambda _: None)


def reader_on(clients: Clients, tables: Tables) -> Reader:
    client = clients.make(read_timeout_s=60)
    lookups = Lookups(client, inventory_table=tables.inventory, ledger_table=tables.ledger)
    return readers.reader_on(lookups, DynamoDBLedgerIndex(client, tables.ledger), StockIndex(client, tables.inventory))


def pages(reader: Reader, shop: Shop, wanted: LevelFilter, limit: int) -> list[list[Level]]:
    found: list[list[Level]] = []
    after: StockItemId | None = None
    while True:
        page = reader.levels(shop.business_id, wanted, after=after, limit=limit, budget=BUDGET)
        found.append(list(page.levels))
        after = page.next_after
        if after is None:
            return found


def stock_up(shop: Shop, service: Environment, variants: int) -> dict[tuple[UUID, UUID], int]:
    """Adjust many variants at both locations; return the quantities."""
    quantities = {}
    for number in range(1, variants + 1):
        variant_id = uuid4()
        shop.tables.command("register_variant", shop.business_id, variant_id=variant_id, sku=f"V-{number}")
        for location_id in (shop.location_id, shop.other_location_id)[: number % 2 + 1]:
            service.adjust(shop.command(number, variant_id=variant_id, location_id=location_id))
            quantities[variant_id, location_id] = number
    return quantities


def quantities(found: list[list[Level]]) -> dict[tuple[UUID, UUID], int]:
    levels = [level for page in found for level in page]
    shown = {(level.variant_id, level.location_id): level.quantity for level in levels}
    assert len(shown) == len(levels), "none comes twice"
    return shown


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_levels_of_a_business_and_of_a_location_are_all_stock_items_in_pages(
    shop: Shop, service: Environment, clients: Clients, limit: int
) -> None:
    there = stock_up(shop, service, 21)
    reader = reader_on(clients, shop.tables)

    assert quantities(pages(reader, shop, LevelFilter(), limit)) == there
    here = {place: quantity for place, quantity in there.items() if place[1] == shop.other_location_id}
    assert quantities(pages(reader, shop, LevelFilter(location_id=shop.other_location_id), limit)) == here
    few = {place: quantity for place, quantity in there.items() if 3 <= quantity <= 5}
    wanted = LevelFilter(quantity_at_most=5, quantity_at_least=3)
    assert quantities(pages(reader, shop, wanted, limit)) == few
    assert all(len(page) <= limit for page in pages(reader, shop, wanted, limit))


def test_pages_under_writers_hold_every_stock_item_that_was_there_once(
    shop: Shop, service: Environment, clients: Clients
) -> None:
    there = stock_up(shop, service, 12)
    stop, written = Event(), count()

    def write() -> None:
        own = environment(clients.make(read_timeout_s=60), shop.tables)
        while not stop.is_set():
            number = next(written)
            variant_id = [*there][number % len(there)][0]
            own.adjust(shop.command(1, variant_id=variant_id, location_id=shop.location_id))
            if number % 5 == 0:
                new_id = uuid4()
                shop.tables.command("register_variant", shop.business_id, variant_id=new_id, sku=f"N-{number}")
                own.adjust(shop.command(1, variant_id=new_id))

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write) for _ in range(4)]
        try:
            reader = reader_on(clients, shop.tables)
            found = [quantities(pages(reader, shop, LevelFilter(), limit)) for limit in (2, 5, 50)]
        finally:
            stop.set()
            for each in writing:
                each.result()

    for shown in found:
        assert there.keys() <= shown.keys()
        assert all(shown[place] >= quantity for place, quantity in there.items()), "read from the table itself"


def test_stock_items_from_before_the_index_are_put_into_it_once_and_nothing_else_changes(
    shop: Shop, service: Environment, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stock_up(shop, service, 15)
    before = shop.tables.contents()
    for variant_id, location_id in [*there][::2]:
        _forget(shop, StockItemId(shop.business_id, variant_id, location_id))
    reader = reader_on(clients, shop.tables)
    assert len(quantities(pages(reader, shop, LevelFilter(), 100))) == len(there) // 2
    monkeypatch.setattr(stock_indexing, "ITEMS_SCANNED_MAX", 9)
    monkeypatch.setattr(stock_indexing, "_AT_ONCE", 2)

    first, second = (index_all(clients, shop.tables) for _ in range(2))

    assert (first["indexed"], second["indexed"]) == (len(there) - len(there) // 2, 0)
    assert first["pages"] > 3
    assert shop.tables.contents() == before
    assert quantities(pages(reader, shop, LevelFilter(), 100)) == there


def test_adjustments_go_on_while_stock_items_are_put_into_the_index(
    shop: Shop, service: Environment, clients: Clients
) -> None:
    there = stock_up(shop, service, 8)
    for variant_id, location_id in there:
        _forget(shop, StockItemId(shop.business_id, variant_id, location_id))

    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(index_all, clients, shop.tables) for _ in range(2)]
        for variant_id, location_id in there:
            service.adjust(shop.command(1, variant_id=variant_id, location_id=location_id))
        for each in runs:
            each.result()

    reader = reader_on(clients, shop.tables)
    shown = quantities(pages(reader, shop, LevelFilter(), 100))
    assert shown == {place: quantity + 1 for place, quantity in there.items()}


def index_all(clients: Clients, tables: Tables) -> Counter[str]:
    """Follow the pages of the command to the end of the table."""
    indexing, done = StockIndexing(clients.make(read_timeout_s=60), tables.inventory), Counter[str]()
    after = None
    while True:
        page = indexing.page(after, BUDGET)
        done.update(indexed=page.indexed, pages=1)
        assert page.unreadable == 0
        after = page.next_after
        if after is None:
            return done


def _forget(shop: Shop, stock_item_id: StockItemId) -> None:
    """Let a stock item be as one from before the index."""
    names = ", ".join(stock_index_attributes(stock_item_id))
    key: Any = key_attributes(keys.stock_item_key(*stock_item_id))
    shop.tables.client.update_item(TableName=shop.tables.inventory, Key=key, UpdateExpression=f"REMOVE {names}")
