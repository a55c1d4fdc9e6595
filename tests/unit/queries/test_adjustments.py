"""Pages of a history at their edges: ties, bounds, limits, what is read for them, and what happens when time is up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, CALL_BUDGET_S, RetryBudget
from inventory.queries.adjustments import (
    ROWS_EXAMINED_MAX,
    AdjustmentFilter,
    History,
    HistoryPage,
    page_of_known,
)
from inventory.queries.ledger_order import Position, parse_position
from inventory.storage import keys
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, NOW, OTHER_LOCATION, OTHER_VARIANT, TICK, VARIANT
from tests.support.fakes.ledger import MemoryLedger

if TYPE_CHECKING:
    from tests.support.fakes.ledger import Place

HERE: Place = (VARIANT, LOCATION)
THERE: Place = (VARIANT, OTHER_LOCATION)
OF_VARIANT = AdjustmentFilter(variant_id=VARIANT)
OF_ITEM = AdjustmentFilter(variant_id=VARIANT, location_id=LOCATION)
ANY = AdjustmentFilter()
VARIANT_OF_ITS_SHARD = next(
    variant_id
    for variant_id in (UUID(int=each) for each in range(1_000))
    if keys.shard_number(variant_id) == keys.shard_number(VARIANT)
)
"""Another variant, whose rows are in the same shard of the business."""

each_way = pytest.mark.parametrize("wanted", [ANY, OF_VARIANT], ids=["of the business", "of the variant"])


class Clock:
    """The time left of an invocation; each read takes ``read_s`` of it."""

    def __init__(self, remaining_s: float = 10, read_s: float = 0) -> None:
        self.remaining_s = remaining_s
        self.read_s = read_s

    def budget(self) -> RetryBudget:
        return RetryBudget(lambda: self.remaining_s, sleep=lambda _: None)

    def read(self) -> None:
        self.remaining_s -= self.read_s


def page(
    ledger: MemoryLedger,
    wanted: AdjustmentFilter,
    *,
    below: Position | None = None,
    limit: int = 100,
    clock: Clock | None = None,
) -> HistoryPage:
    budget = (clock or Clock()).budget()
    return History(ledger, ledger).page(BUSINESS, wanted, below=below, limit=limit, budget=budget)


def numbers(found: HistoryPage) -> list[int]:
    return [row.id.int for row in found.rows]


def a_ledger(count: int, place: Place = HERE, **members: Any) -> MemoryLedger:
    """Rows 1, 2, 3 … of one stock item, a second apart."""
    ledger = MemoryLedger()
    for number in range(1, count + 1):
        ledger.append(UUID(int=number), place, NOW + timedelta(seconds=number), **members)
    return ledger


@cache
def a_long_ledger(count: int) -> MemoryLedger:
    """The same for tests that only read, made once; its counters begin anew with ``reread``."""
    return a_ledger(count, reason_code="damage")


def reread(count: int) -> MemoryLedger:
    ledger = a_long_ledger(count)
    ledger.limits.clear()
    ledger.rows_read = 0
    return ledger


# --- many locations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locations", [100, 101, 3_000])
def test_a_list_of_a_variant_takes_few_calls_however_many_locations_it_has(locations: int) -> None:
    """Below a cursor one Query for each location would be needed before the first row is known."""
    ledger = MemoryLedger()
    for number in range(1, locations + 1):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number)), NOW + timedelta(seconds=number))
    below = Position(NOW + timedelta(seconds=50, microseconds=1), UUID(int=0))

    found = page(ledger, OF_VARIANT, below=below, limit=10)

    assert numbers(found) == [*range(50, 40, -1)]
    assert len(ledger.limits) <= 110


def test_a_variant_with_many_locations_among_many_others_comes_in_short_pages() -> None:
    ledger = MemoryLedger()
    for number in range(1, 3_001):
        place = (VARIANT, UUID(int=number)) if number % 20 == 0 else (VARIANT_OF_ITS_SHARD, LOCATION)
        ledger.append(UUID(int=number), place, NOW + timedelta(seconds=number))
    found: list[int] = []
    sizes: list[int] = []
    below = None
    while not sizes or below is not None:
        one = page(ledger, OF_VARIANT, below=below)
        found += numbers(one)
        sizes.append(len(one.rows))
        below = one.next_position

    assert found == [*range(3_000, 0, -20)]
    assert max(sizes) <= ROWS_EXAMINED_MAX / 20
    assert len(sizes) == 3


# --- order -----------------------------------------------------------------------------------------------------------


@each_way
def test_rows_of_one_instant_are_in_the_order_of_their_ids_wherever_they_lie(wanted: AdjustmentFilter) -> None:
    ledger = MemoryLedger()
    for number in (3, 1, 4, 2):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=10 - number)), NOW)

    assert numbers(page(ledger, wanted)) == [4, 3, 2, 1]


@each_way
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_page_may_end_in_the_middle_of_an_instant(wanted: AdjustmentFilter, limit: int) -> None:
    ledger = MemoryLedger()
    for number in range(1, 6):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=10 - number)), NOW)
    found: list[int] = []
    below = None
    while not found or below is not None:
        one = page(ledger, wanted, below=below, limit=limit)
        found += numbers(one)
        below = one.next_position

    assert found == [5, 4, 3, 2, 1]


@each_way
def test_a_time_span_includes_its_beginning_and_not_its_end(wanted: AdjustmentFilter) -> None:
    ledger = MemoryLedger()
    for number, (place, at) in enumerate(
        [(HERE, NOW - TICK), (THERE, NOW), (HERE, NOW), (THERE, NOW + TICK), (HERE, NOW + TICK)], 1
    ):
        ledger.append(UUID(int=number), place, at)
    span = AdjustmentFilter(variant_id=wanted.variant_id, created_from=NOW, created_to=NOW + TICK)

    assert numbers(page(ledger, span)) == [3, 2]
    assert numbers(page(ledger, AdjustmentFilter(variant_id=wanted.variant_id, created_from=NOW))) == [5, 4, 3, 2]
    assert numbers(page(ledger, AdjustmentFilter(variant_id=wanted.variant_id, created_to=NOW))) == [1]


@pytest.mark.parametrize("at", [NOW, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_an_empty_time_span_costs_no_read(at: datetime) -> None:
    ledger = a_ledger(3)

    assert page(ledger, AdjustmentFilter(created_from=NOW + TICK, created_to=NOW)) == HistoryPage([], None)
    assert page(ledger, AdjustmentFilter(variant_id=VARIANT, created_from=at, created_to=at)).rows == []


@each_way
def test_a_cursor_above_the_time_span_does_not_extend_it(wanted: AdjustmentFilter) -> None:
    ledger = a_ledger(3)
    span = AdjustmentFilter(variant_id=wanted.variant_id, created_to=NOW + timedelta(seconds=2))

    assert numbers(page(ledger, span, below=Position(NOW + timedelta(days=1), ADJUSTMENT))) == [1]


# --- where a page ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [ANY, OF_VARIANT, OF_ITEM])
@pytest.mark.parametrize("limit", [1, 99, 100])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_page_that_holds_the_rest_is_the_last_one(wanted: AdjustmentFilter, limit: int, more: int) -> None:
    ledger = a_ledger(limit + more)

    found = page(ledger, wanted, limit=limit)

    assert numbers(found) == list(range(limit + more, max(more, 0), -1))
    assert (found.next_position is not None) == (more == 1)


@pytest.mark.parametrize("limit", [1, 100])
def test_every_full_page_of_one_stock_item_is_one_read(limit: int) -> None:
    ledger = reread(300)

    first = page(ledger, OF_ITEM, limit=limit)
    page(ledger, OF_ITEM, below=first.next_position, limit=limit)

    assert len(ledger.limits) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        AdjustmentFilter(reason_code="theft"),
        AdjustmentFilter(location_id=OTHER_LOCATION),
        AdjustmentFilter(reference="x"),
    ],
)
@pytest.mark.parametrize("count", [ROWS_EXAMINED_MAX - 1, ROWS_EXAMINED_MAX, ROWS_EXAMINED_MAX + 1])
def test_a_request_looks_at_a_thousand_rows_at_most_and_goes_on_below_them(
    wanted: AdjustmentFilter, count: int
) -> None:
    ledger = reread(count)

    found = page(ledger, wanted)

    assert found.rows == []
    if count <= ROWS_EXAMINED_MAX:
        assert found.next_position is None
    else:
        assert found.next_position == Position(ledger.rows[1].created_at, ledger.rows[1].id)
        assert page(ledger, wanted, below=found.next_position) == HistoryPage([], None)
    assert ledger.rows_read <= 2 * ROWS_EXAMINED_MAX


@pytest.mark.parametrize(("count", "pages"), [(1_000, [0]), (1_001, [0, 1]), (2_500, [0, 0, 500])])
def test_a_reader_goes_through_rows_that_are_not_wanted_a_thousand_at_a_time(count: int, pages: list[int]) -> None:
    """The five hundred oldest of 2,500 rows are wanted, and so is the oldest of 1,001."""
    ledger = MemoryLedger()
    for number in range(1, count + 1):
        code = "theft" if number <= sum(pages) else "damage"
        ledger.append(UUID(int=number), HERE, NOW + timedelta(seconds=number), reason_code=code)
    found: list[int] = []
    below = None
    while not found or below is not None:
        one = page(ledger, AdjustmentFilter(reason_code="theft"), below=below, limit=500)
        found.append(len(one.rows))
        below = one.next_position

    assert found == pages


def test_the_next_page_does_not_look_again_at_what_was_not_wanted() -> None:
    ledger = MemoryLedger()
    for number in range(1, 301):
        code = "theft" if number in {300, 20} else "damage"
        ledger.append(UUID(int=number), HERE, NOW + timedelta(seconds=number), reason_code=code)
    wanted = AdjustmentFilter(variant_id=VARIANT, location_id=LOCATION, reason_code="theft")

    first = page(ledger, wanted, limit=1)

    assert numbers(first) == [300]
    assert first.next_position == Position(ledger.rows[20].created_at, ledger.rows[20].id)
    ledger.rows_read = 0
    assert numbers(page(ledger, wanted, below=first.next_position, limit=1)) == [20]
    assert ledger.rows_read <= 30


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 50, 100])
@pytest.mark.parametrize(
    "wanted",
    [
        ANY,
        OF_VARIANT,
        OF_ITEM,
        AdjustmentFilter(reason_code="damage"),
        AdjustmentFilter(created_to=NOW + timedelta(seconds=90)),
    ],
)
def test_a_page_costs_the_same_however_long_the_history_is(wanted: AdjustmentFilter, limit: int) -> None:
    costs = []
    for count in (300, ROWS_EXAMINED_MAX + 1):
        ledger = reread(count)
        page(ledger, wanted, limit=limit)
        costs.append((len(ledger.limits), ledger.rows_read))

    assert costs[0] == costs[1]
    assert costs[0][1] <= 2 * (limit + 2) + 10


def test_a_partition_is_not_read_before_the_merge_comes_down_to_it() -> None:
    """Of many locations those that were adjusted last are read ahead, and others only where they are needed."""
    ledger = MemoryLedger()
    for number in range(1, 101):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number)), NOW + timedelta(seconds=number))

    assert numbers(page(ledger, OF_VARIANT, limit=3)) == [100, 99, 98]
    assert len(ledger.limits) == 8

    ledger.limits.clear()
    assert numbers(page(ledger, OF_VARIANT, limit=30)) == list(range(100, 70, -1))
    assert len(ledger.limits) == 31


def test_all_partitions_that_may_hold_the_first_row_are_read_side_by_side() -> None:
    ledger = MemoryLedger()
    for number in range(1, 101):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number)), NOW + timedelta(seconds=number))
    read_at_once: list[int] = []

    def at_once(function: Any, values: Any) -> Any:
        read_at_once.append(len(values))
        return map(function, values)

    below = Position(NOW + timedelta(seconds=61), UUID(int=61))
    found = History(ledger, ledger, at_once).page(BUSINESS, OF_VARIANT, below=below, limit=5, budget=Clock().budget())

    assert numbers(found) == [60, 59, 58, 57, 56]
    assert read_at_once == [40]


def test_a_variant_that_was_never_adjusted_costs_no_read_of_the_index() -> None:
    ledger = a_ledger(3)

    assert page(ledger, AdjustmentFilter(variant_id=OTHER_VARIANT)) == HistoryPage([], None)
    assert ledger.limits == []


# --- rows that arrive meanwhile --------------------------------------------------------------------------------------


def test_a_row_that_arrives_between_the_stock_items_and_the_query_is_a_later_pages_and_breaks_no_order() -> None:
    """Its clock is behind: it belongs between rows that the page may have given already."""
    ledger = MemoryLedger()
    ledger.append(UUID(int=1), HERE, NOW)
    ledger.append(UUID(int=2), THERE, NOW + 10 * TICK)
    ledger.before_page = lambda: (
        None if len(ledger.rows) > 2 else (ledger.append(UUID(int=3), HERE, NOW + 20 * TICK), None)[1]
    )

    assert numbers(page(ledger, OF_VARIANT)) == [2, 1]
    assert numbers(page(ledger, OF_VARIANT)) == [3, 2, 1]


@each_way
def test_rows_above_a_cursor_move_nothing_below_it(wanted: AdjustmentFilter) -> None:
    ledger = a_ledger(5)
    first = page(ledger, wanted, limit=2)
    for number in range(6, 60):
        ledger.append(UUID(int=number), HERE if number % 2 else THERE, NOW + timedelta(seconds=number))

    assert numbers(page(ledger, wanted, below=first.next_position)) == [3, 2, 1]


def test_a_cursor_may_name_a_row_that_is_not_there() -> None:
    ledger = a_ledger(3)

    assert numbers(page(ledger, ANY, below=Position(NOW + timedelta(seconds=2.5), ADJUSTMENT))) == [2, 1]
    assert numbers(page(ledger, OF_VARIANT, below=Position(NOW, ADJUSTMENT))) == []


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_page_that_can_not_be_finished_in_time_ends_where_it_is_and_the_next_goes_on() -> None:
    ledger = MemoryLedger()
    for number in range(1, 41):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number)), NOW + timedelta(seconds=number))
    clock = Clock()

    def side_by_side(function: Any, values: Any) -> Any:
        ledger.before_page = lambda: None
        done = [function(value) for value in values]
        ledger.before_page = clock.read
        return iter(done)

    pages: list[list[int]] = []
    below = None
    while not pages or below is not None:
        clock.remaining_s, clock.read_s = 10, 0.5
        one = History(ledger, ledger, side_by_side).page(
            BUSINESS, OF_VARIANT, below=below, limit=100, budget=clock.budget()
        )
        assert clock.remaining_s >= CALL_BUDGET_S - 0.5, "no read was begun with less than 3.5 s left"
        pages.append(numbers(one))
        below = one.next_position

    assert [each for several in pages for each in several] == list(range(40, 0, -1))
    assert len(pages) == 3


def test_a_page_of_which_nothing_was_read_in_time_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        page(a_ledger(3), ANY, clock=Clock(remaining_s=2.9))


@each_way
def test_a_part_that_can_not_be_read_is_never_passed_over(wanted: AdjustmentFilter) -> None:
    """The rows before it are given; the rows behind it are not, as its own belong between them."""
    ledger = MemoryLedger()
    for number in range(1, 61):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number % 12)), NOW + timedelta(seconds=number))
    calls = 0

    def fail_from_the_tenth_on() -> None:
        nonlocal calls
        calls += 1
        if calls > 9:
            raise StoreUnavailable

    ledger.before_page = fail_from_the_tenth_on
    found = page(ledger, wanted, limit=100)
    ledger.before_page = lambda: None

    assert found.next_position is not None
    assert calls == 9 + CALL_ATTEMPTS_MAX
    rest = page(ledger, wanted, below=found.next_position, limit=100)
    assert numbers(found) + numbers(rest) == list(range(60, 0, -1))
    assert found.rows


def test_a_page_that_has_come_no_further_is_unavailable_as_its_cursor_would_begin_anew() -> None:
    """The eight partitions that are read ahead turn out to be empty as yet, and the ninth can't be read."""
    ledger = MemoryLedger()
    for number in range(1, 10):
        ledger.append(UUID(int=number), (VARIANT, UUID(int=number)), NOW + timedelta(seconds=number))
    ledger.unseen = {UUID(int=number) for number in range(2, 10)}

    def fail_after_the_eighth() -> None:
        if len(ledger.limits) == 8:
            raise StoreUnavailable

    ledger.before_page = fail_after_the_eighth
    with pytest.raises(StoreUnavailable):
        page(ledger, OF_VARIANT)


