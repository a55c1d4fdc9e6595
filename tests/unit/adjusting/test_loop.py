"""Load, decide, commit, and again: what a request meets on its way, and when an answer is final."""

from __future__ import annotations

from copy import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    LocationNotFound,
    ServiceError,
    StaleQuantity,
    TryAgain,
    VariantNotFound,
)
from inventory.domain.model import Command
from inventory.domain.retry_budget import (
    ATTEMPTS_MAX,
    BACKOFF_BASE_S,
    BACKOFF_CAP_S,
    CALL_BUDGET_S,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
)
from inventory.domain.rules import RowIdentity, keyed_id, same_request
from tests.support.builders.domain import a_business, a_command, an_adjustment
from tests.support.builders.ids import (
    ADJUSTMENT,
    BUSINESS,
    LOCATION,
    NOW,
    OTHER_BUSINESS,
    OTHER_LOCATION,
    OTHER_VARIANT,
)
from tests.support.fakes.scripted_store import Desk, Met, a_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.domain.model import Adjustment, ReversalLink, Snapshot
    from inventory.domain.store import CommitResult

TAKE_ALL = a_command(quantity_change=-10, reason="sold", idempotency_key="key")
UNKEYED = replace(TAKE_ALL, idempotency_key=None)
BY_ANOTHER = a_command(quantity_change=-4, reason="by another")


def rows_of(desk: Desk, command: Command) -> int:
    return [row.reason for row in desk.rows].count(command.reason)


def bug() -> None:
    raise RuntimeError("a bug")


# --- the plain way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_request_takes_one_load_and_one_commit(command: Command) -> None:
    desk = a_desk(10)

    outcome = desk.adjust(command)

    assert desk.store.calls == ["load", "commit"]
    assert (outcome.replayed, outcome.attempts) == (False, 1)
    assert desk.rows[-1] == outcome.adjustment
    assert desk.quantity == 0


def test_a_keyed_adjustment_has_the_id_of_its_key_and_an_unkeyed_one_a_fresh_id() -> None:
    desk = a_desk(20)

    assert desk.adjust(TAKE_ALL).adjustment.id == keyed_id(BUSINESS, "key")
    assert desk.adjust(UNKEYED).adjustment.id == UUID(int=2, version=4)


@pytest.mark.parametrize(
    ("key", "pinned"),
    [("key", "f134b588-4346-8f7c-8ecb-1dcfb0033f0b"), ("key 1368", "cbb7726a-0c92-8052-800d-0c6eae9e4a89")],
)
def test_the_id_of_a_key_never_changes(key: str, pinned: str) -> None:
    """Pinned: every adjustment under a key is found by it for as long as the ledger."""
    made = keyed_id(BUSINESS, key)

    assert str(made) == pinned
    assert (made.version, made.variant) == (8, "specified in RFC 4122")


def test_a_key_gives_another_id_in_another_business() -> None:
    assert keyed_id(BUSINESS, "key") != keyed_id(OTHER_BUSINESS, "key")
    assert keyed_id(BUSINESS, "key") != keyed_id(BUSINESS, "Key")


@pytest.mark.parametrize(
    ("refusal", "change"),
    [
        (InsufficientStock, {"quantity_change": -11}),
        (StaleQuantity, {"expected_quantity": 9}),
        (VariantNotFound, {"variant_id": ADJUSTMENT}),
        (LocationNotFound, {"location_id": ADJUSTMENT}),
    ],
)
@pytest.mark.parametrize("key", [None, "key"])
def test_a_refusal_writes_nothing(refusal: type[ServiceError], change: dict[str, Any], key: str | None) -> None:
    desk = a_desk(10)

    with pytest.raises(refusal):
        desk.adjust(replace(a_command(idempotency_key=key), **change))

    assert "commit" not in desk.store.calls
    assert len(desk.rows) == 1


def test_only_a_keyed_request_reads_the_ledger_before_a_rejection() -> None:
    desk = a_desk(1)

    for command in (UNKEYED, TAKE_ALL):
        with pytest.raises(InsufficientStock):
            desk.adjust(command)

    assert desk.store.calls == ["load", "load", "find"]


# --- replays ---------------------------------------------------------------------------------------------------------


def deactivate_variant(desk: Desk) -> None:
    desk.store.active_variants.clear()


def deactivate_location(desk: Desk) -> None:
    desk.store.active_locations.clear()


def change_default(desk: Desk) -> None:
    desk.store.businesses[BUSINESS] = a_business(default_location_id=OTHER_LOCATION)


