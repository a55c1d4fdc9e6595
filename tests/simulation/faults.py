"""What can go wrong with a call, before it, in its midst and after it; and processes that are killed at any of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    ChecksumError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from inventory.domain.retry_budget import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from tests.simulation.clients import TRAVEL_S, answering
from tests.simulation.database import Refused
from tests.simulation.scheduler import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from tests.simulation.clients import Serve
    from tests.simulation.database import Answer
    from tests.simulation.scheduler import Scheduler

LATE_MAX_S: Final = 15.0
"""So late may a request arrive that its sender has given up on."""

_ADDRESS: Final = {"endpoint_url": "https://simulated"}


class Fault(StrEnum):
    """How a call goes wrong."""

    NOT_SENT = "not sent"
    """No connection: nothing arrives, and the caller knows at once, or after the time-out."""
    LATE = "late"
    """The caller gives up waiting; the request arrives long after."""
    UNHEARD = "unheard"
    """Carried out, but of the answer nothing usable arrives."""
    IN_THE_MIDST = "in the midst"
    """The caller gets an error while what it asked for is still under way."""
    EMPTY = "empty"
    """Carried out or refused; what arrives of the answer is ``{}``."""
    STALLED = "stalled"
    """Carried out, but the answer takes longer than the caller waits."""
    THROTTLED = "throttled"
    FAILED = "failed"
    """An internal error of AWS; nothing was done."""
    DENIED = "denied"
    """Rejected for a missing permission or credential; nothing was done."""
    PART_THROTTLED = "part throttled"
    """A transaction is cancelled: one of its parts has no capacity left. Of a batch of reads some come back unread."""
    KILLED_BEFORE = "killed before"
    """The process ends before the call leaves it."""
    KILLED_AFTER = "killed after"
    """The process ends when the call has left it."""


_KILLING: Final = frozenset({Fault.KILLED_BEFORE, Fault.KILLED_AFTER})


@dataclass(slots=True)
class Weather:
    """How often calls go wrong, and how: a probability for each kind."""

    chances: Mapping[Fault, float] = field(default_factory=dict)
    met: Counter[Fault] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    foretold: dict[str, Fault] = field(default_factory=dict)
    """What the next call of an operation meets for sure."""
    _total: float = 0.0

    def change(self, chances: Mapping[Fault, float]) -> None:
        """Let calls meet these faults from now on."""
        self.chances = chances
        self._total = sum(chances.values())

    def draw(self, chance: Random, operation: str) -> Fault | None:
        """The fault that the next call meets."""
        if operation in self.foretold:
            self.met[self.foretold[operation]] += 1
            return self.foretold.pop(operation)
        drawn = chance.random()
        if drawn >= self._total:
            return None
        for fault, share in self.chances.items():
            drawn -= share
            if drawn < 0:
                self.met[fault] += 1
                return fault
        return None


@dataclass(slots=True)
class FaultyWire:
    """The wire of one environment. ``kill`` ends the environment's process."""

    scheduler: Scheduler
    chance: Random
    weather: Weather
    kill: Callable[[], None]

    def call(self, operation: str, request: Mapping[str, Any], serve: Serve) -> Answer | Exception:
        self.weather.calls[operation] += 1
        fault = self.weather.draw(self.chance, operation)
        reply = Reply(self.scheduler)
        respond = answering(self.scheduler, reply)
        if fault is None:
            self.scheduler.after(TRAVEL_S, lambda: serve(request, respond))
        elif fault in _KILLING:
            if fault is Fault.KILLED_AFTER:
                self.scheduler.after(TRAVEL_S, lambda: serve(request, _unheard))
            self.kill()
        else:
            self._go_wrong(fault, operation, request, serve, reply)
        answer: Answer | Exception = reply.wait()
        return answer

    def _go_wrong(self, fault: Fault, operation: str, request: Mapping[str, Any], serve: Serve, reply: Reply) -> None:
        after, chance = self.scheduler.after, self.chance
        match fault:
            case Fault.NOT_SENT:
                delay_s, error = chance.choice(_NOT_SENT)
                after(delay_s, lambda: reply.retry(error()))
            case Fault.LATE:
                after(chance.random() * LATE_MAX_S * chance.random(), lambda: serve(request, _unheard))
                after(READ_TIMEOUT_S, lambda: reply.retry(_time_out()))
            case Fault.UNHEARD:
                ending = chance.choice(_UNUSABLE)
                after(TRAVEL_S, lambda: serve(request, lambda _: after(TRAVEL_S, lambda: reply.retry(ending()))))
            case Fault.IN_THE_MIDST:
                after(TRAVEL_S, lambda: serve(request, _unheard))
                # Anywhere within a transaction's time, up to between the writing of its parts.
                after(TRAVEL_S + chance.choice((0.025, 0.1)) * chance.random(), lambda: reply.retry(_failed()))
            case Fault.EMPTY:
                after(TRAVEL_S, lambda: serve(request, lambda _: after(TRAVEL_S, lambda: reply.retry({}))))
            case Fault.STALLED:
                after(TRAVEL_S, lambda: serve(request, _unheard))
                after(READ_TIMEOUT_S, lambda: reply.retry(_time_out()))
            case Fault.THROTTLED:
                code = chance.choice(_THROTTLING)
                after(2 * TRAVEL_S, lambda: reply.retry(Refused(code)))
            case Fault.DENIED:
                denial = chance.choice(DENIALS)
                after(2 * TRAVEL_S, lambda: reply.retry(Refused(denial)))
            case Fault.FAILED:
                after(2 * TRAVEL_S, lambda: reply.retry(_failed()))
            case _:
                self._throttle_a_part(operation, request, serve, reply)

    def _throttle_a_part(self, operation: str, request: Mapping[str, Any], serve: Serve, reply: Reply) -> None:
        respond = answering(self.scheduler, reply)
        if operation == "TransactWriteItems":
            part = self.chance.randrange(len(request["TransactItems"]))
            self.scheduler.after(TRAVEL_S, lambda: serve(request, respond, throttled_part=part))
        elif operation == "BatchGetItem":
            unread = dict([self.chance.choice(list(request["RequestItems"].items()))])

            def leave_out(answer: Any) -> None:
                found = {table: [] if table in unread else items for table, items in answer["Responses"].items()}
                respond({"Responses": found, "UnprocessedKeys": unread})

            self.scheduler.after(TRAVEL_S, lambda: serve(request, leave_out))
        else:
            self.scheduler.after(2 * TRAVEL_S, lambda: reply.retry(Refused("ThrottlingException")))


