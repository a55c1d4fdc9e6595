"""The tables of the write path on an emulator, from the template's own definitions, and what stands in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.provisioning import Provision, provision_on_dynamodb
from inventory.schemas.provisioning import provision_request
from inventory.storage import keys
from inventory.storage.items import adjustment_of, stock_item_of
from inventory.storage.stock_store import StockStore
from ops.project import TEMPLATE
from tools.template import read_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from inventory.domain.model import Adjustment, StockItem
    from inventory.entrypoints.provisioning import CommandAnswer

    type Item = dict[str, AttributeValueTypeDef]

_DEFINING = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")


@dataclass(frozen=True, slots=True)
class Tables:
    """One pair of tables, used by nobody else; ``client`` is the test's own way to look into them."""

    client: DynamoDBClient
    inventory: str
    ledger: str

    def command(self, command: str, business_id: UUID, **fields: object) -> CommandAnswer:
        """Carry out one of the operators' commands."""
        return carry_out(self.provision(self.client), command, business_id, **fields)

    def provision(self, client: DynamoDBClient) -> Provision:
        """What carries out the operators' commands, on these tables and without a table of tokens."""
        return provision_on_dynamodb(client, inventory_table=self.inventory, access_table="none")

    def store(self, client: DynamoDBClient, *, time_s: Callable[[], float]) -> StockStore:
        """A store on these tables that remembers nothing yet."""
        return StockStore(client, inventory_table=self.inventory, ledger_table=self.ledger, time_s=time_s)

    def rows(self) -> list[Adjustment]:
        """The whole ledger, of every business."""
        return [adjustment_of(item) for item in self._all_items(self.ledger)]

    def stock(self, business_id: UUID, variant_id: UUID, location_id: UUID) -> StockItem | None:
        """One stock item, or None where there is none yet."""
        key: Item = {"pk": {"S": keys.stock(business_id, variant_id)}, "sk": {"S": str(location_id)}}
        item = self.client.get_item(TableName=self.inventory, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else stock_item_of(item)

    def reversed_by(self, row: Adjustment) -> str | None:
        """The id that the link from a row to its reversal names, or None where there is no link."""
        key: Item = {"pk": {"S": keys.reversal(row.business_id, row.id)}, "sk": {"S": keys.REVERSAL}}
        item = self.client.get_item(TableName=self.inventory, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else item["reversal_id"]["S"]

    def contents(self) -> list[Item]:
        """Every item of both tables, in a fixed order: equal before and after means that nothing was written."""
        items = self._all_items(self.inventory) + self._all_items(self.ledger)
        return sorted(items, key=lambda item: (item["pk"]["S"], item.get("sk", {"S": ""})["S"]))

    def _all_items(self, table_name: str) -> list[Item]:
        pages = self.client.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


def carry_out(provision: Provision, command: str, business_id: UUID, **fields: object) -> CommandAnswer:
    """Carry out one of the operators' commands with half a minute for it."""
    ids = {name: str(value) if isinstance(value, UUID) else value for name, value in fields.items()}
    request = provision_request({"command": command, "business_id": str(business_id), **ids})
    return provision.perform(request, RetryBudget(lambda: 30.0))


def create_tables(client: DynamoDBClient) -> Tables:
    """Create both tables under names of their own."""
    suffix = uuid4().hex
    names = {}
    for logical_id in ("InventoryTable", "LedgerTable"):
        names[logical_id] = f"{logical_id}-{suffix}"
        client.create_table(TableName=names[logical_id], **table_definition(logical_id))
    return Tables(client, inventory=names["InventoryTable"], ledger=names["LedgerTable"])


def table_definition(logical_id: str) -> dict[str, Any]:
    """Return what defines one of the template's tables: its keys and indexes."""
    properties = _template_resources()[logical_id]["Properties"]
    return {name: properties[name] for name in _DEFINING if name in properties}


@cache
def _template_resources() -> dict[str, Any]:
    resources: dict[str, Any] = read_template(TEMPLATE)["Resources"]
    return resources
