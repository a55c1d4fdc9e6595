"""The ledger adds up after any requests in any order, and rejections follow the rules exactly."""

from __future__ import annotations

from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.errors import (
    InsufficientStock,
    LocationNotFound,
    NoDefaultLocation,
    QuantityLimitExceeded,
    Refusal,
    StaleQuantity,
    VariantNotFound,
)
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH, Adjustment, Command, Snapshot, StockItem
from inventory.domain.rules import stock_after
from tests.support.builders.domain import a_business, a_command, a_snapshot, a_stock_item, decided, stock_in
from tests.support.builders.ids import LOCATION, NOW

LIMIT = 9_007_199_254_740_991
CHANGE_MAX = 1_000_000_000

changes = st.integers(-CHANGE_MAX, CHANGE_MAX).filter(bool) | st.integers(-5, 5).filter(bool)
near_a_limit = st.builds(lambda sign, gap: sign * (LIMIT - gap), st.sampled_from([-1, 1]), st.integers(0, CHANGE_MAX))
quantities = st.integers(-LIMIT, LIMIT) | st.integers(-10, 10) | near_a_limit
clock_jumps = st.timedeltas(-timedelta(days=400), timedelta(days=400)) | st.just(timedelta())


@dataclass(frozen=True)
class Step:
    """One request to a stock item: what it asks, what the business allows then, and how the clock has moved."""

    change: int
    allowed: bool
    expected: int | None
    jump: timedelta


steps = st.builds(
    Step, change=changes, allowed=st.booleans(), expected=st.none() | st.integers(-10, 10), jump=clock_jumps
)


@given(st.lists(steps, max_size=30))
def test_a_history_adds_up(history: list[Step]) -> None:
    stock: StockItem | None = None
    rows: list[Adjustment] = []
    now = NOW
    for number, step in enumerate(history):
        now += step.jump
        snapshot = a_snapshot(business=a_business(allow_negative_stock=step.allowed), stock=stock)
        command = a_command(quantity_change=step.change, expected_quantity=step.expected)
        before = stock.quantity if stock else 0
        try:
            row = decided(command, snapshot, row_id=UUID(int=number), now=now)
        except Refusal:
            continue
        assert row.quantity_after == before + step.change
        assert row.created_at >= now
        assert row.quantity_after >= min(before, 0) or step.allowed
        assert abs(row.quantity_after) <= LIMIT
        rows.append(row)
        stock = stock_after(row)

    assert (stock.quantity if stock else 0) == sum(row.delta for row in rows)
    assert (stock.sequence if stock else 0) == len(rows)
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert all(later.quantity_after == earlier.quantity_after + later.delta for earlier, later in pairwise(rows))
    assert all(earlier.created_at < later.created_at for earlier, later in pairwise(rows))
    assert [row.previous_hash for row in rows] == [GENESIS_HASH, *(row.hash for row in rows)][: len(rows)]
    assert all(row.hash == row_hash(row) for row in rows)


@given(st.lists(changes, max_size=30))
def test_a_business_that_does_not_allow_it_never_has_negative_stock(history: list[int]) -> None:
    stock: StockItem | None = None
    for change in history:
        try:
            row = decided(a_command(quantity_change=change), a_snapshot(stock=stock))
        except Refusal:
            continue
        stock = stock_after(row)
        assert stock.quantity >= 0


def by_the_contract(command: Command, snapshot: Snapshot) -> tuple[type[Refusal], dict[str, int]] | None:
    """The rejection that the contract demands, or None: written from its text, not from the code."""
    stock = stock_in(snapshot)
    on_hand = 0 if stock is None else stock.quantity
    change = command.quantity_change or 0
    below_zero = on_hand + change < 0
    decrease = change < 0
    location_id = snapshot.business and snapshot.business.default_location_id
    allowed = snapshot.business is not None and snapshot.business.allow_negative_stock
    in_order: list[tuple[bool, type[Refusal], dict[str, int]]] = [
        (snapshot.business is None or not snapshot.variants, VariantNotFound, {}),
        (location_id is None, NoDefaultLocation, {}),
        (not snapshot.locations, LocationNotFound, {}),
        (command.expected_quantity not in {None, on_hand}, StaleQuantity, {"quantity_on_hand": on_hand}),
        (
            below_zero and decrease and not allowed,
            InsufficientStock,
            {"quantity_on_hand": on_hand, "quantity_change": change},
        ),
        (not -LIMIT <= on_hand + change <= LIMIT, QuantityLimitExceeded, {}),
    ]
    return next(((kind, facts) for applies, kind, facts in in_order if applies), None)


@given(
    change=changes,
    on_hand=st.none() | quantities,
    expected=st.none() | quantities | st.just("on hand"),
    known=st.booleans() | st.just(True),  # noqa: FBT003
    allowed=st.booleans(),
    variant_active=st.booleans() | st.just(True),  # noqa: FBT003
    location=st.sampled_from(["active", "active", "inactive", "none"]),
)
def test_refusals_are_exactly_those_of_the_contract(
    change: int,
    on_hand: int | None,
    expected: int | str | None,
    known: bool,  # noqa: FBT001
    allowed: bool,  # noqa: FBT001
    variant_active: bool,  # noqa: FBT001
    location: str,
) -> None:
    snapshot = a_snapshot(
        business=a_business(allow_negative_stock=allowed) if known else None,
        variant_active=variant_active,
        location_id=None if location == "none" else LOCATION,
        location_active=location == "active",
        stock=None if on_hand is None else a_stock_item(on_hand),
    )
    command = a_command(quantity_change=change, expected_quantity=(on_hand or 0) if expected == "on hand" else expected)
    wanted = by_the_contract(command, snapshot)

    if wanted is None:
        row = decided(command, snapshot)
        assert row.quantity_after == (on_hand or 0) + change
    else:
        with pytest.raises(wanted[0]) as refusal:
            decided(command, snapshot)
        assert (type(refusal.value), refusal.value.facts()) == wanted


@given(changes, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_row_is_at_least_one_microsecond_younger_than_the_stock_item(change: int, last: datetime) -> None:
    stock = a_stock_item(CHANGE_MAX, updated_at=last)

    row = decided(a_command(quantity_change=change), a_snapshot(stock=stock))

    assert row.created_at == max(NOW, last + timedelta(microseconds=1))
    assert replace(stock_after(row), updated_at=NOW).quantity == CHANGE_MAX + change