# --- positions -------------------------------------------------------------------------------------------------------


def test_a_position_survives_being_written() -> None:
    for at in (NOW, NOW.replace(microsecond=0), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        position = Position(at, ADJUSTMENT)
        assert parse_position(position.text()) == position


@pytest.mark.parametrize("text", ["", "Z#", "x#y", f"2026-11-23T14:05:09Z#{ADJUSTMENT}", f"#{ADJUSTMENT}"])
def test_malformed_text_is_not_a_position(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_position(text)


def test_positions_are_ordered_as_their_texts() -> None:
    positions = [Position(at, row_id) for at in (NOW, NOW + TICK) for row_id in (UUID(int=1), UUID(int=2**127))]

    assert sorted(positions, key=Position.text) == sorted(positions) == positions


# --- rows that were read by their ids --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found", "goes_on_below"),
    [
        ({}, [4, 1, 3, 2], None),
        ({"limit": 2}, [4, 1], 1),
        ({"below": 1}, [3, 2], None),
        ({"below": 2}, [], None),
        ({"wanted": AdjustmentFilter(variant_id=VARIANT), "limit": 1}, [1], 1),
        ({"wanted": AdjustmentFilter(created_from=NOW + TICK, created_to=NOW + 2 * TICK)}, [3], None),
    ],
    ids=str,
)
def test_a_page_of_known_rows_is_in_the_order_of_a_history(
    asked: dict[str, Any], found: list[int], goes_on_below: int | None
) -> None:
    """Rows 2, 3, 1 and 4 are a microsecond apart, and come in another order."""
    times = dict(zip((2, 3, 1, 4), (NOW + each * TICK for each in range(4)), strict=True))
    rows = [an_adjustment(id=UUID(int=each), created_at=times[each]) for each in (3, 1, 2)]
    rows.append(an_adjustment(id=UUID(int=4), created_at=times[4], variant_id=OTHER_VARIANT))
    below = None if "below" not in asked else Position(times[asked["below"]], UUID(int=asked["below"]))

    found_page = page_of_known(rows, asked.get("wanted", ANY), below=below, limit=asked.get("limit", 10))

    assert numbers(found_page) == found
    expected = None if goes_on_below is None else Position(times[goes_on_below], UUID(int=goes_on_below))
    assert found_page.next_position == expected
