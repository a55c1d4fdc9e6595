"""A proxy between the client and the database that loses, delays and bends what passes, at a chosen request.

What makes it worth having is the lost acknowledgement: the transaction was applied and the caller can't know.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self, override
from urllib.parse import urlsplit
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_PATIENCE_S: Final = 60
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_CHECKSUM: Final = "x-amz-crc32"


class Ending(Enum):
    """What the caller gets to see instead of the database's reply."""

    CLOSED = auto()
    RESET = auto()
    STALLED = auto()
    TRUNCATED = auto()
    CORRUPTED = auto()
    EMPTY_OBJECT = auto()
    EMPTY_BODY = auto()
    INTERNAL_ERROR = auto()
    UNAVAILABLE = auto()
    THROTTLED = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken exchange. Not ``delivered``: the database never saw the request, or sees it only when it is late."""

    ending: Ending
    delivered: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it arrived."""

    operation: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def members(self) -> dict[str, Any]:
        """The body's members."""
        members: dict[str, Any] = json.loads(self.body)
        return members


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the database."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


type Plan = Callable[[int], Fault | None]
"""The fault for the nth request of an operation from now, counted from 1."""


class FaultsProxy:
    """Forwards to the database at ``endpoint_url``; a context manager."""

    def __init__(self, endpoint_url: str) -> None:
        address = urlsplit(endpoint_url)
        self._database = (address.hostname or "", address.port or 80)
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._seen: Counter[str] = Counter()
        self._undelivered: list[Request] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.requests: list[Request] = []
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def break_nth(self, operation: str, fault: Fault, *, nth: int = 1) -> None:
        """Break the nth request of an operation from now, and no other."""
        self._plan(operation, lambda n: fault if n == nth else None)

    def break_every(self, operation: str, fault: Fault) -> None:
        """Break every request of an operation until ``mend``."""
        self._plan(operation, lambda _: fault)

    def mend(self) -> None:
        """Break nothing any more."""
        with self._lock:
            self._plans.clear()

    def deliver_late(self) -> list[Reply]:
        """Deliver the requests that were not, as a network may long after the caller gave up on them."""
        with self._lock:
            late, self._undelivered = self._undelivered, []
        return [self._forward(request) for request in late]

    def counted(self, operation: str) -> int:
        """How many HTTP requests of an operation arrived."""
        with self._lock:
            return sum(request.operation == operation for request in self.requests)

    def exchange(self, request: Request) -> tuple[Reply | None, Ending | None]:
        """Serve one request: the reply, where there is one, and how the exchange is to end where not with it."""
        with self._lock:
            self.requests.append(request)
            self._seen[request.operation] += 1
            plan = self._plans.get(request.operation)
            fault = None if plan is None else plan(self._seen[request.operation])
            if fault is not None and not fault.delivered:
                self._undelivered.append(request)
        if fault is None:
            return self._forward(request), None
        return self._forward(request) if fault.delivered else None, fault.ending

    def _plan(self, operation: str, plan: Plan) -> None:
        with self._lock:
            self._plans[operation] = plan
            self._seen[operation] = 0

    def _forward(self, request: Request) -> Reply:
        connection = HTTPConnection(*self._database, timeout=_PATIENCE_S)
        try:
            connection.request("POST", request.path, request.body, request.headers)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, proxy: FaultsProxy) -> None:
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Connection)

    def hang_up(self) -> None:
        """End every connection, so that each handler ends."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that hung up or was killed before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        reply, ending = self.server.proxy.exchange(Request(operation, self.path, dict(self.headers), body))
        if ending is None:
            assert reply is not None
            self._answer(reply)
        else:
            self._end(ending, reply)

    def _end(self, ending: Ending, reply: Reply | None) -> None:
        match ending:
            case Ending.CLOSED:
                self.close_connection = True
            case Ending.RESET:
                self._reset()
            case Ending.STALLED:
                self._wait_until_the_caller_gives_up()
            case Ending.TRUNCATED:
                assert reply is not None
                self._answer(reply, body=reply.body[: len(reply.body) // 2])
                self.close_connection = True
            case Ending.CORRUPTED:
                assert reply is not None
                self._answer(reply, body=_bent(reply.body))
            case _:
                self._answer(_REPLIES[ending])

    def _answer(self, reply: Reply, *, body: bytes | None = None) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in {"connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body if body is None else body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # Closed here, and in truth with the last file on it: nothing shuts it down in an orderly way before that.
        self.connection.close()
        self.close_connection = True

    def _wait_until_the_caller_gives_up(self) -> None:
        with suppress(ConnectionError):
            self.rfile.read(1)
        self.close_connection = True

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


def _reply_of_database(status: int, body: bytes) -> Reply:
    headers = [
        ("Content-Type", "application/x-amz-json-1.0"),
        ("Content-Length", str(len(body))),
        (_CHECKSUM, str(crc32(body))),
    ]
    return Reply(status, headers, body)


def _error(status: int, code: str) -> Reply:
    return _reply_of_database(status, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode())


_REPLIES: Final = {
    Ending.EMPTY_OBJECT: _reply_of_database(200, b"{}"),
    Ending.EMPTY_BODY: Reply(200, [("Content-Length", "0")], b""),
    Ending.INTERNAL_ERROR: _error(500, "InternalServerError"),
    # Not the database's, but that of something in front of it.
    Ending.UNAVAILABLE: Reply(503, [("Content-Length", "15")], b"<html>no</html>"),
    Ending.THROTTLED: _error(400, "ThrottlingException"),
}


def _bent(body: bytes) -> bytes:
    """Change one digit, a quantity's where there is one, so that the body is still JSON: only its checksum tells."""
    digit = re.search(rb'(?<="quantity": {"N": ")\d', body) or re.search(rb"\d", body)
    assert digit is not None
    return body[: digit.start()] + b"%d" % ((int(digit[0]) + 4) % 9 + 1) + body[digit.end() :]
