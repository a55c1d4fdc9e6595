"""Callers that behave as callers should: what is unanswered is sent again with the same key, and only with a key."""

from __future__ import annotations

import json
import random
import threading
import time
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Final

import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.aws import EmulatedAws
from tests.campaigns.chaos.record import Request, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.e2e.service import Business

TIMEOUT_S: Final = 600
"""How long a request with a key is repeated; longer than any trouble lasts."""

_UNANSWERED: Final = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_BEYOND_ANY_STOCK: Final = -1_000_000
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

    def __init__(self, name: str, businesses: Sequence[Business], seed: int, gate: Gate) -> None:
        self._name = name
        self._gate = gate
        self._chance = random.Random(f"{name} {seed}")
        self._business = self._chance.choice(businesses)
        self._numbers = count(1)
        self._stands: list[Request] = []
        self.requests: list[Request] = []

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Send until ``stop`` is set; requests in progress are completed."""
        while goes_on():
            request = self._drawn()
            self.requests.append(request)
            self._carry_out(request)
            if request.answers:
                self._stands.append(request)
            if request.answers and request.key is not None and self._chance.random() < 0.1:
                self.repeat(request)

    def repeat(self, request: Request) -> None:
        """Send what was answered already once more: its key must be answered as it was."""
        answered = len(request.answers) + len(request.refusals) + len(request.odd)
        self._until(request, lambda: len(request.answers) + len(request.refusals) + len(request.odd) > answered)

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

    def _drawn(self) -> Request:
        business, chance = self._business, self._chance
        mark = f"{self._name}, request {next(self._numbers)}"
        key = _key_of(mark) if chance.random() < 0.8 else None
        if self._stands and chance.random() < 0.2:
            # Now and then one that was reversed before, which must be refused.
            row = chance.choice(self._stands).answers[0]
            return Request(
                mark, Way.REVERSAL, business.id, row["location_id"], -row["delta"], key=key, reverses=row["id"]
            )
        location_id = chance.choice([business.location_id, business.other_location_id])
        change = chance.choice([-4, -3, -2, -1, 1, 2, 3, 4, 5]) if chance.random() < 0.95 else _BEYOND_ANY_STOCK
        return Request(mark, Way.ADJUSTMENT, business.id, location_id, change, key=key)

    def _send(self, request: Request) -> None:
        with self._gate:
            request.sent += 1
            try:
                response = self._asked_for(request)
            except httpx.TransportError:
                return
        if response.status_code == HTTPStatus.CREATED:
            request.answers.append(response.json())
        elif response.status_code == HTTPStatus.CONFLICT:
            request.refusals.append(response.json()["detail"]["code"])
        elif response.status_code not in _UNANSWERED:
            request.odd.append(f"{response.status_code}: {response.text}")

    def _asked_for(self, request: Request) -> httpx.Response:
        if request.reverses is not None:
            return self._business.reverse(request.reverses, key=request.key, reason=request.mark)
        return self._business.adjust(
            request.quantity_change, key=request.key, reason=request.mark, location_id=request.location_id
        )


class QueueSender:
    """One sender of messages; each with a key is sent until the queue has taken it, each without a key once."""

    def __init__(self, name: str, businesses: Sequence[Business], seed: int) -> None:
        self._name = name
        self._chance = random.Random(f"{name} {seed}")
        self._businesses = businesses
        self._numbers = count(1)
        service = businesses[0].service
        aws = EmulatedAws(service.base_url.partition("/_aws/")[0])
        self._queues = aws.session.client("sqs", endpoint_url=aws.endpoint_url, config=_ONCE)
        self._queue_url = service.outputs["AdjustmentRequestsQueueUrl"]
        self.requests: list[Request] = []

    def run(self, *, goes_on: Callable[[], bool]) -> None:
        """Send until ``stop`` is set, with a pause after each, because the queue has no other limit."""
        while goes_on():
            business, request = self._drawn()
            self.requests.append(request)
            deadline = time.monotonic() + TIMEOUT_S
            for _ in self._tries(request):
                self._send(business, request)
                time.sleep(self._chance.uniform(0.05, 0.5))
                if time.monotonic() > deadline:
                    break

    def _tries(self, request: Request) -> Iterator[None]:
        yield
        while request.key is not None and not request.accepted:
            yield

    def _drawn(self) -> tuple[Business, Request]:
        chance = self._chance
        business = chance.choice(self._businesses)
        mark = f"{self._name}, message {next(self._numbers)}"
        refused = chance.random() < 0.1
        return business, Request(
            mark,
            Way.MESSAGE,
            business.id,
            chance.choice([business.location_id, business.other_location_id]),
            # What is refused or not whatever the stock is: a message may be delivered twice, and the stock differ.
            _BEYOND_ANY_STOCK if refused else chance.randint(1, 5),
            key=_key_of(mark) if chance.random() < 0.7 else None,
            must_be_refused=refused,
        )

    def _send(self, business: Business, request: Request) -> None:
        request.sent += 1
        fields = {} if request.key is None else {"idempotency_key": request.key}
        payload = business.payload(
            request.quantity_change, reason=request.mark, location_id=request.location_id, **fields
        )
        try:
            self._queues.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(payload))
        except (BotoCoreError, ClientError):
            return
        request.accepted = True


def _key_of(mark: str) -> str:
    return mark.replace(" ", "-")
