"""Requests at once on a store that fails in every way, in every order: none is lost, doubled or contradicted."""

from __future__ import annotations

from collections import Counter
from copy import replace
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, pairwise, repeat
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import AlreadyReversed, IdempotencyKeyReused, Refusal, TryAgain
from inventory.domain.model import Business, Outcome, Reversal, StockItemId
from inventory.domain.rules import keyed_id, stock_after
from tests.support.builders.domain import a_command, a_reversal
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, STOCK_ITEM, VARIANT
from tests.support.fakes.scripted_store import Met
from tests.support.fakes.store import FakeStore
from tests.support.harness.examples import examples
from tests.support.harness.interleaving import Interleaving, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.adjusting.loop import Result
    from inventory.domain.model import Adjustment, Command
    from tests.support.harness.interleaving import Choose

REQUESTS_MAX = 4
FIRST_ID = 1_000
"""The id that the first request draws where it has no key, as a number; the others draw those after it."""
LATENESS = [Met.OK, Met.OK, Met.OK, Met.LOST, Met.UNHEARD, Met.UNDER_WAY, Met.CONTENDED]


@dataclass(frozen=True)
class Asked:
    """A request as it is drawn; requests of one key may be equal or not."""

    change: int
    key: str | None
    location_id: UUID | None
    expected: int | None

    def as_asked_by(self, actor: str) -> Command:
        return a_command(
            quantity_change=self.change,
            idempotency_key=self.key,
            location_id=self.location_id,
            expected_quantity=self.expected,
            actor=actor,
        )


@dataclass(frozen=True)
class AskedBack:
    """A reversal as it is drawn: of an adjustment that is there, or may be made meanwhile, or never."""

    adjustment_id: UUID
    key: str | None

    def as_asked_by(self, actor: str) -> Reversal:
        return a_reversal(adjustment_id=self.adjustment_id, idempotency_key=self.key, actor=actor)


