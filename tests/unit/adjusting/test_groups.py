"""Groups: changes of several stock items, all or none, under one key; and what a reversal of them is."""

from __future__ import annotations

from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain import errors
from inventory.domain.model import Command, Group, GroupOutcome, GroupReversal, StockItemId
from inventory.domain.rules import group_row_id, keyed_id
from tests.support.builders.domain import a_command, a_group, a_reversal, a_snapshot, an_adjustment
from tests.support.builders.ids import (
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_LOCATION,
    OTHER_VARIANT,
    SUBJECT,
    VARIANT,
)
from tests.support.fakes.scripted_store import Desk, Met, a_desk
from tests.support.harness.ledger_invariants import assert_adds_up

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment, Snapshot

KEY = "delivery 7"


def line(change: int | None, **changes: Any) -> Command:
    return a_command(quantity_change=change, **({"idempotency_key": KEY} | changes))


def count_line(counted: int, **changes: Any) -> Command:
    return line(None, kind="count", counted_quantity=counted, **changes)


def a_transfer(quantity: int, **changes: Any) -> Group:
    """From the default location to the other one."""
    taken = line(-quantity, kind="transfer", location_id=LOCATION, reason_code="transfer", **changes)
    return Group((taken, replace(taken, quantity_change=quantity, location_id=OTHER_LOCATION)), rows_per_line=2)


def a_group_reversal(group_id: UUID, **changes: Any) -> GroupReversal:
    return replace(GroupReversal(BUSINESS, group_id, "wrong delivery", SUBJECT), **changes)


def rows_of(desk: Desk) -> list[Adjustment]:
    """All rows, after a proof of each stock item."""
    for stock_item, stock in desk.store.stock.items():
        assert_adds_up([row for row in desk.rows if row.stock_item_id == stock_item], stock)
    return desk.rows


DELIVERY = Group((line(5), line(3, variant_id=OTHER_VARIANT), line(-2), line(4, location_id=OTHER_LOCATION)))


# --- all or none -----------------------------------------------------------------------------------------------------


def test_a_group_is_read_and_written_at_once_and_its_lines_follow_each_other() -> None:
    desk = a_desk(10)

    outcome = desk.adjust_group(DELIVERY)

    assert desk.store.calls == ["load", "commit"]
    assert [row.quantity_after for row in outcome.adjustments] == [15, 3, 13, 4]
    assert [row.sequence for row in outcome.adjustments] == [2, 1, 3, 1]
    assert list(outcome.adjustments) == rows_of(desk)[1:]
    assert (outcome.replayed, outcome.attempts) == (False, 1)


def test_the_rows_of_a_group_say_which_they_are() -> None:
    outcome = a_desk().adjust_group(DELIVERY)

    group_id = keyed_id(BUSINESS, KEY)
    assert outcome.group_id == group_id
    assert [(row.group_id, row.group_line, row.group_size) for row in outcome.adjustments] == [
        (group_id, number, 4) for number in range(4)
    ]
    assert [row.id for row in outcome.adjustments] == [group_row_id(group_id, number) for number in range(4)]
    assert len({row.id for row in outcome.adjustments}) == 4


def test_a_single_adjustment_is_in_no_group() -> None:
    row = a_desk().adjust(line(1)).adjustment

    assert (row.group_id, row.group_line, row.group_size) == (None, None, None)


def test_without_a_key_a_group_has_a_random_id() -> None:
    desk, group = a_desk(), a_group()

    assert desk.adjust_group(group).group_id != desk.adjust_group(group).group_id


@pytest.mark.parametrize("place", range(4))
def test_the_first_refused_line_refuses_the_group_and_nothing_is_written(place: int) -> None:
    desk = a_desk(10)
    lines = list(DELIVERY.lines)
    lines[place] = replace(lines[place], quantity_change=-100)

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.adjust_group(Group(tuple(lines)))

    on_hand = [10, 0, 15, 0][place]
    assert refusal.value.line == place
    assert refusal.value.facts() == {"quantity_on_hand": on_hand, "quantity_change": -100}
    assert len(desk.rows) == 1


