"""A business's adjustments, newest first, in pages: merged from the index's partitions, without gaps or doubles.

The order is that of (``created_at``, ``id``), and a page begins below a position in it. So rows that arrive meanwhile,
above the pages that were read, move nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from inventory.domain.errors import RowUnreadable, StoreUnavailable
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage.items import row_of
from inventory.storage.ledger_index import EARLIEST, business_partitions, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment, ReasonCode, StockItem
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexPage, LedgerIndex, Partition, StartKey

ROWS_EXAMINED_MAX: Final = 1_000
"""Rows that one request looks at where its filters leave most of them out: so its cost has a limit."""

_CHUNK_ROWS_MIN: Final = 10

_READ_AHEAD: Final = 8
"""Partitions whose first rows are read before it is known that they are needed: one wait instead of eight."""

FIRST_ID: Final = UUID(int=0)

_LAST_ID: Final = UUID(int=2**128 - 1)

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the order of adjustments, that of one row."""

    created_at: datetime
    id: UUID

    def text(self) -> str:
        """Write it as the sort key of the index by business."""
        return f"{instant_text(self.created_at)}#{self.id}"


_TOP: Final = Position(datetime.max.replace(tzinfo=UTC), _LAST_ID)


def parse_position(text: str) -> Position:
    """Read what ``Position.text`` wrote.

    Raises:
        ValueError: it did not write that.
    """
    created_at, _, row_id = text.partition("#")
    if not created_at.endswith("Z"):
        raise ValueError(text)
    position = Position(parse_instant(created_at), UUID(row_id))
    if position.text() != text:
        raise ValueError(text)
    return position


@dataclass(frozen=True, slots=True)
class AdjustmentFilter:
    """Which adjustments are asked for; None is any. ``created_from`` is inclusive, ``created_to`` exclusive."""

    variant_id: UUID | None = None
    location_id: UUID | None = None
    reason_code: ReasonCode | None = None
    reference: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def includes(self, row: Adjustment) -> bool:
        """Whether a row is one of them; the times are the index's business."""
        return (
            self.variant_id in (None, row.variant_id)
            and self.location_id in (None, row.location_id)
            and self.reason_code in (None, row.reason_code)
            and self.reference in (None, row.reference)
        )


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows newest first; the rows below ``next_position`` are the next page's, None where there are none."""

    rows: list[Adjustment]
    next_position: Position | None


class StockItemsOfVariant(Protocol):
    """Where a variant's stock items are read."""

    def of_variant(self, business_id: UUID, variant_id: UUID, budget: RetryBudget) -> Iterable[tuple[UUID, StockItem]]:
        """Read the locations at which a variant was ever adjusted, with its stock items there, as of now."""
        ...


@dataclass(slots=True)
class PartitionRows:
    """One partition's rows from ``bound`` on, in the order in which ``read``, which makes one Query, finds them.

    The first Query is for ``chunk_rows`` rows, each further one for ``growth`` times as many as the one before.
    """

    partition: Partition
    read: Callable[[int, StartKey | None], IndexPage]
    bound: Position
    chunk_rows: int
    newest_first: bool
    growth: int = 1
    _fetched: IndexPage | None = None

    def fetch(self) -> None:
        """Read the first rows ahead of their turn."""
        self._fetched = self.read(self.chunk_rows, None)

    def in_order(self) -> Iterator[tuple[Position, Adjustment | RowUnreadable | None]]:
        """Give first the bound alone, which costs nothing: nothing is read before the merge has come down to it.

        An item that is no row comes in its turn too, as the error that it is: the rows before it are as good as ever.
        """
        yield self.bound, None
        # Of the bound's own instant the index by stock item also gives what lies beyond it.
        last = Position(self.bound.created_at, _LAST_ID if self.newest_first else FIRST_ID)
        page = self._fetched or self.read(self.chunk_rows, None)
        while True:
            for item in page.items:
                last, found = self._judged(item, last)
                yield last, found
            if page.next_start is None:
                return
            self.chunk_rows *= self.growth
            page = self.read(self.chunk_rows, page.next_start)

    def _judged(self, item: Item, last: Position) -> tuple[Position, Adjustment | RowUnreadable]:
        """Read a row and its position, which must be the place where it stands, behind the one before it.

        Otherwise a page could begin above or behind what it goes on from: rows would come twice, or never.
        """
        try:
            row = row_of(item)
            position = Position(row.created_at, row.id)
            in_place = item[self.partition.sort_name]["S"] in (instant_text(row.created_at), position.text())
            if in_place and (position <= last if self.newest_first else position >= last):
                return position, row
            unreadable = RowUnreadable(item["pk"]["S"])
        except RowUnreadable as error:
            unreadable = error
        try:
            stands_at = parse_position(item[self.partition.sort_name]["S"].partition("#")[0] + f"#{FIRST_ID}")
        except ValueError:
            # Behind the one before it; a hair further down, or who goes on below that one would not come to it.
            return replace(last, created_at=last.created_at - _TICK) if self.newest_first else last, unreadable
        return (min if self.newest_first else max)(stands_at, last), unreadable


