"""Requests and replies that are lost, late or bent on their way: still exactly one row, or none and a clear answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from inventory.domain.errors import AlreadyReversed, InsufficientStock, TryAgain, VariantNotFound
from inventory.domain.retry_budget import ATTEMPTS_MAX
from inventory.domain.rules import keyed_id
from inventory.entrypoints.responses import adjustment_members
from inventory.storage.stock_store import CATALOG_LIFETIME_S
from tests.support.builders.values import a_write_token
from tests.support.faults.proxy import Ending, Fault, FaultsProxy
from tests.support.harness.emulator import Calls
from tests.support.harness.ledger_invariants import assert_adds_up
from tests.support.harness.shop import Environment, Shop, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment, Command, Outcome
    from tests.support.harness.emulated_tables import Tables
    from tests.support.harness.emulator import Clients

READ, LOOK, WRITE = "BatchGetItem", "TransactGetItems", "TransactWriteItems"
SHORT_READ_TIMEOUT_S = 0.25

UNDELIVERED = {
    "closed before delivery": Fault(Ending.CLOSED, delivered=False),
    "reset before delivery": Fault(Ending.RESET, delivered=False),
    "stalled before delivery": Fault(Ending.STALLED, delivered=False),
    "throttled": Fault(Ending.THROTTLED, delivered=False),
    "500 before delivery": Fault(Ending.INTERNAL_ERROR, delivered=False),
    "503 before delivery": Fault(Ending.UNAVAILABLE, delivered=False),
}
DELIVERED = {
    "acknowledgement lost": Fault(Ending.CLOSED, delivered=True),
    "reset instead of a reply": Fault(Ending.RESET, delivered=True),
    "reply stalled": Fault(Ending.STALLED, delivered=True),
    "reply cut off": Fault(Ending.TRUNCATED, delivered=True),
    "reply bent": Fault(Ending.BENT, delivered=True),
    "reply is an empty object": Fault(Ending.EMPTY_OBJECT, delivered=True),
    "reply has no body": Fault(Ending.EMPTY_BODY, delivered=True),
    "500 instead of a reply": Fault(Ending.INTERNAL_ERROR, delivered=True),
    "503 instead of a reply": Fault(Ending.UNAVAILABLE, delivered=True),
}
FAULTS = UNDELIVERED | DELIVERED

each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
each_undelivered = pytest.mark.parametrize("fault", UNDELIVERED.values(), ids=UNDELIVERED)
each_delivered = pytest.mark.parametrize("fault", DELIVERED.values(), ids=DELIVERED)
with_and_without_a_key = pytest.mark.parametrize("key", [None, "a key"], ids=["no key", "key"])


@pytest.fixture
def behind_proxy(clients: Clients, proxy: FaultsProxy, tables: Tables) -> Callable[[Fault], Environment]:
    """Makes an environment whose every byte passes the proxy; it is impatient only where a fault needs that."""

    def make(fault: Fault) -> Environment:
        impatience_s = SHORT_READ_TIMEOUT_S if fault.ending is Ending.STALLED else None
        return environment(clients.make(proxy.endpoint_url, read_timeout_s=impatience_s), tables)

    return make


@pytest.fixture
def rival(clients: Clients, tables: Tables) -> Environment:
    """Another environment of the service, on a good connection."""
    return environment(clients.make(), tables)


def once(action: Callable[[], object]) -> Callable[[float], None]:
    """Instead of the first wait between two tries, do something; the tries that follow see it done."""
    pending = [action]

    def sleep(_seconds: float) -> None:
        if pending:
            pending.pop()()

    return sleep


def assert_replays(rival: Environment, command: Command, outcome: Outcome) -> None:
    """A repetition gets the same body; without a key there is nothing to repeat by."""
    if command.idempotency_key is None:
        return
    again = rival.adjust(command)
    assert again.replayed
    assert again.adjustment == outcome.adjustment
    assert adjustment_members(again.adjustment) == adjustment_members(outcome.adjustment)


# ------------------------------------------------------------------------------------------ one fault, then no more


@each_fault
@with_and_without_a_key
@pytest.mark.parametrize("stock", [0, 10], ids=["first touch", "update of a known state"])
def test_a_broken_write_makes_exactly_one_row(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
    stock: int,
) -> None:
    service = behind_proxy(fault)
    before = [service.adjust(shop.command(stock)).adjustment] if stock else []
    proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)
    command = shop.command(3, key=key)

    outcome = service.adjust(command)

    assert calls.operations[:2] == ([WRITE, READ] if stock else [READ, READ])
    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert assert_adds_up(shop.rows(), shop.stock()) == [*before, outcome.adjustment]
    assert_replays(rival, command, outcome)
    assert outcome.adjustment.quantity_after == stock + 3
    assert len(shop.tables.rows()) == len(before) + 1


@each_fault
@with_and_without_a_key
def test_a_broken_read_makes_exactly_one_row(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    proxy.break_nth(READ, fault)
    command = shop.command(-3, key=key, location_id=shop.location_id)

    outcome = behind_proxy(fault).adjust(command)

    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]
    assert outcome.adjustment.quantity_after == 7
    assert_replays(rival, command, outcome)


@each_fault
@pytest.mark.parametrize(
    ("key", "operation"), [(None, READ), ("a key", READ), ("a key", LOOK)], ids=["no key", "key", "key, the look"]
)
def test_a_broken_read_leaves_a_refusal_as_it_is(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
    operation: str,
) -> None:
    rival.adjust(shop.command(10))
    before = shop.tables.contents()
    proxy.break_nth(operation, fault)

    with pytest.raises(InsufficientStock) as refusal:
        behind_proxy(fault).adjust(shop.command(-11, key=key, location_id=shop.location_id))

    assert refusal.value.facts() == {"quantity_on_hand": 10, "quantity_change": -11}
    assert (proxy.counted(operation), proxy.counted(WRITE)) == (2, 0)
    assert shop.tables.contents() == before


@each_fault
@pytest.mark.parametrize(("key", "operation"), [(None, READ), ("a key", LOOK)], ids=["no key", "key"])
def test_a_broken_read_of_what_a_known_state_would_refuse_leaves_the_refusal_as_it_is(
    behind_proxy: Callable[[Fault], Environment],
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
    operation: str,
) -> None:
    service = behind_proxy(fault)
    service.adjust(shop.command(10))
    before = shop.tables.contents()
    proxy.break_nth(operation, fault)
    calls = Calls(service.client)

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(shop.command(-11, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 10, "quantity_change": -11}
    assert calls.operations == ([READ, READ] if key is None else [LOOK, READ, LOOK])
    assert shop.tables.contents() == before


@each_fault
def test_a_broken_cancellation_leaves_a_replay_from_a_known_state_as_it_is(
    behind_proxy: Callable[[Fault], Environment], proxy: FaultsProxy, shop: Shop, fault: Fault
) -> None:
    """The reply that is lost or bent says that the key's row is there."""
    service = behind_proxy(fault)
    first = service.adjust(shop.command(10, key="a key"))
    before = shop.tables.contents()
    proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)

    outcome = service.adjust(shop.command(10, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert calls.operations == [WRITE, READ]
    assert [reply.status for reply in proxy.deliver_late()] == ([] if fault.delivered else [400])
    assert shop.tables.contents() == before


@each_fault
def test_a_broken_read_leaves_a_replay_as_it_is(
    behind_proxy: Callable[[Fault], Environment], rival: Environment, proxy: FaultsProxy, shop: Shop, fault: Fault
) -> None:
    first = rival.adjust(shop.command(10, key="a key"))
    before = shop.tables.contents()
    proxy.break_nth(READ, fault)

    outcome = behind_proxy(fault).adjust(shop.command(10, key="a key"))

    assert (outcome.replayed, outcome.adjustment) == (True, first.adjustment)
    assert shop.tables.contents() == before


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_leads_to_one_row(
    behind_proxy: Callable[[Fault], Environment],
    clients: Clients,
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    """The reply that is lost or bent says that the stock item moved."""
    first = rival.adjust(shop.command(10)).adjustment
    other = environment(clients.make(), shop.tables)
    service = behind_proxy(fault)
    moved = []
    pending = [lambda: moved.append(other.adjust(shop.command(-2)).adjustment)]

    def move(**_: object) -> None:
        if pending:
            pending.pop()()

    service.client.meta.events.register(f"before-call.dynamodb.{WRITE}", move)
    proxy.break_nth(WRITE, fault)
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert not outcome.replayed
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, *moved, outcome.adjustment]
    assert outcome.adjustment.quantity_after == 5
    assert_replays(rival, command, outcome)


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_of_a_stale_state_leads_to_one_row(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    """The stock item moved before the request came: what the environment knows of it is out of date."""
    service = behind_proxy(fault)
    first = service.adjust(shop.command(10)).adjustment
    moved = rival.adjust(shop.command(-2)).adjustment
    proxy.break_nth(WRITE, fault)
    calls = Calls(service.client)
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert calls.operations == [WRITE, READ, WRITE]
    assert [reply.status for reply in proxy.deliver_late()] == ([] if fault.delivered else [400])
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, moved, outcome.adjustment]
    assert_replays(rival, command, outcome)


# ------------------------------------------------------------------- the stock is gone when the request looks again


@each_delivered
@with_and_without_a_key
def test_a_write_that_was_applied_stands_though_the_stock_is_gone_since(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    drained = []
    drain = once(lambda: drained.append(rival.adjust(shop.command(-7)).adjustment))
    service = environment(behind_proxy(fault).client, shop.tables, sleep=drain)
    proxy.break_nth(WRITE, fault)
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.adjustment.sequence, outcome.adjustment.quantity_after) == (False, 2, 7)
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment, *drained]
    assert_replays(rival, command, outcome)


@each_undelivered
@with_and_without_a_key
def test_a_write_that_was_never_applied_is_refused_when_the_stock_is_gone_and_leaves_its_key_free(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    rival.adjust(shop.command(10))
    drain = once(lambda: rival.adjust(shop.command(-8)))
    service = environment(behind_proxy(fault).client, shop.tables, sleep=drain)
    proxy.break_nth(WRITE, fault)

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(shop.command(-3, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 2, "quantity_change": -3}
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -8]
    late = proxy.deliver_late()
    assert [reply.status for reply in late] == [400], "a final refusal holds even when the write arrives at last"
    rival.adjust(shop.command(+1))
    assert not rival.adjust(shop.command(-3, key=key)).replayed
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -8, 1, -3]


# ---------------------------------------------------------------------------------------------- a write that is late


@each_undelivered
@with_and_without_a_key
def test_a_write_that_arrives_after_its_repetition_changes_nothing(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    fault: Fault,
    key: str | None,
) -> None:
    rival.adjust(shop.command(10))
    proxy.break_nth(WRITE, fault)
    outcome = behind_proxy(fault).adjust(shop.command(-3, key=key))
    before = shop.tables.contents()

    late = proxy.deliver_late()

    assert [reply.status for reply in late] == [400]
    assert shop.tables.contents() == before
    assert assert_adds_up(shop.rows(), shop.stock())[-1] == outcome.adjustment


@with_and_without_a_key
def test_a_write_that_arrives_before_its_repetition_looks_is_taken_as_its_own(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    service = environment(clients.make(proxy.endpoint_url), shop.tables, sleep=once(proxy.deliver_late))
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert proxy.counted(WRITE) == 1, "the one that was late"
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]
    assert_replays(rival, command, outcome)


@with_and_without_a_key
def test_a_write_that_arrives_between_look_and_write_of_its_repetition_is_taken_as_its_own(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    service = environment(clients.make(proxy.endpoint_url), shop.tables)
    calls = Calls(service.client)
    late = []

    def deliver(**_: object) -> None:
        late.extend(proxy.deliver_late())

    service.client.meta.events.register(f"before-call.dynamodb.{WRITE}", deliver)
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert [reply.status for reply in late] == [200]
    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert calls.cancellations == [["ConditionalCheckFailed", "ConditionalCheckFailed"]]
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]
    assert_replays(rival, command, outcome)


@with_and_without_a_key
def test_a_late_write_and_a_lost_acknowledgement_in_one_request_make_one_row(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    service = environment(
        clients.make(proxy.endpoint_url),
        shop.tables,
        sleep=once(lambda: proxy.break_nth(WRITE, DELIVERED["acknowledgement lost"])),
    )
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])
    command = shop.command(-3, key=key)

    outcome = service.adjust(command)

    assert [reply.status for reply in proxy.deliver_late()] == [400]
    assert (outcome.replayed, outcome.attempts) == (False, 3)
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]
    assert_replays(rival, command, outcome)


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_could_still_be_applied(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    """The variant is deactivated, so the second try refuses; but the stock stands where the first try saw it."""
    rival.adjust(shop.command(10))
    now_s = 1_000_000.0

    def deactivate() -> None:
        nonlocal now_s
        shop.tables.catalog.deactivate_variant(
            shop.business_id, shop.variant_id, now=datetime.now(UTC), token=a_write_token()
        )
        now_s += CATALOG_LIFETIME_S

    service = environment(clients.make(proxy.endpoint_url), shop.tables, sleep=once(deactivate), time_s=lambda: now_s)
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(shop.command(-3, key=key))

    assert len(shop.rows()) == 1
    assert [reply.status for reply in proxy.deliver_late()] == [200]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -3]
    if key is not None:
        assert rival.adjust(shop.command(-3, key=key)).replayed


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_could_still_be_applied_at_the_former_default_location(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    """The second try decides from another stock item, which tells nothing of where the first try's stands."""
    rival.adjust(shop.command(10))
    now_s = 1_000_000.0

    def change_the_default_location() -> None:
        nonlocal now_s
        shop.tables.catalog.register_location(
            shop.business_id,
            shop.other_location_id,
            name="New",
            default=True,
            now=datetime.now(UTC),
            token=a_write_token(),
        )
        for _ in range(3):
            rival.adjust(shop.command(1, location_id=shop.other_location_id))
        now_s += CATALOG_LIFETIME_S

    service = environment(
        clients.make(proxy.endpoint_url), shop.tables, sleep=once(change_the_default_location), time_s=lambda: now_s
    )
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(shop.command(-5, key=key))

    assert [reply.status for reply in proxy.deliver_late()] == [200]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -5]


