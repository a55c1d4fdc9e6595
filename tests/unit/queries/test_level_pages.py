"""Pages of levels: how much one request examines of what its limits of the quantity leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from inventory.domain.model import StockItemId
from inventory.domain.retry_budget import RetryBudget
from inventory.queries.level_pages import LevelPages
from inventory.queries.levels import LevelFilter
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, NOW
from tests.support.fakes.ledger import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inventory.queries.stock_items import FoundStockItem


class Shelf:
    """Stock items 1, 2, 3 … of a business, of which the last one alone has a quantity of 7; others have none."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.read = 0

    def wanted(self, _: UUID, __: LevelFilter, after: StockItemId | None, *___: object) -> Iterator[FoundStockItem]:
        for number in range(1 if after is None else after.variant_id.int + 1, self.count + 1):
            self.read += 1
            stock_item_id = StockItemId(BUSINESS, UUID(int=number), LOCATION)
            yield stock_item_id, a_stock_item(7 if number == self.count else 0)


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 2_500])
@pytest.mark.parametrize("wanted", [LevelFilter(quantity_at_least=7), LevelFilter(quantity_at_least=1)], ids=str)
def test_a_request_examines_a_thousand_stock_items_at_most_and_the_next_one_goes_on(
    count: int, wanted: LevelFilter
) -> None:
    shelf = Shelf(count)
    pages = LevelPages(cast("Any", shelf), MemoryLedger())
    after: StockItemId | None = None
    found: list[int] = []
    examined: list[int] = []
    while not examined or after is not None:
        shelf.read = 0
        budget = RetryBudget(lambda: 10, sleep=lambda _: None)
        page = pages.page(BUSINESS, wanted, after=after, limit=50, now=NOW, budget=budget)
        found += [level.variant_id.int for level in page.levels]
        examined.append(page.examined)
        after = page.next_after
        assert shelf.read <= 1_001, "one more shows whether there is a next page"

    assert found == [count]
    assert examined == [min(1_000, count - begin) for begin in range(0, count, 1_000)]