def merged(
    sources: Iterable[PartitionRows], *, newest_first: bool, below: Position
) -> Iterator[tuple[Position, Adjustment]]:
    """Merge partitions that all give their rows in that order; what does not lie below a position is dropped.

    Raises:
        RowUnreadable: the next one is no row. It is never passed over.
    """
    for position, found in merge(*(source.in_order() for source in sources), key=itemgetter(0), reverse=newest_first):
        if found is None or position >= below:
            continue
        if isinstance(found, RowUnreadable):
            raise found
        yield position, found


@dataclass(frozen=True, slots=True)
class History:
    """Reads pages of adjustments."""

    index: LedgerIndex
    stock_items: StockItemsOfVariant
    at_once: AtOnce = map

    def page(
        self, business_id: UUID, wanted: AdjustmentFilter, *, below: Position | None, limit: int, budget: RetryBudget
    ) -> HistoryPage:
        """Read the next ``limit`` wanted rows below a position, or from the newest.

        Where the filters leave out most rows, or time runs out, a page may hold fewer and still have a next one.

        Raises:
            StoreUnavailable: not even a part could be read in time.
            RowUnreadable: the very next item is no row; a page ends before one.
        """
        top = below or _TOP
        if wanted.created_to is not None:
            top = min(top, Position(wanted.created_to, FIRST_ID))
        sources = self._sources(business_id, wanted, top, limit, budget)
        # No row can be told to be the newest before all that may reach up to the top were read.
        needed = sum(source.bound == top for source in sources)
        for _ in self.at_once(PartitionRows.fetch, sources[: max(needed, _READ_AHEAD)]):
            pass
        return _page(merged(sources, newest_first=True, below=top), wanted, limit)

    def _sources(
        self, business_id: UUID, wanted: AdjustmentFilter, top: Position, limit: int, budget: RetryBudget
    ) -> list[PartitionRows]:
        """The partitions that hold all wanted rows below ``top``, those whose rows may be the newest first."""
        first = EARLIEST if wanted.created_from is None else instant_text(wanted.created_from)
        bounds = [(min(top, youngest), each) for youngest, each in self._partitions(business_id, wanted, budget)]
        # The row at the top comes along, as bounds are inclusive, and is dropped; one more than the page is looked for.
        chunk_rows = max(-(-(limit + 2) // max(len(bounds), 1)), _CHUNK_ROWS_MIN)

        def reading(partition: Partition, bound: Position) -> Callable[[int, StartKey | None], IndexPage]:
            return lambda rows, start: budget.retry(
                lambda: self.index.page(
                    partition, first=first, last=bound.text(), newest_first=True, limit=rows, start=start
                )
            )

        return [
            # Twice as many each time: cheap where the page is soon full, few calls where most rows are not wanted.
            PartitionRows(partition, reading(partition, bound), bound, chunk_rows, newest_first=True, growth=2)
            for bound, partition in sorted(bounds, key=itemgetter(0), reverse=True)
        ]

    def _partitions(
        self, business_id: UUID, wanted: AdjustmentFilter, budget: RetryBudget
    ) -> list[tuple[Position, Partition]]:
        """The partitions to read, each with the position of its newest row or one above."""
        if wanted.variant_id is None:
            return [(_TOP, partition) for partition in business_partitions(business_id)]
        if wanted.location_id is not None:
            return [(_TOP, stock_item_partition(business_id, wanted.variant_id, wanted.location_id))]
        variant_id = wanted.variant_id
        # A row that is appended after this read lies above the bound: it belongs to a later first page.
        return [
            (Position(stock.updated_at, _LAST_ID), stock_item_partition(business_id, variant_id, location_id))
            for location_id, stock in self.stock_items.of_variant(business_id, variant_id, budget)
        ]


def _page(below_top: Iterable[tuple[Position, Adjustment]], wanted: AdjustmentFilter, limit: int) -> HistoryPage:
    """Take the wanted rows of a page; one more is looked for, so that the last page says that it is the last."""
    found: list[Adjustment] = []
    last_examined: Position | None = None
    try:
        for examined, (position, row) in enumerate(below_top):
            is_wanted = wanted.includes(row)
            if examined == ROWS_EXAMINED_MAX or (is_wanted and len(found) == limit):
                return HistoryPage(found, last_examined)
            if is_wanted:
                found.append(row)
            last_examined = position
    except (StoreUnavailable, RowUnreadable):
        # What was read is in order and whole down to there: the next page goes on, where a repetition would begin anew.
        if last_examined is None:
            raise
        return HistoryPage(found, last_examined)
    return HistoryPage(found, None)
