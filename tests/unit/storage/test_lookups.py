"""What is read by key and from the indexes: the shape of each request, and what a reply that is not whole means."""

from __future__ import annotations

from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.aws.clients import dynamodb_client
from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import stock_after
from inventory.storage.items import ledger_item, stock_item_of
from inventory.storage.keys import ledger_business
from inventory.storage.ledger_index import DynamoDBLedgerIndex, IndexQuery, business_partitions, stock_item_partition
from inventory.storage.lookups import Lookups
from tests.support.builders import ids
from tests.support.builders.domain import an_adjustment
from tests.support.fakes.queries import QueriedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken, fault, reply

if TYPE_CHECKING:
    from collections.abc import Callable

REVERSAL = UUID(int=99)
CAPACITY = {"ConsumedCapacity": {"CapacityUnits": 0.5}}
BUDGET = RetryBudget(lambda: 10, sleep=lambda _: None)


class Library:
    """Look-ups and index on tables in memory."""

    def __init__(self) -> None:
        client = dynamodb_client(None)
        self.tables = QueriedTables(client)
        self.lookups = Lookups(client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE)
        self.index = DynamoDBLedgerIndex(client, LEDGER_TABLE)

    def sent(self, operation: str) -> Any:
        """The one request of this operation."""
        (request,) = self.tables.requests[operation]
        return request


@pytest.fixture
def library() -> Library:
    return Library()


READS: dict[str, Callable[[Library], object]] = {
    "adjustment": lambda it: it.lookups.adjustment(ids.BUSINESS, ids.ADJUSTMENT),
    "reversals": lambda it: it.lookups.reversals(ids.BUSINESS, [an_adjustment()]),
    "ledger_row": lambda it: it.lookups.ledger_row(ids.BUSINESS, ids.ADJUSTMENT),
    "stock_item": lambda it: it.lookups.stock_item(ids.BUSINESS, ids.VARIANT, ids.LOCATION),
    "stock_items": lambda it: it.lookups.stock_items(ids.BUSINESS, ids.VARIANT),
    "active": lambda it: it.lookups.active(ids.BUSINESS, ids.VARIANT, ids.LOCATION),
    "page": lambda it: it.index.page(IndexQuery(stock_item_partition(ids.BUSINESS, ids.VARIANT, ids.LOCATION))),
}
QUERIES = {"stock_items", "page"}
each_read = pytest.mark.parametrize("name", READS)


def operation_of(name: str) -> str:
    return "Query" if name in QUERIES else "BatchGetItem"


# --- by key ----------------------------------------------------------------------------------------------------------


def test_an_adjustment_and_its_reversal_are_read_at_once_and_consistently(library: Library) -> None:
    library.tables.with_history(an_adjustment())
    library.tables.with_link(ids.ADJUSTMENT, REVERSAL)

    assert library.lookups.adjustment(ids.BUSINESS, ids.ADJUSTMENT) == (an_adjustment(), REVERSAL)
    assert library.sent("BatchGetItem") == {
        "RequestItems": {
            LEDGER_TABLE: {"Keys": [{"pk": {"S": f"{ids.BUSINESS}#{ids.ADJUSTMENT}"}}], "ConsistentRead": True},
            INVENTORY_TABLE: {
                "Keys": [{"pk": {"S": f"REVERSAL#{ids.BUSINESS}#{ids.ADJUSTMENT}"}, "sk": {"S": "REVERSAL"}}],
                "ConsistentRead": True,
            },
        }
    }


def test_an_adjustment_that_was_not_reversed_has_no_reversal(library: Library) -> None:
    library.tables.with_history(an_adjustment())

    assert library.lookups.adjustment(ids.BUSINESS, ids.ADJUSTMENT) == (an_adjustment(), None)


def test_a_link_without_its_adjustment_is_not_found(library: Library) -> None:
    library.tables.with_link(ids.ADJUSTMENT, REVERSAL)

    assert library.lookups.adjustment(ids.BUSINESS, ids.ADJUSTMENT) is None