@with_and_without_a_key
def test_no_refusal_is_final_while_a_late_write_from_a_known_state_could_still_be_applied(
    clients: Clients, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    """It was begun without a read; the state that it was begun from is the one that still stands."""
    now_s = 1_000_000.0

    def deactivate() -> None:
        nonlocal now_s
        shop.tables.catalog.deactivate_variant(
            shop.business_id, shop.variant_id, now=datetime.now(UTC), token=a_write_token()
        )
        now_s += CATALOG_LIFETIME_S

    service = environment(clients.make(proxy.endpoint_url), shop.tables, sleep=once(deactivate), time_s=lambda: now_s)
    service.adjust(shop.command(10))
    calls = Calls(service.client)
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(TryAgain):
        service.adjust(shop.command(-3, key=key))

    assert calls.operations[:2] == [WRITE, READ]
    assert len(shop.rows()) == 1
    assert [reply.status for reply in proxy.deliver_late()] == [200]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -3]


@with_and_without_a_key
def test_a_refusal_is_final_where_the_late_write_was_from_a_stale_state(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    service = environment(clients.make(proxy.endpoint_url), shop.tables)
    service.adjust(shop.command(10))
    rival.adjust(shop.command(-8))
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(InsufficientStock) as refusal:
        service.adjust(shop.command(-3, key=key))

    assert refusal.value.facts() == {"quantity_on_hand": 2, "quantity_change": -3}
    assert [reply.status for reply in proxy.deliver_late()] == [400]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, -8]


