"""Long histories of creations and reversals under few keys, each answer predicted by a model of a few lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import (
    AdjustmentNotFound,
    AlreadyReversed,
    IdempotencyKeyReused,
    InsufficientStock,
    Refusal,
)
from inventory.domain.model import Outcome
from tests.support.builders.domain import a_command, a_reversal
from tests.support.builders.ids import STOCK_ITEM
from tests.support.fakes.scripted_store import a_desk
from tests.support.harness.examples import examples
from tests.support.harness.ledger_invariants import assert_adds_up

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment
    from tests.support.fakes.scripted_store import Desk

NOWHERE = UUID(int=0)
keys = st.sampled_from([None, None, "a", "b", "c"])


@dataclass(frozen=True)
class Create:
    change: int
    key: str | None


@dataclass(frozen=True)
class Reverse:
    """The reversal of the row at ``place`` of the ledger as it is then, or of none where there are not as many."""

    place: int
    key: str | None


creations = st.builds(Create, st.sampled_from([-2, -1, 1, 2, 3]), keys)
reversals = st.builds(Reverse, st.integers(0, 8), keys)


@dataclass
class Model:
    """What the contract says of the steps so far: what is on hand, what each key names, what was reversed by what."""

    on_hand: int = 0
    named: dict[str, tuple[object, UUID]] = field(default_factory=dict)
    reversed_by: dict[UUID, UUID] = field(default_factory=dict)

    def foretold(self, request: object, key: str | None, change: int | None, of: UUID | None) -> object:
        """The kind of answer to a request; ``change`` is None where what it reverses does not exist."""
        if key in self.named:
            return "replayed" if self.named[key][0] == request else IdempotencyKeyReused
        if change is None:
            return AdjustmentNotFound
        if of in self.reversed_by:
            return AlreadyReversed
        if change < 0 and self.on_hand + change < 0:
            return InsufficientStock
        return "made"

    def learn(self, request: object, key: str | None, row: Adjustment) -> None:
        self.on_hand += row.delta
        if key is not None:
            self.named[key] = (request, row.id)
        if row.reverses is not None:
            self.reversed_by[row.reverses] = row.id


def answer_to(desk: Desk, step: Create | Reverse, of: UUID) -> Outcome | Refusal:
    try:
        if isinstance(step, Create):
            return desk.adjust(a_command(quantity_change=step.change, idempotency_key=step.key))
        return desk.reverse(a_reversal(adjustment_id=of, idempotency_key=step.key))
    except Refusal as refusal:
        return refusal


@examples(300)
@given(st.lists(creations | reversals, max_size=40))
def test_every_answer_is_the_predicted_one_and_the_ledger_adds_up(history: list[Create | Reverse]) -> None:
    desk, model = a_desk(), Model()
    for step in history:
        rows = desk.rows
        existing = rows[step.place] if isinstance(step, Reverse) and step.place < len(rows) else None
        of = existing.id if existing else NOWHERE
        request: object = ("create", step.change) if isinstance(step, Create) else ("reverse", of)
        change = step.change if isinstance(step, Create) else (-existing.delta if existing else None)
        foretold = model.foretold(request, step.key, change, of)

        end = answer_to(desk, step, of)

        if isinstance(end, Outcome):
            assert foretold == ("replayed" if end.replayed else "made")
            assert end.adjustment.delta == change
            assert end.adjustment.reverses == (existing.id if existing else None)
            if end.replayed:
                assert desk.rows == rows
            else:
                assert desk.rows == [*rows, end.adjustment]
                model.learn(request, step.key, end.adjustment)
        else:
            assert type(end) is foretold
            assert desk.rows == rows
        if isinstance(end, AlreadyReversed):
            assert end.reversed_by == model.reversed_by[of]

    assert_adds_up(desk.rows, desk.store.stock.get(STOCK_ITEM))
    assert desk.quantity == sum(row.delta for row in desk.rows) == model.on_hand
    assert max(Counter(row.reverses for row in desk.rows if row.reverses).values(), default=0) <= 1