def test_of_two_refused_lines_the_first_counts() -> None:
    desk = a_desk(10)
    lines = line(1), line(-100), line(1, variant_id=UUID(int=1))

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.adjust_group(Group(lines))

    assert refusal.value.line == 1


def test_a_refusal_rests_on_a_read_of_one_moment() -> None:
    desk = a_desk(10)

    with pytest.raises(errors.InsufficientStock):
        desk.adjust_group(Group((line(1), line(-1, variant_id=OTHER_VARIANT))))

    assert desk.store.calls == ["load", "load"], "the second one is transactional"


@pytest.mark.parametrize("key", [KEY, None], ids=["with a key", "without a key"])
@pytest.mark.parametrize("fits", [True, False], ids=["in one transaction", "too many keys"])
def test_a_refusal_of_a_group_asks_once_for_a_read_in_one_transaction(
    monkeypatch: pytest.MonkeyPatch, key: str | None, *, fits: bool
) -> None:
    desk = a_desk(10)
    load, asked = desk.store.load, []

    def remembered_load(*given: Any, transactional: bool = False, **how: Any) -> Snapshot:
        asked.append(transactional)
        return load(*given, transactional=transactional and fits, **how)

    monkeypatch.setattr(desk.store, "load", remembered_load)

    with pytest.raises(errors.InsufficientStock):
        desk.adjust_group(
            Group((line(1, idempotency_key=key), line(-1, variant_id=OTHER_VARIANT, idempotency_key=key)))
        )

    assert asked == [False, True]


def test_a_group_is_not_refused_from_what_is_cached() -> None:
    desk = a_desk(10)
    desk.store.memory = a_snapshot(cached=True, variants={VARIANT: VARIANT, OTHER_VARIANT: OTHER_VARIANT})
    desk.adjust(a_command(variant_id=OTHER_VARIANT, quantity_change=5))
    desk.store.calls.clear()

    desk.adjust_group(Group((line(1), line(-5, variant_id=OTHER_VARIANT))))

    assert desk.quantity_of(OTHER_VARIANT) == 0


def test_a_group_that_is_too_large_is_a_fault_and_writes_nothing() -> None:
    desk = a_desk()
    lines = tuple(line(1, variant_id=UUID(int=number)) for number in range(51))
    desk.store.active_variants |= {(BUSINESS, UUID(int=number)) for number in range(51)}

    with pytest.raises(ValueError, match="the group does not make one transaction"):
        desk.adjust_group(Group(lines))
    with pytest.raises(ValueError, match="the requests do not make one transaction"):
        desk.adjust_group(Group((line(1),) * 100))

    assert desk.rows == []


@pytest.mark.parametrize("count", [1, 49, 50])
def test_the_largest_groups_of_distinct_stock_items_fit(count: int) -> None:
    desk = a_desk()
    ids = [UUID(int=number) for number in range(count)]
    desk.store.active_variants |= {(BUSINESS, each) for each in ids}

    outcome = desk.adjust_group(Group(tuple(line(1, variant_id=each) for each in ids)))

    assert len(outcome.adjustments) == count
    assert desk.store.calls == ["load", "commit"]


# --- one key, one request --------------------------------------------------------------------------------------------


def test_a_repeated_group_is_replayed_whatever_has_happened_since() -> None:
    desk = a_desk(10)
    first = desk.adjust_group(DELIVERY)
    desk.adjust(a_command(quantity_change=-13))
    desk.store.active_variants.clear()

    again = desk.adjust_group(DELIVERY)

    assert again == GroupOutcome(first.adjustments, replayed=True, attempts=1)


@pytest.mark.parametrize(("size", "calls"), [(1, ["load"]), (2, ["load", "find"]), (5, ["load", "find"])])
def test_a_group_of_any_size_is_replayed_with_all_its_rows(size: int, calls: list[str]) -> None:
    desk, group = a_desk(), Group((line(3),) * size)
    first = desk.adjust_group(group)
    desk.store.calls.clear()

    assert desk.adjust_group(group) == first._replace(replayed=True)
    assert desk.store.calls == calls


