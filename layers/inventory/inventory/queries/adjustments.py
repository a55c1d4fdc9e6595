"""Pages of a business's adjustments, newest first, merged from the index's partitions without gaps or duplicates.

The order is by (``created_at``, ``id``), and a page starts below a position in it. So new rows, which come above the
pages that were read, do not move the next pages.
"""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from unicodedata import normalize

from inventory.domain.errors import RowUnreadable, StoreUnavailable
from inventory.domain.timestamps import instant_text
from inventory.queries.ledger_order import FIRST_ID, LAST_ID, LAST_POSITION, PartitionRows, Position, merged
from inventory.storage.ledger_index import EARLIEST, IndexQuery, row_partitions, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment, Kind, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.ledger_index import LedgerIndex, Partition

ROWS_EXAMINED_MAX: Final = 1_000
"""Rows that one request reads when its filters leave most of them out. It limits the cost of a request."""

_CHUNK_ROWS_MIN: Final = 10

_STOCK_ITEMS_MERGED_MAX: Final = 100
"""Locations of one variant whose rows are merged. Where there are more, its rows are picked out of the business's."""

_PREFETCHED_PARTITIONS: Final = 8
"""Partitions that are read side by side at the start, needed or not: one wait instead of eight."""


class AdjustmentFilter(NamedTuple):
    """Which adjustments to read; None means any. ``created_from`` is inclusive, ``created_to`` exclusive.

    Texts are compared after Unicode's normalization NFC.
    """

    variant_id: UUID | None = None
    location_id: UUID | None = None
    reason_code: str | None = None
    reference: str | None = None
    created_by: str | None = None
    kind: Kind | None = None
    group_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def includes(self, row: Adjustment) -> bool:
        """Whether a row matches. The bounds of time are left to the index."""
        return (
            self.variant_id in (None, row.variant_id)
            and self.location_id in (None, row.location_id)
            and self.reason_code in (None, row.reason_code)
            and self.kind in (None, row.kind)
            and self.group_id in (None, row.group_id)
            and (self.reference is None or _same_text(self.reference, row.reference))
            and (self.created_by is None or _same_text(self.created_by, row.created_by))
        )

    def spans(self, row: Adjustment) -> bool:
        """Whether a row was created within the bounds of time."""
        return (self.created_from is None or row.created_at >= self.created_from) and (
            self.created_to is None or row.created_at < self.created_to
        )


def _same_text(wanted: str, text: str | None) -> bool:
    """Whether two texts look the same: some keyboards type an accented letter as one character, others as two."""
    return wanted == text or (text is not None and normalize("NFC", wanted) == normalize("NFC", text))


class HistoryPage(NamedTuple):
    """Rows, newest first. The next page starts below ``next_position``, None on the last page."""

    rows: list[Adjustment]
    next_position: Position | None


class StockItemsOfVariant(Protocol):
    """Reads the stock items of a variant."""

    def of_variant(
        self, business_id: UUID, variant_id: UUID, budget: RetryBudget, *, limit: int
    ) -> list[tuple[UUID, StockItem]]:
        """Read at most ``limit`` of the stock items where a variant was ever adjusted, each with its location's id."""
        ...


