"""Requests for any stock items at once: each item's in their order, and what is wrong with one touches no other."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, override

import pytest

from inventory.adjusting.merging import RUN_TIME_MAX_S, Fault, adjust_many
from inventory.domain.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    NoDefaultLocation,
    RejectedBefore,
    TryAgain,
    VariantNotFound,
)
from inventory.domain.model import Group, GroupOutcome, Outcome, Rejection
from inventory.domain.retry_budget import ATTEMPTS_MAX as TRIES_MAX
from inventory.domain.retry_budget import CALL_ATTEMPTS_MAX, CALL_BUDGET_S
from inventory.domain.rules import keyed_id
from inventory.domain.store import GROUP_MAX, CommitResult
from tests.support.builders.domain import a_business, a_command
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_BUSINESS, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.fakes.batch_store import BatchStore, a_batch_store, an_adjuster, budget_of_seconds
from tests.support.fakes.scripted_store import Met, VirtualTime
from tests.support.fakes.store import FakeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from inventory.adjusting.loop import Result
    from inventory.domain.model import Adjustment, Command, ReversalLink, Snapshot

_keys = count()


def asked(quantity_change: int = 1, **changes: object) -> Command:
    return a_command(quantity_change=quantity_change, **{"idempotency_key": f"key-{next(_keys)}"} | changes)


def carried_out(store: BatchStore, *commands: Command | Group) -> list[Result | Fault]:
    """One group after the other."""
    return adjust_many(an_adjuster(store), commands, budget=budget_of_seconds(store), at_once=map)


def kinds(results: Sequence[Result | Fault]) -> list[type]:
    return [type(each) for each in results]


def deltas(store: BatchStore, variant_id: UUID = VARIANT, location_id: UUID = LOCATION) -> list[int]:
    """Of one stock item, in the ledger's order."""
    rows = [row for row in store.ledger.values() if (row.variant_id, row.location_id) == (variant_id, location_id)]
    return [row.delta for row in sorted(rows, key=lambda row: row.sequence)]


def bug() -> None:
    raise RuntimeError("a bug")


# ------------------------------------------------------------------------------------------------------------- groups


def test_no_requests_cause_no_calls() -> None:
    store = a_batch_store()

    assert carried_out(store) == []
    assert store.calls == []


def test_requests_are_grouped_by_stock_item_and_answered_in_their_order() -> None:
    store = a_batch_store()
    places = [(VARIANT, LOCATION), (OTHER_VARIANT, LOCATION), (VARIANT, OTHER_LOCATION)]
    commands = [
        asked(number + 1, variant_id=places[number % 3][0], location_id=places[number % 3][1]) for number in range(12)
    ]

    results = carried_out(store, *commands)

    assert [each.adjustment.delta for each in results if isinstance(each, Outcome)] == list(range(1, 13))
    assert [deltas(store, *place) for place in places] == [[1, 4, 7, 10], [2, 5, 8, 11], [3, 6, 9, 12]]
    assert store.calls == ["load", "commit"] * 3


def test_the_default_location_is_one_stock_item_named_or_not() -> None:
    store = a_batch_store()

    carried_out(store, asked(1), asked(2, location_id=LOCATION), asked(3), asked(4, location_id=LOCATION))

    assert deltas(store) == [1, 2, 3, 4]
    assert store.calls == ["settings", "load", "commit"]


def test_a_request_that_is_refused_is_refused_alone() -> None:
    results = carried_out(a_batch_store(), asked(5), asked(-9), asked(-5), asked(1, variant_id=OTHER_VARIANT))

    assert kinds(results) == [Outcome, InsufficientStock, Outcome, Outcome]


def test_many_requests_for_one_stock_item_take_the_fewest_commits() -> None:
    store = a_batch_store()

    results = carried_out(store, *(asked(location_id=LOCATION) for _ in range(2 * GROUP_MAX + 2)))

    assert kinds(results) == [Outcome] * (2 * GROUP_MAX + 2)
    assert store.calls == ["load", "commit"] * 3


def test_a_transaction_undecided_in_time_does_not_block_the_next() -> None:
    store = a_batch_store()
    store.on_commit.extend([Met.CONTENDED] * TRIES_MAX)

    results = carried_out(store, *(asked(location_id=LOCATION) for _ in range(GROUP_MAX + 2)))

    assert kinds(results) == [TryAgain] * GROUP_MAX + [Outcome] * 2
    assert deltas(store) == [1, 1]


