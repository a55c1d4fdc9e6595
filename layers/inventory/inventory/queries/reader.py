"""The questions that readers ask, answered from the books and the ledger's indexes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from inventory.domain.errors import AdjustmentNotFound, LocationNotFound, VariantNotFound
from inventory.queries.levels import Level, level_at, level_now
from inventory.storage.items import located

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.integrity.proof import Proof, Prover
    from inventory.queries.adjustments import AdjustmentFilter, History, Position
    from inventory.storage.ledger_index import LedgerIndex
    from inventory.storage.lookups import Lookups


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An adjustment as it stands in the ledger; ``reversed_by`` is the id of its reversal, None where it has none."""

    adjustment: Adjustment
    reversed_by: UUID | None


@dataclass(frozen=True, slots=True)
class AdjustmentsPage:
    """Adjustments, newest first; the next page begins below ``next_position``."""

    adjustments: list[Recorded]
    next_position: Position | None


@dataclass(frozen=True, slots=True)
class LevelsPage:
    """Levels of one variant by location; the next page begins after ``next_location_id``."""

    levels: list[Level]
    next_location_id: UUID | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Each method raises ``StoreUnavailable`` where a part could not be read in time.

    Where somebody bent the books by hand, it raises ``BooksBent`` for what can't be answered from them.
    """

    books: Lookups
    index: LedgerIndex
    history: History
    prover: Prover
    at_once: AtOnce = map
    clock: Callable[[], datetime] = _now

    def adjustment(self, business_id: UUID, adjustment_id: UUID, *, budget: RetryBudget) -> Recorded:
        """Read one adjustment.

        Raises:
            AdjustmentNotFound: the business has none of that id.
        """
        found = budget.retry(partial(self.books.adjustment, business_id, adjustment_id))
        if found is None:
            raise AdjustmentNotFound
        return Recorded(*found)

    def adjustments(
        self, business_id: UUID, wanted: AdjustmentFilter, *, below: Position | None, limit: int, budget: RetryBudget
    ) -> AdjustmentsPage:
        """Read a page of adjustments."""
        page = self.history.page(business_id, wanted, below=below, limit=limit, budget=budget)
        ids = [row.id for row in page.rows]
        reversals = budget.retry(partial(self.books.reversals, business_id, ids))
        return AdjustmentsPage([Recorded(row, reversals.get(row.id)) for row in page.rows], page.next_position)

    def levels(
        self,
        business_id: UUID,
        variant_id: UUID,
        *,
        location_id: UUID | None,
        as_of: datetime | None,
        after: UUID | None,
        limit: int,
        budget: RetryBudget,
    ) -> LevelsPage:
        """Read the levels of a variant, at one location or at all where it was ever adjusted.

        Raises:
            VariantNotFound, LocationNotFound: there was no adjustment, nor is there an active one to be adjusted.
        """
        if location_id is None:
            found, more = self._stock_items(business_id, variant_id, after, limit, budget)
        else:
            item = budget.retry(partial(self.books.stock_item, business_id, variant_id, location_id))
            found, more = [] if item is None else [located(item)], False
        if not found and after is None:
            self._require_active(business_id, variant_id, location_id, budget)

        def level(located: tuple[UUID, StockItem]) -> Level | None:
            if as_of is None:
                return level_now(variant_id, *located)
            place = (business_id, variant_id, *located)
            between_calls = budget.require_time
            return budget.retry(
                partial(level_at, self.index, *place, as_of, now=self.clock(), between_calls=between_calls)
            )

        levels = [each for each in self.at_once(level, found) if each is not None]
        return LevelsPage(levels, found[-1][0] if more else None)

    def _stock_items(
        self, business_id: UUID, variant_id: UUID, after: UUID | None, limit: int, budget: RetryBudget
    ) -> tuple[list[tuple[UUID, StockItem]], bool]:
        """The next stock items, at least one unless there is none, and whether others may follow."""
        while True:
            # One more is looked for, so that the last page says that it is the last.
            page = budget.retry(partial(self.books.stock_items, business_id, variant_id, after=after, limit=limit + 1))
            if page.stock_items or page.next_after is None:
                return page.stock_items[:limit], len(page.stock_items) > limit or page.next_after is not None
            after = page.next_after

    def proof(
        self, business_id: UUID, variant_id: UUID, location_id: UUID, *, cursor: str | None, budget: RetryBudget
    ) -> Proof:
        """Prove the history of one stock item, or go on with a proof.

        Raises:
            VariantNotFound, LocationNotFound: as of its level.
            InvalidRequest: the cursor is not one of this stock item's proof.
            TryAgain: the tables gave no answer in time.
        """
        proof = self.prover.prove(business_id, variant_id, location_id, cursor, remaining_s=budget.remaining_s)
        if proof.verified and not proof.rows:
            self._require_active(business_id, variant_id, location_id, budget)
        return proof

    def _require_active(
        self, business_id: UUID, variant_id: UUID, location_id: UUID | None, budget: RetryBudget
    ) -> None:
        """Refuse a variant, or a location, that was never adjusted and could not be.

        Raises:
            VariantNotFound, LocationNotFound: as for an adjustment.
        """
        variant, location = budget.retry(partial(self.books.active, business_id, variant_id, location_id))
        if not variant:
            raise VariantNotFound
        if not location:
            raise LocationNotFound
