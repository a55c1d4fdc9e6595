"""Putting several events: in few calls and in their order, each with a fate of its own."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from inventory.aws.clients import events_client
from inventory.aws.event_bus import (
    CALL_SIZE_MAX_BYTES,
    DETAIL_SIZE_MAX_BYTES,
    EVENTS_MAX,
    SOURCE,
    Event,
    EventBus,
    EventRefused,
    detail_text,
)
from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import (
    CALL_ATTEMPTS_MAX,
    CALL_BUDGET_S,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    RetryBudget,
)
from tests.support.fakes.event_bus import MemoryBus
from tests.support.faults.wire import broken, fault, reply

if TYPE_CHECKING:
    from inventory.aws.event_bus import PutResult
    from tests.support.faults.wire import Reply

CALL_MAX_S = CONNECT_TIMEOUT_S + READ_TIMEOUT_S


class Desk:
    """A bus, and time that passes by pauses, and by calls as long as ``call_s``."""

    def __init__(self, *, remaining_s: float = 60, call_s: float = 0) -> None:
        client = events_client()
        client.meta.events.register("before-send.events", self._call_begins)
        self.wire = MemoryBus(client)
        self.bus = EventBus(client, "the-bus")
        self.remaining_s = remaining_s
        self.call_s = call_s
        self.left_at_calls_s: list[float] = []

    def put_all(self, *events: Event) -> list[str]:
        """Put events; what became of each in a word."""
        budget = RetryBudget(lambda: self.remaining_s, self._pause, lambda: 1.0)
        return [word(fate) for fate in self.bus.put_all(events, budget)]

    @property
    def numbers(self) -> list[int]:
        return [detail["n"] for detail in self.wire.details]

    def _pause(self, seconds: float) -> None:
        self.remaining_s -= seconds

    def _call_begins(self, **_: object) -> None:
        self.left_at_calls_s.append(self.remaining_s)
        self.remaining_s -= self.call_s


def word(fate: PutResult) -> str:
    match fate:
        case None:
            return "taken"
        case EventRefused(code=code):
            return code
        case StoreUnavailable():
            return "unknown"


def an_event(number: int, size_bytes: int = 0) -> Event:
    """An event that takes this many bytes of a call, or a small one."""
    event = Event("Happened", json.dumps({"n": number, "padding": ""}))
    missing = max(0, size_bytes - event.size_bytes)
    return Event("Happened", json.dumps({"n": number, "padding": "x" * missing}))


def some(count: int) -> list[Event]:
    return [an_event(number) for number in range(count)]


def test_no_events_cause_no_call() -> None:
    desk = Desk()

    assert desk.put_all() == []
    assert desk.wire.calls == 0


@pytest.mark.parametrize(
    ("count", "calls"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])], ids=["1", "10", "11", "25"]
)
def test_ten_events_are_one_call_and_all_are_put_in_their_order(count: int, calls: list[int]) -> None:
    desk = Desk()

    assert desk.put_all(*some(count)) == ["taken"] * count
    assert desk.wire.call_sizes == calls
    assert max(calls) <= EVENTS_MAX
    assert desk.numbers == list(range(count))


def test_an_entry_names_bus_source_and_type() -> None:
    desk = Desk()

    desk.put_all(Event("Happened", "{}"))

    assert desk.wire.entries == [
        {"EventBusName": "the-bus", "Source": SOURCE, "DetailType": "Happened", "Detail": "{}"}
    ]


@pytest.mark.parametrize(("too_much", "calls"), [(0, [2]), (1, [1, 1])])
def test_events_that_are_too_large_together_are_put_apart(too_much: int, calls: list[int]) -> None:
    desk = Desk()
    half = CALL_SIZE_MAX_BYTES // 2

    assert desk.put_all(an_event(0, half), an_event(1, half + too_much)) == ["taken", "taken"]
    assert desk.wire.call_sizes == calls


@pytest.mark.parametrize(
    ("sizes_kb", "calls"),
    [((140, 140), [1, 1]), ((128, 128), [2]), ((200, 56, 1), [2, 1]), ((1, 255, 1), [2, 1]), ((90, 90, 90), [2, 1])],
    ids=str,
)
def test_a_call_holds_256_kb_at_most(sizes_kb: tuple[int, ...], calls: list[int]) -> None:
    """EventBridge refuses a larger one as a whole."""
    desk = Desk()

    taken = desk.put_all(*(an_event(number, size_kb * 1024) for number, size_kb in enumerate(sizes_kb)))

    assert taken == ["taken"] * len(sizes_kb)
    assert desk.wire.call_sizes == calls
    assert desk.numbers == list(range(len(sizes_kb)))


def test_a_call_of_the_largest_details_holds_one() -> None:
    desk = Desk()

    assert desk.put_all(*(an_event(number, DETAIL_SIZE_MAX_BYTES) for number in range(3))) == ["taken"] * 3
    assert desk.wire.call_sizes == [1, 1, 1]


def test_size_is_counted_in_bytes_not_in_characters() -> None:
    assert Event("é", '"é"').size_bytes == len(SOURCE) + 2 + 4


@pytest.mark.parametrize("code", ["InternalFailure", "ThrottlingException"])
def test_only_what_failed_is_put_again(code: str) -> None:
    desk = Desk()
    desk.wire.failing = {'"n": 3,': [code, code], '"n": 5,': [code]}

    assert desk.put_all(*some(12)) == ["taken"] * 12
    assert desk.wire.call_sizes == [10, 2, 1, 2]
    assert desk.numbers == [0, 1, 2, 4, 6, 7, 8, 9, 5, 3, 10, 11], "what follows waits for what failed"


def test_a_refused_event_is_named_and_not_put_again() -> None:
    desk = Desk()
    desk.wire.failing = {'"n": 1,': ["MalformedDetail"]}

    assert desk.put_all(*some(3)) == ["taken", "MalformedDetail", "taken"]
    assert desk.wire.calls == 1


def test_the_error_of_a_refused_event_reads_as_its_code() -> None:
    """It is what the log says of the fault."""
    assert str(EventRefused("MalformedDetail")) == "MalformedDetail"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2**63 - 1, "9223372036854775807"),
        (-(2**63) + 1, "-9223372036854775807"),
        (2**63, '"9223372036854775808"'),
        (-(2**63), '"-9223372036854775808"'),
        (Decimal(2**63 - 1), "9223372036854775807"),
        (Decimal(2**63), '"9223372036854775808"'),
        (Decimal("1E-10000"), "1E-10000"),
        (Decimal("1E-10001"), '"1E-10001"'),
        (Decimal("0.10"), "0.10"),
    ],
)
def test_a_number_that_the_bus_or_a_reader_would_refuse_is_written_as_text(number: int | Decimal, text: str) -> None:
    assert detail_text({"n": [number]}) == f'{{"n":[{text}]}}'


def test_each_event_of_a_call_has_its_own_result() -> None:
    desk = Desk()
    desk.wire.failing = {'"n": 0,': ["MalformedDetail"], '"n": 2,': ["ThrottlingException"] * 99}

    assert desk.put_all(*some(4)) == ["MalformedDetail", "taken", "unknown", "taken"]
    assert desk.wire.calls == CALL_ATTEMPTS_MAX


def test_later_events_are_not_put_after_an_unsettled_call() -> None:
    desk = Desk()
    desk.wire.failing = {'"n": 4,': ["InternalFailure"] * 99}

    assert desk.put_all(*some(25)) == ["taken"] * 4 + ["unknown"] + ["taken"] * 5 + ["unknown"] * 15
    assert desk.wire.call_sizes == [10, 1, 1, 1]


@pytest.mark.parametrize(
    "met",
    [
        broken(),
        fault("ThrottlingException"),
        fault("InternalException", 500),
        reply({}),
        reply({"FailedEntryCount": 0, "Entries": []}),
        reply({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}),
        reply({"FailedEntryCount": 1, "Entries": [{}, {}]}),
    ],
    ids=["closed", "throttled", "internal", "empty", "no entries", "one entry of two", "no codes"],
)
def test_an_unanswered_call_is_repeated_and_leaves_every_result_unknown(met: Reply) -> None:
    again, never = Desk(), Desk()
    again.wire.meets(met, None)
    never.wire.meets(met)

    assert again.put_all(*some(2)) == ["taken", "taken"]
    assert never.put_all(*some(2)) == ["unknown", "unknown"]
    assert never.wire.calls == CALL_ATTEMPTS_MAX


def test_a_call_whose_answer_is_lost_is_put_again() -> None:
    desk = Desk()
    desk.wire.answers_are_lost = True
    desk.wire.meets(broken(), None)

    assert desk.put_all(*some(2)) == ["taken", "taken"]
    assert desk.numbers == [0, 1, 0, 1], "at least once"


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_a_call_refused_as_a_whole_raises_an_error(code: str) -> None:
    desk = Desk()
    desk.wire.meets(fault(code))

    with pytest.raises(ClientError, match=code):
        desk.put_all(*some(2))

    assert desk.wire.calls == 1


@pytest.mark.parametrize("remaining_s", [0, CALL_BUDGET_S - 0.1, CALL_BUDGET_S, 7, 14, 40])
def test_no_call_begins_that_could_outlast_the_invocation(remaining_s: float) -> None:
    desk = Desk(remaining_s=remaining_s, call_s=CALL_MAX_S)

    fates = desk.put_all(*some(100))

    calls = max(0, int((remaining_s - CALL_BUDGET_S) // CALL_MAX_S) + 1)
    assert all(left_s >= CALL_BUDGET_S for left_s in desk.left_at_calls_s)
    assert desk.remaining_s >= 0
    assert fates.count("taken") == len(desk.numbers) == min(100, 10 * calls)
    assert set(fates[len(desk.numbers) :]) <= {"unknown"}