LINES = DELIVERY.lines
OTHERS = {
    "changed": (*LINES[:3], replace(LINES[3], quantity_change=5)),
    "first changed": (replace(LINES[0], reason="sold"), *LINES[1:]),
    "shortened": LINES[:3],
    "of one line": LINES[:1],
    "lengthened": (*LINES, LINES[3]),
    "in another order": (LINES[0], LINES[2], LINES[1], LINES[3]),
    "in the other order": LINES[::-1],
    "of another kind": (*LINES[:3], replace(LINES[3], kind="transfer")),
}


@pytest.mark.parametrize("lines", OTHERS.values(), ids=OTHERS)
def test_a_key_stands_for_one_group_only(lines: tuple[Command, ...]) -> None:
    desk = a_desk(10)
    desk.adjust_group(DELIVERY)
    desk.store.calls.clear()

    with pytest.raises(errors.IdempotencyKeyReused) as refusal:
        desk.adjust_group(Group(lines))

    assert (refusal.value.key, refusal.value.line) == (KEY, None)
    assert len(desk.rows) == 5
    assert desk.store.calls == (["load", "find"] if len(lines) == len(LINES) else ["load"])


def test_a_key_of_a_group_is_not_free_for_a_single_adjustment_nor_the_other_way_round() -> None:
    for first_is_group in (True, False):
        desk = a_desk()
        single, group = line(5), Group((line(5),))
        _ = desk.adjust_group(group) if first_is_group else desk.adjust(single)

        with pytest.raises(errors.IdempotencyKeyReused):
            _ = desk.adjust(single) if first_is_group else desk.adjust_group(group)

        assert len(desk.rows) == 1


def test_a_key_is_free_again_after_a_refusal_of_the_group() -> None:
    desk = a_desk()
    with pytest.raises(errors.InsufficientStock):
        desk.adjust_group(Group((line(1), line(-5))))

    assert not desk.adjust_group(DELIVERY).replayed


def test_no_key_leads_to_the_row_of_a_group() -> None:
    group_id = keyed_id(BUSINESS, KEY)
    of_lines = {group_row_id(group_id, number) for number in range(1, 99)}
    of_keys = {keyed_id(group_id, str(number)) for number in range(99)}
    of_each = {keyed_id(BUSINESS, KEY, number) for number in range(1, 500)}

    assert len(of_lines | of_keys | of_each | {group_id}) == 98 + 99 + 499 + 1
    assert (group_row_id(group_id, 0), keyed_id(BUSINESS, KEY, 0)) == (group_id, group_id)


# --- acknowledgements that were lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("met", [Met.UNHEARD, Met.UNDER_WAY], ids=["unheard", "under way"])
@pytest.mark.parametrize("key", [KEY, None], ids=["keyed", "unkeyed"])
def test_a_lost_acknowledgement_is_settled_for_the_group_as_a_whole(met: Met, key: str | None) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(met)
    group = Group(tuple(replace(each, idempotency_key=key) for each in DELIVERY.lines))

    outcome = desk.adjust_group(group)
    desk.store.deliver()

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert list(outcome.adjustments) == rows_of(desk)[1:]


def test_a_refusal_while_the_group_may_still_land_is_try_again() -> None:
    desk = a_desk(2)
    group = Group((line(-2), line(1, variant_id=OTHER_VARIANT)))
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: desk.store.active_variants.discard((BUSINESS, OTHER_VARIANT))])

    with pytest.raises(errors.TryAgain):
        desk.adjust_group(group)

    desk.store.deliver()
    assert [row.delta for row in rows_of(desk)] == [2, -2, 1]


def test_a_group_that_can_no_longer_land_is_refused() -> None:
    """One of its stock items has moved, so its transaction can't be applied any more."""
    desk = a_desk(2)
    group = Group((line(-2), line(1, variant_id=OTHER_VARIANT)))
    desk.store.on_commit.append(Met.UNDER_WAY)
    other = Desk(desk.store)
    desk.store.on_load.extend([Met.OK, lambda: other.adjust(a_command(quantity_change=-1, idempotency_key="other"))])

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.adjust_group(group)

    desk.store.deliver()
    assert refusal.value.line == 0
    assert [row.delta for row in rows_of(desk)] == [2, -1]


