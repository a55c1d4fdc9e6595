"""The store in memory, exact under threads: the same contract suite runs against it and against DynamoDB's."""

from __future__ import annotations

import threading
from copy import replace
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inventory.domain.model import Adjustment, Business, Command, Snapshot, StockItem
from inventory.domain.rules import stock_after
from inventory.domain.store import GROUP_MAX, CommitResult, Committed

if TYPE_CHECKING:
    from collections.abc import Sequence
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

    def cached(self, command: Command) -> Snapshot | None:
        return None

    def load(
        self, command: Command, recorded_ids: Sequence[UUID], *, transactional: bool = False, **_: object
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
                recorded=self._rows(command.business_id, recorded_ids),
                reversed_by=None
                if command.reverses is None
                else self.reversals.get((command.business_id, command.reverses)),
                transactional=transactional,
            )

    def default_location_id(self, business_id: UUID) -> UUID | None:
        with self._lock:
            business = self.businesses.get(business_id)
        return None if business is None else business.default_location_id

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        assert len(adjustment_ids) <= GROUP_MAX
        with self._lock:
            return self._rows(business_id, adjustment_ids)

    def commit(self, rows: Sequence[Adjustment], snapshot: Snapshot) -> CommitResult:
        assert 1 <= len(rows) <= GROUP_MAX
        (stock_key,) = {(row.business_id, row.variant_id, row.location_id) for row in rows}
        business_id, *_ = stock_key
        reversed_ids = [row.reverses for row in rows if row.reverses is not None]
        with self._lock:
            recorded = self._rows(business_id, [row.id for row in rows])
            reversed_by = [each for id_ in reversed_ids if (each := self.reversals.get((business_id, id_)))]
            stock = self.stock.get(stock_key)
            if recorded or reversed_by or stock != snapshot.stock:
                return replace(
                    snapshot,
                    recorded={**snapshot.recorded, **recorded},
                    reversed_by=reversed_by[0] if reversed_by else snapshot.reversed_by,
                    stock=stock,
                    cached=False,
                    transactional=False,
                )
            self.ledger |= {(business_id, row.id): row for row in rows}
            self.stock[stock_key] = stock_after(rows[-1])
            self.reversals |= {(business_id, row.reverses): row.id for row in rows if row.reverses is not None}
            return Committed()

    def _rows(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        return {each: self.ledger[business_id, each] for each in adjustment_ids if (business_id, each) in self.ledger}
