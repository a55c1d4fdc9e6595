"""Checks of items against the items that they refer to: rows, their stock items, reversals and their links.

Two items that are written together can be read apart, one before the write and one after it. So what does not fit is
read again after a pause, several times, before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.rules import group_row_ids
from inventory.integrity.chain_check import ProblemKind, read_row
from inventory.integrity.group_checks import are_of_one_group, balances, first_reversed, is_group
from inventory.integrity.item_checks import AuditKind, reversal_link_of
from inventory.integrity.mismatches import link_mismatch, row_mismatch
from inventory.storage import keys
from inventory.storage.items import by_key, read_stock_item
from inventory.storage.lookups import KEYS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from inventory.domain.model import Adjustment, ReversalLink
    from inventory.domain.retry_budget import RetryBudget
    from inventory.integrity.item_checks import LinkId
    from inventory.integrity.mismatches import Mismatch
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.table_scan import AuditTables

    type Link = tuple[LinkId, Item]


class _ReversalRow(NamedTuple):
    """A row that reverses the adjustment ``reverses``."""

    row: Adjustment
    reverses: UUID

    @property
    def reversed_row_key(self) -> ItemKey:
        """Key of the row that is reversed."""
        return keys.ledger_row_key(self.row.business_id, self.reverses)

    def link_key(self, original: Adjustment | None) -> ItemKey:
        """Key of the link that must lead to this row. The reversal of a group is linked under the group's id."""
        reversed_id = self.reverses if original is None or original.group_id is None else original.group_id
        return keys.reversal_link_key(self.row.business_id, reversed_id)


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
        """Find the valid ledger rows that do not fit their stock item, group, reversed row or link."""
        unconfirmed = [(row, ProblemKind.STOCK_ITEM_MISSING) for row in rows]
        for row, kind in self._confirmed(unconfirmed, self._without_stock_item):
            yield row_mismatch(kind, row)
        reversals = [_ReversalRow(row, row.reverses) for row in rows if row.reverses is not None]
        for reversal in self._confirmed(reversals, self._wrong_reversals):
            yield row_mismatch(AuditKind.REVERSAL_WRONG, reversal.row)
        for reversal in self._confirmed(reversals, self._without_link):
            yield row_mismatch(AuditKind.REVERSAL_NOT_LINKED, reversal.row)
        in_groups = [row for row in rows if row.group_id is not None or row.kind == "transfer"]
        for row in self._confirmed(in_groups, self._in_broken_groups):
            yield row_mismatch(AuditKind.GROUP_INCOMPLETE, row)
        for row in self._confirmed(in_groups, self._in_unbalanced_transfers):
            yield row_mismatch(AuditKind.TRANSFER_UNBALANCED, row)

    def _wrong_links(self, suspects: list[Link]) -> list[Link]:
        links = [reversal_link_of(link_id, item) for link_id, item in suspects]
        row_keys = [
            None if link is None else keys.ledger_row_key(link_id.business_id, link.reversal_id)
            for (link_id, _), link in zip(suspects, links, strict=True)
        ]
        rows = self._read(self.tables.ledger_items, (key for key in row_keys if key is not None))

        def is_right(business_id: UUID, key: ItemKey | None, link: ReversalLink | None) -> bool:
            row = None if key is None or key not in rows else read_row(rows[key])[0]
            if row is None or link is None:
                return False
            return (row.business_id, row.reverses) == (business_id, first_reversed(link, row))

        pairs = zip(suspects, row_keys, links, strict=True)
        return [suspect for suspect, key, link in pairs if not is_right(suspect[0].business_id, key, link)]

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
        """Find the reversals that the link of the reversed row or group does not name."""
        of_groups = (each.reversed_row_key for each in reversals if each.row.group_id is not None)
        originals = {key: read_row(item)[0] for key, item in self._read(self.tables.ledger_items, of_groups).items()}
        link_keys = [each.link_key(originals.get(each.reversed_row_key)) for each in reversals]
        links = self._read(self.tables.inventory_items, link_keys)
        named = [links.get(key, {}).get("reversal_id") for key in link_keys]
        return [
            each
            for each, reversal_id in zip(reversals, named, strict=True)
            if reversal_id != {"S": str(each.row.group_id or each.row.id)}
        ]

    def _in_broken_groups(self, suspects: list[Adjustment]) -> list[Adjustment]:
        """Find the rows whose group is not whole.

        A later row needs only its first row: the check of that one finds all others.
        """
        groups = self._groups_of(row for row in suspects if row.group_line == 0)
        first_keys = {row.id: keys.ledger_row_key(row.business_id, row.group_id) for row in suspects if row.group_id}
        firsts = self._read(self.tables.ledger_items, first_keys.values())

        def is_whole(row: Adjustment) -> bool:
            if row.group_id is None:
                return True
            if row.group_line == 0:
                return is_group(groups[row.id])
            first = firsts.get(first_keys[row.id])
            return first is not None and are_of_one_group(read_row(first)[0], row)

        return [row for row in suspects if not is_whole(row)]

    def _in_unbalanced_transfers(self, suspects: list[Adjustment]) -> list[Adjustment]:
        """Find the first rows of transfers that do not add as much in one place as they take from another.

        Also a transfer without a group is one. A group that is not whole is reported as such.
        """
        transfers = [row for row in suspects if row.kind == "transfer"]
        groups = self._groups_of(row for row in transfers if row.group_line == 0)
        return [
            row
            for row in transfers
            if row.group_id is None or (row.id in groups and is_group(groups[row.id]) and not balances(groups[row.id]))
        ]

    def _groups_of(self, firsts: Iterable[Adjustment]) -> dict[UUID, list[Adjustment | None]]:
        """Read all rows of groups, by the ids of their first rows; None for a row that is missing or unreadable."""
        row_keys = {
            first.id: [keys.ledger_row_key(first.business_id, each) for each in group_row_ids(first)]
            for first in firsts
        }
        items = self._read(self.tables.ledger_items, (key for group in row_keys.values() for key in group))
        rows = {key: read_row(item)[0] for key, item in items.items()}
        return {first_id: [rows.get(key) for key in group] for first_id, group in row_keys.items()}

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
