"""The look for ledger rows: a read that is a transaction itself, and what it is worth before a refusal."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from inventory.adjusting.loop import Adjuster
from inventory.domain.errors import InsufficientStock, StoreUnavailable, TryAgain
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.rules import keyed_id
from inventory.domain.store import GROUP_MAX
from tests.support.builders.domain import a_command, a_stock_item, an_adjustment, budget_of
from tests.support.builders.ids import BUSINESS, LOCATION, NOW
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Command, Outcome
    from tests.support.faults.wire import Reply

READ, LOOK, WRITE = "BatchGetItem", "TransactGetItems", "TransactWriteItems"
IDS = [UUID(int=number) for number in range(1, GROUP_MAX + 1)]
FINE = "None"
PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
NOT_UNDERSTOOD = ["ValidationError", "AccessDenied", "ConditionalCheckFailed", "SomethingNew"]


@pytest.fixture
def cold() -> StoreOnTables:
    return StoreOnTables()


# --- what is sent, and what is found ---------------------------------------------------------------------------------


def test_rows_are_looked_for_in_one_transaction_that_reads_the_ledger_only(cold: StoreOnTables) -> None:
    cold.store.find(BUSINESS, IDS[:2])

    assert cold.tables.requests == {
        LOOK: [
            {
                "TransactItems": [
                    {"Get": {"TableName": LEDGER_TABLE, "Key": {"pk": {"S": f"{BUSINESS}#{each}"}}}} for each in IDS[:2]
                ],
                "ReturnConsumedCapacity": "TOTAL",
            }
        ]
    }


def test_the_rows_of_the_largest_group_are_looked_for_at_once(cold: StoreOnTables) -> None:
    rows = {each: an_adjustment(id=each) for each in IDS[::2]}
    for row in rows.values():
        cold.tables.with_row(row)

    assert cold.store.find(BUSINESS, IDS) == rows
    assert [len(each) for each in cold.rows_looked_for] == [GROUP_MAX]


def test_where_no_row_is_asked_for_nothing_is_sent(cold: StoreOnTables) -> None:
    assert cold.store.find(BUSINESS, []) == {}
    assert cold.tables.requests == {}


# --- reasons for a cancelled look, by position -----------------------------------------------------------------------


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("others", [FINE, *PASSING])
@pytest.mark.parametrize("code", PASSING)
def test_a_read_that_conflicted_or_was_throttled_is_no_answer(
    cold: StoreOnTables, code: str, others: str, position: int
) -> None:
    with pytest.raises(StoreUnavailable) as unknown:
        look(cold, cancelled(*[code if each == position else others for each in range(3)]))

    assert isinstance(unknown.value.__cause__, ClientError)


def test_a_read_with_conflicts_and_throttling_is_no_answer(cold: StoreOnTables) -> None:
    with pytest.raises(StoreUnavailable):
        look(cold, cancelled(*PASSING))


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("others", [FINE, *PASSING])
@pytest.mark.parametrize("code", NOT_UNDERSTOOD)
def test_an_unknown_reason_is_raised(cold: StoreOnTables, code: str, others: str, position: int) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        look(cold, cancelled(*[code if each == position else others for each in range(3)]))


@pytest.mark.parametrize("reasons", [[], PASSING[:1], PASSING[:1] * 2, PASSING[:1] * 4, [FINE] * 3], ids=str)
def test_reasons_that_do_not_explain_the_cancellation_are_raised(cold: StoreOnTables, reasons: list[str]) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        look(cold, cancelled(*reasons))


def test_a_cancellation_without_reasons_is_raised(cold: StoreOnTables) -> None:
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        look(cold, fault("TransactionCanceledException"))


@pytest.mark.parametrize(
    "torn",
    [{}, {"Responses": [{}, {}, {}]}, {"Responses": [{}, {}], "ConsumedCapacity": []}],
    ids=["nothing", "no capacity", "too few"],
)
def test_a_truncated_response_does_not_mean_that_there_is_no_row(cold: StoreOnTables, torn: dict[str, Any]) -> None:
    with pytest.raises(StoreUnavailable):
        look(cold, reply(torn))


def look(on: StoreOnTables, met: Reply) -> None:
    """Look for three rows, and meet this."""
    on.tables.meets(LOOK, met)
    on.store.find(BUSINESS, IDS[:3])


# --- half of a transaction shows -------------------------------------------------------------------------------------

KEYED = a_command(quantity_change=-5, idempotency_key="key", location_id=LOCATION)
FIRST_TRY = an_adjustment(
    id=keyed_id(BUSINESS, "key"), location_defaulted=False, delta=-5, sequence=42, quantity_after=0
)


@pytest.fixture
def half_shown() -> StoreOnTables:
    """The first try of a key has emptied the stock. Batches of reads show that, and go on not to show its row."""
    made = StoreOnTables()
    made.tables.with_catalog()
    made.tables.with_stock(a_stock_item(0, sequence=42))
    shown = {INVENTORY_TABLE: [item for (table, *_), item in made.tables.items.items() if table == INVENTORY_TABLE]}
    made.tables.meets(READ, reply({"Responses": shown, "UnprocessedKeys": {}}))
    made.tables.with_row(FIRST_TRY)
    return made


def adjuster_on(tables: StoreOnTables) -> Adjuster:
    ids = map(UUID, (f"{number:032x}" for number in count(1)))
    return Adjuster(
        store=tables.store,
        clock=lambda: NOW + timedelta(hours=1),
        new_id=lambda: next(ids),
        fraction=lambda: 0.0,
        sleep=lambda _: None,
        level_as_of=lambda *_: 0,
    )


def carried_out(tables: StoreOnTables, command: Command, remaining_s: Callable[[], float]) -> Outcome:
    adjuster = adjuster_on(tables)
    return adjuster.carry_out(command, budget_of(adjuster, remaining_s))


def test_a_load_begins_no_second_read_without_time() -> None:
    """The business's default location was never seen, so the first read does not know yet what else there is."""
    cold = StoreOnTables()
    cold.tables.with_catalog()
    left_s = iter([CALL_BUDGET_S, CALL_BUDGET_S - 1])

    with pytest.raises(TryAgain):
        carried_out(cold, a_command(), lambda: next(left_s))

    assert len(cold.keys_read) == 1


