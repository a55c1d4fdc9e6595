"""The feed: a business's adjustments, oldest first, for a client that polls and must see every row exactly once.

A page ends where the ledger is settled. The next one begins after the last row that was looked at, and never further:
what comes even later than expected is still found, as long as no row after it was read.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import RowUnreadable, StoreUnavailable
from inventory.queries.adjustments import ROWS_EXAMINED_MAX
from inventory.queries.ledger_order import FIRST_POSITION, PartitionReading, Position, Span, oldest_first
from inventory.queries.settled import settled_to
from inventory.storage.ledger_index import row_partitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.adjustments import AdjustmentFilter
    from inventory.storage.ledger_index import LedgerIndex

_FEED_CHUNK_ROWS_MIN: Final = 10


class FeedPage(NamedTuple):
    """Rows, oldest first. The next page starts after ``next_position``, also where there are no more rows yet.

    No row that is before ``settled_to`` will still appear.
    """

    rows: list[Adjustment]
    next_position: Position
    settled_to: datetime


class Feed:
    """Reads pages of the feed."""

    def __init__(self, ledger: LedgerIndex, at_once: AtOnce = map) -> None:
        self.ledger = ledger
        self.at_once = at_once

    def page(
        self,
        business_id: UUID,
        wanted: AdjustmentFilter,
        *,
        after: Position | None,
        limit: int,
        now: datetime,
        budget: RetryBudget,
    ) -> FeedPage:
        """Read the next ``limit`` wanted rows after a position, None for the oldest.

        Raises:
            StoreUnavailable: not a single row could be read in time.
            RowUnreadable: the very next item can't be read. After other rows, it only ends the page.
        """
        settled = settled_to(now)
        end = settled if wanted.created_to is None else min(settled, wanted.created_to)
        rows = self._oldest_first(business_id, wanted, Span(after, wanted.created_from, end), limit, budget)
        return _take(rows, wanted, after, limit, settled)

    def _oldest_first(
        self, business_id: UUID, wanted: AdjustmentFilter, span: Span, limit: int, budget: RetryBudget
    ) -> Iterator[tuple[Position, Adjustment]]:
        partitions = row_partitions(business_id, wanted.variant_id, wanted.location_id)
        # One more than the page has: the row at the position, which is left out.
        chunk_rows = max(-(-(limit + 1) // len(partitions)), _FEED_CHUNK_ROWS_MIN)
        return oldest_first(partitions, span, PartitionReading(self.ledger, budget, chunk_rows, 2, self.at_once))


def feed_of_known(
    rows: Iterable[Adjustment], wanted: AdjustmentFilter, *, after: Position | None, limit: int, now: datetime
) -> FeedPage:
    """Take a page of rows that were read by their ids, in the order of the feed and up to its end."""
    settled = settled_to(now)
    begin = after or FIRST_POSITION
    positioned = ((Position(row.created_at, row.id), row) for row in rows if wanted.spans(row))
    in_order = sorted(positioned, key=itemgetter(0))
    return _take(
        ((position, row) for position, row in in_order if begin < position and row.created_at < settled),
        wanted,
        after,
        limit,
        settled,
    )


def _take(
    rows: Iterable[tuple[Position, Adjustment]],
    wanted: AdjustmentFilter,
    after: Position | None,
    limit: int,
    settled: datetime,
) -> FeedPage:
    """Take the wanted rows of one page."""
    found: list[Adjustment] = []
    last = after
    try:
        for examined, (position, row) in enumerate(rows, 1):
            last = position
            if wanted.includes(row):
                found.append(row)
            if len(found) == limit or examined == ROWS_EXAMINED_MAX:
                break
    except (StoreUnavailable, RowUnreadable):
        if last == after:
            raise
    return FeedPage(found, last or FIRST_POSITION, settled)
