"""Random histories read in pages of random sizes, while rows arrive: every row once, in order, at the page's price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING
from unittest.mock import patch
from uuid import NAMESPACE_OID, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import StockItemId
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.rules import stock_after
from inventory.queries import adjustments
from inventory.queries.adjustments import AdjustmentFilter, History
from inventory.queries.ledger_order import Position
from inventory.queries.levels import Level, level_at
from tests.support.builders.ids import BUSINESS, NOW, TICK
from tests.support.fakes.ledger import MemoryLedger
from tests.support.harness.examples import examples

if TYPE_CHECKING:
    from datetime import datetime

    from inventory.domain.model import Adjustment
    from inventory.queries.adjustments import HistoryPage

VARIANTS = [UUID(int=each) for each in range(1, 4)]
LOCATIONS = [UUID(int=each) for each in range(11, 14)]
CODES = ["damage", "theft", None]
REFERENCES = ["CC-17", None]
BUDGET = RetryBudget(lambda: 10, sleep=lambda _: None)
TICKS = st.integers(0, 12)
"""So few instants that rows of different stock items often share one."""


@dataclass(frozen=True)
class Arrival:
    """A row that arrives when its machine's clock shows ``tick``; clocks differ."""

    variant_id: UUID
    location_id: UUID
    tick: int
    delta: int
    reason_code: str | None
    reference: str | None


def arrivals_at(ticks: st.SearchStrategy[int]) -> st.SearchStrategy[Arrival]:
    return st.builds(
        Arrival,
        st.sampled_from(VARIANTS),
        st.sampled_from(LOCATIONS),
        ticks,
        st.integers(-5, 5),
        st.sampled_from(CODES),
        st.sampled_from(REFERENCES),
    )


ARRIVALS = arrivals_at(TICKS)
WANTED = st.sampled_from([AdjustmentFilter(), AdjustmentFilter(variant_id=VARIANTS[0])]) | st.builds(
    AdjustmentFilter,
    variant_id=st.none() | st.sampled_from(VARIANTS),
    location_id=st.none() | st.sampled_from(LOCATIONS),
    reason_code=st.none() | st.sampled_from(["damage", "theft"]),
    reference=st.none() | st.just("CC-17"),
    created_from=st.none() | TICKS.map(lambda tick: NOW + tick * TICK),
    created_to=st.none() | TICKS.map(lambda tick: NOW + tick * TICK),
)


@dataclass(frozen=True)
class Page:
    """How a page is asked for; ``arriving`` rows arrive one before each of its reads, ``readable`` reads succeed."""

    limit: int
    arriving: list[Arrival]
    readable: int | None


PAGES = st.builds(
    Page, st.integers(1, 7), st.lists(arrivals_at(st.integers(0, 40)), max_size=6), st.none() | st.integers(0, 12)
)


class Shop:
    """A ledger to which rows are appended as the service would: never back in time within one stock item."""

    def __init__(self, arrivals: list[Arrival]) -> None:
        self.ledger = MemoryLedger()
        self._numbers = count()
        for each in arrivals:
            self.arrive(each)

    def arrive(self, arrival: Arrival) -> None:
        place = (arrival.variant_id, arrival.location_id)
        created_at: datetime = NOW + arrival.tick * TICK
        if place in self.ledger.heads:
            created_at = max(created_at, self.ledger.heads[place].created_at + TICK)
        self.ledger.append(
            uuid5(NAMESPACE_OID, str(next(self._numbers))),
            place,
            created_at,
            delta=arrival.delta,
            reason_code=arrival.reason_code,
            reference=arrival.reference,
        )

    def page(self, wanted: AdjustmentFilter, asked: Page, below: Position | None) -> HistoryPage:
        arriving, reads = list(asked.arriving), count()

        def before_read() -> None:
            if arriving:
                self.arrive(arriving.pop())
            if asked.readable is not None and next(reads) >= asked.readable:
                raise StoreUnavailable

        self.ledger.before_page = before_read
        found = History(self.ledger, self.ledger).page(BUSINESS, wanted, below=below, limit=asked.limit, budget=BUDGET)
        assert len(found.rows) <= asked.limit
        return found


def position(row: Adjustment) -> Position:
    return Position(row.created_at, row.id)


def matching(rows: list[Adjustment], wanted: AdjustmentFilter) -> list[Adjustment]:
    """Newest first, from the rows alone."""
    found = [
        row
        for row in rows
        if (wanted.variant_id is None or row.variant_id == wanted.variant_id)
        and (wanted.location_id is None or row.location_id == wanted.location_id)
        and (wanted.reason_code is None or row.reason_code == wanted.reason_code)
        and (wanted.reference is None or row.reference == wanted.reference)
        and (wanted.created_from is None or row.created_at >= wanted.created_from)
        and (wanted.created_to is None or row.created_at < wanted.created_to)
    ]
    return sorted(found, key=position, reverse=True)


