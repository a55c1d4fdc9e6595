"""What a decision is read from: the keys that are asked for, what is remembered, and how items become values."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.model import Business, Snapshot
from inventory.storage.items import adjustment_of, ledger_item
from inventory.storage.stock_store import CATALOG_ENTRIES_MAX, CATALOG_LIFETIME_S
from tests.support.builders.domain import a_business, a_command, a_snapshot, a_stock_item, an_adjustment, stock_in
from tests.support.builders.ids import (
    ADJUSTMENT,
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    OTHER_VARIANT,
    TICK,
    VARIANT,
)
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.faults.wire import broken, fault, reply
from tests.support.harness.stores import StoreOnTables

if TYPE_CHECKING:
    from tests.support.faults.wire import Reply

SETTINGS_KEY = f"BUSINESS#{BUSINESS}/SETTINGS"
VARIANT_KEY = f"BUSINESS#{BUSINESS}/VARIANT#{VARIANT}"
LOCATION_KEY = f"BUSINESS#{BUSINESS}/LOCATION#{LOCATION}"
STOCK_KEY = f"STOCK#{BUSINESS}#{VARIANT}/{LOCATION}"
LEDGER_KEY = f"{BUSINESS}#{ADJUSTMENT}"
REVERSED_ID = UUID("11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee")
LINK_KEY = f"REVERSAL#{BUSINESS}#{REVERSED_ID}/REVERSAL"
CATALOG = [LOCATION_KEY, SETTINGS_KEY, VARIANT_KEY]
AT_LOCATION = a_command(location_id=LOCATION)
RECORDED = {ADJUSTMENT: an_adjustment()}


@pytest.fixture
def warm(cold: StoreOnTables) -> StoreOnTables:
    """The same after its first load."""
    cold.load()
    return cold


# --- the keys --------------------------------------------------------------------------------------------------------


def test_all_of_a_named_location_is_read_at_once(cold: StoreOnTables) -> None:
    snapshot = cold.load(AT_LOCATION, recorded_ids=[ADJUSTMENT])

    assert snapshot == a_snapshot()
    assert cold.keys_read == [sorted([*CATALOG, STOCK_KEY, LEDGER_KEY])]


def test_every_read_is_strongly_consistent(cold: StoreOnTables) -> None:
    cold.load(AT_LOCATION, recorded_ids=[ADJUSTMENT])

    (request,) = cold.tables.requests["BatchGetItem"]
    assert {name: wanted["ConsistentRead"] for name, wanted in request["RequestItems"].items()} == {
        INVENTORY_TABLE: True,
        LEDGER_TABLE: True,
    }


def test_of_a_reversal_the_link_is_read_with_the_rest(cold: StoreOnTables) -> None:
    reversing = replace(AT_LOCATION, reverses=REVERSED_ID)
    assert cold.load(reversing, recorded_ids=[ADJUSTMENT]) == a_snapshot()
    assert cold.keys_read == [sorted([*CATALOG, STOCK_KEY, LEDGER_KEY, LINK_KEY])]

    cold.tables.with_link(REVERSED_ID, ADJUSTMENT)
    assert cold.load(reversing, recorded_ids=[ADJUSTMENT]) == a_snapshot(reversed_by=ADJUSTMENT)
    assert cold.keys_read == [sorted([STOCK_KEY, LEDGER_KEY, LINK_KEY])], "a link is never remembered"


def test_the_link_of_another_adjustment_or_business_is_not_this_ones(cold: StoreOnTables) -> None:
    cold.tables.with_link(ADJUSTMENT, REVERSED_ID)
    cold.tables.with_link(REVERSED_ID, ADJUSTMENT, business_id=OTHER_BUSINESS)

    assert cold.load(replace(AT_LOCATION, reverses=REVERSED_ID)).reversed_by is None


def test_a_default_location_that_was_never_seen_takes_a_second_read(cold: StoreOnTables) -> None:
    snapshot = cold.load(recorded_ids=[ADJUSTMENT])

    assert snapshot == a_snapshot()
    assert cold.keys_read == [sorted([SETTINGS_KEY, VARIANT_KEY, LEDGER_KEY]), sorted([LOCATION_KEY, STOCK_KEY])]


def test_a_default_location_that_was_seen_before_takes_one(warm: StoreOnTables) -> None:
    assert warm.load() == a_snapshot()
    assert warm.keys_read == [[STOCK_KEY]]


def test_the_ledger_is_read_where_an_id_is_known_only(warm: StoreOnTables) -> None:
    warm.load(recorded_ids=[ADJUSTMENT])
    assert warm.keys_read == [sorted([STOCK_KEY, LEDGER_KEY])]

    warm.load()
    assert warm.keys_read == [[STOCK_KEY]]


def test_a_default_location_that_was_changed_is_read_anew_and_its_stock_with_it(warm: StoreOnTables) -> None:
    warm.tables.with_business(default=OTHER_LOCATION)
    warm.tables.with_location(OTHER_LOCATION)
    warm.tables.with_stock(a_stock_item(3), location_id=OTHER_LOCATION)
    warm.tables.with_row(an_adjustment())
    warm.now_s += CATALOG_LIFETIME_S

    snapshot = warm.load(recorded_ids=[ADJUSTMENT])

    assert snapshot == a_snapshot(
        business=a_business(default_location_id=OTHER_LOCATION),
        location_id=OTHER_LOCATION,
        stock=a_stock_item(3),
        recorded=RECORDED,
    )


def test_a_default_location_that_was_dropped_is_no_location_any_more(warm: StoreOnTables) -> None:
    warm.tables.with_business(default=None)
    warm.now_s += CATALOG_LIFETIME_S

    snapshot = warm.load()

    assert (snapshot.business, snapshot.locations) == (a_business(default_location_id=None), set())
    assert len(warm.keys_read) == 1


def test_where_all_is_remembered_and_there_is_no_location_nothing_is_read(cold: StoreOnTables) -> None:
    cold.tables.with_business(default=None)
    first = cold.load()

    assert cold.load() == first
    assert cold.keys_read == []


def test_a_further_read_does_not_begin_without_time(cold: StoreOnTables) -> None:
    def no_time() -> None:
        raise TryAgain

    with pytest.raises(TryAgain):
        cold.store.load([a_command()], [], require_time=no_time)
    assert cold.keys_read == [[SETTINGS_KEY, VARIANT_KEY]]


def test_a_default_location_that_was_taken_away_leaves_no_stock_behind(warm: StoreOnTables) -> None:
    warm.now_s += CATALOG_LIFETIME_S
    warm.tables.with_business(default=None)

    snapshot = warm.load()

    assert (snapshot.business, snapshot.stock) == (a_business(default_location_id=None), {})


def test_a_row_is_found_by_its_business_and_id(cold: StoreOnTables) -> None:
    cold.tables.with_row(an_adjustment())

    assert cold.store.find(BUSINESS, [ADJUSTMENT]) == RECORDED
    assert (cold.rows_looked_for, cold.keys_read) == ([[LEDGER_KEY]], [])
    assert cold.store.find(VARIANT, [ADJUSTMENT]) == {}


# --- what is there and what is not -----------------------------------------------------------------------------------


def test_of_an_unknown_business_nothing_is_there() -> None:
    snapshot = StoreOnTables().load(AT_LOCATION)

    assert snapshot == Snapshot(business=None, variants={}, locations=set(), reasons={}, stock={}, recorded={})


def test_an_unknown_business_has_no_default_location() -> None:
    (stock_item_id,) = StoreOnTables().store.stock_item_ids([a_command()])

    assert stock_item_id is None


def test_a_business_may_have_no_default_location(cold: StoreOnTables) -> None:
    cold.tables.with_business(default=None)

    snapshot = cold.load()

    assert snapshot == a_snapshot(
        business=a_business(default_location_id=None), location_id=None, location_active=False, stock=None
    )
    assert len(cold.keys_read) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_a_business_says_whether_stock_may_be_negative(cold: StoreOnTables, allowed: bool) -> None:  # noqa: FBT001
    cold.tables.with_business(allow_negative_stock={"BOOL": allowed})

    assert cold.load().business == Business(allow_negative_stock=allowed, default_location_id=LOCATION)


def test_a_variant_that_was_deactivated_is_not_active(cold: StoreOnTables) -> None:
    cold.tables.with_variant(active=False)

    assert cold.load() == a_snapshot(variant_active=False)


def test_a_location_that_was_deactivated_is_not_active(cold: StoreOnTables) -> None:
    cold.tables.with_location(active=False)

    assert cold.load() == a_snapshot(location_active=False)


def test_a_variant_that_was_never_adjusted_there_has_no_stock_item(cold: StoreOnTables) -> None:
    cold.tables.with_location(OTHER_LOCATION)

    assert cold.load(a_command(location_id=OTHER_LOCATION)).stock == {}


# --- memory ----------------------------------------------------------------------------------------------------------


def test_an_active_catalog_is_cached_for_exactly_a_minute(warm: StoreOnTables) -> None:
    assert CATALOG_LIFETIME_S == 60
    warm.now_s += CATALOG_LIFETIME_S - 0.001
    warm.load()
    assert warm.keys_read == [[STOCK_KEY]]

    warm.now_s += 0.001
    warm.load()
    assert warm.keys_read == [sorted([*CATALOG, STOCK_KEY])]


def test_a_cached_value_ages_from_before_its_read(cold: StoreOnTables) -> None:
    """A change made while the read is under way may be missed, so the minute begins before it."""

    def time_passes(**_: object) -> None:
        cold.now_s += 2

    cold.client.meta.events.register("before-send.dynamodb.BatchGetItem", time_passes)
    cold.load(AT_LOCATION)
    cold.now_s += CATALOG_LIFETIME_S - 2

    cold.load(AT_LOCATION)
    assert cold.keys_read[0] == sorted([*CATALOG, STOCK_KEY])


def test_a_deactivation_takes_effect_within_a_minute(warm: StoreOnTables) -> None:
    warm.tables.with_variant(active=False)
    warm.tables.with_location(active=False)
    assert warm.load().variants

    warm.now_s += CATALOG_LIFETIME_S

    assert warm.load() == a_snapshot(variant_active=False, location_active=False)


@pytest.mark.parametrize("backwards_s", [0.001, 3_600])
def test_a_clock_that_jumped_back_ends_the_trust(warm: StoreOnTables, backwards_s: float) -> None:
    warm.now_s -= backwards_s

    warm.load()

    assert warm.keys_read == [sorted([*CATALOG, STOCK_KEY])]


@pytest.mark.parametrize("active", [False, None], ids=["inactive", "absent"])
def test_missing_or_inactive_catalog_items_are_read_each_time(cold: StoreOnTables, active: bool | None) -> None:  # noqa: FBT001
    command = a_command(variant_id=OTHER_VARIANT, location_id=LOCATION)
    if active is not None:
        cold.tables.with_variant(OTHER_VARIANT, active=active)
    assert not cold.load(command).variants

    cold.tables.with_variant(OTHER_VARIANT)

    assert cold.load(command).variants


def test_a_deactivated_item_is_evicted_and_read_each_time(warm: StoreOnTables) -> None:
    warm.tables.with_variant(active=False)
    warm.now_s += CATALOG_LIFETIME_S
    assert not warm.load().variants

    warm.tables.with_variant()

    assert warm.load().variants


def test_the_cached_default_location_of_a_removed_business_is_not_used(warm: StoreOnTables) -> None:
    warm.tables.items = {place: item for place, item in warm.tables.items.items() if "SETTINGS" not in place}
    warm.now_s += CATALOG_LIFETIME_S
    warm.load()

    assert warm.load().business is None
    assert [STOCK_KEY in asked for asked in warm.keys_read] == [False]


def test_the_catalogs_cache_holds_neither_stock_nor_ledger(warm: StoreOnTables) -> None:
    assert warm.load(recorded_ids=[ADJUSTMENT]).recorded == {}
    warm.tables.with_stock(a_stock_item(7))
    warm.tables.with_row(an_adjustment())

    snapshot = warm.load(recorded_ids=[ADJUSTMENT])

    assert (stock_in(snapshot), snapshot.recorded) == (a_stock_item(7), RECORDED)


def test_no_cached_value_is_used_for_another_business(warm: StoreOnTables) -> None:
    other = a_command(business_id=OTHER_VARIANT, location_id=LOCATION)

    assert warm.load(other).business is None
    assert not warm.load(other).variants
    assert not warm.load(other).locations


def test_the_cache_is_bounded(warm: StoreOnTables) -> None:
    for number in range(CATALOG_ENTRIES_MAX):
        warm.store._catalog.put((str(number), ""), {}, read_at_s=warm.now_s)

    assert len(warm.store._catalog._entries) == CATALOG_ENTRIES_MAX == 10_000
    warm.load()
    assert SETTINGS_KEY in warm.keys_read[0]


# --- the default location, asked for by itself -----------------------------------------------------------------------


def default_of(on: StoreOnTables) -> UUID | None:
    """Ask for the default location; ``keys_read`` holds the read keys."""
    on.tables.requests.clear()
    (found,) = on.store.stock_item_ids([a_command()])
    return None if found is None else found.location_id


def test_a_default_location_is_read_with_the_settings_and_nothing_else(cold: StoreOnTables) -> None:
    assert default_of(cold) == LOCATION
    assert cold.keys_read == [[SETTINGS_KEY]]
    (request,) = cold.tables.requests["BatchGetItem"]
    assert request["RequestItems"][INVENTORY_TABLE]["ConsistentRead"]


def test_a_default_location_is_remembered_for_a_minute_and_read_again_after_it(cold: StoreOnTables) -> None:
    default_of(cold)
    cold.tables.with_business(default=OTHER_LOCATION)

    cold.now_s += CATALOG_LIFETIME_S - 0.001
    assert (default_of(cold), cold.keys_read) == (LOCATION, [])
    cold.now_s += 0.001
    assert (default_of(cold), cold.keys_read) == (OTHER_LOCATION, [[SETTINGS_KEY]])
    assert (default_of(cold), cold.keys_read) == (OTHER_LOCATION, [])


def test_a_load_and_a_look_for_the_default_location_remember_for_each_other(warm: StoreOnTables) -> None:
    assert (default_of(warm), warm.keys_read) == (LOCATION, [])

    other = StoreOnTables()
    other.tables.with_catalog()
    default_of(other)
    other.load()
    assert other.keys_read == [sorted([VARIANT_KEY, LOCATION_KEY, STOCK_KEY])]


def test_a_default_location_ages_from_before_it_was_read(cold: StoreOnTables) -> None:
    def time_passes(**_: object) -> None:
        cold.now_s += 2

    cold.client.meta.events.register("before-send.dynamodb.BatchGetItem", time_passes)
    default_of(cold)
    cold.now_s += CATALOG_LIFETIME_S - 2

    default_of(cold)
    assert cold.keys_read == [[SETTINGS_KEY]]


def test_that_a_business_has_no_default_location_is_remembered_but_not_that_there_is_no_business() -> None:
    tables = StoreOnTables()
    for _ in range(2):
        assert (default_of(tables), tables.keys_read) == (None, [[SETTINGS_KEY]])

    tables.tables.with_business(default=None)
    assert (default_of(tables), tables.keys_read) == (None, [[SETTINGS_KEY]])
    assert (default_of(tables), tables.keys_read) == (None, [])


@pytest.mark.parametrize("met", [broken(), reply({}), fault("ThrottlingException")], ids=["closed", "{}", "throttled"])
def test_an_unreadable_default_location_does_not_count_as_none(cold: StoreOnTables, met: Reply) -> None:
    cold.tables.meets("BatchGetItem", met, None)

    with pytest.raises(StoreUnavailable):
        default_of(cold)
    assert default_of(cold) == LOCATION


# --- items and values ------------------------------------------------------------------------------------------------


EVERYTHING = an_adjustment(
    reason_code="count_variance",
    reference="count 7",
    expected_quantity=-(2**53 - 1),
    location_defaulted=False,
    reverses=UUID(int=7),
    delta=-1_000_000_000,
    quantity_after=-(2**53 - 1),
    sequence=2**53,
    kind="transfer",
    group_id=UUID(int=8),
    group_line=0,
    group_size=99,
    counted_quantity=2**53 - 1,
    counted_at=NOW - TICK,
    sku="SKU 7",
    occurred_at=NOW,
)


@pytest.mark.parametrize(
    "row",
    [
        an_adjustment(),
        EVERYTHING,
        an_adjustment(expected_quantity=0, reason='"📦"\n\t\u202e', created_by="ü"),
        an_adjustment(created_at=an_adjustment().created_at.replace(microsecond=0)),
        an_adjustment(form=1),
        an_adjustment(form=1, kind="reversal", reverses=UUID(int=7)),
        an_adjustment(kind="reversal", reverses=UUID(int=7)),
    ],
    ids=["plain", "everything", "odd texts", "a whole second", "form 1", "reversal of form 1", "reversal"],
)
def test_a_row_round_trips_through_its_item(row: Any) -> None:
    assert adjustment_of(ledger_item(row)) == row


def test_the_row_with_everything_has_each_member() -> None:
    assert None not in EVERYTHING


@pytest.mark.parametrize(
    "name",
    [
        *("reason_code", "reference", "expected_quantity", "reverses", "kind", "group_id", "group_line", "group_size"),
        *("counted_quantity", "counted_at", "sku", "occurred_at"),
    ],
)
def test_an_absent_member_of_a_row_is_absent_from_its_item(name: str) -> None:
    assert name not in ledger_item(an_adjustment())


def test_a_stock_item_round_trips_through_its_item(cold: StoreOnTables) -> None:
    stock = a_stock_item(-(2**53 - 1), sequence=2**53)
    cold.tables.with_stock(stock)

    assert stock_in(cold.load()) == stock


def test_a_counted_stock_item_round_trips_through_its_item(cold: StoreOnTables) -> None:
    stock = a_stock_item(3, counted_at=NOW - TICK, counted_through=NOW)
    cold.tables.with_stock(stock)

    assert stock_in(cold.load()) == stock


def test_a_row_of_form_1_has_no_attribute_of_form_2() -> None:
    of_form_1 = replace(EVERYTHING, form=1)

    assert ledger_item(of_form_1).keys() <= ledger_item(an_adjustment()).keys() | {
        *("reason_code", "reference", "expected_quantity", "reverses")
    }


def test_a_plain_row_of_form_2_takes_at_most_16_bytes_more_than_one_of_form_1() -> None:
    """DynamoDB counts the bytes of names and texts, and of a number about half a byte a digit and one more."""
    sizes = [
        sum(len(name) + len(value["S"]) for name, value in ledger_item(row).items() if "S" in value)
        + sum(len(name) + len(value["N"]) // 2 + 2 for name, value in ledger_item(row).items() if "N" in value)
        for row in (an_adjustment(form=1), an_adjustment())
    ]

    assert (sizes[1] - sizes[0]) in range(1, 17)


def test_both_indexes_sort_rows_by_time() -> None:
    first, second = an_adjustment(), an_adjustment()
    later = replace(second, created_at=second.created_at.replace(microsecond=999_999))

    for name in ("created_at", "created_at_id"):
        assert str(ledger_item(first)[name]) < str(ledger_item(later)[name])
