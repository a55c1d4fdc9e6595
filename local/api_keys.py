"""The command behind `make api-keys`: an API key in the usage plan for each business that has a token."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.command import Parser, run
from local.errors import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_cloudformation import CloudFormationClient
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
    """Every business that a token names, be it revoked or expired: another one may follow."""
    pages = tables.get_paginator("scan").paginate(
        TableName=access_table, ProjectionExpression="business_ids", ConsistentRead=True
    )
    items = (item for page in pages for item in page["Items"])
    return {business["S"] for item in items for business in item["business_ids"]["L"]}


def _physical_id(stacks: CloudFormationClient, stack: str, logical_id: str) -> str:
    try:
        found = stacks.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    except ClientError as error:
        raise LocalStackError(
            f"{stack} has no {logical_id}: is BusinessRequestsPerSecond set? ({error.response['Error'].get('Message')})"
        ) from None
    return found["StackResourceDetail"]["PhysicalResourceId"]


def _carry_out(arguments: Sequence[str] | None) -> int:
    parser = Parser(prog="python -m local.api_keys", description=__doc__)
    parser.add_argument("--stack")
    stack = parser.parse(arguments).stack
    if stack is None:
        raise LocalStackError("which stack? for example: make api-keys STACK=inventory-adjustments-prod")
    session = boto3.Session()
    stacks = session.client("cloudformation")
    plan = UsagePlan(session.client("apigateway", config=_CONFIG), _physical_id(stacks, stack, "UsagePlan"))
    known = businesses(session.client("dynamodb"), _physical_id(stacks, stack, "AccessTable"))
    for business_id in plan.admit(known):
        print(f"admitted {business_id}")
    print(f"All businesses that have a token have a key in the usage plan: {len(known)}.")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run(partial(_carry_out, arguments), failed=1, interrupted_means="run it again for the rest.")


if __name__ == "__main__":
    sys.exit(main())
