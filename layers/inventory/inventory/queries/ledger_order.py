"""The order of a business's adjustments, by (``created_at``, ``id``): merges an index's partitions into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from inventory.domain.errors import RowUnreadable
from inventory.domain.timestamps import TICK, instant_text, parse_instant
from inventory.storage.items import read_adjustment
from inventory.storage.ledger_index import EARLIEST, IndexQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexPage, LedgerIndex, Partition, StartKey

FIRST_ID: Final = UUID(int=0)
LAST_ID: Final = UUID(int=2**128 - 1)


class Position(NamedTuple):
    """The place of one row in the order of adjustments."""

    created_at: datetime
    id: UUID

    def text(self) -> str:
        """Write it as the sort key of the index by business."""
        return f"{instant_text(self.created_at)}#{self.id}"


FIRST_POSITION: Final = Position(datetime.min.replace(tzinfo=UTC), FIRST_ID)
LAST_POSITION: Final = Position(datetime.max.replace(tzinfo=UTC), LAST_ID)


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


class Span(NamedTuple):
    """Rows after a position and from an instant on, None for all of them, and before the instant ``created_to``."""

    after: Position | None
    created_from: datetime | None
    created_to: datetime


@dataclass(slots=True)
class PartitionRows:
    """The rows of one partition that a query selects, in its order.

    No row comes before ``bound`` in that order. The first Query reads ``chunk_rows`` rows, each further one ``growth``
    times as many as the one before.
    """

    index: LedgerIndex
    budget: RetryBudget
    query: IndexQuery
    bound: Position
    chunk_rows: int
    growth: int = 1
    _prefetched: IndexPage | None = None

    def prefetch(self) -> None:
        """Read the first rows now."""
        self._prefetched = self._read(None)

    def in_order(self) -> Iterator[tuple[Position, Adjustment | RowUnreadable | None]]:
        """Give ``bound`` without a row, and then each row with its position.

        The bound costs no read. So a merge reads a partition only when it gets there. An item that can't be read comes
        as an error in its place, because the rows before it are still good.
        """
        yield self.bound, None
        # A sort key that is only an instant also selects the rows of that instant beyond the bound.
        previous = Position(self.bound.created_at, LAST_ID if self.query.newest_first else FIRST_ID)
        page = self._prefetched or self._read(None)
        while True:
            for item in page.items:
                previous, found = self._positioned(item, previous)
                yield previous, found
            if page.next_start is None:
                return
            self.chunk_rows *= self.growth
            page = self._read(page.next_start)

    def _read(self, start: StartKey | None) -> IndexPage:
        query = self.query._replace(limit=self.chunk_rows, start=start)
        return self.budget.retry(lambda: self.index.page(query))

    def _positioned(self, item: Item, previous: Position) -> tuple[Position, Adjustment | RowUnreadable]:
        """Read a row and its position, which must agree with its sort key and follow the previous one.

        Otherwise a page could start at a wrong place, and rows would come twice or never.
        """
        sort_key = item[self.query.partition.sort_name]["S"]
        try:
            row = read_adjustment(item)
            position = Position(row.created_at, row.id)
            is_in_place = sort_key in (instant_text(row.created_at), position.text())
            if is_in_place and (position <= previous if self.query.newest_first else position >= previous):
                return position, row
            unreadable = RowUnreadable(item["pk"]["S"])
        except RowUnreadable as error:
            unreadable = error
        return self._position_of_unreadable(sort_key, previous), unreadable

    def _position_of_unreadable(self, sort_key: str, previous: Position) -> Position:
        """Give an item the instant of its sort key, or without one the place right after the previous row."""
        try:
            position = parse_position(sort_key.partition("#")[0] + f"#{FIRST_ID}")
        except ValueError:
            # Strictly below the previous row: a page that continues below that row must come to this item.
            return previous._replace(created_at=previous.created_at - TICK) if self.query.newest_first else previous
        return (min if self.query.newest_first else max)(position, previous)


class PartitionReading:
    """How partitions are read: chunks as in ``PartitionRows``, the first ones at once where ``at_once`` is given."""

    def __init__(
        self,
        ledger: LedgerIndex,
        budget: RetryBudget,
        chunk_rows: int,
        growth: int = 1,
        at_once: AtOnce | None = None,
    ) -> None:
        self.ledger = ledger
        self.budget = budget
        self.chunk_rows = chunk_rows
        self.growth = growth
        self.at_once = at_once

    def rows(self, query: IndexQuery, bound: Position) -> PartitionRows:
        """Make the reader of one partition."""
        return PartitionRows(self.ledger, self.budget, query, bound, self.chunk_rows, self.growth)


def merged(
    partitions: Iterable[PartitionRows], *, newest_first: bool, below: Position
) -> Iterator[tuple[Position, Adjustment]]:
    """Merge partitions that all have this order. Leave out what is not below a position.

    Raises:
        RowUnreadable: the next item can't be read. It is never skipped.
    """
    in_order = (each.in_order() for each in partitions)
    for position, found in merge(*in_order, key=itemgetter(0), reverse=newest_first):
        if found is None or position >= below:
            continue
        if isinstance(found, RowUnreadable):
            raise found
        yield position, found


def oldest_first(
    partitions: Iterable[Partition],
    span: Span,
    read: PartitionReading,
) -> Iterator[tuple[Position, Adjustment]]:
    """Give the rows of a span in order.

    Raises:
        StoreUnavailable: the next rows could not be read in time.
        RowUnreadable: the next item can't be read. It is never skipped.
    """
    begin, end = span.after or FIRST_POSITION, Position(span.created_to, FIRST_ID)
    first = max(
        EARLIEST if span.created_from is None else instant_text(span.created_from),
        EARLIEST if span.after is None else span.after.text(),
    )
    rows = [read.rows(IndexQuery(partition, first, end.text()), begin) for partition in partitions]
    if read.at_once is not None:
        for _ in read.at_once(PartitionRows.prefetch, rows):
            pass
    # The index's bounds are inclusive at both ends; a span's are not.
    for position, row in merged(rows, newest_first=False, below=end):
        if begin < position:
            yield position, row