@with_and_without_a_key
def test_a_refusal_is_final_once_the_stock_item_has_moved_past_the_late_write(
    clients: Clients, rival: Environment, proxy: FaultsProxy, shop: Shop, key: str | None
) -> None:
    rival.adjust(shop.command(10))
    now_s = 1_000_000.0

    def deactivate() -> None:
        nonlocal now_s
        rival.adjust(shop.command(1))
        shop.tables.catalog.deactivate_variant(
            shop.business_id, shop.variant_id, now=datetime.now(UTC), token=a_write_token()
        )
        now_s += CATALOG_LIFETIME_S

    service = environment(clients.make(proxy.endpoint_url), shop.tables, sleep=once(deactivate), time_s=lambda: now_s)
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    with pytest.raises(VariantNotFound):
        service.adjust(shop.command(-3, key=key))

    assert [reply.status for reply in proxy.deliver_late()] == [400]
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [10, 1]


# ------------------------------------------------------------------------------------------- a fault that stays

QUICK = {name: fault for name, fault in FAULTS.items() if fault.ending is not Ending.STALLED}


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
def test_reads_that_stay_broken_end_in_try_again_and_write_nothing(
    behind_proxy: Callable[[Fault], Environment], rival: Environment, proxy: FaultsProxy, shop: Shop, fault: Fault
) -> None:
    rival.adjust(shop.command(10))
    before = shop.tables.contents()
    proxy.break_every(READ, fault)
    command = shop.command(-3, key="a key", location_id=shop.location_id)
    service = behind_proxy(fault)

    with pytest.raises(TryAgain):
        service.adjust(command)

    assert (proxy.counted(READ), proxy.counted(WRITE)) == (ATTEMPTS_MAX, 0)
    assert shop.tables.contents() == before
    proxy.mend()
    assert not service.adjust(command).replayed


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
def test_looks_that_stay_broken_end_in_try_again_and_in_no_refusal(
    behind_proxy: Callable[[Fault], Environment], rival: Environment, proxy: FaultsProxy, shop: Shop, fault: Fault
) -> None:
    rival.adjust(shop.command(10))
    before = shop.tables.contents()
    proxy.break_every(LOOK, fault)
    command = shop.command(-11, key="a key", location_id=shop.location_id)
    service = behind_proxy(fault)

    with pytest.raises(TryAgain):
        service.adjust(command)

    assert (proxy.counted(READ), proxy.counted(LOOK), proxy.counted(WRITE)) == (ATTEMPTS_MAX, ATTEMPTS_MAX, 0)
    assert shop.tables.contents() == before
    proxy.mend()
    with pytest.raises(InsufficientStock):
        service.adjust(command)