def test_rows_of_a_group_that_are_not_all_there_are_corrupt_data() -> None:
    desk = a_desk(10)
    outcome = desk.adjust_group(DELIVERY)
    del desk.store.ledger[BUSINESS, outcome.adjustments[2].id]

    with pytest.raises(errors.RowMissing) as problem:
        desk.adjust_group(DELIVERY)

    assert problem.value.where == {"group_id": str(outcome.group_id)}


# --- transfers -------------------------------------------------------------------------------------------------------


def test_a_transfer_takes_in_one_place_what_it_adds_in_another() -> None:
    desk = a_desk(10)

    taken, added = desk.adjust_group(a_transfer(4)).adjustments

    assert (taken.delta, added.delta, taken.kind, added.kind) == (-4, 4, "transfer", "transfer")
    assert (desk.quantity_of(), desk.quantity_of(location_id=OTHER_LOCATION)) == (6, 4)


def test_a_refused_transfer_names_the_line_of_its_request() -> None:
    desk = a_desk(10)
    first, second = a_transfer(4), a_transfer(1, variant_id=OTHER_VARIANT)

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.adjust_group(Group(first.lines + second.lines, rows_per_line=2))

    assert (refusal.value.line, refusal.value.facts()) == (1, {"quantity_on_hand": 0, "quantity_change": -1})


def test_a_transfer_to_an_unknown_location_names_that_one() -> None:
    desk = a_desk(10)
    desk.store.active_locations.discard((BUSINESS, OTHER_LOCATION))

    with pytest.raises(errors.LocationNotFound) as refusal:
        desk.adjust_group(a_transfer(4))

    assert (refusal.value.line, refusal.value.facts()) == (0, {"location_id": str(OTHER_LOCATION)})


# --- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counted", "delta"), [(12, 2), (10, 0), (7, -3), (0, -10)])
def test_a_count_sets_the_quantity_on_hand_and_a_right_one_is_recorded_too(counted: int, delta: int) -> None:
    desk = a_desk(10)

    row = desk.adjust(count_line(counted)).adjustment

    assert (row.kind, row.delta, row.quantity_after, row.counted_quantity, row.counted_at) == (
        *("count", delta, counted, counted, None),
    )
    stock = desk.store.stock[row.stock_item_id]
    assert (stock.counted_at, stock.counted_through) == (row.created_at, row.created_at)


def test_a_count_of_an_instant_keeps_what_has_happened_since() -> None:
    desk = a_desk(10)
    counted_at = desk.rows[-1].created_at
    desk.adjust(a_command(quantity_change=-4))

    row = desk.adjust(count_line(9, counted_at=counted_at)).adjustment

    assert (row.delta, row.quantity_after, row.counted_at) == (-1, 5, counted_at)


def test_a_level_of_the_past_is_read_once_however_often_others_are_faster() -> None:
    desk = a_desk(10)
    counted_at = desk.rows[-1].created_at
    desk.adjust(a_command(quantity_change=-4))
    desk.store.calls.clear()
    desk.store.on_commit.extend([Met.CONTENDED] * 3)

    desk.adjust(count_line(9, counted_at=counted_at))

    assert desk.store.calls.count("level") == 1
    assert desk.quantity == 5


def test_while_a_level_of_the_past_can_not_be_told_the_caller_should_try_again() -> None:
    desk = a_desk(10)
    counted_at = desk.rows[-1].created_at
    desk.adjust(a_command(quantity_change=-4))
    desk.store.on_level.extend([Met.LOST] * 100)

    with pytest.raises(errors.TryAgain):
        desk.adjust(count_line(9, counted_at=counted_at))

    assert len(desk.rows) == 2


def test_a_count_of_before_the_first_row_is_compared_with_nothing() -> None:
    desk = a_desk(10)

    assert desk.adjust(count_line(3, counted_at=NOW - timedelta(days=1))).adjustment.delta == 3


