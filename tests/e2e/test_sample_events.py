"""Every sample in events/ works on the demo data, with the function whose name it begins with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ops.aws import EmulatedAws
from ops.local_stack import STACK_NAME
from tests.e2e.inbox import wait_until
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Service

SAMPLES = {path.stem: path for path in sorted((PROJECT_ROOT / "events").glob("*.json"))}
FUNCTIONS = {
    "audit-ledger": "AuditLedgerFunction",
    "authorizer": "AuthorizerFunction",
    "create-adjustment": "CreateAdjustmentFunction",
    "describe-api": "DescribeApiFunction",
    "ingest-adjustments": "IngestAdjustmentsFunction",
    "provision": "ProvisionFunction",
    "publish-adjustments": "PublishAdjustmentsFunction",
    "read-inventory": "ReadInventoryFunction",
    "reverse-adjustment": "ReverseAdjustmentFunction",
}
# Tokens can't be written into a file beforehand, so these two name ones that do not exist.
REFUSED = {"authorizer": "AuthorizerError", "provision-revoke-token": "TokenNotFound"}


def function_of(sample: str) -> str:
    (function,) = [function for prefix, function in FUNCTIONS.items() if sample.startswith(prefix)]
    return function


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_event_works_on_the_demo_data(sample: str, local_stack: LocalStack, service: Service) -> None:
    stack = EmulatedAws(f"http://127.0.0.1:{local_stack.port}").cloudformation()
    resource = stack.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=function_of(sample))
    name = resource["StackResourceDetail"]["PhysicalResourceId"]

    def invoke() -> dict[str, Any]:
        reply = service.functions.invoke(FunctionName=name, Payload=SAMPLES[sample].read_bytes())
        answered: dict[str, Any] = json.loads(reply["Payload"].read())
        return answered

    answer = invoke()
    assert answer.get("errorType") == REFUSED.get(sample), answer
    if sample in {"create-adjustment-api", "reverse-adjustment-api"}:
        assert answer["statusCode"] == 201
    if sample == "read-inventory-export":
        # An export ends where the ledger is settled, a minute ago, and the demo data can be younger.
        wait_until(lambda: invoke()["rows"])
    elif sample.startswith("read-inventory"):
        assert answer["statusCode"] == 200
        assert "[]" not in answer["body"], "the demo data has something to read"
    if sample in {"ingest-adjustments", "publish-adjustments"}:
        assert answer == {"batchItemFailures": []}


def test_every_function_has_a_sample() -> None:
    assert {function_of(sample) for sample in SAMPLES} == set(FUNCTIONS.values())