@pytest.mark.parametrize("name", sorted(QUICK.keys() & UNDELIVERED.keys()))
def test_writes_that_never_arrive_end_in_try_again_and_a_repetition_makes_the_one_row(
    behind_proxy: Callable[[Fault], Environment], rival: Environment, proxy: FaultsProxy, shop: Shop, name: str
) -> None:
    first = rival.adjust(shop.command(10)).adjustment
    proxy.break_every(WRITE, FAULTS[name])
    command = shop.command(-3, key="a key")
    service = behind_proxy(FAULTS[name])

    with pytest.raises(TryAgain):
        service.adjust(command)

    assert shop.rows() == [first]
    assert proxy.counted(WRITE) == ATTEMPTS_MAX
    proxy.mend()
    outcome = service.adjust(command)
    late = proxy.deliver_late()
    assert not outcome.replayed
    assert {reply.status for reply in late} == {400}
    assert len(late) == ATTEMPTS_MAX
    assert assert_adds_up(shop.rows(), shop.stock()) == [first, outcome.adjustment]


@with_and_without_a_key
@pytest.mark.parametrize("name", sorted(QUICK.keys() & DELIVERED.keys()))
def test_a_write_whose_fate_is_never_learnt_ends_in_try_again_and_stands_once(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    name: str,
    key: str | None,
) -> None:
    rival.adjust(shop.command(10))
    service = environment(
        behind_proxy(FAULTS[name]).client,
        shop.tables,
        sleep=once(lambda: proxy.break_every(READ, FAULTS[name])),
    )
    proxy.break_nth(WRITE, FAULTS[name])
    command = shop.command(-3, key=key)

    with pytest.raises(TryAgain):
        service.adjust(command)

    chain = assert_adds_up(shop.rows(), shop.stock())
    assert [row.delta for row in chain] == [10, -3]
    if key is not None:
        again = rival.adjust(command)
        assert (again.replayed, again.adjustment) == (True, chain[-1])
        assert again.adjustment.id == keyed_id(shop.business_id, key)