def test_the_reversals_of_a_whole_page_are_read_at_once(library: Library) -> None:
    reversed_ids = [UUID(int=number) for number in range(100)]
    library.tables.with_link(reversed_ids[7], REVERSAL)
    library.tables.with_link(reversed_ids[8], REVERSAL, business_id=ids.OTHER_BUSINESS)

    rows = [an_adjustment(id=each) for each in reversed_ids]
    assert library.lookups.reversals(ids.BUSINESS, rows) == {reversed_ids[7]: REVERSAL}
    (wanted,) = library.sent("BatchGetItem")["RequestItems"].values()
    assert (len(wanted["Keys"]), wanted["ConsistentRead"]) == (100, True)


def test_the_reversals_of_nothing_cost_no_read(library: Library) -> None:
    assert library.lookups.reversals(ids.BUSINESS, []) == {}
    assert library.tables.requests == {}


def test_a_stock_item_is_found_or_absent(library: Library) -> None:
    library.tables.with_history(an_adjustment())

    found = library.lookups.stock_item(ids.BUSINESS, ids.VARIANT, ids.LOCATION)
    assert found is not None
    assert stock_item_of(found) == stock_after(an_adjustment())
    assert library.lookups.stock_item(ids.BUSINESS, ids.VARIANT, ids.OTHER_LOCATION) is None
    assert library.lookups.stock_item(ids.OTHER_BUSINESS, ids.VARIANT, ids.LOCATION) is None


def test_a_ledger_row_is_read_as_it_is_stored_and_consistently(library: Library) -> None:
    library.tables.with_history(an_adjustment())

    assert library.lookups.ledger_row(ids.BUSINESS, ids.ADJUSTMENT) == ledger_item(an_adjustment())
    (wanted,) = library.sent("BatchGetItem")["RequestItems"].items()
    assert wanted == (
        LEDGER_TABLE,
        {"Keys": [{"pk": {"S": f"{ids.BUSINESS}#{ids.ADJUSTMENT}"}}], "ConsistentRead": True},
    )
    assert library.lookups.ledger_row(ids.OTHER_BUSINESS, ids.ADJUSTMENT) is None


@pytest.mark.parametrize("found", [(True, True), (True, False), (False, True), (False, False)])
def test_variant_and_location_are_active_or_not(library: Library, found: tuple[bool, bool]) -> None:
    library.tables.with_variant(active=found[0])
    library.tables.with_location(active=found[1])

    assert library.lookups.active(ids.BUSINESS, ids.VARIANT, ids.LOCATION) == found


def test_an_unknown_variant_or_location_is_not_active(library: Library) -> None:
    assert library.lookups.active(ids.BUSINESS, ids.VARIANT, ids.LOCATION) == (False, False)


@pytest.mark.parametrize("active", [True, False])
def test_without_a_location_the_location_counts_as_active(library: Library, active: bool) -> None:  # noqa: FBT001
    library.tables.with_variant(active=active)

    assert library.lookups.active(ids.BUSINESS, ids.VARIANT, None) == (active, True)
    assert len(library.tables.requests["BatchGetItem"][0]["RequestItems"][INVENTORY_TABLE]["Keys"]) == 1


# --- stock items -----------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(library: Library) -> Library:
    """A variant at five locations, and another variant."""
    for number in range(5):
        library.tables.with_history(an_adjustment(id=UUID(int=number), location_id=UUID(int=number)))
    library.tables.with_history(an_adjustment(variant_id=ids.OTHER_VARIANT))
    return library


