"""Requests at once on a store that fails in every way, in every order: none is lost, doubled or contradicted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.adjust import Outcome, keyed_id, stock_after
from inventory.errors import IdempotencyKeyReused, Refusal, TryAgain
from inventory.model import Business
from tests.support.builders import BUSINESS, LOCATION, OTHER_LOCATION, VARIANT, a_command
from tests.support.fake_store import FakeStore
from tests.support.interleaving import Interleaving, Run
from tests.support.scripted import Met

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.model import Adjustment, Command
    from tests.support.interleaving import Choose

REQUESTS_MAX = 4
LATENESS = [Met.OK, Met.OK, Met.OK, Met.LOST, Met.UNHEARD, Met.UNDER_WAY, Met.CONTENDED]


@dataclass(frozen=True)
class Asked:
    """A request as it is drawn; requests of one key may be equal or not."""

    change: int
    key: str | None
    location_id: UUID | None
    expected: int | None

    def command(self, number: int) -> Command:
        return a_command(
            quantity_change=self.change,
            idempotency_key=self.key,
            location_id=self.location_id,
            expected_quantity=self.expected,
            actor=f"request {number}",
        )


asked = st.builds(
    Asked,
    change=st.sampled_from([-3, -2, -1, 1, 2]),
    key=st.sampled_from([None, "a", "b"]),
    location_id=st.sampled_from([None, None, LOCATION]),
    expected=st.sampled_from([None, None, None, 0, 2]),
)
orders = st.binary(min_size=200, max_size=200)


def in_turn(store: FakeStore, runs: list[Run]) -> None:
    Interleaving(store, lambda _: 0, [], [Met.OK]).run(runs)


def a_shop(opening: int) -> FakeStore:
    store = FakeStore(
        businesses={BUSINESS: Business(allow_negative_stock=False, default_location_id=LOCATION)},
        active_variants={(BUSINESS, VARIANT)},
        active_locations={(BUSINESS, LOCATION), (BUSINESS, OTHER_LOCATION)},
    )
    # The other location has a history of its own, longer than most and without stock at its end.
    openings = [(LOCATION, 1)] * opening + [(OTHER_LOCATION, change) for change in (1, -1, 1, -1)]
    for number, (location_id, change) in enumerate(openings):
        command = a_command(quantity_change=change, location_id=location_id, actor="opening")
        in_turn(store, [Run(command, partial(UUID, int=number))])
    return store


def in_this_order(order: bytes) -> Choose:
    """Choices as drawn; beyond them always the first, so every run ends."""
    drawn = chain(order, repeat(0))
    return lambda count: next(drawn) % count


def happenings_in(store: FakeStore, names: list[str]) -> list[Callable[[], None]]:
    """What operators do meanwhile."""

    def another_default() -> None:
        store.businesses[BUSINESS] = replace(store.businesses[BUSINESS], default_location_id=OTHER_LOCATION)

    def no_variant() -> None:
        store.active_variants.clear()

    def no_location() -> None:
        store.active_locations.discard((BUSINESS, LOCATION))

    possible = {"another default": another_default, "no variant": no_variant, "no location": no_location}
    return [possible[name] for name in names]


@settings(max_examples=400)
@given(
    requests=st.lists(asked, min_size=1, max_size=REQUESTS_MAX),
    opening=st.integers(0, 3),
    happening=st.lists(st.sampled_from(["another default", "no variant", "no location"]), max_size=1),
    order=orders,
)
def test_every_answer_is_true_whatever_happens_in_whatever_order(
    requests: list[Asked], opening: int, happening: list[str], order: bytes
) -> None:
    store = a_shop(opening)
    commands = [each.command(number) for number, each in enumerate(requests)]
    runs = [Run(command, partial(UUID, int=1_000 + number)) for number, command in enumerate(commands)]
    interleaving = Interleaving(store, in_this_order(order), happenings_in(store, happening), LATENESS)

    interleaving.run(runs)
    interleaving.deliver_all()

    assert_stock_adds_up(store)
    written = Counter(row.created_by for row in store.ledger.values())
    assert all(count == 1 for actor, count in written.items() if actor != "opening")
    for run in runs:
        assert_answer_is_true(run, store, written[run.command.actor])


def assert_answer_is_true(run: Run, store: FakeStore, written: int) -> None:
    """What the caller was told fits what stands in the ledger for ever."""
    command, end = run.command, run.end
    key = command.idempotency_key
    recorded = None if key is None else store.ledger.get((BUSINESS, keyed_id(BUSINESS, key)))
    match end:
        case Outcome(adjustment=row, replayed=False):
            assert written == 1
            assert store.ledger[BUSINESS, row.id] == row
            assert row.created_by == command.actor
            assert_row_is_what_was_asked(row, command)
        case Outcome(adjustment=row, replayed=True):
            assert written == 0
            assert recorded == row
            assert_row_is_what_was_asked(row, command)
        case IdempotencyKeyReused():
            assert written == 0
            assert recorded is not None
        case Refusal():
            assert written == 0
        case TryAgain():
            assert written <= 1
        case _:
            raise AssertionError(end)


def assert_row_is_what_was_asked(row: Adjustment, command: Command) -> None:
    assert (row.delta, row.expected_quantity) == (command.quantity_change, command.expected_quantity)
    assert command.location_id in {None, row.location_id}


def assert_stock_adds_up(store: FakeStore) -> None:
    for location_id in (LOCATION, OTHER_LOCATION):
        rows = sorted(
            (row for row in store.ledger.values() if row.location_id == location_id), key=lambda row: row.sequence
        )
        stock = store.stock.get((BUSINESS, VARIANT, location_id))
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert all(earlier.created_at < later.created_at for earlier, later in pairwise(rows))
        assert all(later.previous_hash == earlier.hash for earlier, later in pairwise(rows))
        running = 0
        for row in rows:
            running += row.delta
            assert row.quantity_after == running >= 0
            assert row.expected_quantity in {None, running - row.delta}
        assert stock == (stock_after(rows[-1]) if rows else None)


@settings(max_examples=50)
@given(st.lists(st.integers(-5, 5).filter(bool), min_size=2, max_size=5), orders)
def test_without_faults_every_request_is_answered_for_good(changes: list[int], order: bytes) -> None:
    store = a_shop(2)
    runs = [
        Run(a_command(quantity_change=change, actor=f"request {number}"), partial(UUID, int=1_000 + number))
        for number, change in enumerate(changes)
    ]

    Interleaving(store, in_this_order(order), [], [Met.OK]).run(runs)

    acknowledged = sum(run.command.quantity_change for run in runs if isinstance(run.end, Outcome))
    assert not any(isinstance(run.end, TryAgain) for run in runs)
    assert store.stock[BUSINESS, VARIANT, LOCATION].quantity == 2 + acknowledged
    assert_stock_adds_up(store)
