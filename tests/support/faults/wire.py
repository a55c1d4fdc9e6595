"""Replies and faults at the wire: the client's real parser and error handling run on them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest

type Reply = AWSResponse | Exception | None
"""What a call meets: a reply, a broken connection, or (None) the engine behind the client."""


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


def reply(body: object, status: int = 200) -> AWSResponse:
    """A reply of DynamoDB with a JSON body."""
    return AWSResponse("https://dynamodb.test", status, HTTPHeaders(), _Body(json.dumps(body).encode()))


def fault(code: str, status: int = 400, **members: object) -> AWSResponse:
    """An error reply of DynamoDB; its message names a table, as real ones do."""
    message = "User is not allowed: arn:aws:dynamodb:eu-central-1:000000000000:table/secret-table"
    return reply({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **members}, status)


def cancelled(*codes: str) -> AWSResponse:
    """A cancelled transaction, with a reason for each of its items."""
    return fault("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def broken() -> ConnectionClosedError:
    """A connection that was closed before the reply."""
    return ConnectionClosedError(endpoint_url="https://dynamodb.test/secret-table")


class Wire:
    """Answers one operation of a client with the given replies, the last one for ever; counts the calls.

    ``sent`` is what each of them asked for.
    """

    def __init__(self, client: Any, operation: str, *replies: Reply) -> None:
        self.calls = 0
        self.sent: list[Any] = []
        self._replies = replies
        self._events = client.meta.events
        self._name = f"before-send.dynamodb.{operation}"
        self._events.register_first(self._name, self._answer)

    def remove(self) -> None:
        """Give the operation back to the engine behind the client."""
        self._events.unregister(self._name, self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        self.sent.append(json.loads(cast("bytes", request.body)))
        answer = self._replies[min(self.calls, len(self._replies) - 1)]
        self.calls += 1
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            # All handlers of the event are called, those of an engine in memory too: it must not carry the call out.
            request.url = "https://dynamodb.test"
        return answer
