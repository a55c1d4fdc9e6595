"""The service's functions as Lambda runs them: environments that serve one invocation at a time, and may be killed.

What a handler does is done here as well: translate, call, translate; the rest is the service's own code.
"""

from __future__ import annotations

import copyreg
import threading
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast, override

from inventory.aws.event_bus import EventBus
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.provisioning import Provision
from inventory.storage.catalog import Catalog
from inventory.storage.catalog_scan import CatalogScan
from inventory.storage.lookups import Lookups
from inventory.storage.rejections import RejectionMarkers
from inventory.storage.stock_store import StockStore
from inventory.storage.tokens import TokenTable
from tests.simulation.bus import Bus
from tests.simulation.clients import SimulatedBusClient, SimulatedClient
from tests.simulation.database import Database, Paces
from tests.simulation.environment import ACCESS, INVENTORY, LEDGER, WallClock, adjuster_on, drawn_id, store_on
from tests.simulation.faults import FaultyWire, Weather
from tests.simulation.scheduler import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient

    from inventory.adjusting.loop import Adjuster
    from tests.simulation.scheduler import Scheduler, Task

API_TIMEOUT_S: Final = 10.0
QUEUE_TIMEOUT_S: Final = 30.0
GROUPS_AT_ONCE: Final = 8
CLOCK_ERROR_MAX_S: Final = 5.0
_IDLE_MAX: Final = 4
_KNOWN_MAX: Final = 20

# A restored environment has locks of its own.
copyreg.pickle(type(threading.Lock()), lambda _: (threading.Lock, ()))


class _ProvisionWithoutIndex(Provision):
    """Finds nothing that remains: the simulated database has no index of stock items."""

    @override
    def remaining(self, *_: Any, **__: Any) -> list[dict[str, object]]:
        return []


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the service an environment is made of: its own parts, or broken ones."""

    store: type[StockStore] = StockStore
    rejections: type[RejectionMarkers] = RejectionMarkers
    client: type[SimulatedClient] = SimulatedClient


class NoAnswer(Exception):
    """The environment was killed, or the caller gave up waiting."""


@dataclass(slots=True)
class World:
    """All that one history happens in. ``cut_off`` counts invocations that were still at work at their time-out."""

    scheduler: Scheduler
    chance: Random
    parts: Parts
    weather: Weather
    database: Database
    bus: Bus
    cut_off: int = 0
    environments: list[Environment] = field(default_factory=list)
    """Those that were made last."""
    killed: int = 0
    restored: int = 0
    """Environments that were restored from a snapshot."""
    restores: int = 0
    """Of the tables, from a backup."""

    @classmethod
    def make(cls, scheduler: Scheduler, chance: Random, parts: Parts) -> World:
        """A world with empty tables and fair weather."""
        # The parts of a transaction become visible over half of its time: more than in truth, so that many look then.
        database = Database(scheduler, chance, Paces(first_write=0.5, straggling=0.15))
        return cls(scheduler, chance, parts, Weather(), database, Bus(scheduler, chance))


class Environment:
    """One execution environment, with the memory that it keeps from invocation to invocation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = WallClock(world.scheduler, error_s=world.chance.gauss(0, 0.05))
        wire = FaultyWire(world.scheduler, world.chance, world.weather, self.kill)
        self.client = world.parts.client(world.database, wire)
        self.bus_client = SimulatedBusClient(world.bus, wire)
        self.store = store_on(self.client, self.clock.time_s, kind=world.parts.store)
        self.is_dead = False
        self._task: Task | None = None
        self._reply: Reply | None = None
        world.environments.append(self)
        del world.environments[:-_KNOWN_MAX]

    @property
    def adjuster(self) -> Adjuster:
        return adjuster_on(self.store, self.client, self.clock, self.world.chance)

    @property
    def rejections(self) -> RejectionMarkers:
        return self.world.parts.rejections(
            self._dynamodb, inventory_table=INVENTORY, ledger_table=LEDGER, clock=self.clock.now
        )

    @property
    def event_bus(self) -> EventBus:
        return EventBus(cast("EventBridgeClient", cast("Any", self.bus_client)), "bus")

    @property
    def access(self) -> TokenTable:
        return TokenTable(self._dynamodb, ACCESS)

    @property
    def provision(self) -> Provision:
        lookups = Lookups(self._dynamodb, inventory_table=INVENTORY, ledger_table=LEDGER)
        return _ProvisionWithoutIndex(
            catalog=Catalog(self._dynamodb, INVENTORY),
            access=self.access,
            lookups=lookups,
            scan=CatalogScan(self._dynamodb, INVENTORY, ACCESS),
            clock=self.clock.now,
            new_id=lambda: drawn_id(self.world.chance),
            new_token=lambda: "dz_none",
        )

    @property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", cast("Any", self.client))

    def budget(self, remaining_s: Callable[[], float]) -> RetryBudget:
        """What an invocation may still do, in virtual time."""
        return RetryBudget(remaining_s, self.world.scheduler.sleep, self.world.chance.random)

    def at_once[T, R](self, function: Callable[[T], R], values: Iterable[T], /) -> Iterator[R]:
        """Groups side by side, as by the function's own threads."""
        return self.world.scheduler.at_once(function, values, width=GROUPS_AT_ONCE)

    def begin(
        self, sender: str, work: Callable[[Environment], object], timeout_s: float, at_its_end: Callable[[], None]
    ) -> Reply:
        """Serve one invocation; the reply comes with its result, with what it raised, or with ``NoAnswer``.

        ``at_its_end`` happens when it is served, even when its caller has given up waiting.
        """
        self.client.sender = self.bus_client.sender = sender
        self._reply = reply = Reply(self.world.scheduler)

        def serve() -> None:
            try:
                result = work(self)
            except Exception as error:  # noqa: BLE001  the edge: the invoker gets every error, a rejection or a fault
                result = error
            self._task = self._reply = None
            at_its_end()
            reply.retry(result)

        self._task = task = self.world.scheduler.spawn(serve)

        def cut_off() -> None:
            if self._task is task:
                self.world.cut_off += 1
                self.kill()

        self.world.scheduler.after(timeout_s, cut_off)
        return reply

    def kill(self) -> None:
        """End the process wherever it is."""
        self.world.killed += 1
        self.is_dead = True
        task, reply, self._task, self._reply = self._task, self._reply, None, None
        if task is not None:
            task.kill()
        if reply is not None:
            self.world.scheduler.after(0.0, lambda: reply.retry(NoAnswer()))

    def restored(self) -> Environment:
        """Another environment that begins with what this one remembers now, as one restored from a snapshot of it."""
        self.world.restored += 1
        other = Environment(self.world)
        other.store = deepcopy(
            self.store, {id(self.client): other.client, id(self.clock): other.clock, id(self.world): self.world}
        )
        return other


