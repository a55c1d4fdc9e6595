"""The report by reason: how many units adjustments brought and took in a period, and what reversals took back of it.

A reversal counts under the reason of the row that it reverses. Of a reversal that was itself reversed, that is the row
at the chain's beginning, so that every reversal takes off again what the one before had added.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from itertools import batched, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import InvalidCursor, RowMissing, RowUnreadable, StoreUnavailable
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.queries.ledger_order import PartitionReading, Span, oldest_first, parse_position
from inventory.storage import cursors
from inventory.storage.ledger_index import row_partitions
from inventory.storage.lookups import KEYS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Adjustment
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.ledger_order import Position
    from inventory.storage.ledger_index import LedgerIndex
    from inventory.storage.lookups import Lookups

    type Sums = dict[str | None, tuple[int, ...]]

ROWS_LOOKED_AT_MAX: Final = 2_000
"""Rows that one request looks at. It limits the cost of a request."""

MEASURES: Final = ("adjustments", "units_in", "units_out", "reversed_in", "reversed_out")
"""What is summed for each reason code, in the order of a tuple of ``Sums``. Units that were taken have no sign."""

_ADJUSTMENTS, _UNITS_IN, _UNITS_OUT, _REVERSED_IN, _REVERSED_OUT = range(len(MEASURES))

_NO_CODE: Final = ""
"""Stands for the code null in a cursor."""


class ReportQuery(NamedTuple):
    """Which rows to count. ``created_from`` is inclusive, ``created_to`` exclusive; None means no bound."""

    variant_id: UUID | None = None
    location_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def includes(self, row: Adjustment) -> bool:
        """Whether a row is of the variant and the location."""
        return self.variant_id in (None, row.variant_id) and self.location_id in (None, row.location_id)


class ReportPage(NamedTuple):
    """The sums of the ``rows`` that were counted so far. ``next_cursor`` is None where none is left."""

    sums: Sums
    rows: int
    next_cursor: str | None


class _SoFar(NamedTuple):
    """What earlier requests of one report counted: rows up to ``after``; the report ends at ``created_to``."""

    after: Position | None
    created_to: datetime
    rows: int
    sums: Sums


class _Origin(NamedTuple):
    """What a reversal, or a chain of reversals, goes back to: the reason and the direction of the first row."""

    reason_code: str | None
    is_increase: bool


class ReasonReports(NamedTuple):
    """Counts rows, page by page. It keeps no state between two pages: the cursor holds the sums so far."""

    lookups: Lookups
    ledger: LedgerIndex
    at_once: AtOnce = map

    def page(
        self,
        business_id: UUID,
        query: ReportQuery,
        cursor: str | None,
        question: dict[str, str],
        *,
        now: datetime,
        budget: RetryBudget,
    ) -> ReportPage:
        """Count the next rows, as many as a request may look at and time allows.

        The first page sets the end of the report, so the report ends although new rows keep arriving. ``question``
        binds the cursor to the query.

        Raises:
            InvalidCursor: the cursor is not one of this report.
            StoreUnavailable: not a single row could be counted in time.
            RowUnreadable, RowMissing: the very next row can't be read, or what it reverses is gone.
        """
        if cursor is None:
            end = now if query.created_to is None else min(now, query.created_to)
            so_far = _SoFar(None, end, 0, {})
        else:
            so_far = _read_cursor(cursor, question)
        rows, last = self._rows(business_id, query, so_far, budget)
        sums = _added(so_far.sums, rows, self._origins(business_id, rows, budget))
        counted = so_far.rows + len(rows)
        next_cursor = None if last is None else _cursor(last, so_far._replace(rows=counted, sums=sums), question)
        return ReportPage(sums, counted, next_cursor)

    def _rows(
        self, business_id: UUID, query: ReportQuery, so_far: _SoFar, budget: RetryBudget
    ) -> tuple[list[Adjustment], Position | None]:
        """Read the rows of a page, and the position of the last one that was looked at, None where no row is left."""
        partitions = row_partitions(business_id, query.variant_id, query.location_id)
        # One more than a page has: the row at the position, which is left out.
        chunk_rows = -(-(ROWS_LOOKED_AT_MAX + 1) // len(partitions))
        found = oldest_first(
            partitions,
            Span(so_far.after, query.created_from, so_far.created_to),
            PartitionReading(self.ledger, budget, chunk_rows, at_once=self.at_once),
        )
        rows: list[Adjustment] = []
        last: Position | None = None
        try:
            for position, row in islice(found, ROWS_LOOKED_AT_MAX):
                last = position
                if query.includes(row):
                    rows.append(row)
            return rows, last if next(found, None) is not None else None
        except (StoreUnavailable, RowUnreadable):
            if last is None:
                raise
            return rows, last

    def _origins(self, business_id: UUID, rows: Sequence[Adjustment], budget: RetryBudget) -> dict[UUID, _Origin]:
        """Find what the reversals among rows go back to; the rows are in order, so what is reversed comes first."""
        own = {row.id for row in rows}
        elsewhere = self._read_chains(business_id, {row.reverses for row in rows if row.reverses} - own, budget)
        origins: dict[UUID, _Origin] = {}
        # The rows that were read from elsewhere are in the order of the walk, the newest of a chain first.
        for row in (*reversed(elsewhere), *rows):
            if row.reverses is None:
                origins[row.id] = _Origin(row.reason_code, row.delta > 0)
            elif row.reverses in origins:
                origins[row.id] = origins[row.reverses]
            else:  # a row that reverses itself, or a later one
                raise RowMissing({"adjustment_id": str(row.reverses)})
        return origins

    def _read_chains(self, business_id: UUID, ids: set[UUID], budget: RetryBudget) -> list[Adjustment]:
        """Read rows, what they reverse, and so on to the first row of each chain: a step of all chains at a time.

        Raises:
            StoreUnavailable: they could not be read in time.
            RowMissing: the ledger lacks a row that was reversed.
        """

        def read(some_ids: tuple[UUID, ...]) -> dict[UUID, Adjustment]:
            return budget.retry(partial(self.lookups.adjustments, business_id, some_ids))

        found: list[Adjustment] = []
        read_ids: set[UUID] = set()
        while ids:
            some = [*batched(ids, KEYS_MAX, strict=False)]
            step: dict[UUID, Adjustment] = {}
            for rows in self.at_once(read, some):
                step |= rows
            for row_id in ids - step.keys():
                raise RowMissing({"adjustment_id": str(row_id)})
            found += step.values()
            read_ids |= ids
            ids = {row.reverses for row in step.values() if row.reverses is not None} - read_ids
        return found


def _added(sums: Sums, rows: Iterable[Adjustment], origins: dict[UUID, _Origin]) -> Sums:
    """Add rows to sums."""
    added = {code: [*values] for code, values in sums.items()}
    for row in rows:
        reason_code, is_increase = origins[row.id]
        of_code = added.setdefault(reason_code, [0] * len(MEASURES))
        if row.reverses is None:
            of_code[_ADJUSTMENTS] += 1
            of_code[_UNITS_IN if is_increase else _UNITS_OUT] += abs(row.delta)
        elif is_increase:
            of_code[_REVERSED_IN] -= row.delta
        else:
            of_code[_REVERSED_OUT] += row.delta
    return {code: tuple(values) for code, values in added.items()}


def _cursor(last: Position, so_far: _SoFar, question: dict[str, str]) -> str:
    """Write what was counted up to a row. Its length grows with the number of reason codes, of which there are few."""
    sums = {_NO_CODE if code is None else code: values for code, values in so_far.sums.items()}
    members = (last.text(), instant_text(so_far.created_to), so_far.rows, sums)
    return cursors.compressed_cursor(json.dumps(members, separators=(",", ":")), question)


def _read_cursor(cursor: str, question: dict[str, str]) -> _SoFar:
    """Read what ``_cursor`` wrote. A caller can forge one, and gets wrong sums, but no fault.

    Raises:
        InvalidCursor: it did not write that for this question.
    """
    found = cursors.compressed_position(cursor, question)
    if found is not None:
        with suppress(AttributeError, OverflowError, RecursionError, TypeError, ValueError):
            after, created_to, rows, sums = json.loads(found)
            end = parse_instant(created_to)
            if instant_text(end) == created_to and _are_counts([rows]):
                return _SoFar(parse_position(after), end, rows, dict(_read_sums(sums)))
    raise InvalidCursor(cursor)


def _read_sums(sums: dict[str, list[int]]) -> Iterator[tuple[str | None, tuple[int, ...]]]:
    for code, values in sums.items():
        if len(values) != len(MEASURES) or not _are_counts(values):
            raise ValueError(code)
        yield None if code == _NO_CODE else code, tuple(values)


def _are_counts(values: Sequence[object]) -> bool:
    return all(type(value) is int for value in values)
