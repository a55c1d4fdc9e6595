"""What readers find: which variants and locations there are to them, and what stood where at an instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest

from inventory.aws.clients import dynamodb_client
from inventory.domain import retry_budget
from inventory.domain.errors import LocationNotFound, Refusal, RowMissing, StoreUnavailable, VariantNotFound
from inventory.domain.model import StockItem, StockItemId
from inventory.domain.rules import stock_after
from inventory.queries.level_pages import LevelPages
from inventory.queries.levels import INDEX_DELAY_MAX, Level, LevelFilter, level_at
from inventory.queries.reader import reader_on
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups, StockItemsPage
from inventory.storage.stock_index import StockIndex
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_BUSINESS, OTHER_LOCATION, TICK, VARIANT
from tests.support.fakes.ledger import MemoryLedger
from tests.support.fakes.queries import QueriedTables
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.integrity.proof import Proof
    from inventory.queries.level_pages import LevelsPage
    from inventory.storage.ledger_index import IndexPage, LedgerIndex


class Shown(NamedTuple):
    """Levels, and the location after which the next page begins."""

    levels: list[Level]
    next_location_id: UUID | None


def shown(page: LevelsPage) -> Shown:
    next_location_id = None if page.next_after is None else page.next_after.location_id
    return Shown(list(page.levels), next_location_id)


@dataclass
class Desk:
    """A reader on tables in memory; ``remaining_s`` is the time left, ``pauses_s`` what it waited."""

    remaining_s: float = 10
    pauses_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = dynamodb_client(None)
        self.tables = QueriedTables(client)
        stored = Lookups(client, inventory_table=INVENTORY_TABLE, ledger_table=LEDGER_TABLE)
        index = DynamoDBLedgerIndex(client, LEDGER_TABLE)
        self.reader = reader_on(stored, index, StockIndex(client, INVENTORY_TABLE), clock=lambda: NOW)

    def levels(
        self,
        location_id: UUID | None = None,
        *,
        as_of: datetime | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> Shown:
        budget = retry_budget.RetryBudget(lambda: self.remaining_s, sleep=self.pauses_s.append)
        wanted = LevelFilter(VARIANT, location_id, as_of)
        start = None if after is None else StockItemId(BUSINESS, VARIANT, after)
        return shown(self.reader.levels(BUSINESS, wanted, after=start, limit=limit, budget=budget))


@pytest.fixture
def desk() -> Desk:
    """A shop with one active variant and location; nothing was adjusted yet."""
    made = Desk()
    made.tables.with_catalog()
    return made


def prove(desk: Desk) -> Proof:
    return desk.reader.proof(
        StockItemId(BUSINESS, VARIANT, LOCATION), cursor=None, budget=retry_budget.RetryBudget(lambda: desk.remaining_s)
    )


# --- what is there to readers ----------------------------------------------------------------------------------------


def test_an_active_variant_that_was_never_adjusted_has_no_levels(desk: Desk) -> None:
    assert desk.levels() == desk.levels(LOCATION) == Shown([], None)


def test_the_history_of_what_was_never_adjusted_adds_up_to_nothing(desk: Desk) -> None:
    proof = prove(desk)

    assert (proof.verified, proof.rows, proof.sequence, proof.quantity) == (True, 0, 0, 0)


def test_what_is_not_there_and_was_never_adjusted_has_no_history(desk: Desk) -> None:
    desk.tables.with_variant(active=False)

    with pytest.raises(VariantNotFound):
        prove(desk)


NOT_THERE: dict[str, tuple[Callable[[Desk], None], UUID | None, type[Refusal]]] = {
    "an inactive variant": (lambda desk: desk.tables.with_variant(active=False), None, VariantNotFound),
    "an inactive variant at a location": (
        lambda desk: desk.tables.with_variant(active=False),
        LOCATION,
        VariantNotFound,
    ),
    "an inactive location": (lambda desk: desk.tables.with_location(active=False), LOCATION, LocationNotFound),
    "an unknown location": (lambda _: None, OTHER_LOCATION, LocationNotFound),
    "another business's location": (
        lambda desk: desk.tables.with_location(OTHER_LOCATION, business_id=OTHER_BUSINESS),
        OTHER_LOCATION,
        LocationNotFound,
    ),
}


@pytest.mark.parametrize("case", NOT_THERE)
def test_what_was_never_adjusted_and_could_not_be_is_not_there(desk: Desk, case: str) -> None:
    given, location_id, refusal = NOT_THERE[case]
    given(desk)

    with pytest.raises(refusal):
        desk.levels(location_id)


@pytest.mark.parametrize("location_id", [None, LOCATION])
def test_an_unknown_and_another_businesss_variant_are_not_there(location_id: UUID | None) -> None:
    desk = Desk()
    desk.tables.with_location()
    desk.tables.with_variant(business_id=OTHER_BUSINESS)
    desk.tables.with_history(an_adjustment(business_id=OTHER_BUSINESS))

    with pytest.raises(VariantNotFound):
        desk.levels(location_id)


@pytest.mark.parametrize("location_id", [None, LOCATION])
def test_what_was_deactivated_stays_readable_where_it_has_a_history(desk: Desk, location_id: UUID | None) -> None:
    desk.tables.with_history(an_adjustment())
    desk.tables.with_variant(active=False)
    desk.tables.with_location(active=False)

    assert desk.levels(location_id) == Shown([Level(VARIANT, LOCATION, 5, 1, NOW)], None)
    assert desk.levels(location_id, as_of=NOW - TICK) == Shown([], None)


def test_the_catalog_is_asked_for_the_sku_only_where_there_is_stock_or_on_a_later_page(desk: Desk) -> None:
    desk.tables.with_history(an_adjustment())

    desk.levels()
    assert desk.levels(after=LOCATION) == Shown([], None)

    assert len(desk.tables.requests["Query"]) == 2
    (named,) = desk.tables.requests["BatchGetItem"]
    assert [key["sk"]["S"] for key in named["RequestItems"][INVENTORY_TABLE]["Keys"]] == [f"VARIANT#{VARIANT}"]


# --- pages of levels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "pages"), [(1, [1, 1, 1, 1]), (3, [3, 1]), (4, [4]), (5, [4]), (100, [4])])
def test_levels_in_pages_are_all_levels_once_and_the_last_page_says_so(
    desk: Desk, limit: int, pages: list[int]
) -> None:
    for number in range(4):
        desk.tables.with_history(an_adjustment(location_id=UUID(int=number)))
    found = []
    after, page = None, None
    while page is None or after is not None:
        page = desk.levels(after=after, limit=limit)
        found.append([each.location_id.int for each in page.levels])
        after = page.next_location_id

    assert [len(each) for each in found] == pages
    assert [each for several in found for each in several] == [0, 1, 2, 3]


def test_a_page_of_the_table_without_any_stock_item_is_read_on_from(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = StockItem(quantity=5, sequence=1, updated_at=NOW, head_hash="")
    pages = {None: ([], LOCATION), LOCATION: ([], OTHER_LOCATION), OTHER_LOCATION: ([(UUID(int=9), stock)], None)}

    def stock_items(*_: UUID, after: UUID | None, limit: int) -> StockItemsPage:
        assert limit == 101
        return StockItemsPage(*pages[after])

    monkeypatch.setattr(Lookups, "stock_items", staticmethod(stock_items))

    assert desk.levels() == Shown([Level(VARIANT, UUID(int=9), 5, 1, NOW)], None)
    del pages[OTHER_LOCATION]
    pages[LOCATION] = ([], None)
    assert desk.levels() == Shown([], None), "the catalog knows it"
    assert desk.levels(after=LOCATION) == Shown([], None)


def test_a_page_as_of_an_instant_goes_on_behind_what_was_not_there_yet(desk: Desk) -> None:
    for number in range(4):
        created_at = NOW + timedelta(seconds=number % 2)
        row_id = place_id = UUID(int=number)
        desk.tables.with_history(an_adjustment(id=row_id, location_id=place_id, created_at=created_at))

    page = desk.levels(as_of=NOW, limit=2)

    assert [each.location_id.int for each in page.levels] == [0, 2]
    assert page.next_location_id == UUID(int=2)


# --- an instant ------------------------------------------------------------------------------------------------------

PLACE = (VARIANT, LOCATION)


def a_ledger(*times: datetime) -> MemoryLedger:
    """One stock item that was adjusted by 1, 2, 3 … at these times."""
    ledger = MemoryLedger()
    for number, at in enumerate(times, 1):
        ledger.append(UUID(int=number), PLACE, at, delta=number)
    return ledger


def a_call() -> None:
    """Let it be made."""


def level(ledger: MemoryLedger, as_of: datetime, now: datetime = NOW) -> tuple[int, int] | None:
    """Quantity and sequence at an instant; the one row that a level comes from has its time, too."""
    stock_item_id = StockItemId(BUSINESS, VARIANT, LOCATION)
    found = level_at(ledger, stock_item_id, stock_after(ledger.heads[PLACE]), as_of, now=now, between_calls=a_call)
    if found is None:
        return None
    assert found.updated_at == ledger.rows[found.sequence - 1].created_at
    return found.quantity, found.sequence


@pytest.mark.parametrize(
    ("ticks", "found"),
    [
        (-1, None),
        (0, (1, 1)),
        (1, (1, 1)),
        (9, (1, 1)),
        (10, (3, 2)),
        (11, (6, 3)),
        (12, (6, 3)),
        (19, (6, 3)),
        (20, (10, 4)),
        (21, (10, 4)),
    ],
)
def test_the_level_of_an_instant_is_that_of_the_last_row_up_to_it(ticks: int, found: tuple[int, int] | None) -> None:
    ledger = a_ledger(NOW, NOW + 10 * TICK, NOW + 11 * TICK, NOW + 20 * TICK)

    assert level(ledger, NOW + ticks * TICK) == found


def test_the_last_row_and_all_that_follows_need_no_look_at_the_ledger() -> None:
    ledger = a_ledger(NOW)

    assert level(ledger, NOW) == level(ledger, datetime.max.replace(tzinfo=UTC)) == (1, 1)
    assert ledger.limits == []


@pytest.mark.parametrize("as_of", [NOW, NOW + 3 * TICK], ids=["in the past", "now"])
def test_a_level_says_when_the_stock_item_was_last_counted_until_today(as_of: datetime) -> None:
    ledger = a_ledger(NOW, NOW + TICK)
    stock = stock_after(ledger.heads[PLACE])._replace(counted_at=NOW - TICK)
    stock_item_id = StockItemId(BUSINESS, VARIANT, LOCATION)

    found = level_at(ledger, stock_item_id, stock, as_of, now=NOW, between_calls=a_call)

    assert found is not None
    assert found.counted_at == NOW - TICK


@pytest.mark.parametrize(
    ("limits", "included"),
    [
        ({}, [-1, 0, 4, 5, 6]),
        ({"quantity_at_most": 4}, [-1, 0, 4]),
        ({"quantity_at_least": 4}, [4, 5, 6]),
        ({"quantity_at_most": 5, "quantity_at_least": 0}, [0, 4, 5]),
        ({"quantity_at_most": 0}, [-1, 0]),
    ],
    ids=str,
)
def test_both_limits_of_the_quantity_are_inclusive(limits: dict[str, Any], included: list[int]) -> None:
    wanted = LevelFilter(**limits)

    assert [each for each in (-1, 0, 4, 5, 6) if wanted.includes(each)] == included
    assert wanted.limits_quantity == bool(limits)


def test_the_level_of_an_instant_costs_two_rows_however_long_the_history_is() -> None:
    ledger = a_ledger(*(NOW + each * TICK for each in range(500)))

    assert level(ledger, NOW + 250 * TICK) == (251 * 252 // 2, 251)
    assert (ledger.limits, ledger.rows_read) == ([1, 1], 2)


@pytest.mark.parametrize("unseen", [{2}, {3}, {1, 2}, {2, 3}, {3, 4}, {4, 3, 2, 1}, {1, 2, 3}])
def test_a_row_that_the_index_does_not_have_yet_never_makes_another_balance_pass_for_that_of_the_instant(
    unseen: set[int],
) -> None:
    """Row 2 is the one that is asked for, row 3 the one that proves that nothing is missing between them."""
    ledger = a_ledger(NOW, NOW + 10 * TICK, NOW + 20 * TICK, NOW + 30 * TICK)
    ledger.unseen = {UUID(int=each) for each in unseen}

    with pytest.raises(StoreUnavailable):
        level(ledger, NOW + 15 * TICK)


@pytest.mark.parametrize(("unseen", "seconds_since"), [({2}, 20), ({3}, 30), ({3, 4}, 30), ({4, 3, 2, 1}, 30)])
def test_a_row_that_is_still_not_there_after_minutes_is_lost_and_not_waited_for(
    unseen: set[int], seconds_since: int
) -> None:
    """The row after the gap shows the least age of the missing one; for the last row, the stock item does."""
    ledger = a_ledger(*(NOW + timedelta(seconds=each) for each in (0, 10, 20, 30)))
    ledger.unseen = {UUID(int=each) for each in unseen}
    as_of, behind = NOW + timedelta(seconds=15), NOW + timedelta(seconds=seconds_since)

    with pytest.raises(StoreUnavailable):
        level(ledger, as_of, now=behind + INDEX_DELAY_MAX)
    with pytest.raises(RowMissing) as missing:
        level(ledger, as_of, now=behind + INDEX_DELAY_MAX + TICK)
    assert missing.value.where == {
        "business_id": str(BUSINESS),
        "variant_id": str(VARIANT),
        "location_id": str(LOCATION),
    }


def test_a_row_may_be_five_minutes_late_and_no_longer() -> None:
    """A shorter limit would call what is late lost; a longer one would hide what is lost behind 503s."""
    ledger = a_ledger(NOW, NOW + TICK)
    ledger.unseen = {UUID(int=1)}
    last_moment = NOW + TICK + timedelta(minutes=5)

    with pytest.raises(StoreUnavailable):
        level(ledger, NOW, now=last_moment)
    with pytest.raises(RowMissing):
        level(ledger, NOW, now=last_moment + TICK)


@pytest.mark.parametrize("unseen", [{1}, {4}, {1, 4}])
def test_a_row_that_is_missing_elsewhere_does_not_matter(unseen: set[int]) -> None:
    ledger = a_ledger(NOW, NOW + 10 * TICK, NOW + 20 * TICK, NOW + 30 * TICK)
    ledger.unseen = {UUID(int=each) for each in unseen}

    assert level(ledger, NOW + 15 * TICK) == (3, 2)


def test_before_the_first_row_nothing_may_be_missing_either() -> None:
    ledger = a_ledger(NOW, NOW + 10 * TICK)
    assert level(ledger, NOW - TICK) is None

    ledger.unseen = {UUID(int=1)}
    with pytest.raises(StoreUnavailable):
        level(ledger, NOW - TICK)


def test_a_read_waits_for_a_lagging_index(desk: Desk) -> None:
    first = an_adjustment()
    second = an_adjustment(id=UUID(int=2), sequence=2, quantity_after=10, created_at=NOW + TICK)
    desk.tables.with_history(first, second)
    late = {place: item for place, item in desk.tables.items.items() if item.get("sequence") == {"N": "2"}}
    (place,) = [place for place in late if place[0] == LEDGER_TABLE]
    del desk.tables.items[place]

    def arrive(pause_s: float) -> None:
        desk.pauses_s.append(pause_s)
        desk.tables.items |= late

    budget = retry_budget.RetryBudget(lambda: 10, sleep=arrive)
    page = desk.reader.levels(BUSINESS, LevelFilter(VARIANT, LOCATION, NOW), after=None, limit=1, budget=budget)

    assert shown(page) == Shown([Level(VARIANT, LOCATION, 5, 1, NOW)], None)
    assert len(desk.pauses_s) == 1


def test_an_index_that_lags_too_long_is_unavailable(desk: Desk) -> None:
    first = an_adjustment()
    second = an_adjustment(id=UUID(int=2), sequence=2, quantity_after=10, created_at=NOW + TICK)
    desk.tables.with_history(second)
    desk.tables.with_row(first)
    del desk.tables.items[LEDGER_TABLE, f"{BUSINESS}#{UUID(int=2)}", ""]

    with pytest.raises(StoreUnavailable):
        desk.levels(as_of=NOW)
    assert len(desk.pauses_s) == retry_budget.CALL_ATTEMPTS_MAX - 1


@dataclass
class SlowIndex:
    """An index whose every answer takes as long as the time-outs let it; ``left_s``: what was left at each call."""

    index: LedgerIndex
    remaining_s: float
    left_s: list[float] = field(default_factory=list)

    def page(self, *arguments: Any, **named: Any) -> IndexPage:
        self.left_s.append(self.remaining_s)
        self.remaining_s -= retry_budget.CONNECT_TIMEOUT_S + retry_budget.READ_TIMEOUT_S
        return self.index.page(*arguments, **named)


@pytest.mark.parametrize(("remaining_s", "calls"), [(3.4, 0), (3.5, 1), (6.4, 1), (6.5, 2), (10.0, 2)])
def test_each_of_the_two_reads_of_an_instant_begins_only_where_there_is_time_for_it(
    desk: Desk, remaining_s: float, calls: int
) -> None:
    first = an_adjustment()
    desk.tables.with_history(first, an_adjustment(id=UUID(int=2), sequence=2, quantity_after=10, created_at=NOW + TICK))
    pages = desk.reader.level_pages
    slow = SlowIndex(pages.ledger, remaining_s)

    def levels() -> LevelsPage:
        budget = retry_budget.RetryBudget(lambda: slow.remaining_s, sleep=lambda _: None)
        wanted = LevelFilter(VARIANT, LOCATION, NOW)
        return LevelPages(pages.stock_items, slow).page(BUSINESS, wanted, after=None, limit=1, now=NOW, budget=budget)

    if calls == 2:
        assert levels().levels == [Level(VARIANT, LOCATION, 5, 1, NOW)]
    else:
        with pytest.raises(StoreUnavailable):
            levels()
    assert len(slow.left_s) == calls
    assert all(left_s >= retry_budget.CALL_BUDGET_S for left_s in slow.left_s)
    assert slow.remaining_s >= 0
