"""The ledger in the order of time, by its two indexes: the rows of one stock item, or of a whole business.

An index usually follows the table within a second, and not for all rows at once. A reader that needs all rows must
check that none is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from inventory.aws.failures import require_complete, translated_failures
from inventory.storage import keys
from inventory.storage.items import read_adjustment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

    from inventory.domain.model import Adjustment
    from inventory.storage.items import Item

    type StartKey = Mapping[str, AttributeValueTypeDef]

EARLIEST: Final = "0"

LATEST: Final = ":"
"""Sort keys before and after every instant, which begins with a digit."""


class Partition(NamedTuple):
    """One partition of an index: ``key_name`` is the attribute of its key, ``sort_name`` the one of its order."""

    index_name: str
    key_name: str
    sort_name: str
    key: str


def stock_item_partition(business_id: UUID, variant_id: UUID, location_id: UUID) -> Partition:
    """Return the partition with the rows of one stock item."""
    key = keys.ledger_stock_item(business_id, variant_id, location_id)
    return Partition("by_stock_item", "stock_item", "created_at", key)


def business_partitions(business_id: UUID) -> list[Partition]:
    """Return the partitions with the rows of one business: one for each shard."""
    return [
        Partition("by_business", "business_shard", "created_at_id", keys.ledger_shard(business_id, shard))
        for shard in range(keys.BUSINESS_SHARDS)
    ]


def row_partitions(business_id: UUID, variant_id: UUID | None, location_id: UUID | None) -> list[Partition]:
    """Return the fewest partitions with all rows of a business, of a variant or of a stock item, as far as it is named.

    A variant with all its locations is in one shard of the business, among the rows of other variants.
    """
    partitions = business_partitions(business_id)
    if variant_id is None:
        return partitions
    if location_id is None:
        shard = keys.ledger_business(business_id, variant_id)
        return [partition for partition in partitions if partition.key == shard]
    return [stock_item_partition(business_id, variant_id, location_id)]


class IndexQuery(NamedTuple):
    """Rows of one partition between two sort keys, both inclusive: at most ``limit``, or as many as 1 MB holds.

    ``start`` is the ``next_start`` of the page before, None for the first page.
    """

    partition: Partition
    first: str = EARLIEST
    last: str = LATEST
    newest_first: bool = False
    limit: int | None = None
    start: StartKey | None = None


class IndexPage(NamedTuple):
    """What one Query found, in its order; ``next_start`` is None at the end."""

    items: list[Item]
    next_start: StartKey | None

    def rows(self) -> list[Adjustment]:
        """Convert the items to ledger rows.

        Raises:
            RowUnreadable: one of them is not a row.
        """
        return [read_adjustment(item) for item in self.items]


class LedgerIndex(Protocol):
    """Reads the ledger in the order of time."""

    def page(self, query: IndexQuery) -> IndexPage:
        """Read a page of rows.

        Raises:
            StoreUnavailable: there was no complete answer.
        """
        ...


class DynamoDBLedgerIndex:
    """``LedgerIndex`` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, ledger_table: str) -> None:
        self._client = client
        self._ledger_table = ledger_table

    def page(self, query: IndexQuery) -> IndexPage:
        """Make one Query. Its cost is the size of the rows that it reads."""
        if query.first > query.last:  # DynamoDB refuses such a condition
            return IndexPage([], None)
        request: QueryInputTypeDef = {
            "TableName": self._ledger_table,
            "IndexName": query.partition.index_name,
            "KeyConditionExpression": "#key = :key AND #sort BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#key": query.partition.key_name, "#sort": query.partition.sort_name},
            "ExpressionAttributeValues": {
                ":key": {"S": query.partition.key},
                ":first": {"S": query.first},
                ":last": {"S": query.last},
            },
            "ScanIndexForward": not query.newest_first,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if query.limit is not None:
            request["Limit"] = query.limit
        if query.start is not None:
            request["ExclusiveStartKey"] = query.start
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        return IndexPage(list(reply["Items"]), reply.get("LastEvaluatedKey"))
