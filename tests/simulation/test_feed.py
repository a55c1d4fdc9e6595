"""The feed over what simulated histories wrote, when they wrote it: late commits, wrong clocks, a late index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING

import pytest

from inventory.domain.retry_budget import RetryBudget
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.feed import Feed
from inventory.queries.ledger_order import Position, parse_position
from inventory.queries.settled import SETTLED_AFTER
from inventory.storage.items import adjustment_of
from tests.simulation.environment import BEGINNING, LEDGER
from tests.simulation.history import History
from tests.simulation.service import CLOCK_ERROR_MAX_S, QUEUE_TIMEOUT_S
from tests.support.fakes.paging import page_of

if TYPE_CHECKING:
    from inventory.storage.ledger_index import IndexPage, IndexQuery
    from tests.simulation.database import Written

HISTORIES = 4
INDEX_LATE_MAX_S = 15.0
BUDGET = RetryBudget(lambda: 10, sleep=lambda _: None)


@cache
def histories() -> list[list[Written]]:
    """The ledger rows of some histories whose tables were never restored: else there would be rows that are gone."""
    return [*islice(filter(_is_suitable, map(_written, count(1))), HISTORIES)]


def _written(seed: int) -> list[Written]:
    history = History(seed).run()
    return [each for each in history.world.database.journal if each.place[0] == LEDGER]


def _is_suitable(rows: list[Written]) -> bool:
    return len({each.place for each in rows}) == len(rows) > 30


@pytest.fixture(params=range(HISTORIES))
def rows(request: pytest.FixtureRequest) -> list[Written]:
    return histories()[request.param]


@dataclass
class Index:
    """The ledger's index as it is at a moment; each row is late by a time of its own."""

    rows: list[Written]
    late_s: list[float]
    now_s: float = 0.0

    def page(self, query: IndexQuery) -> IndexPage:
        pairs = zip(self.rows, self.late_s, strict=True)
        return page_of((each.item for each, late_s in pairs if each.at_s + late_s <= self.now_s), query)


def test_a_row_is_written_soon_after_its_time(rows: list[Written]) -> None:
    """Within the invocation's time: what the settled end adds up is not more than it says."""
    late_s = [BEGINNING.timestamp() + each.at_s - adjustment_of(each.item).created_at.timestamp() for each in rows]

    assert max(late_s) < QUEUE_TIMEOUT_S + CLOCK_ERROR_MAX_S
    assert max(late_s) + INDEX_LATE_MAX_S + CLOCK_ERROR_MAX_S < SETTLED_AFTER.total_seconds()


@pytest.mark.parametrize("seed", range(3))
def test_a_poller_that_is_killed_at_random_has_every_row_once_and_in_order(rows: list[Written], seed: int) -> None:
    chance = Random(seed)
    index = Index(rows, [chance.uniform(0, INDEX_LATE_MAX_S) for _ in rows])
    business_id = adjustment_of(rows[0].item).business_id
    kept: list[Position] = []
    cursor: str | None = None
    while index.now_s < rows[-1].at_s + 600:
        index.now_s += chance.expovariate(1 / 15)
        clock_error_s = chance.uniform(-CLOCK_ERROR_MAX_S, CLOCK_ERROR_MAX_S)
        page = Feed(index).page(
            business_id,
            AdjustmentFilter(),
            after=None if cursor is None else parse_position(cursor),
            limit=chance.randint(1, 100),
            now=BEGINNING + timedelta(seconds=index.now_s + clock_error_s),
            budget=BUDGET,
        )
        if chance.random() < 0.3:  # killed before it kept anything
            continue
        kept += [Position(row.created_at, row.id) for row in page.rows]
        cursor = page.next_position.text()

    own = [row for row in map(adjustment_of, (each.item for each in rows)) if row.business_id == business_id]
    assert kept == sorted(Position(row.created_at, row.id) for row in own)
