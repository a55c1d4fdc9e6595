"""Checks the ledger rows of one stock item: the first place where they do not add up, and what is wrong there.

This module does no reads and no waiting. It gets rows as items of the ledger table in the order of time, and accepts
any content. It checks them in the order of their sequence. Both orders are the same unless a time was tampered with or
a row is late, so a few rows may be pending: they came before a row that precedes them in the chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage.items import MALFORMED, adjustment_of, claimed_integer, ledger_item

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from inventory.domain.model import Adjustment, StockItem
    from inventory.storage.items import Item

PENDING_ROWS_MAX: Final = 100
"""With more pending rows than this, the row before them counts as missing."""


class ProblemKind(StrEnum):
    """What can be wrong with the history of a stock item. Callers get these texts; docs/integrity.md explains them."""

    ROW_MISSING = "row_missing"
    ROW_INSERTED = "row_inserted"
    ROW_UNREADABLE = "row_unreadable"
    ROW_CHANGED = "row_changed"
    ROW_MISPLACED = "row_misplaced"
    CHAIN_BROKEN = "chain_broken"
    BALANCE_WRONG = "balance_wrong"
    TIME_WRONG = "time_wrong"
    STOCK_ITEM_CHANGED = "stock_item_changed"
    STOCK_ITEM_MISSING = "stock_item_missing"
    STOCK_ITEM_UNREADABLE = "stock_item_unreadable"


class Problem(NamedTuple):
    """What is wrong at one place of a history."""

    sequence: int
    kind: ProblemKind


def read_row(item: Item) -> tuple[Adjustment | None, ProblemKind | None]:
    """Give the row of an item, None where it can't be read, and what is wrong with the item on its own."""
    try:
        row = adjustment_of(item)
        if row.created_at.tzinfo is None:
            return None, ProblemKind.ROW_UNREADABLE
        if row_hash(row) != row.hash:
            return row, ProblemKind.ROW_CHANGED
        return row, None if ledger_item(row) == item else ProblemKind.ROW_MISPLACED
    except MALFORMED:
        return None, ProblemKind.ROW_UNREADABLE


