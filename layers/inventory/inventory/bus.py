"""The event bus: what the service tells others, and what an event can hold."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inventory.client import faults_as_unavailable
from inventory.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "inventory.adjustments"

DETAIL_SIZE_MAX_BYTES: Final = 240 * 1024
"""Of an event's detail as text: with the rest of the event it stays under 256 KB, which every target takes."""

_INTEGER_MAX: Final = 2**63 - 1
_PASSING_CODES: Final = frozenset({"InternalFailure", "ThrottlingException"})


class EventRefused(Exception):
    """The bus will never take this event, by the ``code`` of EventBridge: a bug or a missing permission."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EventBus:
    """One bus, by its name."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, detail_type: str, detail: str) -> None:
        """Put one event; ``detail`` is a JSON object as text, of at most ``DETAIL_SIZE_MAX_BYTES``.

        Raises:
            StoreUnavailable: it may or may not be on the bus.
            EventRefused: it is not, and never will be.
        """
        with faults_as_unavailable():
            reply = self._client.put_events(
                Entries=[{"EventBusName": self._name, "Source": SOURCE, "DetailType": detail_type, "Detail": detail}]
            )
        # The call succeeds whatever becomes of its entries; a reply that was damaged on its way can lack every member.
        if reply.get("FailedEntryCount") == 0:
            return
        for entry in reply.get("Entries", []):
            code = entry.get("ErrorCode")
            if code is not None and code not in _PASSING_CODES:
                raise EventRefused(code)
        raise StoreUnavailable


def detail_text(value: object) -> str:
    """Write a detail, in ASCII so that characters are bytes and half a surrogate pair is no obstacle.

    ``Decimal`` is written digit by digit, where JSON libraries would round. Numbers beyond 64 bits, which EventBridge
    refuses with the whole event, are written as strings.
    """
    match value:
        case Decimal() if abs(value) > _INTEGER_MAX:
            return f'"{value}"'
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
