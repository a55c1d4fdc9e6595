"""The event bus: what the service tells others, and what an event can hold."""

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
"""Of an event's detail as text: with the rest of the event it stays under 256 KB, which every target takes."""

EVENTS_MAX: Final = 10
"""Events of one PutEvents."""

CALL_SIZE_MAX_BYTES: Final = 256 * 1024
"""Of the events of one PutEvents together, as EventBridge counts: source, detail-type and detail."""

_INTEGER_MAX: Final = 2**63 - 1

_EXPONENT_MAX: Final = 10_000


class EventRefused(Exception):
    """The bus will never take this event, by the ``code`` of EventBridge: a bug or a missing permission."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Event(NamedTuple):
    """What is told; ``detail`` is a JSON object as text, of at most ``DETAIL_SIZE_MAX_BYTES``."""

    detail_type: str
    detail: str

    @property
    def size_bytes(self) -> int:
        """What it takes of a call's ``CALL_SIZE_MAX_BYTES``."""
        return len(SOURCE) + len(self.detail_type.encode()) + len(self.detail.encode())


type PutResult = EventRefused | StoreUnavailable | None
"""What became of an event: None where it is on the bus, ``EventRefused`` where it is not and never will be, and
``StoreUnavailable`` where that is not known, or it was not put at all."""


class EventBus:
    """One bus, by its name."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def put_all(self, events: Sequence[Event], budget: RetryBudget) -> list[PutResult]:
        """Put events in their order, in as few calls as the bus's limits allow; what failed is put again.

        What failed of one call is settled before the next one begins. Where it can't be, what follows is not tried: it
        would overtake, and would most likely meet the same fault. A call that the bus refuses as a whole, for want of a
        permission say, is a bug, and raised.

        Returns:
            The fate of each event, in their order.
        """
        fates: list[PutResult] = []
        for together in _calls(events):
            fates += self._settle(together, budget)
            if any(isinstance(fate, StoreUnavailable) for fate in fates):
                break
        return fates + [StoreUnavailable() for _ in events[len(fates) :]]

    def _settle(self, events: Sequence[Event], budget: RetryBudget) -> list[PutResult]:
        """Put the events of one call, and again those that failed, until none is open or the time is up."""
        fates: list[PutResult] = [StoreUnavailable() for _ in events]

        def put_what_is_open() -> None:
            places = [place for place, fate in enumerate(fates) if isinstance(fate, StoreUnavailable)]
            for place, fate in zip(places, self._call([events[place] for place in places]), strict=True):
                fates[place] = fate
            if any(isinstance(fate, StoreUnavailable) for fate in fates):
                raise StoreUnavailable

        with suppress(StoreUnavailable):
            budget.retry(put_what_is_open)
        return fates

    def _call(self, events: Sequence[Event]) -> list[PutResult]:
        """Make one PutEvents.

        Raises:
            StoreUnavailable: nothing is known of any of them.
        """
        with translated_failures():
            reply = self._client.put_events(
                Entries=[
                    {"EventBusName": self._name, "Source": SOURCE, "DetailType": kind, "Detail": detail}
                    for kind, detail in events
                ]
            )
        # The call succeeds whatever becomes of its entries; a reply that was damaged on its way can lack every member.
        told = reply.get("Entries", [])
        if len(told) != len(events):
            raise StoreUnavailable
        return [_fate(entry) for entry in told]


def _fate(entry: PutEventsResultEntryTypeDef) -> PutResult:
    if "EventId" in entry:
        return None
    code = entry.get("ErrorCode")
    return StoreUnavailable() if code is None or code in TRANSIENT_EVENT_CODES else EventRefused(code)


def _calls(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Part events into what one call takes each, in their order."""
    first, size_bytes = 0, 0
    for place, event in enumerate(events):
        if place - first == EVENTS_MAX or (place > first and size_bytes + event.size_bytes > CALL_SIZE_MAX_BYTES):
            yield events[first:place]
            first, size_bytes = place, 0
        size_bytes += event.size_bytes
    if first < len(events):
        yield events[first:]


def detail_text(value: object) -> str:
    """Write a detail, in ASCII so that characters are bytes and half a surrogate pair is no obstacle.

    ``Decimal`` is written digit by digit, where JSON libraries would round. Numbers beyond 64 bits, which EventBridge
    refuses with the whole event, are written as strings; and so are those whose exponent many a library would refuse.
    """
    match value:
        case Decimal() if abs(value) > _INTEGER_MAX or abs(value.adjusted()) > _EXPONENT_MAX:
            return f'"{value!s}"'
        case Decimal():
            return str(value)
        case int() if abs(value) > _INTEGER_MAX:
            # By way of Decimal: Python's own conversion is limited to fewer digits than a number may have here.
            return f'"{Decimal(value)}"'
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{detail_text(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ",".join(map(detail_text, value)) + "]"
        case _:
            return json.dumps(value, allow_nan=False)