def drop_default(desk: Desk) -> None:
    desk.store.businesses[BUSINESS] = a_business(default_location_id=None)


def drop_business(desk: Desk) -> None:
    desk.store.businesses.clear()


def use_up_the_stock(desk: Desk) -> None:
    assert desk.quantity == 0


HAPPENINGS = [use_up_the_stock, deactivate_variant, deactivate_location, change_default, drop_default, drop_business]


@pytest.mark.parametrize("location_id", [None, LOCATION])
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_a_replay_is_the_first_answer_after_later_changes(
    happening: Callable[[Desk], None], location_id: UUID | None
) -> None:
    desk = a_desk(10)
    command = replace(TAKE_ALL, location_id=location_id)
    first = desk.adjust(command)
    happening(desk)
    desk.store.calls.clear()

    again = desk.adjust(command)

    assert again == replace(first, replayed=True)
    assert desk.store.calls == ["load"]
    assert rows_of(desk, command) == 1


@pytest.mark.parametrize("happening", [use_up_the_stock, change_default, drop_default])
@pytest.mark.parametrize("location_id", [None, LOCATION])
def test_repeating_a_named_or_omitted_location_is_one_request_after_the_default_changes(
    happening: Callable[[Desk], None], location_id: UUID | None
) -> None:
    desk = a_desk(10)
    desk.adjust(replace(TAKE_ALL, location_id=location_id))
    happening(desk)

    assert desk.adjust(replace(TAKE_ALL, location_id=location_id)).replayed


@pytest.mark.parametrize("happening", [use_up_the_stock, change_default])
@pytest.mark.parametrize(("first", "second"), [(None, LOCATION), (LOCATION, None), (None, OTHER_LOCATION)])
def test_naming_the_default_location_is_another_request_than_leaving_it_out(
    happening: Callable[[Desk], None], first: UUID | None, second: UUID | None
) -> None:
    desk = a_desk(10)
    desk.adjust(replace(TAKE_ALL, location_id=first))
    happening(desk)

    with pytest.raises(IdempotencyKeyReused):
        desk.adjust(replace(TAKE_ALL, location_id=second))


CHANGES: list[dict[str, Any]] = [
    {"variant_id": OTHER_VARIANT},
    {"quantity_change": 4},
    {"quantity_change": -5},
    {"reason": "restock "},
    {"location_id": OTHER_LOCATION},
    {"reason_code": "found"},
    {"reference": "count 7"},
    {"expected_quantity": 0},
    {"occurred_at": NOW},
    {"sku": "SKU 7", "variant_id": None},
    {"kind": "count", "counted_quantity": 5, "quantity_change": None},
    {"kind": "count", "counted_quantity": 5, "counted_at": NOW, "quantity_change": None},
]
ASIDE = {"business_id", "actor", "idempotency_key", "key_line", "message_digest", "reverses"}
"""What a request is not compared by: whose, who sends it and how, its key; and what makes it a reversal, see below."""


def test_every_field_that_a_request_is_compared_by_is_changed() -> None:
    assert {name for change in CHANGES for name in change} == set(Command._fields) - ASIDE


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_key_names_one_request_and_every_field_counts(change: dict[str, Any]) -> None:
    desk = a_desk()
    first = a_command(idempotency_key="key")
    desk.adjust(first)

    with pytest.raises(IdempotencyKeyReused) as refusal:
        desk.adjust(replace(first, **change))

    assert refusal.value.key == "key"
    assert len(desk.rows) == 1


def test_another_actor_may_repeat_a_request() -> None:
    desk = a_desk()
    first = desk.adjust(a_command(idempotency_key="key"))

    again = desk.adjust(a_command(idempotency_key="key", actor="another till"))

    assert (again.adjustment, again.replayed) == (first.adjustment, True)


def test_a_reversal_is_never_the_replay_of_a_creation() -> None:
    identity = RowIdentity(ADJUSTMENT)

    assert same_request(a_command(), an_adjustment(), identity)
    assert not same_request(a_command(), an_adjustment(reverses=ADJUSTMENT), identity)


def test_a_key_is_free_again_after_a_refusal() -> None:
    desk = a_desk(5)
    with pytest.raises(InsufficientStock):
        desk.adjust(TAKE_ALL)
    desk.adjust(a_command())

    assert not desk.adjust(TAKE_ALL).replayed