asked = st.builds(
    Asked,
    change=st.sampled_from([-3, -2, -1, 1, 2]),
    key=st.sampled_from([None, "a", "b"]),
    location_id=st.sampled_from([None, None, LOCATION]),
    expected=st.sampled_from([None, None, None, 0, 2]),
)
openings = st.sampled_from([UUID(int=number) for number in range(7)])
of_others = st.sampled_from([UUID(int=FIRST_ID + number) for number in range(REQUESTS_MAX)])
keyed = st.sampled_from([keyed_id(BUSINESS, key) for key in ("a", "b")])
asked_back = st.builds(
    AskedBack, adjustment_id=st.just(UUID(int=0)) | openings | of_others | keyed, key=st.sampled_from([None, "a", "b"])
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
    """Operators' commands during the run."""

    def another_default() -> None:
        store.businesses[BUSINESS] = replace(store.businesses[BUSINESS], default_location_id=OTHER_LOCATION)

    def no_variant() -> None:
        store.active_variants.clear()

    def no_location() -> None:
        store.active_locations.discard((BUSINESS, LOCATION))

    possible = {"another default": another_default, "no variant": no_variant, "no location": no_location}
    return [possible[name] for name in names]


@examples(400)
@given(
    requests=st.lists(asked | asked_back, min_size=1, max_size=REQUESTS_MAX),
    opening=st.integers(0, 3),
    happening=st.lists(st.sampled_from(["another default", "no variant", "no location"]), max_size=1),
    order=orders,
)
def test_every_answer_is_true_under_any_faults_in_any_order(
    requests: list[Asked | AskedBack], opening: int, happening: list[str], order: bytes
) -> None:
    store = a_shop(opening)
    runs = [
        Run(each.as_asked_by(f"request {number}"), partial(UUID, int=FIRST_ID + number))
        for number, each in enumerate(requests)
    ]
    interleaving = Interleaving(store, in_this_order(order), happenings_in(store, happening), LATENESS)

    assert_every_answer_is_true(interleaving, runs, store)


def assert_every_answer_is_true(interleaving: Interleaving, runs: list[Run], store: FakeStore) -> None:
    """Run all to the end: each answer fits what was written, and each request wrote at most once."""
    interleaving.run(runs)
    interleaving.deliver_all()

    assert_stock_adds_up(store)
    assert_each_is_reversed_once_at_most(store)
    written = Counter(row.created_by for row in store.ledger.values())
    assert all(count == 1 for actor, count in written.items() if actor != "opening")
    for asked, answer in answers(runs):
        assert_answer_is_true(asked, answer, store, written[asked.actor])


def answers(runs: list[Run]) -> list[tuple[Command | Reversal, Result]]:
    """Each request of each run with its answer."""
    return [each for run in runs for each in run.asked_and_answered]


def assert_answer_is_true(asked: Command | Reversal, answer: Result, store: FakeStore, written: int) -> None:
    """Each answer fits the rows of the ledger."""
    key = asked.idempotency_key
    recorded = None if key is None else store.ledger.get((BUSINESS, keyed_id(BUSINESS, key)))
    match answer:
        case Outcome(adjustment=row, replayed=False):
            assert written == 1
            assert store.ledger[BUSINESS, row.id] == row
            assert row.created_by == asked.actor
            assert_row_is_what_was_asked(row, asked, store)
        case Outcome(adjustment=row, replayed=True):
            assert written == 0
            assert recorded == row
            assert_row_is_what_was_asked(row, asked, store)
        case IdempotencyKeyReused():
            assert written == 0
            assert recorded is not None
        case AlreadyReversed(reversed_by=reversed_by):
            assert isinstance(asked, Reversal)
            assert written == 0
            assert store.ledger[BUSINESS, reversed_by].reverses == asked.adjustment_id
            assert recorded is None or recorded.reverses != asked.adjustment_id, "its own key has reversed it"
        case Refusal():
            assert written == 0
        case TryAgain():
            assert written <= 1
        case _:
            raise AssertionError(answer)


def assert_row_is_what_was_asked(row: Adjustment, asked: Command | Reversal, store: FakeStore) -> None:
    if isinstance(asked, Reversal):
        reversed_row = store.ledger[BUSINESS, asked.adjustment_id]
        assert (row.reverses, row.delta, row.reason) == (reversed_row.id, -reversed_row.delta, asked.reason)
        assert (row.variant_id, row.location_id) == (reversed_row.variant_id, reversed_row.location_id)
    else:
        assert (row.delta, row.expected_quantity) == (asked.quantity_change, asked.expected_quantity)
        assert asked.location_id in {None, row.location_id}
        assert row.reverses is None


def assert_each_is_reversed_once_at_most(store: FakeStore) -> None:
    reversing = [row for row in store.ledger.values() if row.reverses is not None]
    assert len({row.reverses for row in reversing}) == len(reversing)
    assert {place: link.reversal_id for place, link in store.reversals.items()} == {
        (row.business_id, row.reverses): row.id for row in reversing
    }


def assert_stock_adds_up(store: FakeStore) -> None:
    for location_id in (LOCATION, OTHER_LOCATION):
        rows = sorted(
            (row for row in store.ledger.values() if row.location_id == location_id), key=lambda row: row.sequence
        )
        stock = store.stock.get(StockItemId(BUSINESS, VARIANT, location_id))
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert all(earlier.created_at < later.created_at for earlier, later in pairwise(rows))
        assert all(later.previous_hash == earlier.hash for earlier, later in pairwise(rows))
        running = 0
        for row in rows:
            running += row.delta
            assert row.quantity_after == running >= 0
            assert row.expected_quantity in {None, running - row.delta}
        assert stock == (stock_after(rows[-1]) if rows else None)


@examples(400)
@given(
    groups=st.lists(st.lists(asked, min_size=1, max_size=5), min_size=1, max_size=3),
    others=st.lists(asked | asked_back, max_size=2),
    opening=st.integers(0, 3),
    happening=st.lists(st.sampled_from(["another default", "no variant", "no location"]), max_size=1),
    order=orders,
)
def test_every_answer_to_a_group_is_true_under_any_faults_in_any_order(
    groups: list[list[Asked]], others: list[Asked | AskedBack], opening: int, happening: list[str], order: bytes
) -> None:
    store = a_shop(opening)
    new_id = partial(next, (UUID(int=number) for number in count(FIRST_ID)))
    runs = [
        *(
            Run([each.as_asked_by(f"request {number}.{place}") for place, each in enumerate(group)], new_id)
            for number, group in enumerate(groups)
        ),
        *(Run(each.as_asked_by(f"other {number}"), new_id) for number, each in enumerate(others)),
    ]
    interleaving = Interleaving(store, in_this_order(order), happenings_in(store, happening), LATENESS)

    assert_every_answer_is_true(interleaving, runs, store)


@examples(100)
@given(
    st.lists(st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=4), min_size=2, max_size=4),
    st.sampled_from([[Met.OK], [Met.OK, Met.UNHEARD]]),
    orders,
)
def test_groups_that_lose_only_acknowledgements_get_final_and_exact_answers(
    changes: list[list[int]], meets: list[Met], order: bytes
) -> None:
    store = a_shop(2)
    new_id = partial(next, (UUID(int=number) for number in count(FIRST_ID)))
    runs = [
        Run(
            [a_command(quantity_change=each, actor=f"request {number}.{place}") for place, each in enumerate(group)],
            new_id,
        )
        for number, group in enumerate(changes)
    ]

    Interleaving(store, in_this_order(order), [], meets).run(runs)

    acknowledged = [answer.adjustment for _, answer in answers(runs) if isinstance(answer, Outcome)]
    rows = [row for row in store.ledger.values() if row.created_by != "opening"]
    assert not any(isinstance(answer, TryAgain) for _, answer in answers(runs))
    assert sorted(acknowledged, key=lambda row: row.sequence) == sorted(rows, key=lambda row: row.sequence)
    assert store.stock[STOCK_ITEM].quantity == 2 + sum(row.delta for row in acknowledged)
    assert_stock_adds_up(store)


