"""A deployed service as its users see it: HTTP for clients, invocations for operators, tables for auditors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args

from inventory.api.routes import LIST_ADJUSTMENTS
from inventory.domain.api_tokens import Scope
from ops.stacks import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

ADJUSTMENTS: Final = LIST_ADJUSTMENTS.path
ALL_SCOPES: Final = get_args(Scope.__value__)


@dataclass(frozen=True)
class Service:
    """Where it is and how to reach it."""

    base_url: str
    outputs: Mapping[str, str]
    functions: LambdaClient
    dynamodb: DynamoDBClient
    queues: SQSClient
    events: EventBridgeClient
    http: httpx.Client
    issued: list[str] = field(default_factory=list)

    def invoke(self, output: str, payload: object) -> Any:
        return Target(self.functions, self.outputs).invoke(output, payload)

    def operate(self, command: str, **fields: object) -> dict[str, str]:
        answer: dict[str, str] = self.invoke("ProvisionFunctionName", {"command": command, **fields})
        return answer

    def create_directly(self, payload: object) -> dict[str, Any]:
        answer: dict[str, Any] = self.invoke("CreateAdjustmentFunctionName", payload)
        return answer

    def post(self, body: object, headers: Mapping[str, str], *, path: str = ADJUSTMENTS) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(f"{self.base_url}{path}", content=content, headers=dict(headers))

    def new_business(self, **settings: object) -> Business:
        """A business of its own for a test: one variant, a default location and another one, a token for all."""
        business_id = self.operate("register_business", name="Test business", **settings)["business_id"]
        named = {"business_id": business_id}
        return Business(
            service=self,
            id=business_id,
            variant_id=self.operate("register_variant", sku="SKU-1", **named)["variant_id"],
            location_id=self.operate("register_location", name="Default", default=True, **named)["location_id"],
            other_location_id=self.operate("register_location", name="Other", **named)["location_id"],
            token=self.issue_token([business_id])["token"],
        )

    def issue_token(
        self, business_ids: list[str], scopes: tuple[str, ...] = ALL_SCOPES, **fields: object
    ) -> dict[str, str]:
        issued = self.operate(
            "issue_token", subject="test suite", business_ids=business_ids, scopes=list(scopes), **fields
        )
        self.issued.append(issued["token_id"])
        return issued

    def revoke_issued_tokens(self) -> None:
        for token_id in self.issued:
            self.operate("revoke_token", token_id=token_id)


@dataclass(frozen=True)
class Business:
    """A business that belongs to one test."""

    service: Service
    id: str
    variant_id: str
    location_id: str
    other_location_id: str
    token: str

    def headers(self, **others: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "x-business-id": self.id, **others}

    def body(self, quantity_change: int, **fields: object) -> dict[str, object]:
        return {"variant_id": self.variant_id, "quantity_change": quantity_change, "reason": "Counted", **fields}

    def payload(self, quantity_change: object, **fields: object) -> dict[str, object]:
        """What callers without HTTP send."""
        return {
            "business_id": self.id,
            "variant_id": self.variant_id,
            "quantity_change": quantity_change,
            "reason": "Nightly import",
            **fields,
        }

    def adjust(self, quantity_change: int, *, key: str | None = None, **fields: object) -> httpx.Response:
        headers = self.headers() if key is None else self.headers(**{"Idempotency-Key": key})
        return self.service.post(self.body(quantity_change, **fields), headers)

    def reverse(
        self, adjustment_id: str, *, key: str | None = None, token: str | None = None, **fields: object
    ) -> httpx.Response:
        """Ask for the reversal of an adjustment, with the business's own token unless another is given."""
        headers = self.headers() if key is None else self.headers(**{"Idempotency-Key": key})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = {"reason": "Counted wrong", **fields}
        return self.service.post(body, headers, path=f"{ADJUSTMENTS}/{adjustment_id}/reversal")

    def opened_with(self, quantity: int) -> Business:
        assert self.adjust(quantity).status_code == 201
        return self

    def ledger(self) -> list[dict[str, Any]]:
        """The rows of the variant at the default location, oldest first, from the ledger's own index."""
        pages = self.service.dynamodb.get_paginator("query").paginate(
            TableName=self.service.outputs["LedgerTableName"],
            IndexName="by_stock_item",
            KeyConditionExpression="stock_item = :item",
            ExpressionAttributeValues={":item": {"S": f"{self.id}#{self.variant_id}#{self.location_id}"}},
        )
        return [item for page in pages for item in page["Items"]]

    def listed(self) -> list[dict[str, Any]]:
        """The adjustments as the API lists them, newest first."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            url = f"{self.service.base_url}{ADJUSTMENTS}"
            page = self.service.http.get(url, params={"limit": "100", **cursor}, headers=self.headers()).json()
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def ledger_ids(self) -> list[str]:
        """The ids of all rows of the business, by a scan: an index can't leave one out."""
        pages = self.service.dynamodb.get_paginator("scan").paginate(
            TableName=self.service.outputs["LedgerTableName"],
            FilterExpression="begins_with(pk, :business)",
            ExpressionAttributeValues={":business": {"S": f"{self.id}#"}},
            ConsistentRead=True,
        )
        return [item["id"]["S"] for page in pages for item in page["Items"]]

    def stock(self) -> tuple[int, int]:
        """Quantity and sequence of the stock item of the variant at the default location."""
        item = self.service.dynamodb.get_item(
            TableName=self.service.outputs["InventoryTableName"],
            Key={"pk": {"S": f"STOCK#{self.id}#{self.variant_id}"}, "sk": {"S": self.location_id}},
            ConsistentRead=True,
        )["Item"]
        return int(item["quantity"]["N"]), int(item["sequence"]["N"])


def assert_ledger_matches(business: Business, acknowledged: list[dict[str, Any]]) -> None:
    """Acknowledged = ledger rows = Σ delta: the stock item, the ledger and the answers agree."""
    rows = sorted(business.ledger(), key=lambda row: int(row["sequence"]["N"]))
    assert {row["id"]["S"] for row in rows} == {answer["id"] for answer in acknowledged}
    assert len(rows) == len(acknowledged)
    assert [int(row["sequence"]["N"]) for row in rows] == list(range(1, len(rows) + 1))
    quantity = 0
    for row in rows:
        quantity += int(row["delta"]["N"])
        assert int(row["quantity_after"]["N"]) == quantity
    assert business.stock() == (quantity, len(rows))
    times = [row["created_at"]["S"] for row in rows]
    assert times == sorted(set(times))
    assert [row["previous_hash"]["S"] for row in rows[1:]] == [row["hash"]["S"] for row in rows[:-1]]
