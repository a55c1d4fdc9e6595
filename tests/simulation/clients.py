"""AWS clients of a simulated environment: the calls of boto3's that the service makes, over a wire that can fail.

What is raised are botocore's own exceptions, so that the service's own code judges them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3

from tests.simulation.database import Refused
from tests.simulation.scheduler import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.bus import Bus
    from tests.simulation.database import Answer, Database, Respond
    from tests.simulation.scheduler import Scheduler

    type Serve = Callable[..., None]

TRAVEL_S: Final = 0.00075
"""One way between a function and the database, both in one Region."""


class Wire(Protocol):
    """What lies between a client and a service: it delivers requests and brings answers, or not."""

    def call(self, operation: str, request: Mapping[str, Any], serve: Serve) -> Answer | Exception:
        """Let the present task make a call, and wait for how it ends."""
        ...


@dataclass(frozen=True, slots=True)
class SoundWire:
    """A wire that only takes its time."""

    scheduler: Scheduler
    calls: dict[str, int] = field(default_factory=dict)

    def call(self, operation: str, request: Mapping[str, Any], serve: Serve) -> Answer | Exception:
        self.calls[operation] = self.calls.get(operation, 0) + 1
        reply = Reply(self.scheduler)
        respond = answering(self.scheduler, reply)
        self.scheduler.after(TRAVEL_S, lambda: serve(request, respond))
        answer: Answer = reply.wait()
        return answer


def answering(scheduler: Scheduler, reply: Reply) -> Respond:
    """Let a service's answer travel back."""
    return lambda answer: scheduler.after(TRAVEL_S, lambda: reply.retry(answer))


class SimulatedClient:
    """The DynamoDB client of one environment. ``sender`` names the caller, for the checker."""

    def __init__(self, database: Database, wire: Wire) -> None:
        self.sender = ""
        self._database = database
        self._wire = wire

    @property
    def exceptions(self) -> Any:
        """The modelled exceptions, those of a real client."""
        return _exceptions("dynamodb")

    def get_item(self, **request: Any) -> Any:
        return self._call("GetItem", self._database.get_item, request)

    def put_item(self, **request: Any) -> Any:
        return self._call("PutItem", partial(self._database.put_item, sender=self.sender), request)

    def update_item(self, **request: Any) -> Any:
        return self._call("UpdateItem", partial(self._database.update_item, sender=self.sender), request)

    def batch_get_item(self, **request: Any) -> Any:
        return self._call("BatchGetItem", self._database.batch_get_item, request)

    def query(self, **request: Any) -> Any:
        return self._call("Query", self._database.query, request)

    def transact_get_items(self, **request: Any) -> Any:
        return self._call("TransactGetItems", self._database.transact_get_items, request)

    def transact_write_items(self, **request: Any) -> Any:
        rows = [part["Put"]["Item"] for part in request["TransactItems"] if "Put" in part]
        self._database.tried.update((self.sender, row["hash"]["S"]) for row in rows if "hash" in row)
        serve = partial(self._database.transact_write_items, sender=self.sender)
        return self._call("TransactWriteItems", serve, request)

    def _call(self, operation: str, serve: Serve, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return _outcome("dynamodb", operation, self._wire.call(operation, request, serve))


class SimulatedBusClient:
    """The EventBridge client of one environment; ``sender`` as above."""

    def __init__(self, bus: Bus, wire: Wire) -> None:
        self.sender = ""
        self._bus = bus
        self._wire = wire

    def put_events(self, **request: Any) -> Any:
        serve = partial(self._bus.put_events, sender=self.sender)
        return _outcome("events", "PutEvents", self._wire.call("PutEvents", request, serve))


def _outcome(service: str, operation: str, answer: Answer | Exception) -> Mapping[str, Any]:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Refused):
        error = {
            "Error": {"Code": answer.code, "Message": answer.code},
            "ResponseMetadata": {"HTTPStatusCode": answer.status},
        }
        raise _exceptions(service).from_code(answer.code)(error | dict(answer.members), operation)
    return answer


@cache
def _exceptions(service: str) -> Any:
    return boto3.client(service, region_name="eu-central-1").exceptions  # type: ignore[call-overload]
