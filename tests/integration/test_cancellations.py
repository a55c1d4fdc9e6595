"""Why a transaction was cancelled: by position, on the emulator where possible, else injected at the wire."""

from __future__ import annotations

from copy import replace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from inventory.domain.errors import InsufficientStock, StoreUnavailable, TryAgain
from inventory.domain.model import ReversalLink
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.rules import stock_after
from inventory.domain.store import Contended
from inventory.storage.items import ledger_item
from tests.support.builders.domain import with_stock
from tests.support.faults.wire import Wire, cancelled, fault, reply
from tests.support.harness.emulator import Calls
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import Environment, Shop, Waits, environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.model import Adjustment, Snapshot
    from tests.support.faults.wire import Reply
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

READ, LOOK, WRITE = "BatchGetItem", "TransactGetItems", "TransactWriteItems"
FAILED, NOT_AT_FAULT = "ConditionalCheckFailed", "None"
PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
PASSING_ERRORS = [
    ("ThrottlingException", 400),
    ("ProvisionedThroughputExceededException", 400),
    ("RequestLimitExceeded", 400),
    ("TransactionInProgressException", 400),
    ("InternalServerError", 500),
    ("ServiceUnavailable", 503),
]


@pytest.fixture
def calls(service: Environment) -> Calls:
    return Calls(service.client)


@pytest.fixture
def cold(clients: Clients, tables: Tables) -> Environment:
    """Another environment, which knows nothing yet and so reads before it writes."""
    return environment(clients.make(), tables)


@pytest.fixture
def first(service: Environment, shop: Shop) -> Adjustment:
    """The only row so far: 10 units came in. The environment knows this state and writes without reading."""
    return service.adjust(shop.command(10)).adjustment


@pytest.fixture
def seen(service: Environment, shop: Shop, first: Adjustment) -> Snapshot:
    """What a request that comes after the first row is decided from."""
    snapshot = service.store.load([shop.command(1)], [])
    assert snapshot.stock == {first.stock_item_id: stock_after(first)}
    return snapshot


def next_row(row: Adjustment) -> Adjustment:
    return replace(row, id=uuid4(), sequence=row.sequence + 1, quantity_after=row.quantity_after + row.delta)


# ------------------------------------------------------------------------------------------ as the emulator has them


def test_only_a_stale_stock_item_is_returned(
    service: Environment, first: Adjustment, seen: Snapshot, calls: Calls
) -> None:
    stale = with_stock(seen, replace(stock_after(first), sequence=first.sequence - 1), first.stock_item_id)

    assert service.store.commit([next_row(first)], stale) == seen
    assert calls.cancellations == [[FAILED, NOT_AT_FAULT]]


def test_only_a_recorded_row_is_returned(service: Environment, first: Adjustment, seen: Snapshot, calls: Calls) -> None:
    same_id = replace(next_row(first), id=first.id)

    assert service.store.commit([same_id], seen) == replace(seen, recorded={first.id: first})
    assert calls.cancellations == [[NOT_AT_FAULT, FAILED]]


def test_a_recorded_row_and_a_moved_stock_item_are_both_returned(
    service: Environment, first: Adjustment, seen: Snapshot, calls: Calls
) -> None:
    returned = service.store.commit([first], replace(seen, stock={}))

    assert returned == replace(seen, recorded={first.id: first})
    assert calls.cancellations == [[FAILED, FAILED]]


def test_a_failed_condition_without_an_item_is_contention(
    service: Environment, first: Adjustment, seen: Snapshot, shop: Shop, calls: Calls
) -> None:
    nowhere = replace(next_row(first), variant_id=shop.other_variant_id)

    imagined = with_stock(seen, stock_after(first), nowhere.stock_item_id)
    assert isinstance(service.store.commit([nowhere], imagined), Contended)
    assert calls.cancellations == [[FAILED, NOT_AT_FAULT]]


@pytest.fixture
def reversal(service: Environment, shop: Shop, first: Adjustment, calls: Calls) -> Adjustment:
    """The row that has reversed the first one."""
    row = service.reverse(shop.reversal(first)).adjustment
    calls.forget()
    return row


