"""The store in memory, exact under threads: the same contract suite runs against it and against DynamoDB's."""

from __future__ import annotations

import threading
from copy import replace
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inventory.domain.model import (
    Adjustment,
    Business,
    Command,
    Rejection,
    ReversalLink,
    Snapshot,
    StockItem,
    StockItemId,
)
from inventory.domain.rules import stock_after, stock_item_id, variant_name
from inventory.domain.store import GROUP_MAX, MESSAGES_MAX, OPERATIONS_MAX, Applied, CommitResult, Committed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.model import Direction


@dataclass
class FakeStore:
    """Catalog, stock and ledger as dictionaries; a lock stands for the transaction.

    ``reversals`` links each row or group that was reversed, by business and id, to its reversal. ``skus`` are the
    active variants' by business and SKU, ``reasons`` the active codes by business, ``rejections`` those of messages by
    their digests.
    """

    businesses: dict[UUID, Business] = field(default_factory=dict)
    active_variants: set[tuple[UUID, UUID]] = field(default_factory=set)
    active_locations: set[tuple[UUID, UUID]] = field(default_factory=set)
    skus: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    reasons: dict[UUID, dict[str, Direction]] = field(default_factory=dict)
    stock: dict[StockItemId, StockItem] = field(default_factory=dict)
    ledger: dict[tuple[UUID, UUID], Adjustment] = field(default_factory=dict)
    reversals: dict[tuple[UUID, UUID], ReversalLink] = field(default_factory=dict)
    rejections: dict[str, Rejection] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cached(self, commands: Sequence[Command]) -> Snapshot | None:
        return None

    def load(
        self,
        commands: Sequence[Command],
        recorded_ids: Sequence[UUID] = (),
        *,
        reverses: UUID | None = None,
        transactional: bool = False,
        **_: object,
    ) -> Snapshot:
        business_id = commands[0].business_id
        with self._lock:
            snapshot = self._catalog(commands)
            wanted = [stock_item_id(each, snapshot) for each in commands]
            stock = {each: self.stock[each] for each in wanted if each is not None and each in self.stock}
            link = None if reverses is None else self.reversals.get((business_id, reverses))
            return replace(
                snapshot,
                stock=stock,
                recorded=self._rows(business_id, recorded_ids),
                reversed_by=None if link is None else link.reversal_id,
                transactional=transactional,
            )

    def _catalog(self, commands: Sequence[Command]) -> Snapshot:
        business_id = commands[0].business_id
        named = {
            variant_name(each): each.variant_id or self.skus.get((business_id, each.sku or "")) for each in commands
        }
        business = self.businesses.get(business_id)
        default_id = business.default_location_id if business else None
        locations = [each for each in (line.location_id or default_id for line in commands) if each is not None]
        reasons, codes = self.reasons.get(business_id, {}), {each.reason_code for each in commands}
        return Snapshot(
            business=business,
            variants={
                name: variant_id
                for name, variant_id in named.items()
                if variant_id is not None and (business_id, variant_id) in self.active_variants
            },
            locations={each for each in locations if (business_id, each) in self.active_locations},
            reasons={code: direction for code, direction in reasons.items() if code in codes},
            stock={},
            recorded={},
        )

    def stock_item_ids(self, commands: Sequence[Command], **_: object) -> list[StockItemId | None]:
        with self._lock:
            business = self.businesses.get(commands[0].business_id)
        found: list[StockItemId | None] = []
        for each in commands:
            variant_id = each.variant_id or self.skus.get((each.business_id, each.sku or ""))
            location_id = each.location_id or (business.default_location_id if business else None)
            if variant_id is None or location_id is None:
                found.append(None)
            else:
                found.append(StockItemId(each.business_id, variant_id, location_id))
        return found

    def find(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        assert len(adjustment_ids) <= GROUP_MAX
        with self._lock:
            return self._rows(business_id, adjustment_ids)

    def commit(
        self,
        rows: Sequence[Adjustment],
        snapshot: Snapshot,
        link: ReversalLink | None = None,
        message_digests: Sequence[str] = (),
    ) -> CommitResult:
        business_id = rows[0].business_id
        changed = {row.stock_item_id for row in rows}
        assert 1 <= len(rows) + len(changed) + (link is not None) + len(message_digests) <= OPERATIONS_MAX
        with self._lock:
            recorded = self._rows(business_id, [row.id for row in rows])
            earlier = None if link is None else self.reversals.get((business_id, link.reversed_id))
            present = {each: self.stock[each] for each in changed if each in self.stock}
            rejected = {each: self.rejections[each] for each in message_digests if each in self.rejections}
            if (
                recorded
                or earlier
                or rejected
                or any(present.get(each) != snapshot.stock.get(each) for each in changed)
            ):
                return replace(
                    snapshot,
                    recorded={**snapshot.recorded, **recorded},
                    reversed_by=earlier.reversal_id if earlier else snapshot.reversed_by,
                    stock={**snapshot.stock, **present},
                    rejected={**snapshot.rejected, **rejected},
                    cached=False,
                    transactional=False,
                )
            for row in rows:
                self.ledger[business_id, row.id] = row
                self.stock[row.stock_item_id] = stock_after(row, self.stock.get(row.stock_item_id))
            if link is not None:
                self.reversals[business_id, link.reversed_id] = link
            return Committed()

    def rejections_of(self, message_digests: Sequence[str]) -> dict[str, Rejection]:
        """Find the rejections of messages."""
        assert len(message_digests) <= MESSAGES_MAX
        with self._lock:
            return {each: self.rejections[each] for each in message_digests if each in self.rejections}

    def reject(
        self, message_digest: str, rejection: Rejection, row_id: tuple[UUID, UUID] | None
    ) -> Rejection | Applied | None:
        """Record the rejection of a message, unless there is one or a row of its key."""
        with self._lock:
            if message_digest in self.rejections:
                return self.rejections[message_digest]
            if row_id in self.ledger:
                return Applied()
            self.rejections[message_digest] = rejection
            return None

    def level_as_of(self, stock_item: StockItemId, _: StockItem, as_of: datetime, *__: object) -> int:
        """The quantity after the last row up to an instant."""
        with self._lock:
            rows = [row for row in self.ledger.values() if row.stock_item_id == stock_item and row.created_at <= as_of]
        return max(rows, key=lambda row: row.sequence).quantity_after if rows else 0

    def _rows(self, business_id: UUID, adjustment_ids: Sequence[UUID]) -> dict[UUID, Adjustment]:
        return {each: self.ledger[business_id, each] for each in adjustment_ids if (business_id, each) in self.ledger}
