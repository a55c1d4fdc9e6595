"""A stand-in for DynamoDB: one stock item, its catalog and its ledger, with DynamoDB's conditions and its bill.

It answers requests as bytes, so that a recording of its answers can take its place where time is measured.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from inventory import keys
from tests.performance.capacity import transaction_units, write_units
from tests.support.builders import BUSINESS, LOCATION, VARIANT
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    type Item = dict[str, dict[str, Any]]
    type Place = tuple[str, str, str]

INVENTORY_TABLE: Final = "inventory-table"
LEDGER_TABLE: Final = "ledger-table"
_STOCK_ATTRIBUTES: Final = {":quantity": "quantity", ":sequence": "sequence", ":at": "updated_at", ":hash": "head_hash"}


@dataclass
class Bill:
    """What a stretch of work asks of DynamoDB. ``stock_units`` and ``units`` are write units, of all items for one."""

    calls: Counter[str] = field(default_factory=Counter)
    stock_units: int = 0
    units: int = 0


class Tables:
    """Both tables of the write path, for one thread: a business with a variant, a location, and no history."""

    def __init__(self) -> None:
        business = keys.business(BUSINESS)
        self.items: dict[Place, Item] = {}
        self.bill = Bill()
        self.ledger: list[Item] = []
        """Ledger rows in the order in which they were appended."""
        self._put(
            INVENTORY_TABLE,
            _key(business, keys.SETTINGS)
            | {"allow_negative_stock": {"BOOL": False}, "default_location_id": {"S": str(LOCATION)}},
        )
        for catalog_item in (keys.variant(VARIANT), keys.location(LOCATION)):
            self._put(INVENTORY_TABLE, _key(business, catalog_item) | {"active": {"BOOL": True}})

    def answer(self, operation: str, body: bytes) -> bytes:
        """Carry out one request of the write path.

        Raises:
            AssertionError: DynamoDB would refuse it, or one of its conditions does not hold: nothing here contends.
        """
        sent = json.loads(body)
        self.bill.calls[operation] += 1
        match operation:
            case "BatchGetItem":
                return json.dumps(self._batch_get(sent)).encode()
            case "TransactWriteItems":
                return json.dumps(self._transact_write(sent)).encode()
            case _:
                raise AssertionError(f"the write path does not call {operation}")

    def _batch_get(self, sent: Any) -> dict[str, object]:
        wanted = [
            (table, _place(table, key)) for table, request in sent["RequestItems"].items() for key in request["Keys"]
        ]
        assert 1 <= len(wanted) == len(set(wanted)) <= 100, "1 to 100 keys, none twice"
        found: dict[str, list[Item]] = {table: [] for table in sent["RequestItems"]}
        for table, place in wanted:
            if place in self.items:
                found[table].append(self.items[place])
        return {"Responses": found, "UnprocessedKeys": {}}

    def _transact_write(self, sent: Any) -> dict[str, object]:
        first, *others = sent["TransactItems"]
        assert len(others) <= 99, "up to 100 parts"
        units = Counter({INVENTORY_TABLE: self._update_stock(first["Update"])})
        self.bill.stock_units += units[INVENTORY_TABLE]
        for part in others:
            units[LEDGER_TABLE] += self._append(part["Put"])
        self.bill.units += units.total()
        return {"ConsumedCapacity": [{"TableName": table, "CapacityUnits": each} for table, each in units.items()]}

    def _update_stock(self, update: Any) -> int:
        values = update["ExpressionAttributeValues"]
        before = self.items.get(_place(INVENTORY_TABLE, update["Key"]))
        if before is None:
            assert update["ConditionExpression"] == "attribute_not_exists(pk)"
        else:
            assert update["ConditionExpression"] == "#sequence = :seen"
            assert values[":seen"] == before["sequence"]
        after = update["Key"] | {name: values[variable] for variable, name in _STOCK_ATTRIBUTES.items()}
        self._put(INVENTORY_TABLE, after)
        return max(transaction_units(after), transaction_units(before or {}))

    def _append(self, put: Any) -> int:
        row: Item = put["Item"]
        assert put["ConditionExpression"] == "attribute_not_exists(pk)"
        assert _place(LEDGER_TABLE, row) not in self.items
        self._put(LEDGER_TABLE, row)
        self.ledger.append(row)
        return transaction_units(row) + _ledger_indexes() * write_units(row)

    def _put(self, table: str, item: Item) -> None:
        self.items[_place(table, item)] = item


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _place(table: str, item: Item) -> Place:
    return table, item["pk"]["S"], item.get("sk", {"S": ""})["S"]


def _ledger_indexes() -> int:
    """How many indexes hold a copy of each ledger row; each is written to outside of the transaction."""
    return len(load_template()["Resources"]["LedgerTable"]["Properties"]["GlobalSecondaryIndexes"])
