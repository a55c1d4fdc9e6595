"""What a request costs: calls to the database, and the write units of the one transaction."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from inventory.domain.errors import (
    AdjustmentNotFound,
    AlreadyReversed,
    IdempotencyKeyReused,
    InsufficientStock,
    LocationNotFound,
    Refusal,
    VariantNotFound,
)
from inventory.domain.rules import stock_after
from inventory.storage.cache import CONTENDED_LIFETIME_S
from tests.support.harness.emulator import Calls
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import Environment, environment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients
    from tests.support.harness.shop import Shop

READ, LOOK, WRITE = "BatchGetItem", "TransactGetItems", "TransactWriteItems"
CATALOG_CHANGE_WITHIN_S = 60
"""What operators are promised: later than that a change of the catalog is in effect everywhere."""


@pytest.fixture
def calls(service: Environment) -> Calls:
    return Calls(service.client)


@pytest.fixture
def warm(service: Environment, shop: Shop, calls: Calls) -> Environment:
    """The environment after its first request: it knows the catalog and the stock item's state; there are 10 units."""
    service.adjust(shop.command(10, key="opening"))
    calls.forget()
    return service


@pytest.fixture
def half_warm(service: Environment, shop: Shop, calls: Calls, rival: Environment) -> Environment:
    """The environment that knows the catalog, but not the stock item, which came to be since: there are 10 units."""
    with pytest.raises(InsufficientStock):
        service.adjust(shop.command(-1))
    rival.adjust(shop.command(10, key="opening"))
    calls.forget()
    return service


@pytest.fixture
def rival(clients: Clients, shop: Shop) -> Environment:
    """Another environment of the service."""
    return environment(clients.make(), shop.tables)


@pytest.fixture(params=[False, True], ids=["state unknown", "state known"])
def state_known(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def either(request: pytest.FixtureRequest, state_known: bool) -> Environment:  # noqa: FBT001
    """The environment that knows the catalog, with and without the stock item's state."""
    made = request.getfixturevalue("warm" if state_known else "half_warm")
    assert isinstance(made, Environment)
    return made


@pytest.fixture
def reads(state_known: bool) -> list[str]:  # noqa: FBT001
    """What it takes to learn the stock item's state."""
    return [] if state_known else [READ]


# ----------------------------------------------------------------------------------------------------- round trips


def test_the_first_request_that_names_no_location_reads_twice_and_writes_once(
    service: Environment, shop: Shop, calls: Calls
) -> None:
    service.adjust(shop.command(10))

    assert calls.operations == [READ, READ, WRITE]


def test_the_first_request_that_names_its_location_reads_once_and_writes_once(
    service: Environment, shop: Shop, calls: Calls
) -> None:
    service.adjust(shop.command(10, location_id=shop.location_id))

    assert calls.operations == [READ, WRITE]


@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("named", [True, False])
def test_a_fresh_request_reads_once_where_the_state_is_not_known_and_writes_once(
    either: Environment,
    shop: Shop,
    calls: Calls,
    reads: list[str],
    key: str | None,
    named: bool,  # noqa: FBT001
) -> None:
    either.adjust(shop.command(-1, key=key, location_id=shop.location_id if named else None))

    assert calls.operations == [*reads, WRITE]
    assert calls.cancellations == []
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -1]


def test_each_request_of_many_on_a_known_state_is_one_write(warm: Environment, shop: Shop, calls: Calls) -> None:
    for number in range(5):
        warm.adjust(shop.command(-1, key=f"{number}"))

    assert calls.operations == [WRITE] * 5
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, *[-1] * 5]


def test_a_replay_reads_once_where_the_state_is_not_known(half_warm: Environment, shop: Shop, calls: Calls) -> None:
    before = shop.tables.contents()

    outcome = half_warm.adjust(shop.command(10, key="opening"))

    assert outcome.replayed
    assert calls.operations == [READ]
    assert shop.tables.contents() == before


def test_a_replay_from_a_known_state_is_one_write_that_is_cancelled_and_leaves_nothing(
    warm: Environment, shop: Shop, calls: Calls
) -> None:
    (first,) = shop.rows()
    before = shop.tables.contents()

    outcome = warm.adjust(shop.command(10, key="opening"))

    assert (outcome.replayed, outcome.adjustment) == (True, first)
    assert calls.operations == [WRITE]
    assert calls.cancellations == [["None", "ConditionalCheckFailed"]]
    assert shop.tables.contents() == before


