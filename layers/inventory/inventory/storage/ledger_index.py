"""The ledger in the order of time, through its two indexes: one stock item's rows, or a whole business's.

An index follows the table within a second, as a rule, and not at one moment for all rows: whoever needs all rows must
see for itself that none is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from inventory.aws.failures import require_complete, translated_failures
from inventory.storage import keys
from inventory.storage.items import row_of

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
"""Before and after all instants as text: an instant begins with a digit."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of an index: ``key_name`` is the attribute of its key, ``sort_name`` the one that it sorts by."""

    index_name: str
    key_name: str
    sort_name: str
    key: str


def stock_item_partition(business_id: UUID, variant_id: UUID, location_id: UUID) -> Partition:
    """The rows of one stock item."""
    key = keys.ledger_stock_item(business_id, variant_id, location_id)
    return Partition("by_stock_item", "stock_item", "created_at", key)


def business_partitions(business_id: UUID) -> list[Partition]:
    """The rows of one business, one partition for each shard."""
    return [
        Partition("by_business", "business_shard", "created_at_id", keys.ledger_shard(business_id, shard))
        for shard in range(keys.BUSINESS_SHARDS)
    ]


@dataclass(frozen=True, slots=True)
class IndexPage:
    """What one Query found, in its order; ``next_start`` is None at the end of what was asked for."""

    items: list[Item]
    next_start: StartKey | None

    def rows(self) -> list[Adjustment]:
        """The items as ledger rows.

        Raises:
            RowUnreadable: one of them is none.
        """
        return [row_of(item) for item in self.items]


class LedgerIndex(Protocol):
    """Where the ledger's order of time is read."""

    def page(
        self,
        partition: Partition,
        *,
        first: str = EARLIEST,
        last: str = LATEST,
        newest_first: bool = False,
        limit: int | None = None,
        start: StartKey | None = None,
    ) -> IndexPage:
        """Read rows between two sort keys, both inclusive: at most ``limit``, or as many as 1 MB holds.

        Raises:
            StoreUnavailable: there was no whole answer.
        """
        ...


class DynamoDBLedgerIndex:
    """``LedgerIndex`` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, ledger_table: str) -> None:
        self._client = client
        self._ledger_table = ledger_table

    def page(
        self,
        partition: Partition,
        *,
        first: str = EARLIEST,
        last: str = LATEST,
        newest_first: bool = False,
        limit: int | None = None,
        start: StartKey | None = None,
    ) -> IndexPage:
        """One Query; its cost is the size of the rows that it reads."""
        if first > last:  # DynamoDB refuses such a condition
            return IndexPage([], None)
        request: QueryInputTypeDef = {
            "TableName": self._ledger_table,
            "IndexName": partition.index_name,
            "KeyConditionExpression": "#key = :key AND #sort BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#key": partition.key_name, "#sort": partition.sort_name},
            "ExpressionAttributeValues": {":key": {"S": partition.key}, ":first": {"S": first}, ":last": {"S": last}},
            "ScanIndexForward": not newest_first,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if limit is not None:
            request["Limit"] = limit
        if start is not None:
            request["ExclusiveStartKey"] = start
        with translated_failures():
            reply = self._client.query(**request)
        require_complete(reply)
        return IndexPage(list(reply["Items"]), reply.get("LastEvaluatedKey"))
