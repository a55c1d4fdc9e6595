"""The store's contract: one suite for the store on DynamoDB and for the fake store of other tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

import pytest

from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import (
    QUANTITY_MAX,
    Adjustment,
    Business,
    Command,
    Rejection,
    ReversalLink,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.rules import stock_after
from inventory.domain.store import GROUP_MAX, Applied, CommitResult, Committed
from inventory.storage.rejections import RejectionMarkers
from tests.support.builders.domain import an_adjustment, stock_in
from tests.support.fakes.rejections import FakeRejections
from tests.support.fakes.store import FakeStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.domain.store import Rejections, Store
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
BUSINESS, VARIANT, LOCATION, OTHER_LOCATION = uuid4(), uuid4(), uuid4(), uuid4()
STOCK_ITEM = StockItemId(BUSINESS, VARIANT, LOCATION)


class World(Protocol):
    """Tables behind a store, with the ways in that the store itself does not offer."""

    def store(self) -> Store:
        """The store of an environment that has just started."""
        ...

    def rejections(self) -> Rejections:
        """The rejections of messages, beside the store."""
        ...

    def register_business(self, *, allow_negative_stock: bool) -> None: ...
    def register_location(self, location_id: UUID, *, default: bool) -> None: ...
    def register_variant(self, variant_id: UUID) -> None: ...
    def deactivate_location(self, location_id: UUID) -> None: ...
    def deactivate_variant(self, variant_id: UUID) -> None: ...
    def contents(self) -> object:
        """All that is stored, to be compared."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Advance the stores' clock, which stands still otherwise."""
        ...


class MemoryWorld:
    def __init__(self) -> None:
        self._store = FakeStore()

    def store(self) -> Store:
        return self._store

    def rejections(self) -> Rejections:
        return FakeRejections(self._store)

    def register_business(self, *, allow_negative_stock: bool) -> None:
        self._store.businesses[BUSINESS] = Business(allow_negative_stock, default_location_id=None)

    def register_location(self, location_id: UUID, *, default: bool) -> None:
        self._store.active_locations.add((BUSINESS, location_id))
        if default:
            business = self._store.businesses[BUSINESS]
            self._store.businesses[BUSINESS] = replace(business, default_location_id=location_id)

    def register_variant(self, variant_id: UUID) -> None:
        self._store.active_variants.add((BUSINESS, variant_id))

    def deactivate_location(self, location_id: UUID) -> None:
        self._store.active_locations.discard((BUSINESS, location_id))

    def deactivate_variant(self, variant_id: UUID) -> None:
        self._store.active_variants.discard((BUSINESS, variant_id))

    def contents(self) -> object:
        return dict(self._store.stock), dict(self._store.ledger), dict(self._store.reversals)

    def pass_time(self, seconds: float) -> None:
        """It has no cache, so it needs no clock."""


class DynamoDBWorld:
    def __init__(self, clients: Clients, tables: Tables) -> None:
        self._client = clients.make()
        self._tables = tables
        self._now_s = 0.0

    def store(self) -> Store:
        return self._tables.store(self._client, time_s=lambda: self._now_s)

    def rejections(self) -> Rejections:
        tables = {"inventory_table": self._tables.inventory, "ledger_table": self._tables.ledger}
        return RejectionMarkers(self._client, **tables, clock=lambda: NOW)

    def register_business(self, *, allow_negative_stock: bool) -> None:
        self._tables.command("register_business", BUSINESS, name="Shop", allow_negative_stock=allow_negative_stock)

    def register_location(self, location_id: UUID, *, default: bool) -> None:
        self._tables.command("register_location", BUSINESS, location_id=location_id, name="Floor", default=default)

    def register_variant(self, variant_id: UUID) -> None:
        self._tables.command("register_variant", BUSINESS, variant_id=variant_id, sku=str(variant_id))

    def deactivate_location(self, location_id: UUID) -> None:
        self._tables.command("deactivate_location", BUSINESS, location_id=location_id)

    def deactivate_variant(self, variant_id: UUID) -> None:
        self._tables.command("deactivate_variant", BUSINESS, variant_id=variant_id)

    def contents(self) -> object:
        return self._tables.contents()

    def pass_time(self, seconds: float) -> None:
        self._now_s += seconds


