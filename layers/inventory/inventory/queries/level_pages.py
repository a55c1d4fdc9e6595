"""Pages of levels: of a variant, of a location or of a whole business, with limits of the quantity."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import StockItemUnreadable, StoreUnavailable
from inventory.queries.levels import level_at, level_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import StockItemId
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.levels import Level, LevelFilter
    from inventory.queries.stock_items import FoundStockItem, StockItems
    from inventory.storage.ledger_index import LedgerIndex

STOCK_ITEMS_EXAMINED_MAX: Final = 1_000
"""Stock items that one request looks at when its filters leave most of them out. It limits the cost of a request."""

_CHUNK: Final = 100
"""Stock items that are read at once where many are left out. For each level of the past, two more Queries follow."""


class LevelsPage(NamedTuple):
    """Levels in the order of the stock items, and how many of these were examined.

    The next page starts after ``next_after``, None on the last page. A page can be short and still have a next one.
    """

    levels: list[Level]
    next_after: StockItemId | None
    examined: int


class LevelPages:
    """Reads pages of levels."""

    def __init__(self, stock_items: StockItems, ledger: LedgerIndex, at_once: AtOnce = map) -> None:
        self.stock_items = stock_items
        self.ledger = ledger
        self.at_once = at_once

    def page(
        self,
        business_id: UUID,
        wanted: LevelFilter,
        *,
        after: StockItemId | None,
        limit: int,
        now: datetime,
        budget: RetryBudget,
    ) -> LevelsPage:
        """Read the next ``limit`` wanted levels.

        Raises:
            StoreUnavailable: not a single stock item could be read in time, or an index is still behind.
            StockItemUnreadable: the very next one can't be read. After others, it only ends the page.
            RowMissing, RowUnreadable: as ``level_at``.
        """
        # One more than the page has shows whether there is a next page.
        chunk = _CHUNK if wanted.limits_quantity else limit + 1
        items = self.stock_items.wanted(business_id, wanted, after, chunk, budget)
        read = partial(self._level, wanted.as_of, now, budget)
        filling = _Filling(wanted, limit, after)
        while True:
            some, stopped = _take(items, filling.room())
            is_cut = filling.add((each for each, _ in some), self.at_once(read, some))
            if stopped is not None and filling.last == after:
                raise stopped
            if stopped is not None or is_cut:
                return filling.page(has_more=True)
            if not some:
                return filling.page(has_more=False)
            if not filling.room():
                return filling.page(has_more=_has_next(items))

    def _level(self, as_of: datetime | None, now: datetime, budget: RetryBudget, found: FoundStockItem) -> Level | None:
        """Give the level of a stock item; None at an instant before its first adjustment."""
        stock_item_id, stock = found
        if as_of is None:
            return level_now(stock_item_id, stock)
        read = partial(level_at, self.ledger, stock_item_id, stock, as_of, now=now)
        return budget.retry(partial(read, between_calls=budget.require_time))


class _Filling:
    """A page while it fills: ``last`` is the last stock item that was examined."""

    def __init__(self, wanted: LevelFilter, limit: int, last: StockItemId | None) -> None:
        self.wanted = wanted
        self.limit = limit
        self.last = last
        self.levels: list[Level] = []
        self.examined = 0

    def room(self) -> int:
        """How many stock items to examine next; 0 where the page is full, or enough were examined."""
        missing = self.limit - len(self.levels)
        if missing and self.wanted.limits_quantity:
            missing = _CHUNK
        examined_max = _CHUNK if self.wanted.as_of is not None else STOCK_ITEMS_EXAMINED_MAX
        return min(missing, examined_max - self.examined)

    def add(self, ids: Iterable[StockItemId], levels: Iterable[Level | None]) -> bool:
        """Examine stock items; say whether the page was full before the last one."""
        for stock_item_id, level in zip(ids, levels, strict=True):
            if len(self.levels) == self.limit:
                return True
            self.last = stock_item_id
            self.examined += 1
            if level is not None and self.wanted.includes(level.quantity):
                self.levels.append(level)
        return False

    def page(self, *, has_more: bool) -> LevelsPage:
        return LevelsPage(self.levels, self.last if has_more else None, self.examined)


def _take(
    items: Iterator[FoundStockItem], size: int
) -> tuple[list[FoundStockItem], StoreUnavailable | StockItemUnreadable | None]:
    """Take the next stock items, and what stopped the reading of them, if anything did."""
    found: list[FoundStockItem] = []
    try:
        for each in islice(items, size):
            found.append(each)  # noqa: PERF402  what was read before an error is kept
    except (StoreUnavailable, StockItemUnreadable) as error:
        return found, error
    return found, None


def _has_next(items: Iterator[FoundStockItem]) -> bool:
    found, stopped = _take(items, 1)
    return bool(found) or stopped is not None
