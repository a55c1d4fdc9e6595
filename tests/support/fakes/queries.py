"""Query on the tables in memory: partitions of the inventory table, and of the ledger's two indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inventory.domain.rules import stock_after
from inventory.storage import keys
from tests.support.fakes.tables import INVENTORY_TABLE, Tables, stock_members
from tests.support.faults.wire import reply

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from inventory.domain.model import Adjustment

INDEX_KEYS = {
    None: ("pk", "sk"),
    "by_stock_item": ("stock_item", "created_at"),
    "by_business": ("business_shard", "created_at_id"),
}


class QueriedTables(Tables):
    """The two tables for readers; a page that its limit has filled names a next one, as DynamoDB's does."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._listen(client, "Query", self._query)

    def with_history(self, *rows: Adjustment) -> None:
        """Put rows into the ledger, and the stock items that they leave behind."""
        for row in rows:
            self.with_row(row)
            stock = stock_members(stock_after(row))
            self._put_inventory(keys.stock(row.business_id, row.variant_id), str(row.location_id), stock)

    def _query(self, sent: Any) -> AWSResponse:
        key, sort = INDEX_KEYS[sent.get("IndexName")]
        values = {name: value["S"] for name, value in sent["ExpressionAttributeValues"].items()}
        if sent["TableName"] == INVENTORY_TABLE:
            assert sent["KeyConditionExpression"] == "pk = :pk"
            wanted, first, last = values[":pk"], "", "\U0010ffff"
        else:
            assert sent["KeyConditionExpression"] == "#key = :key AND #sort BETWEEN :first AND :last"
            assert sent["ExpressionAttributeNames"] == {"#key": key, "#sort": sort}
            wanted, first, last = values[":key"], values[":first"], values[":last"]
            assert first <= last, "DynamoDB refuses such bounds"
        backward = not sent.get("ScanIndexForward", True)
        found = sorted(
            (
                item
                for (table, _, _), item in self.items.items()
                if table == sent["TableName"] and item.get(key) == {"S": wanted} and first <= item[sort]["S"] <= last
            ),
            key=lambda item: str(item[sort]["S"]),
            reverse=backward,
        )
        if "ExclusiveStartKey" in sent:
            start = sent["ExclusiveStartKey"][sort]["S"]
            found = [item for item in found if (item[sort]["S"] < start if backward else item[sort]["S"] > start)]
        page = found[: sent.get("Limit")]
        answer: dict[str, Any] = {"Items": page, "ConsumedCapacity": {"CapacityUnits": 1.0}}
        if len(page) == sent.get("Limit"):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in {"pk", key, sort} if name in page[-1]}
        return reply(answer)