@examples(50)
@given(st.lists(st.integers(-5, 5).filter(bool), min_size=2, max_size=5), orders)
def test_without_faults_every_request_gets_a_final_answer(changes: list[int], order: bytes) -> None:
    store = a_shop(2)
    commands = [a_command(quantity_change=change, actor=f"request {number}") for number, change in enumerate(changes)]
    runs = [Run(command, partial(UUID, int=FIRST_ID + number)) for number, command in enumerate(commands)]

    Interleaving(store, in_this_order(order), [], [Met.OK]).run(runs)

    acknowledged = sum(answer.adjustment.delta for _, answer in answers(runs) if isinstance(answer, Outcome))
    assert not any(isinstance(answer, TryAgain) for _, answer in answers(runs))
    assert store.stock[STOCK_ITEM].quantity == 2 + acknowledged
    assert_stock_adds_up(store)


@examples(100)
@given(
    keys=st.lists(st.sampled_from([None, "a", "b"]), min_size=2, max_size=REQUESTS_MAX),
    meets=st.sampled_from([[Met.OK], [Met.OK, Met.UNHEARD]]),
    order=orders,
)
def test_exactly_one_reversal_of_an_adjustment_succeeds_and_the_others_get_its_id(
    keys: list[str | None], meets: list[Met], order: bytes
) -> None:
    """Each of them may lose its acknowledgement; nothing else goes wrong, so each gets a final answer."""
    store = a_shop(3)
    runs = [
        Run(AskedBack(UUID(int=2), key).as_asked_by(f"request {number}"), partial(UUID, int=FIRST_ID + number))
        for number, key in enumerate(keys)
    ]

    Interleaving(store, in_this_order(order), [], meets).run(runs)

    (reversal,) = [row for row in store.ledger.values() if row.reverses == UUID(int=2)]
    for asked, answer in answers(runs):
        if isinstance(answer, Outcome):
            assert answer.adjustment == reversal
            assert answer.replayed == (reversal.created_by != asked.actor)
        else:
            assert isinstance(answer, AlreadyReversed)
            assert answer.reversed_by == reversal.id
    assert any(asked.actor == reversal.created_by and isinstance(answer, Outcome) for asked, answer in answers(runs))
    assert_stock_adds_up(store)
