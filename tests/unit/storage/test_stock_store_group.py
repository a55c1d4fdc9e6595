"""Several rows in one transaction: what is sent, what each reason for a cancellation means, and how they are read."""

from __future__ import annotations

from copy import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.rules import stock_after
from inventory.domain.store import GROUP_MAX, CommitResult, Committed, Contended
from inventory.storage.items import ledger_item
from inventory.storage.lookups import KEYS_MAX
from tests.support.builders.domain import a_command, a_snapshot, a_stock_item, an_adjustment, stock_in
from tests.support.builders.ids import BUSINESS, HEAD_HASH, LOCATION, TICK
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, stock_members
from tests.support.faults.wire import broken, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment
    from tests.support.faults.wire import Reply

SEEN = a_stock_item(10)
SNAPSHOT = a_snapshot(stock=SEEN)
MOVED = a_stock_item(3, sequence=43)
STOCK_ITEM = {"pk": {"S": "x"}, "sk": {"S": "y"}} | stock_members(MOVED)

FINE: dict[str, Any] = {"Code": "None"}
FAILED: dict[str, Any] = {"Code": "ConditionalCheckFailed"}
PASSING = [{"Code": code} for code in ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")]
NOT_UNDERSTOOD: list[dict[str, Any]] = [{"Code": "ValidationError"}, {"Code": "SomethingNew"}, {}]


def rows_in_turn(count: int) -> list[Adjustment]:
    """So many rows of one more each, the first of them on what was seen."""
    rows: list[Adjustment] = []
    for number in range(1, count + 1):
        rows.append(
            an_adjustment(
                id=UUID(int=number),
                delta=1,
                sequence=SEEN.sequence + number,
                quantity_after=SEEN.quantity + number,
                created_at=an_adjustment().created_at + number * TICK,
                previous_hash=rows[-1].hash if rows else HEAD_HASH,
            )
        )
    return rows


ROWS = rows_in_turn(4)


def committed_on(met: Reply, rows: list[Adjustment] = ROWS) -> CommitResult:
    tables = StoreOnTables()
    tables.tables.meets("TransactWriteItems", met)
    return tables.store.commit(rows, SNAPSHOT)


def cancelled(*reasons: dict[str, Any]) -> Reply:
    return fault("TransactionCanceledException", CancellationReasons=list(reasons))


def reasons_with(reason: dict[str, Any], *positions: int, others: dict[str, Any] = FINE) -> Reply:
    """A reason at these positions of a transaction of four rows; 0 is the stock item's."""
    return cancelled(*[reason if position in positions else others for position in range(5)])


def there(row: Adjustment) -> dict[str, Any]:
    return FAILED | {"Item": ledger_item(row)}


# --- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 10, GROUP_MAX])
def test_a_group_is_one_update_of_the_stock_item_and_its_rows_in_order(count: int) -> None:
    tables, rows = StoreOnTables(), rows_in_turn(count)
    tables.tables.with_stock(SEEN)

    assert isinstance(tables.store.commit(rows, SNAPSHOT), Committed)

    (request,) = tables.tables.requests["TransactWriteItems"]
    update, *puts = request["TransactItems"]
    assert [list(part) for part in (update, *puts)] == [["Update"], *[["Put"]] * count]
    assert [put["Put"]["Item"] for put in puts] == [ledger_item(row) for row in rows]
    assert {put["Put"]["TableName"] for put in puts} == {LEDGER_TABLE}
    assert {put["Put"]["ConditionExpression"] for put in puts} == {"attribute_not_exists(pk)"}
    assert {put["Put"]["ReturnValuesOnConditionCheckFailure"] for put in puts} == {"ALL_OLD"}


def test_the_update_goes_from_what_was_seen_to_what_the_last_row_leaves() -> None:
    tables = StoreOnTables()
    tables.tables.with_stock(SEEN)
    tables.store.commit(ROWS, SNAPSHOT)

    ((update, *_),) = [each["TransactItems"] for each in tables.tables.requests["TransactWriteItems"]]
    assert update["Update"]["TableName"] == INVENTORY_TABLE
    assert update["Update"]["ConditionExpression"] == (
        "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash"
    )
    assert update["Update"]["ExpressionAttributeValues"] == {
        ":seen": {"N": "41"},
        ":seen_quantity": {"N": str(SEEN.quantity)},
        ":seen_hash": {"S": HEAD_HASH},
        ":quantity": {"N": "14"},
        ":sequence": {"N": "45"},
        ":updated_at": {"S": "2026-11-23T14:05:09.123460Z"},
        ":head_hash": {"S": ROWS[-1].hash},
    }


def test_the_largest_group_is_the_largest_transaction() -> None:
    assert GROUP_MAX + 1 == 100


# --- reasons for a cancelled transaction, by position ---------------------------------------------------------------

SOME_ROWS = [rows for count in range(1, 5) for rows in combinations(range(1, 5), count)]


@pytest.mark.parametrize("positions", SOME_ROWS, ids=str)
@pytest.mark.parametrize("others", [FINE, *PASSING, FAILED, *NOT_UNDERSTOOD], ids=lambda each: each.get("Code", "-"))
def test_existing_rows_are_returned_with_any_state_of_the_others(
    positions: tuple[int, ...], others: dict[str, Any]
) -> None:
    recorded = [replace(ROWS[position - 1], reason="recorded before") for position in positions]
    reasons = [others] * 5
    for position, row in zip(positions, recorded, strict=True):
        reasons[position] = there(row)

    returned = committed_on(cancelled(*reasons))

    assert returned == replace(SNAPSHOT, recorded={row.id: row for row in recorded})


@pytest.mark.parametrize("position", range(1, 5))
def test_an_existing_row_and_the_moved_stock_are_returned_together(position: int) -> None:
    reasons = [FINE] * 5
    reasons[0], reasons[position] = FAILED | {"Item": STOCK_ITEM}, there(ROWS[position - 1])

    row = ROWS[position - 1]
    assert committed_on(cancelled(*reasons)) == a_snapshot(stock=MOVED, recorded={row.id: row})


@pytest.mark.parametrize("others", [FINE, *PASSING, FAILED], ids=lambda each: each["Code"])
def test_a_cancelled_commit_returns_the_moved_stock(others: dict[str, Any]) -> None:
    returned = committed_on(reasons_with(FAILED | {"Item": STOCK_ITEM}, 0, others=others))

    assert returned == a_snapshot(stock=MOVED)


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("reason", [*PASSING, FAILED], ids=lambda each: each["Code"])
def test_contention_at_any_part_is_contention(reason: dict[str, Any], position: int) -> None:
    assert isinstance(committed_on(reasons_with(reason, position)), Contended)


def test_every_reason_of_contention_at_once_is_contention() -> None:
    assert isinstance(committed_on(cancelled(FINE, *PASSING, FAILED)), Contended)


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("reason", NOT_UNDERSTOOD, ids=lambda each: each.get("Code", "-"))
@pytest.mark.parametrize("others", [FINE, PASSING[0]], ids=lambda each: each["Code"])
def test_an_unknown_reason_is_raised_at_any_part(reason: dict[str, Any], position: int, others: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(reasons_with(reason, position, others=others))


@pytest.mark.parametrize("count", [0, 1, 4, 6, 100])
def test_reasons_that_do_not_fit_the_transaction_are_raised(count: int) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        committed_on(cancelled(*[PASSING[0]] * count))


@pytest.mark.parametrize("position", range(1, 5))
def test_an_item_at_a_position_whose_condition_held_is_ignored(position: int) -> None:
    reasons = [PASSING[0]] * 5
    reasons[position] = FINE | {"Item": ledger_item(ROWS[0])}

    assert isinstance(committed_on(cancelled(*reasons)), Contended)


# --- no whole answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [reply({}), broken(), fault("InternalServerError", 500)], ids=["{}", "closed", "500"])
def test_a_truncated_response_leaves_every_outcome_unknown(torn: Reply) -> None:
    with pytest.raises(StoreUnavailable):
        committed_on(torn)


# --- reading as many rows as a group has -----------------------------------------------------------------------------


@pytest.fixture
def full() -> StoreOnTables:
    """A cold store of a shop with ten on hand; every other row of the largest group is there."""
    made = StoreOnTables()
    made.tables.with_catalog()
    made.tables.with_stock(SEEN)
    for row in rows_in_turn(GROUP_MAX)[::2]:
        made.tables.with_row(row)
    return made


IDS = [UUID(int=number) for number in range(1, GROUP_MAX + 1)]
AT_LOCATION = a_command(location_id=LOCATION)
FOUND = {row.id: row for row in rows_in_turn(GROUP_MAX)[::2]}


def test_the_largest_group_with_a_remembered_catalog_is_read_at_once(full: StoreOnTables) -> None:
    full.load(AT_LOCATION)

    assert full.load(AT_LOCATION, recorded_ids=IDS) == replace(SNAPSHOT, recorded=FOUND)
    assert [len(each) for each in full.keys_read] == [KEYS_MAX]


def test_rows_that_do_not_fit_are_read_before_the_stock_item(full: StoreOnTables) -> None:
    """A row that is appended between the two reads is then one that moves the stock item after it was looked for."""
    assert full.load(AT_LOCATION, recorded_ids=IDS) == replace(SNAPSHOT, recorded=FOUND)

    first, second = full.keys_read
    assert (len(first), len(second)) == (3, KEYS_MAX)
    assert not any(key.startswith("STOCK#") for key in first)
    assert any(key.startswith("STOCK#") for key in second)


def test_a_default_location_that_was_never_seen_takes_one_read_more(full: StoreOnTables) -> None:
    assert full.load(recorded_ids=IDS) == replace(SNAPSHOT, recorded=FOUND)
    assert [len(each) for each in full.keys_read] == [1, KEYS_MAX, 2]


@pytest.mark.parametrize("allowed", [0, 1])
def test_no_further_read_begins_without_time(full: StoreOnTables, allowed: int) -> None:
    moments = iter([None] * allowed)

    def until_the_time_is_up() -> None:
        if next(moments, TryAgain) is TryAgain:
            raise TryAgain

    with pytest.raises(TryAgain):
        full.store.load([a_command()], IDS, require_time=until_the_time_is_up)

    assert len(full.keys_read) == allowed + 1


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(
    "torn",
    [reply({"Responses": {}, "UnprocessedKeys": {LEDGER_TABLE: {"Keys": [{"pk": {"S": "x"}}]}}}), reply({}), broken()],
    ids=["unread keys", "{}", "closed"],
)
def test_a_read_with_one_truncated_part_is_no_answer(full: StoreOnTables, torn: Reply, call: int) -> None:
    full.tables.meets("BatchGetItem", *[None] * (call - 1), torn)

    with pytest.raises(StoreUnavailable):
        full.load(AT_LOCATION, recorded_ids=IDS)


def test_an_id_that_is_named_twice_is_asked_for_once(full: StoreOnTables) -> None:
    twice = [IDS[0], IDS[1], IDS[0], IDS[1]]

    assert full.store.find(BUSINESS, twice) == {IDS[0]: FOUND[IDS[0]]}
    assert [len(each) for each in full.rows_looked_for] == [2]
    assert full.load(AT_LOCATION, recorded_ids=twice).recorded == {IDS[0]: FOUND[IDS[0]]}


def test_the_stock_item_that_a_group_leaves_is_loaded_as_its_last_row_says() -> None:
    tables = StoreOnTables()
    tables.tables.with_catalog()
    tables.tables.with_stock(SEEN)
    tables.store.commit(ROWS, SNAPSHOT)

    assert stock_in(tables.load()) == stock_after(ROWS[-1])
