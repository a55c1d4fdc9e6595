"""`make api-keys`: every business that has a token gets one key in the plan, however often it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from ops.api_keys import UsagePlan, businesses
from ops.aws import EmulatedAws
from ops.command_line import main
from tests.support.builders.ids import BUSINESS

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def gateway(endpoint_url: str) -> APIGatewayClient:
    return EmulatedAws(endpoint_url).apigateway()


@pytest.fixture
def plan(gateway: APIGatewayClient) -> UsagePlan:
    return UsagePlan(gateway, gateway.create_usage_plan(name="plan")["id"])


def admitted(plan: UsagePlan) -> dict[str, str]:
    """The plan's keys: name and value."""
    keys = plan.gateway.get_usage_plan_keys(usagePlanId=plan.plan_id)["items"]
    return {key["name"]: plan.gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"] for key in keys}


def test_each_business_gets_a_key_whose_value_is_its_id(plan: UsagePlan) -> None:
    ids = {str(uuid4()), str(uuid4())}

    assert plan.admit(ids) == sorted(ids)

    assert admitted(plan) == {each: each for each in ids}


def test_a_second_run_adds_only_the_missing_businesses(plan: UsagePlan) -> None:
    old, new = str(uuid4()), str(uuid4())
    plan.admit({old})

    assert plan.admit({old, new}) == [new]
    assert plan.admit({old, new}) == []

    assert admitted(plan) == {old: old, new: new}


def test_a_key_that_another_stack_made_for_the_business_is_used(plan: UsagePlan, gateway: APIGatewayClient) -> None:
    business = str(uuid4())
    other = UsagePlan(gateway, gateway.create_usage_plan(name="of another stage")["id"])
    other.admit({business})

    plan.admit({business})

    (key,) = gateway.get_api_keys(nameQuery=business)["items"]
    assert {each["id"] for each in gateway.get_usage_plan_keys(usagePlanId=plan.plan_id)["items"]} == {key["id"]}


def test_a_run_interrupted_between_key_and_plan_is_completed_by_the_next(
    plan: UsagePlan, gateway: APIGatewayClient
) -> None:
    business = str(uuid4())
    gateway.create_api_key(name=business, value=business, enabled=True)

    assert plan.admit({business}) == [business]

    assert admitted(plan) == {business: business}
    assert len(gateway.get_api_keys(nameQuery=business)["items"]) == 1


def test_a_keys_value_is_valid_for_api_gateway() -> None:
    assert 20 <= len(str(BUSINESS)) <= 128


def test_the_businesses_are_read_from_the_tokens(onlooker: DynamoDBClient) -> None:
    table = str(uuid4())
    onlooker.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    for token, named in {"a": ["1", "2"], "b": ["2", "3"]}.items():
        ids = {"L": [{"S": each} for each in named]}
        onlooker.put_item(TableName=table, Item={"pk": {"S": f"TOKEN#{token}"}, "business_ids": ids})

    assert businesses(onlooker, table) == {"1", "2", "3"}


def test_a_stack_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api-keys"]) == 1
    assert "which stack?" in capsys.readouterr().err


def test_a_stack_without_a_plan_is_reported(
    endpoint_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    assert main(["api-keys", "--stack=nobody"]) == 1
    assert "is BusinessRequestsPerSecond set?" in capsys.readouterr().err
