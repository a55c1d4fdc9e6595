"""The load that a refusal may rest on: catalog, stock item, ledger rows and link in one transaction, or it says not."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.domain.errors import StoreUnavailable
from inventory.domain.store import GROUP_MAX
from tests.support.builders.domain import a_command, a_snapshot, an_adjustment
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, VARIANT
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.domain.model import Command, Snapshot
    from tests.support.faults.wire import Reply

READ, TRANSACTION = "BatchGetItem", "TransactGetItems"
REVERSED_ID = UUID("11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee")
AT_LOCATION = a_command(location_id=LOCATION)
FINE = "None"
PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
STOCK_PART = {
    "Get": {
        "TableName": INVENTORY_TABLE,
        "Key": {"pk": {"S": f"STOCK#{BUSINESS}#{VARIANT}"}, "sk": {"S": str(LOCATION)}},
    }
}
ROW_PART = {"Get": {"TableName": LEDGER_TABLE, "Key": {"pk": {"S": f"{BUSINESS}#{ADJUSTMENT}"}}}}


def of_catalog(sort_key: str) -> dict[str, Any]:
    return {"Get": {"TableName": INVENTORY_TABLE, "Key": {"pk": {"S": f"BUSINESS#{BUSINESS}"}, "sk": {"S": sort_key}}}}


SETTINGS_PART, VARIANT_PART = of_catalog("SETTINGS"), of_catalog(f"VARIANT#{VARIANT}")
LOCATION_PART = of_catalog(f"LOCATION#{LOCATION}")


@pytest.fixture
def warm(cold: StoreOnTables) -> StoreOnTables:
    """The same after its first load."""
    cold.load()
    cold.tables.requests.clear()
    return cold


def load(on: StoreOnTables, command: Command = AT_LOCATION, ids: Sequence[UUID] = (ADJUSTMENT,)) -> Snapshot:
    return on.store.load([command], ids, reverses=command.reverses, transactional=True)


def parts_read(on: StoreOnTables) -> list[list[dict[str, Any]]]:
    return [each["TransactItems"] for each in on.tables.requests[TRANSACTION]]


# --- one transaction, or the snapshot says that it was none ----------------------------------------------------------


def test_everything_is_read_in_one_transaction_and_the_snapshot_is_marked(cold: StoreOnTables) -> None:
    cold.tables.with_row(an_adjustment())

    assert load(cold) == a_snapshot(recorded={ADJUSTMENT: an_adjustment()}, transactional=True)
    assert cold.tables.requests == {
        TRANSACTION: [
            {
                "TransactItems": [ROW_PART, SETTINGS_PART, VARIANT_PART, LOCATION_PART, STOCK_PART],
                "ReturnConsumedCapacity": "TOTAL",
            }
        ]
    }


def test_absent_items_are_left_out() -> None:
    empty = StoreOnTables()
    empty.tables.with_catalog()

    assert load(empty) == a_snapshot(stock=None, transactional=True)


def test_a_cached_catalog_is_not_read_in_the_transaction(warm: StoreOnTables) -> None:
    assert load(warm) == a_snapshot(transactional=True)
    assert parts_read(warm) == [[ROW_PART, STOCK_PART]]


def test_the_state_read_in_a_transaction_is_cached(cold: StoreOnTables) -> None:
    load(cold)

    assert cold.store.cached([AT_LOCATION]) == a_snapshot(cached=True)


def test_of_a_reversal_the_link_is_read_in_the_transaction(warm: StoreOnTables) -> None:
    warm.tables.with_link(REVERSED_ID, ADJUSTMENT)

    snapshot = load(warm, replace(AT_LOCATION, reverses=REVERSED_ID))

    assert snapshot == a_snapshot(reversed_by=ADJUSTMENT, transactional=True)
    assert len(parts_read(warm)[0]) == 3


def test_a_second_read_for_the_default_location_is_not_transactional(cold: StoreOnTables) -> None:
    assert load(cold, a_command()) == a_snapshot(transactional=False)
    assert parts_read(cold) == [[ROW_PART, SETTINGS_PART, VARIANT_PART]]
    assert len(cold.tables.requests[READ]) == 1


def test_as_many_items_as_a_transaction_holds_are_read_in_one(warm: StoreOnTables) -> None:
    assert load(warm, ids=[UUID(int=number) for number in range(1, GROUP_MAX + 1)]).transactional
    assert [len(each) for each in parts_read(warm)] == [100]


def test_more_items_than_a_transaction_holds_are_not_read_transactionally(cold: StoreOnTables) -> None:
    snapshot = load(cold, ids=[UUID(int=number) for number in range(1, GROUP_MAX + 1)])

    assert snapshot == a_snapshot(transactional=False)
    assert list(cold.tables.requests) == [READ]


# --- reasons for a cancelled read, by position -----------------------------------------------------------------------


@pytest.mark.parametrize("position", range(2))
@pytest.mark.parametrize("code", PASSING)
def test_a_transactional_read_that_conflicted_or_was_throttled_is_no_answer(
    warm: StoreOnTables, code: str, position: int
) -> None:
    with pytest.raises(StoreUnavailable) as unknown:
        meet(warm, cancelled(*[code if each == position else FINE for each in range(2)]))

    assert isinstance(unknown.value.__cause__, ClientError)


@pytest.mark.parametrize(
    "reasons",
    [
        ["ConditionalCheckFailed", FINE],
        [FINE, "ValidationError"],
        [PASSING[0], "SomethingNew"],
        [FINE, FINE],
        PASSING[:1],
        PASSING,
    ],
    ids=str,
)
def test_unknown_or_mismatched_reasons_are_raised(warm: StoreOnTables, reasons: list[str]) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        meet(warm, cancelled(*reasons))


@pytest.mark.parametrize(
    "met",
    [reply({}), reply({"Responses": [{}, {}]}), broken(), fault("ThrottlingException")],
    ids=["nothing", "no capacity", "closed", "throttled"],
)
def test_an_incomplete_response_does_not_mean_that_nothing_is_there(warm: StoreOnTables, met: Reply) -> None:
    with pytest.raises(StoreUnavailable):
        meet(warm, met)


def meet(on: StoreOnTables, met: Reply) -> None:
    """Read the stock item and a row, and meet this."""
    on.tables.meets(TRANSACTION, met)
    load(on)
