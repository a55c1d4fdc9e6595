"""Requests for one stock item together: one load, one commit, and each its own answer, whatever happens on the way."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

import pytest

from inventory.domain.errors import IdempotencyKeyReused, InsufficientStock, StaleQuantity, TryAgain, VariantNotFound
from inventory.domain.model import Outcome, StockItemId
from inventory.domain.retry_budget import ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.store import GROUP_MAX
from tests.support.builders import ids
from tests.support.builders.domain import a_business, a_command
from tests.support.fakes.scripted_store import Desk, Met, a_desk
from tests.support.harness.ledger_invariants import assert_adds_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.adjusting.loop import Result
    from inventory.domain.model import Adjustment, Command, Snapshot

WITH_KEYS_AND_WITHOUT = pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])


def moves(*changes: int, keyed: bool = True) -> list[Command]:
    """One request for each change, each with a reason of its own."""
    return [
        a_command(quantity_change=change, reason=f"move {number}", idempotency_key=f"key {number}" if keyed else None)
        for number, change in enumerate(changes)
    ]


def in_short(results: Sequence[Result]) -> list[str | int]:
    """For each answer the balance of a new row, ``again`` of a replayed one, the name of any other answer."""
    return [
        type(result).__name__
        if not isinstance(result, Outcome)
        else "again"
        if result.replayed
        else result.adjustment.quantity_after
        for result in results
    ]


def rows_at(desk: Desk, location_id: UUID = ids.LOCATION) -> list[Adjustment]:
    """The rows of the variant there, after a proof that they add up."""
    return assert_adds_up(
        [row for row in desk.rows if (row.variant_id, row.location_id) == (ids.VARIANT, location_id)],
        desk.store.stock.get(StockItemId(ids.BUSINESS, ids.VARIANT, location_id)),
    )


def change_default(desk: Desk) -> None:
    desk.store.businesses[ids.BUSINESS] = a_business(default_location_id=ids.OTHER_LOCATION)


def another_desk(desk: Desk) -> Desk:
    """Another environment on the same tables, for which all goes well."""
    other = Desk(replace(desk.store, on_load=type(desk.store.on_load)(), calls=[]))
    other.store.on_find.clear()
    other.store.on_commit.clear()
    other._ids = 1_000
    return other


# --- the plain way ---------------------------------------------------------------------------------------------------


@WITH_KEYS_AND_WITHOUT
def test_a_group_takes_one_load_and_one_commit(keyed: bool) -> None:  # noqa: FBT001
    desk = a_desk(10)

    results = desk.adjust_all(moves(-1, 5, -3, keyed=keyed))

    assert desk.store.calls == ["load", "commit"]
    assert in_short(results) == [9, 14, 11]
    assert [row.delta for row in rows_at(desk)] == [10, -1, 5, -3]
    assert all(isinstance(each, Outcome) and each.attempts == 1 for each in results)


def test_the_first_group_of_a_stock_item_creates_it() -> None:
    desk = a_desk()

    assert in_short(desk.adjust_all(moves(3, -2))) == [3, 1]
    assert [row.sequence for row in rows_at(desk)] == [1, 2]


def test_a_rejected_request_of_a_group_is_rejected_alone() -> None:
    desk = a_desk(10)

    results = desk.adjust_all(moves(-10, -1, 4, -5, -4))

    assert in_short(results) == [0, "InsufficientStock", 4, "InsufficientStock", 0]
    assert [getattr(each, "quantity_on_hand", None) for each in results] == [None, 0, None, 4, None]
    assert len(rows_at(desk)) == 4
    assert desk.store.calls == ["load", "commit", "find"]


def test_the_expected_quantity_is_that_which_the_request_before_leaves() -> None:
    desk = a_desk(10)
    first, second, third = moves(5, 1, 1)

    results = desk.adjust_all([first, replace(second, expected_quantity=10), replace(third, expected_quantity=15)])

    assert in_short(results) == [15, "StaleQuantity", 16]
    assert isinstance(results[1], StaleQuantity)
    assert results[1].quantity_on_hand == 15


def test_nothing_is_written_for_a_group_of_rejected_requests() -> None:
    desk = a_desk(10)

    assert in_short(desk.adjust_all(moves(-11, -12))) == ["InsufficientStock"] * 2
    assert desk.store.calls == ["load", "find"]
    assert len(rows_at(desk)) == 1


def test_the_largest_group_takes_one_transaction() -> None:
    desk = a_desk(10)

    results = desk.adjust_all(moves(*[1] * GROUP_MAX))

    assert GROUP_MAX == 99
    assert in_short(results) == list(range(11, 11 + GROUP_MAX))
    assert desk.store.calls == ["load", "commit"]


@pytest.mark.parametrize("count", [0, GROUP_MAX + 1])
def test_a_group_too_large_for_a_transaction_is_a_fault_and_writes_nothing(count: int) -> None:
    desk = a_desk(10)

    with pytest.raises(ValueError, match=r"^the requests do not make one transaction$"):
        desk.adjust_all(moves(*[1] * count))

    assert desk.store.calls == []


# --- one key several times -------------------------------------------------------------------------------------------


def test_a_key_that_comes_twice_makes_one_row_and_a_replay() -> None:
    desk = a_desk(10)
    first, second = moves(-10, 4)

    results = desk.adjust_all([first, second, first, second])

    assert in_short(results) == [0, 4, "again", "again"]
    assert isinstance(results[0], Outcome)
    assert isinstance(results[2], Outcome)
    assert results[2].adjustment == results[0].adjustment
    assert [row.delta for row in rows_at(desk)] == [10, -10, 4]
    assert desk.store.calls == ["load", "commit"]


def test_a_key_that_comes_twice_for_two_requests_is_misused_by_the_second() -> None:
    desk = a_desk(10)
    (first,) = moves(-10)

    results = desk.adjust_all([first, replace(first, reason="another"), first])

    assert in_short(results) == [0, "IdempotencyKeyReused", "again"]
    assert len(rows_at(desk)) == 2


def test_a_key_that_comes_twice_for_two_locations_is_misused_by_the_second() -> None:
    desk = a_desk(10)
    (unnamed,) = moves(1)

    results = desk.adjust_all([replace(unnamed, location_id=ids.OTHER_LOCATION), unnamed])

    assert in_short(results) == [1, "IdempotencyKeyReused"]


def test_the_key_of_a_refused_request_may_be_used_by_one_behind_it() -> None:
    desk = a_desk(10)
    too_much, delivery = moves(-15, 5)

    results = desk.adjust_all([too_much, replace(too_much, quantity_change=-1), delivery, too_much])

    assert in_short(results) == ["InsufficientStock", 9, 14, "IdempotencyKeyReused"]
    assert [row.delta for row in rows_at(desk)] == [10, -1, 5]


def test_a_rejected_request_repeated_after_enough_stock_is_applied() -> None:
    desk = a_desk(10)
    too_much, delivery = moves(-15, 5)

    results = desk.adjust_all([too_much, delivery, too_much, too_much])

    assert in_short(results) == ["InsufficientStock", 15, 0, "again"]
    assert desk.store.calls == ["load", "commit"], "no row can be there whose id was just given to another"


def test_a_key_that_is_refused_twice_is_looked_for_once() -> None:
    desk = a_desk(10)
    (too_much,) = moves(-15)

    assert in_short(desk.adjust_all([too_much, too_much])) == ["InsufficientStock"] * 2
    assert desk.store.calls == ["load", "find"]


def test_requests_of_earlier_groups_are_replayed_between_new_ones() -> None:
    desk = a_desk(10)
    commands = moves(-1, -2, -3, -4)
    desk.adjust_all([commands[1], commands[3]])

    results = desk.adjust_all([*commands, replace(commands[3], reason="another")])

    assert in_short(results) == [3, "again", 0, "again", "IdempotencyKeyReused"]
    assert len(rows_at(desk)) == 5


# --- others meanwhile ------------------------------------------------------------------------------------------------


def torn_load(desk: Desk, between: Callable[[], object], unseen: Callable[[UUID], bool] = lambda _: True) -> None:
    """Let something happen in the next load: after the ledger was read (``unseen`` ids), before the rest is."""
    load = desk.store.load

    def torn(commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **_: object) -> Snapshot:
        desk.store.load = load  # type: ignore[method-assign]
        before = load(commands, recorded_ids)
        between()
        after = load(commands, recorded_ids)
        recorded = {each: row for each, row in after.recorded.items() if not unseen(each)}
        return replace(after, recorded={**before.recorded, **recorded})

    desk.store.load = torn  # type: ignore[method-assign]


def test_a_faster_writer_costs_an_attempt_and_the_group_decides_from_its_state() -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(lambda: another_desk(desk).adjust(a_command(quantity_change=-4)))

    results = desk.adjust_all(moves(-5, -5, 1))

    assert in_short(results) == [1, "InsufficientStock", 2]
    assert desk.store.calls == ["load", "commit", "commit", "find"]
    assert [row.delta for row in rows_at(desk)] == [10, -4, -5, 1]


def test_a_row_returned_by_a_cancelled_commit_is_settled_and_the_others_are_committed() -> None:
    desk = a_desk(10)
    commands = moves(-1, -2, -3)
    torn_load(desk, lambda: another_desk(desk).adjust(commands[1]))

    results = desk.adjust_all(commands)

    assert in_short(results) == [7, "again", 4]
    assert desk.store.calls == ["load", "load", "commit", "commit"]
    assert [row.delta for row in rows_at(desk)] == [10, -2, -1, -3]


def test_a_cancelled_commit_that_returns_all_rows_ends_without_a_wait() -> None:
    desk = a_desk(10)
    commands = moves(-1, -2)
    torn_load(desk, lambda: another_desk(desk).adjust_all(commands))

    assert in_short(desk.adjust_all(commands)) == ["again"] * 2
    assert desk.store.calls == ["load", "load", "commit"]
    assert desk.store.time.pauses_s == []


def test_a_refused_request_whose_row_another_environment_has_written_meanwhile_is_replayed() -> None:
    desk = a_desk(10)
    commands = moves(-12, -1)
    other = another_desk(desk)
    desk.store.on_find.append(lambda: other.adjust_all([a_command(quantity_change=5), commands[0]]))

    results = desk.adjust_all(commands)

    assert in_short(results) == ["again", 9]
    assert [row.delta for row in rows_at(desk)] == [10, -1, 5, -12]


def test_contention_is_retried_from_a_fresh_load() -> None:
    desk = a_desk(10)
    desk.store.on_commit.extend([Met.CONTENDED, Met.CONTENDED])

    results = desk.adjust_all(moves(-1, -1))

    assert in_short(results) == [9, 8]
    assert desk.store.calls == ["load", "commit"] * 3
    assert all(isinstance(each, Outcome) and each.attempts == 3 for each in results)


def test_a_fault_after_a_commit_leaves_committed_requests_settled() -> None:
    def bug() -> None:
        raise RuntimeError("a bug")

    desk = a_desk(10)
    desk.store.on_find.append(bug)

    results = desk.adjust_all(moves(-1, -12))

    assert in_short(results) == [9, "TryAgain"]
    assert isinstance(results[1], TryAgain)
    assert isinstance(results[1].__cause__, RuntimeError), "the cause is kept"


# --- outcomes that are not known -------------------------------------------------------------------------------------


@WITH_KEYS_AND_WITHOUT
def test_an_applied_group_with_a_lost_answer_is_found_as_the_requests_own(keyed: bool) -> None:  # noqa: FBT001
    desk = a_desk(10)
    desk.store.on_commit.append(Met.UNHEARD)

    results = desk.adjust_all(moves(-4, -6, keyed=keyed))

    assert in_short(results) == [6, 0]
    assert desk.store.calls == ["load", "commit", "load"]
    assert len(rows_at(desk)) == 3


@WITH_KEYS_AND_WITHOUT
def test_a_lost_group_is_committed_again(keyed: bool) -> None:  # noqa: FBT001
    desk = a_desk(10)
    desk.store.on_commit.append(Met.LOST)

    assert in_short(desk.adjust_all(moves(-4, -6, keyed=keyed))) == [6, 0]
    assert len(rows_at(desk)) == 3


@WITH_KEYS_AND_WITHOUT
@pytest.mark.parametrize("moment", ["on_load", "on_commit"])
def test_a_group_that_is_applied_late_is_applied_once(keyed: bool, moment: str) -> None:  # noqa: FBT001
    desk = a_desk(20)
    desk.store.on_commit.append(Met.UNDER_WAY)
    if moment == "on_load":
        desk.store.on_load.append(Met.OK)
    getattr(desk.store, moment).append(desk.store.deliver)

    results = desk.adjust_all(moves(-4, -6, keyed=keyed))

    assert in_short(results) == [16, 10]
    assert [row.delta for row in rows_at(desk)] == [20, -4, -6]


@WITH_KEYS_AND_WITHOUT
def test_a_group_that_is_applied_after_the_answers_changes_nothing(keyed: bool) -> None:  # noqa: FBT001
    desk = a_desk(20)
    desk.store.on_commit.append(Met.UNDER_WAY)

    desk.adjust_all(moves(-4, -6, keyed=keyed))
    desk.store.deliver()

    assert [row.delta for row in rows_at(desk)] == [20, -4, -6]


@WITH_KEYS_AND_WITHOUT
@pytest.mark.parametrize("unseen", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}])
def test_a_group_applied_during_the_look_up_is_settled_with_its_unseen_rows(
    keyed: bool,  # noqa: FBT001
    unseen: set[int],
) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.UNDER_WAY)
    tried: list[UUID] = []

    def lands() -> None:
        tried.extend(row.id for row in desk.store._under_way[0][0])
        desk.store.deliver()

    desk.store.on_load.append(Met.OK)
    load = desk.store.load

    def first_load(commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **_: object) -> Snapshot:
        torn_load(desk, lands, lambda each: tried.index(each) in unseen)
        return load(commands, recorded_ids)

    desk.store.load = first_load  # type: ignore[method-assign]

    results = desk.adjust_all(moves(-5, -3, -2, keyed=keyed))

    assert in_short(results) == [5, 2, 0]
    assert [row.delta for row in rows_at(desk)] == [10, -5, -3, -2]


def test_a_lost_read_after_the_commit_is_repeated_and_committed_rows_stay() -> None:
    desk = a_desk(10)
    desk.store.on_find.extend([Met.LOST, Met.LOST])

    results = desk.adjust_all(moves(-10, -1, -2))

    assert in_short(results) == [0, "InsufficientStock", "InsufficientStock"]
    assert desk.store.calls == ["load", "commit", "find", "load", "find", "load", "find"]
    assert len(rows_at(desk)) == 2


def test_an_unanswered_read_fails_only_the_rejected_requests_of_the_group() -> None:
    desk = a_desk(10)
    desk.store.on_find.extend([Met.LOST] * ATTEMPTS_MAX)

    results = desk.adjust_all(moves(-10, -1))

    assert in_short(results) == [0, "TryAgain"]
    assert len(rows_at(desk)) == 2


def test_an_attempt_in_progress_delays_only_rejections_of_its_own_requests() -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, desk.store.active_variants.clear])

    results = desk.adjust_all(moves(-10, -1))

    assert in_short(results) == ["TryAgain", "VariantNotFound"]
    assert isinstance(results[1], VariantNotFound)
    desk.store.deliver()
    assert [row.delta for row in rows_at(desk)] == [10, -10]


def test_a_commit_settles_the_attempts_before_it() -> None:
    """The first try is overtaken by another writer, so it can never be applied any more."""
    desk = a_desk(10)
    other = another_desk(desk)
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: other.adjust(a_command(quantity_change=-4))])

    results = desk.adjust_all(moves(-8, -2))

    assert in_short(results) == ["InsufficientStock", 4]
    desk.store.deliver()
    assert [row.delta for row in rows_at(desk)] == [10, -4, -2]


def test_a_commit_settles_the_earlier_attempts_from_the_same_stock() -> None:
    desk = a_desk(10)
    desk.store.businesses[ids.BUSINESS] = a_business(allow_negative_stock=True)
    desk.store.on_commit.append(Met.UNDER_WAY)

    def no_negative_stock() -> None:
        desk.store.businesses[ids.BUSINESS] = a_business()

    desk.store.on_load.extend([Met.OK, no_negative_stock])

    results = desk.adjust_all(moves(-15, -2))

    assert in_short(results) == ["InsufficientStock", 8]
    desk.store.deliver()
    assert [row.delta for row in rows_at(desk)] == [10, -2]


def test_a_commit_at_another_location_settles_no_earlier_attempt() -> None:
    """The default location changes under a group; its first try, at the old one, may be applied at any time."""
    desk = a_desk(10)
    desk.adjust(a_command(quantity_change=3, location_id=ids.OTHER_LOCATION))
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: change_default(desk)])

    results = desk.adjust_all(moves(-10, -3))

    assert in_short(results) == ["TryAgain", 0]
    desk.store.deliver()
    assert [row.delta for row in rows_at(desk)] == [10, -10]
    assert [row.delta for row in rows_at(desk, ids.OTHER_LOCATION)] == [3, -3]


# --- the default location --------------------------------------------------------------------------------------------


def test_naming_the_default_location_and_leaving_it_out_go_together() -> None:
    desk = a_desk(10)
    first, second, third = moves(-1, -2, -3)

    results = desk.adjust_all(
        [first, replace(second, location_id=ids.LOCATION), third, replace(third, location_id=ids.LOCATION)]
    )

    assert in_short(results) == [9, 7, 4, "IdempotencyKeyReused"]
    assert desk.store.calls == ["load", "commit"]


@pytest.mark.parametrize(
    ("default_id", "refusal"),
    [(ids.OTHER_LOCATION, "InsufficientStock"), (None, "NoDefaultLocation")],
    ids=["changed", "dropped"],
)
def test_a_request_for_a_changed_default_location_is_decided_there(default_id: UUID | None, refusal: str) -> None:
    desk = a_desk(10)
    desk.store.businesses[ids.BUSINESS] = a_business(default_location_id=default_id)
    unnamed, named = moves(-1, -2)

    results = desk.adjust_all([unnamed, replace(named, location_id=ids.LOCATION)])

    assert in_short(results) == [refusal, 8]
    assert desk.store.calls == ["load", "commit", "find"]
    assert [row.delta for row in rows_at(desk)] == [10, -2]
    assert rows_at(desk, ids.OTHER_LOCATION) == []


def test_a_group_for_the_default_location_follows_it_where_it_changes() -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.CONTENDED)
    desk.store.on_load.extend([Met.OK, lambda: change_default(desk)])

    assert in_short(desk.adjust_all(moves(1, 2))) == [1, 3]
    assert [row.delta for row in rows_at(desk, ids.OTHER_LOCATION)] == [1, 2]


def test_a_replay_is_one_whatever_location_the_others_of_the_group_name() -> None:
    desk = a_desk(10)
    unnamed, named = moves(1, 2)
    desk.adjust(unnamed)
    change_default(desk)

    results = desk.adjust_all([replace(named, location_id=ids.OTHER_LOCATION), unnamed])

    assert in_short(results) == [2, "again"]


def test_a_misuse_is_one_whatever_location_the_others_of_the_group_name() -> None:
    desk = a_desk(10)
    unnamed, named = moves(1, 2)
    desk.adjust(replace(unnamed, location_id=ids.OTHER_LOCATION))

    results = desk.adjust_all([replace(named, location_id=ids.LOCATION), unnamed])

    assert in_short(results) == [12, "IdempotencyKeyReused"]
    assert isinstance(results[1], IdempotencyKeyReused)


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_commit_does_not_begin_without_time_and_nothing_is_written() -> None:
    desk = a_desk(10)
    desk.store.time.deadline_s = desk.store.time.now_s + CALL_BUDGET_S + 1
    desk.store.time.call_s = 2

    assert in_short(desk.adjust_all(moves(-1, -20))) == ["TryAgain"] * 2
    assert desk.store.calls == ["load"]
    assert len(rows_at(desk)) == 1


def test_without_time_after_the_commit_committed_requests_succeed_and_the_rest_is_try_again() -> None:
    desk = a_desk(10)
    desk.store.time.deadline_s = desk.store.time.now_s + CALL_BUDGET_S + 3
    desk.store.time.call_s = 2

    assert in_short(desk.adjust_all(moves(-1, -20))) == [9, "TryAgain"]
    assert desk.store.calls == ["load", "commit"]
    assert min(desk.store.time.left_at_calls_s) >= CALL_BUDGET_S


@pytest.mark.parametrize("met", [Met.LOST, Met.CONTENDED])
def test_a_group_has_the_attempts_of_one_request(met: Met) -> None:
    desk = a_desk(10)
    desk.fraction = 0.0
    desk.store.on_commit.extend([met] * 100)

    results = desk.adjust_all(moves(-1, 2, keyed=False))

    assert in_short(results) == ["TryAgain"] * 2
    assert all(isinstance(each, TryAgain) for each in results)
    assert desk.store.calls.count("commit") == ATTEMPTS_MAX


@pytest.mark.parametrize("change", [-5, -11])
@pytest.mark.parametrize("meets", [[], [Met.LOST], [Met.UNHEARD], [Met.CONTENDED]])
@WITH_KEYS_AND_WITHOUT
def test_a_group_of_one_is_a_request_of_its_own(change: int, meets: list[Met], keyed: bool) -> None:  # noqa: FBT001
    (command,) = moves(change, keyed=keyed)
    alone, together = a_desk(10), a_desk(10)
    for desk in (alone, together):
        desk.store.on_commit.extend(meets)

    (result,) = together.adjust_all([command])
    if change < -10:
        with pytest.raises(InsufficientStock):
            alone.adjust(command)
        assert isinstance(result, InsufficientStock)
    else:
        assert result == alone.adjust(command)
    assert together.store.calls == alone.store.calls
    assert together.rows == alone.rows
