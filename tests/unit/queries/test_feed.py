"""Pages of the feed: how much one request reads of what its filters leave out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.retry_budget import RetryBudget
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.feed import Feed, feed_of_known
from inventory.queries.ledger_order import Position
from inventory.queries.settled import SETTLED_AFTER
from inventory.storage import keys
from inventory.storage.ledger_index import stock_item_partition
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, LOCATION, NOW, OTHER_VARIANT, TICK, VARIANT
from tests.support.fakes.ledger import MemoryLedger

if TYPE_CHECKING:
    from inventory.queries.feed import FeedPage
    from inventory.storage.ledger_index import IndexPage, IndexQuery

ANY = AdjustmentFilter()


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 2_500])
def test_a_poller_goes_through_rows_that_are_not_wanted_a_thousand_at_a_time(count: int) -> None:
    """Only the newest row is wanted. Each page goes on after the last row that was examined, not the last wanted."""
    ledger = MemoryLedger()
    for number in range(1, count + 1):
        code = "theft" if number == count else "damage"
        ledger.append(UUID(int=number), (VARIANT, LOCATION), NOW + timedelta(seconds=number), reason_code=code)
    wanted, later = AdjustmentFilter(reason_code="theft"), NOW + timedelta(days=1)
    reads: list[int] = []
    found: list[int] = []
    after = None
    while not found:
        ledger.rows_read = 0
        page = Feed(ledger).page(
            BUSINESS, wanted, after=after, limit=100, now=later, budget=RetryBudget(lambda: 10, sleep=lambda _: None)
        )
        reads.append(ledger.rows_read)
        found += [row.id.int for row in page.rows]
        after = page.next_position

    assert found == [count]
    assert len(reads) == -(-count // 1_000)
    assert max(reads) <= 2_000


class ReadPartitions(MemoryLedger):
    """Remembers the partitions that were read."""

    def page(self, query: IndexQuery) -> IndexPage:
        self.partitions = {*getattr(self, "partitions", set()), query.partition.key}
        return super().page(query)


@pytest.mark.parametrize(
    ("wanted", "partitions"),
    [
        (AdjustmentFilter(variant_id=VARIANT), {keys.ledger_business(BUSINESS, VARIANT)}),
        (
            AdjustmentFilter(variant_id=VARIANT, location_id=LOCATION),
            {stock_item_partition(BUSINESS, VARIANT, LOCATION).key},
        ),
    ],
    ids=["a variant", "a stock item"],
)
def test_only_the_partition_of_what_is_wanted_is_read(wanted: AdjustmentFilter, partitions: set[str]) -> None:
    ledger = ReadPartitions()
    ledger.append(UUID(int=1), (VARIANT, LOCATION), NOW)
    budget = RetryBudget(lambda: 10, sleep=lambda _: None)

    page = Feed(ledger).page(BUSINESS, wanted, after=None, limit=1, now=NOW + timedelta(days=1), budget=budget)

    assert [row.id.int for row in page.rows] == [1]
    assert ledger.partitions == partitions


def test_a_page_of_one_partition_is_read_at_once_with_the_row_that_it_goes_on_after() -> None:
    ledger = MemoryLedger()
    budget = RetryBudget(lambda: 10, sleep=lambda _: None)

    Feed(ledger).page(
        BUSINESS,
        AdjustmentFilter(variant_id=VARIANT),
        after=None,
        limit=100,
        now=NOW + timedelta(days=1),
        budget=budget,
    )

    assert ledger.limits == [101]


# --- rows that were read by their ids --------------------------------------------------------------------------------


def of_known(wanted: AdjustmentFilter = ANY, *, after: Position | None = None, limit: int = 10) -> FeedPage:
    """Of rows 1 to 5, a microsecond apart and in no order; row 5 is the first that is not settled."""
    rows = [an_adjustment(id=UUID(int=number), created_at=NOW + number * TICK) for number in (3, 1, 5, 2, 4)]
    rows[1] = rows[1]._replace(variant_id=OTHER_VARIANT)
    return feed_of_known(rows, wanted, after=after, limit=limit, now=NOW + 5 * TICK + SETTLED_AFTER)


@pytest.mark.parametrize(
    ("asked", "found", "last"),
    [
        ({}, [1, 2, 3, 4], 4),
        ({"limit": 2}, [1, 2], 2),
        ({"limit": 2, "after": Position(NOW + 2 * TICK, UUID(int=2))}, [3, 4], 4),
        ({"after": Position(NOW + 4 * TICK, UUID(int=4))}, [], 4),
        ({"wanted": AdjustmentFilter(variant_id=VARIANT), "limit": 1}, [2], 2),
        ({"wanted": AdjustmentFilter(created_from=NOW + 2 * TICK, created_to=NOW + 4 * TICK)}, [2, 3], 3),
    ],
    ids=str,
)
def test_a_feed_of_known_rows_is_in_order_and_ends_where_the_ledger_is_settled(
    asked: dict[str, Any], found: list[int], last: int
) -> None:
    page = of_known(**asked)

    assert [row.id.int for row in page.rows] == found
    assert page.next_position == Position(NOW + last * TICK, UUID(int=last))
    assert page.settled_to == NOW + 5 * TICK