def test_a_count_in_a_group_sees_the_lines_before_it() -> None:
    desk = a_desk(10)
    long_ago = desk.rows[-1].created_at
    desk.adjust(a_command(quantity_change=-1))

    rows = desk.adjust_group(
        Group((line(5), count_line(20), line(-1), count_line(20, counted_at=NOW + timedelta(seconds=59))))
    ).adjustments
    assert [row.quantity_after for row in rows] == [14, 20, 19, 20]

    with pytest.raises(errors.CountSuperseded) as refusal:
        desk.adjust(count_line(10, counted_at=long_ago, idempotency_key="late"))
    assert refusal.value.counted_through == rows[-1].created_at


def test_a_count_of_an_instant_in_a_group_leaves_out_the_lines_before_it() -> None:
    desk = a_desk(10)
    opening = desk.rows[-1].created_at

    rows = desk.adjust_group(Group((line(5), count_line(9, counted_at=opening)))).adjustments

    assert [row.delta for row in rows] == [5, -1]
    assert "level" not in desk.store.calls, "it is the state that was read"


def test_a_count_of_before_the_first_line_of_its_own_group_is_compared_with_nothing() -> None:
    desk = a_desk()

    rows = desk.adjust_group(Group((line(5), count_line(2, counted_at=NOW - timedelta(days=1))))).adjustments

    assert [row.delta for row in rows] == [5, 2]
    assert "level" not in desk.store.calls


def test_a_count_is_superseded_by_one_that_was_written_since_even_if_that_was_reversed() -> None:
    desk = a_desk(10)
    opening = desk.rows[-1].created_at
    first = desk.adjust(count_line(9, idempotency_key="first", counted_at=opening)).adjustment
    desk.reverse(a_reversal(adjustment_id=first.id))

    with pytest.raises(errors.CountSuperseded) as refusal:
        desk.adjust(count_line(9, counted_at=opening, idempotency_key="second"))

    assert refusal.value.counted_through == first.created_at
    desk.adjust(count_line(9, counted_at=first.created_at, idempotency_key="third"))


def test_a_count_without_an_instant_is_never_superseded() -> None:
    desk = a_desk(10)
    desk.adjust(count_line(9, idempotency_key="first"))

    assert desk.adjust(count_line(8)).adjustment.delta == -1


def test_a_count_is_compared_by_what_was_counted_and_not_by_what_followed() -> None:
    desk = a_desk(10)
    first = desk.adjust(count_line(9))
    desk.adjust(a_command(quantity_change=5))

    assert desk.adjust(count_line(9)) == replace(first, replayed=True)
    with pytest.raises(errors.IdempotencyKeyReused):
        desk.adjust(line(-1))


def test_a_count_of_delta_0_is_not_reversed() -> None:
    desk = a_desk(10)
    row = desk.adjust(count_line(10)).adjustment

    with pytest.raises(errors.NothingToReverse) as refusal:
        desk.reverse(a_reversal(adjustment_id=row.id))
    assert refusal.value.parameter == "id"


# --- reversals of groups ---------------------------------------------------------------------------------------------


def test_a_group_is_reversed_from_its_last_row_to_its_first() -> None:
    desk = a_desk(10)
    rows = desk.adjust_group(DELIVERY).adjustments

    reversal = desk.reverse_group(a_group_reversal(rows[0].id))

    assert [row.reverses for row in reversal.adjustments] == [row.id for row in reversed(rows)]
    assert [row.delta for row in reversal.adjustments] == [-row.delta for row in reversed(rows)]
    assert {row.kind for row in reversal.adjustments} == {"reversal"}
    assert [row.group_line for row in reversal.adjustments] == [0, 1, 2, 3]
    assert (desk.quantity_of(), desk.quantity_of(OTHER_VARIANT)) == (10, 0)
    rows_of(desk)


def test_a_group_is_reversed_once_and_a_repetition_under_the_key_is_a_replay() -> None:
    desk = a_desk(10)
    group_id = desk.adjust_group(DELIVERY).group_id
    first = desk.reverse_group(a_group_reversal(group_id, idempotency_key="back"))

    again = desk.reverse_group(a_group_reversal(group_id, idempotency_key="back"))
    assert again == first._replace(replayed=True)
    with pytest.raises(errors.AlreadyReversed) as refusal:
        desk.reverse_group(a_group_reversal(group_id))
    assert (refusal.value.reversed_by, refusal.value.line) == (first.group_id, None)


