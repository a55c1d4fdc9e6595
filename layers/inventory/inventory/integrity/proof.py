"""Proving one stock item: its rows are read in pages and checked, and their end is compared with the stock item.

The index is read after the stock item, and follows the table with a delay: a row that seems to be missing may be late,
and a row past the head may be younger than what was read of the stock item. Both are looked at again before they count.

    stock item: sequence 41 ....... 43 again: so rows 42 and 43 may be there
    index:      rows 1 to 41, 43                      42 is late, and nothing is claimed beyond 41

A proof that goes on does so with the figures of its cursor, which are no secret and can be made up. They must be those
of the row that the cursor names, as it stands now; but whether the rows before it were read, and fitted, is known only
to whoever carried the cursor: a proof that was continued is as good as that. One request, an audit, and an export
that was checked trust nobody.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from inventory.domain.errors import StoreUnavailable, TryAgain
from inventory.domain.model import GENESIS_HASH
from inventory.domain.retry_budget import RetryBudget
from inventory.integrity import proof_cursor
from inventory.integrity.chain_check import ChainCheck, Problem, ProblemKind
from inventory.schemas.problems import not_handed_out
from inventory.storage.items import read_stock_item
from inventory.storage.ledger_index import stock_item_partition

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from inventory.domain.model import StockItem
    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexPage, LedgerIndex, StartKey

PROOF_ROWS_MAX: Final = 10_000
"""Rows of one request, give or take a page: about two seconds of a function's time."""

