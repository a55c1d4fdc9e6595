"""Puts stock items from before the index of a business's stock items into it; it may be repeated and stopped anywhere.

Only the two attributes of the index are written, so quantities and the guards of adjustments stay as they are.
"""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.aws.failures import CONDITION_FAILED, TRANSIENT_REASONS, require_complete, translated_failures
from inventory.domain.errors import StoreUnavailable
from inventory.domain.model import StockItemId
from inventory.domain.uuids import uuid_of
from inventory.storage import keys
from inventory.storage.items import key_attributes, key_of, stock_index_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ScanInputTypeDef, TransactWriteItemTypeDef

    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey

ITEMS_SCANNED_MAX: Final = 1_000
"""Items of the table that one call looks at."""

_AT_ONCE: Final = 50
"""Stock items of one transaction."""


class IndexingPage(NamedTuple):
    """What was done: stock items that were put into the index, and those whose keys can't be read.

    The next page begins after the item with the key ``next_after``, None at the end of the table.
    """

    indexed: int
    unreadable: int
    next_after: ItemKey | None


class StockIndexing:
    """Looks through the inventory table, page by page."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def page(self, after: ItemKey | None, budget: RetryBudget) -> IndexingPage:
        """Put the stock items of one page into the index, unless they are in it.

        Raises:
            StoreUnavailable: not all were put in time. Those that were, stay; the page can be repeated.
        """
        items, next_after = budget.retry(partial(self._scan, after))
        read = [_stock_item_id(item) for item in items]
        lacking = [each for each in read if each is not None]
        for some in batched(lacking, _AT_ONCE, strict=False):
            left: Sequence[StockItemId] = some
            while left:
                left = budget.retry(partial(self._put, left))
        return IndexingPage(len(lacking), len(read) - len(lacking), next_after)

    def _scan(self, after: ItemKey | None) -> tuple[list[Item], ItemKey | None]:
        """Read the keys of stock items that are not in the index."""
        request: ScanInputTypeDef = {
            "TableName": self._table_name,
            "ConsistentRead": True,
            "FilterExpression": "begins_with(pk, :stock) AND attribute_not_exists(business_shard)",
            "ExpressionAttributeValues": {":stock": {"S": keys.STOCK}},
            "ProjectionExpression": "pk, sk",
            "Limit": ITEMS_SCANNED_MAX,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after is not None:
            request["ExclusiveStartKey"] = key_attributes(after)
        with translated_failures():
            reply = self._client.scan(**request)
        require_complete(reply)
        last = reply.get("LastEvaluatedKey")
        return [*reply["Items"]], None if last is None else key_of(last)

    def _put(self, stock_item_ids: Sequence[StockItemId]) -> list[StockItemId]:
        """Write the attributes of some stock items in one transaction; return those that are still to be written.

        It is a transaction because no role may write a stock item otherwise.
        """
        parts = [self._update(each) for each in stock_item_ids]
        try:
            with translated_failures():
                reply = self._client.transact_write_items(TransactItems=parts, ReturnConsumedCapacity="TOTAL")
        except self._client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if not set(codes) <= TRANSIENT_REASONS | {CONDITION_FAILED, "None"} or len(codes) != len(parts):
                raise
            if CONDITION_FAILED not in codes:
                raise StoreUnavailable from error
            # Another run was faster.
            pairs = zip(stock_item_ids, codes, strict=True)
            return [stock_item_id for stock_item_id, code in pairs if code != CONDITION_FAILED]
        require_complete(reply)
        return []

    def _update(self, stock_item_id: StockItemId) -> TransactWriteItemTypeDef:
        attributes = stock_index_attributes(stock_item_id)
        return {
            "Update": {
                "TableName": self._table_name,
                "Key": key_attributes(keys.stock_item_key(*stock_item_id)),
                "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in attributes),
                "ConditionExpression": f"{keys.ITEM_EXISTS} AND attribute_not_exists(business_shard)",
                "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
            }
        }


def _stock_item_id(item: Item) -> StockItemId | None:
    """Read the key of a stock item; None if the service did not write it."""
    pk, sk = key_of(item)
    business_id, _, variant_id = pk.removeprefix(keys.STOCK).partition("#")
    try:
        stock_item_id = StockItemId(uuid_of(business_id), uuid_of(variant_id), uuid_of(sk))
    except ValueError:
        return None
    return stock_item_id if keys.stock_item_key(*stock_item_id) == (pk, sk) else None
