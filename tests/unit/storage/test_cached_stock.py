"""The state in which an environment remembers a stock item to be: it saves a call, and no refusal rests on it."""

from __future__ import annotations

import math
from copy import replace
from typing import TYPE_CHECKING

import pytest

from inventory.domain.errors import IdempotencyKeyReused, InsufficientStock, StaleQuantity, StoreUnavailable
from inventory.domain.rules import stock_after
from inventory.domain.store import Committed
from inventory.storage.cache import CONTENDED_LIFETIME_S, Cache
from inventory.storage.stock_store import CATALOG_LIFETIME_S, STOCK_ENTRIES_MAX
from tests.support.builders.domain import a_command, a_snapshot, a_stock_item, an_adjustment, stock_in
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, STOCK_ITEM, VARIANT
from tests.support.fakes.scripted_store import Desk, Met, a_desk
from tests.support.fakes.tables import INVENTORY_TABLE
from tests.support.faults.wire import broken, cancelled
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment
    from tests.support.faults.wire import Reply

KEYED = a_command(quantity_change=-10, idempotency_key="key")
UNKEYED = a_command(quantity_change=-10)


# --- what the store remembers ----------------------------------------------------------------------------------------


@pytest.fixture
def warm() -> StoreOnTables:
    """A store that has loaded a stock item of ten, and its catalog."""
    made = StoreOnTables()
    made.tables.with_catalog()
    made.tables.with_stock(a_stock_item(10))
    made.load()
    return made


def next_row() -> Adjustment:
    seen = a_stock_item(10)
    return an_adjustment(delta=5, quantity_after=15, sequence=seen.sequence + 1, previous_hash=seen.head_hash)


@pytest.mark.parametrize("location_id", [None, LOCATION])
def test_a_loaded_state_is_cached_and_marked(warm: StoreOnTables, location_id: object) -> None:
    command = a_command(location_id=location_id)

    assert warm.store.cached([command]) == a_snapshot(stock=a_stock_item(10), cached=True)


def test_a_committed_state_is_cached(warm: StoreOnTables) -> None:
    assert isinstance(warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10))), Committed)

    remembered = warm.store.cached([a_command()])
    assert remembered is not None
    assert stock_in(remembered) == stock_after(next_row())


@pytest.mark.parametrize("change", [{"variant_id": OTHER_VARIANT}, {"location_id": OTHER_LOCATION}], ids=str)
def test_a_state_that_was_not_read_is_not_cached(warm: StoreOnTables, change: dict[str, object]) -> None:
    assert warm.store.cached([replace(a_command(), **change)]) is None  # type: ignore[arg-type]


def test_a_cold_store_has_an_empty_cache() -> None:
    assert StoreOnTables().store.cached([a_command()]) is None


def test_nothing_is_remembered_of_a_stock_item_that_was_not_there() -> None:
    made = StoreOnTables()
    made.tables.with_catalog()
    made.load()

    assert made.store.cached([a_command()]) is None


@pytest.mark.parametrize(
    "sort_key", ["SETTINGS", f"VARIANT#{VARIANT}", f"LOCATION#{LOCATION}"], ids=["business", "variant", "location"]
)
def test_nothing_is_remembered_where_a_part_of_the_catalog_has_turned_out_to_be_gone(
    warm: StoreOnTables, sort_key: str
) -> None:
    """The stock item's state is known still."""
    del warm.tables.items[INVENTORY_TABLE, f"BUSINESS#{BUSINESS}", sort_key]
    warm.now_s += CATALOG_LIFETIME_S
    warm.load(a_command(location_id=LOCATION))

    assert warm.store.cached([a_command(location_id=LOCATION)]) is None


def test_the_catalog_is_read_as_often_as_without_a_remembered_state(warm: StoreOnTables) -> None:
    warm.now_s += CATALOG_LIFETIME_S

    assert warm.store.cached([a_command()]) is None


@pytest.mark.parametrize(
    "met",
    [cancelled("TransactionConflict", "None"), cancelled("ThrottlingError", "None")],
    ids=["a conflict", "throttling"],
)
def test_an_item_that_others_are_moving_is_read_for_a_minute(warm: StoreOnTables, met: Reply) -> None:
    warm.tables.meets("TransactWriteItems", met, None)
    warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10)))
    assert isinstance(warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10))), Committed)

    assert warm.store.cached([a_command()]) is None
    warm.load()
    assert warm.store.cached([a_command()]) is None

    warm.now_s += CONTENDED_LIFETIME_S
    warm.load()
    assert warm.store.cached([a_command()]) is not None


