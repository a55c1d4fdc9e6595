"""The audit of both tables, segment by segment: it proves every stock item and checks every ledger row.

A proof reads the rows that an index shows for one stock item. Rows that no index shows, rows without a stock item, and
links without a reversal are found from the other side: the audit reads the whole ledger, row by row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor, StoreUnavailable, TryAgain
from inventory.domain.retry_budget import CALL_BUDGET_S, RetryBudget
from inventory.integrity import audit_position
from inventory.integrity.audit_position import INVENTORY, LEDGER, AuditPosition
from inventory.integrity.chain_check import Problem, ProblemKind, read_row
from inventory.integrity.cross_checks import CrossChecks
from inventory.integrity.item_checks import (
    is_catalog_item,
    is_rejection,
    link_id_of,
    sequence_of_altered_stock_item,
    stock_item_id_of,
)
from inventory.integrity.mismatches import ledger_item_mismatch, stock_item_mismatch, unknown_item
from inventory.storage.items import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.domain.model import Adjustment, Segment, StockItemId
    from inventory.integrity.cross_checks import Link
    from inventory.integrity.mismatches import Mismatch
    from inventory.integrity.proof import Proof, Prover
    from inventory.storage.items import Item
    from inventory.storage.table_scan import AuditTables

MISMATCHES_LISTED_MAX: Final = 100

AUDIT_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Pause before each repeated read of what may be late. No caller waits, so these are longer than a proof's."""

_REPEATED_CHECKS_MAX: Final = 3
"""So many checks of one page of the ledger can need all pauses, one check after the other."""


