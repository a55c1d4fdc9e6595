"""Many writers on one stock item, or with batches that overlap: how often they succeed and try, how long they wait.

Each writer has an environment of its own, as at the worst; the service's own loop and store run against the simulated
database, in virtual time. Through the queue the same requests are messages, and the service's own ingest takes them.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from inventory.domain.errors import TryAgain
from inventory.domain.model import Command, Group, Outcome
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.queue import ingest
from inventory.storage import keys
from tests.simulation.clients import SimulatedClient, SoundWire
from tests.simulation.database import Database, Paces
from tests.simulation.environment import INVENTORY, LEDGER, WallClock, adjuster_on, store_on
from tests.simulation.policies import Policy, store_kind
from tests.simulation.scheduler import Scheduler
from tests.support.builders.domain import budget_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from inventory.adjusting.loop import Adjuster
    from inventory.aws.event_bus import EventBus
    from inventory.domain.model import Rejection
    from tests.simulation.policies import CountingStore

WRITERS: Final = (1, 2, 4, 8, 16, 32, 64)
API_TIMEOUT_S: Final = 10.0
QUEUE_TIMEOUT_S: Final = 30.0
BATCH_WINDOW_S: Final = 1.0
BATCH_MAX: Final = 1_000
CONCURRENCY_MAX: Final = 10
"""``MaximumConcurrency`` of the queue's event source: as many batches may be under way at a time."""

_BUSINESS: Final = UUID(int=1)
_LOCATION: Final = UUID(int=3)
_VARIANT: Final = UUID(int=4)
_VARIANTS: Final = tuple(UUID(int=_VARIANT.int + number) for number in range(98))
"""Twice as many as a batch can have. Of these each batch has some; a single adjustment is always of the first."""


class By(StrEnum):
    """The way in."""

    HTTP = "HTTP"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Load:
    """``writers`` send one request after the other for ``duration_s``, with ``thinking_s`` between an answer and the
    next request on average (over the queue: between two messages). With ``items``, each request is a batch with a line
    for so many of 98 stock items, drawn anew each time."""

    writers: int
    thinking_s: float
    by: By = By.HTTP
    duration_s: float = 60.0
    items: int | None = None


@dataclass(slots=True)
class Measured:
    """What became of the requests; latencies in seconds from the call to its answer, or to the row in the ledger."""

    load: Load
    requests: int = 0
    in_time: int = 0
    latencies_s: list[float] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    rows: int = 0
    quantity: int = 0
    transactions: int = 0
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def succeeded(self) -> int:
        return len(self.latencies_s)

    @property
    def success_rate(self) -> float:
        return self.succeeded / max(self.requests, 1)

    @property
    def per_second(self) -> float:
        """Adjustments committed a second, while requests come."""
        return self.in_time / self.load.duration_s

    @property
    def calls_each(self) -> float:
        """Calls to the database for each adjustment that was committed."""
        return sum(self.calls.values()) / max(self.succeeded, 1)

    def latency_s(self, share: float) -> float:
        """The latency that this share of the successful requests stayed within."""
        return _quantile(self.latencies_s, share)

    def attempts_at(self, share: float) -> float:
        """The attempts that this share of all requests stayed within."""
        return _quantile(self.attempts, share)

    @property
    def attempts_mean(self) -> float:
        return sum(self.attempts) / max(len(self.attempts), 1)


def measure(load: Load, policy: Policy | None = None, *, seed: int = 1, paces: Paces | None = None) -> Measured:
    """Run one load under one policy."""
    policy = policy or Policy()
    with policy.in_force():
        return _Run(load, policy, Random(seed), paces or Paces()).run()