@examples(400)
@given(
    st.lists(ARRIVALS, max_size=60),
    WANTED,
    st.lists(PAGES, min_size=1, max_size=12),
    st.sampled_from([1, 10]),
    st.sampled_from([1, 4, 1_000]),
    st.sampled_from([1, 100]),
)
def test_all_pages_together_hold_every_row_once_and_in_order(
    arrivals: list[Arrival],
    wanted: AdjustmentFilter,
    pages: list[Page],
    chunk_rows_min: int,
    rows_examined_max: int,
    merged_max: int,
) -> None:
    shop = Shop(arrivals)
    there = matching(shop.ledger.rows, wanted)
    found: list[Adjustment] = []
    below: Position | None = None
    # When the random pages are over the rest is read without a hitch, or arrivals might never let it end.
    plan = iter(pages)
    with (
        patch.object(adjustments, "_CHUNK_ROWS_MIN", chunk_rows_min),
        patch.object(adjustments, "ROWS_EXAMINED_MAX", rows_examined_max),
        patch.object(adjustments, "_STOCK_ITEMS_MERGED_MAX", merged_max),
    ):
        while True:
            try:
                page = shop.page(wanted, next(plan, Page(3, [], None)), below)
            except StoreUnavailable:
                continue
            found += page.rows
            if page.next_position is None:
                break
            assert below is None or page.next_position < below, "every page comes further"
            below = page.next_position

    assert found == sorted(found, key=position, reverse=True)
    assert len({row.id for row in found}) == len(found)
    assert {row.id for row in there} <= {row.id for row in found}
    assert set(found) <= set(matching(shop.ledger.rows, wanted))


@given(st.lists(ARRIVALS, max_size=60), WANTED, st.integers(1, 100))
def test_without_new_rows_a_page_holds_the_requested_rows(
    arrivals: list[Arrival], wanted: AdjustmentFilter, limit: int
) -> None:
    shop = Shop(arrivals)
    expected = matching(shop.ledger.rows, wanted)

    page = shop.page(wanted, Page(limit, [], None), None)

    assert page.rows == expected[:limit]
    assert (page.next_position is None) == (len(expected) <= limit)


@given(
    st.lists(ARRIVALS, min_size=1, max_size=60),
    st.none() | st.sampled_from(VARIANTS),
    st.booleans(),
    st.integers(1, 20),
    st.integers(0, 60),
)
def test_a_page_without_filters_reads_no_more_rows_than_its_size(
    arrivals: list[Arrival],
    variant_id: UUID | None,
    one_location: bool,  # noqa: FBT001
    limit: int,
    beginning: int,
) -> None:
    shop = Shop(arrivals)
    location_id = LOCATIONS[0] if one_location and variant_id else None
    rows = matching(shop.ledger.rows, AdjustmentFilter())
    below = position(rows[beginning % len(rows)]) if beginning else None
    with patch.object(adjustments, "_CHUNK_ROWS_MIN", 1):
        shop.page(AdjustmentFilter(variant_id=variant_id, location_id=location_id), Page(limit, [], None), below)

    partitions = 1 if location_id else len(LOCATIONS) if variant_id else 8
    # One more than the page, and in each partition a row at the cursor itself; doubling reads at most as many again.
    assert shop.ledger.rows_read <= 3 * (limit + 1 + partitions) + partitions


@given(st.lists(ARRIVALS, max_size=60), st.integers(-1, 80))
def test_the_level_of_an_instant_is_the_sum_of_all_changes_up_to_it(arrivals: list[Arrival], tick: int) -> None:
    ledger = Shop(arrivals).ledger
    as_of = NOW + tick * TICK

    for place, head in ledger.heads.items():
        until = [row for row in ledger.rows if (row.variant_id, row.location_id) == place and row.created_at <= as_of]
        expected = Level(*place, sum(row.delta for row in until), len(until), until[-1].created_at) if until else None
        ledger.rows_read = 0
        assert (
            level_at(
                ledger, StockItemId(BUSINESS, *place), stock_after(head), as_of, now=NOW, between_calls=lambda: None
            )
            == expected
        )
        assert ledger.rows_read <= 2


@given(st.lists(ARRIVALS, min_size=1, max_size=40), st.sets(st.integers(0, 39)), st.integers(0, 60))
def test_an_incomplete_index_gives_no_level_or_the_right_one(
    arrivals: list[Arrival], unseen: set[int], tick: int
) -> None:
    ledger = Shop(arrivals).ledger
    ledger.unseen = {ledger.rows[each].id for each in unseen if each < len(ledger.rows)}
    as_of = NOW + timedelta(microseconds=tick)

    for place, head in ledger.heads.items():
        changes = [
            row.delta for row in ledger.rows if (row.variant_id, row.location_id) == place and row.created_at <= as_of
        ]
        try:
            found = level_at(
                ledger, StockItemId(BUSINESS, *place), stock_after(head), as_of, now=NOW, between_calls=lambda: None
            )
        except StoreUnavailable:
            continue
        assert (found.quantity, found.sequence) == (sum(changes), len(changes)) if found else not changes