def test_an_item_that_was_found_moved_is_read_for_a_minute(warm: StoreOnTables) -> None:
    warm.tables.with_stock(a_stock_item(3, sequence=43))

    warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10), cached=True))

    assert warm.store.cached([a_command()]) is None


def test_a_row_that_was_there_before_says_nothing_of_others(warm: StoreOnTables) -> None:
    """The commit's condition on the stock item held: it is as it was remembered."""
    warm.tables.with_row(next_row())
    before = warm.store.cached([a_command()])

    warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10), cached=True))

    assert warm.store.cached([a_command()]) == before
    assert before is not None


def test_a_write_of_unknown_outcome_is_forgotten_until_the_next_load(warm: StoreOnTables) -> None:
    warm.tables.meets("TransactWriteItems", broken())
    with pytest.raises(StoreUnavailable):
        warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10)))

    assert warm.store.cached([a_command()]) is None
    warm.load()
    assert warm.store.cached([a_command()]) is not None


def test_a_state_with_the_number_of_another_history_is_refused(warm: StoreOnTables) -> None:
    """After a restore from a backup the sequences are used again: the hash distinguishes the two histories."""
    warm.tables.with_stock(a_stock_item(2, head_hash="cd" * 32))

    result = warm.store.commit([next_row()], a_snapshot(stock=a_stock_item(10), cached=True))

    assert not isinstance(result, Committed)
    assert warm.tables.rows == []


def a_cache(time_s: Callable[[], float]) -> Cache[int, int]:
    return Cache(lifetime_s=math.inf, entries_max=STOCK_ENTRIES_MAX, time_s=time_s)


def test_a_value_from_before_its_key_was_contended_is_not_trusted_again_afterwards() -> None:
    now_s = 1_000.0
    cache = a_cache(lambda: now_s)
    cache.put(1, 10, read_at_s=now_s)

    cache.mark_contended(1)
    now_s += CONTENDED_LIFETIME_S

    assert cache.trusted(1) is None
    assert cache.last_known(1) is None


def test_a_value_of_a_contended_key_is_trusted_when_the_contention_is_over() -> None:
    now_s = 1_000.0
    cache = a_cache(lambda: now_s)
    cache.mark_contended(1)
    cache.put(1, 10, read_at_s=now_s)

    now_s += CONTENDED_LIFETIME_S - 0.001
    assert cache.trusted(1) is None
    now_s += 0.001
    assert cache.trusted(1) == 10


def test_a_long_lived_environment_caches_so_many_stock_items_and_no_more() -> None:
    cache = a_cache(lambda: 0.0)
    for number in range(STOCK_ENTRIES_MAX + 1):
        cache.put(number, number, read_at_s=0.0)

    assert cache.last_known(0) is None
    assert cache.trusted(1) == 1
    assert cache.trusted(STOCK_ENTRIES_MAX) == STOCK_ENTRIES_MAX == 10_000


def test_so_many_stock_items_are_marked_as_contended_and_no_more() -> None:
    cache = a_cache(lambda: 0.0)
    for number in range(STOCK_ENTRIES_MAX + 1):
        cache.mark_contended(number)
    cache.put(0, 0, read_at_s=0.0)
    cache.put(1, 1, read_at_s=0.0)

    assert cache.trusted(0) == 0, "its mark was dropped as the oldest"
    assert cache.trusted(1) is None


def test_a_clock_that_was_set_back_ends_the_trust_in_stock_items_too() -> None:
    now_s = 1_000.0
    cache = a_cache(lambda: now_s)
    cache.put(1, 10, read_at_s=now_s)
    cache.mark_contended(2)

    now_s -= 1

    assert cache.trusted(1) is None
    cache.put(2, 20, read_at_s=now_s)
    assert cache.trusted(2) == 20


# --- what the loop makes of it ---------------------------------------------------------------------------------------


def a_desk_that_remembers(quantity: int, *, in_truth: int) -> Desk:
    desk = a_desk(in_truth)
    stock = desk.store.stock[STOCK_ITEM]
    desk.store.memory = a_snapshot(stock=replace(stock, quantity=quantity), cached=True)
    if quantity != in_truth:
        # Someone else has moved it since.
        desk.store.stock[STOCK_ITEM] = replace(stock, sequence=stock.sequence + 1)
    desk.store.calls.clear()
    return desk


