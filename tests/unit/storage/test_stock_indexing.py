"""Stock items from before their index: what is written, what a cancelled transaction means, and what can't be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.aws.clients import dynamodb_client
from inventory.domain.errors import InvalidCursor, StoreUnavailable
from inventory.domain.model import StockItemId
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, RetryBudget
from inventory.entrypoints.stock_indexing import indexed_page
from inventory.storage import cursors, keys
from inventory.storage.items import key_attributes
from inventory.storage.stock_indexing import StockIndexing
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.faults.wire import Wire, broken, cancelled, reply

if TYPE_CHECKING:
    from tests.support.faults.wire import Reply

CAPACITY = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}
WRITTEN = reply({"ConsumedCapacity": [CAPACITY["ConsumedCapacity"]]})
FIRST = StockItemId(BUSINESS, VARIANT, LOCATION)
SECOND = StockItemId(BUSINESS, VARIANT, UUID(int=9))


class Table:
    """A table's answers to Scan and TransactWriteItems, one after another, the last one for ever."""

    def __init__(self, scans: list[Reply], writes: list[Reply]) -> None:
        client = dynamodb_client(None)
        self.scanned, self.written = Wire(client, "Scan", *scans), Wire(client, "TransactWriteItems", *writes)
        self.indexing = StockIndexing(client, "inventory")
        self.budget = RetryBudget(lambda: 10, sleep=lambda _: None)


def found(*stock_item_ids: StockItemId, last: tuple[str, ...] | None = None, **others: Any) -> Reply:
    items = [key_attributes(keys.stock_item_key(*each)) for each in stock_item_ids] + others.get("items", [])
    following = {} if last is None else {"LastEvaluatedKey": key_attributes(last)}
    return reply({"Items": items, **CAPACITY, **following})


def test_only_the_two_attributes_are_set_and_only_where_they_are_absent() -> None:
    table = Table([found(FIRST)], [WRITTEN])

    assert table.indexing.page(None, table.budget) == (1, 0, None)

    ((part,),) = [each["TransactItems"] for each in table.written.sent]
    assert part["Update"] == {
        "TableName": "inventory",
        "Key": key_attributes(keys.stock_item_key(*FIRST)),
        "UpdateExpression": "SET business_shard = :business_shard, location_variant = :location_variant",
        "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(business_shard)",
        "ExpressionAttributeValues": {
            ":business_shard": {"S": keys.stock_by_business(BUSINESS, VARIANT)},
            ":location_variant": {"S": f"{LOCATION}#{VARIANT}"},
        },
    }


def test_a_page_goes_on_after_the_last_item_that_was_looked_at() -> None:
    last = ("STOCK#x", "y")
    table = Table([found(last=last)], [WRITTEN])

    page = table.indexing.page(("BUSINESS#1", "SETTINGS"), table.budget)

    assert page == (0, 0, last)
    assert table.scanned.sent[0]["ExclusiveStartKey"] == key_attributes(("BUSINESS#1", "SETTINGS"))
    assert table.written.sent == []


def test_what_another_run_has_put_is_left_out_and_the_rest_is_put() -> None:
    table = Table([found(FIRST, SECOND)], [cancelled("ConditionalCheckFailed", "None"), WRITTEN])

    table.indexing.page(None, table.budget)

    assert [len(each["TransactItems"]) for each in table.written.sent] == [2, 1]
    assert table.written.sent[1]["TransactItems"][0]["Update"]["Key"]["sk"] == {"S": str(SECOND.location_id)}


def test_conflicts_with_adjustments_are_repeated() -> None:
    table = Table([found(FIRST, SECOND)], [cancelled("None", "TransactionConflict"), broken(), WRITTEN])

    assert table.indexing.page(None, table.budget).indexed == 2
    assert len(table.written.sent) == 3


def test_what_does_not_pass_is_unavailable_and_may_be_repeated() -> None:
    table = Table([found(FIRST)], [cancelled("TransactionConflict")])

    with pytest.raises(StoreUnavailable):
        table.indexing.page(None, table.budget)
    assert len(table.written.sent) == CALL_ATTEMPTS_MAX


@pytest.mark.parametrize("codes", [("ValidationError",), (), ("None", "TransactionConflict")])
def test_an_unknown_reason_is_a_fault(codes: tuple[str, ...]) -> None:
    table = Table([found(FIRST)], [cancelled(*codes)])

    with pytest.raises(ClientError):
        table.indexing.page(None, table.budget)


@pytest.mark.parametrize("pk", ["STOCK#x#y", f"STOCK#{BUSINESS}", f"STOCK#{str(BUSINESS).upper()}#{VARIANT}"])
def test_keys_that_the_service_did_not_write_are_counted_and_left(pk: str) -> None:
    table = Table([found(FIRST, items=[key_attributes((pk, str(LOCATION)))])], [WRITTEN])

    assert table.indexing.page(None, table.budget) == (1, 1, None)


def test_the_command_gives_a_cursor_that_goes_on() -> None:
    last = keys.stock_item_key(*FIRST)
    table = Table([found(last=last)], [WRITTEN])
    first = indexed_page(table.indexing, None, table.budget)
    second = indexed_page(table.indexing, str(first["next_cursor"]), table.budget)

    assert table.scanned.sent[1]["ExclusiveStartKey"] == key_attributes(last)
    assert {*first} == {*second} == {"indexed", "unreadable", "next_cursor"}


@pytest.mark.parametrize("cursor", ["x", cursors.cursor("a|b", {"command": "another"})])
def test_a_cursor_that_was_never_issued_is_refused(cursor: str) -> None:
    table = Table([found()], [WRITTEN])

    with pytest.raises(InvalidCursor):
        indexed_page(table.indexing, cursor, table.budget)
    assert table.scanned.sent == []
