"""DynamoDB's paging of an index, for ledgers in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inventory.storage.ledger_index import IndexPage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inventory.storage.items import Item
    from inventory.storage.ledger_index import Partition, StartKey


def page_of(
    items: Iterable[Item],
    partition: Partition,
    *,
    first: str,
    last: str,
    newest_first: bool,
    limit: int | None,
    start: StartKey | None,
) -> IndexPage:
    """As DynamoDB answers: it does not look ahead, so a page that its limit has filled names a next one.

    An item without one of the two keys is not in the index.
    """
    key, sort = partition.key_name, partition.sort_name

    def place(item: Any) -> tuple[str, str]:
        return item[sort]["S"], item["pk"]["S"]

    found = sorted(
        (
            item
            for item in items
            if item.get(key) == {"S": partition.key} and sort in item and first <= place(item)[0] <= last
        ),
        key=place,
        reverse=newest_first,
    )
    if start is not None:
        found = [item for item in found if (place(item) < place(start) if newest_first else place(item) > place(start))]
    page = found[:limit]
    full = limit is not None and len(page) == limit
    return IndexPage(page, {name: page[-1][name] for name in ("pk", key, sort)} if full else None)
