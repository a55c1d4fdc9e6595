"""What a failed call to AWS means: a transient failure, which is worth repeating, or a bug."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

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

from inventory.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRANSIENT_CODES: Final = frozenset(
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

TRANSIENT_REASONS: Final = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons for a cancelled transaction that may be gone when it is repeated. The SDK does not repeat it."""

TRANSIENT_EVENT_CODES: Final = frozenset({"InternalFailure", "ThrottlingException"})
"""Error codes of one event of a PutEvents that may be gone when the event is put again."""

_HTTP_SERVER_ERROR: Final = 500
_NO_REPLY: Final = (ChecksumError, NoConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError)


def require_complete(reply: Mapping[str, object]) -> None:
    """Raise ``StoreUnavailable`` for a damaged reply, which can arrive as ``{}`` and without an error.

    Each complete reply contains the consumed capacity, as long as the call asked for it; so every call must.
    """
    if "ConsumedCapacity" not in reply:
        raise StoreUnavailable


@contextmanager
def translated_failures() -> Iterator[None]:
    """Turn a transient failure into ``StoreUnavailable``; any other one is a bug and goes on.

    Throttling, faults of the AWS service and incomplete replies are transient. After such a failure of a write, it is
    unknown whether the write was applied.
    """
    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        if not _is_transient(error):
            raise
        raise StoreUnavailable from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response.get("Error", {}).get("Code") in _TRANSIENT_CODES or status >= _HTTP_SERVER_ERROR
    return isinstance(error, _NO_REPLY)
