"""One stock item's history, checked row by row: the first place where it does not add up, and what is wrong there.

Nothing here reads or waits. Rows come as items of the ledger table, in the order of time; whatever an item holds, it is
judged and never raised. The rows are checked in the order of their sequence, which is the same unless somebody bent a
time: so a few rows may wait for those before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from inventory.chain import row_hash
from inventory.dynamodb import adjustment_of, ledger_item, stock_item_of
from inventory.instants import instant_text, parse_instant
from inventory.model import GENESIS_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from inventory.dynamodb import Item
    from inventory.model import Adjustment, StockItem

WAITING_MAX: Final = 100
"""Rows that wait for one before them; with more, that one is missing."""

GARBAGE: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What reading an item raises where an attribute is absent, of another type, or holds something else."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,38}")


class Kind(StrEnum):
    """What can be wrong with the history of one stock item."""

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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at one place of a history."""

    sequence: int
    kind: Kind


def read_row(item: Item) -> tuple[Adjustment | None, Kind | None]:
    """The row that an item holds, None where it can't be read, and what is wrong with the item by itself."""
    try:
        row = adjustment_of(item)
        if row.created_at.tzinfo is None:
            return None, Kind.ROW_UNREADABLE
        if row_hash(row) != row.hash:
            return row, Kind.ROW_CHANGED
        return row, None if ledger_item(row) == item else Kind.ROW_MISPLACED
    except GARBAGE:
        return None, Kind.ROW_UNREADABLE


def read_stock_item(item: Item) -> StockItem | None:
    """The stock item that an item holds, None where it can't be read."""
    try:
        stock = stock_item_of(item)
        instant_text(stock.updated_at)
    except GARBAGE:
        return None
    return None if stock.updated_at.tzinfo is None else stock


def claimed_integer(item: Item, name: str) -> int | None:
    """An attribute of an item that can't be read as a whole, where it at least is an integer."""
    text = item.get(name, {}).get("N")
    return int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else None


@dataclass(slots=True)
class ChainCheck:
    """The rows so far, as figures: bounded, however long the history is.

    ``rows`` and ``sum`` count all that was taken, in their place or not; ``sequence``, ``quantity``, ``head_hash`` and
    ``created_at`` (as text, empty before the first) are those of the last row in its place. ``mark`` is a stock item;
    ``mark_fits`` says whether the row of its sequence left it so.
    """

    rows: int = 0
    sum: int = 0
    sequence: int = 0
    quantity: int = 0
    head_hash: str = GENESIS_HASH
    created_at: str = ""
    problem: Problem | None = None
    mark: StockItem | None = None
    mark_fits: bool = False
    _waiting: list[tuple[int, int, _Taken]] = field(default_factory=list)

    def copied(self) -> Self:
        """The same, to return to."""
        return replace(self, _waiting=list(self._waiting))

    def set_mark(self, stock: StockItem | None) -> None:
        """Compare with this stock item when its row comes, or now where that was the last; None before the first."""
        self.mark = stock
        self.mark_fits = self.sequence == 0 if stock is None else self.ends_in(stock)

    @property
    def waits(self) -> bool:
        """Whether there are rows whose turn has not come: one before them is missing, or late."""
        return bool(self._waiting)

    @property
    def overflows(self) -> bool:
        """Whether more rows wait than may."""
        return len(self._waiting) > WAITING_MAX

    @property
    def top(self) -> int:
        """The highest sequence that was seen, in its place or waiting."""
        return max((sequence for sequence, _, _ in self._waiting), default=self.sequence)

    def take(self, items: Iterable[Item]) -> None:
        """Take the next rows in the order of time."""
        for item in items:
            taken = _taken(item, otherwise=self.sequence + 1)
            self.rows += 1
            self.sum += taken.delta
            heappush(self._waiting, (taken.sequence, self.rows, taken))
            while self._waiting and self._waiting[0][0] <= self.sequence + 1:
                self._place(heappop(self._waiting)[2])

    def give_up_waiting(self, head: int) -> None:
        """Place the rows that wait without those before them; ``head`` is the sequence of the stock item.

        A row past the head is not what makes those between a loss: it is the one that is too much.
        """
        while self._waiting:
            taken = heappop(self._waiting)[2]
            expected = self.sequence + 1
            if taken.sequence > expected:
                if expected <= head:
                    self.report(expected, Kind.ROW_MISSING)
                else:
                    self.report(taken.sequence, Kind.ROW_INSERTED)
            self._place(taken)

    def report(self, sequence: int, kind: Kind) -> None:
        """Note a problem, unless one stands before it in the chain."""
        if self.problem is None or sequence < self.problem.sequence:
            self.problem = Problem(sequence, kind)

    def ends_in(self, stock: StockItem) -> bool:
        """Whether the stock item is as the last row left it."""
        return (stock.sequence, stock.quantity, stock.head_hash, instant_text(stock.updated_at)) == (
            self.sequence,
            self.quantity,
            self.head_hash,
            self.created_at,
        )

    def _place(self, taken: _Taken) -> None:
        if taken.sequence <= self.sequence:
            self._place_late(taken)
            return
        row = taken.row
        follows = taken.sequence == self.sequence + 1
        if taken.kind is not None:
            self.report(taken.sequence, taken.kind)
        elif follows and row is not None:
            if row.previous_hash != self.head_hash:
                self.report(taken.sequence, Kind.CHAIN_BROKEN)
            elif row.quantity_after != self.quantity + row.delta:
                self.report(taken.sequence, Kind.BALANCE_WRONG)
            elif self.created_at and row.created_at <= parse_instant(self.created_at):
                self.report(taken.sequence, Kind.TIME_WRONG)
        self.sequence = taken.sequence
        if row is not None:
            self.quantity = row.quantity_after
            self.head_hash = row.hash
            self.created_at = instant_text(row.created_at)
        if self.mark is not None and self.mark.sequence == self.sequence:
            self.mark_fits = self.ends_in(self.mark)

    def _place_late(self, taken: _Taken) -> None:
        """A row whose turn is over: the one that was missed, at a wrong time, or a second one of its sequence."""
        found = self.problem
        if found is None or taken.sequence < found.sequence:
            self.report(taken.sequence, Kind.ROW_INSERTED)
        elif taken.sequence == found.sequence:
            missed = found.kind is Kind.ROW_MISSING
            kind = (taken.kind or Kind.TIME_WRONG) if missed else Kind.ROW_INSERTED
            self.problem = Problem(taken.sequence, kind)


@dataclass(frozen=True, slots=True)
class _Taken:
    """One item as it was judged by itself.

    Where an item has no sequence, or the sequence is what was changed, it is the one of the place where it stands.
    """

    sequence: int
    row: Adjustment | None
    kind: Kind | None
    delta: int


def _taken(item: Item, *, otherwise: int) -> _Taken:
    row, kind = read_row(item)
    if row is not None:
        moved = kind is Kind.ROW_CHANGED and row_hash(replace(row, sequence=otherwise)) == row.hash
        return _Taken(otherwise if moved else row.sequence, row, kind, row.delta)
    sequence = claimed_integer(item, "sequence")
    return _Taken(otherwise if sequence is None else sequence, None, kind, claimed_integer(item, "delta") or 0)
