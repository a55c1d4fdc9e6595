"""Reversals: an adjustment is taken back once, by the same rules and the same loop as every other change."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain import errors
from inventory.domain.model import QUANTITY_MAX
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.rules import keyed_id
from tests.support.builders import ids
from tests.support.builders.domain import a_business, a_command, a_reversal, a_stock_item
from tests.support.fakes.scripted_store import Desk, Met, a_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.domain.model import Adjustment, Command, Reversal

with_and_without_a_key = pytest.mark.parametrize("key", [None, "key"], ids=["unkeyed", "keyed"])


@pytest.fixture
def desk() -> Desk:
    """Ten on hand, from one adjustment."""
    return a_desk(10)


@pytest.fixture
def opening(desk: Desk) -> Adjustment:
    (row,) = desk.rows
    return row


def of(row: Adjustment, **changes: Any) -> Reversal:
    return a_reversal(adjustment_id=row.id, **changes)


def another_desk(desk: Desk) -> Desk:
    """Another environment of the service on the same store."""
    return Desk(desk.store, _ids=1_000)


def reversals_of(desk: Desk, row: Adjustment) -> list[Adjustment]:
    return [each for each in desk.rows if each.reverses == row.id]


# --- the plain way ---------------------------------------------------------------------------------------------------


@with_and_without_a_key
def test_a_reversal_takes_two_reads_and_one_commit(desk: Desk, opening: Adjustment, key: str | None) -> None:
    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert desk.store.calls == ["find", "load", "commit"]
    assert (outcome.replayed, outcome.attempts) == (False, 1)
    assert desk.store.time.pauses_s == []
    assert (desk.rows[-1], desk.quantity) == (outcome.adjustment, 0)


def test_a_reversal_is_a_row_of_its_own_of_the_opposite_delta_that_names_what_it_reverses(desk: Desk) -> None:
    asked = a_command(
        variant_id=ids.OTHER_VARIANT,
        quantity_change=7,
        location_id=ids.OTHER_LOCATION,
        reason_code="damage",
        reference="count 7",
        expected_quantity=0,
    )
    row = desk.adjust(asked).adjustment

    made = desk.reverse(of(row, reason="not damaged", actor="the other till")).adjustment

    assert (made.delta, made.quantity_after, made.sequence) == (-7, 0, 2)
    assert (made.variant_id, made.location_id, made.location_defaulted) == (
        ids.OTHER_VARIANT,
        ids.OTHER_LOCATION,
        False,
    )
    assert (made.reason, made.created_by, made.reverses) == ("not damaged", "the other till", row.id)
    assert (made.reason_code, made.reference, made.expected_quantity) == (None, None, None)
    assert made.previous_hash == row.hash
    assert desk.store.ledger[ids.BUSINESS, row.id] == row, "what it reverses stays as it was"


def test_a_keyed_reversal_has_the_id_of_its_key_and_an_unkeyed_one_a_fresh_id(desk: Desk) -> None:
    first, second = (desk.adjust(a_command()).adjustment for _ in range(2))

    assert desk.reverse(of(first, idempotency_key="key")).adjustment.id == keyed_id(ids.BUSINESS, "key")
    assert desk.reverse(of(second)).adjustment.id == UUID(int=4, version=4)


def test_a_decrease_is_put_back(desk: Desk) -> None:
    sold = desk.adjust(a_command(quantity_change=-10)).adjustment

    assert desk.reverse(of(sold)).adjustment.quantity_after == 10


def test_a_reversal_returns_stock_to_its_location_after_the_default_changes(desk: Desk, opening: Adjustment) -> None:
    desk.store.businesses[ids.BUSINESS] = a_business(default_location_id=ids.OTHER_LOCATION)

    made = desk.reverse(of(opening)).adjustment

    assert (made.location_id, made.quantity_after, made.location_defaulted) == (ids.LOCATION, 0, False)


# --- once ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [(None, None), ("first", "second"), (None, "second"), ("first", None)])
def test_an_adjustment_is_reversed_once(desk: Desk, opening: Adjustment, keys: tuple[str | None, str | None]) -> None:
    desk.adjust(a_command(quantity_change=30))
    first = desk.reverse(of(opening, idempotency_key=keys[0])).adjustment

    with pytest.raises(errors.AlreadyReversed) as refusal:
        desk.reverse(of(opening, idempotency_key=keys[1]))

    assert refusal.value.reversed_by == first.id
    assert reversals_of(desk, opening) == [first]
    assert desk.quantity == 30


def test_a_reversal_can_itself_be_reversed_and_so_on(desk: Desk, opening: Adjustment) -> None:
    row, quantities = opening, []
    for _ in range(4):
        row = desk.reverse(of(row)).adjustment
        quantities.append(row.quantity_after)

    assert quantities == [0, 10, 0, 10]


def test_an_adjustment_stays_reversed_after_its_reversal_is_reversed(desk: Desk, opening: Adjustment) -> None:
    first = desk.reverse(of(opening)).adjustment
    desk.reverse(of(first))

    with pytest.raises(errors.AlreadyReversed) as refusal:
        desk.reverse(of(opening))

    assert refusal.value.reversed_by == first.id
    assert desk.quantity == 10


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"adjustment_id": ids.ADJUSTMENT}, {"business_id": ids.OTHER_BUSINESS}], ids=str)
@with_and_without_a_key
def test_unknown_and_foreign_adjustments_are_equally_not_found(
    desk: Desk, opening: Adjustment, changes: dict[str, Any], key: str | None
) -> None:
    with pytest.raises(errors.AdjustmentNotFound):
        desk.reverse(replace(of(opening, idempotency_key=key), **changes))

    assert desk.store.calls == ["find"]
    assert desk.rows == [opening]


def sell_out(desk: Desk) -> None:
    desk.adjust(a_command(quantity_change=-4))


def deactivate_variant(desk: Desk) -> None:
    desk.store.active_variants.clear()


def deactivate_location(desk: Desk) -> None:
    desk.store.active_locations.clear()


@pytest.mark.parametrize(
    ("happening", "refusal"),
    [
        (sell_out, errors.InsufficientStock),
        (deactivate_variant, errors.VariantNotFound),
        (deactivate_location, errors.LocationNotFound),
    ],
)
@with_and_without_a_key
def test_a_reversal_is_refused_like_any_other_change(
    desk: Desk,
    opening: Adjustment,
    happening: Callable[[Desk], None],
    refusal: type[errors.ServiceError],
    key: str | None,
) -> None:
    happening(desk)
    rows = desk.rows

    with pytest.raises(refusal):
        desk.reverse(of(opening, idempotency_key=key))

    assert (desk.rows, desk.store.reversals) == (rows, {})


def test_a_refusal_names_the_change_that_the_reversal_would_be(desk: Desk, opening: Adjustment) -> None:
    sell_out(desk)

    with pytest.raises(errors.InsufficientStock) as refusal:
        desk.reverse(of(opening))

    assert refusal.value.facts() == {"quantity_on_hand": 6, "quantity_change": -10}


def test_a_business_that_allows_it_goes_below_zero_by_a_reversal(desk: Desk, opening: Adjustment) -> None:
    sell_out(desk)
    desk.store.businesses[ids.BUSINESS] = a_business(allow_negative_stock=True)

    assert desk.reverse(of(opening)).adjustment.quantity_after == -4


def test_a_reversal_keeps_the_limit_of_a_quantity(desk: Desk) -> None:
    sold = desk.adjust(a_command(quantity_change=-10)).adjustment
    desk.store.stock[ids.STOCK_ITEM] = a_stock_item(QUANTITY_MAX - 9)

    with pytest.raises(errors.QuantityLimitExceeded):
        desk.reverse(of(sold))


def test_a_refused_reversal_leaves_its_key_and_its_adjustment_free(desk: Desk, opening: Adjustment) -> None:
    sell_out(desk)
    with pytest.raises(errors.InsufficientStock):
        desk.reverse(of(opening, idempotency_key="key"))
    desk.adjust(a_command(quantity_change=4))

    assert not desk.reverse(of(opening, idempotency_key="key")).replayed


# --- keys ------------------------------------------------------------------------------------------------------------


def nothing(_: Desk) -> None:
    pass


def reverse_the_reversal(desk: Desk) -> None:
    desk.reverse(of(desk.rows[-1]))


def drop_business(desk: Desk) -> None:
    desk.store.businesses.clear()


@pytest.mark.parametrize(
    "happening", [nothing, reverse_the_reversal, deactivate_variant, deactivate_location, drop_business]
)
def test_a_replay_is_the_first_answer_after_later_changes(
    desk: Desk, opening: Adjustment, happening: Callable[[Desk], None]
) -> None:
    first = desk.reverse(of(opening, idempotency_key="key"))
    happening(desk)
    rows = desk.rows
    desk.store.calls.clear()

    again = desk.reverse(of(opening, idempotency_key="key", actor="another till"))

    assert again == replace(first, replayed=True)
    assert desk.store.calls == ["find", "load"]
    assert desk.rows == rows


def test_creations_and_reversals_share_one_namespace_of_keys(desk: Desk, opening: Adjustment) -> None:
    created = desk.adjust(a_command(quantity_change=-10, idempotency_key="creation")).adjustment
    desk.reverse(of(created, idempotency_key="reversal"))
    rows = desk.rows

    misuses: list[Callable[[], object]] = [
        lambda: desk.reverse(of(opening, idempotency_key="creation")),
        lambda: desk.reverse(of(created, idempotency_key="creation")),
        lambda: desk.reverse(of(opening, idempotency_key="reversal")),
        lambda: desk.reverse(of(created, idempotency_key="reversal", reason="another")),
        lambda: desk.reverse(of(rows[-1], idempotency_key="reversal")),
        lambda: desk.adjust(a_command(quantity_change=10, idempotency_key="reversal", location_id=ids.LOCATION)),
        lambda: desk.adjust(a_command(quantity_change=10, idempotency_key="reversal", reason=of(created).reason)),
    ]
    for misuse in misuses:
        with pytest.raises(errors.IdempotencyKeyReused):
            misuse()

    assert desk.rows == rows


def test_a_key_that_names_another_request_is_misused_even_where_the_adjustment_does_not_exist(desk: Desk) -> None:
    desk.adjust(a_command(idempotency_key="key"))

    with pytest.raises(errors.IdempotencyKeyReused) as refusal:
        desk.reverse(a_reversal(idempotency_key="key"))

    assert refusal.value.key == "key"


def test_a_repeated_key_of_a_reversal_is_a_replay_and_not_already_reversed(desk: Desk, opening: Adjustment) -> None:
    desk.reverse(of(opening, idempotency_key="key"))

    assert desk.reverse(of(opening, idempotency_key="key")).replayed
    with pytest.raises(errors.AlreadyReversed):
        desk.reverse(of(opening, idempotency_key="another key"))


# --- races -----------------------------------------------------------------------------------------------------------


@with_and_without_a_key
def test_a_failed_commit_returns_the_reversal_of_another_request(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    desk.store.on_commit.append(lambda: another_desk(desk).reverse(of(opening)))

    with pytest.raises(errors.AlreadyReversed) as refusal:
        desk.reverse(of(opening, idempotency_key=key))

    assert [refusal.value.reversed_by] == [row.id for row in reversals_of(desk, opening)]
    assert desk.store.calls.count("commit") == 2, "one of each request: the stock that moved is not tried again"
    assert desk.store.calls.count("load") == 2


def test_when_another_adjusted_the_stock_the_reversal_is_decided_again(desk: Desk, opening: Adjustment) -> None:
    desk.store.on_commit.append(lambda: another_desk(desk).adjust(a_command(quantity_change=1)))

    outcome = desk.reverse(of(opening))

    assert (outcome.adjustment.quantity_after, outcome.attempts) == (1, 2)
    assert desk.store.calls.count("find") == 1, "what stands in the ledger never changes"


def test_two_concurrent_copies_of_a_request_are_one_reversal_and_one_replay(desk: Desk, opening: Adjustment) -> None:
    desk.store.on_commit.append(lambda: another_desk(desk).reverse(of(opening, idempotency_key="key")))

    assert desk.reverse(of(opening, idempotency_key="key")).replayed
    assert len(reversals_of(desk, opening)) == 1


# --- outcomes that are not known -------------------------------------------------------------------------------------


@with_and_without_a_key
def test_an_applied_reversal_with_a_lost_answer_is_the_requests_own(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    desk.store.on_commit.append(Met.UNHEARD)

    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert desk.store.calls == ["find", "load", "commit", "load"]
    assert reversals_of(desk, opening) == [outcome.adjustment]


@with_and_without_a_key
def test_a_lost_commit_is_repeated(desk: Desk, opening: Adjustment, key: str | None) -> None:
    desk.store.on_commit.append(Met.LOST)

    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert reversals_of(desk, opening) == [outcome.adjustment]


@with_and_without_a_key
@pytest.mark.parametrize("moment", ["on_load", "on_commit"])
def test_a_commit_that_is_applied_late_is_applied_once(
    desk: Desk, opening: Adjustment, key: str | None, moment: str
) -> None:
    desk.store.on_commit.append(Met.UNDER_WAY)
    if moment == "on_load":
        desk.store.on_load.append(Met.OK)
    getattr(desk.store, moment).append(desk.store.deliver)

    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert not outcome.replayed
    assert reversals_of(desk, opening) == [outcome.adjustment]


@with_and_without_a_key
def test_a_commit_that_is_applied_after_the_answer_changes_nothing(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    desk.store.on_commit.append(Met.UNDER_WAY)

    outcome = desk.reverse(of(opening, idempotency_key=key))
    desk.store.deliver()

    assert reversals_of(desk, opening) == [outcome.adjustment]


def second_load_is_torn(desk: Desk, between: Callable[[], object]) -> None:
    """Let something happen in the second load, right before the link is read: a batch of reads is not one moment."""
    load = desk.store.load
    loads: list[None] = []

    def torn(commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Any:
        loads.append(None)
        before = load(commands, recorded_ids, **how)
        if len(loads) != 2:
            return before
        between()
        return replace(before, reversed_by=load(commands, recorded_ids, **how).reversed_by)

    desk.store.load = torn  # type: ignore[method-assign]


@with_and_without_a_key
def test_an_own_reversal_whose_link_is_seen_before_its_row_is_not_already_reversed(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    """Even where a read of the row right after the link's does not find it: parts of a transaction appear in turn."""
    desk.store.on_commit.append(Met.UNDER_WAY)
    second_load_is_torn(desk, desk.store.deliver)
    find = desk.store.find
    looks = iter([find])

    def find_once(business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        look = next(looks, None)
        return look(business_id, adjustment_ids) if look else {}

    desk.store.find = find_once  # type: ignore[method-assign]

    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 3)
    assert reversals_of(desk, opening) == [outcome.adjustment]