def test_a_replay_that_the_cached_state_would_reject_takes_one_read(
    warm: Environment, shop: Shop, calls: Calls
) -> None:
    first = warm.adjust(shop.command(-10, key="all")).adjustment
    before = shop.tables.contents()
    calls.forget()

    outcome = warm.adjust(shop.command(-10, key="all"))

    assert (outcome.replayed, outcome.adjustment) == (True, first)
    assert calls.operations == [LOOK]
    assert shop.tables.contents() == before


def test_a_replay_in_a_fresh_environment_reads_once_where_the_location_is_named(
    warm: Environment, shop: Shop, clients: Clients
) -> None:
    first = warm.adjust(shop.command(-1, key="a key", location_id=shop.location_id))
    fresh = environment(clients.make(), shop.tables)
    calls = Calls(fresh.client)

    outcome = fresh.adjust(shop.command(-1, key="a key", location_id=shop.location_id))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert calls.operations == [READ]


def test_a_replay_in_a_fresh_environment_reads_twice_at_most(warm: Environment, shop: Shop, clients: Clients) -> None:
    first = warm.adjust(shop.command(-1, key="a key"))
    fresh = environment(clients.make(), shop.tables)
    calls = Calls(fresh.client)

    outcome = fresh.adjust(shop.command(-1, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert calls.operations == [READ, READ]


def test_a_replay_that_shows_at_the_commit_only_needs_no_other_call(
    either: Environment, shop: Shop, calls: Calls, reads: list[str], rival: Environment
) -> None:
    """Neither of two requests of one key has seen its row before either writes."""
    first = []
    before_next_write(either.client, lambda: first.append(rival.adjust(shop.command(-1, key="a key"))))

    outcome = either.adjust(shop.command(-1, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first[0].adjustment)
    assert calls.operations == [*reads, WRITE]
    assert calls.cancellations == [["ConditionalCheckFailed", "ConditionalCheckFailed"]]
    assert len(shop.rows()) == 2


def test_a_refusal_without_a_key_reads_once_whatever_is_known(either: Environment, shop: Shop, calls: Calls) -> None:
    before = shop.tables.contents()

    with pytest.raises(InsufficientStock):
        either.adjust(shop.command(-11))

    assert calls.operations == [READ]
    assert shop.tables.contents() == before


def test_a_refusal_with_a_key_looks_for_the_keys_row_once_more_where_the_state_was_not_known(
    half_warm: Environment, shop: Shop, calls: Calls
) -> None:
    before = shop.tables.contents()

    with pytest.raises(InsufficientStock):
        half_warm.adjust(shop.command(-11, key="a key"))

    assert calls.operations == [READ, LOOK]
    assert shop.tables.contents() == before


def test_a_rejection_with_a_key_from_cached_state_takes_one_read(warm: Environment, shop: Shop, calls: Calls) -> None:
    """It is a transaction of the stock item and the key's row: one consistent read, and so final."""
    before = shop.tables.contents()
    looked_for: list[Any] = []
    warm.client.meta.events.register(
        f"provide-client-params.dynamodb.{LOOK}", lambda params, **_: looked_for.extend(params["TransactItems"])
    )

    with pytest.raises(InsufficientStock):
        warm.adjust(shop.command(-11, key="a key"))

    assert calls.operations == [LOOK]
    assert [each["Get"]["TableName"] for each in looked_for] == [shop.tables.ledger, shop.tables.inventory]
    assert looked_for[1]["Get"]["Key"]["sk"] == {"S": str(shop.location_id)}
    assert shop.tables.contents() == before


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_request_that_only_stale_state_would_reject_is_decided_from_current_state(
    warm: Environment, shop: Shop, calls: Calls, rival: Environment, key: str | None
) -> None:
    rival.adjust(shop.command(1))

    outcome = warm.adjust(shop.command(-11, key=key))

    assert (outcome.attempts, outcome.adjustment.quantity_after) == (1, 0)
    assert calls.operations == [LOOK if key else READ, WRITE]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, 1, -11]


def test_a_key_that_names_another_request_reads_once_where_the_state_is_not_known(
    half_warm: Environment, shop: Shop, calls: Calls
) -> None:
    before = shop.tables.contents()

    with pytest.raises(IdempotencyKeyReused):
        half_warm.adjust(shop.command(11, key="opening"))

    assert calls.operations == [READ]
    assert shop.tables.contents() == before


@pytest.mark.parametrize(("quantity_change", "operation"), [(11, WRITE), (-11, LOOK)], ids=["granted", "refused"])
def test_a_key_of_another_request_costs_one_call_with_any_cached_state(
    warm: Environment, shop: Shop, calls: Calls, quantity_change: int, operation: str
) -> None:
    before = shop.tables.contents()

    with pytest.raises(IdempotencyKeyReused):
        warm.adjust(shop.command(quantity_change, key="opening"))

    assert calls.operations == [operation]
    assert shop.tables.contents() == before


@pytest.mark.parametrize(
    ("members", "refusal"),
    [({"variant_id": uuid4()}, VariantNotFound), ({"location_id": uuid4()}, LocationNotFound)],
)
def test_an_unknown_variant_or_location_reads_once_each_time(
    warm: Environment, shop: Shop, calls: Calls, members: dict[str, Any], refusal: type[Refusal]
) -> None:
    for _ in range(2):
        with pytest.raises(refusal):
            warm.adjust(shop.command(1, **members))

    assert calls.operations == [READ, READ]


# ------------------------------------------------------------------------------------------- the catalog in memory


def test_a_cached_catalog_is_not_read_again(
    half_warm: Environment, shop: Shop, requested: list[dict[str, Any]]
) -> None:
    half_warm.adjust(shop.command(-1, key="a key"))

    (request,) = requested
    assert [key["sk"]["S"] for key in request[shop.tables.inventory]["Keys"]] == [str(shop.location_id)]
    assert len(request[shop.tables.ledger]["Keys"]) == 1


def test_without_a_key_the_ledger_is_not_read(
    half_warm: Environment, shop: Shop, requested: list[dict[str, Any]]
) -> None:
    half_warm.adjust(shop.command(-1))

    assert [set(request) for request in requested] == [{shop.tables.inventory}]


def test_every_read_is_strongly_consistent(service: Environment, shop: Shop, requested: list[dict[str, Any]]) -> None:
    service.adjust(shop.command(1, key="a key"))
    for key in (None, "another"):
        with pytest.raises(InsufficientStock):
            service.adjust(shop.command(-2, key=key))

    assert len(requested) == 3, "the look that the keyed refusal rests on is a transaction"
    assert all(table["ConsistentRead"] for request in requested for table in request.values())


def test_a_change_of_the_catalog_is_seen_when_the_cache_expires(clients: Clients, tables: Tables, shop: Shop) -> None:
    now_s = 1_000_000.0
    service = environment(clients.make(), tables, time_s=lambda: now_s)
    service.adjust(shop.command(1))
    tables.command("deactivate_variant", shop.business_id, variant_id=shop.variant_id)

    now_s += CATALOG_CHANGE_WITHIN_S - 0.001
    service.adjust(shop.command(1))
    now_s += 0.001
    with pytest.raises(VariantNotFound):
        service.adjust(shop.command(1))

    assert len(shop.rows()) == 2


def test_a_new_default_location_is_used_when_the_cache_expires(clients: Clients, tables: Tables, shop: Shop) -> None:
    now_s = 1_000_000.0
    service = environment(clients.make(), tables, time_s=lambda: now_s)
    first = service.adjust(shop.command(1)).adjustment
    tables.command(
        "register_location", shop.business_id, location_id=shop.other_location_id, name="Cellar", default=True
    )

    now_s += CATALOG_CHANGE_WITHIN_S
    calls = Calls(service.client)
    moved = service.adjust(shop.command(1)).adjustment
    again = service.adjust(shop.command(1)).adjustment

    assert first.location_id == shop.location_id
    assert (moved.location_id, again.location_id) == (shop.other_location_id, shop.other_location_id)
    assert (moved.sequence, again.sequence) == (1, 2)
    assert calls.operations == [READ, READ, WRITE, WRITE]


@pytest.fixture
def requested(service: Environment) -> list[dict[str, Any]]:
    """What each BatchGetItem asks for, from the first request after the warm-up, if there is one, on."""
    requested: list[dict[str, Any]] = []

    def record(params: dict[str, Any], **_: object) -> None:
        requested.append(params["RequestItems"])

    service.client.meta.events.register("provide-client-params.dynamodb.BatchGetItem", record)
    return requested


# --------------------------------------------------------------------------------------------- the stock item moved


def before_next_write(client: DynamoDBClient, action: Any) -> None:
    """Do something between a request's load and its commit, once."""
    pending = [action]

    def interrupt(**_: object) -> None:
        if pending:
            pending.pop()()

    client.meta.events.register_first(f"before-call.dynamodb.{WRITE}", interrupt)


def test_a_stock_item_that_moved_is_decided_from_again_without_another_read(
    either: Environment, shop: Shop, calls: Calls, reads: list[str], rival: Environment
) -> None:
    before_next_write(either.client, lambda: rival.adjust(shop.command(-4)))

    outcome = either.adjust(shop.command(-3))

    assert (outcome.attempts, outcome.replayed) == (2, False)
    assert (outcome.adjustment.sequence, outcome.adjustment.quantity_after) == (3, 3)
    assert calls.operations == [*reads, WRITE, WRITE]
    assert calls.cancellations == [["ConditionalCheckFailed", "None"]]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -4, -3]


def test_a_state_that_was_stale_before_the_request_costs_one_more_write_and_no_read(
    warm: Environment, shop: Shop, calls: Calls, rival: Environment
) -> None:
    for _ in range(3):
        rival.adjust(shop.command(-1))

    outcome = warm.adjust(shop.command(-3, key="a key"))

    assert (outcome.attempts, outcome.replayed) == (2, False)
    assert (outcome.adjustment.sequence, outcome.adjustment.quantity_after) == (5, 4)
    assert calls.operations == [WRITE, WRITE]
    assert calls.cancellations == [["ConditionalCheckFailed", "None"]]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -1, -1, -1, -3]