# ------------------------------------------------------------------------------------------- calls and their tokens


def test_every_try_of_the_write_bears_a_token_of_its_own(clients: Clients, proxy: FaultsProxy, shop: Shop) -> None:
    """With the token of an earlier try the database would answer for that one, or refuse a row decided afresh."""
    service = environment(
        clients.make(proxy.endpoint_url),
        shop.tables,
        sleep=once(lambda: proxy.break_nth(WRITE, UNDELIVERED["throttled"])),
    )
    proxy.break_nth(WRITE, UNDELIVERED["500 before delivery"])

    outcome = service.adjust(shop.command(3, key="a key"))

    tokens = [request.members["ClientRequestToken"] for request in proxy.requests if request.operation == WRITE]
    assert outcome.attempts == 3
    assert len({UUID(token) for token in tokens}) == len(tokens) == 3


@each_fault
@pytest.mark.parametrize("operation", [READ, LOOK, WRITE])
def test_a_call_is_one_request_for_the_sdk_repeats_nothing(
    behind_proxy: Callable[[Fault], Environment], proxy: FaultsProxy, shop: Shop, operation: str, fault: Fault
) -> None:
    service = behind_proxy(fault)
    calls = Calls(service.client)
    proxy.break_nth(operation, fault)

    service.adjust(shop.command(3, key="a key"))
    with pytest.raises(InsufficientStock):
        service.adjust(shop.command(-4, key="another"))

    assert set(calls.operations) == {READ, LOOK, WRITE}
    assert [request.operation for request in proxy.requests] == calls.operations


