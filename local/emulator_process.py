"""The emulator's own process, run by `.venv-emulator`'s interpreter; `emulator.py` is the side that starts it.

It is the emulator's server with eleven additions: a lock that says who is alive, a queue in front of the functions, the
functions' logs in a file, the names of their errors, streams that begin anew with it, a queue's limit as a number, a
cache of parsed expressions, an API that passes all bodies as bytes, has no path with an empty segment and answers a
crash as it is set up to, and an answer in the API's form where there is nothing.
"""

import argparse
import asyncio
import base64
import fcntl
import functools
import importlib
import json
import os
import re
import signal
import sys
import threading
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

ALREADY_RUNNING = 3  # exit status
LOG_STREAMS_KEPT = 200  # for each function
EXPRESSIONS_CACHED = 1_000

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_INVOCATIONS = "/2015-03-31/functions/"
_NESTED = b"x-ministack-invoke-depth"
_OF_AN_API = re.compile(r"/(?:_aws/execute-api|restapis)/(?P<api>[^/]+)/(?P<stage>[^/]+)(?:/|$)")


class QueuedInvocations:
    """An ASGI application that lets at most `in_flight` calls of functions through at a time; the rest wait in order.

    The emulator starts one interpreter per function call in flight, about 50 MB and a second of CPU each. Two hundred
    requests at once would start hundreds and time all of them out, where a queue answers each after a few seconds.
    """

    def __init__(self, application: Application, in_flight: int) -> None:
        self._application = application
        self._slots = asyncio.Semaphore(in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, in turn if it calls a function."""
        if not _calls_a_function(scope):
            await self._application(scope, receive, send)
            return
        async with self._slots:
            await self._application(scope, receive, send)


class UnknownPaths:
    """An ASGI application that answers requests to paths that are nobody's as the API does.

    The emulator takes them for S3's and answers in XML. Requests to S3 and to all other services of AWS are signed; a
    browser's and those that miss the API's address are not. ``stages`` gives the ids and stages of the APIs.
    """

    def __init__(self, application: Application, stages: Callable[[], Mapping[str, Collection[str]]]) -> None:
        self._application = application
        self._stages = stages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _is_signed(scope) or self._is_somebodys(scope["path"]):
            await self._application(scope, receive, send)
            return
        body = json.dumps({"detail": {"code": "not_found", "message": self._message()}}).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "x-request-id": str(uuid.uuid4()),
        }
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 404, "headers": named})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _is_somebodys(self, path: str) -> bool:
        if path.startswith("/_ministack/"):
            return True
        found = _OF_AN_API.match(path)
        return found is not None and found["stage"] in self._stages().get(found["api"], ())

    def _message(self) -> str:
        pages = [
            f"/_aws/execute-api/{api}/{stage}/api/v1/docs" for api, each in self._stages().items() for stage in each
        ]
        return " ".join(["There is no such path or method.", *(f"The API's own page is {page}." for page in pages)])


def _is_signed(scope: Scope) -> bool:
    if b"X-Amz-Signature=" in scope.get("query_string", b""):
        return True
    return any(name == b"authorization" and value.startswith(b"AWS4-") for name, value in scope["headers"])


def _calls_a_function(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    path: str = scope["path"]
    if path.startswith("/_aws/execute-api/") or "/_user_request_/" in path:
        return True
    if path.startswith(_INVOCATIONS) and path.endswith("/invocations"):
        # A function that calls a function holds a slot already. If it waited for another, all could wait for ever.
        return all(name != _NESTED for name, _ in scope["headers"])
    return False


def copy_function_logs(cloudwatch_logs: Any, path: Path) -> None:
    """Append every line that a function logs to `path`, by standing where the emulator offers them to subscribers.

    The emulator opens a log stream for each invocation and would keep all of them in memory and in its saved state, so
    that every load test made later starts and stops slower. The file has the lines; here the latest streams stay.
    """
    # No public hook exists; the emulator's version is pinned.
    deliver = cloudwatch_logs._fanout_to_subscription_filters  # noqa: SLF001
    log = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    trimming = threading.Lock()

    def copy(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        function = group.rpartition("/")[2]
        lines = [
            f"{datetime.fromtimestamp(event['timestamp'] / 1000, UTC):%H:%M:%S} {function} {event['message']}\n"
            for event in events
            if not event["message"].startswith(("START RequestId:", "END RequestId:"))
        ]
        log.write("".join(lines))  # one write, so that the lines of one call stay together
        with trimming:
            streams = cloudwatch_logs._log_groups[group]["streams"]  # noqa: SLF001
            for oldest in list(streams)[:-LOG_STREAMS_KEPT]:
                del streams[oldest]
        deliver(group, stream, events)

    cloudwatch_logs._fanout_to_subscription_filters = copy  # noqa: SLF001


def name_function_errors(functions: Any) -> None:
    """Answer an exception's class name as `errorType`, as Lambda does; the emulator calls them all by one name."""
    # No public hook exists; the emulator's version is pinned.
    execute = functions._execute_function_warm  # noqa: SLF001

    def named(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            # The last line of the traceback, `package.ClassName: message`, is the only place that has the class.
            last_line, colon, _ = result.get("log", "").rstrip("\n").rpartition(f": {body['errorMessage']}")
            class_name = last_line.rpartition("\n")[2].rpartition(".")[2]
            if colon and class_name.isidentifier():
                body["errorType"] = class_name
        return result

    functions._execute_function_warm = named  # noqa: SLF001


def begin_streams_anew(functions: Any) -> None:
    """Let what reads a table's stream begin with the first record after a start.

    The emulator saves how far each reader has come, but not the records: a reader would wait until a stream that began
    anew has as many as the former one had, and skip them all.
    """
    # No public hook exists; the emulator's version is pinned.
    restore = functions._restore_esm_positions  # noqa: SLF001

    def restored(store: Any, positions: Any) -> None:
        if store is not functions._dynamodb_stream_positions:  # noqa: SLF001
            restore(store, positions)

    functions._restore_esm_positions = restored  # noqa: SLF001


def read_limits_of_queues_as_numbers(functions: Any) -> None:
    """Take the most batches of a queue at a time as a number, also where a parameter of the template gives it.

    The emulator keeps such a value as text, compares it with a number, and never delivers a message.
    """
    # No public hook exists; the emulator's version is pinned.
    limit = functions._sqs_esm_concurrency  # noqa: SLF001
    functions._sqs_esm_concurrency = lambda *mapping: int(limit(*mapping))  # noqa: SLF001


def cache_expressions(dynamodb: Any) -> None:
    """Parse an expression once: the emulator does it again for each item that it looks at.

    And a Query of it looks at all items of its partition, which for the ledger of a big business are many.
    """
    # No public hook exists; the emulator's version is pinned. Neither function's result is ever changed.
    for name in ("_tokenize", "_condition_syntax_error"):
        setattr(dynamodb, name, functools.lru_cache(EXPRESSIONS_CACHED)(getattr(dynamodb, name)))


def pass_bodies_as_bytes(gateway: Any) -> None:
    """Pass every body to a function in base64 where an API is set up for it, as API Gateway does.

    The emulator looks at `Content-Type` first. Without one it passes a text, in which replacement characters stand for
    bytes that are not UTF-8; nothing distinguishes them from replacement characters that were sent.
    """
    # No public hook exists; the emulator's version is pinned.
    build = gateway._build_lambda_event_v1  # noqa: SLF001

    def built(*request: Any, binary_media_types: list[str] | None = None, **context: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*request, binary_media_types=binary_media_types, **context)
        body: bytes = request[7]
        if body and "*/*" in (binary_media_types or []):
            event |= {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}
        return event

    gateway._build_lambda_event_v1 = built  # noqa: SLF001


def find_no_empty_segments(gateway: Any) -> None:
    """Find nothing under a path with an empty segment, such as `/api//v1`, as API Gateway is said to do.

    The emulator finds what it would without, but asks the authorizer's policy for the path as it is, which no policy
    names: a good token would be forbidden. One slash at the end is ignored by both.
    """
    # No public hook exists; the emulator's version is pinned.
    execute = gateway._execute_in_scope  # noqa: SLF001

    async def executed(request: Any, api_id: str, stage: str, method: str, path: str, *others: Any) -> Any:
        deployed = gateway._stages_v1.get(api_id, {}).get(stage)  # noqa: SLF001
        if "//" in path and deployed:
            request["stage"] = deployed  # the gateway's own answers are made from it
            return gateway._gw_error("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")  # noqa: SLF001
        return await execute(request, api_id, stage, method, path, *others)

    gateway._execute_in_scope = executed  # noqa: SLF001


def answer_crashes_as_set_up(gateway: Any) -> None:
    """Answer the crash of a function by the gateway response that the API has for it, as API Gateway does.

    The emulator answers 502 with the text of the error, whatever the API is set up to.
    """
    # No public hook exists; the emulator's version is pinned.
    invoke = gateway._invoke_lambda_proxy_v1  # noqa: SLF001

    async def invoked(*request: Any, **context: Any) -> Any:
        answer = await invoke(*request, **context)
        crashed = isinstance(answer, tuple) and answer[0] == HTTPStatus.BAD_GATEWAY
        return gateway._gw_error("DEFAULT_5XX", "Internal server error") if crashed else answer  # noqa: SLF001

    gateway._invoke_lambda_proxy_v1 = invoked  # noqa: SLF001


def stop_when_closed(lifeline: int) -> None:
    """Stop this process, with its state saved, once the other end of the pipe `lifeline` is closed."""

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def main() -> None:
    """Run the emulator until a signal stops it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pid-file", type=Path, required=True)
    parser.add_argument("--functions-log", type=Path, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--lifeline", action="store_true", help="stop when the standard input closes")
    arguments = parser.parse_args()

    pid_file = arguments.pid_file.open("a+", encoding="ascii")
    try:
        fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(ALREADY_RUNNING)
    pid_file.truncate(0)
    pid_file.write(f"{os.getpid()} {os.environ['GATEWAY_PORT']}\n")
    pid_file.flush()

    emulator: Any = importlib.import_module("ministack.app")
    copy_function_logs(importlib.import_module("ministack.services.cloudwatch_logs"), arguments.functions_log)
    functions = importlib.import_module("ministack.services.lambda_svc")
    name_function_errors(functions)
    begin_streams_anew(functions)
    read_limits_of_queues_as_numbers(functions)
    cache_expressions(importlib.import_module("ministack.services.dynamodb"))
    gateway = importlib.import_module("ministack.services.apigateway_v1")
    pass_bodies_as_bytes(gateway)
    find_no_empty_segments(gateway)
    answer_crashes_as_set_up(gateway)
    emulator.app = UnknownPaths(QueuedInvocations(emulator.app, arguments.in_flight), lambda: gateway._stages_v1)  # noqa: SLF001
    if arguments.lifeline:
        stop_when_closed(sys.stdin.fileno())
    sys.argv[1:] = []  # the emulator reads the command line too
    emulator.main()


if __name__ == "__main__":
    main()
