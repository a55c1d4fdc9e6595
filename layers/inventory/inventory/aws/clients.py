"""The AWS clients: time-outs that fit into an invocation, one attempt a call, and what their failures mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from botocore import handlers
from botocore.config import Config
from botocore.exceptions import (
    ChecksumError,
)

from inventory.aws.fast_session import USER_AGENT, make_client
from inventory.aws.snapstart import close_after_restore
from inventory.domain.retry_budget import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

_RECURSION_HEADER: Final = getattr(handlers, "add_recursion_detection_header", None)


def dynamodb_client(endpoint_url: str | None) -> DynamoDBClient:
    """Make the client of the tables; ``endpoint_url`` is None for AWS itself."""
    # The SDK's own look at each attribute of a transaction costs more than all else of a row; the engine looks too.
    config = _config().merge(Config(parameter_validation=False))
    client: DynamoDBClient = make_client("dynamodb", endpoint_url=endpoint_url, config=config)
    client.meta.events.register("before-parse.dynamodb", _require_whole_body)
    # A header by which Lambda finds functions that invoke each other without end. The tables invoke nothing by it.
    client.meta.events.unregister("before-call", _RECURSION_HEADER)
    close_after_restore(client)
    return client


def events_client() -> EventBridgeClient:
    """Make the client of the event bus."""
    client: EventBridgeClient = make_client("events", config=_config())
    return client


def queues_client() -> SQSClient:
    """Make the client of the queues."""
    client: SQSClient = make_client("sqs", config=_config())
    return client


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

    Without this it would read a truncated error as an error without a name, and believe a corrupted quantity.
    """
    expected = response_dict["headers"].get("x-amz-crc32")
    actual = str(crc32(response_dict["body"]))
    if expected is not None and expected != actual:
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=actual)