@pytest.fixture(params=["in memory", "on DynamoDB"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "in memory":
        return MemoryWorld()
    clients: Clients = request.getfixturevalue("clients")
    tables: Tables = request.getfixturevalue("tables")
    return DynamoDBWorld(clients, tables)


@pytest.fixture
def open_world(world: World) -> World:
    """A business with an active variant, a default location and another one; nothing was ever adjusted."""
    world.register_business(allow_negative_stock=False)
    world.register_location(LOCATION, default=True)
    world.register_location(OTHER_LOCATION, default=False)
    world.register_variant(VARIANT)
    return world


@pytest.fixture
def store(open_world: World) -> Store:
    return open_world.store()


def command(variant_id: UUID = VARIANT, location_id: UUID | None = None, *, business_id: UUID = BUSINESS) -> Command:
    return Command(
        business_id=business_id,
        variant_id=variant_id,
        quantity_change=1,
        reason="Counted",
        actor="tester",
        location_id=location_id,
    )


PLAIN = replace(
    an_adjustment(
        id=UUID(int=0),
        business_id=BUSINESS,
        variant_id=VARIANT,
        location_id=LOCATION,
        delta=10,
        reason="Counted",
        quantity_after=10,
        created_at=NOW,
        created_by="tester",
    ),
    hash="a" * 64,
)


def first_row() -> Adjustment:
    return replace(PLAIN, id=uuid4())


def row_after(row: Adjustment) -> Adjustment:
    return replace(
        row,
        id=uuid4(),
        sequence=row.sequence + 1,
        quantity_after=row.quantity_after + row.delta,
        created_at=row.created_at + timedelta(microseconds=1),
        previous_hash=row.hash,
        hash=f"{row.sequence:064x}",
    )


def seeing(stock: StockItem | None, *recorded: Adjustment) -> Snapshot:
    """The state that a commit is decided from, or returns when it has changed."""
    return Snapshot(
        business=Business(allow_negative_stock=False, default_location_id=LOCATION),
        variants={VARIANT: VARIANT},
        locations={LOCATION},
        reasons={},
        stock={} if stock is None else {STOCK_ITEM: stock},
        recorded={row.id: row for row in recorded},
    )


def commit(store: Store, rows: Sequence[Adjustment], seen: Snapshot) -> CommitResult:
    """Commit rows, with the link of the one that reverses another one."""
    links = [ReversalLink(row.reverses, row.id) for row in rows if row.reverses is not None]
    return store.commit(rows, seen, links[0] if links else None)


def default_of(store: Store, business_id: UUID) -> UUID | None:
    """The location of a command that names none."""
    (found,) = store.stock_item_ids([command(business_id=business_id)])
    return None if found is None else found.location_id


def rows_in_turn(count: int) -> list[Adjustment]:
    """So many rows of one stock item from its first."""
    rows = [first_row()]
    while len(rows) < count:
        rows.append(row_after(rows[-1]))
    return rows


def stock_at(store: Store, location_id: UUID = LOCATION) -> StockItem | None:
    return stock_in(store.load([command(location_id=location_id)], []))


# ------------------------------------------------------------------------------------------------------------ load


def test_an_unknown_business_has_nothing(store: Store) -> None:
    snapshot = store.load([command(business_id=uuid4())], [])

    assert snapshot == Snapshot(business=None, variants={}, locations=set(), reasons={}, stock={}, recorded={})


def test_the_catalog_of_one_business_is_not_anothers(store: Store) -> None:
    snapshot = store.load([command(business_id=uuid4(), location_id=LOCATION)], [])

    assert (snapshot.business, snapshot.variants) == (None, {})
    assert snapshot.locations == set()


@pytest.mark.parametrize("allowed", [True, False])
def test_the_settings_of_a_business_are_read(world: World, allowed: bool) -> None:  # noqa: FBT001
    world.register_business(allow_negative_stock=allowed)

    assert world.store().load([command()], []).business == Business(allowed, default_location_id=None)


def test_an_unknown_variant_is_not_active(store: Store) -> None:
    assert not store.load([command(uuid4())], []).variants


def test_a_registered_variant_is_active(store: Store) -> None:
    assert store.load([command()], []).variants


def test_a_deactivated_variant_is_not_active_in_a_fresh_environment(open_world: World) -> None:
    open_world.deactivate_variant(VARIANT)

    assert not open_world.store().load([command()], []).variants


def test_a_variant_that_is_registered_again_is_active_at_once(open_world: World) -> None:
    open_world.deactivate_variant(VARIANT)
    store = open_world.store()
    store.load([command()], [])

    open_world.register_variant(VARIANT)

    assert store.load([command()], []).variants


def test_without_a_named_location_the_default_one_is_used(store: Store) -> None:
    snapshot = store.load([command()], [])

    assert snapshot.business == Business(allow_negative_stock=False, default_location_id=LOCATION)
    assert snapshot.locations == {LOCATION}


def test_a_named_location_is_used(store: Store) -> None:
    snapshot = store.load([command(location_id=OTHER_LOCATION)], [])

    assert snapshot.locations == {OTHER_LOCATION}


def test_without_a_default_location_none_is_used(world: World) -> None:
    world.register_business(allow_negative_stock=False)
    world.register_location(LOCATION, default=False)
    world.register_variant(VARIANT)

    snapshot = world.store().load([command()], [])

    assert (snapshot.variants, snapshot.locations) == ({VARIANT: VARIANT}, set())


def test_an_unknown_location_is_not_active(store: Store) -> None:
    unknown = uuid4()

    snapshot = store.load([command(location_id=unknown)], [])

    assert snapshot.locations == set()


@pytest.mark.parametrize("named", [LOCATION, None])
def test_a_deactivated_location_is_not_active_even_as_the_default_one(open_world: World, named: UUID | None) -> None:
    open_world.deactivate_location(LOCATION)

    snapshot = open_world.store().load([command(location_id=named)], [])

    assert snapshot.locations == set()


def test_the_default_location_may_change(open_world: World) -> None:
    open_world.register_location(OTHER_LOCATION, default=True)

    snapshot = open_world.store().load([command()], [])

    assert snapshot.locations == {OTHER_LOCATION}


def test_a_variant_that_was_never_adjusted_has_no_stock_item(store: Store) -> None:
    assert store.load([command()], []).stock == {}


@pytest.mark.parametrize("named", [LOCATION, None])
def test_stock_and_recorded_row_are_read_with_the_catalog(open_world: World, named: UUID | None) -> None:
    row = first_row()
    commit(open_world.store(), [row], seeing(None))

    snapshot = open_world.store().load([command(location_id=named)], [row.id])

    assert (snapshot.variants, snapshot.locations) == ({VARIANT: VARIANT}, {LOCATION})
    assert (stock_in(snapshot), snapshot.recorded) == (stock_after(row), {row.id: row})


def test_stock_is_separate_for_each_location(store: Store) -> None:
    row, other = first_row(), replace(first_row(), location_id=OTHER_LOCATION, quantity_after=7, hash="b" * 64)
    commit(store, [row], seeing(None))
    commit(store, [other], seeing(None))

    assert stock_at(store) == stock_after(row)
    assert stock_at(store, OTHER_LOCATION) == stock_after(other)


def test_a_row_is_looked_for_only_on_request(store: Store) -> None:
    commit(store, [first_row()], seeing(None))

    assert store.load([command()], []).recorded == {}


def test_a_recorded_row_is_found_whatever_else_is_asked_for(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))

    snapshot = store.load([command(uuid4(), uuid4())], [row.id])

    assert (snapshot.recorded, snapshot.stock, snapshot.variants) == ({row.id: row}, {}, {})


def test_an_absent_row_is_not_found_at_load(store: Store) -> None:
    assert store.load([command()], [uuid4()]).recorded == {}


def test_what_was_committed_is_loaded_at_once(store: Store) -> None:
    row = first_row()
    store.load([command()], [row.id])
    commit(store, [row], seeing(None))

    snapshot = store.load([command()], [row.id])

    assert (stock_in(snapshot), snapshot.recorded) == (stock_after(row), {row.id: row})


@pytest.mark.parametrize("named", [LOCATION, None])
def test_all_rows_of_a_group_are_looked_for_with_an_empty_or_a_full_cache(
    open_world: World, named: UUID | None
) -> None:
    rows = rows_in_turn(GROUP_MAX)
    commit(open_world.store(), rows, seeing(None))
    store = open_world.store()

    for _ in range(2):
        snapshot = store.load([command(location_id=named)], [row.id for row in rows])
        assert snapshot == seeing(stock_after(rows[-1]), *rows)


def test_a_transactional_read_returns_the_same_state_and_is_marked(store: Store) -> None:
    row, absent = first_row(), uuid4()
    commit(store, [row], seeing(None))
    named = command(location_id=LOCATION)

    for _ in range(2):  # the catalog is read with it, and then it is remembered
        snapshot = store.load([named], [row.id, absent], transactional=True)
        assert snapshot == replace(seeing(stock_after(row), row), transactional=True)
    assert store.load([named], [row.id, absent]) == seeing(stock_after(row), row)


def test_a_transactional_read_does_not_find_absent_items(store: Store) -> None:
    snapshot = store.load([command(location_id=LOCATION)], [uuid4()], transactional=True)

    assert snapshot == replace(seeing(None), transactional=True)


def test_all_rows_of_a_group_fit_into_a_transactional_read_with_a_cached_catalog(
    open_world: World,
) -> None:
    rows = rows_in_turn(GROUP_MAX)
    commit(open_world.store(), rows, seeing(None))
    store, ids = open_world.store(), [row.id for row in rows]
    store.load([command()], [])

    snapshot = store.load([command()], ids, transactional=True)

    assert snapshot == replace(seeing(stock_after(rows[-1]), *rows), transactional=True)


def test_a_read_too_large_for_one_transaction_is_not_marked_as_transactional(clients: Clients, tables: Tables) -> None:
    """A group's rows, and a catalog that was never read."""
    world = DynamoDBWorld(clients, tables)
    world.register_business(allow_negative_stock=False)
    world.register_location(LOCATION, default=True)
    world.register_variant(VARIANT)
    rows = rows_in_turn(GROUP_MAX)
    commit(world.store(), rows, seeing(None))

    for location_id in (LOCATION, None):
        snapshot = world.store().load([command(location_id=location_id)], [row.id for row in rows], transactional=True)
        assert snapshot == seeing(stock_after(rows[-1]), *rows)
        assert not snapshot.transactional


def test_a_repeated_id_is_looked_for_once(store: Store) -> None:
    row, absent = first_row(), uuid4()
    commit(store, [row], seeing(None))
    ids = [row.id, absent, row.id, absent]

    assert store.load([command()], ids).recorded == {row.id: row}
    assert store.find(BUSINESS, ids) == {row.id: row}


# ------------------------------------------------------------------------------------------------ default location


def test_the_default_location_of_a_business_is_returned(store: Store) -> None:
    assert default_of(store, BUSINESS) == LOCATION


def test_a_business_without_a_default_location_has_none(world: World) -> None:
    world.register_business(allow_negative_stock=False)
    world.register_location(LOCATION, default=False)

    assert default_of(world.store(), BUSINESS) is None


def test_an_unknown_business_has_no_default_location_and_another_ones_is_not_its_own(store: Store) -> None:
    default_of(store, BUSINESS)

    assert default_of(store, uuid4()) is None


def test_a_deactivated_default_location_is_returned(open_world: World) -> None:
    open_world.deactivate_location(LOCATION)

    assert default_of(open_world.store(), BUSINESS) == LOCATION


def test_a_business_that_was_just_registered_is_known_at_once(world: World) -> None:
    store = world.store()
    assert default_of(store, BUSINESS) is None

    world.register_business(allow_negative_stock=False)
    world.register_location(LOCATION, default=True)

    assert default_of(store, BUSINESS) == LOCATION


@pytest.mark.parametrize("loaded", [True, False], ids=["after a load", "after another look"])
def test_a_former_default_location_may_be_returned_for_a_minute_at_most(
    open_world: World,
    store: Store,
    loaded: bool,  # noqa: FBT001
) -> None:
    if loaded:
        store.load([command()], [])
    else:
        default_of(store, BUSINESS)
    open_world.register_location(OTHER_LOCATION, default=True)

    open_world.pass_time(59.999)
    assert default_of(store, BUSINESS) in {LOCATION, OTHER_LOCATION}
    open_world.pass_time(0.001)
    assert default_of(store, BUSINESS) == OTHER_LOCATION


# ------------------------------------------------------------------------------------------------------------ find


def test_a_row_is_found_by_business_and_id(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))

    assert store.find(BUSINESS, [row.id]) == {row.id: row}


