"""The network's stand-in, right before a request would be sent: the client's own serializer, signer and parser run.

A sample of work is the same each time, so what the tables answer is found out once and then played back: what is
measured afterwards is the client of DynamoDB and not a copy of DynamoDB in Python.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from tests.benchmarks.tables import Bill, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest


class Body(io.BytesIO):
    """Of a response, as the client reads one."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: what was sent, and what the tables answered with which HTTP status."""

    operation: str
    sent: bytes
    status: int
    answer: bytes


class Transport:
    """Answers clients' calls: first from tables, and after each ``rewind`` with the same answers again."""

    def __init__(self, *clients: Any) -> None:
        self.tables = Tables()
        self.recorded: list[Exchange] = []
        self._recording = False
        self._position: int | None = None
        for client in clients:
            client.meta.events.register("before-send.dynamodb", self._answer)

    def begin_recording(self) -> None:
        """Keep what is asked from here on, and begin its bill."""
        self._recording = True
        self.recorded.clear()
        self.tables.bill = Bill()
        self.tables.ledger.clear()

    def rewind(self) -> None:
        """Play back from the first answer on; those before must all have been asked for."""
        assert self._position in (None, len(self.recorded)), "a sample made fewer calls than the first one"
        self._position = 0

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes)
        operation = event_name.rpartition(".")[2]
        if self._position is None:
            status, answer = self.tables.answer(operation, request.body)
            exchange = Exchange(operation, request.body, status, answer)
            if self._recording:
                self.recorded.append(exchange)
        else:
            exchange = self.recorded[self._position]
            self._position += 1
            # Keys, times and the token of a transaction are others each time, but as long.
            assert operation == exchange.operation, "a sample does not call what the first one called"
            assert len(request.body) == len(exchange.sent), "a sample does not ask what the first one asked"
        return AWSResponse("https://dynamodb.test", exchange.status, HTTPHeaders(), Body(exchange.answer))
