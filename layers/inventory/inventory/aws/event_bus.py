"""The event bus: how events are published, and what an event can contain."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.aws.failures import TRANSIENT_EVENT_CODES, translated_failures
from inventory.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsResultEntryTypeDef

    from inventory.domain.retry_budget import RetryBudget

SOURCE: Final = "inventory.adjustments"

DETAIL_SIZE_MAX_BYTES: Final = 240 * 1024
"""Size of an event's detail as text. With it the whole event stays under 256 KB, which every target accepts."""

EVENTS_MAX: Final = 10
"""Events of one PutEvents."""

CALL_SIZE_MAX_BYTES: Final = 256 * 1024
"""Size of all events of one PutEvents. EventBridge counts source, detail-type and detail."""

_INTEGER_MAX: Final = 2**63 - 1
_EXPONENT_MAX: Final = 10_000


class EventRefused(Exception):
    """The bus will never take this event. ``code`` is EventBridge's: it shows a bug or a missing permission."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Event(NamedTuple):
    """One event; ``detail`` is a JSON object as text, of at most ``DETAIL_SIZE_MAX_BYTES``."""

    detail_type: str
    detail: str

    @property
    def size_bytes(self) -> int:
        """The event's part of ``CALL_SIZE_MAX_BYTES``."""
        return len(SOURCE) + len(self.detail_type.encode()) + len(self.detail.encode())


type PutResult = EventRefused | StoreUnavailable | None
"""What became of an event: None if it is published, ``EventRefused`` if it never will be, and ``StoreUnavailable`` if
the outcome is unknown or the event was not tried."""


class EventBus:
    """One bus, by its name."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def put_all(self, events: Sequence[Event], budget: RetryBudget) -> list[PutResult]:
        """Put events in their order, in as few calls as the bus's limits allow. Failed events are put again.

        A call begins when all events of the one before have a final result. If some have none in time, the events
        after them are not tried: they would come before them, and would probably fail too.

        Returns:
            The result of each event, in their order.

        Raises:
            ClientError: the bus refused a whole call: a bug or a missing permission.
        """
        results: list[PutResult] = []
        for events_of_call in _calls(events):
            results += self._put_with_retries(events_of_call, budget)
            if any(isinstance(result, StoreUnavailable) for result in results):
                break
        return results + [StoreUnavailable() for _ in events[len(results) :]]

    def _put_with_retries(self, events: Sequence[Event], budget: RetryBudget) -> list[PutResult]:
        """Put the events of one call, and again those that failed, until none is left or the time is up."""
        results: list[PutResult] = [StoreUnavailable() for _ in events]

        def put_failed() -> None:
            places = [place for place, result in enumerate(results) if isinstance(result, StoreUnavailable)]
            for place, result in zip(places, self._put([events[place] for place in places]), strict=True):
                results[place] = result
            if any(isinstance(result, StoreUnavailable) for result in results):
                raise StoreUnavailable

        with suppress(StoreUnavailable):
            budget.retry(put_failed)
        return results

    def _put(self, events: Sequence[Event]) -> list[PutResult]:
        """Make one PutEvents.

        Raises:
            StoreUnavailable: the outcome of all events is unknown.
        """
        with translated_failures():
            reply = self._client.put_events(
                Entries=[
                    {"EventBusName": self._name, "Source": SOURCE, "DetailType": kind, "Detail": detail}
                    for kind, detail in events
                ]
            )
        # The call succeeds even if all its entries fail. A damaged reply can lack every member.
        entries = reply.get("Entries", [])
        if len(entries) != len(events):
            raise StoreUnavailable
        return [_result_of(entry) for entry in entries]


def _result_of(entry: PutEventsResultEntryTypeDef) -> PutResult:
    if "EventId" in entry:
        return None
    code = entry.get("ErrorCode")
    return StoreUnavailable() if code is None or code in TRANSIENT_EVENT_CODES else EventRefused(code)


def _calls(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Split events into the calls that the limits allow, in their order."""
    first, size_bytes = 0, 0
    for place, event in enumerate(events):
        if place - first == EVENTS_MAX or (place > first and size_bytes + event.size_bytes > CALL_SIZE_MAX_BYTES):
            yield events[first:place]
            first, size_bytes = place, 0
        size_bytes += event.size_bytes
    if first < len(events):
        yield events[first:]


def detail_text(value: object) -> str:
    """Write a detail in ASCII. So each character is a byte, and half a surrogate pair can be written.

    A ``Decimal`` is written with all its digits, where JSON libraries would round. EventBridge refuses an event with a
    number beyond 64 bits, and many libraries refuse a large exponent. Such numbers are written as strings.
    """
    match value:
        case Decimal() if abs(value) > _INTEGER_MAX or abs(value.adjusted()) > _EXPONENT_MAX:
            return f'"{value!s}"'
        case Decimal():
            return str(value)
        case int() if abs(value) > _INTEGER_MAX:
            # Through Decimal, as Python's own conversion is limited to fewer digits than a number can have here.
            return f'"{Decimal(value)}"'
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{detail_text(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ",".join(map(detail_text, value)) + "]"
        case _:
            return json.dumps(value, allow_nan=False)