def test_an_absent_row_is_not_found(store: Store) -> None:
    assert store.find(BUSINESS, [uuid4()]) == {}


def test_all_rows_of_a_group_are_found_at_once_and_none_for_no_ids(store: Store) -> None:
    rows = rows_in_turn(GROUP_MAX)
    commit(store, rows, seeing(None))

    assert store.find(BUSINESS, [row.id for row in rows]) == {row.id: row for row in rows}
    assert store.find(BUSINESS, []) == {}


def test_the_existing_rows_are_found_each_under_its_own_id(store: Store) -> None:
    first, absent, second = rows_in_turn(3)
    commit(store, [first, second], seeing(None))

    assert store.find(BUSINESS, [second.id, absent.id, first.id]) == {first.id: first, second.id: second}


def test_a_row_of_another_business_is_not_found(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))

    assert store.find(uuid4(), [row.id]) == {}


# ---------------------------------------------------------------------------------------------------------- commit


def test_the_first_commit_creates_the_stock_item(store: Store) -> None:
    row = first_row()

    assert isinstance(commit(store, [row], seeing(None)), Committed)
    assert (stock_at(store), store.find(BUSINESS, [row.id])) == (stock_after(row), {row.id: row})


def test_a_later_commit_updates_the_stock_item(store: Store) -> None:
    first = first_row()
    commit(store, [first], seeing(None))
    second = row_after(first)

    assert isinstance(commit(store, [second], seeing(stock_after(first))), Committed)
    assert stock_at(store) == stock_after(second)
    assert store.find(BUSINESS, [first.id, second.id]) == {first.id: first, second.id: second}


