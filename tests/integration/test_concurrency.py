"""Many concurrent requests: the acknowledged changes, the ledger and the stock agree exactly."""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain import retry_budget
from inventory.domain.errors import AlreadyReversed, IdempotencyKeyReused, InsufficientStock, ServiceError
from inventory.domain.model import Command, Outcome, Reversal
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import Environment, Shop, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.domain.model import Adjustment, ReversalLink, Snapshot, StockItemId
    from inventory.domain.store import CommitResult, Store
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

LONG_READ_TIMEOUT_S = 60
OPENING = 100

type Asked = Command | Reversal
type Result = Outcome | ServiceError


@pytest.fixture(autouse=True)
def _no_end_to_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts of a request must not depend on the machine's speed."""
    monkeypatch.setattr(retry_budget, "ATTEMPTS_MAX", sys.maxsize)


@pytest.fixture
def environments(clients: Clients, tables: Tables) -> Callable[[int], list[Environment]]:
    """Makes environments that share nothing, not even the time; they really wait between their attempts."""

    def make(count: int) -> list[Environment]:
        return [
            environment(
                clients.make(read_timeout_s=LONG_READ_TIMEOUT_S),
                tables,
                sleep=time.sleep,
                clock_ahead=timedelta(seconds=number % 7 - 3),
            )
            for number in range(count)
        ]

    return make


def all_at_once[A: Asked](jobs: list[tuple[Environment, list[A]]]) -> list[tuple[A, Result]]:
    """Run what each job asks for one after another, the jobs beside each other from one start."""
    start = Barrier(len(jobs))

    def work(job: tuple[Environment, list[A]]) -> list[tuple[A, Result]]:
        service, all_asked = job
        start.wait()
        return [(asked, attempt(service, asked)) for asked in all_asked]

    with ThreadPoolExecutor(len(jobs)) as threads:
        return [result for results in threads.map(work, jobs) for result in results]


def attempt(service: Environment, asked: Asked) -> Result:
    try:
        return service.adjust(asked) if isinstance(asked, Command) else service.reverse(asked)
    except ServiceError as error:
        return error


def outcomes[A: Asked](results: list[tuple[A, Result]]) -> list[Outcome]:
    return [result for _, result in results if isinstance(result, Outcome)]


def kinds[A: Asked](results: list[tuple[A, Result]]) -> Counter[str]:
    return Counter(type(result).__name__ for _, result in results)


# ------------------------------------------------------------------------------------------------------ one hot item


@pytest.mark.parametrize(
    ("writers", "commands_each", "sharing"),
    [(16, 6, "a client each"), (16, 6, "one client"), (64, 2, "a client each")],
)
def test_writers_of_one_item_never_lose_double_or_oversell(
    environments: Callable[[int], list[Environment]],
    shop: Shop,
    writers: int,
    commands_each: int,
    sharing: str,
) -> None:
    services = environments(writers) if sharing == "a client each" else environments(1) * writers
    services[0].adjust(shop.command(OPENING))
    elsewhere: list[dict[str, Any]] = [
        {"location_id": shop.other_location_id},
        {"variant_id": shop.other_variant_id},
        {"variant_id": shop.other_variant_id, "location_id": shop.other_location_id},
    ]
    hot = [
        [
            shop.command(
                3 if (writer + each) % 3 == 0 else -5,
                key=f"{writer}-{each}" if (writer + each) % 2 else None,
                reason=f"Count {each} of {writer}",
            )
            for each in range(commands_each)
        ]
        for writer in range(writers)
    ]
    unrelated = [[shop.command(1, **place) for _ in range(commands_each)] for place in elsewhere]
    hot_commands = {command for commands in hot for command in commands}
    asked = sum(command.quantity_change or 0 for command in hot_commands)
    assert OPENING + asked < 0, "some must be refused"

    results = all_at_once(list(zip([*services, *environments(3)], [*hot, *unrelated], strict=True)))

    on_hot = [(command, result) for command, result in results if command in hot_commands]
    acknowledged = outcomes(on_hot)
    chain = assert_adds_up(shop.rows(), shop.stock())
    stock = shop.stock()
    assert stock is not None
    assert sorted(row.sequence for row in (outcome.adjustment for outcome in acknowledged)) == list(
        range(2, len(chain) + 1)
    )
    assert {outcome.adjustment for outcome in acknowledged} == set(chain[1:])
    assert stock.quantity == OPENING + sum(outcome.adjustment.delta for outcome in acknowledged)
    assert all(row.quantity_after >= 0 for row in chain)
    assert not any(outcome.replayed for outcome in acknowledged)

    refused = [result for _, result in on_hot if not isinstance(result, Outcome)]
    balances = {row.quantity_after for row in chain}
    assert refused
    for refusal in refused:
        assert isinstance(refusal, InsufficientStock), "never TryAgain"
        assert refusal.quantity_on_hand in balances
        assert refusal.quantity_on_hand + refusal.quantity_change < 0

    assert len(shop.tables.rows()) == len(chain) + 3 * commands_each
    for place in elsewhere:
        variant_id = place.get("variant_id", shop.variant_id)
        location_id = place.get("location_id", shop.location_id)
        there = (variant_id, location_id)
        rows = [row for row in shop.tables.rows() if (row.variant_id, row.location_id) == there]
        assert len(assert_adds_up(rows, shop.tables.stock(shop.business_id, *there))) == commands_each


