"""StoredHistory of several stock items as ``AuditTables``, with a prover on the same: an audit without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from inventory.integrity.audit import Auditor
from inventory.integrity.proof import Prover
from inventory.storage.items import key_of
from inventory.storage.table_scan import TablePage
from tests.support.builders.tampered_tables import ReadTables, StoredHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.domain.model import Segment
    from inventory.storage.keys import ItemKey


@dataclass
class AuditedTables:
    """Both tables as lists. ``before_read`` happens before each call."""

    inventory: list[Any] = field(default_factory=list)
    ledger: list[Any] = field(default_factory=list)
    page_items: int = 500
    before_read: Callable[[], None] = lambda: None
    pauses_s: list[float] = field(default_factory=list)

    def add(self, found: StoredHistory) -> None:
        self.ledger += found.rows
        self.inventory += [] if found.stock is None else [found.stock]

    def auditor(self, **settings: Any) -> Auditor:
        return Auditor(self, Prover(self, self, self.pauses_s.append), sleep=self.pauses_s.append, **settings)

    # ------------------------------------------------------------------------------------------ what is read of them

    def inventory_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        return self._page(self.inventory, segment, start)

    def ledger_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        return self._page(self.ledger, segment, start)

    def inventory_items(self, keys: Sequence[ItemKey]) -> list[Any]:
        return self._items(self.inventory, keys)

    def ledger_items(self, keys: Sequence[ItemKey]) -> list[Any]:
        return self._items(self.ledger, keys)

    def page(self, *arguments: Any, **named: Any) -> Any:
        self.before_read()
        return ReadTables(StoredHistory(self.ledger, None)).page(*arguments, **named)

    def ledger_row(self, *row: Any) -> Any:
        self.before_read()
        return ReadTables(StoredHistory(self.ledger, None)).ledger_row(*row)

    def stock_item(self, *place: Any) -> Any:
        self.before_read()
        found = (ReadTables(StoredHistory([], each)).stock_item(*place) for each in self.inventory)
        return next((each for each in found if each is not None), None)

    def _items(self, table: list[Any], keys: Sequence[ItemKey]) -> list[Any]:
        assert len(set(keys)) == len(keys) <= 100
        self.before_read()
        return [item for item in table if key_of(item) in keys]

    def _page(self, table: list[Any], segment: Segment, start: ItemKey | None) -> TablePage:
        self.before_read()
        mine = sorted(
            (item for item in table if crc32(item["pk"]["S"].encode()) % segment.total == segment.number), key=key_of
        )
        page = [item for item in mine if start is None or key_of(item) > start][: self.page_items]
        return TablePage(list(page), key_of(page[-1]) if len(page) == self.page_items else None)
