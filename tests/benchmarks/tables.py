"""A stand-in for DynamoDB: catalog, stock items and ledger, with the conditions of the service and DynamoDB's bill.

It answers requests as bytes, so that a recording of its answers can take its place where time is measured.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from inventory.storage import keys
from tests.benchmarks.capacity import read_units, transaction_read_units, transaction_units, write_units
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.fakes.conditions import cancellation_reason
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    from uuid import UUID

    type Item = dict[str, dict[str, Any]]
    type Place = tuple[str, str, str]
    type Answer = tuple[int, dict[str, object]]

INVENTORY_TABLE: Final = "inventory-table"
LEDGER_TABLE: Final = "ledger-table"


@dataclass
class Bill:
    """What a stretch of work asks of DynamoDB. ``*_units`` are write units but for ``read_units``, of all items."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: int = 0
    stock_units: int = 0
    units: int = 0


class Tables:
    """The tables of the service, for one thread: a business with a variant and a location, and no history."""

    def __init__(self) -> None:
        business = keys.business(BUSINESS)
        self.items: dict[Place, Item] = {}
        self.bill = Bill()
        self.ledger: list[Item] = []
        """Ledger rows in the order in which they were appended."""
        self.put(
            INVENTORY_TABLE,
            _key(business, keys.SETTINGS)
            | {"allow_negative_stock": {"BOOL": False}, "default_location_id": {"S": str(LOCATION)}},
        )
        self.put(INVENTORY_TABLE, _key(business, keys.location(LOCATION)) | {"active": {"BOOL": True}})
        self.with_variant(VARIANT)

    def with_variant(self, variant_id: UUID) -> None:
        """Let the business have a variant."""
        self.put(INVENTORY_TABLE, _key(keys.business(BUSINESS), keys.variant(variant_id)) | {"active": {"BOOL": True}})

    def put(self, table: str, item: Item) -> None:
        """Store an item unconditionally, without billing."""
        self.items[_place(table, item)] = item

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Carry out one request; the HTTP status and body of the reply.

        Raises:
            AssertionError: DynamoDB would refuse it, or it is none that the service makes.
        """
        sent = json.loads(body)
        self.bill.calls[operation] += 1
        match operation:
            case "GetItem":
                status, reply = self._get(sent)
            case "BatchGetItem":
                status, reply = self._batch_get(sent)
            case "TransactGetItems":
                status, reply = self._transact_get(sent)
            case "TransactWriteItems":
                status, reply = self._transact_write(sent)
            case "PutItem" | "UpdateItem":
                status, reply = self._write(sent)
            case _:
                raise AssertionError(f"nothing here calls {operation}")
        return status, json.dumps(reply).encode()

    def _get(self, sent: Any) -> Answer:
        assert sent["ConsistentRead"] is True
        item = self.items.get(_place(sent["TableName"], sent["Key"]))
        self.bill.read_units += read_units(item)
        return 200, {"ConsumedCapacity": _consumed(sent["TableName"]), **({} if item is None else {"Item": item})}

    def _batch_get(self, sent: Any) -> Answer:
        wanted = [
            (table, _place(table, key)) for table, request in sent["RequestItems"].items() for key in request["Keys"]
        ]
        assert 1 <= len(wanted) == len(set(wanted)) <= 100, "1 to 100 keys, none twice"
        found: dict[str, list[Item]] = {table: [] for table in sent["RequestItems"]}
        for table, place in wanted:
            self.bill.read_units += read_units(self.items.get(place))
            if place in self.items:
                found[table].append(self.items[place])
        return 200, {"Responses": found, "UnprocessedKeys": {}}

    def _transact_get(self, sent: Any) -> Answer:
        places = [_place(part["Get"]["TableName"], part["Get"]["Key"]) for part in sent["TransactItems"]]
        assert 1 <= len(places) == len(set(places)) <= 100, "1 to 100 parts, none twice"
        found = [self.items.get(place) for place in places]
        self.bill.read_units += sum(map(transaction_read_units, found))
        tables = dict.fromkeys(table for table, _, _ in places)
        return 200, {
            "ConsumedCapacity": [_consumed(table) for table in tables],
            "Responses": [{} if item is None else {"Item": item} for item in found],
        }

    def _transact_write(self, sent: Any) -> Answer:
        parts = [(kind, part) for each in sent["TransactItems"] for kind, part in each.items()]
        assert 1 <= len(parts) <= 100, "1 to 100 parts"
        reasons = [
            cancellation_reason(part, self.items.get(_place(part["TableName"], part.get("Key") or part["Item"])))
            for _, part in parts
        ]
        # One that is cancelled is billed like one that is applied.
        applied = all(reason["Code"] == "None" for reason in reasons)
        units: Counter[str] = Counter()
        for kind, part in parts:
            before = self.items.get(_place(part["TableName"], part.get("Key") or part["Item"]))
            after = _updated(part) if kind == "Update" else part["Item"]
            written = max(transaction_units(after), transaction_units(before or {}))
            units[part["TableName"]] += written
            if kind == "Update":
                self.bill.stock_units += written
            if applied:
                self.put(part["TableName"], after)
                if part["TableName"] == LEDGER_TABLE:
                    self.ledger.append(after)
                    units[LEDGER_TABLE] += _ledger_indexes() * write_units(after)
        self.bill.units += units.total()
        if not applied:
            name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
            return 400, {"__type": name, "Message": "Transaction cancelled", "CancellationReasons": reasons}
        return 200, {"ConsumedCapacity": [_consumed(table, each) for table, each in units.items()]}

    def _write(self, sent: Any) -> Answer:
        """A put or an update by itself, of a table that is none of the write path's: the condition is taken as met."""
        table = sent["TableName"]
        assert table not in (INVENTORY_TABLE, LEDGER_TABLE)
        if "Item" in sent:
            self.put(table, sent["Item"])
        item = self.items[_place(table, sent.get("Item") or sent["Key"])]
        self.bill.units += write_units(item)
        return 200, {"ConsumedCapacity": _consumed(table, write_units(item))}


def written_units(kind: str, part: Any, *, applied: bool, of_ledger: bool) -> int:
    """Write units of a transaction's part that leaves an item no smaller; of one that is cancelled the same."""
    after = _updated(part) if kind == "Update" else part["Item"]
    indexes = _ledger_indexes() if applied and of_ledger else 0
    return transaction_units(after) + indexes * write_units(after)


def _updated(update: Any) -> Item:
    """The item that an update leaves, of an expression that sets attributes and does nothing else."""
    names = update.get("ExpressionAttributeNames", {})
    values = update["ExpressionAttributeValues"]
    after: Item = dict(update["Key"])
    for assignment in update["UpdateExpression"].removeprefix("SET ").split(", "):
        name, variable = assignment.split(" = ")
        after[names.get(name, name)] = values[variable]
    return after


def _consumed(table: str, units: float = 1.0) -> dict[str, object]:
    return {"TableName": table, "CapacityUnits": units}


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _place(table: str, item: Item) -> Place:
    # Powertools' idempotency calls its key ``id``.
    return table, item["pk" if "pk" in item else "id"]["S"], item.get("sk", {"S": ""})["S"]


@cache
def _ledger_indexes() -> int:
    """How many indexes hold a copy of each ledger row; each is written to outside of the transaction."""
    return len(load_template()["Resources"]["LedgerTable"]["Properties"]["GlobalSecondaryIndexes"])