def test_the_first_touch_of_an_item_by_many_makes_one_chain(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    results = all_at_once([(service, [shop.command(1)]) for service in environments(12)])

    assert kinds(results) == {"Outcome": 12}
    chain = assert_adds_up(shop.rows(), shop.stock())
    assert set(chain) == {outcome.adjustment for outcome in outcomes(results)}


def test_one_of_many_requests_that_expect_the_same_quantity_wins(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    results = all_at_once([(service, [shop.command(1, expected_quantity=0)]) for service in environments(20)])

    assert kinds(results) == {"Outcome": 1, "StaleQuantity": 19}
    assert len(assert_adds_up(shop.rows(), shop.stock())) == 1


# ----------------------------------------------------------------------------------------------------------- one key


def test_many_requests_of_one_key_make_one_row_and_get_one_answer(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    command = shop.command(5, key="a key")

    results = outcomes(all_at_once([(service, [command]) for service in environments(20)]))

    assert len(results) == 20
    assert Counter(outcome.replayed for outcome in results) == {False: 1, True: 19}
    assert {outcome.adjustment for outcome in results} == set(shop.tables.rows())
    assert len(assert_adds_up(shop.rows(), shop.stock())) == 1


def test_exactly_one_of_two_requests_that_share_a_key_wins(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    commands = [shop.command(5, key="a key"), shop.command(6, key="a key")]

    results = all_at_once([(service, [commands[number % 2]]) for number, service in enumerate(environments(20))])

    (row,) = assert_adds_up(shop.rows(), shop.stock())
    for command, result in results:
        if command.quantity_change == row.delta:
            assert isinstance(result, Outcome)
            assert result.adjustment == row
        else:
            assert isinstance(result, IdempotencyKeyReused)
    assert kinds(results) == {"Outcome": 10, "IdempotencyKeyReused": 10}
    assert Counter(outcome.replayed for outcome in outcomes(results)) == {False: 1, True: 9}


def test_one_key_may_be_used_by_two_businesses_at_once(
    environments: Callable[[int], list[Environment]], shop: Shop, tables: Tables
) -> None:
    shops = [shop, Shop(tables).open()]

    results = outcomes(
        all_at_once(
            [(service, [shops[number % 2].command(5, key="a key")]) for number, service in enumerate(environments(8))]
        )
    )

    assert Counter(outcome.replayed for outcome in results) == {False: 2, True: 6}
    assert [len(assert_adds_up(each.rows(), each.stock())) for each in shops] == [1, 1]


def test_repetitions_of_a_key_replay_while_others_empty_the_stock(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    services = environments(20)
    services[0].adjust(shop.command(10))
    first = services[0].adjust(shop.command(-2, key="a key")).adjustment
    repetitions = [(service, [shop.command(-2, key="a key")] * 2) for service in services[:10]]
    drains = [(service, [shop.command(-1)]) for service in services[10:]]

    results = all_at_once([*repetitions, *drains])

    repeated = [(command, result) for command, result in results if command.idempotency_key]
    drained = [(command, result) for command, result in results if not command.idempotency_key]
    assert kinds(repeated) == {"Outcome": 20}
    assert {(outcome.replayed, outcome.adjustment) for outcome in outcomes(repeated)} == {(True, first)}
    assert kinds(drained) == {"Outcome": 8, "InsufficientStock": 2}
    assert assert_adds_up(shop.rows(), shop.stock())[-1].quantity_after == 0


@pytest.mark.parametrize("attempt_number", range(5))
def test_answers_agree_with_the_ledger_when_a_key_and_others_race_for_the_last_units(
    environments: Callable[[int], list[Environment]], shop: Shop, attempt_number: int
) -> None:
    services = environments(16)
    services[0].adjust(shop.command(5))
    keyed = [(service, [shop.command(-5, key=f"key {attempt_number}")]) for service in services[:8]]
    others = [(service, [shop.command(-5)]) for service in services[8:]]

    results = all_at_once([*keyed, *others])

    _, winner = assert_adds_up(shop.rows(), shop.stock())
    by_key = [(command, result) for command, result in results if command.idempotency_key]
    by_others = [(command, result) for command, result in results if not command.idempotency_key]
    if any(outcome.adjustment == winner for outcome in outcomes(by_key)):
        assert kinds(by_key) == {"Outcome": 8}
        assert Counter(outcome.replayed for outcome in outcomes(by_key)) == {False: 1, True: 7}
        assert kinds(by_others) == {"InsufficientStock": 8}
    else:
        assert kinds(by_key) == {"InsufficientStock": 8}
        assert kinds(by_others) == {"Outcome": 1, "InsufficientStock": 7}


@dataclass
class TornReads:
    """A store whose read isn't atomic, like BatchGetItem's: ledger, then ``between``, then stock."""

    inner: Store
    between: Callable[[], object]

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return self.inner.cached(commands)

    def load(
        self,
        commands: Sequence[Command],
        recorded_ids: Sequence[UUID] = (),
        *,
        reverses: UUID | None = None,
        transactional: bool = False,
        **_: object,
    ) -> Snapshot:
        if transactional:
            return self.inner.load(commands, recorded_ids, reverses=reverses, transactional=True)
        earlier = self.inner.load(commands, recorded_ids, reverses=reverses)
        self.between()
        return replace(self.inner.load(commands, recorded_ids, reverses=reverses), recorded=earlier.recorded)

    def stock_item_ids(self, commands: Sequence[Command], **_: object) -> list[StockItemId | None]:
        return self.inner.stock_item_ids(commands)

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        return self.inner.find(business_id, adjustment_ids)

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        return self.inner.commit(rows, snapshot, link, message_digests)


def test_a_repetition_that_reads_the_ledger_before_and_the_stock_after_the_first_try_still_replays(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    rival, repeating = environments(2)
    rival.adjust(shop.command(5))
    first = []

    def first_try_empties_the_stock() -> None:
        first.append(rival.adjust(shop.command(-5, key="a key")))

    torn = TornReads(repeating.store, first_try_empties_the_stock)
    service = environment(repeating.client, shop.tables, store=torn)

    outcome = service.adjust(shop.command(-5, key="a key"))

    assert (first[0].replayed, outcome.replayed) == (False, True)
    assert outcome.adjustment == first[0].adjustment
    assert len(assert_adds_up(shop.rows(), shop.stock())) == 2


def test_a_key_that_another_request_takes_between_two_reads_is_reported_as_reused(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    rival, other = environments(2)
    rival.adjust(shop.command(5))
    torn = TornReads(other.store, lambda: rival.adjust(shop.command(-5, key="a key")))
    service = environment(other.client, shop.tables, store=torn)

    with pytest.raises(IdempotencyKeyReused):
        service.adjust(shop.command(-4, key="a key"))

    assert len(assert_adds_up(shop.rows(), shop.stock())) == 2


# --------------------------------------------------------------------------------------------------------- reversals


@pytest.fixture
def opening(environments: Callable[[int], list[Environment]], shop: Shop) -> Adjustment:
    """The one adjustment so far: there is stock enough to take it back more than once, were that possible."""
    (service,) = environments(1)
    row = service.adjust(shop.command(5)).adjustment
    service.adjust(shop.command(OPENING))
    return row


@pytest.mark.parametrize("keyed", [False, True], ids=["no keys", "a key each"])
def test_exactly_one_of_many_reversals_of_one_adjustment_succeeds(
    environments: Callable[[int], list[Environment]],
    shop: Shop,
    opening: Adjustment,
    keyed: bool,  # noqa: FBT001
) -> None:
    reversals = [shop.reversal(opening, key=f"key {number}" if keyed else None) for number in range(20)]

    results = all_at_once(list(zip(environments(20), [[each] for each in reversals], strict=True)))

    assert kinds(results) == {"Outcome": 1, "AlreadyReversed": 19}
    (outcome,) = outcomes(results)
    assert not outcome.replayed
    assert {result.reversed_by for _, result in results if isinstance(result, AlreadyReversed)} == {
        outcome.adjustment.id
    }
    chain = assert_adds_up(shop.rows(), shop.stock())
    assert chain[2:] == [outcome.adjustment]
    assert sum(row.delta for row in chain) == OPENING
    assert shop.tables.reversed_by(opening) == str(outcome.adjustment.id)


def test_many_reversals_of_one_key_make_one_row_and_get_one_answer(
    environments: Callable[[int], list[Environment]], shop: Shop, opening: Adjustment
) -> None:
    reversal = shop.reversal(opening, key="a key")

    results = outcomes(all_at_once([(service, [reversal]) for service in environments(20)]))

    assert Counter(outcome.replayed for outcome in results) == {False: 1, True: 19}
    assert {outcome.adjustment for outcome in results} == set(assert_adds_up(shop.rows(), shop.stock())[2:])
    assert len(shop.rows()) == 3


def test_a_creation_and_a_reversal_that_share_a_key_are_one_of_both(
    environments: Callable[[int], list[Environment]], shop: Shop, opening: Adjustment
) -> None:
    all_asked: list[Asked] = [shop.command(-5, key="a key"), shop.reversal(opening, key="a key")]

    results = all_at_once([(service, [all_asked[number % 2]]) for number, service in enumerate(environments(20))])

    assert kinds(results) == {"Outcome": 10, "IdempotencyKeyReused": 10}
    assert {outcome.adjustment for outcome in outcomes(results)} == set(assert_adds_up(shop.rows(), shop.stock())[2:])
    assert len(shop.rows()) == 3


def test_reversals_among_other_changes_of_a_hot_item_lose_nothing_and_double_nothing(
    environments: Callable[[int], list[Environment]], shop: Shop
) -> None:
    (first,) = environments(1)
    rows = [first.adjust(shop.command(2)).adjustment for _ in range(6)]
    reversing: list[list[Asked]] = [[shop.reversal(row) for row in rows] for _ in range(4)]
    changing: list[list[Asked]] = [[shop.command(1), shop.command(-1)] * 3 for _ in range(6)]

    results = all_at_once(list(zip(environments(10), reversing + changing, strict=True)))

    chain = assert_adds_up(shop.rows(), shop.stock())
    acknowledged = outcomes(results)
    assert {outcome.adjustment for outcome in acknowledged} == set(chain[6:])
    assert len(acknowledged) == len(chain) - 6
    assert all(row.quantity_after >= 0 for row in chain)
    reversals = [row for row in chain if row.reverses is not None]
    assert len({row.reverses for row in reversals}) == len(reversals)
    assert {shop.tables.reversed_by(row) for row in rows} - {None} == {str(row.id) for row in reversals}
    reversals_named = {result.reversed_by for _, result in results if isinstance(result, AlreadyReversed)}
    assert reversals_named <= {row.id for row in reversals}
    assert set(kinds(results)) <= {"Outcome", "AlreadyReversed", "InsufficientStock"}
