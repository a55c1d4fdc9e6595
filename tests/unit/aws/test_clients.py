"""The clients of AWS: their budget fits into an invocation, and they try once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from botocore.exceptions import ChecksumError, ClientError

from inventory.aws.clients import dynamodb_client, events_client, queues_client
from inventory.aws.failures import translated_failures
from inventory.aws.fast_session import USER_AGENT
from inventory.domain.errors import StoreUnavailable
from inventory.domain.retry_budget import CALL_BUDGET_S, CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from tests.support.faults.wire import Wire, fault, reply
from tests.support.harness.stores import StoreOnTables
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSResponse

    from tests.support.faults.wire import Reply

GATEWAY_TIMEOUT_S = 29


@pytest.mark.parametrize(
    "client", [lambda: dynamodb_client(None), events_client, queues_client], ids=["tables", "bus", "queues"]
)
def test_each_client_has_its_time_outs_and_one_attempt(client: Callable[[], Any]) -> None:
    config = client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S) == (1, 2)
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.user_agent.startswith(USER_AGENT)


@pytest.mark.parametrize(
    ("client", "event"),
    [
        (lambda: dynamodb_client(None), "dynamodb.Query"),
        (events_client, "eventbridge.PutEvents"),
        (queues_client, "sqs.S"),
    ],
    ids=["tables", "bus", "queues"],
)
def test_no_client_is_asked_after_a_call_whether_to_try_again(client: Callable[[], Any], event: str) -> None:
    emitter = client().meta.events._emitter

    assert list(emitter._handlers.prefix_search(f"needs-retry.{event}")) == []


def test_the_client_does_not_validate_parameters_because_the_tables_do() -> None:
    client = dynamodb_client(None)
    wire = Wire(client, "GetItem", reply({}))

    client.get_item(TableName="table", Key={"pk": {"N": 5}})

    assert wire.calls == 1


def test_the_tables_connections_are_closed_after_a_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Callable[[], None]] = []
    monkeypatch.setattr("inventory.aws.snapstart.register_after_restore", closed.append)

    client = dynamodb_client(None)

    assert closed == [client.close]


def test_the_client_goes_to_the_given_address_or_to_aws() -> None:
    assert dynamodb_client("http://127.0.0.1:4566").meta.endpoint_url == "http://127.0.0.1:4566"
    assert dynamodb_client(None).meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com"


def test_two_calls_at_their_time_outs_fit_into_an_invocation_and_the_gateways_time_out() -> None:
    timeout_s = load_template()["Globals"]["Function"]["Timeout"]

    assert 2 * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) < timeout_s < GATEWAY_TIMEOUT_S
    assert timeout_s > 2 * CALL_BUDGET_S


def test_no_function_behind_the_api_has_a_time_out_of_its_own() -> None:
    resources = load_template()["Resources"].values()
    functions = [each["Properties"] for each in resources if each["Type"] == "AWS::Serverless::Function"]
    behind_the_api = [
        each for each in functions if any(event["Type"] == "Api" for event in each.get("Events", {}).values())
    ]

    assert behind_the_api
    assert [each for each in behind_the_api if "Timeout" in each] == []


def met_on_load(met: Reply) -> StoreOnTables:
    made = StoreOnTables()
    made.tables.meets("BatchGetItem", met)
    return made


def with_checksum(answer: AWSResponse, checksum: int) -> AWSResponse:
    answer.headers["x-amz-crc32"] = str(checksum)
    return answer


def body_of(answer: AWSResponse) -> bytes:
    body: bytes = answer.raw.getvalue()
    return body


@pytest.mark.parametrize(
    "answer", [fault("AccessDeniedException"), fault("ThrottlingException")], ids=["a fault", "throttled"]
)
def test_a_response_with_a_wrong_checksum_is_no_answer(answer: AWSResponse) -> None:
    corrupted = with_checksum(answer, crc32(body_of(answer)) ^ 1)

    with pytest.raises(StoreUnavailable) as unknown:
        met_on_load(corrupted).load()

    cause = unknown.value.__cause__
    assert isinstance(cause, ChecksumError)
    checksum = crc32(body_of(answer))
    assert cause.kwargs == {
        "checksum_type": "crc32",
        "expected_checksum": str(checksum ^ 1),
        "actual_checksum": str(checksum),
    }


@pytest.mark.parametrize(
    "code",
    [
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    ],
)
def test_a_transient_error_is_recognized_by_its_code_alone(code: str) -> None:
    with pytest.raises(StoreUnavailable), translated_failures():
        raise ClientError({"Error": {"Code": code}}, "TransactWriteItems")


@pytest.mark.parametrize(
    "response",
    [{}, {"Error": {}, "ResponseMetadata": {}}, {"Error": {"Code": "ThrottlingOfAnotherKind"}}],
    ids=["nothing", "no code", "a code"],
)
def test_any_other_error_is_a_fault(response: Any) -> None:
    with pytest.raises(ClientError), translated_failures():
        raise ClientError(response, "TransactWriteItems")


def test_a_response_with_the_right_checksum_is_an_answer() -> None:
    answer = reply({"Responses": {}, "UnprocessedKeys": {}})

    assert met_on_load(with_checksum(answer, crc32(body_of(answer)))).load().business is None