@with_and_without_a_key
def test_a_reversal_by_another_request_is_already_reversed_during_an_own_attempt(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    """The stock was read before it moved, so by itself it would not keep the try from being applied."""
    desk.store.on_commit.append(Met.UNDER_WAY)
    other = another_desk(desk)
    second_load_is_torn(desk, lambda: other.reverse(of(opening)))

    with pytest.raises(errors.AlreadyReversed):
        desk.reverse(of(opening, idempotency_key=key))

    desk.store.deliver()
    assert [row.id for row in reversals_of(desk, opening)] == [UUID(int=1_001, version=4)]


@with_and_without_a_key
def test_no_other_rejection_contradicts_an_attempt_in_progress(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: deactivate_variant(desk)])

    with pytest.raises(errors.TryAgain):
        desk.reverse(of(opening, idempotency_key=key))

    desk.store.deliver()
    assert len(reversals_of(desk, opening)) == 1


# --- limits ----------------------------------------------------------------------------------------------------------


@with_and_without_a_key
def test_a_failed_first_read_is_repeated_and_counts_as_an_attempt(
    desk: Desk, opening: Adjustment, key: str | None
) -> None:
    desk.store.on_find.extend([Met.LOST, Met.LOST])

    outcome = desk.reverse(of(opening, idempotency_key=key))

    assert desk.store.calls == ["find", "find", "find", "load", "commit"]
    assert outcome.attempts == 3
    assert len(desk.store.time.pauses_s) == 2


