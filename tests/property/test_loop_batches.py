"""Requests in any batches leave the same ledger and get the same answers as one by one."""

from __future__ import annotations

from copy import replace
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.adjusting import merging
from inventory.adjusting.loop import Adjuster, Result
from inventory.adjusting.merging import Fault, adjust_many
from inventory.domain.errors import Refusal
from inventory.domain.model import Business, GroupOutcome, Outcome, StockItemId
from inventory.domain.retry_budget import RetryBudget
from tests.support.builders.domain import a_command, budget_of
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.fakes.store import FakeStore
from tests.support.harness.examples import examples
from tests.support.harness.ledger_invariants import assert_adds_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inventory.domain.model import Adjustment, Command

    type Place = tuple[UUID, UUID]
    """Variant and location."""

PLACES = [(variant, location) for variant in (VARIANT, OTHER_VARIANT) for location in (LOCATION, OTHER_LOCATION)]
UNKNOWN_VARIANT = UUID(int=77)

commands = st.builds(
    a_command,
    variant_id=st.sampled_from([VARIANT, VARIANT, VARIANT, VARIANT, OTHER_VARIANT, UNKNOWN_VARIANT]),
    location_id=st.sampled_from([None, None, LOCATION, LOCATION, OTHER_LOCATION]),
    quantity_change=st.sampled_from([-7, -3, -2, -1, 1, 2, 5]),
    expected_quantity=st.sampled_from([None, None, None, None, 0, 2, 5]),
    reason=st.sampled_from(["sold", "sold", "found"]),
    idempotency_key=st.sampled_from([None, None, "a", "b", "c", "d", "e"]),
)


def with_actors(drawn: list[Command]) -> list[Command]:
    """Each request from an actor of its own, so that each row shows its request."""
    return [replace(command, actor=f"request {number}") for number, command in enumerate(drawn)]


def place_of(command: Command) -> Place:
    assert command.variant_id is not None
    return command.variant_id, command.location_id or LOCATION


@dataclass
class Shop:
    """Two variants, two locations, and a clock that stands still: a row's time is then given by its place alone."""

    store: FakeStore
    adjuster: Adjuster

    def one_by_one(self, asked: list[Command]) -> list[Result]:
        return [self._alone(command) for command in asked]

    def together(self, asked: list[Command], sizes: list[int]) -> list[Result]:
        """As the queue does it: batches, and in each batch the requests for one stock item together."""
        budget = RetryBudget(lambda: 1_000.0, lambda _: None, lambda: 0.0)
        answers: list[Result | Fault] = []
        for batch in batches_of(asked, sizes):
            answers += adjust_many(self.adjuster, batch, budget=budget, at_once=map)
        return [each for each in answers if not isinstance(each, Fault)]

    def rows(self) -> list[Adjustment]:
        """The ledger, item by item, each of which must add up; without random ids."""
        rows: list[Adjustment] = []
        for variant_id, location_id in PLACES:
            of_place = [
                row
                for row in self.store.ledger.values()
                if (row.variant_id, row.location_id) == (variant_id, location_id)
            ]
            rows += assert_adds_up(of_place, self.store.stock.get(StockItemId(BUSINESS, variant_id, location_id)))
        assert len(rows) == len(self.store.ledger)
        return [comparable(row) for row in rows]

    def _alone(self, command: Command) -> Result:
        try:
            return self.adjuster.carry_out(command, budget_of(self.adjuster, lambda: 1_000.0))
        except Refusal as refusal:
            return refusal


def a_shop(*, allow_negative_stock: bool) -> Shop:
    store = FakeStore(
        businesses={BUSINESS: Business(allow_negative_stock, default_location_id=LOCATION)},
        active_variants={(BUSINESS, VARIANT), (BUSINESS, OTHER_VARIANT)},
        active_locations={(BUSINESS, LOCATION), (BUSINESS, OTHER_LOCATION)},
    )
    ids = (UUID(int=number) for number in count(1_000))
    return Shop(store, Adjuster(store, lambda: NOW, lambda: next(ids), lambda: 0.0, lambda _: None, store.level_as_of))


def batches_of(asked: list[Command], sizes: list[int]) -> Iterator[list[Command]]:
    """Cut what is asked into batches of these sizes, and where one key would name two stock items in one batch.

    Which of the two is then first is open: the groups of a batch are independent.
    """
    ends = iter(sizes)
    size = next(ends, len(asked))
    batch: list[Command] = []
    places: dict[str, Place] = {}
    for command in asked:
        key = command.idempotency_key
        is_elsewhere = key is not None and places.get(key, place_of(command)) != place_of(command)
        if len(batch) == size or is_elsewhere:
            yield batch
            batch, places, size = [], {}, next(ends, len(asked))
        batch.append(command)
        if key is not None:
            places[key] = place_of(command)
    if batch:
        yield batch


def comparable(row: Adjustment) -> Adjustment:
    return replace(row, id=UUID(int=0), previous_hash="", hash="")


def in_short(result: Result) -> object:
    """Every answer, without random ids."""
    if isinstance(result, Outcome):
        return comparable(result.adjustment), result.replayed
    assert not isinstance(result, GroupOutcome)
    return type(result), result.facts()


@examples(500)
@given(
    drawn=st.lists(commands, min_size=1, max_size=30),
    sizes=st.lists(st.integers(1, 12), max_size=30),
    allow_negative_stock=st.booleans(),
)
def test_any_batching_of_requests_gives_the_same_ledger_and_answers(
    drawn: list[Command], sizes: list[int], *, allow_negative_stock: bool
) -> None:
    asked = with_actors(drawn)
    alone, together = (a_shop(allow_negative_stock=allow_negative_stock) for _ in range(2))

    expected = alone.one_by_one(asked)
    answers = together.together(asked, sizes)

    assert [in_short(each) for each in answers] == [in_short(each) for each in expected]
    assert together.rows() == alone.rows()


@examples(100)
@given(drawn=st.lists(commands, min_size=1, max_size=30), operations_max=st.integers(2, 5))
def test_the_place_where_a_transactions_limit_splits_a_group_makes_no_difference(
    drawn: list[Command], operations_max: int
) -> None:
    asked = with_actors([replace(each, variant_id=VARIANT, location_id=LOCATION) for each in drawn])
    alone, together = (a_shop(allow_negative_stock=False) for _ in range(2))

    expected = alone.one_by_one(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "OPERATIONS_MAX", operations_max)
        answers = together.together(asked, [])

    assert [in_short(each) for each in answers] == [in_short(each) for each in expected]
    assert together.rows() == alone.rows()
