"""The stand-in for DynamoDB: its conditions, its cancellations and its bill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks.baselines import work
from tests.benchmarks.baselines.work import Stock
from tests.benchmarks.environments import stock_item
from tests.benchmarks.subjects import SEEDED, variant
from tests.benchmarks.tables import INVENTORY_TABLE, LEDGER_TABLE, Tables
from tests.support.builders.ids import BUSINESS, LOCATION, SUBJECT, VARIANT


@pytest.fixture
def tables() -> Tables:
    made = Tables()
    made.put(INVENTORY_TABLE, stock_item())
    return made


def transaction(monkeypatch: pytest.MonkeyPatch, *, key: str = "key", sequence: int = SEEDED.sequence) -> Any:
    """One more of the variant, decided from a stock item with this sequence."""
    monkeypatch.setattr(work, "known", work.Known())
    business, location = str(BUSINESS), str(LOCATION)
    work.known.default_location[business] = location
    work.known.active |= {(business, str(VARIANT)), (business, location)}
    work.known.stock[business, str(VARIANT), location] = Stock(
        SEEDED.quantity, sequence, SEEDED.updated_at, SEEDED.head_hash
    )
    row, seen = work.new_row(work.Request(business, SUBJECT, key, str(VARIANT), 1, "restock", None, None, None, None))
    return {"TransactItems": work.typed_parts(row, seen)}


def send(tables: Tables, operation: str, request: Any) -> tuple[int, Any]:
    status, body = tables.answer(operation, json.dumps(request).encode())
    return status, json.loads(body)


def test_a_transaction_is_applied_as_a_whole_and_billed_with_the_indexes(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, reply = send(tables, "TransactWriteItems", transaction(monkeypatch))
    assert status == 200
    assert [each["TableName"] for each in reply["ConsumedCapacity"]] == [INVENTORY_TABLE, LEDGER_TABLE]
    assert tables.ledger[0]["sequence"] == {"N": "1000001"}
    assert (tables.bill.stock_units, tables.bill.units) == (2, 6)


def test_a_moved_stock_item_cancels_the_transaction_and_is_returned(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(tables.items)
    status, reply = send(tables, "TransactWriteItems", transaction(monkeypatch, sequence=SEEDED.sequence - 1))
    assert status == 400
    assert reply["__type"].endswith("#TransactionCanceledException")
    assert reply["CancellationReasons"] == [
        {"Code": "ConditionalCheckFailed", "Item": stock_item()},
        {"Code": "None"},
    ]
    assert (tables.items, tables.ledger) == (before, [])
    assert tables.bill.units == 4


def test_an_existing_row_is_returned_with_the_stock_item_that_it_moved(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(tables, "TransactWriteItems", transaction(monkeypatch))
    _, reply = send(tables, "TransactWriteItems", transaction(monkeypatch))
    stock, row = reply["CancellationReasons"]
    assert stock["Item"]["sequence"] == {"N": "1000001"}
    assert row["Item"] == tables.ledger[0]


def test_a_first_commit_requires_that_the_stock_item_is_absent(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _ = send(tables, "TransactWriteItems", transaction(monkeypatch, sequence=0))
    assert status == 400
    assert send(Tables(), "TransactWriteItems", transaction(monkeypatch, sequence=0))[0] == 200


def test_reads_in_a_transaction_keep_their_order_and_cost_twice(tables: Tables) -> None:
    def get(variant_id: object) -> dict[str, Any]:
        key = {"pk": {"S": f"STOCK#{BUSINESS}#{variant_id}"}, "sk": {"S": str(LOCATION)}}
        return {"Get": {"TableName": INVENTORY_TABLE, "Key": key}}

    _, reply = send(tables, "TransactGetItems", {"TransactItems": [get(variant(1)), get(VARIANT)]})
    assert reply["Responses"] == [{}, {"Item": stock_item()}]
    assert tables.bill.read_units == 4


def test_an_operation_that_the_service_never_uses_is_an_error(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    request = transaction(monkeypatch)
    request["TransactItems"][1]["Put"]["ConditionExpression"] = "attribute_not_exists(sk)"
    with pytest.raises(AssertionError, match="not a condition"):
        send(tables, "TransactWriteItems", request)
    with pytest.raises(AssertionError, match="Scan"):
        send(tables, "Scan", {})
