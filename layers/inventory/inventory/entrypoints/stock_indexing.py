"""The operator's command that puts stock items from before their index into it: a page, and the cursor of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor
from inventory.storage import cursors

if TYPE_CHECKING:
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.stock_indexing import StockIndexing

_QUESTION: Final = {"command": "index_stock_items"}
_SEPARATOR: Final = "|"


def indexed_page(stock_indexing: StockIndexing, cursor: str | None, budget: RetryBudget) -> dict[str, object]:
    """Put the stock items of the next page of the table into the index.

    Raises:
        InvalidCursor: no earlier answer has issued the cursor.
        StoreUnavailable: not all were put in time; the same cursor goes on.
    """
    after = None
    if cursor is not None:
        position = cursors.position(cursor, _QUESTION)
        if position is None:
            raise InvalidCursor(cursor)
        after = tuple(position.split(_SEPARATOR, 1))
    page = stock_indexing.page(after, budget)
    following = None if page.next_after is None else cursors.cursor(_SEPARATOR.join(page.next_after), _QUESTION)
    return {"indexed": page.indexed, "unreadable": page.unreadable, "next_cursor": following}