# --------------------------------------------------------------------------------------------------------- reversals


@pytest.fixture
def opening(rival: Environment, shop: Shop) -> Adjustment:
    """The one adjustment so far; there are fifteen in stock after another one."""
    row = rival.adjust(shop.command(5)).adjustment
    rival.adjust(shop.command(10))
    return row


def assert_reversed_once(shop: Shop, row: Adjustment, outcome: Outcome) -> None:
    """The outcome is the one row that reverses this one, and the link says so."""
    assert assert_adds_up(shop.rows(), shop.stock())[2:] == [outcome.adjustment]
    assert (outcome.adjustment.reverses, outcome.adjustment.delta) == (row.id, -row.delta)
    assert shop.tables.reversed_by(row) == str(outcome.adjustment.id)


@each_fault
@with_and_without_a_key
def test_a_broken_write_makes_exactly_one_reversal_and_never_already_reversed(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    opening: Adjustment,
    fault: Fault,
    key: str | None,
) -> None:
    proxy.break_nth(WRITE, fault)
    reversal = shop.reversal(opening, key=key)

    outcome = behind_proxy(fault).reverse(reversal)

    assert (outcome.replayed, outcome.attempts >= 2) == (False, True)
    assert_reversed_once(shop, opening, outcome)
    if key is None:
        with pytest.raises(AlreadyReversed):
            rival.reverse(reversal)
    else:
        assert rival.reverse(reversal).replayed
    proxy.deliver_late()
    assert_reversed_once(shop, opening, outcome)


@with_and_without_a_key
@pytest.mark.parametrize("name", ["closed before delivery", "acknowledgement lost"])
def test_a_broken_write_from_a_known_state_makes_exactly_one_reversal(
    behind_proxy: Callable[[Fault], Environment],
    proxy: FaultsProxy,
    shop: Shop,
    name: str,
    key: str | None,
) -> None:
    service = behind_proxy(FAULTS[name])
    opening = service.adjust(shop.command(5)).adjustment
    service.adjust(shop.command(10))
    calls = Calls(service.client)
    proxy.break_nth(WRITE, FAULTS[name])

    outcome = service.reverse(shop.reversal(opening, key=key))

    assert not outcome.replayed
    assert calls.operations[:3] == [LOOK, WRITE, READ]
    proxy.deliver_late()
    assert_reversed_once(shop, opening, outcome)


