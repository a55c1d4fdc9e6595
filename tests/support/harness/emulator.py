"""Clients with the service's own configuration, and a count of what they call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inventory.aws.clients import dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class Clients:
    """Makes clients and closes all of them; each stands for the one client of a Lambda environment."""

    endpoint_url: str
    _made: list[DynamoDBClient] = field(default_factory=list)

    def make(self, endpoint_url: str | None = None, *, read_timeout_s: float | None = None) -> DynamoDBClient:
        """The service's client, of the emulator unless another address (a proxy's) is given.

        ``read_timeout_s`` changes nothing but its budget: short to see time-outs, long to see none on a busy machine.
        """
        client = dynamodb_client(endpoint_url or self.endpoint_url)
        self._made.append(client)
        if read_timeout_s is not None:

            def be_patient(request: Any, **_: object) -> None:
                request.context["read_timeout"] = read_timeout_s

            client.meta.events.register("before-send.dynamodb", be_patient)
        return client

    def close(self) -> None:
        """Close every connection."""
        for client in self._made:
            client.close()


class Calls:
    """The calls of one client, in order; each is one round trip, for the SDK makes one attempt a call."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.operations: list[str] = []
        self.cancellations: list[list[str]] = []
        client.meta.events.register("before-call.dynamodb", self._called)
        client.meta.events.register("after-call.dynamodb.TransactWriteItems", self._answered)

    def forget(self) -> None:
        """Start counting anew."""
        self.operations.clear()
        self.cancellations.clear()

    def _called(self, model: Any, **_: object) -> None:
        self.operations.append(model.name)

    def _answered(self, parsed: dict[str, Any], **_: object) -> None:
        if "CancellationReasons" in parsed:
            self.cancellations.append([reason["Code"] for reason in parsed["CancellationReasons"]])
