"""An execution environment of Lambda: the service's own code, with a client, clocks and chance of the simulation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from inventory.adjusting.loop import Adjuster
from inventory.entrypoints.past_levels import level_reader
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.stock_store import StockStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.simulation.clients import SimulatedClient
    from tests.simulation.scheduler import Scheduler

INVENTORY: Final = "inventory"
LEDGER: Final = "ledger"
ACCESS: Final = "access"
BEGINNING: Final = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)
"""The wall clock's time at virtual time 0."""


@dataclass(slots=True)
class WallClock:
    """A machine's idea of the present: the virtual time and an error of its own, in seconds, that may jump."""

    scheduler: Scheduler
    error_s: float = 0.0

    def time_s(self) -> float:
        """Seconds since the epoch."""
        return BEGINNING.timestamp() + self.scheduler.now_s + self.error_s

    def now(self) -> datetime:
        """The present in UTC."""
        return BEGINNING + timedelta(seconds=self.scheduler.now_s + self.error_s)


def drawn_id(chance: Random) -> UUID:
    """A random UUID, of the simulation's chance."""
    return UUID(int=chance.getrandbits(128), version=4)


def store_on(
    client: SimulatedClient, time_s: Callable[[], float], *, kind: type[StockStore] = StockStore
) -> StockStore:
    """The service's store on a simulated client."""
    return kind(
        cast("DynamoDBClient", cast("Any", client)), inventory_table=INVENTORY, ledger_table=LEDGER, time_s=time_s
    )


def adjuster_on(store: StockStore, client: SimulatedClient, clock: WallClock, chance: Random) -> Adjuster:
    """The service's use case on a store, put together as ``wiring`` does it."""
    index = DynamoDBLedgerIndex(cast("DynamoDBClient", cast("Any", client)), LEDGER)
    return Adjuster(
        store=store,
        clock=clock.now,
        new_id=lambda: drawn_id(chance),
        fraction=chance.random,
        sleep=clock.scheduler.sleep,
        level_as_of=level_reader(index, clock.now),
    )