def test_a_commit_from_a_moved_stock_item_returns_the_current_one(open_world: World, store: Store) -> None:
    first = first_row()
    commit(store, [first], seeing(None))
    second = row_after(first)
    commit(store, [second], seeing(stock_after(first)))
    before = open_world.contents()

    assert commit(store, [row_after(first)], seeing(stock_after(first))) == seeing(stock_after(second))
    assert open_world.contents() == before


@pytest.mark.parametrize("differing", [{"quantity": 99}, {"head_hash": "f" * 64}], ids=lambda each: next(iter(each)))
def test_a_commit_from_a_different_stock_item_with_the_same_sequence_returns_the_current_one(
    open_world: World, store: Store, differing: dict[str, Any]
) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    before = open_world.contents()

    returned = commit(store, [row_after(row)], seeing(replace(stock_after(row), **differing)))

    assert returned == seeing(stock_after(row))
    assert open_world.contents() == before


def test_a_first_commit_after_another_first_commit_returns_the_current_stock_item(
    open_world: World, store: Store
) -> None:
    first = first_row()
    commit(store, [first], seeing(None))
    before = open_world.contents()

    assert commit(store, [first_row()], seeing(None)) == seeing(stock_after(first))
    assert open_world.contents() == before


def test_a_commit_from_a_stock_item_that_is_not_there_changes_nothing(open_world: World, store: Store) -> None:
    before = open_world.contents()

    result = commit(store, [row_after(first_row())], seeing(stock_after(first_row())))

    assert not isinstance(result, Committed)
    assert open_world.contents() == before


