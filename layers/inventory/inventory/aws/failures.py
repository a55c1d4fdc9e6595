"""What a failed call to AWS means: worth repeating, or a bug."""

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


def require_complete(reply: Mapping[str, object]) -> None:
    """Refuse a reply that was damaged on its way: it can arrive as ``{}``, without an error.

    The consumed capacity, which every call must have asked for, is the member that each whole reply has.
    """
    if "ConsumedCapacity" not in reply:
        raise StoreUnavailable


@contextmanager
def translated_failures() -> Iterator[None]:
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