# --- races -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_after_a_faster_writer_it_decides_again_from_the_returned_state(command: Command) -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(lambda: desk_of(desk).adjust(BY_ANOTHER))

    outcome = desk.adjust(command)

    assert (outcome.adjustment.quantity_after, outcome.attempts) == (6, 2)
    assert desk.store.calls.count("load") == 2  # one of each request: none to learn the fresh state
    assert [row.sequence for row in desk.rows] == [1, 2, 3]


def test_from_the_third_attempt_on_the_state_is_read_again() -> None:
    desk = a_desk(20)
    desk.store.on_commit.extend([lambda: another(desk), Met.OK, lambda: another(desk), Met.OK])
    calls_of_others = ["load", "commit"]

    outcome = desk.adjust(UNKEYED)

    assert outcome.attempts == 3
    assert desk.store.calls == ["load", "commit", *calls_of_others, "commit", *calls_of_others, "load", "commit"]


def another(desk: Desk) -> None:
    desk_of(desk).adjust(replace(BY_ANOTHER, quantity_change=-1, idempotency_key=f"of {len(desk.rows)}"))


def desk_of(desk: Desk) -> Desk:
    """Another environment of the service on the same store."""
    return Desk(desk.store, _ids=1_000)


def test_a_rejection_after_a_faster_writer_names_the_current_quantity() -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(lambda: desk_of(desk).adjust(BY_ANOTHER))

    with pytest.raises(InsufficientStock) as refusal:
        desk.adjust(UNKEYED)

    assert refusal.value.quantity_on_hand == 6


def test_two_concurrent_copies_of_a_request_are_one_adjustment_and_one_replay() -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(lambda: desk_of(desk).adjust(TAKE_ALL))

    outcome = desk.adjust(TAKE_ALL)

    assert outcome.replayed
    assert rows_of(desk, TAKE_ALL) == 1
    assert desk.quantity == 10


def test_two_concurrent_requests_under_one_key_are_one_adjustment_and_one_misuse() -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(lambda: desk_of(desk).adjust(TAKE_ALL))

    with pytest.raises(IdempotencyKeyReused):
        desk.adjust(replace(TAKE_ALL, reason="another"))


def test_a_rejection_reads_the_ledger_again_because_an_earlier_attempt_may_have_been_applied() -> None:
    """The row appears after it was looked for and before the stock is read."""
    desk = a_desk(10)
    torn_load(desk, lambda: desk_of(desk).adjust(TAKE_ALL))

    outcome = desk.adjust(TAKE_ALL)

    assert (outcome.replayed, outcome.adjustment.quantity_after) == (True, 0)
    assert desk.quantity == 0


def torn_load(desk: Desk, between: Callable[[], object]) -> None:
    """Let something happen in the next load, after the ledger was read: a batch of reads is not one moment."""
    load = desk.store.load

    def torn(commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **_: object) -> Any:
        desk.store.load = load  # type: ignore[method-assign]
        before = load(commands, recorded_ids)
        between()
        return replace(load(commands), recorded=before.recorded)

    desk.store.load = torn  # type: ignore[method-assign]


def test_a_row_found_by_that_read_at_a_new_default_location_is_a_replay() -> None:
    desk = a_desk(10)
    change_default(desk)
    row = an_adjustment(
        id=keyed_id(BUSINESS, "key"), location_id=OTHER_LOCATION, location_defaulted=True, delta=-10, reason="sold"
    )
    desk.store.on_find.append(lambda: desk.store.ledger.setdefault((BUSINESS, row.id), row))

    outcome = desk.adjust(TAKE_ALL)

    assert (outcome.replayed, outcome.adjustment) == (True, row)


def test_the_ledger_is_read_again_before_a_misuse_is_rejected() -> None:
    desk = a_desk(10)
    torn_load(desk, lambda: desk_of(desk).adjust(TAKE_ALL))

    with pytest.raises(IdempotencyKeyReused):
        desk.adjust(replace(TAKE_ALL, reason="another"))


def test_contention_is_retried_from_a_fresh_load() -> None:
    desk = a_desk(10)
    desk.store.on_commit.extend([Met.CONTENDED, Met.CONTENDED])

    outcome = desk.adjust(UNKEYED)

    assert outcome.attempts == 3
    assert desk.store.calls == ["load", "commit"] * 3