def test_two_environments_that_take_turns_on_one_item_stay_exact_and_read_it_for_a_minute(
    clients: Clients, shop: Shop
) -> None:
    now_s = 1_000_000.0
    both = [environment(clients.make(), shop.tables, time_s=lambda: now_s) for _ in range(2)]
    calls_of_both = [Calls(each.client) for each in both]

    def take_turns() -> list[list[str]]:
        made = []
        for service, calls in zip(both, calls_of_both, strict=True):
            calls.forget()
            service.adjust(shop.command(1, location_id=shop.location_id))
            made.append(list(calls.operations))
        return made

    assert take_turns() == [[READ, WRITE], [READ, WRITE]], "the catalog is not known yet"
    assert take_turns() == [[WRITE, WRITE], [WRITE, WRITE]], "each finds out that it is not alone"
    for _ in range(3):
        assert take_turns() == [[READ, WRITE], [READ, WRITE]]
    now_s += CONTENDED_LIFETIME_S - 0.001
    assert take_turns() == [[READ, WRITE], [READ, WRITE]]
    now_s += 0.001
    assert take_turns() == [[READ, WRITE], [READ, WRITE]], "the catalog is as old"
    assert take_turns() == [[WRITE, WRITE], [WRITE, WRITE]], "each checks again whether it is the only writer"
    assert take_turns() == [[READ, WRITE], [READ, WRITE]]

    chain = assert_adds_up(shop.rows(), shop.stock())
    assert [row.quantity_after for row in chain] == list(range(1, len(chain) + 1))
    assert len(chain) == 2 * 9