@dataclass(slots=True)
class AuditResult:
    """What an audit read and found. ``mismatches`` lists the first of them, ``mismatch_count`` counts all.

    ``next_position`` is where to continue, None at the end of the segment. ``stopped_by`` is the fault that ended the
    audit, None without one.
    """

    rows: int = 0
    stock_items: int = 0
    mismatch_count: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    next_position: str | None = None
    stopped_by: StoreUnavailable | TryAgain | None = None

    def add(self, mismatch: Mismatch) -> None:
        """Count a mismatch, and list it where the list has room."""
        self.mismatch_count += 1
        if len(self.mismatches) < MISMATCHES_LISTED_MAX:
            self.mismatches.append(mismatch)


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits segments. ``prover`` needs long pauses and no limit of rows."""

    tables: AuditTables
    prover: Prover
    sleep: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic
    pauses_s: tuple[float, ...] = AUDIT_PAUSES_S

    def audit(
        self,
        segment: Segment,
        position: str | None = None,
        *,
        seconds: float = inf,
        remaining_s: Callable[[], float],
    ) -> AuditResult:
        """Audit a segment from a position, until its end, until the time is up, or until the tables can't be read.

        ``seconds`` is how long the invoker waits; ``remaining_s`` gives the time that is left of the invocation. If
        the audit stops within a page, ``next_position`` repeats that page: its mismatches are reported twice, its rows
        and stock items are counted once.

        Raises:
            InvalidCursor: the position is not one of this segment.
            TryAgain: the tables gave no answer in time, before the audit got any further than ``position``.
        """
        begin = AuditPosition(INVENTORY, None) if position is None else audit_position.read(position, segment)
        try:
            return _SegmentRun(self, segment, self.clock_s() + seconds, remaining_s).run(begin)
        except StoreUnavailable:
            raise TryAgain from None


class _SegmentRun:
    """One invocation's part of the audit of a segment: first the inventory table, then the ledger."""

    def __init__(self, auditor: Auditor, segment: Segment, deadline_s: float, remaining_s: Callable[[], float]) -> None:
        self._auditor = auditor
        self._segment = segment
        self._deadline_s = deadline_s
        self._budget = RetryBudget(remaining_s, auditor.sleep)
        self._checks = CrossChecks(auditor.tables, self._budget, auditor.pauses_s)
        pauses_s = sum(auditor.pauses_s)
        # A page begins only if its slowest checks fit. Besides their pauses they make a few calls, seldom slow ones.
        self._page_budget = self._budget.reserve(_REPEATED_CHECKS_MAX * pauses_s + CALL_BUDGET_S)
        # The links of a page are checked after the proofs of its stock items.
        self._proof_budget = self._budget.reserve(pauses_s + CALL_BUDGET_S)
        self._result = AuditResult()

    def run(self, begin: AuditPosition) -> AuditResult:
        """Audit page by page."""
        position: AuditPosition | None = begin
        while position is not None:
            position, must_stop = self._page(position, is_first=position == begin)
            if position is not None and (must_stop or self._is_time_up()):
                self._result.next_position = audit_position.write(position, self._segment)
                break
        return self._result

    def _page(self, position: AuditPosition, *, is_first: bool) -> tuple[AuditPosition | None, bool]:
        """Audit one page. Give where to continue, None at the end, and whether to stop there."""
        counts = self._result.rows, self._result.stock_items
        try:
            return self._inventory_page(position) if position.table == INVENTORY else self._ledger_page(position)
        except (StoreUnavailable, TryAgain) as error:
            # The same position again would be no progress, and the invoker could repeat it forever.
            if is_first:
                raise
            self._result.rows, self._result.stock_items = counts
            self._result.stopped_by = error
            return position, True

    def _is_time_up(self) -> bool:
        return self._auditor.clock_s() >= self._deadline_s or not self._page_budget.has_time()

    def _inventory_page(self, position: AuditPosition) -> tuple[AuditPosition, bool]:
        page = self._budget.retry(lambda: self._auditor.tables.inventory_page(self._segment, position.start))
        links: list[Link] = []
        done, proof = position.start, position.proof
        for item in page.items:
            try:
                proof = self._inventory_item(item, links, proof)
            except TryAgain as error:
                if done == position.start:
                    raise
                self._result.stopped_by = error
            if proof is not None or self._result.stopped_by is not None:
                self._check_links(links)
                return AuditPosition(INVENTORY, done, proof), True
            done = key_of(item)
            if self._is_time_up():
                break
        else:
            # Not the last item's key: a page without items can have a next page.
            done = page.next_start
        self._check_links(links)
        return AuditPosition(LEDGER, None) if done is None else AuditPosition(INVENTORY, done), False

    def _inventory_item(self, item: Item, links: list[Link], proof_cursor: str | None) -> str | None:
        """Check one item, or collect it in ``links``. Give the cursor of its proof if that is unfinished."""
        if is_catalog_item(item) or is_rejection(item):
            return None
        if (stock_item_id := stock_item_id_of(item)) is not None:
            return self._check_stock_item(stock_item_id, item, proof_cursor)
        if (link_id := link_id_of(item)) is not None:
            links.append((link_id, item))
        else:
            self._result.add(unknown_item(item))
        return None

    def _check_stock_item(self, stock_item_id: StockItemId, item: Item, proof_cursor: str | None) -> str | None:
        proof = self._prove(stock_item_id, proof_cursor)
        while proof.verified is None and not self._is_time_up():
            try:
                proof = self._prove(stock_item_id, proof.next_cursor)
            except TryAgain as error:
                self._result.stopped_by = error
                break
        if proof.verified is None:
            return proof.next_cursor
        self._result.stock_items += 1
        problem = proof.first_problem
        if problem is None and (sequence := sequence_of_altered_stock_item(item)) is not None:
            problem = Problem(sequence, ProblemKind.STOCK_ITEM_CHANGED)
        if problem is not None:
            self._result.add(stock_item_mismatch(problem, item, stock_item_id))
        return None

    def _prove(self, stock_item_id: StockItemId, cursor: str | None) -> Proof:
        prove = partial(self._auditor.prover.prove, stock_item_id, remaining_s=self._proof_budget.remaining_s)
        try:
            return prove(cursor)
        except InvalidCursor:
            # The stock item of the cursor is gone, or the table has a new item before it.
            return prove(None)

    def _check_links(self, links: list[Link]) -> None:
        for mismatch in self._checks.of_links(links):
            self._result.add(mismatch)

    def _ledger_page(self, position: AuditPosition) -> tuple[AuditPosition | None, bool]:
        page = self._budget.retry(lambda: self._auditor.tables.ledger_page(self._segment, position.start))
        rows: list[Adjustment] = []
        for item in page.items:
            row, kind = read_row(item)
            if row is None or kind is not None:
                self._result.add(ledger_item_mismatch(kind or ProblemKind.ROW_UNREADABLE, item))
            else:
                rows.append(row)
        self._result.rows += len(page.items)
        for mismatch in self._checks.of_rows(rows):
            self._result.add(mismatch)
        return None if page.next_start is None else AuditPosition(LEDGER, page.next_start), False
