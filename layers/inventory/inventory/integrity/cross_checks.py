"""Checks of items against the items that they refer to: rows, their stock items, reversals and their links.

Two items that are written together can be read apart, one before the write and one after it. So what does not fit is
read again after a pause, several times, before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from inventory.integrity.chain_check import ProblemKind, read_row
from inventory.integrity.item_checks import AuditKind, linked_row_key
from inventory.integrity.mismatches import link_mismatch, row_mismatch
from inventory.storage import keys
from inventory.storage.items import by_key, read_stock_item
from inventory.storage.lookups import KEYS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from inventory.domain.model import Adjustment
    from inventory.domain.retry_budget import RetryBudget
    from inventory.integrity.item_checks import LinkId
    from inventory.integrity.mismatches import Mismatch
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.table_scan import AuditTables

    type Link = tuple[LinkId, Item]


@dataclass(frozen=True, slots=True)
class _ReversalRow:
    """A row that reverses the adjustment ``reverses``."""

    row: Adjustment
    reverses: UUID

    @property
    def reversed_row_key(self) -> ItemKey:
        """Key of the row that is reversed."""
        return keys.ledger_row_key(self.row.business_id, self.reverses)

    @property
    def link_key(self) -> ItemKey:
        """Key of the link that must lead to this row."""
        return keys.reversal_link_key(self.row.business_id, self.reverses)


@dataclass(frozen=True, slots=True)
class CrossChecks:
    """The checks of one audit. ``pauses_s`` are the pauses before the repeated reads."""

    tables: AuditTables
    budget: RetryBudget
    pauses_s: tuple[float, ...]

    def of_links(self, links: list[Link]) -> Iterator[Mismatch]:
        """Find the reversal links that name no reversal of their adjustment."""
        for link_id, item in self._confirmed(links, self._wrong_links):
            yield link_mismatch(item, link_id)

    def of_rows(self, rows: list[Adjustment]) -> Iterator[Mismatch]:
        """Find the valid ledger rows that do not fit their stock item, the row that they reverse, or their link."""
        unconfirmed = [(row, ProblemKind.STOCK_ITEM_MISSING) for row in rows]
        for row, kind in self._confirmed(unconfirmed, self._without_stock_item):
            yield row_mismatch(kind, row)
        reversals = [_ReversalRow(row, row.reverses) for row in rows if row.reverses is not None]
        for reversal in self._confirmed(reversals, self._wrong_reversals):
            yield row_mismatch(AuditKind.REVERSAL_WRONG, reversal.row)
        for reversal in self._confirmed(reversals, self._without_link):
            yield row_mismatch(AuditKind.REVERSAL_NOT_LINKED, reversal.row)

    def _wrong_links(self, links: list[Link]) -> list[Link]:
        row_keys = {item["pk"]["S"]: linked_row_key(link_id, item) for link_id, item in links}
        rows = self._read(self.tables.ledger_items, (key for key in row_keys.values() if key is not None))

        def is_right(link: Link) -> bool:
            link_id, item = link
            key = row_keys[item["pk"]["S"]]
            row = None if key is None or key not in rows else read_row(rows[key])[0]
            return row is not None and link_id == (row.business_id, row.reverses)

        return [link for link in links if not is_right(link)]

    def _without_stock_item(
        self, suspects: list[tuple[Adjustment, ProblemKind]]
    ) -> list[tuple[Adjustment, ProblemKind]]:
        """Find the rows whose stock item is missing, or has a lower sequence than they have.

        The audit of the inventory table finds the stock items that are unreadable.
        """
        rows = [row for row, _ in suspects]
        items = self._read(self.tables.inventory_items, map(_stock_item_key, rows))
        stocks = {key: read_stock_item(item) for key, item in items.items()}
        missing = [(row, ProblemKind.STOCK_ITEM_MISSING) for row in rows if _stock_item_key(row) not in stocks]
        inserted = [
            (row, ProblemKind.ROW_INSERTED)
            for row in rows
            if (stock := stocks.get(_stock_item_key(row))) is not None and stock.sequence < row.sequence
        ]
        return missing + inserted

    def _wrong_reversals(self, reversals: list[_ReversalRow]) -> list[_ReversalRow]:
        """Find the reversals that do not reverse exactly one row of the same stock item.

        A reversed row that was changed is reported on its own. There is nothing to compare a reversal with then.
        """
        rows = self._read(self.tables.ledger_items, (each.reversed_row_key for each in reversals))
        found = {key: read_row(item) for key, item in rows.items()}

        def is_wrong(reversal: _ReversalRow) -> bool:
            if reversal.reversed_row_key not in found:
                return True
            original, kind = found[reversal.reversed_row_key]
            if original is None or kind is not None:
                return False
            row = reversal.row
            return (_stock_item_key(original), -original.delta) != (_stock_item_key(row), row.delta)

        return [each for each in reversals if is_wrong(each)]

    def _without_link(self, reversals: list[_ReversalRow]) -> list[_ReversalRow]:
        """Find the reversals that the link of the reversed adjustment does not name."""
        links = self._read(self.tables.inventory_items, (each.link_key for each in reversals))
        return [
            each for each in reversals if links.get(each.link_key, {}).get("reversal_id") != {"S": str(each.row.id)}
        ]

    def _read(
        self, read_items: Callable[[Sequence[ItemKey]], list[Item]], wanted: Iterable[ItemKey]
    ) -> dict[ItemKey, Item]:
        """Read items by key, each key once, and a limited number in one call."""
        return by_key(
            item
            for some in batched(dict.fromkeys(wanted), KEYS_MAX, strict=False)
            for item in self.budget.retry(partial(read_items, some))
        )

    def _confirmed[T](self, suspects: list[T], still_wrong: Callable[[list[T]], list[T]]) -> list[T]:
        """Give the suspects that are wrong now and after every pause."""
        for pause_s in (0.0, *self.pauses_s):
            if not suspects:
                break
            if pause_s:
                self.budget.require_time(after_s=pause_s)
                self.budget.sleep(pause_s)
            suspects = still_wrong(suspects)
        return suspects


def _stock_item_key(row: Adjustment) -> ItemKey:
    return keys.stock_item_key(row.business_id, row.variant_id, row.location_id)
