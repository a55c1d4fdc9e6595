"""The rules of the business, one by one: decide() is all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from inventory.domain import errors
from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH, QUANTITY_MAX, Adjustment, Command, Snapshot, StockItem
from inventory.domain.rules import stock_after
from tests.support.builders.domain import a_business, a_command, a_snapshot, a_stock_item, an_adjustment, decided
from tests.support.builders.ids import (
    ADJUSTMENT,
    BUSINESS,
    HEAD_HASH,
    LOCATION,
    NOW,
    OTHER_LOCATION,
    SUBJECT,
    TICK,
    VARIANT,
)

REVERSAL = UUID("cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee")
SAME_IN_BOTH = set(Command._fields) & set(Adjustment._fields)


def permissive(**changes: Any) -> Snapshot:
    """Where stock may go below zero."""
    return a_snapshot(business=a_business(allow_negative_stock=True), **changes)


def test_an_adjustment_continues_its_stock_item() -> None:
    row = decided(a_command(quantity_change=-3, reason_code="damage", reference="count 7"), a_snapshot())

    expected = an_adjustment(
        delta=-3,
        reason_code="damage",
        reference="count 7",
        sequence=42,
        quantity_after=7,
        previous_hash=HEAD_HASH,
    )
    assert row == expected
    assert row.hash == row_hash(row)


def test_the_first_adjustment_begins_a_stock_item_from_zero() -> None:
    row = decided(a_command(quantity_change=3), a_snapshot(stock=None))

    assert (row.sequence, row.quantity_after, row.previous_hash) == (1, 3, GENESIS_HASH)


def test_business_and_location_come_from_the_command_and_the_snapshot() -> None:
    row = decided(a_command(), a_snapshot(location_id=OTHER_LOCATION))

    assert (row.business_id, row.variant_id, row.location_id, row.created_by) == (
        BUSINESS,
        VARIANT,
        OTHER_LOCATION,
        SUBJECT,
    )


@pytest.mark.parametrize(
    "name",
    sorted(
        SAME_IN_BOTH
        - {"business_id", "counted_at", "counted_quantity", "expected_quantity", "location_id", "occurred_at"}
        - {"reason_code", "sku", "variant_id"}
    ),
)
def test_a_member_of_the_command_is_kept_in_the_row(name: str) -> None:
    """Those that are left out are compared with the snapshot, come from it, or are no texts."""
    change: dict[str, Any] = {name: "another"}

    assert getattr(decided(a_command(**change), a_snapshot()), name) == "another"


@pytest.mark.parametrize("location_id", [None, LOCATION, OTHER_LOCATION])
def test_a_row_remembers_whether_its_location_was_left_out(location_id: UUID | None) -> None:
    snapshot = a_snapshot(location_id=location_id or LOCATION)

    assert decided(a_command(location_id=location_id), snapshot).location_defaulted is (location_id is None)


@pytest.mark.parametrize(
    ("last", "created_at"),
    [
        (NOW - TICK, NOW),
        (NOW, NOW + TICK),
        (NOW + timedelta(hours=1), NOW + timedelta(hours=1) + TICK),
    ],
    ids=["earlier", "now", "of a clock that is ahead"],
)
def test_a_row_is_always_younger_than_the_one_before_it(last: object, created_at: object) -> None:
    row = decided(a_command(), a_snapshot(stock=a_stock_item(10, updated_at=last)))

    assert row.created_at == created_at


def test_a_decision_depends_on_nothing_but_what_it_is_given() -> None:
    assert decided(a_command(), a_snapshot()) == decided(a_command(), a_snapshot())


def test_a_recorded_row_does_not_affect_the_decision() -> None:
    assert decided(a_command(), a_snapshot(recorded=an_adjustment())) == decided(a_command(), a_snapshot())


@pytest.mark.parametrize("changes", [{"business": None}, {"variant_active": False}], ids=str)
def test_an_unknown_business_or_variant_is_variant_not_found(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.VariantNotFound):
        decided(a_command(), a_snapshot(**changes))


def test_a_business_without_a_default_location_needs_one_named() -> None:
    with pytest.raises(errors.NoDefaultLocation):
        decided(a_command(), a_snapshot(location_id=None, location_active=False, stock=None))


def test_an_unknown_or_inactive_location_is_location_not_found() -> None:
    with pytest.raises(errors.LocationNotFound):
        decided(a_command(), a_snapshot(location_active=False))


def test_the_variant_is_looked_at_before_the_location_and_both_before_the_stock() -> None:
    refused_by_all = a_command(quantity_change=-11, expected_quantity=9)

    with pytest.raises(errors.VariantNotFound):
        decided(refused_by_all, a_snapshot(variant_active=False, location_active=False))
    with pytest.raises(errors.VariantNotFound):
        decided(refused_by_all, a_snapshot(variant_active=False, location_id=None))
    with pytest.raises(errors.LocationNotFound):
        decided(refused_by_all, a_snapshot(location_active=False))


def test_a_reversal_names_the_row_that_it_reverses() -> None:
    assert decided(a_command(reverses=ADJUSTMENT), a_snapshot()).reverses == ADJUSTMENT
    assert decided(a_command(), a_snapshot()).reverses is None


def test_a_reversed_row_is_not_reversed_again_and_the_rejection_names_its_reversal() -> None:
    with pytest.raises(errors.AlreadyReversed) as refusal:
        decided(a_command(reverses=ADJUSTMENT), a_snapshot(reversed_by=REVERSAL))

    assert refusal.value.facts() == {"reversed_by": str(REVERSAL)}


def test_whether_it_was_reversed_is_looked_at_before_the_stock() -> None:
    refused_by_the_stock_too = a_command(quantity_change=-11, expected_quantity=9, reverses=ADJUSTMENT)

    with pytest.raises(errors.AlreadyReversed):
        decided(refused_by_the_stock_too, a_snapshot(reversed_by=REVERSAL))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"business": None}, errors.VariantNotFound),
        ({"variant_active": False}, errors.VariantNotFound),
        ({"location_active": False}, errors.LocationNotFound),
    ],
)
def test_variant_and_location_are_looked_for_before_whether_it_was_reversed(
    change: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        decided(a_command(reverses=ADJUSTMENT), a_snapshot(reversed_by=REVERSAL, **change))


def test_the_last_unit_can_be_taken() -> None:
    assert decided(a_command(quantity_change=-10), a_snapshot()).quantity_after == 0


@pytest.mark.parametrize(("stock", "on_hand"), [(a_stock_item(10), 10), (None, 0), (a_stock_item(-4), -4)])
def test_more_than_is_on_hand_is_rejected_with_the_quantities(stock: StockItem | None, on_hand: int) -> None:
    with pytest.raises(errors.InsufficientStock) as refusal:
        decided(a_command(quantity_change=-11), a_snapshot(stock=stock))

    assert refusal.value.facts() == {"quantity_on_hand": on_hand, "quantity_change": -11}


def test_a_business_that_allows_it_may_take_more_than_is_on_hand() -> None:
    assert decided(a_command(quantity_change=-11), permissive()).quantity_after == -1


def test_an_increase_of_a_negative_quantity_is_always_allowed() -> None:
    assert decided(a_command(quantity_change=1), a_snapshot(stock=a_stock_item(-4))).quantity_after == -3


@pytest.mark.parametrize("stock", [a_stock_item(10), a_stock_item(0), None])
def test_an_expected_quantity_equal_to_the_one_on_hand_is_accepted(stock: StockItem | None) -> None:
    on_hand = stock.quantity if stock else 0

    row = decided(a_command(expected_quantity=on_hand), a_snapshot(stock=stock))

    assert row.expected_quantity == on_hand


@pytest.mark.parametrize("expected", [9, 11, 0])
def test_another_expected_quantity_is_stale_and_the_rejection_names_the_one_on_hand(expected: int) -> None:
    with pytest.raises(errors.StaleQuantity) as refusal:
        decided(a_command(expected_quantity=expected), a_snapshot())

    assert refusal.value.facts() == {"quantity_on_hand": 10}


def test_a_stale_expected_quantity_is_rejected_before_insufficient_stock() -> None:
    with pytest.raises(errors.StaleQuantity):
        decided(a_command(quantity_change=-11, expected_quantity=9), a_snapshot())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quantity_may_reach_the_limit_but_not_pass_it(sign: int) -> None:
    nearly = permissive(stock=a_stock_item(sign * (QUANTITY_MAX - 5)))

    assert decided(a_command(quantity_change=sign * 5), nearly).quantity_after == sign * QUANTITY_MAX
    with pytest.raises(errors.QuantityLimitExceeded):
        decided(a_command(quantity_change=sign * 6), nearly)


def test_a_stock_item_has_the_state_of_its_last_row() -> None:
    row = decided(a_command(), a_snapshot())

    assert stock_after(row) == StockItem(quantity=15, sequence=42, updated_at=NOW, head_hash=row.hash)


def test_the_limit_is_the_contracts_and_the_first_rows_link_never_changes() -> None:
    assert QUANTITY_MAX == 9_007_199_254_740_991
    assert GENESIS_HASH == "0000000000000000000000000000000000000000000000000000000000000000"