def test_only_an_existing_link_is_returned(
    service: Environment, first: Adjustment, seen: Snapshot, reversal: Adjustment, calls: Calls
) -> None:
    again = replace(next_row(reversal), reverses=first.id)
    fresh = with_stock(seen, stock_after(reversal), first.stock_item_id)

    assert service.store.commit([again], fresh, ReversalLink(first.id, again.id)) == replace(
        fresh, reversed_by=reversal.id
    )
    assert calls.cancellations == [[NOT_AT_FAULT, NOT_AT_FAULT, FAILED]]


def test_a_link_and_the_moved_stock_item_are_both_returned(
    service: Environment, first: Adjustment, seen: Snapshot, reversal: Adjustment, calls: Calls
) -> None:
    again = replace(next_row(first), reverses=first.id)

    fresh = with_stock(seen, stock_after(reversal), first.stock_item_id)
    returned = service.store.commit([again], seen, ReversalLink(first.id, again.id))

    assert returned == replace(fresh, reversed_by=reversal.id)
    assert calls.cancellations == [[FAILED, NOT_AT_FAULT, FAILED]]


def test_a_recorded_row_a_link_and_a_moved_stock_item_are_all_returned(
    service: Environment, first: Adjustment, seen: Snapshot, reversal: Adjustment, calls: Calls
) -> None:
    returned = service.store.commit([reversal], seen, ReversalLink(first.id, reversal.id))

    fresh = with_stock(seen, stock_after(reversal), first.stock_item_id)
    assert returned == replace(fresh, recorded={reversal.id: reversal}, reversed_by=reversal.id)
    assert calls.cancellations == [[FAILED, FAILED, FAILED]]


# ------------------------------------------------------------------------------------------------ as only AWS has them


def reasons(*members: dict[str, Any]) -> Reply:
    return fault("TransactionCanceledException", CancellationReasons=list(members))


@pytest.mark.parametrize(
    "codes",
    [
        *[(code, NOT_AT_FAULT) for code in PASSING],
        *[(NOT_AT_FAULT, code) for code in PASSING],
        ("TransactionConflict", "TransactionConflict"),
        ("ThrottlingError", "TransactionConflict"),
        (FAILED, "TransactionConflict"),
        ("TransactionConflict", FAILED),
    ],
    ids=" and ".join,
)
def test_transient_reasons_at_any_position_are_contention(
    service: Environment, first: Adjustment, seen: Snapshot, codes: tuple[str, str]
) -> None:
    Wire(service.client, WRITE, cancelled(*codes))

    assert isinstance(service.store.commit([next_row(first)], seen), Contended)


@pytest.mark.parametrize("passing", PASSING)
def test_a_recorded_row_counts_for_more_than_contention_on_the_stock_item(
    service: Environment, first: Adjustment, seen: Snapshot, passing: str
) -> None:
    Wire(service.client, WRITE, reasons({"Code": passing}, {"Code": FAILED, "Item": ledger_item(first)}))

    assert service.store.commit([next_row(first)], seen) == replace(seen, recorded={first.id: first})


@pytest.mark.parametrize("passing", PASSING)
def test_a_moved_stock_item_counts_for_more_than_contention_on_the_row(
    service: Environment, first: Adjustment, seen: Snapshot, tables: Tables, passing: str
) -> None:
    stock_items = [item for item in tables.contents() if "head_hash" in item]
    Wire(service.client, WRITE, reasons({"Code": FAILED, "Item": stock_items[0]}, {"Code": passing}))

    assert service.store.commit([next_row(first)], replace(seen, stock={})) == seen


