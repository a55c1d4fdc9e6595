"""Answers the questions of readers from the tables and the ledger's indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.errors import AdjustmentNotFound, GroupNotFound, LocationNotFound, VariantNotFound
from inventory.domain.model import StockItemId
from inventory.queries.levels import Level, level_at, level_now
from inventory.storage.items import read_stock_at_location

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.integrity.proof import Proof, Prover
    from inventory.queries.adjustments import AdjustmentFilter, History
    from inventory.queries.ledger_order import Position
    from inventory.queries.levels import LevelFilter
    from inventory.storage.ledger_index import LedgerIndex
    from inventory.storage.lookups import Lookups


def _now() -> datetime:
    return datetime.now(UTC)


class Recorded(NamedTuple):
    """An adjustment of the ledger; ``reversed_by`` is the id of its reversal, None if it was not reversed."""

    adjustment: Adjustment
    reversed_by: UUID | None


class AdjustmentsPage(NamedTuple):
    """Adjustments, newest first. The next page starts below ``next_position``, None on the last page."""

    adjustments: list[Recorded]
    next_position: Position | None


class LevelsPage(NamedTuple):
    """Levels of one variant by location. The next page starts after ``next_location_id``, None on the last page."""

    levels: list[Level]
    next_location_id: UUID | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads adjustments, levels and proofs.

    Each method raises ``StoreUnavailable`` if a part could not be read in time, and ``CorruptData`` if the tables were
    tampered with in a way that makes an answer impossible.
    """

    lookups: Lookups
    index: LedgerIndex
    history: History
    prover: Prover
    at_once: AtOnce = map
    clock: Callable[[], datetime] = _now

    def adjustment(self, business_id: UUID, adjustment_id: UUID, *, budget: RetryBudget) -> Recorded:
        """Read one adjustment.

        Raises:
            AdjustmentNotFound: the business has no adjustment with that id.
        """
        found = budget.retry(partial(self.lookups.adjustment, business_id, adjustment_id))
        if found is None:
            raise AdjustmentNotFound
        return Recorded(*found)

    def group(self, business_id: UUID, group_id: UUID, *, budget: RetryBudget) -> list[Recorded]:
        """Read all rows of a group, in their order.

        Raises:
            GroupNotFound: the business has no group with that id.
        """
        rows = budget.retry(partial(self.lookups.group, business_id, group_id))
        if rows is None:
            raise GroupNotFound
        reversals = budget.retry(partial(self.lookups.reversals, business_id, rows))
        return [Recorded(row, reversals.get(row.id)) for row in rows]

    def adjustments(
        self, business_id: UUID, wanted: AdjustmentFilter, *, below: Position | None, limit: int, budget: RetryBudget
    ) -> AdjustmentsPage:
        """Read a page of adjustments."""
        page = self.history.page(business_id, wanted, below=below, limit=limit, budget=budget)
        reversals = budget.retry(partial(self.lookups.reversals, business_id, page.rows))
        return AdjustmentsPage([Recorded(row, reversals.get(row.id)) for row in page.rows], page.next_position)

    def levels(
        self, business_id: UUID, wanted: LevelFilter, *, after: UUID | None, limit: int, budget: RetryBudget
    ) -> LevelsPage:
        """Read a page of levels, one for each location where the variant was ever adjusted.

        Raises:
            VariantNotFound, LocationNotFound: there was no adjustment, and an adjustment would be refused in the same
                way.
        """
        if wanted.location_id is None:
            found, has_more = self._stock_items(business_id, wanted.variant_id, after, limit, budget)
        else:
            item = budget.retry(partial(self.lookups.stock_item, business_id, wanted.variant_id, wanted.location_id))
            found, has_more = [] if item is None else [read_stock_at_location(item)], False
        if not found and after is None:
            self._require_active(business_id, wanted.variant_id, wanted.location_id, budget)

        def level(found: tuple[UUID, StockItem]) -> Level | None:
            location_id, stock = found
            return self._level(StockItemId(business_id, wanted.variant_id, location_id), stock, wanted.as_of, budget)

        levels = [each for each in self.at_once(level, found) if each is not None]
        return LevelsPage(levels, found[-1][0] if has_more else None)

    def _level(
        self, stock_item_id: StockItemId, stock: StockItem, as_of: datetime | None, budget: RetryBudget
    ) -> Level | None:
        if as_of is None:
            return level_now(stock_item_id, stock)
        read = partial(level_at, self.index, stock_item_id, stock, as_of, now=self.clock())
        return budget.retry(partial(read, between_calls=budget.require_time))

    def _stock_items(
        self, business_id: UUID, variant_id: UUID, after: UUID | None, limit: int, budget: RetryBudget
    ) -> tuple[list[tuple[UUID, StockItem]], bool]:
        """Give the next stock items, at least one if there is one, and whether others may follow."""
        while True:
            # One more than the page has shows whether there is a next page.
            page = budget.retry(
                partial(self.lookups.stock_items, business_id, variant_id, after=after, limit=limit + 1)
            )
            if page.stock_items or page.next_after is None:
                return page.stock_items[:limit], len(page.stock_items) > limit or page.next_after is not None
            after = page.next_after

    def proof(self, stock_item_id: StockItemId, *, cursor: str | None, budget: RetryBudget) -> Proof:
        """Prove the history of one stock item, or continue a proof.

        Raises:
            VariantNotFound, LocationNotFound: as for its level.
            InvalidCursor: the cursor is not one of this stock item's proof.
            TryAgain: the tables gave no answer in time.
        """
        proof = self.prover.prove(stock_item_id, cursor, remaining_s=budget.remaining_s)
        if proof.verified and not proof.rows:
            self._require_active(*stock_item_id, budget)
        return proof

    def _require_active(
        self, business_id: UUID, variant_id: UUID, location_id: UUID | None, budget: RetryBudget
    ) -> None:
        """Refuse a variant or location that was never adjusted, and that an adjustment could not use either.

        Raises:
            VariantNotFound, LocationNotFound: as for an adjustment.
        """
        variant, location = budget.retry(partial(self.lookups.active, business_id, variant_id, location_id))
        if not variant:
            raise VariantNotFound
        if not location:
            raise LocationNotFound