@each_fault
@with_and_without_a_key
@pytest.mark.parametrize("operation", [LOOK, READ], ids=["of what is reversed", "of the rest"])
def test_a_broken_read_makes_exactly_one_reversal(
    behind_proxy: Callable[[Fault], Environment],
    proxy: FaultsProxy,
    shop: Shop,
    opening: Adjustment,
    fault: Fault,
    key: str | None,
    operation: str,
) -> None:
    proxy.break_nth(operation, fault)

    outcome = behind_proxy(fault).reverse(shop.reversal(opening, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert_reversed_once(shop, opening, outcome)


@each_fault
@with_and_without_a_key
def test_a_broken_cancellation_by_anothers_reversal_leads_to_already_reversed(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    opening: Adjustment,
    fault: Fault,
    key: str | None,
) -> None:
    """The reply that is lost or bent says that another was faster."""
    service = behind_proxy(fault)
    others: list[Outcome] = []

    def reverse_first(**_: object) -> None:
        if not others:
            others.append(rival.reverse(shop.reversal(opening)))

    service.client.meta.events.register(f"before-call.dynamodb.{WRITE}", reverse_first)
    proxy.break_nth(WRITE, fault)

    with pytest.raises(AlreadyReversed) as refusal:
        service.reverse(shop.reversal(opening, key=key))

    assert refusal.value.reversed_by == others[0].adjustment.id
    assert {reply.status for reply in proxy.deliver_late()} <= {400}, "a final refusal holds"
    assert_reversed_once(shop, opening, others[0])


@with_and_without_a_key
@pytest.mark.parametrize("moment", ["before its repetition looks", "between look and write of its repetition"])
def test_a_reversal_that_arrives_late_is_taken_as_the_requests_own(
    clients: Clients, proxy: FaultsProxy, shop: Shop, opening: Adjustment, key: str | None, moment: str
) -> None:
    looks = moment.startswith("before")
    service = environment(
        clients.make(proxy.endpoint_url), shop.tables, sleep=once(proxy.deliver_late) if looks else None
    )
    if not looks:

        def deliver(**_: object) -> None:
            proxy.deliver_late()

        service.client.meta.events.register(f"before-call.dynamodb.{WRITE}", deliver)
    proxy.break_nth(WRITE, UNDELIVERED["closed before delivery"])

    outcome = service.reverse(shop.reversal(opening, key=key))

    assert (outcome.replayed, outcome.attempts) == (False, 2)
    assert proxy.counted(WRITE) == (1 if looks else 2)
    assert_reversed_once(shop, opening, outcome)


@each_delivered
@with_and_without_a_key
def test_a_reversal_that_was_applied_stands_though_it_was_itself_reversed_since(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    opening: Adjustment,
    fault: Fault,
    key: str | None,
) -> None:
    def reverse_the_reversal() -> None:
        (made,) = [row for row in shop.rows() if row.reverses is not None]
        rival.reverse(shop.reversal(made))

    service = environment(behind_proxy(fault).client, shop.tables, sleep=once(reverse_the_reversal))
    proxy.break_nth(WRITE, fault)

    outcome = service.reverse(shop.reversal(opening, key=key))

    assert not outcome.replayed
    assert outcome.adjustment.reverses == opening.id
    assert [row.delta for row in assert_adds_up(shop.rows(), shop.stock())] == [5, 10, -5, 5]


@with_and_without_a_key
def test_a_reversal_whose_fate_is_never_learnt_ends_in_try_again_and_stands_once(
    behind_proxy: Callable[[Fault], Environment],
    rival: Environment,
    proxy: FaultsProxy,
    shop: Shop,
    opening: Adjustment,
    key: str | None,
) -> None:
    fault = DELIVERED["acknowledgement lost"]
    service = environment(behind_proxy(fault).client, shop.tables, sleep=once(lambda: proxy.break_every(READ, fault)))
    proxy.break_nth(WRITE, fault)
    reversal = shop.reversal(opening, key=key)

    with pytest.raises(TryAgain):
        service.reverse(reversal)

    (made,) = assert_adds_up(shop.rows(), shop.stock())[2:]
    if key is None:
        with pytest.raises(AlreadyReversed) as refusal:
            rival.reverse(reversal)
        assert refusal.value.reversed_by == made.id
    else:
        again = rival.reverse(reversal)
        assert (again.replayed, again.adjustment) == (True, made)


@pytest.mark.parametrize("operation", [LOOK, READ], ids=["of what is reversed", "of the rest"])
def test_reads_of_a_reversal_that_stay_broken_end_in_try_again_and_write_nothing(
    behind_proxy: Callable[[Fault], Environment], proxy: FaultsProxy, shop: Shop, opening: Adjustment, operation: str
) -> None:
    before = shop.tables.contents()
    proxy.break_every(operation, UNDELIVERED["throttled"])

    with pytest.raises(TryAgain):
        behind_proxy(UNDELIVERED["throttled"]).reverse(shop.reversal(opening))

    assert (proxy.counted(operation), proxy.counted(WRITE)) == (ATTEMPTS_MAX, 0)
    assert shop.tables.contents() == before