@dataclass(slots=True)
class ChainCheck:
    """A running check of one stock item's rows. Its size is bounded, however long the history is.

    ``rows`` and ``sum`` count all rows that were added. ``sequence``, ``quantity``, ``head_hash`` and ``created_at``
    (as text, empty before the first row) are those of the last row in the chain so far; ``counted_at`` and
    ``counted_through`` (as text, empty before the first count) are those that the rows leave to the stock item.
    ``expected_head`` is the stock item as it was read before the rows; ``head_matched`` says whether the row with its
    sequence left it in that state.
    """

    rows: int = 0
    sum: int = 0
    sequence: int = 0
    quantity: int = 0
    head_hash: str = GENESIS_HASH
    created_at: str = ""
    counted_at: str = ""
    counted_through: str = ""
    problem: Problem | None = None
    expected_head: StockItem | None = None
    head_matched: bool = False
    _pending: list[tuple[int, int, _CheckedItem]] = field(default_factory=list)

    def copied(self) -> Self:
        """Give a copy that does not change with this check."""
        return replace(self, _pending=list(self._pending))

    def expect_head(self, stock: StockItem | None) -> None:
        """Set the stock item to compare with. None means that there was none before the rows were read."""
        self.expected_head = stock
        self.head_matched = self.sequence == 0 if stock is None else self.matches(stock)

    @property
    def has_pending_rows(self) -> bool:
        """Whether a row before others that were added is missing or late."""
        return bool(self._pending)

    @property
    def has_too_many_pending_rows(self) -> bool:
        """Whether it makes no sense to wait for the row before the pending ones any longer."""
        return len(self._pending) > PENDING_ROWS_MAX

    @property
    def highest_sequence(self) -> int:
        """The highest sequence among all rows, the pending ones included."""
        return max((sequence for sequence, _, _ in self._pending), default=self.sequence)

    def add(self, items: Iterable[Item]) -> None:
        """Add the next rows in the order of time."""
        for item in items:
            checked = _checked(item, default_sequence=self.sequence + 1)
            self.rows += 1
            self.sum += checked.delta
            heappush(self._pending, (checked.sequence, self.rows, checked))
            while self._pending and self._pending[0][0] <= self.sequence + 1:
                self._append(heappop(self._pending)[2])

    def append_pending(self, head_sequence: int) -> None:
        """Append the pending rows without the rows before them, and report these.

        Up to ``head_sequence``, the stock item's, a gap is a missing row. Beyond it, the row after the gap is one that
        was inserted.
        """
        while self._pending:
            checked = heappop(self._pending)[2]
            expected = self.sequence + 1
            if checked.sequence > expected:
                if expected <= head_sequence:
                    self.report(expected, ProblemKind.ROW_MISSING)
                else:
                    self.report(checked.sequence, ProblemKind.ROW_INSERTED)
            self._append(checked)

    def report(self, sequence: int, kind: ProblemKind) -> None:
        """Note a problem, unless there is one earlier in the chain or at the same place."""
        if self.problem is None or sequence < self.problem.sequence:
            self.problem = Problem(sequence, kind)

    def matches(self, stock: StockItem) -> bool:
        """Whether the stock item is in the state that the last row left."""
        found = stock.sequence, stock.quantity, stock.head_hash, instant_text(stock.updated_at)
        counted = tuple(
            "" if each is None else instant_text(each) for each in (stock.counted_at, stock.counted_through)
        )
        left = self.sequence, self.quantity, self.head_hash, self.created_at
        return found == left and counted == (self.counted_at, self.counted_through)

    def _append(self, checked: _CheckedItem) -> None:
        """Make a row the last one of the chain, and report what does not fit."""
        if checked.sequence <= self.sequence:
            self._report_late_row(checked)
            return
        kind = checked.kind or self._misfit(checked)
        if kind is not None:
            self.report(checked.sequence, kind)
        self.sequence = checked.sequence
        if checked.row is not None:
            self.quantity = checked.row.quantity_after
            self.head_hash = checked.row.hash
            self.created_at = instant_text(checked.row.created_at)
            if checked.row.kind == "count":
                self.counted_at = instant_text(checked.row.counted_at or checked.row.created_at)
                self.counted_through = self.created_at
        if self.expected_head is not None and self.expected_head.sequence == self.sequence:
            self.head_matched = self.matches(self.expected_head)

    def _misfit(self, checked: _CheckedItem) -> ProblemKind | None:
        """What is wrong between the last row and the next one. After a gap nothing can be compared."""
        row = checked.row
        if row is None or checked.sequence != self.sequence + 1:
            return None
        if row.previous_hash != self.head_hash:
            return ProblemKind.CHAIN_BROKEN
        if row.quantity_after != self.quantity + row.delta:
            return ProblemKind.BALANCE_WRONG
        if self.created_at and row.created_at <= parse_instant(self.created_at):
            return ProblemKind.TIME_WRONG
        return None

    def _report_late_row(self, checked: _CheckedItem) -> None:
        """Report a row whose sequence was passed: it has a wrong time, or its sequence occurs twice."""
        found = self.problem
        if found is None or checked.sequence < found.sequence:
            self.report(checked.sequence, ProblemKind.ROW_INSERTED)
        elif checked.sequence == found.sequence:
            was_missing = found.kind is ProblemKind.ROW_MISSING
            kind = (checked.kind or ProblemKind.TIME_WRONG) if was_missing else ProblemKind.ROW_INSERTED
            self.problem = Problem(checked.sequence, kind)


class _CheckedItem(NamedTuple):
    """An item, checked on its own: its row if it can be read, its sequence and delta, and what is wrong with it."""

    sequence: int
    row: Adjustment | None
    kind: ProblemKind | None
    delta: int


def _checked(item: Item, *, default_sequence: int) -> _CheckedItem:
    """Check an item. ``default_sequence`` replaces a sequence that is unreadable, or is what was tampered with."""
    row, kind = read_row(item)
    if row is not None:
        is_sequence_changed = (
            kind is ProblemKind.ROW_CHANGED and row_hash(row._replace(sequence=default_sequence)) == row.hash
        )
        return _CheckedItem(default_sequence if is_sequence_changed else row.sequence, row, kind, row.delta)
    sequence = claimed_integer(item, "sequence")
    delta = claimed_integer(item, "delta") or 0
    return _CheckedItem(default_sequence if sequence is None else sequence, None, kind, delta)
