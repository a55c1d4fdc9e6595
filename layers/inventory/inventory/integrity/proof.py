"""The proof of one stock item: reads its rows in pages, checks them, and compares the last one with the stock item.

The index is read after the stock item, and it follows the table with a delay. A row that seems to be missing may be
late, and a row beyond the stock item's sequence may be newer than the stock item that was read. Both are read again
before they count as problems.

    stock item: sequence 41 ....... 43 when read again: rows 42 and 43 are valid
    index:      rows 1 to 41, 43                        42 is late; the proof covers rows 1 to 41

A continued proof starts with the figures of its cursor. A caller can forge them. They must agree with the ledger row
that the cursor names, but nothing shows that the rows before it were checked. So a continued proof is as reliable as
its caller. A proof in one request, an audit and a checked export need no trust.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from inventory.domain.errors import InvalidCursor, StoreUnavailable, TryAgain
from inventory.domain.model import GENESIS_HASH
from inventory.domain.retry_budget import RetryBudget
from inventory.integrity import proof_cursor
from inventory.integrity.chain_check import ChainCheck, Problem, ProblemKind
from inventory.storage.items import read_stock_item
from inventory.storage.ledger_index import IndexQuery, stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.domain.model import StockItem, StockItemId
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexPage, LedgerIndex, StartKey

PROOF_ROWS_MAX: Final = 10_000
"""Rows that one request reads, up to the end of a page: about two seconds of a function's time."""

PROOF_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8)
"""Pause before each repeated read of rows that may be late. An index is usually less than a second behind."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the history of one stock item adds up to.

    ``verified`` is None where no problem was found so far but rows are left: ``next_cursor`` continues the proof, and
    the figures are those of the rows so far. ``verified`` is False from the first problem on, even if rows are left.
    Then ``rows`` and ``sum`` are what was read of the ledger, which is all of it only if ``next_cursor`` is None, while
    ``quantity``, ``sequence`` and ``head_hash`` are the stock item's own, or those before the first row without one.
    """

    variant_id: UUID
    location_id: UUID
    verified: bool | None
    rows: int
    sum: int
    quantity: int
    sequence: int
    head_hash: str
    first_problem: Problem | None
    next_cursor: str | None


