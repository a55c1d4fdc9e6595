"""The AWS clients: time-outs that fit into an invocation, one attempt a call, and what their failures mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)
from botocore.parsers import ResponseParserError

from inventory.errors import StoreUnavailable
from inventory.restore import closed_after_restore
from inventory.sdk import USER_AGENT, quick_session
from inventory.tries import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

_PASSING_CODES: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
CONDITION_FAILED: Final = "ConditionalCheckFailed"
PASSING_REASONS: Final = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Of the reasons for a cancelled transaction, those that may be gone when it is repeated. The SDK repeats none."""

_HTTP_SERVER_ERROR: Final = 500
_NO_REPLY: Final = (ChecksumError, NoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)


def dynamodb_client(endpoint_url: str | None) -> DynamoDBClient:
    """Make the client of the tables; ``endpoint_url`` is None for AWS itself."""
    # The SDK's own look at each attribute of a transaction costs more than all else of a row; the engine looks too.
    config = _config().merge(Config(parameter_validation=False))
    client = quick_session().client("dynamodb", endpoint_url=endpoint_url, config=config)
    client.meta.events.register("before-parse.dynamodb", _require_whole_body)
    closed_after_restore(client)
    return client


def events_client() -> EventBridgeClient:
    """Make the client of the event bus."""
    return quick_session().client("events", config=_config())


def queues_client() -> SQSClient:
    """Make the client of the queues."""
    return quick_session().client("sqs", config=_config())


def _config() -> Config:
    """Make the SDK try once a call: retries belong to those who know the invocation's remaining time.

    For the tables that is the one loop that looks at the ledger before it writes again.
    """
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent=USER_AGENT,
    )


def _require_whole_body(response_dict: dict[str, Any], **_: object) -> None:
    """Compare a reply with its checksum, which the SDK does in its old retry mode only.

    It takes a refusal that was cut off for an error without a name, and what was bent on its way for the truth.
    """
    expected = response_dict["headers"].get("x-amz-crc32")
    actual = str(crc32(response_dict["body"]))
    if expected is not None and expected != actual:
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=actual)


def require_whole(reply: Mapping[str, object]) -> None:
    """Refuse a reply that was damaged on its way: it can arrive as ``{}``, without an error.

    The consumed capacity, which every call must have asked for, is the member that each whole reply has.
    """
    if "ConsumedCapacity" not in reply:
        raise StoreUnavailable


@contextmanager
def faults_as_unavailable() -> Iterator[None]:
    """Turn what may pass when a call is repeated into ``StoreUnavailable``; anything else is a bug and goes on.

    Passing are throttling, the service's own faults, and every way of not getting a whole reply. After a write that
    says nothing about whether it was applied.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        if not _is_passing(error):
            raise
        raise StoreUnavailable from error


def _is_passing(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response.get("Error", {}).get("Code") in _PASSING_CODES or status >= _HTTP_SERVER_ERROR
    return isinstance(error, _NO_REPLY)