def test_stock_items_are_read_consistently_in_the_order_of_locations(stocked: Library) -> None:
    page = stocked.lookups.stock_items(ids.BUSINESS, ids.VARIANT)

    assert [location_id.int for location_id, _ in page.stock_items] == [0, 1, 2, 3, 4]
    assert page.stock_items[3][1] == stock_after(an_adjustment(id=UUID(int=3), location_id=UUID(int=3)))
    assert page.next_after is None
    assert stocked.sent("Query") == {
        "TableName": INVENTORY_TABLE,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": f"STOCK#{ids.BUSINESS}#{ids.VARIANT}"}},
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_a_page_of_stock_items_begins_after_a_location_and_says_whether_others_may_follow(stocked: Library) -> None:
    page = stocked.lookups.stock_items(ids.BUSINESS, ids.VARIANT, after=UUID(int=1), limit=2)

    assert ([location_id.int for location_id, _ in page.stock_items], page.next_after) == ([2, 3], UUID(int=3))
    request = stocked.sent("Query")
    assert (request["Limit"], request["ExclusiveStartKey"]) == (
        2,
        {"pk": {"S": f"STOCK#{ids.BUSINESS}#{ids.VARIANT}"}, "sk": {"S": str(UUID(int=1))}},
    )


def test_all_stock_items_of_a_variant_are_read_however_many_pages_they_are(stocked: Library) -> None:
    """A page ends at 1 MB, wherever that is."""
    first, second = (
        {"Items": [item], "LastEvaluatedKey": {"pk": item["pk"], "sk": item["sk"]}, **CAPACITY}
        for item in list(stocked.tables.items.values())[1:4:2]
    )
    stocked.tables.meets("Query", reply(first), broken(), reply(second), None)

    found = [
        location_id.int for location_id, _ in stocked.lookups.of_variant(ids.BUSINESS, ids.VARIANT, BUDGET, limit=9)
    ]

    assert found == [0, 1, 2, 3, 4]
    starts = [each.get("ExclusiveStartKey", {}).get("sk", {}).get("S") for each in stocked.tables.requests["Query"]]
    assert starts == [None, str(UUID(int=0)), str(UUID(int=0)), str(UUID(int=1))]


def test_a_page_ends_before_an_unreadable_stock_item_and_names_the_location_before_it(stocked: Library) -> None:
    readable = list(stocked.tables.items.values())[1:4:2]
    stocked.tables.meets("Query", reply({"Items": [*readable, readable[0] | {"quantity": {"S": "?"}}], **CAPACITY}))

    page = stocked.lookups.stock_items(ids.BUSINESS, ids.VARIANT)

    assert ([location_id.int for location_id, _ in page.stock_items], page.next_after) == ([0, 1], UUID(int=1))


def test_a_page_without_any_stock_item_may_have_a_next_one(stocked: Library) -> None:
    last = {"pk": {"S": f"STOCK#{ids.BUSINESS}#{ids.VARIANT}"}, "sk": {"S": str(UUID(int=1))}}
    stocked.tables.meets("Query", reply({"Items": [], "LastEvaluatedKey": last, **CAPACITY}), None)

    found = [
        location_id.int for location_id, _ in stocked.lookups.of_variant(ids.BUSINESS, ids.VARIANT, BUDGET, limit=9)
    ]

    assert found == [2, 3, 4]


def test_a_variant_that_was_never_adjusted_has_no_stock_items(library: Library) -> None:
    assert library.lookups.stock_items(ids.BUSINESS, ids.VARIANT).stock_items == []
    assert library.lookups.of_variant(ids.BUSINESS, ids.VARIANT, BUDGET, limit=9) == []


# --- the indexes -----------------------------------------------------------------------------------------------------


def test_a_page_of_an_index_is_one_query_between_two_sort_keys(library: Library) -> None:
    row = an_adjustment()
    library.tables.with_history(row)

    page = library.index.page(IndexQuery(stock_item_partition(ids.BUSINESS, ids.VARIANT, ids.LOCATION)))

    assert (page.rows(), page.next_start) == ([row], None)
    assert library.sent("Query") == {
        "TableName": LEDGER_TABLE,
        "IndexName": "by_stock_item",
        "KeyConditionExpression": "#key = :key AND #sort BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#key": "stock_item", "#sort": "created_at"},
        "ExpressionAttributeValues": {
            ":key": {"S": f"{ids.BUSINESS}#{ids.VARIANT}#{ids.LOCATION}"},
            ":first": {"S": "0"},
            ":last": {"S": ":"},
        },
        "ScanIndexForward": True,
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_a_page_may_be_limited_turned_round_and_gone_on_with(library: Library) -> None:
    rows = [an_adjustment(id=UUID(int=each), created_at=ids.NOW + timedelta(seconds=each)) for each in range(4)]
    library.tables.with_history(*rows)
    partition = next(
        each for each in business_partitions(ids.BUSINESS) if each.key == ledger_business(ids.BUSINESS, ids.VARIANT)
    )

    query = IndexQuery(partition, newest_first=True, limit=2)
    first = library.index.page(query)
    second = library.index.page(replace(query, start=first.next_start))
    third = library.index.page(replace(query, start=second.next_start))

    assert (first.rows(), second.rows(), third.rows()) == (rows[:1:-1], rows[1::-1], [])
    assert third.next_start is None
    request = library.tables.requests["Query"][1]
    assert (request["IndexName"], request["ScanIndexForward"], request["Limit"]) == ("by_business", False, 2)
    assert request["ExpressionAttributeNames"] == {"#key": "business_shard", "#sort": "created_at_id"}
    assert request["ExclusiveStartKey"] == first.next_start


def test_both_bounds_of_a_page_are_inclusive(library: Library) -> None:
    rows = [an_adjustment(id=UUID(int=each), created_at=ids.NOW.replace(microsecond=each)) for each in range(4)]
    library.tables.with_history(*rows)

    page = library.index.page(
        IndexQuery(
            stock_item_partition(ids.BUSINESS, ids.VARIANT, ids.LOCATION),
            first="2026-11-23T14:05:09.000001Z",
            last="2026-11-23T14:05:09.000002Z",
        )
    )

    assert page.rows() == rows[1:3]


def test_bounds_that_hold_nothing_cost_no_read_as_dynamodb_would_refuse_them(library: Library) -> None:
    page = library.index.page(
        IndexQuery(stock_item_partition(ids.BUSINESS, ids.VARIANT, ids.LOCATION), first="2", last="1")
    )

    assert (page.items, page.next_start) == ([], None)
    assert library.tables.requests == {}


def test_every_row_of_a_business_is_in_one_of_its_partitions() -> None:
    partitions = business_partitions(ids.BUSINESS)

    assert len({each.key for each in partitions}) == len(partitions) == 8
    assert {ledger_business(ids.BUSINESS, UUID(int=each)) for each in range(200)} == {each.key for each in partitions}


# --- replies that are not whole --------------------------------------------------------------------------------------


@each_read
@pytest.mark.parametrize(
    "met",
    [
        fault("ThrottlingException"),
        fault("ProvisionedThroughputExceededException"),
        fault("RequestLimitExceeded"),
        fault("InternalServerError", 500),
        broken(),
        reply({}),
        reply({"Items": []}),
    ],
    ids=["throttled", "over capacity", "too many", "failed", "cut off", "torn", "not all of it"],
)
def test_a_transient_error_is_unavailable_and_is_not_retried_here(library: Library, name: str, met: Any) -> None:
    library.tables.meets(operation_of(name), met)

    with pytest.raises(StoreUnavailable):
        READS[name](library)
    assert len(library.tables.requests[operation_of(name)]) == 1


@pytest.mark.parametrize("name", sorted(READS.keys() - QUERIES))
def test_throttled_keys_that_come_back_unread_are_not_taken_for_absent(library: Library, name: str) -> None:
    unread = {INVENTORY_TABLE: {"Keys": [{"pk": {"S": "x"}, "sk": {"S": "y"}}]}}
    library.tables.meets("BatchGetItem", reply({"Responses": {}, "UnprocessedKeys": unread}))

    with pytest.raises(StoreUnavailable):
        READS[name](library)


@each_read
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_a_bug_of_ours_is_raised_as_it_is(library: Library, name: str, code: str) -> None:
    library.tables.meets(operation_of(name), fault(code))

    with pytest.raises(ClientError):
        READS[name](library)
