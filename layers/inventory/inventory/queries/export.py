"""All of a business's adjustments as text, oldest first, in pages that make one file when they are put together."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

from inventory.domain.errors import BusinessNotFound, ExportStopped, RowUnreadable, StoreUnavailable
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.queries.adjustments import FIRST_ID, AdjustmentFilter, PartitionRows, Position, merged, parse_position
from inventory.queries.export_formats import FORMATS
from inventory.schemas.problems import not_handed_out
from inventory.storage import cursors, keys
from inventory.storage.ledger_index import EARLIEST, business_partitions, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from inventory.domain.model import Adjustment
    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.reading import ExportRequest
    from inventory.storage.ledger_index import IndexPage, LedgerIndex, Partition, StartKey

TEXT_SIZE_MAX_BYTES: Final = 5_000_000
"""Of one page, as the JSON string that Lambda answers: an answer of more than 6 MB would be lost."""

SETTLED_AFTER_S: Final = 2.0
"""After this time the rows up to a moment are taken to be there: a row is stamped, committed, and then indexed."""

CHUNK_ROWS: Final = 500
"""Rows of one Query. Eight partitions are under way at a time: what a page does not take of them was read in vain."""

_ANSWERING_S: Final = 1.0
"""Of the invocation's time for the answer alone: 5 MB are to be put together and sent."""

_BEFORE_ALL: Final = Position(datetime.min.replace(tzinfo=UTC), FIRST_ID)


class Businesses(Protocol):
    """Where it is known which businesses there are."""

    def has_business(self, business_id: UUID) -> bool:
        """Whether there is such a business."""
        ...


