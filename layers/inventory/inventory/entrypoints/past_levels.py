"""The levels of the past that counts need, as the write loop asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.queries.levels import level_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inventory.adjusting.loop import LevelAsOf
    from inventory.domain.model import StockItem, StockItemId
    from inventory.storage.ledger_index import LedgerIndex


def level_reader(index: LedgerIndex, clock: Callable[[], datetime]) -> LevelAsOf:
    """Make the function that reads the levels of the past for counts."""

    def level_as_of(
        stock_item_id: StockItemId, stock: StockItem, as_of: datetime, between_calls: Callable[[], None]
    ) -> int:
        level = level_at(index, stock_item_id, stock, as_of, now=clock(), between_calls=between_calls)
        return 0 if level is None else level.quantity

    return level_as_of
