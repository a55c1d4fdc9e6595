"""That the benchmark's histories are those of the service, and that growth is found out; nothing is measured here."""

from __future__ import annotations

from copy import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api import requests
from inventory.api.routes import CREATE_ADJUSTMENT
from inventory.domain.hash_chain import row_hash
from tests.benchmarks.checks import AGAIN
from tests.benchmarks.environments import stock_the_tables
from tests.benchmarks.growth import judged
from tests.benchmarks.histories import Axis, Place, asked_for, command, ledger, place, request
from tests.benchmarks.history_worker import Meter
from tests.benchmarks.meters import ENVIRONMENT, Work
from tests.benchmarks.subjects import Ours, fresh, refused
from tests.benchmarks.transport import Transport
from tests.support.builders.ids import BUSINESS, VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("axis", "places", "sequences"), [(Axis.ROWS, 1, range(1, 31)), (Axis.ITEMS, 30, [1]), (Axis.BUSINESSES, 30, [1])]
)
def test_a_history_grows_along_its_axis_only_and_its_chain_is_whole(axis: Axis, places: int, sequences: Any) -> None:
    rows = list(ledger(axis, 30))
    assert len({row.id for row in rows}) == 30
    assert len({(row.business_id, row.variant_id) for row in rows}) == places
    assert len({row.business_id for row in rows}) == (30 if axis is Axis.BUSINESSES else 1)
    assert sorted({row.sequence for row in rows}) == list(sequences)
    assert all(row.hash == row_hash(row) for row in rows)
    assert [row.created_at for row in rows] == sorted(row.created_at for row in rows)


@pytest.mark.parametrize("length", [10, 1_000, 100_000])
def test_ten_places_of_every_history_are_asked_for_from_its_first_to_its_last_tenth(length: int) -> None:
    numbers = list(asked_for(length))
    assert len(numbers) == 10
    assert numbers[0] == 0
    assert numbers[-1] == length * 9 // 10


def test_the_meter_parses_requests_back_to_the_generated_history() -> None:
    at = place(Axis.BUSINESSES, 7)
    event: Any = request(at, "key")
    caller = requests.authenticated_caller(event, scope=CREATE_ADJUSTMENT.scope, clock=partial(datetime.now, UTC))
    assert requests.adjustment_command(event, caller) == command(at, "key")


@pytest.mark.parametrize(("ask", "status", "known"), [(fresh, 201, True), (fresh, 201, False), (refused, 409, True)])
def test_the_meter_bills_what_the_tables_in_memory_bill(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[int], Any], status: int, *, known: bool
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    ours = Ours(ask, status=status)
    transport = Transport(*ours.clients)
    stock_the_tables(transport, [VARIANT])
    if known:
        ours.module.adjuster.store.load([command(Place(BUSINESS, VARIANT), "none")])
    meter = Meter(ours.clients[0])
    transport.begin_recording()
    meter.begin()

    ours.call(ours.asked(0))

    work, bill = meter.end(1), transport.tables.bill
    assert (work.calls, work.read_units, work.units) == (bill.calls.total(), bill.read_units, bill.units)
    assert work.sent_bytes == sum(len(each.sent) for each in transport.recorded)
    assert work.received_bytes == sum(len(each.answer) for each in transport.recorded)
    assert (work.sent_digits > 0) == (status == 201)


def test_longer_numbers_are_no_growth_and_anything_else_is() -> None:
    short = Work(requests=50, calls=50, units=300, sent_bytes=1000, sent_digits=10)
    for other, held in [
        (replace(short, sent_bytes=1006, sent_digits=16), True),
        (replace(short, sent_bytes=1006), False),
        (replace(short, calls=51), False),
        (replace(short, units=301), False),
        (replace(short, read_units=1), False),
        (replace(short, received_bytes=1), False),
    ]:
        (asked, _) = judged("fresh", {"10": short, "1,000": other}, {"10": [1.0], "1,000": [1.0]}, None)
        assert asked.held is held


def test_a_longer_history_may_take_as_much_more_as_a_second_look_at_the_shortest() -> None:
    work = dict.fromkeys(["10", "10" + AGAIN, "1,000", "100,000"], Work(requests=50))
    cpu_us = {"10": [100.0], "10" + AGAIN: [89.0], "1,000": [110.0], "100,000": [110.1]}
    counted = {"10": [100.0], "10" + AGAIN: [100.9], "100,000": [101.1]}

    checks = judged("fresh", work, cpu_us, counted)

    assert [(check.reached, check.held) for check in checks] == [
        ("1 kind(s)", True),
        ("-11.00%", False),
        ("+0.90%", True),
        ("+10.00%", True),
        ("+10.10%", False),
        ("+1.10%", False),
    ]
