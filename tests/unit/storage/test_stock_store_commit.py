"""The one transaction: exactly what is sent, and what each answer to it means."""

from __future__ import annotations

from copy import replace
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import ReversalLink
from inventory.domain.store import CommitResult, Committed, Contended
from inventory.storage.items import ledger_item
from tests.support.builders.domain import a_snapshot, a_stock_item, an_adjustment
from tests.support.builders.ids import BUSINESS, HEAD_HASH
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, stock_members
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment, Snapshot, StockItem
    from tests.support.faults.wire import Reply

ROW = an_adjustment(
    delta=-3, sequence=42, quantity_after=7, reason_code="damage", previous_hash=HEAD_HASH, location_defaulted=False
)
REVERSED_ID = UUID("11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee")
REVERSING = replace(ROW, kind="reversal", reverses=REVERSED_ID)
SEEN = a_stock_item(10)
SNAPSHOT = a_snapshot(stock=SEEN)
MOVED = a_stock_item(3, sequence=43)
RECORDED = an_adjustment(reason="recorded before", reference="count 7", expected_quantity=-4)

STOCK_ITEM = {"pk": {"S": "x"}, "sk": {"S": "y"}} | stock_members(MOVED)
LEDGER_ITEM = ledger_item(RECORDED)
OTHER_REVERSAL = UUID("22222222-bbbb-4ccc-8ddd-eeeeeeeeeeee")
LINK = {"pk": {"S": "x"}, "sk": {"S": "y"}, "reversal_id": {"S": str(OTHER_REVERSAL)}}