@pytest.mark.parametrize(
    "codes",
    [
        ("ValidationError", NOT_AT_FAULT),
        (NOT_AT_FAULT, "ValidationError"),
        ("ItemCollectionSizeLimitExceeded", NOT_AT_FAULT),
        ("ValidationError", "TransactionConflict"),
        ("ValidationError", FAILED),
        ("AccessDenied", NOT_AT_FAULT),
        (FAILED,),
        (),
        ("TransactionConflict", NOT_AT_FAULT, NOT_AT_FAULT),
    ],
)
def test_an_unknown_reason_is_raised(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, codes: tuple[str, ...]
) -> None:
    Wire(service.client, WRITE, cancelled(*codes))
    calls.forget()

    with pytest.raises(service.client.exceptions.TransactionCanceledException):
        service.adjust(shop.command(-1, key="a key"))

    assert calls.operations == [WRITE], "a bug is not tried again"
    assert shop.rows() == [first]


@pytest.mark.parametrize(
    "code", ["ValidationException", "AccessDeniedException", "IdempotentParameterMismatchException"]
)
def test_a_permanent_error_is_raised(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, code: str
) -> None:
    Wire(service.client, WRITE, fault(code))
    calls.forget()

    with pytest.raises(ClientError):
        service.adjust(shop.command(-1, key="a key"))

    assert calls.operations == [WRITE]
    assert shop.rows() == [first]


# ------------------------------------------------------------------------------------------------------- the retries


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("code", PASSING)
def test_a_conflict_is_retried_from_a_fresh_read_until_it_passes(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, code: str, key: str | None
) -> None:
    Wire(service.client, WRITE, *[cancelled(code, NOT_AT_FAULT)] * 3, None)
    calls.forget()

    outcome = service.adjust(shop.command(-1, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 4)
    assert calls.operations == [WRITE, *[READ, WRITE] * 3], "what is known is trusted once"
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("code", PASSING)
def test_a_conflict_at_any_part_of_a_reversal_is_retried(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, code: str, position: int, key: str | None
) -> None:
    codes = [NOT_AT_FAULT] * 3
    codes[position] = code
    Wire(service.client, WRITE, *[cancelled(*codes)] * 3, None)
    calls.forget()

    outcome = service.reverse(shop.reversal(first, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 4)
    assert calls.operations == [LOOK, WRITE, *[READ, WRITE] * 3]
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]


def test_transient_faults_may_come_in_any_mixture(
    service: Environment, shop: Shop, first: Adjustment, clients: Clients
) -> None:
    rival = environment(clients.make(), shop.tables)
    Wire(
        service.client,
        WRITE,
        cancelled("TransactionConflict", NOT_AT_FAULT),
        cancelled(NOT_AT_FAULT, "ProvisionedThroughputExceeded"),
        fault("TransactionInProgressException"),
        cancelled("ThrottlingError", "TransactionConflict"),
        fault("InternalServerError", 500),
        None,
    )
    moving = rival.adjust(shop.command(5)).adjustment

    outcome = service.adjust(shop.command(-12, key="a key"))

    assert (outcome.replayed, outcome.attempts) == (False, 6)
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, moving, outcome.adjustment]


@pytest.mark.parametrize(("code", "status"), PASSING_ERRORS)
@pytest.mark.parametrize(
    ("operation", "start"),
    [(READ, "cold"), (WRITE, "cold"), (WRITE, "service")],
    ids=["the read", "the write", "the write from a known state"],
)
def test_a_transient_error_is_retried(
    request: pytest.FixtureRequest,
    shop: Shop,
    first: Adjustment,
    operation: str,
    start: str,
    code: str,
    status: int,
) -> None:
    asked: Environment = request.getfixturevalue(start)
    wire = Wire(asked.client, operation, fault(code, status), fault(code, status), None)

    outcome = asked.adjust(shop.command(-1, location_id=shop.location_id))

    assert (outcome.replayed, outcome.attempts) == (False, 3)
    assert wire.calls == 3
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("unread", ["stock item", "ledger row"])
def test_a_partly_throttled_read_is_retried(cold: Environment, shop: Shop, unread: str) -> None:
    table = shop.tables.inventory if unread == "stock item" else shop.tables.ledger
    partly = reply({"Responses": {}, "UnprocessedKeys": {table: {"Keys": [{"pk": {"S": "unread"}}]}}})
    Wire(cold.client, READ, partly, None)
    calls = Calls(cold.client)

    outcome = cold.adjust(shop.command(-1, key="a key", location_id=shop.location_id))

    assert outcome.attempts == 2
    assert calls.operations == [READ, READ, WRITE]
    assert_adds_up(shop.rows(), shop.stock())


