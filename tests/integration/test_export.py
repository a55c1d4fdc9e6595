"""Exports from real tables: all rows up to one instant in order, with writes meanwhile."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inventory.domain.errors import BusinessNotFound
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.exporting import exported_page
from inventory.queries.export import Exporter
from inventory.queries.settled import SETTLED_AFTER
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from tests.support.builders.invocations import an_invocation
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import AMPLE_S, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inventory.domain.model import Adjustment
    from inventory.queries.export import ExportPage
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients
    from tests.support.harness.shop import Environment


class Exports:
    """Exports of one shop, a few rows a page, by a clock at which all that was written is settled."""

    def __init__(self, clients: Clients, shop: Shop) -> None:
        client = clients.make(read_timeout_s=60)
        tables = shop.tables
        lookups = Lookups(client, inventory_table=tables.inventory, ledger_table=tables.ledger)
        index = DynamoDBLedgerIndex(client, tables.ledger)
        self.exporter = Exporter(lookups, index, lambda: datetime.now(UTC) + SETTLED_AFTER, text_size_max_bytes=5_000)
        self.shop = shop

    def pages(self, **fields: object) -> Iterator[ExportPage]:
        budget = RetryBudget(lambda: AMPLE_S, lambda _: None)
        payload: dict[str, object] = {"command": "export", "business_id": str(self.shop.business_id)}
        payload |= {name: str(value) for name, value in fields.items()}
        while True:
            page = exported_page(payload, self.exporter, budget, an_invocation())
            yield page
            if page.next_cursor is None:
                return
            payload["cursor"] = page.next_cursor

    def hashes(self, **fields: object) -> list[str]:
        return [each["hash"] for page in self.pages(**fields) for each in objects(page)]


def objects(page: ExportPage) -> list[dict[str, str]]:
    return [json.loads(line) for line in page.text.splitlines()]


def in_order(rows: list[Adjustment]) -> list[str]:
    return [row.hash for row in sorted(rows, key=lambda row: (row.created_at, row.id))]


@pytest.fixture
def exports(clients: Clients, shop: Shop) -> Exports:
    return Exports(clients, shop)


def keep_busy(shop: Shop, service: Environment, times: int) -> None:
    """Adjust two variants at two locations."""
    for number in range(times):
        service.adjust(
            shop.command(
                number + 1,
                variant_id=(shop.variant_id, shop.other_variant_id)[number % 2],
                location_id=(None, shop.other_location_id)[number // 2 % 2],
                reason=f"Größe {number} 📦",
            )
        )


def test_an_export_is_the_whole_ledger_of_one_business_oldest_first(
    exports: Exports, service: Environment, tables: Tables
) -> None:
    shop = exports.shop
    keep_busy(shop, service, 25)
    neighbour = Shop(tables).open()
    keep_busy(neighbour, service, 3)
    rows = [row for row in tables.rows() if row.business_id == shop.business_id]
    assert len(rows) == 25
    assert exports.hashes() == in_order(rows)
    assert exports.hashes(format="ndjson", location_id=shop.other_location_id) == in_order(
        [row for row in rows if row.location_id == shop.other_location_id]
    )
    one_item = {"variant_id": shop.variant_id, "location_id": shop.location_id}
    assert exports.hashes(**one_item) == [row.hash for row in assert_adds_up(shop.rows(), shop.stock())]
    assert exports.hashes(variant_id=shop.variant_id) == in_order(
        [row for row in rows if row.variant_id == shop.variant_id]
    )


def test_rows_that_are_appended_meanwhile_do_not_disturb_it(
    exports: Exports, service: Environment, tables: Tables
) -> None:
    keep_busy(exports.shop, service, 25)
    before = in_order(tables.rows())
    exported: list[str] = []
    pages = 0
    for page in exports.pages():
        exported += [each["hash"] for each in objects(page)]
        keep_busy(exports.shop, service, 5)
        pages += 1
    assert pages > 3
    assert exported == before


def test_an_export_that_starts_at_the_end_of_another_has_the_rest(
    exports: Exports, service: Environment, tables: Tables
) -> None:
    keep_busy(exports.shop, service, 10)
    *_, last = exports.pages()
    end = last.answer()["created_to"]
    first = exports.hashes(created_to=end)
    keep_busy(exports.shop, service, 10)
    assert first + exports.hashes(created_from=end) == in_order(tables.rows())
    assert len(first) == 10


def test_a_business_without_adjustments_exports_nothing_and_an_unknown_one_is_refused(
    exports: Exports, tables: Tables
) -> None:
    assert exports.hashes() == []
    exports.shop = Shop(tables)
    with pytest.raises(BusinessNotFound):
        exports.hashes()
