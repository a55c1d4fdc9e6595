"""The subcommand `api-keys`: an API key in the usage plan for each business that has a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.command import Command
from ops.errors import CommandError
from ops.stacks import Stack

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE: Final = 500
# API Gateway takes five new keys a second: the SDK waits.
_CONFIG: Final = Config(retries={"mode": "standard", "total_max_attempts": 10})


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """One stack's plan, and the keys of the account, by their values."""

    gateway: APIGatewayClient
    plan_id: str

    def admit(self, business_ids: set[str]) -> list[str]:
        """Give each business its key in the plan and return those that lacked it. May be repeated.

        A key belongs to the account, not to the plan: another stage may have made it for the same business.
        """
        lacking = sorted(business_ids - self._admitted())
        keys = self._keys() if lacking else {}
        for business_id in lacking:
            key_id = keys.get(business_id) or self._new_key(business_id)
            self.gateway.create_usage_plan_key(usagePlanId=self.plan_id, keyId=key_id, keyType="API_KEY")
        return lacking

    def _admitted(self) -> set[str]:
        pages = self.gateway.get_paginator("get_usage_plan_keys").paginate(
            usagePlanId=self.plan_id, PaginationConfig={"PageSize": _PAGE}
        )
        return {key["name"] for page in pages for key in page["items"]}

    def _keys(self) -> dict[str, str]:
        pages = self.gateway.get_paginator("get_api_keys").paginate(
            includeValues=True, PaginationConfig={"PageSize": _PAGE}
        )
        return {key["value"]: key["id"] for page in pages for key in page["items"]}

    def _new_key(self, business_id: str) -> str:
        key = self.gateway.create_api_key(
            name=business_id,
            value=business_id,
            enabled=True,
            description="Counts the requests of an inventory business; no secret.",
        )
        return key["id"]


def businesses(tables: DynamoDBClient, access_table: str) -> set[str]:
    """Return every business that a token names, also a revoked or expired one: another token may follow."""
    pages = tables.get_paginator("scan").paginate(
        TableName=access_table, ProjectionExpression="business_ids", ConsistentRead=True
    )
    items = (item for page in pages for item in page["Items"])
    return {business["S"] for item in items for business in item["business_ids"]["L"]}


@click.command("api-keys", cls=Command, interrupted_means="run it again for the rest.")
@click.option("--stack", metavar="NAME", help="A stack in AWS, reached with your own credentials; it must be named.")
def api_keys(stack: str | None) -> int:
    """Give each business that has a token its key in the usage plan."""
    if not stack:
        raise CommandError("which stack? for example: make api-keys STACK=inventory-adjustments-prod")
    aws = Aws(config=_CONFIG)
    found = Stack(stack, aws)
    plan = UsagePlan(aws.apigateway(), _physical_id(found, "UsagePlan"))
    known = businesses(aws.dynamodb(), _physical_id(found, "AccessTable"))
    for business_id in plan.admit(known):
        click.echo(f"admitted {business_id}")
    click.echo(f"All businesses that have a token have a key in the usage plan: {len(known)}.")
    return 0


def _physical_id(stack: Stack, logical_id: str) -> str:
    try:
        return stack.physical_id(logical_id)
    except ClientError as error:
        raise CommandError(
            f"{stack.name} has no {logical_id}: is BusinessRequestsPerSecond set?"
            f" ({error.response['Error'].get('Message')})"
        ) from None
