"""The stock items of a whole business, or of one of its locations: their ids, by a sparse index of the inventory table.

The index holds keys only, and they never change. What a page shows of quantities is read from the table itself. A stock
item that is new may be missing for a moment, as an index follows its table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.aws.failures import require_complete, translated_failures
from inventory.domain.errors import StockItemUnreadable
from inventory.domain.model import StockItemId
from inventory.domain.uuids import uuid_of
from inventory.storage import keys
from inventory.storage.items import key_attributes, key_of, stock_index_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

    from inventory.storage.items import Item


class StockIndex:
    """Reads the index, one shard after another. Each call is one Query."""

    def __init__(self, client: DynamoDBClient, inventory_table: str) -> None:
        self._client = client
        self._inventory_table = inventory_table

    def page(
        self, business_id: UUID, shard: int, *, location_id: UUID | None, after: StockItemId | None, limit: int
    ) -> tuple[list[StockItemId], StockItemId | None]:
        """Read at most ``limit`` ids of one shard after one of its stock items, of a location where it is given.

        A page ends before an entry that the service did not write, so that those before it can be read.

        Returns:
            The ids in the index's order, and the one after which the next page begins, None at the end.

        Raises:
            StoreUnavailable: there was no complete answer.
            StockItemUnreadable: the first one is such an entry.
        """
        condition, values = "business_shard = :shard", {":shard": {"S": keys.stock_shard(business_id, shard)}}
        if location_id is not None:
            condition += " AND begins_with(location_variant, :location)"
            values[":location"] = {"S": keys.location_prefix(location_id)}
        request: QueryInputTypeDef = {
            "TableName": self._inventory_table,
            "IndexName": "by_business",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "Limit": limit,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after is not None:
            request["ExclusiveStartKey"] = _entry(after)
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        ids, unreadable = _ids(business_id, reply["Items"])
        if unreadable is not None:
            if not ids:
                raise unreadable
            return ids, ids[-1]
        last = reply.get("LastEvaluatedKey")
        return ids, (None if last is None else _stock_item_id(business_id, last))


def shard_of(stock_item_id: StockItemId) -> int:
    """Return the shard that holds a stock item."""
    return keys.shard_number(stock_item_id.variant_id)


def _entry(stock_item_id: StockItemId) -> dict[str, AttributeValueTypeDef]:
    """Make the entry of a stock item, as a Query starts after it."""
    return {**key_attributes(keys.stock_item_key(*stock_item_id)), **stock_index_attributes(stock_item_id)}


def _ids(business_id: UUID, entries: Sequence[Item]) -> tuple[list[StockItemId], StockItemUnreadable | None]:
    """Read entries up to the first one that the service did not write."""
    found: list[StockItemId] = []
    for entry in entries:
        try:
            found.append(_stock_item_id(business_id, entry))
        except StockItemUnreadable as error:
            return found, error
    return found, None


def _stock_item_id(business_id: UUID, entry: Item) -> StockItemId:
    """Read an entry.

    Raises:
        StockItemUnreadable: the service did not write it so.
    """
    pk, sk = key_of(entry)
    try:
        stock_item_id = StockItemId(business_id, uuid_of(pk.rpartition("#")[2]), uuid_of(sk))
    except ValueError:
        raise StockItemUnreadable(pk, sk) from None
    if entry != _entry(stock_item_id):
        raise StockItemUnreadable(pk, sk)
    return stock_item_id
