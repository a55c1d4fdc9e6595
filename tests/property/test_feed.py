"""A poller of the feed in virtual time: commits and the index are late, and the poller is killed and starts again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import RetryBudget
from inventory.queries import feed
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.feed import Feed
from inventory.queries.ledger_order import parse_position
from inventory.queries.settled import SETTLED_AFTER
from tests.support.builders.ids import BUSINESS, NOW
from tests.support.fakes.ledger import MemoryLedger
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from datetime import datetime

    from inventory.domain.model import Adjustment
    from inventory.queries.feed import FeedPage

VARIANTS = [UUID(int=each) for each in range(1, 5)]
LOCATIONS = [UUID(int=each) for each in range(11, 13)]
HOUR_S = 3_600
COMMIT_LATE_MAX_S = 30.0
"""The longest invocation that commits."""
INDEX_LATE_MAX_S = 20.0
CLOCK_ERROR_MAX_S = 5.0
ANY = AdjustmentFilter()


@dataclass
class Ledger:
    """Rows of one business, and when the index shows each."""

    index: MemoryLedger = field(default_factory=MemoryLedger)
    shown_at: dict[UUID, datetime] = field(default_factory=dict)
    unavailable: float = 0.0
    chance: Random = field(default_factory=lambda: Random(0))

    def fill(self, count: int, *, over_s: float, late_s: float) -> None:
        """Stamp rows in the order of time, which is that of each stock item; each is committed and shown later."""
        at_s = sorted(self.chance.uniform(0, over_s) for _ in range(count))
        for number, seconds in enumerate(at_s, 1):
            place = self.chance.choice(VARIANTS), self.chance.choice(LOCATIONS)
            created_at = NOW + timedelta(seconds=seconds)
            head = self.index.heads.get(place)
            if head is not None:
                created_at = max(created_at, head.created_at + timedelta(microseconds=1))
            row_id = UUID(int=self.chance.getrandbits(128))
            row = self.index.append(
                row_id, place, created_at, delta=number, reason_code=self.chance.choice(["damage", None])
            )
            self.shown_at[row.id] = created_at + timedelta(seconds=self.chance.uniform(0, late_s))

    def poll(self, at: datetime, cursor: str | None, wanted: AdjustmentFilter, limit: int) -> FeedPage:
        """Ask for a page as a reader whose clock is wrong by some seconds."""
        self.index.unseen = {row_id for row_id, shown_at in self.shown_at.items() if shown_at > at}

        def before_page() -> None:
            if self.chance.random() < self.unavailable:
                raise StoreUnavailable

        self.index.before_page = before_page
        clock_error = timedelta(seconds=self.chance.uniform(-CLOCK_ERROR_MAX_S, CLOCK_ERROR_MAX_S))
        after = None if cursor is None else parse_position(cursor)
        budget = RetryBudget(lambda: 10, sleep=lambda _: None)
        return Feed(self.index).page(BUSINESS, wanted, after=after, limit=limit, now=at + clock_error, budget=budget)


@dataclass
class Poller:
    """Saves its cursor with the rows that it has processed, in one step, and is killed before or after that step."""

    saved: list[Adjustment] = field(default_factory=list)
    cursor: str | None = None

    def run(self, ledger: Ledger, *, until: datetime, wanted: AdjustmentFilter, killed: float) -> None:
        at, chance = NOW, ledger.chance
        while at < until:
            at += timedelta(seconds=chance.expovariate(1 / 20))
            try:
                page = ledger.poll(at, self.cursor, wanted, chance.randint(1, 30))
            except StoreUnavailable:
                continue
            if chance.random() < killed:
                at += timedelta(seconds=chance.uniform(0, 120))
                continue
            self.saved += page.rows
            self.cursor = page.next_position.text()


def positions(rows: list[Adjustment]) -> list[tuple[datetime, UUID]]:
    return [(row.created_at, row.id) for row in rows]


@examples(40)
@given(st.integers(0, 2**32), st.integers(0, 100), st.booleans(), st.sampled_from([1, 3, 1_000]))
def test_a_poller_that_is_killed_again_and_again_has_every_row_once_and_in_order(
    seed: int,
    count: int,
    filtered: bool,  # noqa: FBT001
    examined_max: int,
) -> None:
    ledger = Ledger(chance=Random(seed), unavailable=0.1)
    ledger.fill(count, over_s=600, late_s=COMMIT_LATE_MAX_S + INDEX_LATE_MAX_S)
    wanted = AdjustmentFilter(reason_code="damage") if filtered else ANY
    poller = Poller()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "ROWS_EXAMINED_MAX", examined_max)
        # With pages of one row it takes a while.
        poller.run(ledger, until=NOW + timedelta(seconds=600 + 3 * HOUR_S), wanted=wanted, killed=0.3)

    expected = [row for row in ledger.index.rows if wanted.includes(row)]
    assert positions(poller.saved) == sorted(positions(expected))


@pytest.mark.parametrize("seed", range(3))
def test_an_hour_of_polling_a_late_ledger_misses_nothing(seed: int) -> None:
    ledger = Ledger(chance=Random(seed), unavailable=0.05)
    ledger.fill(800, over_s=HOUR_S, late_s=COMMIT_LATE_MAX_S + INDEX_LATE_MAX_S)
    poller = Poller()

    poller.run(ledger, until=NOW + timedelta(seconds=3 * HOUR_S), wanted=ANY, killed=0.2)

    assert positions(poller.saved) == sorted(positions(ledger.index.rows))


def test_a_feed_that_did_not_wait_for_late_rows_would_miss_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with an end that is nearer than commits and the index are late, rows are lost."""
    monkeypatch.setattr(feed, "settled_to", lambda now: now - timedelta(seconds=5))
    ledger = Ledger(chance=Random(1))
    ledger.fill(500, over_s=HOUR_S, late_s=COMMIT_LATE_MAX_S + INDEX_LATE_MAX_S)
    poller = Poller()

    poller.run(ledger, until=NOW + timedelta(seconds=2 * HOUR_S), wanted=ANY, killed=0.0)

    assert len(poller.saved) < 500


def test_what_is_later_than_expected_is_still_found_while_no_later_row_was_read() -> None:
    ledger = Ledger()
    late = ledger.index.append(UUID(int=7), (VARIANTS[0], LOCATIONS[0]), NOW)
    ledger.shown_at[late.id] = NOW + timedelta(minutes=10)

    first = ledger.poll(NOW + timedelta(minutes=5), None, ANY, 10)
    second = ledger.poll(NOW + timedelta(minutes=15), first.next_position.text(), ANY, 10)

    assert (first.rows, [row.id for row in second.rows]) == ([], [late.id])


def test_the_feed_ends_before_the_instant_up_to_which_the_ledger_is_settled() -> None:
    ledger = Ledger()
    ledger.index.append(UUID(int=1), (VARIANTS[0], LOCATIONS[0]), NOW - timedelta(microseconds=1))
    ledger.index.append(UUID(int=2), (VARIANTS[1], LOCATIONS[0]), NOW)
    budget = RetryBudget(lambda: 10)

    page = Feed(ledger.index).page(BUSINESS, ANY, after=None, limit=10, now=NOW + SETTLED_AFTER, budget=budget)

    assert ([row.id.int for row in page.rows], page.settled_to) == ([1], NOW)