def test_groups_run_in_parallel() -> None:
    """Each load waits until the other group has begun its own: one after the other they would wait for ever."""
    both_begun = threading.Barrier(2, timeout=60)

    class Meeting(BatchStore):
        @override
        def load(self, commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Snapshot:
            both_begun.wait()
            return super().load(commands, recorded_ids, **how)

    plain = a_batch_store()
    store = Meeting(plain.businesses, plain.active_variants, plain.active_locations, time=plain.time)
    commands = [asked(variant_id=VARIANT), asked(variant_id=OTHER_VARIANT)]

    with ThreadPoolExecutor(2) as pool:
        results = adjust_many(an_adjuster(store), commands, budget=budget_of_seconds(store), at_once=pool.map)

    assert kinds(results) == [Outcome, Outcome]


# -------------------------------------------------------------------------------------------------- default locations


def test_a_default_location_is_looked_up_once_a_business_and_only_where_one_is_left_out() -> None:
    store = a_batch_store()

    carried_out(store, *(asked() for _ in range(5)), *(asked(variant_id=OTHER_VARIANT) for _ in range(5)))
    assert store.calls.count("settings") == 1

    carried_out(store, asked(location_id=LOCATION))
    assert store.calls.count("settings") == 1


def test_without_a_default_location_only_requests_that_name_none_are_refused() -> None:
    store = a_batch_store(a_business(default_location_id=None))

    assert kinds(carried_out(store, asked(), asked(location_id=LOCATION), asked())) == [
        NoDefaultLocation,
        Outcome,
        NoDefaultLocation,
    ]


@pytest.mark.parametrize("location_id", [None, LOCATION])
def test_only_requests_of_an_unknown_business_are_rejected(location_id: UUID | None) -> None:
    results = carried_out(a_batch_store(), asked(business_id=OTHER_BUSINESS, location_id=location_id), asked())

    assert kinds(results) == [VariantNotFound, Outcome]


def test_an_unreadable_default_location_fails_only_the_requests_that_need_it() -> None:
    store = a_batch_store()
    store.businesses[OTHER_BUSINESS] = a_business()
    store.active_variants.add((OTHER_BUSINESS, VARIANT))
    store.active_locations.add((OTHER_BUSINESS, LOCATION))
    store.on_settings = deque([Met.LOST] * CALL_ATTEMPTS_MAX)
    other = [asked(business_id=OTHER_BUSINESS), asked(business_id=OTHER_BUSINESS, location_id=LOCATION)]

    results = carried_out(store, *(asked() for _ in range(50)), asked(location_id=LOCATION), *other)

    assert kinds(results) == [TryAgain] * 50 + [Outcome] * 3
    assert store.calls.count("settings") == CALL_ATTEMPTS_MAX + 1, "not once more for each of the fifty"


def test_an_unexpected_fault_of_a_look_up_fails_alone() -> None:
    store = a_batch_store()
    store.on_settings = deque([bug])

    results = carried_out(store, asked(), asked(location_id=LOCATION))

    assert kinds(results) == [Fault, Outcome]


def test_a_default_location_that_changes_after_the_look_up_never_misplaces_stock() -> None:
    store = a_batch_store()
    store.on_load = deque([lambda: store.businesses.update({BUSINESS: a_business(default_location_id=OTHER_LOCATION)})])

    results = carried_out(store, asked(1), asked(2, location_id=LOCATION))

    assert kinds(results) == [Outcome, Outcome]
    assert (deltas(store), deltas(store, location_id=OTHER_LOCATION)) == ([2], [1])


# ------------------------------------------------------------------------------------------------------------- faults


def test_an_unexpected_fault_of_a_group_fails_alone() -> None:
    store = a_batch_store()
    store.on_load = deque([bug] * 3)

    results = carried_out(store, asked(1), asked(2, variant_id=OTHER_VARIANT), asked(3))

    assert kinds(results) == [Fault, Outcome, Fault]
    assert (deltas(store), deltas(store, OTHER_VARIANT)) == ([], [2])


@dataclass
class Spoilt(BatchStore):
    """Where one ledger row can't be read."""

    spoilt: set[UUID] = field(default_factory=set)

    @override
    def load(self, commands: Sequence[Command], recorded_ids: Sequence[UUID] = (), **how: Any) -> Snapshot:
        if self.spoilt & set(recorded_ids):
            raise KeyError("sequence")
        return super().load(commands, recorded_ids, **how)


@pytest.mark.parametrize("place", [0, 7, 98, 99, 120])
def test_one_failing_request_fails_alone_and_the_others_keep_their_order(place: int) -> None:
    plain = a_batch_store()
    store = Spoilt(plain.businesses, plain.active_variants, plain.active_locations, time=plain.time)
    commands = [asked(number + 1, location_id=LOCATION) for number in range(121)]
    spoilt_key = commands[place].idempotency_key
    assert spoilt_key is not None
    store.spoilt = {keyed_id(BUSINESS, spoilt_key)}

    results = carried_out(store, *commands)

    assert [number for number, each in enumerate(results) if isinstance(each, Fault)] == [place]
    assert deltas(store) == [number + 1 for number in range(121) if number != place]


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_no_request_is_rejected_while_a_transaction_with_its_row_is_in_progress(faults: int) -> None:
    store = a_batch_store()
    store.on_commit.append(Met.UNDER_WAY)
    store.on_load = deque([Met.OK, *[bug] * faults])

    results = carried_out(store, asked(10), asked(-10))

    assert kinds(results) == [TryAgain, TryAgain], "alone and from nothing the second one would be refused"
    store.deliver()
    assert deltas(store) == [10, -10]


def test_a_transaction_in_progress_does_not_keep_the_next_from_being_split() -> None:
    store = a_batch_store()
    store.on_commit.append(Met.UNDER_WAY)
    store.on_load = deque([Met.OK, bug, bug])

    results = carried_out(store, *(asked(location_id=LOCATION) for _ in range(GROUP_MAX + 2)))

    assert kinds(results) == [TryAgain] * GROUP_MAX + [Outcome] * 2
    store.deliver()
    assert deltas(store) == [1, 1]


@pytest.mark.parametrize(("count", "commits"), [(49, 1), (50, 2)])
def test_messages_that_were_delivered_before_take_an_operation_more_each(count: int, commits: int) -> None:
    store = a_batch_store()
    again = [asked(1, message_digest=f"{number:064x}") for number in range(count)]

    assert kinds(carried_out(store, *again)) == [Outcome] * count

    assert store.calls.count("commit") == commits


def test_a_message_that_was_rejected_meanwhile_is_not_applied_and_the_others_are() -> None:
    store = a_batch_store()
    store.rejections["rejected"] = Rejection("VariantNotFound", {"code": "variant_not_found"})

    results = carried_out(store, asked(1), asked(2, message_digest="rejected"), asked(4, message_digest="fine"))

    assert kinds(results) == [Outcome, RejectedBefore, Outcome]
    assert deltas(store) == [1, 4]


def test_the_largest_group_of_a_message_leaves_room_for_its_check() -> None:
    store = a_batch_store()
    largest = Group(tuple(asked(1, idempotency_key="k", message_digest="fine") for _ in range(98)))

    assert kinds(carried_out(store, largest)) == [GroupOutcome]
    assert kinds(carried_out(store, largest)) == [GroupOutcome]


def test_a_request_retried_alone_after_it_was_applied_is_not_applied_again() -> None:
    store = a_batch_store()

    def committed_then(
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        FakeStore.commit(store, rows, snapshot, link, message_digests)
        store.commit = BatchStore.commit.__get__(store)  # type: ignore[method-assign]
        raise RuntimeError("a bug")

    store.commit = committed_then  # type: ignore[method-assign]

    results = carried_out(store, asked(1), asked(2), asked(3))

    assert kinds(results) == [Outcome] * 3
    assert deltas(store) == [1, 2, 3]


# --------------------------------------------------------------------------------------------------------------- time


def test_a_contended_group_leaves_time_for_the_later_groups() -> None:
    # Slow enough for the time to run out before the attempts.
    store = a_batch_store(time=VirtualTime(deadline_s=30.0, call_s=0.6))
    store.on_commit = deque([Met.CONTENDED] * 100)
    used_s: list[float] = []

    class OneByOne:
        def __call__[T, R](self, function: Callable[[T], R], values: Iterable[T], /) -> Iterator[R]:
            for value in values:
                before_s = store.time.remaining_s()
                yield function(value)
                used_s.append(before_s - store.time.remaining_s())

    commands = [asked(variant_id=each, location_id=LOCATION) for each in (VARIANT, OTHER_VARIANT)]
    results = adjust_many(an_adjuster(store), commands, budget=budget_of_seconds(store), at_once=OneByOne())

    assert kinds(results) == [TryAgain, TryAgain]
    first_s, second_s = used_s
    assert RUN_TIME_MAX_S - CALL_BUDGET_S <= first_s <= RUN_TIME_MAX_S
    assert second_s > RUN_TIME_MAX_S
    assert store.time.remaining_s() <= CALL_BUDGET_S


def test_no_group_begins_after_the_time_is_over() -> None:
    store = a_batch_store(time=VirtualTime(deadline_s=CALL_BUDGET_S + 3.1, call_s=3.0))

    results = carried_out(store, asked(location_id=LOCATION), asked(variant_id=OTHER_VARIANT, location_id=LOCATION))

    assert kinds(results) == [Outcome, TryAgain]
    assert store.calls == ["load", "commit"]


@pytest.mark.parametrize("remaining_s", [0.0, 2.9])
def test_without_time_no_call_is_made(remaining_s: float) -> None:
    store = a_batch_store(time=VirtualTime(deadline_s=remaining_s))

    assert kinds(carried_out(store, asked(), asked(location_id=LOCATION))) == [TryAgain, TryAgain]
    assert store.calls == []


# ---------------------------------------------------------------------------------------------- groups, SKUs and keys


def a_batch(*lines: Command) -> Group:
    return Group(lines)


def test_groups_and_single_requests_that_share_stock_items_are_one_transaction_in_their_order() -> None:
    store = a_batch_store()
    key = "batch"
    group = a_batch(
        asked(-5, location_id=LOCATION)._replace(idempotency_key=key),
        asked(2, variant_id=OTHER_VARIANT, location_id=LOCATION)._replace(idempotency_key=key),
    )

    results = adjust_many(
        an_adjuster(store),
        [asked(5, location_id=LOCATION), group, asked(-2, variant_id=OTHER_VARIANT, location_id=LOCATION)],
        budget=budget_of_seconds(store),
        at_once=map,
    )

    assert kinds(results) == [Outcome, GroupOutcome, Outcome]
    assert (deltas(store), deltas(store, OTHER_VARIANT)) == ([5, -5], [2, -2])
    assert store.calls == ["load", "commit"]


def test_a_refused_group_refuses_no_other_request() -> None:
    store = a_batch_store()
    group = a_batch(*(asked(change, location_id=LOCATION)._replace(idempotency_key="batch") for change in (1, -100)))

    results = adjust_many(
        an_adjuster(store),
        [asked(5, location_id=LOCATION), group, asked(-5, location_id=LOCATION)],
        budget=budget_of_seconds(store),
        at_once=map,
    )

    assert kinds(results) == [Outcome, InsufficientStock, Outcome]
    assert deltas(store) == [5, -5]


def test_lines_by_sku_and_by_id_of_one_variant_keep_their_order() -> None:
    store = a_batch_store()
    store.skus[BUSINESS, "SKU 7"] = VARIANT
    by_sku = asked(-5, location_id=LOCATION)._replace(variant_id=None, sku="SKU 7")

    results = carried_out(store, asked(5, location_id=LOCATION), by_sku, asked(7, location_id=LOCATION))

    assert kinds(results) == [Outcome] * 3
    assert deltas(store) == [5, -5, 7]
    assert store.calls == ["settings", "load", "commit"]


def test_an_unknown_sku_is_refused_alone() -> None:
    store = a_batch_store()
    unknown = asked(1)._replace(variant_id=None, sku="SKU 7")

    assert kinds(carried_out(store, unknown, asked(1))) == [VariantNotFound, Outcome]


def test_500_lines_under_one_key_are_merged_and_each_has_a_key_of_its_own() -> None:
    store = a_batch_store()
    lines = [asked(1, location_id=LOCATION)._replace(idempotency_key="each", key_line=line) for line in range(500)]

    assert kinds(carried_out(store, *lines)) == [Outcome] * 500
    assert store.calls.count("commit") == 6
    again = carried_out(store, *lines[:7], lines[7]._replace(quantity_change=2), *lines[8:])
    assert kinds(again) == [Outcome] * 7 + [IdempotencyKeyReused] + [Outcome] * 492
    assert deltas(store) == [1] * 500
    (first,) = carried_out(store, lines[0]._replace(key_line=0))
    assert isinstance(first, Outcome)
    assert (first.replayed, first.adjustment.id) == (True, keyed_id(BUSINESS, "each"))


def test_a_request_for_which_a_transaction_has_no_room_left_follows_in_the_next() -> None:
    """The default location changes after the look-up: then the requests are for two stock items."""
    store = a_batch_store()
    store.on_load = deque([lambda: store.businesses.update({BUSINESS: a_business(default_location_id=OTHER_LOCATION)})])
    lines = [asked(1, location_id=LOCATION if number % 2 else None) for number in range(99)]

    assert kinds(carried_out(store, *lines)) == [Outcome] * 99
    assert (len(deltas(store)), len(deltas(store, location_id=OTHER_LOCATION))) == (49, 50)
