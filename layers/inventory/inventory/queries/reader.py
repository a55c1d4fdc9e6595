"""Answers the questions of readers from the tables and the ledger's indexes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.errors import AdjustmentNotFound, GroupNotFound, LocationNotFound, VariantNotFound
from inventory.domain.rules import keyed_id
from inventory.integrity.proof import Prover
from inventory.queries.adjustments import History, page_of_known
from inventory.queries.feed import Feed, feed_of_known
from inventory.queries.level_pages import LevelPages, LevelsPage
from inventory.queries.stock_items import StockItems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment, StockItemId
    from inventory.domain.retry_budget import RetryBudget
    from inventory.integrity.proof import Proof
    from inventory.queries.adjustments import AdjustmentFilter
    from inventory.queries.ledger_order import Position
    from inventory.queries.levels import LevelFilter
    from inventory.storage.ledger_index import LedgerIndex
    from inventory.storage.lookups import Lookups
    from inventory.storage.stock_index import StockIndex


def _now() -> datetime:
    return datetime.now(UTC)


class Recorded(NamedTuple):
    """An adjustment of the ledger; ``reversed_by`` is the id of its reversal, None if it was not reversed."""

    adjustment: Adjustment
    reversed_by: UUID | None


class AdjustmentsPage(NamedTuple):
    """Adjustments, newest first. The next page starts below ``next_position``, None on the last page.

    In the feed, oldest first: the next page starts after it, and ``settled_to`` is where the feed ends.
    """

    adjustments: list[Recorded]
    next_position: Position | None
    settled_to: datetime | None = None


class Reader(NamedTuple):
    """Reads adjustments, levels and proofs.

    Each method raises ``StoreUnavailable`` if a part could not be read in time, and ``CorruptData`` if the tables were
    tampered with in a way that makes an answer impossible.
    """

    lookups: Lookups
    history: History
    feeds: Feed
    level_pages: LevelPages
    prover: Prover
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
        self,
        business_id: UUID,
        wanted: AdjustmentFilter,
        *,
        idempotency_key: str | None = None,
        below: Position | None,
        limit: int,
        budget: RetryBudget,
    ) -> AdjustmentsPage:
        """Read a page of adjustments.

        With ``idempotency_key``, those that the key made: found in the ledger itself, as a group's are by its id.
        """
        known = self._known_rows(business_id, wanted, idempotency_key, budget)
        if known is None:
            page = self.history.page(business_id, wanted, below=below, limit=limit, budget=budget)
        else:
            page = page_of_known(known, wanted, below=below, limit=limit)
        return AdjustmentsPage(self._recorded(business_id, page.rows, budget), page.next_position)

    def feed(
        self,
        business_id: UUID,
        wanted: AdjustmentFilter,
        *,
        idempotency_key: str | None = None,
        after: Position | None,
        limit: int,
        budget: RetryBudget,
    ) -> AdjustmentsPage:
        """Read a page of the feed, or of what is known by a key or a group's id in the feed's order."""
        now = self.clock()
        known = self._known_rows(business_id, wanted, idempotency_key, budget)
        if known is None:
            page = self.feeds.page(business_id, wanted, after=after, limit=limit, now=now, budget=budget)
        else:
            page = feed_of_known(known, wanted, after=after, limit=limit, now=now)
        return AdjustmentsPage(self._recorded(business_id, page.rows, budget), page.next_position, page.settled_to)

    def _known_rows(
        self, business_id: UUID, wanted: AdjustmentFilter, idempotency_key: str | None, budget: RetryBudget
    ) -> list[Adjustment] | None:
        """Read the rows that a key or a group's id names; None where neither is given."""
        group_id = wanted.group_id
        if idempotency_key is not None:
            first_id = keyed_id(business_id, idempotency_key)
            found = budget.retry(partial(self.lookups.adjustments, business_id, [first_id]))
            if first_id not in found or found[first_id].group_id is None:
                return [*found.values()]
            group_id = first_id
        if group_id is None:
            return None
        return budget.retry(partial(self.lookups.group, business_id, group_id)) or []

    def _recorded(self, business_id: UUID, rows: Sequence[Adjustment], budget: RetryBudget) -> list[Recorded]:
        reversals = budget.retry(partial(self.lookups.reversals, business_id, rows))
        return [Recorded(row, reversals.get(row.id)) for row in rows]

    def levels(
        self, business_id: UUID, wanted: LevelFilter, *, after: StockItemId | None, limit: int, budget: RetryBudget
    ) -> LevelsPage:
        """Read a page of levels, one for each place where a variant was ever adjusted.

        Raises:
            VariantNotFound, LocationNotFound: there was no adjustment, and an adjustment would be refused in the same
                way.
        """
        page = self.level_pages.page(business_id, wanted, after=after, limit=limit, now=self.clock(), budget=budget)
        if not page.examined and after is None:
            self._require_active(business_id, wanted.variant_id, wanted.location_id, budget)
        skus = budget.retry(partial(self.lookups.skus, business_id, {each.variant_id for each in page.levels}))
        return page._replace(levels=[each._replace(sku=skus.get(each.variant_id)) for each in page.levels])

    def variant_id(
        self, business_id: UUID, variant_id: UUID | None, sku: str | None, *, budget: RetryBudget
    ) -> UUID | None:
        """Give the variant that a query names by its id or its SKU; None where it names none.

        Raises:
            VariantNotFound: no active variant of the business has the SKU.
        """
        if sku is None:
            return variant_id
        found = budget.retry(partial(self.lookups.variant_of_sku, business_id, sku))
        if found is None:
            raise VariantNotFound
        return found

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
        self, business_id: UUID, variant_id: UUID | None, location_id: UUID | None, budget: RetryBudget
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


def reader_on(
    lookups: Lookups,
    ledger: LedgerIndex,
    stock_item_ids: StockIndex,
    at_once: AtOnce = map,
    clock: Callable[[], datetime] = _now,
) -> Reader:
    """Make a reader that reads all through these."""
    return Reader(
        lookups,
        History(ledger, lookups, at_once),
        Feed(ledger, at_once),
        LevelPages(StockItems(lookups, stock_item_ids), ledger, at_once),
        Prover(ledger, lookups),
        clock,
    )