class ItemsByKey(Protocol):
    """Reads single items as they are stored."""

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read a stock item, strongly consistent; None where there is none.

        Raises:
            StoreUnavailable: there was no complete answer.
        """
        ...

    def ledger_row(self, business_id: UUID, adjustment_id: UUID) -> Item | None:
        """Read a ledger row in the same way."""
        ...


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves stock items. ``page_rows`` limits a page of the index; None means as many rows as 1 MB holds."""

    index: LedgerIndex
    items: ItemsByKey
    sleep: Callable[[float], None] = time.sleep
    pauses_s: tuple[float, ...] = PROOF_PAUSES_S
    rows_max: int = PROOF_ROWS_MAX
    page_rows: int | None = None

    def prove(self, stock_item_id: StockItemId, cursor: str | None, *, remaining_s: Callable[[], float]) -> Proof:
        """Prove one stock item, or continue a proof. ``remaining_s`` gives the seconds that are left.

        Raises:
            InvalidCursor: the cursor is not one of this stock item's proof, or the row that it names has changed since.
                A proof from the beginning then shows the change.
            TryAgain: the tables gave no answer in time.
        """
        try:
            return _ProofRun(self, stock_item_id, cursor, remaining_s).run()
        except StoreUnavailable as error:
            raise TryAgain from error


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A state without pending rows: the check up to there, and where the index continues."""

    check: ChainCheck
    start: StartKey | None


class _ProofRun:
    """One request's part of a proof."""

    def __init__(
        self, prover: Prover, stock_item_id: StockItemId, cursor: str | None, remaining_s: Callable[[], float]
    ) -> None:
        self._prover = prover
        self._stock_item_id = stock_item_id
        self._partition = stock_item_partition(*stock_item_id)
        self._budget = RetryBudget(remaining_s, prover.sleep)
        self._pauses = iter(prover.pauses_s)
        self._checkpoint = _Checkpoint(ChainCheck(), None) if cursor is None else self._read_cursor(cursor)
        self._resumable: tuple[ChainCheck, str] | None = None
        self._rows_read = 0
        self._read_stock_item()
        self._checkpoint.check.expect_head(self._stock)
        self._return_to_checkpoint()

    def run(self) -> Proof:
        """Read pages until there is a verdict, or too little time."""
        while True:
            try:
                is_last = self._add_page()
            except StoreUnavailable:
                # No time, or no answer. Another request continues after the rows that were read.
                return self._unfinished()
            if (is_last or self._check.has_too_many_pending_rows) and self._may_be_outdated(is_last=is_last):
                pause_s = next(self._pauses, None)
                if pause_s is None:
                    self._check.append_pending(self._head_sequence())
                elif not self._budget.has_time(after_s=pause_s):
                    return self._unfinished()
                else:
                    self._prover.sleep(pause_s)
                    self._return_to_checkpoint()
                    continue
            if is_last:
                return self._verdict()
            if self._can_stop():
                return self._unfinished()

    def _return_to_checkpoint(self) -> None:
        self._check, self._start = self._checkpoint.check.copied(), self._checkpoint.start

    def _add_page(self) -> bool:
        """Read the next page and add its rows to the check. Give whether it was the last page."""
        query = IndexQuery(self._partition, limit=self._prover.page_rows, start=self._start)
        page: IndexPage = self._budget.retry(lambda: self._prover.index.page(query))
        self._rows_read += len(page.items)
        self._check.add(page.items)
        self._start = page.next_start
        if self._check.problem is not None:
            self._check.append_pending(self._head_sequence())
        if page.items and not self._check.has_pending_rows:
            self._set_checkpoint(page.items[-1])
        return page.next_start is None

    def _can_stop(self) -> bool:
        """Whether this request read enough, and another one can continue here with the same result.

        Not with pending rows: the next request would start before them and get no further. Not beyond the stock item's
        sequence: the next request could not compare the row that the stock item should match.
        """
        is_past_head = self._stock is not None and self._check.sequence > self._stock.sequence
        is_enough = self._rows_read >= self._prover.rows_max
        return is_enough and not self._check.has_pending_rows and not is_past_head

    def _read_stock_item(self) -> None:
        self._item: Item | None = self._budget.retry(lambda: self._prover.items.stock_item(*self._stock_item_id))
        self._stock: StockItem | None = None if self._item is None else read_stock_item(self._item)

    def _is_stock_item_unreadable(self) -> bool:
        return self._item is not None and self._stock is None

    def _head_sequence(self) -> int:
        """Give the sequence up to which rows must exist: the stock item's, without one the highest of the rows."""
        return self._check.highest_sequence if self._stock is None else self._stock.sequence

    def _may_be_outdated(self, *, is_last: bool) -> bool:
        """Whether a mismatch may come from rows that are late or new, so another read can settle it."""
        check = self._check
        if check.problem is not None or self._is_stock_item_unreadable():
            return False
        head_sequence = 0 if self._stock is None else self._stock.sequence
        if check.highest_sequence == check.sequence == head_sequence:
            return False
        if check.sequence < head_sequence:
            return True
        # There are rows beyond the stock item that was read. It must have changed since.
        self._read_stock_item()
        if self._is_stock_item_unreadable():
            return False
        return not (is_last and (self._ends_at_stock_item() or self._is_proof_of_earlier_state()))

    def _ends_at_stock_item(self) -> bool:
        check = self._check
        return self._stock is not None and check.highest_sequence == check.sequence == self._stock.sequence

    def _is_proof_of_earlier_state(self) -> bool:
        """Whether the rows match the stock item as first read, and it has changed since."""
        return (
            self._check.head_matched
            and self._stock is not None
            and self._check.highest_sequence <= self._stock.sequence
        )

    def _verdict(self) -> Proof:
        check = self._check
        if check.problem is None and self._is_proof_of_earlier_state():
            return self._proof(check, verified=True)
        check.append_pending(self._head_sequence())
        if check.problem is None:
            self._compare_with_stock_item()
        return self._proof(check, verified=check.problem is None)

    def _compare_with_stock_item(self) -> None:
        check, stock = self._check, self._stock
        if self._is_stock_item_unreadable():
            check.report(check.sequence, ProblemKind.STOCK_ITEM_UNREADABLE)
        elif stock is None:
            if check.rows:
                check.report(check.sequence, ProblemKind.STOCK_ITEM_MISSING)
        elif check.sequence < stock.sequence and check.head_hash != stock.head_hash:
            check.report(check.sequence + 1, ProblemKind.ROW_MISSING)
        elif check.sequence > stock.sequence and check.head_matched:
            check.report(stock.sequence + 1, ProblemKind.ROW_INSERTED)
        elif not check.matches(stock):
            check.report(check.sequence, ProblemKind.STOCK_ITEM_CHANGED)

    def _unfinished(self) -> Proof:
        if self._resumable is not None:
            check, cursor = self._resumable
            return self._proof(check, verified=None if check.problem is None else False, cursor=cursor)
        if self._check.problem is None:
            raise StoreUnavailable  # less than a page was read: there is nothing to continue from
        return self._proof(self._check, verified=False)

    def _proof(self, check: ChainCheck, *, verified: bool | None, cursor: str | None = None) -> Proof:
        quantity, sequence, head_hash = check.quantity, check.sequence, check.head_hash
        if verified is False:
            quantity, sequence, head_hash = 0, 0, GENESIS_HASH
            if self._stock is not None:
                quantity, sequence, head_hash = self._stock.quantity, self._stock.sequence, self._stock.head_hash
        return Proof(
            variant_id=self._stock_item_id.variant_id,
            location_id=self._stock_item_id.location_id,
            verified=verified,
            # Newer rows than the proved ones may have been read. They do not count.
            rows=check.sequence if verified else check.rows,
            sum=check.quantity if verified else check.sum,
            quantity=quantity,
            sequence=sequence,
            head_hash=head_hash,
            first_problem=check.problem,
            next_cursor=cursor,
        )

    def _set_checkpoint(self, last: Item) -> None:
        """Remember the state after the item ``last``, with a cursor where one can name it."""
        names = ("pk", self._partition.key_name, self._partition.sort_name)
        self._checkpoint = _Checkpoint(self._check.copied(), {name: last[name] for name in names})
        if (cursor := proof_cursor.write(self._check, last, self._stock_item_id)) is not None:
            self._resumable = (self._checkpoint.check, cursor)

    def _read_cursor(self, cursor: str) -> _Checkpoint:
        found = proof_cursor.read(cursor, self._partition, self._stock_item_id)
        if found is not None:
            business_id = self._stock_item_id.business_id
            item = self._budget.retry(lambda: self._prover.items.ledger_row(business_id, found.adjustment_id))
            if item is not None and proof_cursor.agrees(found, item):
                return _Checkpoint(found.check, found.start)
        raise InvalidCursor(cursor)