def test_a_lasting_conflict_ends_at_the_limit_of_attempts(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls
) -> None:
    Wire(service.client, WRITE, cancelled("TransactionConflict", NOT_AT_FAULT))
    calls.forget()

    with pytest.raises(TryAgain):
        service.adjust(shop.command(-1, key="a key"))

    assert calls.operations == [WRITE, *[READ, WRITE] * (ATTEMPTS_MAX - 1)]
    assert shop.rows() == [first]


@dataclass
class Deadline:
    """Time that passes by calls, each taking ``call_s``, and by waits, and by nothing else."""

    remaining: float
    call_s: float

    def watch(self, client: DynamoDBClient) -> None:
        client.meta.events.register("before-call.dynamodb", self._called)

    def remaining_s(self) -> float:
        return self.remaining

    def sleep(self, seconds: float) -> None:
        self.remaining -= seconds

    def _called(self, **_: object) -> None:
        assert self.remaining >= CALL_BUDGET_S, "a call was begun that may outlast the invocation"
        self.remaining -= self.call_s


@pytest.mark.parametrize("call_s", [0.02, 0.5, 1.5, 3.0])
@pytest.mark.parametrize(
    ("operation", "known"),
    [(READ, False), (LOOK, False), (WRITE, False), (LOOK, True), (WRITE, True)],
    ids=["read", "look", "write", "look from a known state", "write from a known state"],
)
def test_lasting_faults_end_before_the_time_runs_out(
    clients: Clients,
    tables: Tables,
    shop: Shop,
    first: Adjustment,
    operation: str,
    known: bool,  # noqa: FBT001
    call_s: float,
) -> None:
    deadline = Deadline(remaining=10, call_s=call_s)
    service = environment(clients.make(), tables, sleep=deadline.sleep)
    rows = [first]
    if known:
        rows.append(service.adjust(shop.command(1)).adjustment)
    conflict, conflict_on_stock = cancelled("TransactionConflict"), cancelled("TransactionConflict", NOT_AT_FAULT)
    broken = {
        READ: [fault("ThrottlingException")],
        # The first look from a known state is of the stock item too.
        LOOK: [conflict_on_stock, conflict] if known else [conflict],
        WRITE: [conflict_on_stock],
    }
    wire = Wire(service.client, operation, *broken[operation])
    deadline.watch(service.client)
    # Only what is refused is looked for again.
    command = shop.command(-12 if operation == LOOK else -1, key="a key")

    with pytest.raises(TryAgain):
        service.adjust(command, remaining_s=deadline.remaining_s)

    assert wire.calls > 0
    assert deadline.remaining >= 0
    assert sorted(shop.rows(), key=lambda row: row.sequence) == rows


def test_the_waits_between_attempts_grow_to_half_a_second_at_most(
    clients: Clients, tables: Tables, shop: Shop, first: Adjustment
) -> None:
    waits = Waits()
    service = environment(clients.make(), tables, sleep=waits, fraction=lambda: 0.5)
    Wire(service.client, WRITE, cancelled("TransactionConflict", NOT_AT_FAULT))

    with pytest.raises(TryAgain):
        service.adjust(shop.command(-1))

    assert waits.waited_s[:3] == [0.01, 0.02, 0.04]
    assert waits.waited_s == sorted(waits.waited_s)
    assert waits.waited_s[-1] == 0.25
    assert len(waits.waited_s) == ATTEMPTS_MAX - 1
    assert shop.rows() == [first]


def test_a_rejection_does_not_depend_on_faults_of_writes(service: Environment, shop: Shop, first: Adjustment) -> None:
    wire = Wire(service.client, WRITE, cancelled("TransactionConflict", NOT_AT_FAULT))

    with pytest.raises(InsufficientStock):
        service.adjust(shop.command(-11, key="a key"))

    assert wire.calls == 0
    assert shop.rows() == [first]