class _Run:
    def __init__(self, load: Load, policy: Policy, chance: Random, paces: Paces) -> None:
        self._load = load
        self._policy = policy
        self._chance = chance
        self._scheduler = Scheduler()
        self._database = Database(self._scheduler, chance, paces)
        self._wire = SoundWire(self._scheduler)
        self._measured = Measured(load, calls=self._wire.calls)
        self._messages: deque[_Message] = deque()
        for sk, members in (
            (keys.SETTINGS, {"allow_negative_stock": {"BOOL": False}}),
            *((keys.variant(variant), {"active": {"BOOL": True}}) for variant in _VARIANTS),
            (keys.location(_LOCATION), {"active": {"BOOL": True}}),
        ):
            pk = keys.business(_BUSINESS)
            self._database.items[INVENTORY, pk, sk] = {"pk": {"S": pk}, "sk": {"S": sk}, **members}

    def run(self) -> Measured:
        for _ in range(self._load.writers):
            self._scheduler.spawn(self._write_by_http if self._load.by is By.HTTP else self._send_messages)
        if self._load.by is By.QUEUE:
            for _ in range(CONCURRENCY_MAX):
                self._scheduler.spawn(self._take_messages)
        # What is under way at the end is let go to its end, so that the ledger and the answers can be compared.
        self._scheduler.run(until_s=self._load.duration_s + 2 * QUEUE_TIMEOUT_S)
        self._scheduler.close()
        measured = self._measured
        items = self._database.items
        measured.rows = sum(table == LEDGER for table, _, _ in items)
        places = [(INVENTORY, keys.stock(_BUSINESS, variant), str(_LOCATION)) for variant in _VARIANTS]
        measured.quantity = sum(int(items[place]["quantity"]["N"]) for place in places if place in items)
        measured.transactions = self._database.commits
        return measured

    def _environment(self) -> Adjuster:
        client = SimulatedClient(self._database, self._wire)
        clock = WallClock(self._scheduler)
        return adjuster_on(store_on(client, clock.time_s, kind=store_kind(self._policy)), client, clock, self._chance)

    def _think(self) -> None:
        if self._load.thinking_s:
            self._scheduler.sleep(self._load.thinking_s * 2 * self._chance.random())

    @property
    def _is_open(self) -> bool:
        return self._scheduler.now_s < self._load.duration_s

    # ----------------------------------------------------------------------------------------------------------- HTTP

    def _write_by_http(self) -> None:
        scheduler, adjuster = self._scheduler, self._environment()
        store = cast("CountingStore", adjuster.store)
        self._think()
        while self._is_open:
            begun_s, commits = scheduler.now_s, store.commits
            self._measured.requests += 1
            with suppress(TryAgain):
                self._carry_out(adjuster, budget_of(adjuster, _remaining(scheduler, API_TIMEOUT_S)))
                self._succeeded(begun_s)
            self._measured.attempts.append(store.commits - commits)
            self._think()

    def _carry_out(self, adjuster: Adjuster, budget: RetryBudget) -> None:
        if self._load.items is None:
            adjuster.carry_out(_of_one(_VARIANT), budget)
        else:
            drawn = self._chance.sample(_VARIANTS, self._load.items)
            adjuster.carry_out_group(Group(tuple(map(_of_one, drawn))), budget)

    def _succeeded(self, begun_s: float) -> None:
        self._measured.latencies_s.append(self._scheduler.now_s - begun_s)
        self._measured.in_time += self._is_open

    # ---------------------------------------------------------------------------------------------------------- queue

    def _send_messages(self) -> None:
        scheduler = self._scheduler
        body = json.dumps(
            {
                "business_id": str(_BUSINESS),
                "variant_id": str(_VARIANT),
                "location_id": str(_LOCATION),
                "quantity_change": 1,
                "reason": "counted",
            }
        )
        self._think()
        while self._is_open:
            self._measured.requests += 1
            message = _Message(str(UUID(int=self._chance.getrandbits(128))), body, scheduler.now_s)
            self._messages.append(message)
            if self._load.thinking_s:
                self._think()
            else:
                # Without thought the next message follows as soon as this one is done.
                while not message.is_done:
                    scheduler.sleep(0.01)

    def _take_messages(self) -> None:
        """One batch after the other: take the messages that are there, wait for the window, and take more."""
        scheduler, adjuster = self._scheduler, self._environment()
        while self._is_open or self._messages:
            batch = self._some()
            if not batch:
                scheduler.sleep(0.02 * (0.5 + self._chance.random()))
                continue
            closes_s = scheduler.now_s + BATCH_WINDOW_S
            while scheduler.now_s < closes_s and len(batch) < BATCH_MAX:
                scheduler.sleep(0.02 * (0.5 + self._chance.random()))
                batch += self._some()
            self._ingest(batch, adjuster)

    def _some(self) -> list[_Message]:
        """What one receive call finds: at most 10 messages."""
        return [self._messages.popleft() for _ in range(min(10, len(self._messages)))]

    def _ingest(self, batch: list[_Message], adjuster: Adjuster) -> None:
        remaining_s = _remaining(self._scheduler, QUEUE_TIMEOUT_S)
        budget = RetryBudget(remaining_s, adjuster.sleep, adjuster.fraction)
        done = ingest(
            [
                {"messageId": each.id, "body": each.body, "attributes": {"ApproximateReceiveCount": "1"}}
                for each in batch
            ],
            adjuster,
            _NoRejections(),
            cast("EventBus", _NoBus()),
            budget=budget,
            at_once=_AtOnce(self._scheduler),
        )
        for message, result in zip(batch, done, strict=True):
            if isinstance(result.result, Outcome):
                message.is_done = True
                self._succeeded(message.sent_s)
                self._measured.attempts.append(result.result.attempts)
            else:
                self._messages.append(message)


@dataclass(slots=True)
class _Message:
    id: str
    body: str
    sent_s: float
    is_done: bool = False


class _NoRejections:
    """Nothing is rejected here, and no message comes twice."""

    def find(self, _message_digests: Sequence[str]) -> dict[str, Rejection]:
        return {}

    def put(self, *_: object) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _AtOnce:
    """The groups of a batch side by side, as many as in ``ingest_adjustments``."""

    scheduler: Scheduler

    def __call__[T, R](self, function: Callable[[T], R], values: Iterable[T], /) -> Iterator[R]:
        return self.scheduler.at_once(function, values, width=8)


class _NoBus:
    """Nothing is rejected here, so nothing is published."""

    def put_all(self, events: list[Any], _: RetryBudget) -> list[Any]:
        assert not events
        return []


def _of_one(variant_id: UUID) -> Command:
    return Command(_BUSINESS, variant_id, 1, "counted", "writer", location_id=_LOCATION)


def _remaining(scheduler: Scheduler, timeout_s: float) -> Callable[[], float]:
    ends_s = scheduler.now_s + timeout_s
    return lambda: ends_s - scheduler.now_s


def _quantile(values: list[Any], share: float) -> float:
    if not values:
        return 0.0
    ordered = sorted(values)
    return float(ordered[min(int(share * len(ordered)), len(ordered) - 1)])
