"""Calls of AWS with their answers, as the SDK's own client and the one that starts quickly send and read them.

Needs nothing but the SDK and the service's package, so that it runs under SDKs that are not this project's.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError

from inventory.aws.fast_session import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest

CALLS: Final[dict[str, Callable[[Any], object]]] = {
    "dynamodb": lambda client: client.batch_get_item(
        RequestItems={"a": {"Keys": [{"pk": {"S": "1"}}], "ConsistentRead": True}}
    ),
    "events": lambda client: client.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}]),
    "sqs": lambda client: client.send_message(QueueUrl="https://queue.test/1/name", MessageBody="body"),
}
"""A call of each service."""

ITEM: Final = {
    "pk": {"S": "é"},
    "n": {"N": "-1"},
    "b": {"BOOL": True},
    "l": {"L": [{"S": "x"}, {"NULL": True}]},
    "m": {"M": {"x": {"N": "1.50"}, "y": {"M": {}}}},
    "s": {"SS": ["a", "b"]},
}
BINARY: Final = {"d": {"B": b"\x00\xff"}}
"""The attribute of an API token: only operations on one item each, in the access table, send and receive it."""

KEY: Final = {"pk": {"S": "é"}}
DYNAMODB_CALLS: Final[dict[str, dict[str, object]]] = {
    "batch_get_item": {"RequestItems": {"t": {"Keys": [KEY], "ConsistentRead": True, "ProjectionExpression": "pk"}}},
    "get_item": {"TableName": "t", "Key": KEY, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"},
    "put_item": {
        "TableName": "t",
        "Item": ITEM | BINARY,
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    },
    "query": {
        "TableName": "t",
        "IndexName": "index",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "é"}, ":list": {"L": [{"N": "1"}]}},
        "ScanIndexForward": False,
        "Limit": 3,
        "ExclusiveStartKey": KEY,
    },
    "scan": {"TableName": "t", "Segment": 1, "TotalSegments": 2, "ConsistentRead": True, "ExclusiveStartKey": KEY},
    "transact_get_items": {"TransactItems": [{"Get": {"TableName": "t", "Key": KEY}}]},
    "transact_write_items": {
        "TransactItems": [
            {
                "Update": {
                    "TableName": "t",
                    "Key": KEY,
                    "UpdateExpression": "SET #a = :a",
                    "ConditionExpression": "#a = :b",
                    "ExpressionAttributeNames": {"#a": "a"},
                    "ExpressionAttributeValues": {":a": {"N": "1"}, ":b": {"S": "\ud83d\ude00\u2028"}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {"ConditionCheck": {"TableName": "t", "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}},
            {"Put": {"TableName": "t", "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}},
        ],
        "ClientRequestToken": "token",
        "ReturnConsumedCapacity": "TOTAL",
    },
    "update_item": {
        "TableName": "t",
        "Key": KEY,
        "UpdateExpression": "SET a = :a",
        "ExpressionAttributeValues": {":a": BINARY["d"]},
        "ReturnValues": "ALL_NEW",
    },
}
CAPACITY: Final = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 2.5}}
WITH_BINARY: Final = ITEM | {"d": {"B": "AP8="}}
REPLIES: Final[dict[str, dict[str, object]]] = {
    "batch_get_item": {
        "Responses": {"t": [ITEM, KEY, {}]},
        "UnprocessedKeys": {"t": {"Keys": [KEY], "ConsistentRead": True, "AttributesToGet": None}},
        "ConsumedCapacity": [CAPACITY["ConsumedCapacity"]],
    },
    "get_item": {"Item": WITH_BINARY, **CAPACITY},
    "put_item": {"Attributes": WITH_BINARY, **CAPACITY},
    "query": {"Items": [ITEM, {}], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": KEY, **CAPACITY},
    "scan": {"Items": [ITEM], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": None, **CAPACITY},
    "transact_get_items": {"Responses": [{"Item": ITEM}, {}, None, {"Item": None}], "NewMember": 1},
    "transact_write_items": {"ConsumedCapacity": [CAPACITY["ConsumedCapacity"]], "ItemCollectionMetrics": {}},
    "update_item": {"Attributes": WITH_BINARY},
}
CANCELLED: Final[dict[str, object]] = {
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "Message": "Transaction cancelled",
    "CancellationReasons": [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": ITEM},
        {"Code": "TransactionConflict", "Message": None, "Item": None},
    ],
}


@contextmanager
def answered(client: Any, answer: bytes, status: int = 200) -> Iterator[list[AWSPreparedRequest]]:
    """Answer a client's calls at the wire meanwhile; the list has what was sent."""
    sent: list[AWSPreparedRequest] = []

    def answer_it(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url or "", status, HTTPHeaders(), _Body(answer))

    client.meta.events.register("before-send", answer_it)
    try:
        yield sent
    finally:
        client.meta.events.unregister("before-send", answer_it)


def sent_by(client: Any, call: Callable[[Any], object], answer: bytes = b"{}") -> AWSPreparedRequest:
    """What a call would send."""
    with answered(client, answer) as sent:
        call(client)
    (request,) = sent
    return request