# --- outcomes that are not known -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize(
    ("met", "calls"), [(Met.UNHEARD, ["load", "commit", "load"]), (Met.LOST, ["load", "commit", "load", "commit"])]
)
def test_a_commit_without_an_answer_leads_to_one_row(command: Command, met: Met, calls: list[str]) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(met)

    outcome = desk.adjust(command)

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert desk.store.calls == calls
    assert rows_of(desk, command) == 1
    assert desk.quantity == 0


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize("moment", ["on_load", "on_commit"])
def test_a_commit_that_is_applied_late_is_applied_once(command: Command, moment: str) -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(Met.UNDER_WAY)
    if moment == "on_load":
        desk.store.on_load.append(Met.OK)
    getattr(desk.store, moment).append(desk.store.deliver)

    outcome = desk.adjust(command)

    assert not outcome.replayed
    assert desk.rows[-1] == outcome.adjustment
    assert rows_of(desk, command) == 1
    assert desk.quantity == 10


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_commit_that_is_applied_after_the_answer_changes_nothing(command: Command) -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(Met.UNDER_WAY)

    desk.adjust(command)
    desk.store.deliver()

    assert rows_of(desk, command) == 1
    assert desk.quantity == 10


def assert_try_again_and_one_row(desk: Desk, command: Command, happening: Callable[[Desk], None]) -> None:
    """Let something happen while the first attempt is in progress, which then succeeds."""
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: happening(desk)])

    with pytest.raises(TryAgain):
        desk.adjust(command)

    desk.store.deliver()
    assert rows_of(desk, command) == 1


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize("happening", [deactivate_variant, deactivate_location, change_default, drop_default])
def test_no_rejection_contradicts_an_attempt_in_progress(command: Command, happening: Callable[[Desk], None]) -> None:
    desk = a_desk(10)
    assert_try_again_and_one_row(desk, command, happening)


def test_stock_of_a_new_default_location_does_not_settle_an_attempt_at_the_old_one() -> None:
    desk = a_desk(10)
    for _ in range(3):
        desk.adjust(a_command(quantity_change=1, location_id=OTHER_LOCATION))

    assert_try_again_and_one_row(desk, TAKE_ALL, change_default)


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize("met", [Met.UNHEARD, Met.UNDER_WAY])
def test_a_fault_after_an_attempt_of_unknown_outcome_is_try_again(met: Met, command: Command) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(met)
    desk.store.on_load.extend([Met.OK, bug])

    with pytest.raises(TryAgain) as raised:
        desk.adjust(command)

    assert isinstance(raised.value.__cause__, RuntimeError), "the cause is kept"
    desk.store.deliver()
    assert rows_of(desk, command) == 1


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_fault_after_an_attempt_that_the_store_refused_is_a_fault(command: Command) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.CONTENDED)
    desk.store.on_load.extend([Met.OK, bug])

    with pytest.raises(RuntimeError):
        desk.adjust(command)

    assert rows_of(desk, command) == 0


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_rejection_is_final_after_the_stock_has_moved_past_the_attempt(command: Command) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: desk_of(desk).adjust(BY_ANOTHER)])

    with pytest.raises(InsufficientStock):
        desk.adjust(command)

    desk.store.deliver()
    assert rows_of(desk, command) == 0


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_a_rejection_is_final_after_another_writer_appended_the_first_row(command: Command) -> None:
    desk = a_desk()
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.extend([Met.OK, lambda: desk_of(desk).adjust(replace(BY_ANOTHER, quantity_change=4))])

    with pytest.raises(StaleQuantity):
        desk.adjust(replace(command, quantity_change=1, expected_quantity=0))

    desk.store.deliver()
    assert rows_of(desk, command) == 0


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_an_answered_attempt_does_not_keep_a_rejection_from_being_final(
    command: Command,
) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.CONTENDED)
    desk.store.on_load.extend([Met.OK, lambda: deactivate_variant(desk)])

    with pytest.raises(VariantNotFound):
        desk.adjust(command)


@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_an_own_attempt_that_emptied_the_stock_is_found_before_a_rejection(command: Command) -> None:
    desk = a_desk(10)
    desk.store.on_commit.append(Met.UNDER_WAY)
    desk.store.on_load.append(Met.OK)
    desk.store.on_load.append(lambda: torn_find(desk))

    outcome = desk.adjust(command)

    assert not outcome.replayed
    assert rows_of(desk, command) == 1


def torn_find(desk: Desk) -> None:
    """Deactivate the variant and let what is under way arrive before the ledger is looked at once more."""
    deactivate_variant(desk)
    desk.store.on_find.append(desk.store.deliver)


def test_another_senders_row_of_the_same_request_is_a_replay_after_a_lost_attempt() -> None:
    desk = a_desk(20)
    desk.store.on_commit.append(Met.LOST)
    desk.store.on_load.extend([Met.OK, lambda: desk_of(desk).adjust(replace(TAKE_ALL, actor="another"))])

    outcome = desk.adjust(TAKE_ALL)

    assert (outcome.replayed, outcome.adjustment.created_by) == (True, "another")


