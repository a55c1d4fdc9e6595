"""Reads of whole tables, in pages; for an audit also in segments, and many items by key. Strongly consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from inventory.aws.failures import require_complete, translated_failures
from inventory.storage.items import key_attributes, key_of
from inventory.storage.lookups import read_by_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef

    from inventory.domain.model import Segment
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

PAGE_ITEMS: Final = 500


class TablePage(NamedTuple):
    """Some items of a segment; ``next_start`` is None at the end of the segment."""

    items: list[Item]
    next_start: ItemKey | None


def scan_page(
    client: DynamoDBClient,
    table_name: str,
    start: ItemKey | None,
    *,
    limit: int,
    segment: Segment | None = None,
    sort_key: str | None = None,
) -> TablePage:
    """Look at ``limit`` items after the one under ``start``, strongly consistent, and return those with ``sort_key``.

    Raises:
        StoreUnavailable: there was no complete answer.
    """
    request: ScanInputTypeDef = {
        "TableName": table_name,
        "ConsistentRead": True,
        "Limit": limit,
        "ReturnConsumedCapacity": "TOTAL",
    }
    if segment is not None:
        request |= {"Segment": segment.number, "TotalSegments": segment.total}
    if sort_key is not None:
        request |= {"FilterExpression": "sk = :sk", "ExpressionAttributeValues": {":sk": {"S": sort_key}}}
    if start is not None:
        request["ExclusiveStartKey"] = key_attributes(start)
    with translated_failures():
        reply = client.scan(**request)
    require_complete(reply)
    last = reply.get("LastEvaluatedKey")
    return TablePage(list(reply["Items"]), None if last is None else key_of(last))


class AuditTables(Protocol):
    """What an audit reads. Each method is one call, and raises ``StoreUnavailable`` where it got no complete answer."""

    def inventory_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        """Read the items of the inventory table after the one under ``start``; None for the first ones."""
        ...

    def ledger_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        """Read the rows of the ledger likewise."""
        ...

    def inventory_items(self, keys: Sequence[ItemKey]) -> list[Item]:
        """Read up to a hundred items of the inventory table by key; absent ones are left out."""
        ...

    def ledger_items(self, keys: Sequence[ItemKey]) -> list[Item]:
        """Read up to a hundred ledger rows by key."""
        ...


class DynamoDBAuditTables:
    """``AuditTables`` on DynamoDB. ``page_items`` limits the items in memory."""

    def __init__(
        self, client: DynamoDBClient, *, inventory_table: str, ledger_table: str, page_items: int = PAGE_ITEMS
    ) -> None:
        self._client = client
        self._inventory_table = inventory_table
        self._ledger_table = ledger_table
        self._page_items = page_items

    def inventory_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        """One Scan."""
        return self._scan(self._inventory_table, segment, start)

    def ledger_page(self, segment: Segment, start: ItemKey | None) -> TablePage:
        """One Scan."""
        return self._scan(self._ledger_table, segment, start)

    def inventory_items(self, keys: Sequence[ItemKey]) -> list[Item]:
        """One BatchGetItem."""
        return self._get(self._inventory_table, keys)

    def ledger_items(self, keys: Sequence[ItemKey]) -> list[Item]:
        """One BatchGetItem."""
        return self._get(self._ledger_table, keys)

    def _scan(self, table_name: str, segment: Segment, start: ItemKey | None) -> TablePage:
        return scan_page(self._client, table_name, start, limit=self._page_items, segment=segment)

    def _get(self, table_name: str, keys: Sequence[ItemKey]) -> list[Item]:
        return read_by_key(self._client, {table_name: keys})[table_name]
