"""The provision function on tables in memory: one call at a time, as moto loses writes else."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from copy import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from inventory.domain.api_tokens import mint
from inventory.domain.retry_budget import RetryBudget
from tests.support.faults.wire import Wire
from tests.support.harness.emulated_tables import table_definition
from tests.support.harness.loading import Context, load_handler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

type Command = dict[str, Any]

BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01"
OTHER_BUSINESS = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02"
LOCATION = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e11"
OTHER_LOCATION = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e12"
VARIANT = "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e21"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
NOW_TEXT = "2026-11-23T14:05:09.123456Z"
LATER = datetime(2026, 11, 23, 14, 6, tzinfo=UTC)
LATER_TEXT = "2026-11-23T14:06:00.000000Z"

REGISTER_BUSINESS = {"command": "register_business", "business_id": BUSINESS, "name": "Roasters"}
REGISTER_LOCATION = {
    "command": "register_location",
    "business_id": BUSINESS,
    "location_id": LOCATION,
    "name": "Warehouse",
}
REGISTER_VARIANT = {"command": "register_variant", "business_id": BUSINESS, "variant_id": VARIANT, "sku": "BEANS-1"}
DEACTIVATE_LOCATION = {"command": "deactivate_location", "business_id": BUSINESS, "location_id": LOCATION}
DEACTIVATE_VARIANT = {"command": "deactivate_variant", "business_id": BUSINESS, "variant_id": VARIANT}
ISSUE_TOKEN = {
    "command": "issue_token",
    "subject": "till 4",
    "business_ids": [BUSINESS],
    "scopes": ["adjustments:write"],
}
REVOKE_TOKEN = {"command": "revoke_token", "token_id": "0" * 32}
REGISTER_VARIANTS = {"command": "register_variants", "business_id": BUSINESS, "variants": [{"sku": "BEANS-1"}]}
REGISTER_REASON = {"command": "register_reason", "business_id": BUSINESS, "reason_code": "sample", "name": "Sample"}
DEACTIVATE_REASON = {"command": "deactivate_reason", "business_id": BUSINESS, "reason_code": "sample"}
CLAIM_SKUS = {"command": "claim_skus", "business_id": BUSINESS}
LIST_BUSINESSES = {"command": "list_businesses"}
LIST_TOKENS = {"command": "list_tokens"}
LIST_LOCATIONS = {"command": "list_locations", "business_id": BUSINESS}
LIST_VARIANTS = {"command": "list_variants", "business_id": BUSINESS}
LIST_REASONS = {"command": "list_reasons", "business_id": BUSINESS}
COMMANDS: list[Command] = [
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_VARIANT,
    REGISTER_VARIANTS,
    REGISTER_REASON,
    DEACTIVATE_LOCATION,
    DEACTIVATE_VARIANT,
    DEACTIVATE_REASON,
    CLAIM_SKUS,
    LIST_BUSINESSES,
    LIST_TOKENS,
    LIST_LOCATIONS,
    LIST_VARIANTS,
    LIST_REASONS,
    ISSUE_TOKEN,
    REVOKE_TOKEN,
]
WRITES: list[Command] = [
    REGISTER_BUSINESS | {"name": "Grinders"},
    REGISTER_LOCATION | {"name": "Shop"},
    REGISTER_VARIANT | {"sku": "BEANS-2"},
    REGISTER_VARIANTS | {"variants": [{"sku": "BEANS-3"}]},
    REGISTER_REASON | {"reason_code": "gift"},
    DEACTIVATE_LOCATION,
    DEACTIVATE_VARIANT,
    DEACTIVATE_REASON,
]
"""Commands that change the catalog of a shop with a location, a variant and a reason of its own."""

type Place = tuple[list[str | int], str]


class Service:
    """The provision function and its tables; ``now`` is its clock, ``log`` what it logged."""

    def __init__(self, module: Any) -> None:
        self.now = NOW
        self.log = io.StringIO()
        self.minted: list[str] = []
        self.client = module.client
        self.tables = boto3.client("dynamodb")
        self._module = module
        self._original = module.provision
        self._wires: list[Wire] = []
        module.logger.handlers[0].setStream(self.log)
        module.RetryBudget = partial(RetryBudget, sleep=lambda _: None)
        module.provision = replace(module.provision, clock=lambda: self.now, new_token=self._mint)

    def close(self) -> None:
        for wire in self._wires:
            wire.remove()
        for table in ("inventory", "access"):
            for item in self.client.scan(TableName=table)["Items"]:
                key = {name: item[name] for name in ("pk", "sk") if name in item}
                self.tables.delete_item(TableName=table, Key=key)
        self._module.provision = self._original

    def _mint(self) -> str:
        self.minted.append(mint())
        return self.minted[-1]

    def always_mint(self, token: str) -> None:
        self._module.provision = replace(self._module.provision, new_token=lambda: token)

    def find(self, token_id: str) -> Any:
        return self._module.provision.access.find(token_id)

    def do(self, command: Any, **changes: object) -> Any:
        """Invoke with a command; a change to ``...`` leaves the field out."""
        return self.invoke({name: value for name, value in {**command, **changes}.items() if value is not ...})

    def invoke(self, event: object, context: Context | None = None) -> Any:
        return self._module.handler(event, context or Context())

    def refused(self, command: Any, **changes: object) -> tuple[str, Any]:
        """The ``errorType`` and the parsed ``errorMessage`` that the invoker gets."""
        with pytest.raises(Exception) as raised:  # noqa: PT011  its name is what is judged
            self.do(command, **changes)
        assert raised.value.__suppress_context__
        return type(raised.value).__name__, json.loads(str(raised.value))

    def catalog(self) -> dict[str, dict[str, Any]]:
        """The business's items by their sort keys, without the times."""
        items = [item for item in self.tables.scan(TableName="inventory")["Items"] if item["pk"]["S"].startswith("B")]
        times = {"created_at", "updated_at", "pk", "sk"}
        return {
            item["sk"]["S"]: {name: next(iter(value.values())) for name, value in item.items() if name not in times}
            for item in items
        }

    def wire(self, operation: str, *replies: Any) -> Wire:
        self._wires.append(Wire(self.client, operation, *replies))
        return self._wires[-1]

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def item(self, sk: str, business_id: str = BUSINESS) -> dict[str, Any]:
        key = {"pk": {"S": f"BUSINESS#{business_id}"}, "sk": {"S": sk}}
        found = self.client.get_item(TableName="inventory", Key=key)["Item"]
        return {name: next(iter(value.values())) for name, value in found.items()}

    def token_items(self) -> list[dict[str, Any]]:
        return list(self.tables.scan(TableName="access")["Items"])

    def items(self) -> list[dict[str, Any]]:
        return [*self.tables.scan(TableName="inventory")["Items"], *self.token_items()]


@contextmanager
def provision_module() -> Iterator[ModuleType]:
    """The handler, loaded once: a client takes longer to make than a test to run."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        module: Any = load_handler("provision", monkeypatch, INVENTORY_TABLE="inventory", ACCESS_TABLE="access")
        for table, properties in (("inventory", "InventoryTable"), ("access", "AccessTable")):
            boto3.client("dynamodb").create_table(TableName=table, **table_definition(properties))
        yield module