@pytest.mark.parametrize("command", [KEYED, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_request_allowed_by_the_cached_state_is_one_call(command: object) -> None:
    desk = a_desk_that_remembers(10, in_truth=10)

    assert desk.adjust(command).attempts == 1  # type: ignore[arg-type]

    assert desk.store.calls == ["commit"]
    assert desk.quantity == 0


def test_a_stale_cache_costs_an_attempt_and_no_read() -> None:
    desk = a_desk_that_remembers(10, in_truth=12)

    assert desk.adjust(KEYED).attempts == 2

    assert desk.store.calls == ["commit", "commit"]
    assert desk.quantity == 2


@pytest.mark.parametrize("command", [KEYED, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_refusal_is_of_the_present_and_one_read(command: object) -> None:
    desk = a_desk_that_remembers(9, in_truth=8)

    with pytest.raises(InsufficientStock) as refused:
        desk.adjust(command)  # type: ignore[arg-type]

    assert refused.value.facts()["quantity_on_hand"] == 8
    assert desk.store.calls == ["load"]


def test_a_rejection_after_a_cancelled_commit_only_looks_for_the_keys_row() -> None:
    desk = a_desk_that_remembers(10, in_truth=8)

    with pytest.raises(InsufficientStock):
        desk.adjust(KEYED)

    assert desk.store.calls == ["commit", "find"]


def test_the_state_of_a_cancelled_commit_is_not_transactional_with_earlier_reads() -> None:
    desk = a_desk_that_remembers(9, in_truth=10)
    stock = desk.store.stock[STOCK_ITEM]
    taken = replace(stock, quantity=6, sequence=stock.sequence + 1)
    desk.store.on_commit.append(lambda: desk.store.stock.update({STOCK_ITEM: taken}))

    with pytest.raises(InsufficientStock):
        desk.adjust(KEYED)

    assert desk.store.calls == ["load", "commit", "find"]


def test_a_request_that_only_the_cached_state_would_reject_is_applied() -> None:
    desk = a_desk_that_remembers(9, in_truth=10)

    desk.adjust(KEYED)

    assert desk.store.calls == ["load", "commit"]


def test_an_expected_quantity_is_compared_with_the_current_one() -> None:
    desk = a_desk_that_remembers(9, in_truth=10)

    desk.adjust(replace(KEYED, expected_quantity=10))
    with pytest.raises(StaleQuantity):
        desk.adjust(replace(KEYED, expected_quantity=9, idempotency_key="another"))


@pytest.mark.parametrize(
    ("quantity", "calls"),
    [(20, ["commit"]), (10, ["load"])],
    ids=["the cached state allows it again", "the cached state would refuse it"],
)
def test_a_replay_is_found_at_the_first_call(quantity: int, calls: list[str]) -> None:
    desk = a_desk(quantity)
    first = desk.adjust(KEYED)
    desk.store.memory = a_snapshot(stock=desk.store.stock[STOCK_ITEM], cached=True)
    desk.store.calls.clear()

    assert desk.adjust(KEYED) == replace(first, replayed=True)
    assert desk.store.calls == calls


def test_a_key_of_another_request_is_found_out_at_the_commit() -> None:
    desk = a_desk(20)
    desk.adjust(KEYED)
    desk.store.memory = a_snapshot(stock=desk.store.stock[STOCK_ITEM], cached=True)

    with pytest.raises(IdempotencyKeyReused):
        desk.adjust(replace(KEYED, quantity_change=-1))


def test_the_cache_is_read_for_the_requests_own_stock_item() -> None:
    desk = a_desk_that_remembers(10, in_truth=10)
    asked: list[object] = []
    desk.store.cached = asked.append  # type: ignore[method-assign, assignment]

    desk.adjust(KEYED)

    assert asked == [[KEYED]]


def test_the_cache_is_used_once_and_a_retry_reads() -> None:
    desk = a_desk_that_remembers(10, in_truth=10)
    desk.store.on_commit.append(Met.CONTENDED)

    desk.adjust(KEYED)

    assert desk.store.calls == ["commit", "load", "commit"]


def test_a_group_with_one_refusal_is_decided_from_one_read_and_needs_no_second_look() -> None:
    desk = a_desk_that_remembers(10, in_truth=10)
    commands = [replace(KEYED, idempotency_key=str(number), quantity_change=-6) for number in range(2)]

    results = desk.adjust_all(commands)

    assert [type(each).__name__ for each in results] == ["Outcome", "InsufficientStock"]
    assert desk.store.calls == ["load", "commit"]