def test_the_reversal_of_a_group_can_be_reversed() -> None:
    desk = a_desk(10)
    group_id = desk.adjust_group(DELIVERY).group_id
    back = desk.reverse_group(a_group_reversal(group_id))

    desk.reverse_group(a_group_reversal(back.group_id))

    assert desk.quantity == 13


def test_a_row_of_a_group_is_not_reversed_alone_but_that_of_a_group_of_one_is_once() -> None:
    desk = a_desk(10)
    rows = desk.adjust_group(DELIVERY).adjustments
    for row in rows:
        with pytest.raises(errors.PartOfGroup) as refusal:
            desk.reverse(a_reversal(adjustment_id=row.id))
        assert refusal.value.group_id == rows[0].id

    for alone_first in (True, False):
        (only,) = desk.adjust_group(Group((a_command(quantity_change=1),))).adjustments
        ways = [
            lambda row=only: desk.reverse(a_reversal(adjustment_id=row.id)),
            lambda row=only: desk.reverse_group(a_group_reversal(row.id)),
        ]
        first, second = ways if alone_first else reversed(ways)
        first()
        with pytest.raises(errors.AlreadyReversed):
            second()


def test_only_the_id_of_a_group_names_it() -> None:
    desk = a_desk(10)
    single = desk.adjust(a_command()).adjustment
    rows = desk.adjust_group(DELIVERY).adjustments

    for other in (single.id, rows[1].id, UUID(int=5)):
        with pytest.raises(errors.GroupNotFound):
            desk.reverse_group(a_group_reversal(other))


def test_a_group_reversal_leaves_out_rows_of_delta_0_and_needs_one_that_is_not() -> None:
    desk = a_desk(10)
    mixed = desk.adjust_group(Group((line(2), count_line(12), line(1), count_line(13)))).adjustments
    right = desk.adjust_group(Group((count_line(13, idempotency_key=None),))).adjustments

    reversal = desk.reverse_group(a_group_reversal(mixed[0].id))
    assert [row.reverses for row in reversal.adjustments] == [mixed[2].id, mixed[0].id]
    assert desk.store.reversals[BUSINESS, mixed[0].id].left_out == (1, 3)
    with pytest.raises(errors.NothingToReverse) as refusal:
        desk.reverse_group(a_group_reversal(right[0].id))
    assert refusal.value.parameter == "group_id"


def test_a_key_of_another_request_is_not_free_for_a_reversal_that_would_be_refused() -> None:
    desk = a_desk(10)
    rows = desk.adjust_group(DELIVERY).adjustments

    for reversal in (a_group_reversal(UUID(int=5), idempotency_key=KEY),):
        with pytest.raises(errors.IdempotencyKeyReused):
            desk.reverse_group(reversal)
    with pytest.raises(errors.IdempotencyKeyReused):
        desk.reverse(a_reversal(adjustment_id=rows[0].id, idempotency_key=KEY))


def test_a_refused_group_reversal_changes_nothing_and_names_no_line() -> None:
    desk = a_desk(10)
    group_id = desk.adjust_group(DELIVERY).group_id
    desk.adjust(a_command(variant_id=OTHER_VARIANT, quantity_change=-1))

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.reverse_group(a_group_reversal(group_id))

    assert refusal.value.line is None
    assert len(desk.rows) == 6
    desk.adjust(a_command(variant_id=OTHER_VARIANT, quantity_change=1))
    desk.reverse_group(a_group_reversal(group_id))


@pytest.mark.parametrize("met", [Met.UNHEARD, Met.UNDER_WAY], ids=["unheard", "under way"])
def test_a_lost_acknowledgement_of_a_group_reversal_is_settled(met: Met) -> None:
    desk = a_desk(10)
    group_id = desk.adjust_group(DELIVERY).group_id
    desk.store.on_commit.append(met)

    outcome = desk.reverse_group(a_group_reversal(group_id))
    desk.store.deliver()

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert desk.quantity == 10


