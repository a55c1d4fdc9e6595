"""Inventory and ledger behind a real client's wire, for one thread: the client's own serializer and parser run.

A transaction whose conditions don't hold is cancelled; that an engine does so under threads is what the integration
tests are for. Faults and other cancelled transactions are laid over it with ``meets``. (``wire.Wire`` would not do:
every listener of an event is called.)
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from inventory.storage import keys
from inventory.storage.items import ledger_item
from tests.support.builders.ids import BUSINESS, LOCATION, VARIANT
from tests.support.fakes.conditions import cancellation_reason
from tests.support.faults.wire import broken, fault, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from inventory.domain.model import Adjustment, StockItem
    from tests.support.faults.wire import Reply

INVENTORY_TABLE = "inventory-table"
LEDGER_TABLE = "ledger-table"

type Item = dict[str, Any]


class Tables:
    """Two tables as dictionaries; ``requests`` holds what was sent, by operation, in order."""

    def __init__(self, client: Any) -> None:
        self.items: dict[tuple[str, str, str], Item] = {}
        self.requests: defaultdict[str, list[Any]] = defaultdict(list)
        self.answers_are_lost = False
        """Whether writes are applied, but their answers never arrive."""
        self._met: dict[str, Iterator[Reply]] = {}
        self._listen(client, "BatchGetItem", self._batch_get)
        self._listen(client, "TransactGetItems", self._transact_get)
        self._listen(client, "TransactWriteItems", self._transact_write)

    def meets(self, operation: str, *replies: Reply) -> None:
        """Let an operation's calls meet these replies instead, the last one for ever; None: what the tables say."""
        self._met[operation] = chain(replies, repeat(replies[-1]))

    def with_business(self, business_id: UUID = BUSINESS, *, default: UUID | None = LOCATION, **members: Item) -> None:
        settings: Item = {"allow_negative_stock": {"BOOL": False}} | members
        if default is not None:
            settings["default_location_id"] = {"S": str(default)}
        self._put_inventory(keys.business(business_id), keys.SETTINGS, settings)

    def with_variant(self, variant_id: UUID = VARIANT, *, business_id: UUID = BUSINESS, active: bool = True) -> None:
        self._put_inventory(keys.business(business_id), keys.variant(variant_id), {"active": {"BOOL": active}})

    def with_location(self, location_id: UUID = LOCATION, *, business_id: UUID = BUSINESS, active: bool = True) -> None:
        self._put_inventory(keys.business(business_id), keys.location(location_id), {"active": {"BOOL": active}})

    def with_sku(self, sku: str, variant_id: UUID = VARIANT, *, business_id: UUID = BUSINESS) -> None:
        pk, sk = keys.sku_key(business_id, sku)
        self._put_inventory(pk, sk, {"sku": {"S": sku}, "variant_id": {"S": str(variant_id)}})

    def with_reason(self, code: str, *, direction: str = "any", active: bool = True) -> None:
        members: Item = {"reason_code": {"S": code}, "direction": {"S": direction}, "active": {"BOOL": active}}
        pk, sk = keys.reason_key(BUSINESS, code)
        self._put_inventory(pk, sk, members)

    def with_catalog(self) -> None:
        """One business, its default location and one variant."""
        self.with_business()
        self.with_variant()
        self.with_location()

    def with_stock(self, stock: StockItem, *, variant_id: UUID = VARIANT, location_id: UUID = LOCATION) -> None:
        self._put_inventory(keys.stock(BUSINESS, variant_id), str(location_id), stock_members(stock))

    def with_row(self, row: Adjustment) -> None:
        item = ledger_item(row)
        self.items[LEDGER_TABLE, item["pk"]["S"], ""] = item

    def with_link(self, adjustment_id: UUID, reversal_id: UUID, *, business_id: UUID = BUSINESS) -> None:
        self._put_inventory(
            keys.reversal(business_id, adjustment_id), keys.REVERSAL, {"reversal_id": {"S": str(reversal_id)}}
        )

    @property
    def rows(self) -> list[Item]:
        """The ledger, oldest first."""
        return [item for (table, _, _), item in self.items.items() if table == LEDGER_TABLE]

    def _put_inventory(self, pk: str, sk: str, members: Item) -> None:
        self.items[INVENTORY_TABLE, pk, sk] = {"pk": {"S": pk}, "sk": {"S": sk}} | members

    def _listen(self, client: Any, operation: str, apply: Callable[[Any], AWSResponse]) -> None:
        def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
            assert isinstance(request.body, bytes)
            sent = json.loads(request.body)
            self.requests[operation].append(sent)
            met = next(self._met[operation]) if operation in self._met else None
            if isinstance(met, Exception):
                raise met
            if met is None:
                return apply(sent)
            met.raw.seek(0)
            return met

        client.meta.events.register(f"before-send.dynamodb.{operation}", answer)

    def _batch_get(self, sent: Any) -> AWSResponse:
        keys_read = [(table, *key.items()) for table, wanted in sent["RequestItems"].items() for key in wanted["Keys"]]
        assert 1 <= len(keys_read) <= 100, "DynamoDB takes up to 100 keys"
        assert all(keys_read.count(each) == 1 for each in keys_read), "DynamoDB refuses to read a key twice"
        found = {
            table: [self.items[place] for key in wanted["Keys"] if (place := _place(table, key)) in self.items]
            for table, wanted in sent["RequestItems"].items()
        }
        return reply({"Responses": found, "UnprocessedKeys": {}})

    def _transact_get(self, sent: Any) -> AWSResponse:
        places = [_place(part["Get"]["TableName"], part["Get"]["Key"]) for part in sent["TransactItems"]]
        assert 1 <= len(places) <= 100, "DynamoDB takes up to 100 parts"
        assert len(set(places)) == len(places), "DynamoDB refuses to read a key twice"
        return found(*[self.items.get(place) for place in places])

    def _transact_write(self, sent: Any) -> AWSResponse:
        assert len(sent["TransactItems"]) <= 100, "DynamoDB takes up to 100 parts"
        parts = [content for part in sent["TransactItems"] for content in part.values()]
        places = [_place(part["TableName"], part.get("Key") or part["Item"]) for part in parts]
        assert len(set(places)) == len(places), "DynamoDB refuses to write a key twice"
        reasons = [cancellation_reason(part, self.items.get(place)) for place, part in zip(places, parts, strict=True)]
        if any(reason["Code"] != "None" for reason in reasons):
            return fault("TransactionCanceledException", CancellationReasons=reasons)
        for place, part in zip(places, parts, strict=True):
            if "Item" in part:
                self.items[place] = part["Item"]
            elif "UpdateExpression" in part:
                self.items[place] = self.items.get(place, part["Key"]) | _set_by(part)
        if self.answers_are_lost:
            raise broken()
        return committed()