def _unheard(_: object) -> None:
    """Drop the answer: its caller has given up waiting."""


def _time_out() -> Exception:
    return ReadTimeoutError(**_ADDRESS)


def _failed() -> Refused:
    return Refused("InternalServerError", status=500)


_NOT_SENT: Final[tuple[tuple[float, Callable[[], Exception]], ...]] = (
    (TRAVEL_S, lambda: EndpointConnectionError(**_ADDRESS)),
    (TRAVEL_S, lambda: ConnectionClosedError(**_ADDRESS)),
    (CONNECT_TIMEOUT_S, lambda: ConnectTimeoutError(**_ADDRESS)),
    (READ_TIMEOUT_S, _time_out),
)
_UNUSABLE: Final[tuple[Callable[[], Exception | Refused], ...]] = (
    lambda: ConnectionClosedError(**_ADDRESS),
    lambda: IncompleteReadError(actual_bytes=7, expected_bytes=70),
    lambda: ChecksumError(checksum_type="crc32", expected_checksum="1", actual_checksum="2"),
    lambda: ResponseParserError("cut off"),
    _failed,
    lambda: Refused("ServiceUnavailable", status=503),
)
DENIALS: Final = ("AccessDeniedException", "ExpiredTokenException", "ResourceNotFoundException")
_THROTTLING: Final = ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded")
