"""Query on the tables in memory: partitions of the inventory table, and of the ledger's two indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inventory.domain.model import StockItemId
from inventory.domain.rules import stock_after
from inventory.storage import keys
from inventory.storage.items import stock_index_attributes
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, Tables, stock_members
from tests.support.faults.wire import reply

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from inventory.domain.model import Adjustment

INDEX_KEYS = {
    (INVENTORY_TABLE, None): ("pk", "sk"),
    (INVENTORY_TABLE, "by_business"): ("business_shard", "location_variant"),
    (LEDGER_TABLE, "by_stock_item"): ("stock_item", "created_at"),
    (LEDGER_TABLE, "by_business"): ("business_shard", "created_at_id"),
}

# Each condition of the inventory table: the values of its partition and of the prefix of its sort keys.
INVENTORY_CONDITIONS = {
    "pk = :pk": (":pk", None),
    "pk = :pk AND begins_with(sk, :prefix)": (":pk", ":prefix"),
    "business_shard = :shard": (":shard", None),
    "business_shard = :shard AND begins_with(location_variant, :location)": (":shard", ":location"),
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
            stock_item_id = StockItemId(row.business_id, row.variant_id, row.location_id)
            stock = stock_members(stock_after(row)) | stock_index_attributes(stock_item_id)
            self._put_inventory(keys.stock(row.business_id, row.variant_id), str(row.location_id), stock)

    def _query(self, sent: Any) -> AWSResponse:
        key, sort = INDEX_KEYS[sent["TableName"], sent.get("IndexName")]
        values = {name: value["S"] for name, value in sent["ExpressionAttributeValues"].items()}
        if sent["TableName"] == INVENTORY_TABLE:
            of_partition, of_prefix = INVENTORY_CONDITIONS[sent["KeyConditionExpression"]]
            wanted, first = values[of_partition], "" if of_prefix is None else values[of_prefix]
            last = first + "\U0010ffff"
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
        if sent["TableName"] == INVENTORY_TABLE and "IndexName" in sent:
            page = [{name: item[name] for name in ("pk", "sk", key, sort)} for item in page]
        answer: dict[str, Any] = {"Items": page, "ConsumedCapacity": {"CapacityUnits": 1.0}}
        if len(page) == sent.get("Limit"):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in {"pk", "sk", key, sort} if name in page[-1]}
        return reply(answer)
