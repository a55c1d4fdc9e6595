"""What an audit asks of its tables: strongly consistent reads of whole segments, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inventory.aws.clients import dynamodb_client
from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import Segment
from inventory.storage.table_scan import DynamoDBAuditTables, TablePage
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import Wire, broken, fault, reply

if TYPE_CHECKING:
    from inventory.storage.items import Item
    from tests.support.faults.wire import Reply

READ = {"ConsumedCapacity": {"TableName": "a-table", "CapacityUnits": 1.0}}
SECOND = Segment(1, 3)
STOCK_ITEM: Item = {"pk": {"S": "STOCK#1"}, "sk": {"S": "2"}}
ROW: Item = {"pk": {"S": "1#2"}}


@pytest.fixture
def client() -> Any:
    return dynamodb_client(None)


@pytest.fixture
def tables(client: Any) -> DynamoDBAuditTables:
    return DynamoDBAuditTables(client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE, page_items=7)


def test_a_segment_is_scanned_strongly_consistent_from_its_beginning(client: Any, tables: DynamoDBAuditTables) -> None:
    """A scan that lags behind would call a new row missing, and an audit would raise an alarm for nothing."""
    scans = Wire(client, "Scan", reply({"Items": [STOCK_ITEM], **READ}))

    pages = [tables.inventory_page(SECOND, None), tables.ledger_page(SECOND, None)]

    request = {
        "ConsistentRead": True,
        "Limit": 7,
        "ReturnConsumedCapacity": "TOTAL",
        "Segment": 1,
        "TotalSegments": 3,
    }
    assert scans.sent == [{"TableName": INVENTORY_TABLE} | request, {"TableName": LEDGER_TABLE} | request]
    assert pages == [TablePage([STOCK_ITEM], None)] * 2


def test_a_page_names_the_key_from_which_the_next_one_starts(client: Any, tables: DynamoDBAuditTables) -> None:
    scans = Wire(
        client,
        "Scan",
        reply({"Items": [], "LastEvaluatedKey": STOCK_ITEM, **READ}),
        reply({"Items": [], "LastEvaluatedKey": ROW, **READ}),
        reply({"Items": [], **READ}),
    )

    in_inventory, in_ledger = tables.inventory_page(SECOND, None), tables.ledger_page(SECOND, None)
    tables.inventory_page(SECOND, in_inventory.next_start)
    tables.ledger_page(SECOND, in_ledger.next_start)

    assert (in_inventory, in_ledger) == (TablePage([], ("STOCK#1", "2")), TablePage([], ("1#2",)))
    assert [sent.get("ExclusiveStartKey") for sent in scans.sent] == [None, None, STOCK_ITEM, ROW]


def test_items_are_read_by_key_from_their_table_strongly_consistent(client: Any, tables: DynamoDBAuditTables) -> None:
    gets = Wire(
        client,
        "BatchGetItem",
        reply({"Responses": {INVENTORY_TABLE: [STOCK_ITEM]}, "UnprocessedKeys": {}}),
        reply({"Responses": {LEDGER_TABLE: [ROW]}, "UnprocessedKeys": {}}),
    )

    assert tables.inventory_items([("STOCK#1", "2"), ("STOCK#1", "3")]) == [STOCK_ITEM]
    assert tables.ledger_items([("1#2",)]) == [ROW]

    wanted = {"Keys": [STOCK_ITEM, {**STOCK_ITEM, "sk": {"S": "3"}}], "ConsistentRead": True}
    assert [sent["RequestItems"] for sent in gets.sent] == [
        {INVENTORY_TABLE: wanted},
        {LEDGER_TABLE: {"Keys": [ROW], "ConsistentRead": True}},
    ]


@pytest.mark.parametrize(
    "met",
    [broken(), fault("ProvisionedThroughputExceededException"), reply({"Items": []})],
    ids=["cut", "slow", "half"],
)
def test_a_scan_without_a_complete_answer_is_unavailable(client: Any, tables: DynamoDBAuditTables, met: Reply) -> None:
    Wire(client, "Scan", met)

    with pytest.raises(StoreUnavailable):
        tables.ledger_page(SECOND, None)