def test_a_stock_item_created_meanwhile_is_decided_from_again_without_another_read(
    warm: Environment, shop: Shop, calls: Calls, rival: Environment
) -> None:
    variant: dict[str, Any] = {"variant_id": shop.other_variant_id}
    before_next_write(warm.client, lambda: rival.adjust(shop.command(4, **variant)))

    outcome = warm.adjust(shop.command(3, **variant))

    assert (outcome.attempts, outcome.adjustment.quantity_after) == (2, 7)
    assert calls.operations == [READ, WRITE, WRITE]
    assert_adds_up(shop.rows(shop.other_variant_id), shop.stock(shop.other_variant_id))


def test_a_request_that_the_moved_stock_item_no_longer_allows_is_refused(
    either: Environment, shop: Shop, calls: Calls, reads: list[str], rival: Environment
) -> None:
    before_next_write(either.client, lambda: rival.adjust(shop.command(-8)))

    with pytest.raises(InsufficientStock) as refusal:
        either.adjust(shop.command(-3))

    assert refusal.value.facts() == {"quantity_on_hand": 2, "quantity_change": -3}
    assert calls.operations == [*reads, WRITE]
    assert len(shop.rows()) == 2


def test_with_a_key_a_refusal_from_the_moved_stock_item_looks_for_the_keys_row_first(
    either: Environment, shop: Shop, calls: Calls, reads: list[str], rival: Environment
) -> None:
    before_next_write(either.client, lambda: rival.adjust(shop.command(-8)))

    with pytest.raises(InsufficientStock):
        either.adjust(shop.command(-3, key="a key"))

    assert calls.operations == [*reads, WRITE, LOOK]