class History:
    """Reads pages of adjustments."""

    def __init__(self, index: LedgerIndex, stock_items: StockItemsOfVariant, at_once: AtOnce = map) -> None:
        self.index = index
        self.stock_items = stock_items
        self.at_once = at_once

    def page(
        self, business_id: UUID, wanted: AdjustmentFilter, *, below: Position | None, limit: int, budget: RetryBudget
    ) -> HistoryPage:
        """Read the next ``limit`` wanted rows below a position, None for the newest.

        A page can have fewer rows and still have a next page: if the filters leave out most rows, or the time is up.

        Raises:
            StoreUnavailable: not a single row could be read in time.
            RowUnreadable: the very next item can't be read. After other rows, it only ends the page.
        """
        top = below or LAST_POSITION
        if wanted.created_to is not None:
            top = min(top, Position(wanted.created_to, FIRST_ID))
        partitions = self._partition_rows(business_id, wanted, top, limit, budget)
        # The newest row is known only when all partitions that can contain it have been read.
        needed = sum(each.bound == top for each in partitions)
        for _ in self.at_once(PartitionRows.prefetch, partitions[: max(needed, _PREFETCHED_PARTITIONS)]):
            pass
        return _take_page(merged(partitions, newest_first=True, below=top), wanted, limit)

    def _partition_rows(
        self, business_id: UUID, wanted: AdjustmentFilter, top: Position, limit: int, budget: RetryBudget
    ) -> list[PartitionRows]:
        """Give the partitions that hold all wanted rows below ``top``, sorted by their newest rows."""
        first = EARLIEST if wanted.created_from is None else instant_text(wanted.created_from)
        bounds = [(min(top, newest), each) for newest, each in self._partitions(business_id, wanted, budget)]
        # Two more rows than the page has: the one at the top, which is left out, and one that shows a next page.
        chunk_rows = max(-(-(limit + 2) // max(len(bounds), 1)), _CHUNK_ROWS_MIN)
        return [
            # Doubling chunks are cheap where the page is soon full, and few where most rows are left out.
            PartitionRows(
                self.index,
                budget,
                IndexQuery(partition, first, bound.text(), newest_first=True),
                bound,
                chunk_rows,
                growth=2,
            )
            for bound, partition in sorted(bounds, key=itemgetter(0), reverse=True)
        ]

    def _partitions(
        self, business_id: UUID, wanted: AdjustmentFilter, budget: RetryBudget
    ) -> list[tuple[Position, Partition]]:
        """Give the partitions to read, each with a position that no row of it exceeds."""
        if wanted.variant_id is None or wanted.location_id is not None:
            partitions = row_partitions(business_id, wanted.variant_id, wanted.location_id)
            return [(LAST_POSITION, partition) for partition in partitions]
        variant_id = wanted.variant_id
        found = self.stock_items.of_variant(business_id, variant_id, budget, limit=_STOCK_ITEMS_MERGED_MAX + 1)
        if len(found) > _STOCK_ITEMS_MERGED_MAX:
            # Below a cursor each location would need a Query before the first row is known.
            return [(LAST_POSITION, partition) for partition in row_partitions(business_id, variant_id, None)]
        # A row that is written after this read exceeds the position. It belongs to a newer first page.
        return [
            (Position(stock.updated_at, LAST_ID), stock_item_partition(business_id, variant_id, location_id))
            for location_id, stock in found
        ]


def page_of_known(
    rows: Iterable[Adjustment], wanted: AdjustmentFilter, *, below: Position | None, limit: int
) -> HistoryPage:
    """Take a page of rows that were read by their ids, in the order of a history."""
    top = below or LAST_POSITION
    positioned = ((Position(row.created_at, row.id), row) for row in rows if wanted.spans(row))
    in_order = sorted(positioned, key=itemgetter(0), reverse=True)
    return _take_page((each for each in in_order if each[0] < top), wanted, limit)


def _take_page(rows: Iterable[tuple[Position, Adjustment]], wanted: AdjustmentFilter, limit: int) -> HistoryPage:
    """Take the wanted rows of one page. It reads one wanted row more, to know whether there is a next page."""
    found: list[Adjustment] = []
    last_examined: Position | None = None
    try:
        for examined, (position, row) in enumerate(rows):
            is_wanted = wanted.includes(row)
            if examined == ROWS_EXAMINED_MAX or (is_wanted and len(found) == limit):
                return HistoryPage(found, last_examined)
            if is_wanted:
                found.append(row)
            last_examined = position
    except (StoreUnavailable, RowUnreadable):
        # The rows so far are complete and in order. A next page continues after them; an error would lose them.
        if last_examined is None:
            raise
        return HistoryPage(found, last_examined)
    return HistoryPage(found, None)
