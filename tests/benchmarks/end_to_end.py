"""One hot item on the emulator: adjustments a second through the queue, against as many HTTP requests.

A local stack of its own is brought up by ``make run``, and stopped at the end. Times are a clock's, of a shared
machine: they are reported, and nothing is judged by them.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import httpx

from tests.e2e.conftest import REQUEST_TIMEOUT_S, local_service, running_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.e2e.service import Business, Service

ADJUSTMENTS: Final = 200
WARM_UP_ADJUSTMENTS: Final = 64
ROUNDS: Final = 3
CLIENTS: Final = 16
NOTE: Final = (
    f"HTTP: {CLIENTS} clients; each sends its next request when the last one is answered, and a 503 again.\n"
    "The emulator hands out at most 10 messages a batch and runs at most 4 functions of the queue at once (AWS here:\n"
    "1,000 and 10). Its times say nothing of AWS: there a transaction takes longer, and so merging saves more."
)
_MESSAGES_OF_CALL: Final = 10
_PAUSE_S: Final = 0.02
_LIMIT_S: Final = 120.0


class Run(NamedTuple):
    """``repeated`` counts the requests that were sent again because of contention."""

    round: int
    way: str
    adjustments: int
    seconds: float
    per_second: float
    repeated: int


def measure() -> list[Run]:
    """Take turns, on an item of its own each time, after a warm-up of both ways."""
    runs = []
    with _service() as service:
        for way in _WAYS.values():
            way(service.new_business(), WARM_UP_ADJUSTMENTS)
        for number in range(1, ROUNDS + 1):
            for name, way in _WAYS.items():
                business = service.new_business()
                begun_s = time.perf_counter()
                repeated = way(business, ADJUSTMENTS)
                seconds = time.perf_counter() - begun_s
                assert business.stock() == (ADJUSTMENTS, ADJUSTMENTS), "lost or doubled"
                runs.append(Run(number, name, ADJUSTMENTS, seconds, ADJUSTMENTS / seconds, repeated))
    return runs


def ratio(runs: Sequence[Run]) -> float:
    """How many times as fast the queue is."""
    of_queue, of_http = (median(run.per_second for run in runs if run.way == way) for way in ("queue", "HTTP"))
    return of_queue / of_http


@contextmanager
def _service() -> Iterator[Service]:
    limits = httpx.Limits(max_connections=None)
    with (
        TemporaryDirectory() as folder,
        running_stack(Path(folder)) as stack,
        httpx.Client(timeout=REQUEST_TIMEOUT_S, limits=limits, trust_env=False) as http,
    ):
        yield local_service(stack, http)


def _through_the_queue(business: Business, count: int) -> int:
    service = business.service
    bodies = [json.dumps(business.payload(1)) for _ in range(count)]
    for start in range(0, count, _MESSAGES_OF_CALL):
        reply = service.queues.send_message_batch(
            QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"],
            Entries=[
                {"Id": str(place), "MessageBody": body}
                for place, body in enumerate(bodies[start : start + _MESSAGES_OF_CALL])
            ],
        )
        assert not reply.get("Failed")
    _wait_for_rows(business, count)
    return 0


def _over_http(business: Business, count: int) -> int:
    with ThreadPoolExecutor(CLIENTS) as clients:
        repeated = sum(clients.map(lambda _: _post(business), range(count)))
    _wait_for_rows(business, count)
    return repeated


_WAYS: Final[dict[str, Callable[[Business, int], int]]] = {"HTTP": _over_http, "queue": _through_the_queue}


def _post(business: Business) -> int:
    """Send one request until it is carried out; how often it was sent again."""
    key = str(uuid4())
    repeated = 0
    while (status := business.adjust(1, key=key).status_code) != HTTPStatus.CREATED:
        assert status == HTTPStatus.SERVICE_UNAVAILABLE, f"answered {status}"
        repeated += 1
    return repeated


def _wait_for_rows(business: Business, count: int) -> None:
    """Wait for the stock item's sequence, which is the number of its ledger rows."""
    deadline_s = time.monotonic() + _LIMIT_S
    while _sequence(business) < count:
        assert time.monotonic() < deadline_s, "not all rows in time"
        time.sleep(_PAUSE_S)


def _sequence(business: Business) -> int:
    try:
        return business.stock()[1]
    except KeyError:
        return 0