@pytest.mark.parametrize(
    "met",
    [*[fault(*error) for error in PASSING_ERRORS], *[cancelled(code) for code in PASSING], reply({})],
    ids=[*[code for code, _ in PASSING_ERRORS], *PASSING, "{}"],
)
def test_a_rejection_is_not_final_while_the_keys_row_cannot_be_read(
    cold: Environment, shop: Shop, first: Adjustment, met: Reply
) -> None:
    Wire(cold.client, LOOK, met, None)
    calls = Calls(cold.client)

    with pytest.raises(InsufficientStock):
        cold.adjust(shop.command(-11, key="a key", location_id=shop.location_id))

    assert calls.operations == [READ, LOOK, READ, LOOK]
    assert shop.rows() == [first]


@pytest.mark.parametrize(
    "met",
    [
        *[fault(*error) for error in PASSING_ERRORS],
        *[cancelled(code, NOT_AT_FAULT) for code in PASSING],
        *[cancelled(NOT_AT_FAULT, code) for code in PASSING],
        reply({}),
    ],
    ids=[
        *[code for code, _ in PASSING_ERRORS],
        *[f"{code} on the stock item" for code in PASSING],
        *[f"{code} on the row" for code in PASSING],
        "{}",
    ],
)
def test_a_rejection_from_cached_state_is_not_final_while_state_and_row_cannot_be_read(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, met: Reply
) -> None:
    Wire(service.client, LOOK, met, None)
    calls.forget()

    with pytest.raises(InsufficientStock):
        service.adjust(shop.command(-11, key="a key"))

    assert calls.operations == [LOOK, READ, LOOK]
    assert shop.rows() == [first]


LOOKS_PAST_MENDING = {
    "reason 1": ["ValidationError"],
    "reason 2": ["AccessDenied"],
    "reason 3": [FAILED],
    "nothing at fault": [NOT_AT_FAULT],
}


@pytest.mark.parametrize(
    "met",
    [
        *[cancelled(*codes) for codes in LOOKS_PAST_MENDING.values()],
        cancelled(),
        cancelled("TransactionConflict", NOT_AT_FAULT),
        fault("AccessDeniedException"),
        fault("ValidationException"),
    ],
    ids=[*LOOKS_PAST_MENDING, "no reason", "a reason too many", "no access", "bug"],
)
def test_a_permanent_error_of_the_read_before_a_rejection_is_raised(
    cold: Environment, shop: Shop, first: Adjustment, met: Reply
) -> None:
    Wire(cold.client, LOOK, met)
    calls = Calls(cold.client)

    with pytest.raises(ClientError):
        cold.adjust(shop.command(-11, key="a key", location_id=shop.location_id))

    assert calls.operations == [READ, LOOK]
    assert shop.rows() == [first]


@pytest.mark.parametrize(
    "met",
    [
        *[cancelled(*codes, NOT_AT_FAULT) for codes in LOOKS_PAST_MENDING.values()],
        cancelled("TransactionConflict", "AccessDenied"),
        cancelled("TransactionConflict"),
        cancelled("TransactionConflict", NOT_AT_FAULT, NOT_AT_FAULT),
        fault("AccessDeniedException"),
        fault("ValidationException"),
    ],
    ids=[*LOOKS_PAST_MENDING, "one passes", "a reason too few", "a reason too many", "no access", "bug"],
)
def test_a_permanent_error_of_the_read_with_cached_state_is_raised(
    service: Environment, shop: Shop, first: Adjustment, calls: Calls, met: Reply
) -> None:
    Wire(service.client, LOOK, met)
    calls.forget()

    with pytest.raises(ClientError):
        service.adjust(shop.command(-11, key="a key"))

    assert calls.operations == [LOOK]
    assert shop.rows() == [first]


def test_an_unavailable_store_is_reported_without_details(
    service: Environment, first: Adjustment, seen: Snapshot
) -> None:
    Wire(service.client, WRITE, fault("InternalServerError", 500))

    with pytest.raises(StoreUnavailable):
        service.store.commit([next_row(first)], seen)