# --- names and reasons -----------------------------------------------------------------------------------------------


def test_a_sku_names_its_variant_and_the_row_keeps_it() -> None:
    desk = a_desk(10)
    desk.store.skus[BUSINESS, "SKU 7"] = VARIANT

    row = desk.adjust(line(1, variant_id=None, sku="SKU 7")).adjustment

    assert (row.variant_id, row.sku, row.quantity_after) == (VARIANT, "SKU 7", 11)
    desk.store.skus[BUSINESS, "SKU 7"] = OTHER_VARIANT
    assert desk.adjust(line(1, variant_id=None, sku="SKU 7")).replayed
    with pytest.raises(errors.IdempotencyKeyReused):
        desk.adjust(line(1))


def test_an_unknown_sku_is_variant_not_found() -> None:
    with pytest.raises(errors.VariantNotFound):
        a_desk(10).adjust(line(1, variant_id=None, sku="SKU 7"))


def test_lines_by_sku_and_by_id_for_one_variant_follow_each_other() -> None:
    desk = a_desk(10)
    desk.store.skus[BUSINESS, "SKU 7"] = VARIANT

    rows = desk.adjust_group(Group((line(-10), line(4, variant_id=None, sku="SKU 7"), line(-4)))).adjustments

    assert [row.quantity_after for row in rows] == [0, 4, 0]


def test_an_instant_out_of_its_window_is_refused_after_replay_and_all_lines_together() -> None:
    desk = a_desk(10)
    early = NOW - timedelta(days=367)
    lines = (line(1), line(1, occurred_at=early), count_line(1, counted_at=NOW + timedelta(seconds=120)))

    with pytest.raises(errors.InstantOutOfWindow) as refusal:
        desk.adjust_group(Group(lines))
    assert [(each.line, each.field) for each in refusal.value.found] == [(1, "occurred_at"), (2, "counted_at")]
    with pytest.raises(errors.InstantOutOfWindow) as refusal:
        desk.adjust(line(1, occurred_at=early, variant_id=UUID(int=1)))
    assert [each.line for each in refusal.value.found] == [None]

    desk.adjust(line(1, occurred_at=NOW - timedelta(days=365)))
    desk.store.time.now_s += 10 * 86_400
    desk.store.time.deadline_s += 10 * 86_400
    assert desk.adjust(line(1, occurred_at=NOW - timedelta(days=365))).replayed


@pytest.mark.parametrize(
    ("direction", "change", "is_refused"),
    [("increase", -1, True), ("increase", 1, False), ("decrease", 1, True), ("decrease", -1, False), ("any", 1, False)],
)
def test_a_registered_reason_has_a_direction(direction: Any, change: int, is_refused: bool) -> None:  # noqa: FBT001
    desk = a_desk(10)
    desk.store.reasons[BUSINESS] = {"sample": direction}

    for command in (line(change, reason_code="sample"), count_line(10 + change, reason_code="sample")):
        if is_refused:
            with pytest.raises(errors.ReasonDirection) as refusal:
                desk.adjust(command)
            assert refusal.value.direction == direction
        elif command.kind == "adjustment":
            desk.adjust(command)


def test_an_unknown_reason_code_is_not_found_after_variant_and_location() -> None:
    desk = a_desk(10)
    with pytest.raises(errors.ReasonNotFound):
        desk.adjust(line(1, reason_code="sample"))
    with pytest.raises(errors.LocationNotFound):
        desk.adjust(line(1, reason_code="sample", location_id=UUID(int=1)))


def test_the_direction_is_not_looked_at_for_transfers_and_counts_that_were_right() -> None:
    desk = a_desk(10)
    desk.store.reasons[BUSINESS] = {"sample": "decrease"}
    transfer = a_transfer(1)

    desk.adjust_group(transfer._replace(lines=tuple(replace(each, reason_code="sample") for each in transfer.lines)))
    desk.adjust(count_line(9, reason_code="sample", idempotency_key="count"))


def test_a_rows_stock_item_is_named_by_its_three_ids() -> None:
    assert an_adjustment().stock_item_id == StockItemId(BUSINESS, VARIANT, LOCATION)
