"""All of a business's adjustments as text, oldest first, in pages that make one file when they are put together."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict

from inventory.domain.errors import BusinessNotFound, ExportStopped, InvalidCursor, RowUnreadable, StoreUnavailable
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.export_formats import FORMATS
from inventory.queries.ledger_order import PartitionReading, Position, Span, oldest_first, parse_position
from inventory.queries.settled import settled_to
from inventory.storage import cursors
from inventory.storage.ledger_index import row_partitions

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.domain.model import Adjustment, ExportFormat
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.export_formats import LineFormat
    from inventory.storage.ledger_index import LedgerIndex

TEXT_SIZE_MAX_BYTES: Final = 5_000_000
"""Size of one page's text as a JSON string. Lambda's limit for an answer is 6 MB."""

CHUNK_ROWS: Final = 500
"""Rows of one Query. A page merges eight partitions, and drops the rows that it has no room for."""

_ANSWERING_S: Final = 1.0
"""Time that is reserved to build and send the answer of up to 5 MB."""


class ExportQuery(NamedTuple):
    """Which adjustments to export, and in which format. A variant or location of None means all.

    ``created_from`` is inclusive, ``created_to`` exclusive; None means no bound.
    """

    business_id: UUID
    format: ExportFormat = "ndjson"
    variant_id: UUID | None = None
    location_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def question(self) -> dict[str, str]:
        """Give the members that bind a cursor to this export.

        They are part of the cursor's digest: another spelling would make the cursors of running exports invalid.
        """
        members = {
            "command": "export",
            "business_id": self.business_id,
            "format": self.format,
            "variant_id": self.variant_id,
            "location_id": self.location_id,
            "created_from": None if self.created_from is None else _cursor_instant(self.created_from),
            "created_to": None if self.created_to is None else _cursor_instant(self.created_to),
        }
        return {name: str(value) for name, value in members.items() if value is not None}


class Businesses(Protocol):
    """Looks up businesses."""

    def has_business(self, business_id: UUID) -> bool:
        """Whether there is such a business."""
        ...


class ExportAnswer(TypedDict):
    """A page as the invoker gets it: ``text`` to append, and the cursor of the next page, null on the last one.

    ``first_created_at`` and ``last_created_at`` belong to the first and last row, null on a page without rows.
    """

    rows: int
    text: str
    first_created_at: str | None
    last_created_at: str | None
    created_to: str
    next_cursor: str | None


class ExportPage(NamedTuple):
    """Rows as text. ``created_to`` is the end of the whole export; ``next_cursor`` is None on the last page."""

    business_id: UUID
    rows: int
    text: str
    first_created_at: datetime | None
    last_created_at: datetime | None
    created_to: datetime
    next_cursor: str | None

    def answer(self) -> ExportAnswer:
        """Give the page as the invoker gets it."""
        return ExportAnswer(
            rows=self.rows,
            text=self.text,
            first_created_at=None if self.first_created_at is None else instant_text(self.first_created_at),
            last_created_at=None if self.last_created_at is None else instant_text(self.last_created_at),
            created_to=instant_text(self.created_to),
            next_cursor=self.next_cursor,
        )


class _Remainder(NamedTuple):
    """The rows that are still to export: after the row at ``after``, None for all, and before ``created_to``."""

    after: Position | None
    created_to: datetime


@dataclass(slots=True)
class _PageText:
    """The text of a page while it grows."""

    format: LineFormat
    size_max_bytes: int
    lines: list[str]
    size_bytes: int = 0
    rows: int = 0
    first_created_at: datetime | None = None
    last_created_at: datetime | None = None

    def append(self, row: Adjustment, *, is_first: bool) -> bool:
        """Append a row's line. Refuse it, with False, where the page is full; the first row always fits."""
        line = self.format.line(row)
        self.size_bytes += _json_size_bytes(line)
        if self.size_bytes > self.size_max_bytes and not is_first:
            return False
        self.lines.append(line)
        self.rows += 1
        self.first_created_at = self.first_created_at or row.created_at
        self.last_created_at = row.created_at
        return True


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes pages of an export. It keeps no state between two pages: the cursor holds it."""

    businesses: Businesses
    index: LedgerIndex
    clock: Callable[[], datetime]
    text_size_max_bytes: int = TEXT_SIZE_MAX_BYTES

    def page(self, query: ExportQuery, cursor: str | None, budget: RetryBudget) -> ExportPage:
        """Write one page of an export, the first one without a cursor, as long as size and time allow.

        The first page sets the end of the export, so the export ends although new rows keep arriving. It is where the
        ledger is settled, or earlier: no row can appear before it later, so the next export can go on from there.

        Raises:
            BusinessNotFound: the business does not exist.
            InvalidCursor: the cursor is not one of this export.
            StoreUnavailable: not a single row could be read in time.
            ExportStopped: the very next item of the ledger can't be read as a row.
        """
        question = query.question()
        budget = budget.reserve(_ANSWERING_S)
        if cursor is None:
            if not budget.retry(partial(self.businesses.has_business, query.business_id)):
                raise BusinessNotFound
            settled = settled_to(self.clock())
            remainder = _Remainder(None, settled if query.created_to is None else min(query.created_to, settled))
        else:
            remainder = _read_cursor(cursor, question)
        text, last = self._text(query, remainder, budget)
        return ExportPage(
            business_id=query.business_id,
            rows=text.rows,
            text="".join(text.lines),
            first_created_at=text.first_created_at,
            last_created_at=text.last_created_at,
            created_to=remainder.created_to,
            next_cursor=None if last is None else _cursor(last, remainder.created_to, question),
        )

    def _text(
        self, query: ExportQuery, remainder: _Remainder, budget: RetryBudget
    ) -> tuple[_PageText, Position | None]:
        """Write a page, and give the position of the last row that it covers, None where no row is left."""
        line_format = FORMATS[query.format]
        header = [line_format.header] if remainder.after is None else []
        text = _PageText(line_format, self.text_size_max_bytes, header)
        wanted = AdjustmentFilter(variant_id=query.variant_id, location_id=query.location_id)
        partitions = row_partitions(query.business_id, query.variant_id, query.location_id)
        span = Span(remainder.after, query.created_from, remainder.created_to)
        last: Position | None = None
        try:
            # One Query after the other. A page is long, so concurrent reads would gain little.
            for position, row in oldest_first(partitions, span, PartitionReading(self.index, budget, CHUNK_ROWS)):
                if wanted.includes(row) and not text.append(row, is_first=last is None):
                    return text, last
                last = position
        except StoreUnavailable:
            # The rows that were read in time are good. The next page begins after them.
            if last is None:
                raise
        except RowUnreadable as error:
            if last is None:
                raise ExportStopped(ledger_key=error.key) from None
        else:
            last = None
        return text, last


def _json_size_bytes(line: str) -> int:
    """Give the size that a line adds to the JSON string of the answer, with every character escaped that can be."""
    return len(json.dumps(line)) - len('""')


def _cursor_instant(instant: datetime) -> str:
    """Write an instant without the digits of a second that are zero, e.g. ``2026-11-23T14:05:09Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cursor(last: Position, created_to: datetime, question: dict[str, str]) -> str:
    return cursors.cursor(f"{instant_text(created_to)}|{last.text()}", question)


def _read_cursor(cursor: str, question: dict[str, str]) -> _Remainder:
    """Read what ``_cursor`` wrote.

    Raises:
        InvalidCursor: it did not write that for this question.
    """
    found = cursors.position(cursor, question)
    if found is not None:
        created_to, _, last = found.partition("|")
        with suppress(OverflowError, ValueError):
            end = parse_instant(created_to)
            # The digest's rule is no secret, so a caller can forge a cursor. Accept only the spelling that we issue.
            if instant_text(end) == created_to:
                return _Remainder(parse_position(last), end)
    raise InvalidCursor(cursor)