FINE = {"Code": "None"}
CONFLICT = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
THROTTLED = {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity"}
OVER_CAPACITY = {"Code": "ProvisionedThroughputExceeded", "Message": "The level of configured throughput was exceeded"}
FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
NO_CODE: dict[str, Any] = {}
PASSING = [CONFLICT, THROTTLED, OVER_CAPACITY]
NOT_UNDERSTOOD = [
    {"Code": "ValidationError", "Message": "One or more parameter values were invalid"},
    {"Code": "ItemCollectionSizeLimitExceeded"},
    {"Code": "DuplicateItem"},
    {"Code": "SomethingNew"},
    NO_CODE,
]
EVERY_REASON = [FINE, *PASSING, FAILED, *NOT_UNDERSTOOD]


def link_of(*rows: Adjustment) -> ReversalLink | None:
    """The link of the row among them that reverses another one."""
    return next((ReversalLink(row.reverses, row.id) for row in rows if row.reverses is not None), None)


def transaction_cancelled(*reasons: dict[str, Any]) -> Reply:
    return fault("TransactionCanceledException", CancellationReasons=list(reasons))


def committed_on(met: Reply, row: Adjustment = ROW) -> CommitResult:
    tables = StoreOnTables()
    tables.tables.meets("TransactWriteItems", met)
    return tables.store.commit([row], SNAPSHOT, link_of(row))


def recorded(**also: Any) -> Snapshot:
    """What was decided from, with the row that is there."""
    return a_snapshot(recorded={RECORDED.id: RECORDED}, **also)


def stock_returned_by(reason: dict[str, Any]) -> StockItem:
    return MOVED if "Item" in reason else SEEN


def named(reason: dict[str, Any]) -> str:
    return str(reason.get("Code", "no code")) + (" with item" if "Item" in reason else "")


# --- what is sent ----------------------------------------------------------------------------------------------------


def sent(*rows: Adjustment, seen: StockItem | None = SEEN) -> dict[str, Any]:
    tables = StoreOnTables()
    if seen is not None:
        tables.tables.with_stock(seen)
    assert isinstance(tables.store.commit(rows, a_snapshot(stock=seen), link_of(*rows)), Committed)
    (request,) = tables.tables.requests["TransactWriteItems"]
    return dict(request)


def test_the_transaction_guards_the_stock_item_by_its_sequence_quantity_and_hash_and_the_row_by_its_absence() -> None:
    assert sent(ROW) == {
        "TransactItems": [
            {
                "Update": {
                    "TableName": INVENTORY_TABLE,
                    "Key": {
                        "pk": {"S": "STOCK#6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01#3fa85f64-5717-4562-b3fc-2c963f66afa6"},
                        "sk": {"S": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
                    },
                    "ConditionExpression": "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash",
                    "UpdateExpression": (
                        "SET quantity = :quantity, #sequence = :sequence, "
                        "updated_at = :updated_at, head_hash = :head_hash"
                    ),
                    "ExpressionAttributeNames": {"#sequence": "sequence"},
                    "ExpressionAttributeValues": {
                        ":quantity": {"N": "7"},
                        ":sequence": {"N": "42"},
                        ":updated_at": {"S": "2026-11-23T14:05:09.123456Z"},
                        ":head_hash": {"S": ROW.hash},
                        ":seen": {"N": "41"},
                        ":seen_quantity": {"N": str(SEEN.quantity)},
                        ":seen_hash": {"S": SEEN.head_hash},
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Put": {
                    "TableName": LEDGER_TABLE,
                    "Item": {
                        "pk": {"S": "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01#aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
                        "stock_item": {
                            "S": (
                                "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01#3fa85f64-5717-4562-b3fc-2c963f66afa6"
                                "#7c9e6679-7425-40de-944b-e07fc1f90ae7"
                            )
                        },
                        "business_shard": {"S": "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01#5"},
                        "created_at_id": {"S": "2026-11-23T14:05:09.123456Z#aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
                        "id": {"S": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
                        "business_id": {"S": "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01"},
                        "variant_id": {"S": "3fa85f64-5717-4562-b3fc-2c963f66afa6"},
                        "location_id": {"S": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
                        "delta": {"N": "-3"},
                        "reason": {"S": "restock"},
                        "reason_code": {"S": "damage"},
                        "location_defaulted": {"BOOL": False},
                        "sequence": {"N": "42"},
                        "quantity_after": {"N": "7"},
                        "created_at": {"S": "2026-11-23T14:05:09.123456Z"},
                        "created_by": {"S": "till 4"},
                        "previous_hash": {"S": HEAD_HASH},
                        "form": {"N": "2"},
                        "hash": {"S": ROW.hash},
                    },
                    "ConditionExpression": "attribute_not_exists(pk)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
        ],
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_the_first_row_of_a_stock_item_is_guarded_by_the_items_absence() -> None:
    update = sent(an_adjustment(), seen=None)["TransactItems"][0]["Update"]

    assert update["ConditionExpression"] == "attribute_not_exists(pk)"
    assert ":seen" not in update["ExpressionAttributeValues"]


def test_a_reversal_also_puts_the_link_from_what_it_reverses_on_condition_that_there_is_none() -> None:
    update, put, link = sent(REVERSING)["TransactItems"]

    assert link == {
        "Put": {
            "TableName": INVENTORY_TABLE,
            "Item": {
                "pk": {"S": "REVERSAL#6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01#11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
                "sk": {"S": "REVERSAL"},
                "reversal_id": {"S": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
            },
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
    assert put["Put"]["Item"].pop("reverses") == {"S": "11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee"}
    assert [update, put] == sent(ROW)["TransactItems"]


# --- reasons for a cancelled transaction, by position ---------------------------------------------------------------


@pytest.mark.parametrize("stock", [*EVERY_REASON, FAILED | {"Item": STOCK_ITEM}], ids=named)
def test_an_existing_row_is_returned_with_any_state_of_the_stock(stock: dict[str, Any]) -> None:
    result = committed_on(transaction_cancelled(stock, FAILED | {"Item": LEDGER_ITEM}))

    assert result == recorded(stock=stock_returned_by(stock))


@pytest.mark.parametrize("ledger", [FINE, *PASSING, FAILED], ids=named)
def test_a_cancelled_commit_returns_the_moved_stock(ledger: dict[str, Any]) -> None:
    result = committed_on(transaction_cancelled(FAILED | {"Item": STOCK_ITEM}, ledger))

    assert result == a_snapshot(stock=MOVED)


@pytest.mark.parametrize("seen", [{"cached": True}, {"transactional": True}], ids=str)
def test_the_items_of_a_cancellation_are_current_but_not_transactional(seen: dict[str, Any]) -> None:
    """Cached state would reject nothing, and a transactional read would not look for the row again."""
    tables = StoreOnTables()
    tables.tables.meets("TransactWriteItems", transaction_cancelled(FAILED | {"Item": STOCK_ITEM}, FINE))

    assert tables.store.commit([ROW], replace(SNAPSHOT, **seen)) == a_snapshot(stock=MOVED)


PASSING_PAIRS = [
    pair for pair in product([FINE, *PASSING, FAILED], repeat=2) if any(reason is not FINE for reason in pair)
]


@pytest.mark.parametrize(("stock", "ledger"), PASSING_PAIRS, ids=[f"{named(a)}, {named(b)}" for a, b in PASSING_PAIRS])
def test_conflicts_throttling_and_failed_conditions_without_their_item_are_contention(
    stock: dict[str, Any], ledger: dict[str, Any]
) -> None:
    assert isinstance(committed_on(transaction_cancelled(stock, ledger)), Contended)


UNKNOWN_PAIRS = [
    pair
    for pair in product([FINE, *PASSING, FAILED, *NOT_UNDERSTOOD], repeat=2)
    if any(reason in NOT_UNDERSTOOD for reason in pair) or pair == (FINE, FINE)
]


@pytest.mark.parametrize(("stock", "ledger"), UNKNOWN_PAIRS, ids=[f"{named(a)}, {named(b)}" for a, b in UNKNOWN_PAIRS])
def test_an_unknown_reason_is_raised(stock: dict[str, Any], ledger: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(transaction_cancelled(stock, ledger))


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_reasons_that_do_not_fit_the_transaction_are_raised(count: int) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(transaction_cancelled(*[CONFLICT] * count))


def test_a_cancellation_without_reasons_is_raised() -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(fault("TransactionCanceledException"))


def test_an_item_at_a_position_whose_condition_held_is_ignored() -> None:
    met = transaction_cancelled(FINE | {"Item": STOCK_ITEM}, CONFLICT | {"Item": LEDGER_ITEM})

    assert isinstance(committed_on(met), Contended)


# --- of a reversal, which has three parts ----------------------------------------------------------------------------

ANY_STOCK = [FINE, CONFLICT, FAILED, FAILED | {"Item": STOCK_ITEM}]


@pytest.mark.parametrize("stock", ANY_STOCK, ids=named)
@pytest.mark.parametrize("link", [*EVERY_REASON, FAILED | {"Item": LINK}], ids=named)
def test_an_existing_reversal_is_returned_with_any_state_of_stock_and_link(
    stock: dict[str, Any], link: dict[str, Any]
) -> None:
    met = transaction_cancelled(stock, FAILED | {"Item": LEDGER_ITEM}, link)

    reversed_by = OTHER_REVERSAL if "Item" in link else None
    assert committed_on(met, REVERSING) == recorded(stock=stock_returned_by(stock), reversed_by=reversed_by)


@pytest.mark.parametrize("stock", ANY_STOCK, ids=named)
@pytest.mark.parametrize("ledger", [FINE, *PASSING, FAILED], ids=named)
def test_an_existing_link_returns_the_reversal_with_any_state_of_the_stock(
    stock: dict[str, Any], ledger: dict[str, Any]
) -> None:
    met = transaction_cancelled(stock, ledger, FAILED | {"Item": LINK})

    expected = a_snapshot(stock=stock_returned_by(stock), reversed_by=OTHER_REVERSAL)
    assert committed_on(met, REVERSING) == expected


@pytest.mark.parametrize("link", [FINE, *PASSING, FAILED], ids=named)
def test_a_cancelled_reversal_returns_the_moved_stock(link: dict[str, Any]) -> None:
    met = transaction_cancelled(FAILED | {"Item": STOCK_ITEM}, FINE, link)

    assert committed_on(met, REVERSING) == a_snapshot(stock=MOVED)


@pytest.mark.parametrize("reason", [*PASSING, FAILED], ids=named)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_contention_at_any_part_of_a_reversal_is_contention(reason: dict[str, Any], position: int) -> None:
    reasons = [FINE, FINE, FINE]
    reasons[position] = reason

    assert isinstance(committed_on(transaction_cancelled(*reasons), REVERSING), Contended)


@pytest.mark.parametrize("reason", NOT_UNDERSTOOD, ids=named)
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("others", [FINE, CONFLICT], ids=named)
def test_an_unknown_reason_is_raised_at_any_part_of_a_reversal(
    reason: dict[str, Any], position: int, others: dict[str, Any]
) -> None:
    reasons = [others, others, others]
    reasons[position] = reason

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(transaction_cancelled(*reasons), REVERSING)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_reasons_that_do_not_fit_the_transaction_of_a_reversal_are_raised(count: int) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(transaction_cancelled(*[CONFLICT] * count), REVERSING)


def test_an_item_at_a_part_of_a_reversal_whose_condition_held_is_ignored() -> None:
    met = transaction_cancelled(FINE, FINE | {"Item": LEDGER_ITEM}, CONFLICT | {"Item": LINK})

    assert isinstance(committed_on(met, REVERSING), Contended)


# --- no whole answer -------------------------------------------------------------------------------------------------

URL = "https://dynamodb.test"
NO_ANSWER: list[Reply] = [
    fault("ThrottlingException"),
    fault("ProvisionedThroughputExceededException"),
    fault("RequestLimitExceeded"),
    fault("TransactionInProgressException"),
    fault("TransactionConflictException"),
    fault("InternalServerError", 500),
    fault("ServiceUnavailable", 503),
    fault("SomethingNew", 500),
    fault("TransactionCanceledException", 500),
    broken(),
    ConnectTimeoutError(endpoint_url=URL),
    ReadTimeoutError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    SSLError(endpoint_url=URL, error=OSError("reset")),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ChecksumError(checksum_type="crc32", expected_checksum="1", actual_checksum="2"),
    ResponseParserError("not JSON"),
]
FAULTS: list[Reply] = [
    fault("AccessDeniedException"),
    fault("ResourceNotFoundException"),
    fault("ValidationException"),
    fault("UnrecognizedClientException"),
    fault("ExpiredTokenException"),
    fault("IdempotentParameterMismatchException"),
    fault("ItemCollectionSizeLimitExceededException"),
    NoCredentialsError(),
    ParamValidationError(report="x"),
    RuntimeError("a bug"),
]


def titled(met: Reply) -> str:
    if isinstance(met, Exception):
        return type(met).__name__
    assert met is not None
    return f"{met.status_code} {met.raw.getvalue()[:70]!r}"


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem", "TransactGetItems"])
@pytest.mark.parametrize("met", NO_ANSWER, ids=titled)
def test_an_incomplete_response_leaves_the_outcome_unknown(operation: str, met: Reply) -> None:
    with pytest.raises(StoreUnavailable) as unknown:
        call(operation, met)

    assert unknown.value.__cause__ is not None


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem", "TransactGetItems"])
@pytest.mark.parametrize("met", FAULTS, ids=titled)
def test_a_fault_of_ours_is_raised_as_it_is(operation: str, met: Reply) -> None:
    with pytest.raises(Exception, match=r"\S") as raised:
        call(operation, met)

    assert not isinstance(raised.value, StoreUnavailable)
    assert raised.value is met or isinstance(raised.value, ClientError)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem", "TransactGetItems"])
def test_an_empty_answer_is_a_truncated_one(operation: str) -> None:
    with pytest.raises(StoreUnavailable):
        call(operation, reply({}))


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem", "TransactGetItems"])
def test_the_sdk_never_retries(operation: str) -> None:
    tables = call(operation, fault("InternalServerError", 500), raises=StoreUnavailable)

    assert len(tables.tables.requests[operation]) == 1


def test_keys_that_were_left_unread_are_not_taken_for_absent() -> None:
    unread = {"Responses": {}, "UnprocessedKeys": {LEDGER_TABLE: {"Keys": [{"pk": {"S": "x"}}]}}}

    with pytest.raises(StoreUnavailable):
        call("BatchGetItem", reply(unread))


def test_a_cancellation_is_no_answer_to_a_read() -> None:
    with pytest.raises(ClientError):
        call("BatchGetItem", cancelled("TransactionConflict", "None"))


def call(operation: str, met: Reply, *, raises: type[Exception] | None = None) -> StoreOnTables:
    """Make a call that meets this."""
    tables = StoreOnTables()
    tables.tables.meets(operation, met)

    make: dict[str, Callable[[], object]] = {
        "TransactWriteItems": lambda: tables.store.commit([ROW], SNAPSHOT),
        "BatchGetItem": tables.load,
        "TransactGetItems": lambda: tables.store.find(BUSINESS, [ROW.id]),
    }
    if raises is None:
        make[operation]()
    else:
        with pytest.raises(raises):
            make[operation]()
    return tables
