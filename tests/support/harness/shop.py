"""A business with a catalog on the tables, and environments of the service that work for it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from inventory.adjusting.loop import Adjuster
from inventory.adjusting.reversal import carry_out
from inventory.domain.model import Command, Reversal
from inventory.entrypoints.past_levels import level_reader
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from tests.support.builders.domain import budget_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.domain.model import Adjustment, Outcome, StockItem
    from inventory.domain.store import Store
    from tests.support.harness.emulated_tables import Tables

AMPLE_S = 1_000_000.0
"""Time left that never runs out, so that no result depends on how fast the machine is."""


@dataclass(frozen=True)
class Shop:
    """A business with two variants and two locations, ``location_id`` being the default one."""

    tables: Tables
    business_id: UUID = field(default_factory=uuid4)
    variant_id: UUID = field(default_factory=uuid4)
    other_variant_id: UUID = field(default_factory=uuid4)
    location_id: UUID = field(default_factory=uuid4)
    other_location_id: UUID = field(default_factory=uuid4)

    def open(self, *, allow_negative_stock: bool = False) -> Shop:
        """Register it all, as operators would."""
        command = partial(self.tables.command, business_id=self.business_id)
        command("register_business", name="Shop", allow_negative_stock=allow_negative_stock)
        command("register_location", location_id=self.location_id, name="Floor", default=True)
        command("register_location", location_id=self.other_location_id, name="Cellar")
        for variant_id in (self.variant_id, self.other_variant_id):
            command("register_variant", variant_id=variant_id, sku=f"SKU {variant_id}")
        return self

    def command(self, quantity_change: int, *, key: str | None = None, **members: Any) -> Command:
        """An adjustment of the variant at the default location, left unnamed, unless ``members`` say otherwise."""
        named: dict[str, Any] = {"variant_id": self.variant_id, "reason": "Counted", "actor": "tester"} | members
        return Command(business_id=self.business_id, quantity_change=quantity_change, idempotency_key=key, **named)

    def reversal(self, row: Adjustment, *, key: str | None = None, **members: Any) -> Reversal:
        """The reversal of a row."""
        named: dict[str, Any] = {"reason": "Counted wrong", "actor": "tester"} | members
        return Reversal(business_id=self.business_id, adjustment_id=row.id, idempotency_key=key, **named)

    def stock(self, variant_id: UUID | None = None) -> StockItem | None:
        """The stock item of a variant at the default location."""
        return self.tables.stock(self.business_id, variant_id or self.variant_id, self.location_id)

    def rows(self, variant_id: UUID | None = None) -> list[Adjustment]:
        """The ledger rows of a variant at the default location."""
        wanted = (self.business_id, variant_id or self.variant_id, self.location_id)
        return [row for row in self.tables.rows() if (row.business_id, row.variant_id, row.location_id) == wanted]


@dataclass(frozen=True)
class Environment:
    """One environment of the service: a client, a store with its own memory, the loop."""

    client: DynamoDBClient
    store: Store
    adjuster: Adjuster

    def adjust(self, command: Command, *, remaining_s: Callable[[], float] = lambda: AMPLE_S) -> Outcome:
        """Apply a command as a handler does."""
        return self.adjuster.carry_out(command, budget_of(self.adjuster, remaining_s))

    def reverse(self, reversal: Reversal, *, remaining_s: Callable[[], float] = lambda: AMPLE_S) -> Outcome:
        """Reverse an adjustment as a handler does."""
        return carry_out(self.adjuster, reversal, budget_of(self.adjuster, remaining_s))


@dataclass
class Waits:
    """Stands for sleeping where nothing is gained by it: takes the time down and returns at once."""

    waited_s: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.waited_s.append(seconds)


def environment(
    client: DynamoDBClient,
    tables: Tables,
    *,
    store: Store | None = None,
    sleep: Callable[[float], None] | None = None,
    fraction: Callable[[], float] = random.random,
    time_s: Callable[[], float] = time.time,
    clock_ahead: timedelta = timedelta(),
) -> Environment:
    """A fresh environment, as after a cold start. It does not really sleep between attempts unless asked to.

    ``clock_ahead`` is how far its machine's clock is from the right time.
    """
    store = store or tables.store(client, time_s=time_s)
    adjuster = Adjuster(
        store=store,
        clock=lambda: datetime.now(UTC) + clock_ahead,
        new_id=uuid4,
        fraction=fraction,
        sleep=sleep or Waits(),
        level_as_of=level_reader(DynamoDBLedgerIndex(client, tables.ledger), lambda: datetime.now(UTC)),
    )
    return Environment(client, store, adjuster)
