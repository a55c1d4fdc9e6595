"""The store in memory, exact under threads: the same contract suite runs against it and against DynamoDB's."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inventory.adjust import (
    AlreadyRecorded,
    CommitResult,
    Committed,
    ReversedMeanwhile,
    StockMoved,
    stock_after,
    unlimited,
)
from inventory.model import Adjustment, Business, Command, Snapshot, StockItem

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

type StockKey = tuple[UUID, UUID, UUID]
"""Business, variant, location."""


@dataclass
class FakeStore:
    """Catalog, stock and ledger as dictionaries; a lock stands for the transaction.

    ``reversals`` links each adjustment that was reversed, by business and id, to its reversal.
    """

    businesses: dict[UUID, Business] = field(default_factory=dict)
    active_variants: set[tuple[UUID, UUID]] = field(default_factory=set)
    active_locations: set[tuple[UUID, UUID]] = field(default_factory=set)
    stock: dict[StockKey, StockItem] = field(default_factory=dict)
    ledger: dict[tuple[UUID, UUID], Adjustment] = field(default_factory=dict)
    reversals: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(
        self, command: Command, recorded_id: UUID | None, *, between_calls: Callable[[], None] = unlimited
    ) -> Snapshot:
        business = self.businesses.get(command.business_id)
        location_id = command.location_id or (business.default_location_id if business else None)
        with self._lock:
            return Snapshot(
                business=business,
                variant_active=(command.business_id, command.variant_id) in self.active_variants,
                location_id=location_id,
                location_active=location_id is not None and (command.business_id, location_id) in self.active_locations,
                stock=None
                if location_id is None
                else self.stock.get((command.business_id, command.variant_id, location_id)),
                recorded=None if recorded_id is None else self.ledger.get((command.business_id, recorded_id)),
                reversed_by=None
                if command.reverses is None
                else self.reversals.get((command.business_id, command.reverses)),
            )

    def find(self, business_id: UUID, adjustment_id: UUID) -> Adjustment | None:
        with self._lock:
            return self.ledger.get((business_id, adjustment_id))

    def commit(self, row: Adjustment, seen: StockItem | None) -> CommitResult:
        stock_key = (row.business_id, row.variant_id, row.location_id)
        with self._lock:
            recorded = self.ledger.get((row.business_id, row.id))
            if recorded is not None:
                return AlreadyRecorded(recorded)
            if row.reverses is not None and (row.business_id, row.reverses) in self.reversals:
                return ReversedMeanwhile(self.reversals[row.business_id, row.reverses])
            stock = self.stock.get(stock_key)
            if (stock.sequence if stock else None) != (seen.sequence if seen else None):
                return StockMoved(stock)
            self.ledger[row.business_id, row.id] = row
            self.stock[stock_key] = stock_after(row)
            if row.reverses is not None:
                self.reversals[row.business_id, row.reverses] = row.id
            return Committed()
