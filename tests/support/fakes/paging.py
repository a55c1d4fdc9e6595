"""DynamoDB's paging of an index, for ledgers in memory."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from inventory.storage.ledger_index import IndexPage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.storage.items import Item
    from inventory.storage.ledger_index import IndexQuery


def page_of(items: Iterable[Item], query: IndexQuery) -> IndexPage:
    """As DynamoDB answers: it does not look ahead, so a page that its limit has filled names a next one.

    An item without one of the two keys is not in the index.
    """
    partition, limit, start = query.partition, query.limit, query.start
    key, sort = partition.key_name, partition.sort_name

    def place(item: Any) -> tuple[str, str]:
        return item[sort]["S"], item["pk"]["S"]

    found = sorted(
        (
            item
            for item in items
            if item.get(key) == {"S": partition.key} and sort in item and query.first <= place(item)[0] <= query.last
        ),
        key=place,
        reverse=query.newest_first,
    )
    if start is not None:
        after = operator.lt if query.newest_first else operator.gt
        found = [item for item in found if after(place(item), place(start))]
    page = found[:limit]
    full = limit is not None and len(page) == limit
    return IndexPage(page, {name: page[-1][name] for name in ("pk", key, sort)} if full else None)