PROOF_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8)
"""Before each further look at what may be late; an index is behind for less than a second, as a rule."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What one stock item's history adds up to.

    ``verified`` is None where nothing is wrong so far, but there was no time for all: ``next_cursor`` goes on, and the
    figures are those of the rows so far. As soon as there is a problem it is False, be there more to read or not:
    ``rows`` and ``sum`` are what was read of the ledger, all of it only where ``next_cursor`` is None, while
    ``quantity``, ``sequence`` and ``head_hash`` are the stock item's as it stands (of none: as before the first row).
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
    """Where stock items and single ledger rows are read as they are stored."""

    def stock_item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read a stock item, as of now; None where there is none.

        Raises:
            StoreUnavailable: there was no whole answer.
        """
        ...

    def ledger_row(self, business_id: UUID, adjustment_id: UUID) -> Item | None:
        """Read a ledger row likewise."""
        ...


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves stock items; ``page_rows`` None is as many rows a page as 1 MB holds."""

    index: LedgerIndex
    items: ItemsByKey
    sleep: Callable[[float], None] = time.sleep
    pauses_s: tuple[float, ...] = PROOF_PAUSES_S
    rows_max: int = PROOF_ROWS_MAX
    page_rows: int | None = None

    def prove(
        self,
        business_id: UUID,
        variant_id: UUID,
        location_id: UUID,
        cursor: str | None,
        *,
        remaining_s: Callable[[], float],
    ) -> Proof:
        """Prove one stock item, or go on with a proof; ``remaining_s`` is the time left in seconds.

        Raises:
            InvalidRequest: the cursor is not one of this stock item's proof, or the row where it was made is no longer
                as it was: then a proof from the beginning tells what has become of it.
            TryAgain: the tables gave no answer in time.
        """
        try:
            return _Walk(self, (business_id, variant_id, location_id), cursor, remaining_s).run()
        except StoreUnavailable as error:
            raise TryAgain from error


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """A place of the walk where no row waits: what it added up to, and where in the index it goes on."""

    check: ChainCheck
    start: StartKey | None


class _Walk:
    """One proof on its way along the index, with the stock item as it was last read."""

    def __init__(
        self, parts: Prover, place: proof_cursor.Place, cursor: str | None, remaining_s: Callable[[], float]
    ) -> None:
        self._parts = parts
        self._place = place
        self._partition = stock_item_partition(*place)
        self._patience = RetryBudget(remaining_s, parts.sleep)
        self._pauses = iter(parts.pauses_s)
        self._checkpoint = _Checkpoint(ChainCheck(), None) if cursor is None else self._resumed(cursor)
        self._resumable: tuple[ChainCheck, str] | None = None
        self._rows_read = 0
        self._item: Item | None = None
        self._stock: StockItem | None = None

    def run(self) -> Proof:
        """Walk until there is a verdict, or no time."""
        self._read_stock_item()
        self._checkpoint.check.set_mark(self._stock)
        check, start = self._checkpoint.check.copied(), self._checkpoint.start
        while True:
            try:
                page = self._page(start)
            except StoreUnavailable:
                # There is no time, or no answer: another request goes on from what was read.
                return self._unfinished(check)
            check.take(page.items)
            start = page.next_start
            if check.problem is not None:
                check.give_up_waiting(self._head_of(check))
            if not check.waits and page.items:
                self._keep(check, page.items[-1])
            if (start is None or check.overflows) and self._in_doubt(check, ended=start is None):
                pause_s = next(self._pauses, None)
                if pause_s is None:
                    check.give_up_waiting(self._head_of(check))
                elif not self._patience.has_time(after_s=pause_s):
                    return self._unfinished(check)
                else:
                    self._parts.sleep(pause_s)
                    check, start = self._checkpoint.check.copied(), self._checkpoint.start
                    continue
            if start is None:
                return self._verdict(check)
            if self._may_stop_at(check):
                return self._unfinished(check)

    def _may_stop_at(self, check: ChainCheck) -> bool:
        """Whether it is enough for one request, at a place from which another one can tell as much.

        Not while rows wait: it would begin before them, and come no further. Not past the head: what the head fits is
        known only to whoever passed it.
        """
        past_the_head = self._stock is not None and check.sequence > self._stock.sequence
        return self._rows_read >= self._parts.rows_max and not check.waits and not past_the_head

    def _page(self, start: StartKey | None) -> IndexPage:
        page = self._patience.retry(
            lambda: self._parts.index.page(self._partition, limit=self._parts.page_rows, start=start)
        )
        self._rows_read += len(page.items)
        return page

    def _read_stock_item(self) -> None:
        self._item = self._patience.retry(lambda: self._parts.items.stock_item(*self._place))
        self._stock = None if self._item is None else read_stock_item(self._item)

    def _unreadable(self) -> bool:
        return self._item is not None and self._stock is None

    def _head_of(self, check: ChainCheck) -> int:
        """The sequence up to which rows ought to be there; where no stock item says it, they do themselves."""
        return check.top if self._stock is None else self._stock.sequence

    def _in_doubt(self, check: ChainCheck, *, ended: bool) -> bool:
        """Whether what was seen can be different in a moment, without anything being wrong."""
        if check.problem is not None or self._unreadable():
            return False
        head = 0 if self._stock is None else self._stock.sequence
        if check.top == check.sequence == head:
            return False
        if check.sequence < head:
            return True
        # Rows past the head: by now the stock item must know of them.
        self._read_stock_item()
        if self._unreadable():
            return False
        return not (ended and (self._meets(check) or self._is_older(check)))

    def _meets(self, check: ChainCheck) -> bool:
        return self._stock is not None and check.top == check.sequence == self._stock.sequence

    def _is_older(self, check: ChainCheck) -> bool:
        """Whether a writer was faster: the rows reach as far as the stock item did at first, and it has gone on."""
        return check.mark_fits and self._stock is not None and check.top <= self._stock.sequence

    def _verdict(self, check: ChainCheck) -> Proof:
        if check.problem is None and self._is_older(check):
            return self._answer(check, verified=True)
        check.give_up_waiting(self._head_of(check))
        if check.problem is None:
            self._compare_the_ends(check)
        return self._answer(check, verified=check.problem is None)

    def _compare_the_ends(self, check: ChainCheck) -> None:
        stock = self._stock
        if self._unreadable():
            check.report(check.sequence, ProblemKind.STOCK_ITEM_UNREADABLE)
        elif stock is None:
            if check.rows:
                check.report(check.sequence, ProblemKind.STOCK_ITEM_MISSING)
        elif check.sequence < stock.sequence and check.head_hash != stock.head_hash:
            check.report(check.sequence + 1, ProblemKind.ROW_MISSING)
        elif check.sequence > stock.sequence and check.mark_fits:
            check.report(stock.sequence + 1, ProblemKind.ROW_INSERTED)
        elif not check.ends_in(stock):
            check.report(check.sequence, ProblemKind.STOCK_ITEM_CHANGED)

    def _unfinished(self, check: ChainCheck) -> Proof:
        if self._resumable is not None:
            check, cursor = self._resumable
            return self._answer(check, verified=None if check.problem is None else False, cursor=cursor)
        if check.problem is None:
            raise StoreUnavailable  # not a page's worth of progress: there is nothing to go on from
        return self._answer(check, verified=False)

    def _answer(self, check: ChainCheck, *, verified: bool | None, cursor: str | None = None) -> Proof:
        quantity, sequence, head_hash = check.quantity, check.sequence, check.head_hash
        if verified is False:
            quantity, sequence, head_hash = 0, 0, GENESIS_HASH
            if self._stock is not None:
                quantity, sequence, head_hash = self._stock.quantity, self._stock.sequence, self._stock.head_hash
        return Proof(
            variant_id=self._place[1],
            location_id=self._place[2],
            verified=verified,
            # Rows that are younger than what was proved have been read, but not proved.
            rows=check.sequence if verified else check.rows,
            sum=check.quantity if verified else check.sum,
            quantity=quantity,
            sequence=sequence,
            head_hash=head_hash,
            first_problem=check.problem,
            next_cursor=cursor,
        )

    def _keep(self, check: ChainCheck, last: Item) -> None:
        """Remember where to look again from and, where a cursor can say so, where another request goes on."""
        names = ("pk", self._partition.key_name, self._partition.sort_name)
        self._checkpoint = _Checkpoint(check.copied(), {name: last[name] for name in names})
        if (cursor := proof_cursor.write(check, last, self._place)) is not None:
            self._resumable = (self._checkpoint.check, cursor)

    def _resumed(self, cursor: str) -> _Checkpoint:
        found = proof_cursor.read(cursor, self._partition, self._place)
        if found is not None:
            item = self._patience.retry(lambda: self._parts.items.ledger_row(self._place[0], found.adjustment_id))
            if item is not None and proof_cursor.agrees(found, item):
                return _Checkpoint(found.check, found.start)
        raise not_handed_out(["query", "cursor"], cursor)