class ExportAnswer(TypedDict):
    """A page as its invoker gets it: ``text`` to append, and the cursor of the next page, null after the last.

    ``first_created_at`` and ``last_created_at`` are those of its rows, null of a page without any.
    """

    rows: int
    text: str
    first_created_at: str | None
    last_created_at: str | None
    created_to: str
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Some rows as text. ``created_to`` is where the whole export ends; ``next_cursor`` is None on the last page."""

    business_id: UUID
    rows: int
    text: str
    first_created_at: datetime | None
    last_created_at: datetime | None
    created_to: datetime
    next_cursor: str | None

    def answer(self) -> ExportAnswer:
        """What the invoker gets."""
        return ExportAnswer(
            rows=self.rows,
            text=self.text,
            first_created_at=None if self.first_created_at is None else instant_text(self.first_created_at),
            last_created_at=None if self.last_created_at is None else instant_text(self.last_created_at),
            created_to=instant_text(self.created_to),
            next_cursor=self.next_cursor,
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows as text; ``last`` is the row that was looked at last, None where all were."""

    count: int
    text: str
    created_at: tuple[datetime, datetime] | None
    last: Position | None


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes pages of an export. Nothing is kept between two of them but what their cursor says."""

    businesses: Businesses
    index: LedgerIndex
    clock: Callable[[], datetime]
    text_size_max_bytes: int = TEXT_SIZE_MAX_BYTES

    def page(self, request: ExportRequest, budget: RetryBudget) -> ExportPage:
        """Write the page that a request asks for, as long as size and time allow.

        Where the export ends is settled by its first page, so it does end, however many rows arrive meanwhile.

        Raises:
            BusinessNotFound: there is no such business.
            InvalidRequest: the cursor is not one of this export.
            StoreUnavailable: not a single row could be read in time.
            ExportStopped: the very next item of the ledger is no row.
        """
        question: dict[str, str] = request.model_dump(mode="json", exclude={"cursor"}, exclude_none=True)
        budget = budget.reserve(_ANSWERING_S)
        if request.cursor is None:
            if not budget.retry(partial(self.businesses.has_business, request.business_id)):
                raise BusinessNotFound
            after, created_to = None, self._settled(request.created_to, budget)
        else:
            after, created_to = _place(request.cursor, question)
        rows = self._rows(request, after, created_to, budget)
        return ExportPage(
            business_id=request.business_id,
            rows=rows.count,
            text=rows.text,
            first_created_at=None if rows.created_at is None else rows.created_at[0],
            last_created_at=None if rows.created_at is None else rows.created_at[1],
            created_to=created_to,
            next_cursor=None if rows.last is None else _cursor(rows.last, created_to, question),
        )

    def _settled(self, created_to: datetime | None, budget: RetryBudget) -> datetime:
        """Where an export ends that begins now; it lies far enough back for all rows before it to be found."""
        now = self.clock()
        end = now if created_to is None else min(created_to, now)
        remaining_s = SETTLED_AFTER_S - (now - end).total_seconds()
        if remaining_s > 0:
            budget.sleep(remaining_s)
        return end

    def _rows(self, request: ExportRequest, after: Position | None, created_to: datetime, budget: RetryBudget) -> _Rows:
        form = FORMATS[request.format]
        wanted = AdjustmentFilter(variant_id=request.variant_id, location_id=request.location_id)
        lines = [form.header] if after is None else []
        count = size_bytes = 0
        last: Position | None = None
        created_at: tuple[datetime, datetime] | None = None
        try:
            for position, row in self._oldest_first(request, after, created_to, budget):
                if wanted.includes(row):
                    line = form.line(row)
                    size_bytes += _answered_size_bytes(line)
                    if size_bytes > self.text_size_max_bytes and last is not None:
                        break
                    lines.append(line)
                    count += 1
                    created_at = (row.created_at if created_at is None else created_at[0], row.created_at)
                last = position
            else:
                last = None
        except StoreUnavailable:
            # What was read is good; the next page begins with what could not be read in time.
            if last is None:
                raise
        except RowUnreadable as error:
            if last is None:
                raise ExportStopped(ledger_key=error.key) from None
        return _Rows(count, "".join(lines), created_at, last)

    def _oldest_first(
        self, request: ExportRequest, after: Position | None, created_to: datetime, budget: RetryBudget
    ) -> Iterator[tuple[Position, Adjustment]]:
        """Give the rows between two places, neither of which is included."""
        begin, end = after or _BEFORE_ALL, Position(created_to, FIRST_ID)
        earliest = EARLIEST if request.created_from is None else instant_text(request.created_from)
        first = earliest if after is None else after.text()

        def reading(partition: Partition) -> Callable[[int, StartKey | None], IndexPage]:
            return lambda rows, start: budget.retry(
                lambda: self.index.page(partition, first=first, last=end.text(), limit=rows, start=start)
            )

        # One after the other: nobody waits at a screen, and a page is long enough for it to make little difference.
        sources = [
            PartitionRows(partition, reading(partition), begin, CHUNK_ROWS, newest_first=False)
            for partition in _partitions(request)
        ]
        # Both ends of what the index reads are inclusive.
        for position, row in merged(sources, newest_first=False, below=end):
            if begin < position:
                yield position, row


def _partitions(request: ExportRequest) -> list[Partition]:
    """The partitions that hold all wanted rows: one for a variant, which is in one shard with all its locations."""
    partitions = business_partitions(request.business_id)
    if request.variant_id is None:
        return partitions
    if request.location_id is None:
        shard = keys.ledger_business(request.business_id, request.variant_id)
        return [partition for partition in partitions if partition.key == shard]
    return [stock_item_partition(request.business_id, request.variant_id, request.location_id)]


def _answered_size_bytes(line: str) -> int:
    """The size of a line within the JSON string that is answered, were all of it to be escaped."""
    return len(json.dumps(line)) - len('""')


def _cursor(last: Position, created_to: datetime, question: dict[str, str]) -> str:
    return cursors.cursor(f"{instant_text(created_to)}|{last.text()}", question)


def _place(cursor: str, question: dict[str, str]) -> tuple[Position, datetime]:
    """Read what ``_cursor`` wrote: after which row the page begins, and where the export ends."""
    found = cursors.position(cursor, question)
    if found is not None:
        created_to, _, last = found.partition("|")
        with suppress(OverflowError, ValueError):
            end = parse_instant(created_to)
            # Whoever knows the rule can make up a cursor: it is good in the form only that was handed out.
            if instant_text(end) == created_to:
                return parse_position(last), end
    raise not_handed_out(["body", "cursor"], cursor)