# --------------------------------------------------------------------------------------------------------- reversals


@pytest.mark.parametrize("key", [None, "a key"])
def test_a_fresh_reversal_reads_what_it_reverses_and_the_state_if_it_is_not_known_and_writes_once(
    either: Environment, shop: Shop, calls: Calls, reads: list[str], key: str | None
) -> None:
    (row,) = shop.rows()

    either.reverse(shop.reversal(row, key=key))

    assert calls.operations == [LOOK, *reads, WRITE]
    assert [each.delta for each in assert_adds_up(shop.rows(), shop.stock())] == [10, -10]


def test_in_fresh_environments_a_replay_of_a_reversal_a_second_one_and_one_of_nothing_only_read(
    warm: Environment, shop: Shop, clients: Clients
) -> None:
    (row,) = shop.rows()
    warm.reverse(shop.reversal(row, key="a key"))
    before = shop.tables.contents()

    def fresh() -> tuple[Environment, Calls]:
        service = environment(clients.make(), shop.tables)
        return service, Calls(service.client)

    service, calls = fresh()
    assert service.reverse(shop.reversal(row, key="a key")).replayed
    assert calls.operations == [LOOK, READ]
    service, calls = fresh()
    with pytest.raises(AlreadyReversed):
        service.reverse(shop.reversal(row))
    assert calls.operations == [LOOK, READ]
    service, calls = fresh()
    with pytest.raises(AlreadyReversed):
        service.reverse(shop.reversal(row, key="another key"))
    assert calls.operations == [LOOK, READ, LOOK]
    service, calls = fresh()
    with pytest.raises(AdjustmentNotFound):
        service.reverse(replace(shop.reversal(row), adjustment_id=uuid4()))
    assert calls.operations == [LOOK]
    assert shop.tables.contents() == before


def test_second_reversals_that_the_cached_state_would_reject_only_read(
    warm: Environment, shop: Shop, calls: Calls
) -> None:
    """Nothing is left in stock that could be taken back again."""
    (row,) = shop.rows()
    warm.reverse(shop.reversal(row, key="a key"))
    before = shop.tables.contents()
    calls.forget()

    assert warm.reverse(shop.reversal(row, key="a key")).replayed
    assert calls.operations == [LOOK, LOOK]
    calls.forget()
    with pytest.raises(AlreadyReversed):
        warm.reverse(shop.reversal(row))
    assert calls.operations == [LOOK, READ]
    calls.forget()
    with pytest.raises(AlreadyReversed):
        warm.reverse(shop.reversal(row, key="another key"))
    assert calls.operations == [LOOK, LOOK]
    calls.forget()
    with pytest.raises(AdjustmentNotFound):
        warm.reverse(replace(shop.reversal(row), adjustment_id=uuid4()))
    assert calls.operations == [LOOK]
    assert shop.tables.contents() == before