def test_a_failed_read_for_a_misused_key_is_repeated(desk: Desk) -> None:
    desk.store.on_find.append(Met.LOST)

    with pytest.raises(errors.AdjustmentNotFound):
        desk.reverse(a_reversal(idempotency_key="key"))

    assert desk.store.calls == ["find"] * 2


@pytest.mark.parametrize("failed_finds", [0, 5, ATTEMPTS_MAX - 1])
def test_first_reads_and_commits_share_the_attempts_of_a_request(
    desk: Desk, opening: Adjustment, failed_finds: int
) -> None:
    desk.fraction = 0.0
    desk.store.on_find.extend([Met.LOST] * failed_finds)
    desk.store.on_commit.extend([Met.CONTENDED] * 1_000)

    with pytest.raises(errors.TryAgain):
        desk.reverse(of(opening))

    assert desk.store.calls.count("commit") == ATTEMPTS_MAX - failed_finds


def test_a_first_read_that_never_succeeds_ends(desk: Desk, opening: Adjustment) -> None:
    desk.fraction = 0.0
    desk.store.on_find.extend([Met.LOST] * 1_000)

    with pytest.raises(errors.TryAgain):
        desk.reverse(of(opening))

    assert desk.store.calls == ["find"] * ATTEMPTS_MAX


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("call_s", [0.0, 0.02, 3.0])
@pytest.mark.parametrize("deadline_s", [10.0, CALL_BUDGET_S + 1, CALL_BUDGET_S, CALL_BUDGET_S - 0.001, 0.0])
def test_no_call_begins_that_could_outlast_the_deadline(
    desk: Desk,
    opening: Adjustment,
    exists: bool,  # noqa: FBT001
    call_s: float,
    deadline_s: float,
) -> None:
    time = desk.store.time
    time.now_s, time.call_s, time.deadline_s = 0.0, call_s, deadline_s
    desk.store.on_commit.extend([Met.CONTENDED] * 1_000)
    reversal = of(opening) if exists else a_reversal()

    with pytest.raises((errors.TryAgain, errors.AdjustmentNotFound)):
        desk.reverse(replace(reversal, idempotency_key="key"))

    assert all(left_s >= CALL_BUDGET_S for left_s in time.left_at_calls_s)
    assert (desk.store.calls == []) == (deadline_s < CALL_BUDGET_S)
