"""Stock items as they stand, read strongly consistent: as items, for whoever judges them must see garbage too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inventory import keys
from inventory.client import faults_as_unavailable, require_whole

if TYPE_CHECKING:
    from uuid import UUID

    from mypy_boto3_dynamodb import DynamoDBClient

    from inventory.dynamodb import Item


class StockItems(Protocol):
    """Where stock items are read."""

    def item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """Read one, as of now; None where there is none.

        Raises:
            StoreUnavailable: there was no whole answer.
        """
        ...


class DynamoDBStockItems:
    """``StockItems`` on DynamoDB."""

    def __init__(self, client: DynamoDBClient, inventory_table: str) -> None:
        self._client = client
        self._inventory_table = inventory_table

    def item(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> Item | None:
        """One GetItem."""
        with faults_as_unavailable():
            reply = self._client.get_item(
                TableName=self._inventory_table,
                Key={"pk": {"S": keys.stock(business_id, variant_id)}, "sk": {"S": str(location_id)}},
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        require_whole(reply)
        return reply.get("Item")