def told_to(client: Any, operation: str, answer: dict[str, object], status: int = 200) -> dict[str, Any]:
    """What a caller gets of an answer, or of the error that it is."""
    with answered(client, json.dumps(answer).encode(), status):
        try:
            reply: dict[str, Any] = getattr(client, operation)(**DYNAMODB_CALLS[operation])
        except ClientError as error:
            return cast("dict[str, Any]", error.response)
    return reply


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> list[bytes]:
        return [self._content]


def signed_for(request: AWSPreparedRequest) -> str:
    """Region and service of the signature."""
    authorization = request.headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    _, _, region, service, _ = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return f"{region}/{service}"


# ------------------------------------------------------------------------------------------- all that can be compared

REGIONS: Final = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-west-9")
"""Some of each partition, and one that no SDK knows yet."""

OTHER_CALLS: Final[dict[str, tuple[str, dict[str, object], dict[str, object]]]] = {
    "events": (
        "put_events",
        {"Entries": [{"EventBusName": "bus", "Source": "s", "DetailType": "t", "Detail": '{"a": "é"}'}]},
        {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]},
    ),
    "sqs": (
        "send_message",
        {"QueueUrl": "https://queue.test/1/name", "MessageBody": "é"},
        {"MessageId": "1", "MD5OfMessageBody": "made up"},
    ),
}
"""The one call of each other service, with an answer."""


def _error(code: str, **members: object) -> dict[str, object]:
    return {"__type": code, "message": "made up", **members}


ERRORS: Final[dict[str, tuple[int, dict[str, object]]]] = {
    "cancelled": (400, CANCELLED),
    "condition": (400, _error("ConditionalCheckFailedException", Item=ITEM)),
    "throughput": (400, _error("ProvisionedThroughputExceededException")),
    "throttling": (400, _error("ThrottlingException")),
    "conflict": (400, _error("TransactionConflictException")),
    "in progress": (400, _error("TransactionInProgressException")),
    "mismatch": (400, _error("IdempotentParameterMismatchException")),
    "no table": (400, _error("ResourceNotFoundException")),
    "no queue": (400, _error("com.amazonaws.sqs#QueueDoesNotExist")),
    "denied": (400, _error("AccessDeniedException")),
    "validation": (400, _error("com.amazon.coral.validate#ValidationException")),
    "broken": (500, _error("InternalServerError")),
    "unavailable": (503, {}),
    "unknown": (400, _error("SomethingNewException", New=1)),
}
"""Status and body of what a service can answer, whatever was asked."""


CAUGHT: Final = ("ConditionalCheckFailedException", "TransactionCanceledException")
"""The classes of errors that the service catches; it knows all others by their code."""

READ_OF_AN_ERROR: Final = ("Error", "CancellationReasons", "Item")
"""What the service reads of one."""


def exchanges(*, quick: bool) -> dict[str, Any]:
    """What is sent to each Region and read of each answer, by clients that start quickly or by the SDK's own."""
    return {
        "sent": {
            f"{region} {call.method}": _sent(call, region, quick=quick) for region in REGIONS for call in _calls()
        },
        "read": {call.method: _read(call, 200, call.answer, quick=quick) for call in _calls()},
        "errors": {
            f"{name}, {call.method}": _read(call, *ERRORS[name], quick=quick) for name in ERRORS for call in _calls()
        },
    }


class _Call(NamedTuple):
    service: str
    method: str
    arguments: dict[str, object]
    answer: dict[str, object]


def _calls() -> Iterator[_Call]:
    for method, arguments in DYNAMODB_CALLS.items():
        yield _Call("dynamodb", method, arguments, REPLIES[method])
    for service, call in OTHER_CALLS.items():
        yield _Call(service, *call)


@cache
def _client(service: str, region: str, *, quick: bool) -> Any:
    # As the service's clients, but for what they look at themselves.
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=False)
    make: Any = make_client if quick else boto3.Session().client
    return make(service, region_name=region, config=config)


def _sent(call: _Call, region: str, *, quick: bool) -> list[str]:
    """Method, address, body, and those headers that don't name the moment."""
    client = _client(call.service, region, quick=quick)
    with answered(client, json.dumps(call.answer).encode()) as sent:
        getattr(client, call.method)(**call.arguments)
    (request,) = sent
    headers = [request.headers[name] for name in ("X-Amz-Target", "Content-Type")]
    return [*map(_text, (request.method, request.url, request.body, *headers)), signed_for(request)]


def _read(call: _Call, status: int, answer: dict[str, object], *, quick: bool) -> Any:
    """What the caller gets: a reply, or what the service reads of an error."""
    client = _client(call.service, REGIONS[0], quick=quick)
    with answered(client, json.dumps(answer).encode(), status):
        try:
            reply: Any = getattr(client, call.method)(**call.arguments)
        except ClientError as error:
            caught = [name for name in CAUGHT if isinstance(error, getattr(client.exceptions, name, ()))]
            reply = {name: error.response.get(name) for name in READ_OF_AN_ERROR}
            reply |= {"caught as": caught, "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
        else:
            del reply["ResponseMetadata"]
    return json.loads(json.dumps(reply, default=bytes.hex))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