@dataclass(slots=True)
class Function:
    """One Lambda function: its idle environments, and new ones where all are busy."""

    world: World
    timeout_s: float
    idle: list[Environment] = field(default_factory=list)

    def invoke(
        self,
        sender: str,
        work: Callable[[Environment, Callable[[], float]], Any],
        *,
        waits_s: float | None = None,
        served_by: Environment | None = None,
    ) -> Any:
        """Let the present task invoke it and wait, for ``waits_s`` at most; ``served_by`` serves it if it is idle.

        Raises:
            NoAnswer: none came.
            Exception: whatever the work raised.
        """
        scheduler = self.world.scheduler
        environment = self._environment(served_by)
        ends_s = scheduler.now_s + self.timeout_s
        reply = environment.begin(
            sender,
            lambda served_by: work(served_by, lambda: ends_s - scheduler.now_s),
            self.timeout_s,
            lambda: self._keep(environment),
        )
        if waits_s is not None:
            scheduler.after(waits_s, lambda: reply.retry(NoAnswer()))
        result = reply.wait()
        if isinstance(result, Exception):
            raise result
        return result

    def _keep(self, environment: Environment) -> None:
        self.idle.append(environment)
        del self.idle[:-_IDLE_MAX]

    def _environment(self, wanted: Environment | None) -> Environment:
        chance = self.world.chance
        if wanted is not None and wanted in self.idle:
            self.idle.remove(wanted)
            return wanted
        if not self.idle or chance.random() < 0.02:
            return Environment(self.world)
        environment = self.idle.pop(chance.randrange(len(self.idle)))
        if chance.random() < 0.03:
            self.idle.append(environment.restored())
        return environment