def test_a_row_that_already_exists_is_returned_in_full(open_world: World, store: Store) -> None:
    first = replace(first_row(), reason_code="damage", reference="sheet 7", expected_quantity=0)
    commit(store, [first], seeing(None))
    before = open_world.contents()
    second = replace(row_after(first), id=first.id, reason="Another", reference=None)

    assert commit(store, [second], seeing(stock_after(first))) == seeing(stock_after(first), first)
    assert open_world.contents() == before


def test_a_row_that_already_exists_is_returned_with_the_current_stock_item(open_world: World, store: Store) -> None:
    first = first_row()
    commit(store, [first], seeing(None))
    before = open_world.contents()

    assert commit(store, [first], seeing(None)) == seeing(stock_after(first), first)
    assert open_world.contents() == before


def test_a_row_that_is_already_there_counts_for_another_stock_item_too(open_world: World, store: Store) -> None:
    first = first_row()
    commit(store, [first], seeing(None))
    before = open_world.contents()

    elsewhere = replace(first, location_id=OTHER_LOCATION)
    assert commit(store, [elsewhere], seeing(None)) == seeing(None, first)
    assert open_world.contents() == before


@pytest.mark.parametrize("count", [2, 10, GROUP_MAX])
def test_several_rows_are_appended_with_one_update_of_their_stock_item(store: Store, count: int) -> None:
    before, *rows = rows_in_turn(count + 1)
    commit(store, [before], seeing(None))

    assert isinstance(commit(store, rows, seeing(stock_after(before))), Committed)
    assert stock_at(store) == stock_after(rows[-1])
    assert store.find(BUSINESS, [row.id for row in rows]) == {row.id: row for row in rows}


@pytest.mark.parametrize("there", [[0], [1], [4], [0, 4], [1, 2, 3], [0, 1, 2, 3, 4]])
def test_existing_rows_of_a_group_are_returned_and_none_is_appended(
    open_world: World, store: Store, there: list[int]
) -> None:
    first, *rows = rows_in_turn(6)
    commit(store, [first], seeing(None))
    recorded = [replace(rows[number], location_id=OTHER_LOCATION) for number in there]
    commit(store, recorded, seeing(None))
    before = open_world.contents()

    assert commit(store, rows, seeing(stock_after(first))) == seeing(stock_after(first), *recorded)
    assert open_world.contents() == before


def test_a_group_from_a_moved_stock_item_returns_the_current_one(open_world: World, store: Store) -> None:
    first, second, *rows = rows_in_turn(5)
    commit(store, [first], seeing(None))
    commit(store, [second], seeing(stock_after(first)))
    before = open_world.contents()

    assert commit(store, rows, seeing(stock_after(first))) == seeing(stock_after(second))
    assert open_world.contents() == before