@pytest.mark.parametrize(
    "met",
    [cancelled("TransactionConflict"), fault("TransactionInProgressException"), broken(), reply({})],
    ids=["under way", "in progress", "closed", "torn"],
)
def test_a_first_attempt_is_replayed_once_its_transaction_is_fully_visible(
    half_shown: StoreOnTables, met: Reply
) -> None:
    half_shown.tables.meets(LOOK, met, met, None)

    outcome = carried_out(half_shown, KEYED, lambda: 10.0)

    assert (outcome.replayed, outcome.adjustment, outcome.attempts) == (True, FIRST_TRY, 3)
    assert WRITE not in half_shown.tables.requests


def test_a_first_attempt_that_is_never_fully_visible_is_not_rejected(half_shown: StoreOnTables) -> None:
    half_shown.tables.meets(LOOK, cancelled("TransactionConflict"))

    with pytest.raises(TryAgain):
        carried_out(half_shown, KEYED, lambda: 10.0)

    assert len(half_shown.rows_looked_for) == ATTEMPTS_MAX


def test_each_visible_row_of_a_group_answers_its_own_request(half_shown: StoreOnTables) -> None:
    other = a_command(quantity_change=-1, idempotency_key="other", location_id=LOCATION)
    half_shown.tables.meets(LOOK, cancelled("None", "TransactionConflict"), None)

    replayed, refused = adjuster_on(half_shown).adjust_all([KEYED, other], remaining_s=lambda: 10.0)

    assert getattr(replayed, "adjustment", None) == FIRST_TRY
    assert isinstance(refused, InsufficientStock)
    assert WRITE not in half_shown.tables.requests
