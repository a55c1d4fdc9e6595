"""A business's adjustments, newest first, in pages: merged from the index's partitions, without gaps or doubles.

The order is that of (``created_at``, ``id``), and a page begins below a position in it. So rows that arrive meanwhile,
above the pages that were read, move nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from inventory.instants import instant_text, parse_instant
from inventory.ledger_index import EARLIEST, business_partitions, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inventory.ledger_index import IndexPage, LedgerIndex, Partition, StartKey
    from inventory.model import Adjustment, ReasonCode, StockItem
    from inventory.retries import Patience

ROWS_EXAMINED_MAX: Final = 1_000
"""Rows that one request looks at where its filters leave most of them out: so its cost has a limit."""

_CHUNK_ROWS_MIN: Final = 10
_READ_AHEAD_MAX: Final = 8
"""Partitions whose first rows are read before it is known that they are needed: one wait instead of eight."""
_FIRST_ID: Final = UUID(int=0)
_LAST_ID: Final = UUID(int=2**128 - 1)


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
    """Read what ``Position.text`` wrote."""
    created_at, _, row_id = text.partition("#")
    return Position(parse_instant(created_at), UUID(row_id))


@dataclass(frozen=True, slots=True)
class Wanted:
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

    @property
    def is_selective(self) -> bool:
        """Whether the partitions that are read hold rows that are not wanted."""
        by_location_alone = self.location_id is not None and self.variant_id is None
        return by_location_alone or self.reason_code is not None or self.reference is not None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows newest first; the rows below ``next_position`` are the next page's, None where there are none."""

    rows: list[Adjustment]
    next_position: Position | None


class StockItems(Protocol):
    """Where a variant's stock items are read."""

    def of_variant(self, business_id: UUID, variant_id: UUID, patience: Patience) -> Iterable[tuple[UUID, StockItem]]:
        """Read the locations at which a variant was ever adjusted, with its stock items there, as of now."""
        ...


@dataclass(slots=True)
class _Source:
    """One partition's rows below ``bound``, newest first; ``read`` makes one Query."""

    read: Callable[[StartKey | None], IndexPage]
    bound: Position
    _fetched: IndexPage | None = None

    def fetch(self) -> None:
        """Read the first rows ahead of their turn."""
        self._fetched = self.read(None)

    def newest_first(self) -> Iterator[tuple[Position, Adjustment | None]]:
        """Give first the bound alone, which costs nothing: nothing is read before the merge has come down to it."""
        yield self.bound, None
        page = self._fetched or self.read(None)
        while True:
            for row in page.rows():
                yield Position(row.created_at, row.id), row
            if page.next_start is None:
                return
            page = self.read(page.next_start)


class AtOnce(Protocol):
    """Makes calls side by side and gives their results in order, as ``Executor.map`` does; ``map`` will do."""

    def __call__[T, R](self, function: Callable[[T], R], values: Iterable[T], /) -> Iterator[R]:
        """Call ``function`` with each of ``values``."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """Reads pages of adjustments."""

    index: LedgerIndex
    stock_items: StockItems
    at_once: AtOnce = map

    def page(
        self, business_id: UUID, wanted: Wanted, *, below: Position | None, limit: int, patience: Patience
    ) -> HistoryPage:
        """Read the next ``limit`` wanted rows below a position, or from the newest.

        Where the filters leave out most rows, a page may hold fewer and still have a next one.

        Raises:
            StoreUnavailable: a part could not be read in time.
        """
        top = below or _TOP
        if wanted.created_to is not None:
            top = min(top, Position(wanted.created_to, _FIRST_ID))
        sources = self._sources(business_id, wanted, top, limit, patience)
        for _ in self.at_once(_Source.fetch, sources[:_READ_AHEAD_MAX]):
            pass
        merged = merge(*(source.newest_first() for source in sources), key=itemgetter(0), reverse=True)
        return _page(((position, row) for position, row in merged if row is not None and position < top), wanted, limit)

    def _sources(
        self, business_id: UUID, wanted: Wanted, top: Position, limit: int, patience: Patience
    ) -> list[_Source]:
        """The partitions that hold all wanted rows below ``top``, those whose rows may be the newest first."""
        first = EARLIEST if wanted.created_from is None else instant_text(wanted.created_from)
        bounds = [(min(top, youngest), each) for youngest, each in self._partitions(business_id, wanted, patience)]
        rows = ROWS_EXAMINED_MAX if wanted.is_selective else limit + 1
        chunk_rows = max(-(-rows // max(len(bounds), 1)), _CHUNK_ROWS_MIN)

        def reading(partition: Partition, bound: Position) -> Callable[[StartKey | None], IndexPage]:
            # Between two texts, both inclusive: the row at the position itself comes along and is dropped.
            return lambda start: patience.settle(
                lambda: self.index.page(
                    partition, first=first, last=bound.text(), newest_first=True, limit=chunk_rows, start=start
                )
            )

        return [
            _Source(reading(partition, bound), bound)
            for bound, partition in sorted(bounds, key=itemgetter(0), reverse=True)
        ]

    def _partitions(self, business_id: UUID, wanted: Wanted, patience: Patience) -> list[tuple[Position, Partition]]:
        """The partitions to read, each with the position of its newest row or one above."""
        if wanted.variant_id is None:
            return [(_TOP, partition) for partition in business_partitions(business_id)]
        if wanted.location_id is not None:
            return [(_TOP, stock_item_partition(business_id, wanted.variant_id, wanted.location_id))]
        variant_id = wanted.variant_id
        # A row that is appended after this read lies above the bound: it belongs to a later first page.
        return [
            (Position(stock.updated_at, _LAST_ID), stock_item_partition(business_id, variant_id, location_id))
            for location_id, stock in self.stock_items.of_variant(business_id, variant_id, patience)
        ]


def _page(below_top: Iterable[tuple[Position, Adjustment]], wanted: Wanted, limit: int) -> HistoryPage:
    """Take the wanted rows of a page; one more is looked for, so that the last page says that it is the last."""
    found: list[Adjustment] = []
    last_examined: Position | None = None
    for examined, (position, row) in enumerate(below_top):
        if examined == ROWS_EXAMINED_MAX:
            return HistoryPage(found, last_examined)
        if wanted.includes(row):
            if len(found) == limit:
                return HistoryPage(found, Position(found[-1].created_at, found[-1].id))
            found.append(row)
        last_examined = position
    return HistoryPage(found, None)
