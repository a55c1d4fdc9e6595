"""Requests for one stock item together, on the emulator: exact beside other writers, whatever is lost on the wire."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain import retry_budget
from inventory.domain.errors import IdempotencyKeyReused, InsufficientStock, ServiceError
from inventory.domain.model import QUANTITY_CHANGE_MAX, Outcome
from inventory.domain.store import GROUP_MAX
from tests.support.faults.scene import FAULTS, LOOK, READ, WRITE, Scene
from tests.support.harness.emulator import Calls
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import AMPLE_S, Environment, Shop, environment

if TYPE_CHECKING:
    from inventory.adjusting.loop import Result
    from inventory.domain.model import Command
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

LONG_READ_TIMEOUT_S = 60
TRANSACTION_MAX_BYTES = 4 * 1024 * 1024

CHOSEN = [
    "closed before delivery",
    "throttled",
    "reset instead of a reply",
    "reply stalled",
    "reply cut off",
    "reply is an empty object",
    "500 instead of a reply",
]
keyed_and_unkeyed = pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])


def together(service: Environment, commands: list[Command]) -> list[Result]:
    return service.adjuster.adjust_all(commands, remaining_s=lambda: AMPLE_S)


def alone(service: Environment, command: Command) -> Result | ServiceError:
    try:
        return service.adjust(command)
    except ServiceError as error:
        return error


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts of a request must not depend on the machine's speed."""
    monkeypatch.setattr(retry_budget, "ATTEMPTS_MAX", sys.maxsize)


# ---------------------------------------------------------------------------------------------------------- exactness


@pytest.mark.usefixtures("endless")
def test_groups_and_single_writers_on_one_item_never_lose_double_or_oversell(
    clients: Clients, tables: Tables, shop: Shop
) -> None:
    """Each group has refusals, keys that come twice, and keys that another group has too."""
    groups, singles, opening = 8, 4, 200

    def a_service() -> Environment:
        return environment(clients.make(read_timeout_s=LONG_READ_TIMEOUT_S), tables, sleep=time.sleep)

    def of_group(number: int) -> list[Command]:
        keys = [f"shared {place}" if place % 11 == 0 else f"{number}-{place % 90}" for place in range(GROUP_MAX)]
        return [
            shop.command(2 if place % 90 % 3 == 0 else -3, key=key, actor=f"group {number}.{place}")
            for place, key in enumerate(keys)
        ]

    def of_single(number: int) -> list[Command]:
        return [shop.command(1 if each % 2 else -2, actor=f"single {number}.{each}") for each in range(5)]

    a_service().adjust(shop.command(opening, actor="opening"))
    start = Barrier(groups + singles)

    def work(service: Environment, commands: list[Command], *, go_together: bool) -> list[tuple[Command, Any]]:
        start.wait()
        results = together(service, commands) if go_together else [alone(service, each) for each in commands]
        return list(zip(commands, results, strict=True))

    with ThreadPoolExecutor(groups + singles) as threads:
        jobs = [threads.submit(work, a_service(), of_group(number), go_together=True) for number in range(groups)]
        jobs += [threads.submit(work, a_service(), of_single(number), go_together=False) for number in range(singles)]
        results = [each for job in jobs for each in job.result()]

    assert len(results) == groups * GROUP_MAX + singles * 5
    chain = assert_adds_up(shop.rows(), shop.stock())
    new = [result for _, result in results if isinstance(result, Outcome) and not result.replayed]
    assert sorted(each.adjustment.sequence for each in new) == list(range(2, len(chain) + 1))
    assert {each.adjustment for each in new} == set(chain[1:]), "acknowledged is what stands"
    stock = shop.stock()
    assert stock is not None
    assert stock.quantity == opening + sum(each.adjustment.delta for each in new)
    assert all(row.quantity_after >= 0 for row in chain)
    by_id = {row.id: row for row in chain}
    for command, result in results:
        match result:
            case Outcome(adjustment=row, replayed=replayed):
                assert by_id[row.id] == row
                assert replayed == (row.created_by != command.actor)
                assert row.delta == command.quantity_change
            case _:
                assert isinstance(result, InsufficientStock | IdempotencyKeyReused)
    assert any(isinstance(result, InsufficientStock) for _, result in results), "some must be refused"


# ------------------------------------------------------------------------------------------------------------- limits


def test_the_largest_group_of_the_largest_rows_is_well_under_a_transactions_limit(
    service: Environment, shop: Shop
) -> None:
    """DynamoDB counts the bytes of names and values in UTF-8, all parts together."""
    commands = [
        shop.command(
            QUANTITY_CHANGE_MAX,
            key=f"{number:0255}",
            reason="\U0001f4a9" * 500,
            reference="\U0001f9fe" * 255,
            actor="\U0001f9fe" * 255,
            reason_code="receipt_correction",
            expected_quantity=number * QUANTITY_CHANGE_MAX,
        )
        for number in range(GROUP_MAX)
    ]
    sent: list[dict[str, Any]] = []
    service.client.meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems", lambda params, **_: sent.append(params)
    )

    results = together(service, commands)

    assert all(isinstance(each, Outcome) for each in results)
    chain = assert_adds_up(shop.rows(), shop.stock())
    assert [(row.reason, row.reference) for row in chain] == [(each.reason, each.reference) for each in commands]
    (transaction,) = sent
    size_bytes = sum(
        len(name.encode()) + sum(len(str(member).encode()) for member in value.values())
        for part in transaction["TransactItems"][1:]
        for name, value in part["Put"]["Item"].items()
    )
    assert GROUP_MAX * 4 * (500 + 255 + 255) < size_bytes < TRANSACTION_MAX_BYTES / 4


