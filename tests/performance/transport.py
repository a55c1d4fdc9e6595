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

from tests.performance.tables import Bill, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass(frozen=True, slots=True)
class _Exchange:
    size_bytes: int
    answer: bytes


class Transport:
    """Answers a client's calls: first from tables, and after each ``rewind`` with the same answers again."""

    def __init__(self, client: Any) -> None:
        self.tables = Tables()
        self._recorded: list[_Exchange] = []
        self._position: int | None = None
        for operation in ("BatchGetItem", "TransactWriteItems"):
            client.meta.events.register(f"before-send.dynamodb.{operation}", self._answer)

    def begin_recording(self) -> None:
        """Bill and keep what is asked from here on."""
        self._recorded.clear()
        self.tables.bill = Bill()
        self.tables.ledger.clear()

    def rewind(self) -> None:
        """Play back from the first answer on; those before must all have been asked for."""
        assert self._position in (None, len(self._recorded)), "a sample made fewer calls than the first one"
        self._position = 0

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
        assert isinstance(request.body, bytes)
        if self._position is None:
            answer = self.tables.answer(event_name.rpartition(".")[2], request.body)
            self._recorded.append(_Exchange(len(request.body), answer))
        else:
            exchange = self._recorded[self._position]
            self._position += 1
            # The token of a transaction is another one each time, but as long.
            assert len(request.body) == exchange.size_bytes, "a sample does not ask what the first one asked"
            answer = exchange.answer
        return AWSResponse("https://dynamodb.test", 200, HTTPHeaders(), _Body(answer))
