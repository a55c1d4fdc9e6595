"""Requests and replies that are lost, late or corrupted: still exactly one row, or none and a clear answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.errors import AlreadyReversed, InsufficientStock, TryAgain, VariantNotFound
from inventory.domain.retry_budget import ATTEMPTS_MAX
from inventory.domain.rules import keyed_id
from inventory.entrypoints.responses import adjustment_members
from inventory.storage.stock_store import CATALOG_LIFETIME_S
from tests.support.faults.proxy import Ending, Fault
from tests.support.faults.scene import DELIVERED, FAULTS, LOOK, READ, UNDELIVERED, WRITE, Scene
from tests.support.harness.emulator import Calls
from tests.support.harness.shop import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment, Command, Outcome

each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
each_undelivered = pytest.mark.parametrize("fault", UNDELIVERED.values(), ids=UNDELIVERED)
each_delivered = pytest.mark.parametrize("fault", DELIVERED.values(), ids=DELIVERED)
with_and_without_a_key = pytest.mark.parametrize("key", [None, "a key"], ids=["no key", "key"])


def once(action: Callable[[], object]) -> Callable[..., None]:
    """Do something once, in place of the first wait between two attempts; later attempts see it done."""
    pending = [action]

    def sleep(_seconds: float = 0) -> None:
        if pending:
            pending.pop()()

    return sleep


def change_of_the_catalog(action: Callable[[], object]) -> dict[str, Any]:
    """Members of a service: between two attempts the catalog changes, and what is cached of it expires."""
    now_s = 1_000_000.0

    def change() -> None:
        nonlocal now_s
        action()
        now_s += CATALOG_LIFETIME_S

    return {"sleep": once(change), "time_s": lambda: now_s}


def deactivate_variant(scene: Scene) -> None:
    shop = scene.shop
    shop.tables.command("deactivate_variant", shop.business_id, variant_id=shop.variant_id)


def assert_replays(scene: Scene, command: Command, outcome: Outcome) -> None:
    """A repetition gets the same body; without a key there is nothing to repeat by."""
    if command.idempotency_key is None:
        return
    again = scene.rival.adjust(command)
    assert again.replayed
    assert again.adjustment == outcome.adjustment
    assert adjustment_members(again.adjustment) == adjustment_members(outcome.adjustment)


# ------------------------------------------------------------------------------------------ one fault, then no more


@each_fault
@with_and_without_a_key
@pytest.mark.parametrize("stock", [0, 10], ids=["first touch", "update of a known state"])
def test_a_broken_write_makes_exactly_one_row(scene: Scene, fault: Fault, key: str | None, stock: int) -> None:
    service = scene.service(fault)
    before = [service.adjust(scene.shop.command(stock)).adjustment] if stock else []
    scene.proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)
    command = scene.shop.command(3, key=key)

    outcome = service.adjust(command)

    assert calls.operations[:2] == ([WRITE, READ] if stock else [READ, READ])
    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert scene.chain() == [*before, outcome.adjustment]
    assert_replays(scene, command, outcome)
    assert outcome.adjustment.quantity_after == stock + 3
    assert len(scene.shop.tables.rows()) == len(before) + 1


@each_fault
@with_and_without_a_key
def test_a_broken_read_makes_exactly_one_row(scene: Scene, fault: Fault, key: str | None) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    scene.proxy.break_nth(READ, fault)
    command = scene.shop.command(-3, key=key, location_id=scene.shop.location_id)

    outcome = scene.service(fault).adjust(command)

    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert scene.chain() == [first, outcome.adjustment]
    assert outcome.adjustment.quantity_after == 7
    assert_replays(scene, command, outcome)


@each_fault
@pytest.mark.parametrize(
    ("key", "operation"), [(None, READ), ("a key", READ), ("a key", LOOK)], ids=["no key", "key", "key, the look"]
)
def test_a_broken_read_leaves_a_refusal_as_it_is(scene: Scene, fault: Fault, key: str | None, operation: str) -> None:
    scene.rival.adjust(scene.shop.command(10))
    before = scene.shop.tables.contents()
    scene.proxy.break_nth(operation, fault)

    with pytest.raises(InsufficientStock) as refusal:
        scene.service(fault).adjust(scene.shop.command(-11, key=key, location_id=scene.shop.location_id))

    assert refusal.value.facts() == {"quantity_on_hand": 10, "quantity_change": -11}
    assert (scene.proxy.counted(operation), scene.proxy.counted(WRITE)) == (2, 0)
    assert scene.shop.tables.contents() == before


@each_fault
@pytest.mark.parametrize(("key", "operation"), [(None, READ), ("a key", LOOK)], ids=["no key", "key"])
def test_a_failed_read_does_not_change_a_rejection_from_cached_state(
    scene: Scene, fault: Fault, key: str | None, operation: str
) -> None:
    service = scene.service(fault)
    service.adjust(scene.shop.command(10))
    before = scene.shop.tables.contents()
    scene.proxy.break_nth(operation, fault)
    calls = Calls(service.client)

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(scene.shop.command(-11, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 10, "quantity_change": -11}
    assert calls.operations == ([READ, READ] if key is None else [LOOK, READ, LOOK])
    assert scene.shop.tables.contents() == before


@each_fault
def test_a_broken_cancellation_leaves_a_replay_from_a_known_state_as_it_is(scene: Scene, fault: Fault) -> None:
    """The reply that is lost or corrupted says that the key's row is there."""
    service = scene.service(fault)
    first = service.adjust(scene.shop.command(10, key="a key"))
    before = scene.shop.tables.contents()
    scene.proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)

    outcome = service.adjust(scene.shop.command(10, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert calls.operations == [WRITE, READ]
    assert scene.late_statuses() == ([] if fault.delivered else [400])
    assert scene.shop.tables.contents() == before


@each_fault
def test_a_broken_read_leaves_a_replay_as_it_is(scene: Scene, fault: Fault) -> None:
    first = scene.rival.adjust(scene.shop.command(10, key="a key"))
    before = scene.shop.tables.contents()
    scene.proxy.break_nth(READ, fault)

    outcome = scene.service(fault).adjust(scene.shop.command(10, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert scene.shop.tables.contents() == before


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_leads_to_one_row(scene: Scene, fault: Fault, key: str | None) -> None:
    """The reply that is lost or corrupted says that the stock item moved."""
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    other = environment(scene.clients.make(), scene.shop.tables)
    service = scene.service(fault)
    moved = []
    scene.before_each_write(service, once(lambda: moved.append(other.adjust(scene.shop.command(-2)).adjustment)))
    scene.proxy.break_nth(WRITE, fault)
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert not outcome.replayed
    assert scene.chain() == [first, *moved, outcome.adjustment]
    assert outcome.adjustment.quantity_after == 5
    assert_replays(scene, command, outcome)


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_of_a_stale_state_leads_to_one_row(scene: Scene, fault: Fault, key: str | None) -> None:
    """The stock item moved before the request came: what the environment has cached is out of date."""
    service = scene.service(fault)
    first = service.adjust(scene.shop.command(10)).adjustment
    moved = scene.rival.adjust(scene.shop.command(-2)).adjustment
    scene.proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert calls.operations == [WRITE, READ, WRITE]
    assert scene.late_statuses() == ([] if fault.delivered else [400])
    assert scene.chain() == [first, moved, outcome.adjustment]
    assert_replays(scene, command, outcome)


# ------------------------------------------------------------------- the stock is gone when the request looks again


@each_delivered
@with_and_without_a_key
def test_a_write_that_was_applied_stands_though_the_stock_is_gone_since(
    scene: Scene, fault: Fault, key: str | None
) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    drained = []
    drain = once(lambda: drained.append(scene.rival.adjust(scene.shop.command(-7)).adjustment))
    service = scene.service(fault, sleep=drain)
    scene.proxy.break_nth(WRITE, fault)
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.adjustment.sequence, outcome.adjustment.quantity_after) == (False, 2, 7)
    assert scene.chain() == [first, outcome.adjustment, *drained]
    assert_replays(scene, command, outcome)


@each_undelivered
@with_and_without_a_key
def test_a_write_that_was_never_applied_is_refused_when_the_stock_is_gone_and_leaves_its_key_free(
    scene: Scene, fault: Fault, key: str | None
) -> None:
    scene.rival.adjust(scene.shop.command(10))
    drain = once(lambda: scene.rival.adjust(scene.shop.command(-8)))
    service = scene.service(fault, sleep=drain)
    scene.proxy.break_nth(WRITE, fault)

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(scene.shop.command(-3, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 2, "quantity_change": -3}
    assert scene.deltas() == [10, -8]
    late = scene.proxy.deliver_late()
    assert [reply.status for reply in late] == [400], "a final refusal holds even when the write arrives at last"
    scene.rival.adjust(scene.shop.command(+1))
    assert not scene.rival.adjust(scene.shop.command(-3, key=key)).replayed
    assert scene.deltas() == [10, -8, 1, -3]


# ---------------------------------------------------------------------------------------------- a write that is late


@each_undelivered
@with_and_without_a_key
def test_a_write_that_arrives_after_its_repetition_changes_nothing(scene: Scene, fault: Fault, key: str | None) -> None:
    scene.rival.adjust(scene.shop.command(10))
    scene.proxy.break_nth(WRITE, fault)
    outcome = scene.service(fault).adjust(scene.shop.command(-3, key=key))
    before = scene.shop.tables.contents()

    late = scene.proxy.deliver_late()

    assert [reply.status for reply in late] == [400]
    assert scene.shop.tables.contents() == before
    assert scene.chain()[-1] == outcome.adjustment


@with_and_without_a_key
def test_a_write_that_arrives_before_its_repetition_looks_is_taken_as_its_own(scene: Scene, key: str | None) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    service = scene.service(sleep=once(scene.proxy.deliver_late))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert scene.proxy.counted(WRITE) == 1, "the one that was late"
    assert scene.chain() == [first, outcome.adjustment]
    assert_replays(scene, command, outcome)


@with_and_without_a_key
def test_a_write_that_arrives_between_look_and_write_of_its_repetition_is_taken_as_its_own(
    scene: Scene, key: str | None
) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    service = scene.service()
    calls = Calls(service.client)
    late: list[int] = []
    scene.before_each_write(service, lambda: late.extend(scene.late_statuses()))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert late == [200]
    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert calls.cancellations == [["ConditionalCheckFailed", "ConditionalCheckFailed"]]
    assert scene.chain() == [first, outcome.adjustment]
    assert_replays(scene, command, outcome)


@with_and_without_a_key
def test_a_late_write_and_a_lost_acknowledgement_in_one_request_make_one_row(scene: Scene, key: str | None) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    service = scene.service(sleep=once(lambda: scene.proxy.break_nth(WRITE, DELIVERED["acknowledgement lost"])))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = scene.shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert scene.late_statuses() == [400]
    assert (outcome.replayed, outcome.attempts) == (False, 3)
    assert scene.chain() == [first, outcome.adjustment]
    assert_replays(scene, command, outcome)


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_could_still_be_applied(scene: Scene, key: str | None) -> None:
    """The variant is deactivated, so the second attempt refuses; but the stock is still as the first attempt saw it."""
    scene.rival.adjust(scene.shop.command(10))
    service = scene.service(**change_of_the_catalog(lambda: deactivate_variant(scene)))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(scene.shop.command(-3, key=key))

    assert len(scene.shop.rows()) == 1
    assert scene.late_statuses() == [200]
    assert scene.deltas() == [10, -3]
    if key is not None:
        assert scene.rival.adjust(scene.shop.command(-3, key=key)).replayed


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_could_still_be_applied_at_the_former_default_location(
    scene: Scene, key: str | None
) -> None:
    """The second attempt decides from another stock item, which says nothing about the first attempt's."""
    scene.rival.adjust(scene.shop.command(10))

    def change_the_default_location() -> None:
        scene.shop.tables.command(
            "register_location",
            scene.shop.business_id,
            location_id=scene.shop.other_location_id,
            name="New",
            default=True,
        )
        for _ in range(3):
            scene.rival.adjust(scene.shop.command(1, location_id=scene.shop.other_location_id))

    service = scene.service(**change_of_the_catalog(change_the_default_location))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(scene.shop.command(-5, key=key))

    assert scene.late_statuses() == [200]
    assert scene.deltas() == [10, -5]


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_from_a_known_state_could_still_be_applied(
    scene: Scene, key: str | None
) -> None:
    """The write began without a read, from the state that is still the current one."""
    service = scene.service(**change_of_the_catalog(lambda: deactivate_variant(scene)))
    service.adjust(scene.shop.command(10))
    calls = Calls(service.client)
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(scene.shop.command(-3, key=key))

    assert calls.operations[:2] == [WRITE, READ]
    assert len(scene.shop.rows()) == 1
    assert scene.late_statuses() == [200]
    assert scene.deltas() == [10, -3]


@with_and_without_a_key
def test_a_refusal_is_final_where_the_late_write_was_from_a_stale_state(scene: Scene, key: str | None) -> None:
    service = scene.service()
    service.adjust(scene.shop.command(10))
    scene.rival.adjust(scene.shop.command(-8))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(scene.shop.command(-3, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 2, "quantity_change": -3}
    assert scene.late_statuses() == [400]
    assert scene.deltas() == [10, -8]


@with_and_without_a_key
def test_a_refusal_is_final_once_the_stock_item_has_moved_past_the_late_write(scene: Scene, key: str | None) -> None:
    scene.rival.adjust(scene.shop.command(10))

    def move_and_deactivate() -> None:
        scene.rival.adjust(scene.shop.command(1))
        deactivate_variant(scene)

    service = scene.service(**change_of_the_catalog(move_and_deactivate))
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(VariantNotFound):
        service.adjust(scene.shop.command(-3, key=key))

    assert scene.late_statuses() == [400]
    assert scene.deltas() == [10, 1]


# ------------------------------------------------------------------------------------------- a fault that stays

QUICK = {name: fault for name, fault in FAULTS.items() if fault.ending is not Ending.STALLED}


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
def test_reads_that_keep_failing_end_in_try_again_and_write_nothing(scene: Scene, fault: Fault) -> None:
    scene.rival.adjust(scene.shop.command(10))
    before = scene.shop.tables.contents()
    scene.proxy.break_every(READ, fault)
    command = scene.shop.command(-3, key="a key", location_id=scene.shop.location_id)
    service = scene.service(fault)

    with pytest.raises(TryAgain):
        service.adjust(command)

    assert (scene.proxy.counted(READ), scene.proxy.counted(WRITE)) == (ATTEMPTS_MAX, 0)
    assert scene.shop.tables.contents() == before
    scene.proxy.mend()
    assert not service.adjust(command).replayed


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
def test_reads_before_a_rejection_that_keep_failing_end_in_try_again(scene: Scene, fault: Fault) -> None:
    scene.rival.adjust(scene.shop.command(10))
    before = scene.shop.tables.contents()
    scene.proxy.break_every(LOOK, fault)
    command = scene.shop.command(-11, key="a key", location_id=scene.shop.location_id)
    service = scene.service(fault)

    with pytest.raises(TryAgain):
        service.adjust(command)

    counted = [scene.proxy.counted(operation) for operation in (READ, LOOK, WRITE)]
    assert counted == [ATTEMPTS_MAX, ATTEMPTS_MAX, 0]
    assert scene.shop.tables.contents() == before
    scene.proxy.mend()
    with pytest.raises(InsufficientStock):
        service.adjust(command)


@pytest.mark.parametrize("name", sorted(QUICK.keys() & UNDELIVERED.keys()))
def test_writes_that_never_arrive_end_in_try_again_and_a_repetition_makes_the_one_row(scene: Scene, name: str) -> None:
    first = scene.rival.adjust(scene.shop.command(10)).adjustment
    scene.proxy.break_every(WRITE, FAULTS[name])
    command = scene.shop.command(-3, key="a key")
    service = scene.service(FAULTS[name])

    with pytest.raises(TryAgain):
        service.adjust(command)

    assert scene.shop.rows() == [first]
    assert scene.proxy.counted(WRITE) == ATTEMPTS_MAX
    scene.proxy.mend()
    outcome = service.adjust(command)
    late = scene.proxy.deliver_late()
    assert not outcome.replayed
    assert {reply.status for reply in late} == {400}
    assert len(late) == ATTEMPTS_MAX
    assert scene.chain() == [first, outcome.adjustment]


@with_and_without_a_key
@pytest.mark.parametrize("name", sorted(QUICK.keys() & DELIVERED.keys()))
def test_a_write_of_unknown_outcome_ends_in_try_again_and_is_applied_once(
    scene: Scene, name: str, key: str | None
) -> None:
    scene.rival.adjust(scene.shop.command(10))
    service = scene.service(FAULTS[name], sleep=once(lambda: scene.proxy.break_every(READ, FAULTS[name])))
    scene.proxy.break_nth(WRITE, FAULTS[name])
    command = scene.shop.command(-3, key=key)

    with pytest.raises(TryAgain):
        service.adjust(command)

    chain = scene.chain()
    assert [row.delta for row in chain] == [10, -3]
    if key is not None:
        again = scene.rival.adjust(command)
        assert (again.replayed, again.adjustment) == (True, chain[-1])
        assert again.adjustment.id == keyed_id(scene.shop.business_id, key)


# ------------------------------------------------------------------------------------------- calls and their tokens


def test_no_attempt_of_the_write_has_a_token(scene: Scene) -> None:
    """With an earlier one the database would answer for that attempt, or refuse a row that was decided again."""
    service = scene.service(sleep=once(lambda: scene.proxy.break_nth(WRITE, UNDELIVERED["throttled"])))
    scene.proxy.break_nth(WRITE, UNDELIVERED["500 before delivery"])

    outcome = service.adjust(scene.shop.command(3, key="a key"))

    writes = [request.members for request in scene.proxy.requests if request.operation == WRITE]
    assert outcome.attempts == len(writes) == 3
    assert all("ClientRequestToken" not in members for members in writes)


@each_fault
@pytest.mark.parametrize("operation", [READ, LOOK, WRITE])
def test_a_call_is_one_request_because_the_sdk_retries_nothing(scene: Scene, operation: str, fault: Fault) -> None:
    service = scene.service(fault)
    calls = Calls(service.client)
    scene.proxy.break_nth(operation, fault)

    service.adjust(scene.shop.command(3, key="a key"))
    with pytest.raises(InsufficientStock):
        service.adjust(scene.shop.command(-4, key="another"))

    assert set(calls.operations) == {READ, LOOK, WRITE}
    assert [request.operation for request in scene.proxy.requests] == calls.operations


# --------------------------------------------------------------------------------------------------------- reversals


@pytest.fixture
def opening(scene: Scene) -> Adjustment:
    """The one adjustment so far; there are fifteen in stock after another one."""
    row = scene.rival.adjust(scene.shop.command(5)).adjustment
    scene.rival.adjust(scene.shop.command(10))
    return row


def assert_reversed_once(scene: Scene, row: Adjustment, outcome: Outcome) -> None:
    """The outcome is the one row that reverses this one, and the link says so."""
    assert scene.chain()[2:] == [outcome.adjustment]
    assert (outcome.adjustment.reverses, outcome.adjustment.delta) == (row.id, -row.delta)
    assert scene.shop.tables.reversed_by(row) == str(outcome.adjustment.id)


@each_fault
@with_and_without_a_key
def test_a_broken_write_makes_exactly_one_reversal_and_never_already_reversed(
    scene: Scene, opening: Adjustment, fault: Fault, key: str | None
) -> None:
    scene.proxy.break_nth(WRITE, fault)
    reversal = scene.shop.reversal(opening, key=key)

    outcome = scene.service(fault).reverse(reversal)

    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert_reversed_once(scene, opening, outcome)
    if key is None:
        with pytest.raises(AlreadyReversed):
            scene.rival.reverse(reversal)
    else:
        assert scene.rival.reverse(reversal).replayed
    scene.proxy.deliver_late()
    assert_reversed_once(scene, opening, outcome)


@with_and_without_a_key
@pytest.mark.parametrize("name", ["closed before delivery", "acknowledgement lost"])
def test_a_broken_write_from_a_known_state_makes_exactly_one_reversal(scene: Scene, name: str, key: str | None) -> None:
    service = scene.service(FAULTS[name])
    opening = service.adjust(scene.shop.command(5)).adjustment
    service.adjust(scene.shop.command(10))
    calls = Calls(service.client)
    scene.proxy.break_nth(WRITE, FAULTS[name])

    outcome = service.reverse(scene.shop.reversal(opening, key=key))

    assert not outcome.replayed
    assert calls.operations[:3] == [LOOK, WRITE, READ]
    scene.proxy.deliver_late()
    assert_reversed_once(scene, opening, outcome)


@each_fault
@with_and_without_a_key
@pytest.mark.parametrize("operation", [LOOK, READ], ids=["of what is reversed", "of the rest"])
def test_a_broken_read_makes_exactly_one_reversal(
    scene: Scene, opening: Adjustment, fault: Fault, key: str | None, operation: str
) -> None:
    scene.proxy.break_nth(operation, fault)

    outcome = scene.service(fault).reverse(scene.shop.reversal(opening, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert_reversed_once(scene, opening, outcome)


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_by_anothers_reversal_leads_to_already_reversed(
    scene: Scene, opening: Adjustment, fault: Fault, key: str | None
) -> None:
    """The reply that is lost or corrupted says that another was faster."""
    service = scene.service(fault)
    others: list[Outcome] = []
    scene.before_each_write(service, once(lambda: others.append(scene.rival.reverse(scene.shop.reversal(opening)))))
    scene.proxy.break_nth(WRITE, fault)

    with pytest.raises(AlreadyReversed) as refusal:
        service.reverse(scene.shop.reversal(opening, key=key))

    assert refusal.value.reversed_by == others[0].adjustment.id
    assert {reply.status for reply in scene.proxy.deliver_late()} <= {400}, "a final refusal holds"
    assert_reversed_once(scene, opening, others[0])


@with_and_without_a_key
@pytest.mark.parametrize("moment", ["before its repetition looks", "between look and write of its repetition"])
def test_a_reversal_that_arrives_late_is_taken_as_the_requests_own(
    scene: Scene, opening: Adjustment, key: str | None, moment: str
) -> None:
    looks = moment.startswith("before")
    service = scene.service(sleep=once(scene.proxy.deliver_late) if looks else None)
    if not looks:
        scene.before_each_write(service, scene.proxy.deliver_late)
    scene.proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    outcome = service.reverse(scene.shop.reversal(opening, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert scene.proxy.counted(WRITE) == (1 if looks else 2)
    assert_reversed_once(scene, opening, outcome)


@each_delivered
@with_and_without_a_key
def test_a_reversal_that_was_applied_stands_though_it_was_itself_reversed_since(
    scene: Scene, opening: Adjustment, fault: Fault, key: str | None
) -> None:
    def reverse_the_reversal() -> None:
        (made,) = [row for row in scene.shop.rows() if row.reverses is not None]
        scene.rival.reverse(scene.shop.reversal(made))

    service = scene.service(fault, sleep=once(reverse_the_reversal))
    scene.proxy.break_nth(WRITE, fault)

    outcome = service.reverse(scene.shop.reversal(opening, key=key))

    assert not outcome.replayed
    assert outcome.adjustment.reverses == opening.id
    assert scene.deltas() == [5, 10, -5, 5]


@with_and_without_a_key
def test_a_reversal_of_unknown_outcome_ends_in_try_again_and_is_applied_once(
    scene: Scene, opening: Adjustment, key: str | None
) -> None:
    fault = DELIVERED["acknowledgement lost"]
    service = scene.service(fault, sleep=once(lambda: scene.proxy.break_every(READ, fault)))
    scene.proxy.break_nth(WRITE, fault)
    reversal = scene.shop.reversal(opening, key=key)

    with pytest.raises(TryAgain):
        service.reverse(reversal)

    (made,) = scene.chain()[2:]
    if key is None:
        with pytest.raises(AlreadyReversed) as refusal:
            scene.rival.reverse(reversal)
        assert refusal.value.reversed_by == made.id
    else:
        again = scene.rival.reverse(reversal)
        assert (again.replayed, again.adjustment) == (True, made)


@pytest.mark.parametrize("operation", [LOOK, READ], ids=["of what is reversed", "of the rest"])
def test_reads_of_a_reversal_that_stay_broken_end_in_try_again_and_write_nothing(
    scene: Scene, opening: Adjustment, operation: str
) -> None:
    before = scene.shop.tables.contents()
    scene.proxy.break_every(operation, UNDELIVERED["throttled"])

    with pytest.raises(TryAgain):
        scene.service(UNDELIVERED["throttled"]).reverse(scene.shop.reversal(opening))

    assert (scene.proxy.counted(operation), scene.proxy.counted(WRITE)) == (ATTEMPTS_MAX, 0)
    assert scene.shop.tables.contents() == before