@pytest.mark.parametrize(
    ("key", "looks", "reasons"),
    [
        ("a key", [], ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]),
        (None, [], ["None", "None", "ConditionalCheckFailed"]),
        ("another key", [LOOK], ["None", "None", "ConditionalCheckFailed"]),
    ],
    ids=["the same key", "no key", "another key"],
)
def test_a_second_reversal_that_the_cached_state_would_allow_is_one_cancelled_write(
    warm: Environment, shop: Shop, calls: Calls, key: str | None, looks: list[str], reasons: list[str]
) -> None:
    (row,) = shop.rows()
    first = warm.reverse(shop.reversal(row, key="a key")).adjustment
    warm.adjust(shop.command(50))
    before = shop.tables.contents()
    calls.forget()

    if key == "a key":
        again = warm.reverse(shop.reversal(row, key=key))
        assert (again.replayed, again.adjustment) == (True, first)
    else:
        with pytest.raises(AlreadyReversed) as refusal:
            warm.reverse(shop.reversal(row, key=key))
        assert refusal.value.reversed_by == first.id

    assert calls.operations == [LOOK, WRITE, *looks]
    assert calls.cancellations == [reasons]
    assert shop.tables.contents() == before


# ------------------------------------------------------------------------------------------------------ write units


@pytest.fixture
def consumed(service: Environment) -> list[dict[str, dict[str, Any]]]:
    """The units of each transaction from now on, by table, separately for each index."""
    consumed: list[dict[str, dict[str, Any]]] = []

    def ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def record(parsed: dict[str, Any], **_: object) -> None:
        consumed.append({entry["TableName"]: entry for entry in parsed.get("ConsumedCapacity", [])})

    service.client.meta.events.register(f"provide-client-params.dynamodb.{WRITE}", ask)
    service.client.meta.events.register(f"after-call.dynamodb.{WRITE}", record)
    return consumed


@pytest.mark.parametrize("seen", ["first touch", "update"])
def test_an_adjustment_costs_four_write_units_and_one_an_index(
    service: Environment, shop: Shop, consumed: list[dict[str, dict[str, Any]]], seen: str
) -> None:
    if seen == "update":
        service.adjust(shop.command(10))
        consumed.clear()

    service.adjust(shop.command(3, key="k" * 255, reason="r" * 50, reference="f" * 50, reason_code="count_variance"))

    (units,) = consumed
    assert units[shop.tables.inventory]["WriteCapacityUnits"] == 2
    assert units[shop.tables.ledger]["WriteCapacityUnits"] == 2
    indexes = units[shop.tables.ledger]["GlobalSecondaryIndexes"]
    assert {name: each["WriteCapacityUnits"] for name, each in indexes.items()} == {
        "by_stock_item": 1,
        "by_business": 1,
    }


def test_a_reversal_costs_two_write_units_more_for_its_link(
    service: Environment, shop: Shop, consumed: list[dict[str, dict[str, Any]]]
) -> None:
    row = service.adjust(shop.command(10)).adjustment
    consumed.clear()

    service.reverse(shop.reversal(row, key="k" * 255, reason="r" * 50))

    (units,) = consumed
    assert units[shop.tables.inventory]["WriteCapacityUnits"] == 4
    assert units[shop.tables.ledger]["WriteCapacityUnits"] == 2


def test_the_stock_item_stays_in_one_unit_whatever_the_row_holds(
    service: Environment, shop: Shop, consumed: list[dict[str, dict[str, Any]]]
) -> None:
    service.adjust(shop.command(3, reason="\U0001f4a9" * 500, reference="\U0001f4a9" * 255))

    (units,) = consumed
    assert units[shop.tables.inventory]["WriteCapacityUnits"] == 2


def test_a_row_is_found_in_both_indexes(service: Environment, shop: Shop) -> None:
    rows = [service.adjust(shop.command(3)).adjustment for _ in range(3)]

    indexed = {
        index: shop.tables.client.scan(TableName=shop.tables.ledger, IndexName=index)["Items"]
        for index in ("by_stock_item", "by_business")
    }

    assert {name: len(items) for name, items in indexed.items()} == {"by_stock_item": 3, "by_business": 3}
    assert {item["id"]["S"] for items in indexed.values() for item in items} == {str(row.id) for row in rows}
    assert shop.stock() == stock_after(rows[-1])