def test_rows_recorded_earlier_are_returned_with_those_recorded_since(store: Store) -> None:
    first, row, other = rows_in_turn(3)
    commit(store, [first], seeing(None))

    assert commit(store, [first], seeing(None, other)) == seeing(stock_after(first), other, first)
    assert isinstance(commit(store, [row], seeing(stock_after(first), other)), Committed)


def test_rows_of_two_businesses_may_have_the_same_id(store: Store) -> None:
    row = first_row()
    other = replace(row, business_id=uuid4())

    assert isinstance(commit(store, [row], seeing(None)), Committed)
    assert isinstance(commit(store, [other], seeing(None)), Committed)
    assert store.find(BUSINESS, [row.id]) == {row.id: row}
    assert store.find(other.business_id, [row.id]) == {row.id: other}


# ------------------------------------------------------------------------------------------------------- reversals


def reversal_of(row: Adjustment, after: Adjustment | None = None) -> Adjustment:
    """The row that takes ``row`` back, right after it or after another row."""
    last = after or row
    return replace(row_after(last), delta=-row.delta, quantity_after=last.quantity_after - row.delta, reverses=row.id)


def reversed_by(store: Store, row: Adjustment) -> UUID | None:
    reversing = replace(command(location_id=LOCATION, business_id=row.business_id), reverses=row.id)
    return store.load([reversing], [], reverses=row.id).reversed_by


def reversed_meanwhile(reversal: Adjustment, seen: Snapshot | None = None) -> Snapshot:
    """The result of a commit after this reversal of the same row; without ``seen`` it was the last change."""
    return replace(seen or seeing(stock_after(reversal)), reversed_by=reversal.id)


def test_an_adjustment_without_a_reversal_has_none(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))

    assert reversed_by(store, row) is None