@pytest.fixture
def known(service: Environment, shop: Shop) -> Environment:
    """The environment that knows the stock item's state."""
    service.adjust(shop.command(1))
    return service


@pytest.fixture
def shared(known: Environment, clients: Clients, shop: Shop) -> Environment:
    """The environment that has found out that others move the stock item too, and so reads it."""
    environment(clients.make(), shop.tables).adjust(shop.command(1))
    known.adjust(shop.command(1))
    return known


@pytest.mark.parametrize(("start", "reads"), [("known", []), ("shared", [READ])])
def test_a_group_costs_the_calls_of_one_request(
    request: pytest.FixtureRequest, shop: Shop, start: str, reads: list[str]
) -> None:
    service: Environment = request.getfixturevalue(start)
    calls = Calls(service.client)

    for count in (1, 10, 50, GROUP_MAX):
        calls.forget()
        results = together(service, [shop.command(1, key=f"{count}-{number}") for number in range(count)])
        assert all(isinstance(each, Outcome) for each in results)
        assert calls.operations == [*reads, WRITE]


@pytest.mark.parametrize(
    ("start", "operation", "cancellations"),
    [
        ("shared", READ, []),
        ("known", WRITE, [["None", *["ConditionalCheckFailed"] * GROUP_MAX]]),
    ],
    ids=["shared", "known"],
)
def test_a_repeated_group_costs_one_call_and_writes_nothing(
    request: pytest.FixtureRequest, shop: Shop, start: str, operation: str, cancellations: list[list[str]]
) -> None:
    service: Environment = request.getfixturevalue(start)
    commands = [shop.command(1, key=f"{number}") for number in range(GROUP_MAX)]
    first = together(service, commands)
    before, calls = shop.tables.contents(), Calls(service.client)

    again = together(service, commands)

    assert [each.replayed for each in again if isinstance(each, Outcome)] == [True] * GROUP_MAX
    assert [each.adjustment for each in again if isinstance(each, Outcome)] == [
        each.adjustment for each in first if isinstance(each, Outcome)
    ]
    assert calls.operations == [operation]
    assert calls.cancellations == cancellations
    assert shop.tables.contents() == before


def test_a_partly_repeated_group_writes_its_new_rows_with_the_second_call(known: Environment, shop: Shop) -> None:
    commands = [shop.command(1, key=f"{number}") for number in range(10)]
    first = together(known, commands[::2])
    calls = Calls(known.client)

    results = together(known, commands)

    assert [each.replayed for each in results if isinstance(each, Outcome)] == [True, False] * 5
    assert results[::2] == [replace(each, replayed=True) for each in first if isinstance(each, Outcome)]
    assert calls.operations == [WRITE, WRITE]
    assert len(assert_adds_up(shop.rows(), shop.stock())) == 1 + 10


# -------------------------------------------------------------------------------------------- lost, late and corrupted


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """The scene with time-outs for whole groups on a busy machine."""
    return replace(scene, read_timeout_s=LONG_READ_TIMEOUT_S, stalled_read_timeout_s=0.5)


@keyed_and_unkeyed
@pytest.mark.parametrize("name", CHOSEN)
def test_a_broken_write_of_a_group_makes_exactly_its_rows(scene: Scene, name: str, *, keyed: bool) -> None:
    service = scene.service(FAULTS[name])
    commands = [scene.shop.command(change, key=f"{change}" if keyed else None) for change in (5, -3, -9, 4)]
    scene.proxy.break_nth(WRITE, FAULTS[name])

    results = together(service, commands)

    chain = scene.chain()
    assert [row.delta for row in chain] == [5, -3, 4]
    assert [each.adjustment for each in results if isinstance(each, Outcome)] == chain
    assert isinstance(results[2], InsufficientStock)
    assert not any(isinstance(each, Outcome) and each.replayed for each in results)


@keyed_and_unkeyed
def test_a_write_of_a_group_that_arrives_after_the_answers_changes_nothing(scene: Scene, *, keyed: bool) -> None:
    service = scene.service()
    commands = [scene.shop.command(change, key=f"{change}" if keyed else None) for change in (5, -3, 4)]
    scene.proxy.break_nth(WRITE, FAULTS["reset before delivery"])
    together(service, commands)
    before = scene.shop.tables.contents()

    assert scene.late_statuses() == [400]
    assert scene.shop.tables.contents() == before
    assert scene.deltas() == [5, -3, 4]


def test_a_failed_read_for_rejected_requests_changes_no_written_row(scene: Scene, service: Environment) -> None:
    """The state is not known: what is granted is written before the service looks for the refused ones."""
    service.adjust(scene.shop.command(5))
    assert_broken_look_is_followed_by_another(scene, scene.service(), [READ, READ, WRITE, LOOK, READ, LOOK])


def test_a_failed_read_before_rejections_from_cached_state_is_retried(scene: Scene) -> None:
    """The state is known: the service looks for the refused ones before it writes what is granted."""
    service = scene.service()
    service.adjust(scene.shop.command(5))
    assert_broken_look_is_followed_by_another(scene, service, [LOOK, READ, WRITE, LOOK])


def assert_broken_look_is_followed_by_another(scene: Scene, service: Environment, operations: list[str]) -> None:
    calls = Calls(service.client)
    scene.proxy.break_nth(LOOK, FAULTS["reset instead of a reply"])

    results = together(service, [scene.shop.command(-5, key="all"), scene.shop.command(-1, key="one more")])

    assert [type(each) for each in results] == [Outcome, InsufficientStock]
    assert calls.operations == operations
    assert scene.deltas() == [5, -5]
