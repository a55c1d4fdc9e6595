"""Callers that behave as callers should: what is unanswered is sent again with the same key, and only with a key."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from inventory.api.routes import (
    CREATE_ADJUSTMENT,
    CREATE_BATCH,
    LIST_ADJUSTMENTS,
    RECORD_COUNT,
    REVERSE_ADJUSTMENT,
    REVERSE_GROUP,
    TRANSFER,
)
from ops.aws import EmulatedAws
from tests.campaigns.chaos.record import Way, changing
from tests.campaigns.chaos.requests import Draw, body_of
from tests.campaigns.chaos.verdict import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.campaigns.chaos.record import Request, Row
    from tests.campaigns.chaos.shop import Shop

TIMEOUT_S: Final = 600
"""How long a request with a key is repeated; longer than any trouble lasts."""

_UNANSWERED: Final = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_POLL_S: Final = 1.0
# The SDK would send a message without a key twice where the first answer was lost: the two are two requests then.
_ONCE: Final = Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 1}, proxies={})


class Gate:
    """Counts the requests over HTTP that are under way, and can hold back new ones."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed = False
        self._under_way = 0

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def close(self, *, until: int) -> None:
        """Let no more through, and wait until so many are left under way, or as long as one may take."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._under_way <= until, timeout=TIMEOUT_S)

    def open(self) -> None:
        with self._changed:
            self._closed = False
            self._changed.notify_all()


class HttpCaller:
    """One client, which sends its next request when it knows what became of the last, or can't know it."""

    def __init__(self, name: str, shops: Sequence[Shop], seed: int, gate: Gate) -> None:
        self._gate = gate
        self._chance = random.Random(f"{name} {seed}")
        self._draw = Draw(name, self._chance.choice(shops), self._chance)
        self._business = self._draw.shop.business
        self.requests: list[Request] = []

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Send until ``stop`` is set; requests in progress are completed."""
        while goes_on():
            request = self._draw.over_http()
            self.requests.append(request)
            self._carry_out(request)
            if request.answers:
                self._draw.stands += [each.answers[0] for each in changing([request]) if each.answers]
            if request.answers and request.is_group and self._chance.random() < 0.3:
                self._read_group(request)
            if request.answers and request.key is not None and self._chance.random() < 0.1:
                self.repeat(request)

    def repeat(self, request: Request) -> None:
        """Send what was answered already once more: its key must be answered as it was."""
        answered = request.answered
        self._until(request, lambda: request.answered > answered)

    def _carry_out(self, request: Request) -> None:
        if request.key is None:
            self._send(request)
        else:
            self._until(request, lambda: request.final)

    def _until(self, request: Request, answered: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            self._send(request)
            if answered():
                return
            time.sleep(self._chance.uniform(0.05, 0.5))

    def _send(self, request: Request) -> None:
        with self._gate:
            request.sent += 1
            try:
                response = self._asked_for(request)
            except httpx.TransportError:
                return
        if response.status_code == HTTPStatus.CREATED:
            answer = response.json()
            request.answers.append(answer["data"] if request.is_group else [answer])
        elif response.status_code == HTTPStatus.OK and request.parts:
            _take_lines(request, response.json()["data"])
        elif response.status_code == HTTPStatus.CONFLICT:
            request.refusals.append(response.json()["detail"]["code"])
        elif response.status_code not in _UNANSWERED:
            request.odd.append(f"{response.status_code}: {response.text}")

    def _asked_for(self, request: Request) -> httpx.Response:
        business = self._business
        headers = business.headers() if request.key is None else business.headers(**{"Idempotency-Key": request.key})
        return business.service.post(body_of(request), headers, path=_path_of(request))

    def _read_group(self, request: Request) -> None:
        """What was acknowledged as a group is read whole at once."""
        with self._gate, suppress(httpx.TransportError, httpx.HTTPStatusError):
            (first, *_) = answer = request.answers[0]
            read = self._draw.shop.group(first["group_id"])
            if [row | {"reversed_by": None} for row in read] != [row | {"reversed_by": None} for row in answer]:
                request.odd.append(f"a group, and read as {read}")


def _path_of(request: Request) -> str:
    match request.way:
        case Way.ADJUSTMENT:
            return CREATE_ADJUSTMENT.path
        case Way.COUNT:
            return RECORD_COUNT.path
        case Way.TRANSFER:
            return TRANSFER.path
        case Way.REVERSAL:
            return REVERSE_ADJUSTMENT.path.format(id=request.changes[0].reverses)
        case Way.GROUP_REVERSAL:
            return REVERSE_GROUP.path.format(group_id=request.group_id)
        case _:
            return CREATE_BATCH.path


def _take_lines(request: Request, lines: Sequence[dict[str, Any]]) -> None:
    """Take the results of a batch of mode ``each``; it is answered when no line is open.

    A line that was refused wrote nothing, so its key is free: asked again it may be applied.
    """
    if [each["line"] for each in lines] != [*range(len(request.parts))]:
        request.odd.append(f"200, with other lines: {lines}")
        return
    for part, result in zip(request.parts, lines, strict=True):
        part.sent = request.sent
        if result["status"] == HTTPStatus.CREATED:
            part.refusals.clear()
            part.answers.append([result["adjustment"]])
        elif result["status"] == HTTPStatus.CONFLICT:
            part.refusals[:] = [result["error"]["code"]]
        elif result["status"] != HTTPStatus.SERVICE_UNAVAILABLE:
            part.odd.append(f"{result['status']}: {result['error']}")
    if all(each["status"] != HTTPStatus.SERVICE_UNAVAILABLE for each in lines):
        request.answers.append([each["adjustment"] for each in lines if "adjustment" in each])


class QueueSender:
    """One sender of messages; each with a key is sent until the queue has taken it, each without a key once."""

    def __init__(self, name: str, shops: Sequence[Shop], seed: int) -> None:
        self._chance = random.Random(f"{name} {seed}")
        self._draws = [Draw(f"{name} to business {n}", shop, self._chance) for n, shop in enumerate(shops, start=1)]
        service = shops[0].business.service
        aws = EmulatedAws(service.base_url.partition("/_aws/")[0])
        self._queues = aws.session.client("sqs", endpoint_url=aws.endpoint_url, config=_ONCE)
        self._queue_url = service.outputs["AdjustmentRequestsQueueUrl"]
        self.requests: list[Request] = []

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Send until ``stop`` is set, with a pause after each, because the queue has no other limit."""
        while goes_on():
            request = self._chance.choice(self._draws).message()
            self.requests.append(request)
            deadline = time.monotonic() + TIMEOUT_S
            for _ in self._tries(request):
                self._send(request)
                time.sleep(self._chance.uniform(0.05, 0.5))
                if time.monotonic() > deadline:
                    break

    def _tries(self, request: Request) -> Iterator[None]:
        yield
        while request.key is not None and not request.accepted:
            yield

    def _send(self, request: Request) -> None:
        request.sent += 1
        payload = {"business_id": request.business_id, "idempotency_key": request.key, **body_of(request)}
        try:
            self._queues.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(payload))
        except (BotoCoreError, ClientError):
            return
        request.accepted = True


class FeedReader:
    """Follows the feed of a business, oldest first: it has to be given each row once."""

    def __init__(self, shop: Shop, gate: Gate) -> None:
        self.shop = shop
        self._gate = gate
        self._cursor: dict[str, str] = {}
        self._rows: list[Row] = []
        self._settled_to = ""

    @property
    def feed(self) -> Feed:
        """What it was given."""
        return Feed(self._rows, self._settled_to)

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Poll every second until ``stop`` is set."""
        while goes_on():
            with self._gate, suppress(httpx.TransportError, httpx.HTTPStatusError):
                self._read()
            time.sleep(_POLL_S)

    def finish(self) -> None:
        """Read what is settled by now to its end."""
        while self._read():
            pass

    def _read(self) -> int:
        page = self.shop.get(LIST_ADJUSTMENTS.path, {"order": "asc", "limit": "100", **self._cursor})
        # Only now: of a page that did not come the same cursor gives it again.
        self._cursor = {"cursor": page["next_cursor"]}
        self._rows += page["data"]
        self._settled_to = page["settled_to"]
        return len(page["data"])