def test_a_reversal_is_committed_like_any_row_and_found_from_what_it_reverses(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    reversal = reversal_of(row)

    assert isinstance(commit(store, [reversal], seeing(stock_after(row))), Committed)
    assert (stock_at(store), store.find(BUSINESS, [reversal.id])) == (stock_after(reversal), {reversal.id: reversal})
    assert (reversed_by(store, row), reversed_by(store, reversal)) == (reversal.id, None)
    assert store.find(BUSINESS, [row.id]) == {row.id: row}


def test_a_transactional_read_finds_a_reversal(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    reversing = replace(command(location_id=LOCATION), reverses=row.id)
    assert store.load([reversing], [], reverses=row.id, transactional=True).reversed_by is None
    reversal = reversal_of(row)
    commit(store, [reversal], seeing(stock_after(row)))

    snapshot = store.load([reversing], [reversal.id], reverses=row.id, transactional=True)

    assert snapshot == replace(reversed_meanwhile(reversal), recorded={reversal.id: reversal}, transactional=True)


def test_a_reversal_is_looked_for_only_on_request(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    commit(store, [reversal_of(row)], seeing(stock_after(row)))

    assert store.load([command(location_id=LOCATION)], [row.id]).reversed_by is None


def test_a_reversal_belongs_to_its_own_business_only(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    commit(store, [reversal_of(row)], seeing(stock_after(row)))

    assert reversed_by(store, replace(row, business_id=uuid4())) is None


def test_a_second_reversal_returns_the_first_and_changes_nothing(open_world: World, store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    first = reversal_of(row)
    commit(store, [first], seeing(stock_after(row)))
    before = open_world.contents()

    assert commit(store, [reversal_of(row, after=first)], seeing(stock_after(first))) == reversed_meanwhile(first)
    assert open_world.contents() == before


def test_a_second_reversal_returns_the_stock_that_the_first_has_moved(open_world: World, store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    first = reversal_of(row)
    commit(store, [first], seeing(stock_after(row)))
    before = open_world.contents()

    assert commit(store, [reversal_of(row)], seeing(stock_after(row))) == reversed_meanwhile(first)
    assert open_world.contents() == before


def test_a_reversal_that_already_exists_is_returned_with_its_own_link(open_world: World, store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    reversal = reversal_of(row)
    commit(store, [reversal], seeing(stock_after(row)))
    before = open_world.contents()

    expected = replace(seeing(stock_after(reversal), reversal), reversed_by=reversal.id)
    assert commit(store, [reversal], seeing(stock_after(row))) == expected
    assert commit(store, [reversal], seeing(stock_after(reversal))) == expected
    assert open_world.contents() == before


def test_a_reversal_from_a_stock_item_that_has_moved_leaves_no_link(open_world: World, store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    second = row_after(row)
    commit(store, [second], seeing(stock_after(row)))
    before = open_world.contents()

    assert commit(store, [reversal_of(row)], seeing(stock_after(row))) == seeing(stock_after(second))
    assert open_world.contents() == before
    assert reversed_by(store, row) is None


def test_a_reversal_under_an_existing_id_leaves_no_link(open_world: World, store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    before = open_world.contents()

    taken = replace(reversal_of(row), id=row.id)
    assert commit(store, [taken], seeing(stock_after(row))) == seeing(stock_after(row), row)
    assert open_world.contents() == before


def test_a_reversal_can_be_reversed_and_what_it_had_reversed_stays_so(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    first = reversal_of(row)
    commit(store, [first], seeing(stock_after(row)))
    second = reversal_of(first)

    assert isinstance(commit(store, [second], seeing(stock_after(first))), Committed)
    assert (reversed_by(store, row), reversed_by(store, first)) == (first.id, second.id)
    again = reversal_of(row, after=second)
    assert commit(store, [again], seeing(stock_after(second))) == reversed_meanwhile(first, seeing(stock_after(second)))


# ------------------------------------------------------------------------------------------------------ round trip

FULL = replace(
    PLAIN,
    reason_code="receipt_correction",
    reference="po://2026/11?line=3#ü",
    expected_quantity=12,
    location_defaulted=False,
    reverses=UUID(int=2**128 - 1),
    kind="transfer",
    group_id=UUID(int=2**128 - 2),
    group_line=1,
    group_size=99,
    counted_quantity=QUANTITY_MAX,
    counted_at=NOW - timedelta(days=1),
    sku="SKU ü",
    occurred_at=NOW - timedelta(days=2),
    created_by="arn:aws:iam::123456789012:user/tester",
)
ROWS = {
    "every optional member absent": PLAIN,
    "every optional member present": FULL,
    "a reason of 500 characters of four bytes": replace(PLAIN, reason="\U0001f4a9" * 500),
    "a reference of 255 characters of four bytes": replace(PLAIN, reference="\U0001f9fe" * 255),
    "a reason with tab, line ends, combining and bidirectional characters": replace(
        PLAIN, reason="\tà\u0301\r\n\u202e'"
    ),
    "the largest quantities": replace(
        PLAIN, delta=1_000_000_000, quantity_after=QUANTITY_MAX, expected_quantity=QUANTITY_MAX
    ),
    "the smallest quantities": replace(
        PLAIN, delta=-1_000_000_000, quantity_after=-QUANTITY_MAX, expected_quantity=-QUANTITY_MAX
    ),
    "an expected quantity of zero": replace(PLAIN, expected_quantity=0),
    "negative stock": replace(PLAIN, delta=-3, quantity_after=-3),
    "a whole second": replace(PLAIN, created_at=NOW.replace(microsecond=0)),
    "the largest sequence": replace(PLAIN, sequence=QUANTITY_MAX),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_read_as_it_was_committed(store: Store, row: Adjustment) -> None:
    row = replace(row, id=uuid4())
    commit(store, [row], seeing(None))

    assert store.find(BUSINESS, [row.id]) == {row.id: row}
    assert stock_at(store) == stock_after(row)
    link = row.id if row.reverses else None
    assert commit(store, [row], seeing(None)) == replace(seeing(stock_after(row), row), reversed_by=link)
    other = replace(row, id=uuid4())
    assert commit(store, [other], seeing(None)) == replace(seeing(stock_after(row)), reversed_by=link)


# ---------------------------------------------------------------------------------------------- several stock items

OTHER_STOCK_ITEM = StockItemId(BUSINESS, VARIANT, OTHER_LOCATION)


def at_other_location(row: Adjustment) -> Adjustment:
    return replace(row, id=uuid4(), location_id=OTHER_LOCATION)


def seeing_both(here: StockItem | None, there: StockItem | None) -> Snapshot:
    pairs = ((STOCK_ITEM, here), (OTHER_STOCK_ITEM, there))
    return replace(seeing(None), stock={each: stock for each, stock in pairs if stock is not None})


def test_rows_of_several_stock_items_are_committed_together(store: Store) -> None:
    here, there = first_row(), at_other_location(first_row())
    rows = [here, there, row_after(here)]

    assert isinstance(store.commit(rows, seeing_both(None, None)), Committed)
    assert stock_at(store) == stock_after(rows[2])
    assert stock_at(store, OTHER_LOCATION) == stock_after(there)
    assert store.find(BUSINESS, [row.id for row in rows]) == {row.id: row for row in rows}


def test_where_one_stock_item_has_moved_nothing_is_committed_and_its_state_is_returned(
    open_world: World, store: Store
) -> None:
    here, there = first_row(), at_other_location(first_row())
    commit(store, [there], seeing(None))
    before = open_world.contents()

    returned = store.commit([here, at_other_location(first_row())], seeing_both(None, None))

    assert returned == seeing_both(None, stock_after(there))
    assert open_world.contents() == before


def test_the_stock_items_of_several_commands_are_loaded_together(store: Store) -> None:
    here, there = first_row(), at_other_location(first_row())
    store.commit([here, there], seeing_both(None, None))

    snapshot = store.load([command(), command(location_id=OTHER_LOCATION), command(uuid4())])

    assert snapshot.stock == {STOCK_ITEM: stock_after(here), OTHER_STOCK_ITEM: stock_after(there)}
    assert (snapshot.variants, snapshot.locations) == ({VARIANT: VARIANT}, {LOCATION, OTHER_LOCATION})


def test_the_link_of_a_group_is_found_under_what_it_reverses(store: Store) -> None:
    row = first_row()
    commit(store, [row], seeing(None))
    group_id = uuid4()
    back = replace(row_after(row), delta=-row.delta, quantity_after=0, reverses=row.id)

    assert isinstance(
        store.commit([back], seeing(stock_after(row)), ReversalLink(group_id, back.id, left_out=(1,))), Committed
    )
    assert store.load([command()], reverses=group_id).reversed_by == back.id
    assert store.load([command()], reverses=row.id).reversed_by is None


def test_what_a_rejected_message_asks_for_is_not_committed_and_its_rejection_is_returned(
    open_world: World, store: Store
) -> None:
    rejected, fine = "a" * 64, "b" * 64
    rejection = Rejection("InsufficientStock", {"code": "insufficient_stock", "quantity_on_hand": 3})
    rejections = open_world.rejections()
    assert rejections.put(rejected, rejection, (BUSINESS, uuid4())) is None
    before = open_world.contents()
    row = first_row()

    returned = store.commit([row], seeing(None), None, [fine, rejected])

    assert returned == replace(seeing(None), rejected={rejected: rejection})
    assert open_world.contents() == before
    assert isinstance(store.commit([row], seeing(None), None, [fine]), Committed)


def test_a_message_is_rejected_once_and_not_where_its_row_is(open_world: World, store: Store) -> None:
    digest, row = "a" * 64, first_row()
    first, second = (Rejection("VariantNotFound", {"attempt": number}) for number in (1, 2))
    rejections = open_world.rejections()
    commit(store, [row], seeing(None))

    assert isinstance(rejections.put(digest, first, (BUSINESS, row.id)), Applied)
    assert rejections.find([digest]) == {}
    assert rejections.put(digest, first, None) is None
    assert rejections.put(digest, second, (BUSINESS, row.id)) == first
    assert rejections.find([digest, "b" * 64, digest]) == {digest: first}


def test_of_a_messages_commit_and_its_rejection_at_the_same_time_one_happens(open_world: World) -> None:
    for number in range(8):
        digest, row = f"{number:064x}", replace(first_row(), variant_id=uuid4())
        seen = replace(seeing(None), stock={})
        store, rejections = open_world.store(), open_world.rejections()
        with ThreadPoolExecutor(2) as threads:
            committing = threads.submit(store.commit, [row], seen, None, [digest])
            rejecting = threads.submit(rejected_at_last, rejections, digest, row)
        is_committed = isinstance(committing.result(), Committed)
        assert isinstance(rejecting.result(), Applied) == is_committed
        assert (row.id in store.find(BUSINESS, [row.id])) == is_committed


def rejected_at_last(rejections: Rejections, digest: str, row: Adjustment) -> Rejection | Applied | None:
    """Record the rejection, and again while the row's transaction is in the way."""
    while True:
        with suppress(StoreUnavailable):
            return rejections.put(digest, Rejection("VariantNotFound", {}), (BUSINESS, row.id))


def test_a_count_leaves_when_the_stock_item_was_counted_and_other_rows_keep_it(store: Store) -> None:
    count = replace(first_row(), kind="count", counted_quantity=10, counted_at=NOW - timedelta(hours=1))
    commit(store, [count], seeing(None))
    counted = stock_after(count)
    after = row_after(count)._replace(kind="adjustment", counted_quantity=None, counted_at=None)
    commit(store, [after], seeing(counted))

    found = stock_at(store)
    assert found == stock_after(after, counted)
    assert found is not None
    assert (found.counted_at, found.counted_through) == (NOW - timedelta(hours=1), NOW)