def _set_by(update: Any) -> Item:
    """The attributes that an update sets, from its expression: SET name = :value, …"""
    names, values = update["ExpressionAttributeNames"], update["ExpressionAttributeValues"]
    assignments = update["UpdateExpression"].removeprefix("SET ").split(", ")
    pairs = (each.split(" = ") for each in assignments)
    return {names.get(name, name): values[value] for name, value in pairs}


def _place(table: str, item: Item) -> tuple[str, str, str]:
    return table, item["pk"]["S"], item.get("sk", {"S": ""})["S"]


def found(*items: Item | None) -> AWSResponse:
    """The reply to reads in one transaction; None: there is no such item."""
    capacity = [{"TableName": LEDGER_TABLE, "CapacityUnits": 2.0 * len(items)}]
    return reply(
        {"ConsumedCapacity": capacity, "Responses": [{} if item is None else {"Item": item} for item in items]}
    )


def committed() -> AWSResponse:
    """The reply to a transaction that was applied."""
    return reply({"ConsumedCapacity": [{"TableName": INVENTORY_TABLE, "CapacityUnits": 2.0}]})


def stock_members(stock: StockItem) -> Item:
    """A stock item's attributes without its key, written out: a test must not read with what it tests."""
    counted = {"counted_at": stock.counted_at, "counted_through": stock.counted_through}
    return {
        "quantity": {"N": str(stock.quantity)},
        "sequence": {"N": str(stock.sequence)},
        "updated_at": {"S": stock.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
        "head_hash": {"S": stock.head_hash},
        **{name: {"S": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")} for name, at in counted.items() if at is not None},
    }