@pytest.mark.parametrize("method", ["on_load", "on_find"])
def test_a_failed_read_is_repeated(method: str) -> None:
    desk = a_desk(1)
    getattr(desk.store, method).append(Met.LOST)

    with pytest.raises(InsufficientStock):
        desk.adjust(TAKE_ALL)

    assert desk.store.calls.count(method.removeprefix("on_")) == 2


def test_an_existing_random_id_is_a_fault_and_no_adjustment() -> None:
    desk = a_desk(10)
    taken = desk.rows[0]

    def another_bears_it(
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        assert (link, message_digests) == (None, [])
        return replace(snapshot, recorded={row.id: taken for row in rows})

    desk.store.commit = another_bears_it  # type: ignore[method-assign]

    with pytest.raises(AssertionError, match=r"^a row has an id that this request drew at random$"):
        desk.adjust(UNKEYED)


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("met", [Met.LOST, Met.CONTENDED], ids=["lost", "contended"])
@pytest.mark.parametrize("command", [TAKE_ALL, UNKEYED], ids=["keyed", "unkeyed"])
def test_the_attempts_of_a_request_are_limited(met: Met, command: Command) -> None:
    desk = a_desk(10)
    desk.fraction = 0.0
    desk.store.on_commit.extend([met] * 1_000)

    with pytest.raises(TryAgain):
        desk.adjust(command)

    assert desk.store.calls.count("commit") == ATTEMPTS_MAX == 32
    assert desk.quantity == 10


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999_999])
@pytest.mark.parametrize("call_s", [0.0, 0.02, CONNECT_TIMEOUT_S + READ_TIMEOUT_S])
@pytest.mark.parametrize("deadline_s", [10.0, CALL_BUDGET_S, CALL_BUDGET_S - 0.001, 0.0])
def test_no_call_begins_that_could_outlast_the_deadline(fraction: float, call_s: float, deadline_s: float) -> None:
    desk = a_desk(10)
    desk.fraction, time = fraction, desk.store.time
    time.now_s, time.call_s, time.deadline_s = 0.0, call_s, deadline_s
    desk.store.on_commit.extend([Met.CONTENDED] * 1_000)

    with pytest.raises(TryAgain):
        desk.adjust(TAKE_ALL)

    assert all(left_s >= CALL_BUDGET_S for left_s in time.left_at_calls_s)
    assert time.now_s <= deadline_s or desk.store.calls == []
    assert (desk.store.calls == []) == (deadline_s < CALL_BUDGET_S)


def test_without_time_for_the_last_ledger_read_nothing_is_rejected() -> None:
    desk = a_desk(1)
    desk.store.time.deadline_s = desk.store.time.now_s + CALL_BUDGET_S + 1
    desk.store.time.call_s = 2

    with pytest.raises(TryAgain):
        desk.adjust(TAKE_ALL)

    assert desk.store.calls == ["load"]


def test_the_budget_of_a_call_covers_its_time_outs() -> None:
    assert CONNECT_TIMEOUT_S + READ_TIMEOUT_S < CALL_BUDGET_S


def test_the_pauses_double_and_are_capped() -> None:
    desk = a_desk(10)
    desk.fraction = 1.0
    desk.store.time.deadline_s = 1_000_000
    desk.store.on_commit.extend([Met.CONTENDED] * 1_000)

    with pytest.raises(TryAgain):
        desk.adjust(UNKEYED)

    pauses_s = desk.store.time.pauses_s
    assert pauses_s[:6] == pytest.approx([BACKOFF_BASE_S * 2**power for power in range(5)] + [BACKOFF_CAP_S])
    assert all(first <= second <= BACKOFF_CAP_S for first, second in pairwise(pauses_s))
    assert len(pauses_s) == ATTEMPTS_MAX - 1


def test_the_pauses_are_a_random_part_of_the_longest() -> None:
    desk = a_desk(10)
    desk.fraction = 0.25
    desk.store.on_commit.append(Met.CONTENDED)

    desk.adjust(UNKEYED)

    assert desk.store.time.pauses_s == pytest.approx([0.25 * BACKOFF_BASE_S])


def test_without_a_race_there_is_no_wait() -> None:
    desk = a_desk(10)

    desk.adjust(TAKE_ALL)

    assert desk.store.time.pauses_s == []
