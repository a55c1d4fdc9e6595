"""Direct invocation: payload to command, and refusals as errors that the invoker can tell apart."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidRequest
from inventory.entrypoints.responses import ERROR_ANSWERS, detail_without_input
from inventory.schemas.adjustments import DirectAdjustmentRequest
from inventory.schemas.base import validated

if TYPE_CHECKING:
    from inventory.domain.errors import ServiceError
    from inventory.domain.model import Command

DIRECT_ACTOR: Final = "direct-invocation"
"""``created_by`` of an adjustment whose invoker named no actor: IAM decided that it may invoke, and says no more."""

DIRECT_ENTRIES_SIZE_MAX_BYTES: Final = 32 * 1024
"""Of what is told of one invalid payload, some 300 unknown fields: it may have to go into a dead end or an event beside
the request, and a batch of the queue may hold a thousand of them."""

MASKED: Final = "dz_***"

_TO_MASK: Final = r"dz_[0-9A-Za-z]{8,}"
"""A token, or what is left of one in a field's name that was cut short."""


def adjustment_command(payload: object, *, default_key: str, default_actor: str = DIRECT_ACTOR) -> Command:
    """Translate a payload; ``default_key`` and ``default_actor`` serve where it names none.

    The key must be the same whenever the same request is delivered again.

    Raises:
        InvalidRequest: where the payload breaks ``DirectAdjustmentRequest``.
    """
    request = validated(DirectAdjustmentRequest, payload, entries_size_max_bytes=DIRECT_ENTRIES_SIZE_MAX_BYTES)
    return request.command(
        business_id=request.business_id,
        actor=request.actor or default_actor,
        idempotency_key=request.idempotency_key or default_key,
    )


def raised(error: ServiceError) -> Exception:
    """Make the exception to raise: Lambda answers its class name as ``errorType`` and its text as ``errorMessage``.

    The text is the JSON of HTTP's ``detail``, but for what must not be in a log, as Lambda logs what a function raises:
    it is without ``input``, and what looks like a token is masked. Of what the caller sent it still holds, in ``loc``,
    the names of fields that the service does not know, which the caller needs to find them.
    """
    kind: type[Exception] = type(error_type(error), (Exception,), {})
    return kind(re.sub(_TO_MASK, MASKED, json.dumps(detail_without_input(error))))


def error_type(error: ServiceError) -> str:
    """What callers without HTTP tell errors apart by: the code in CamelCase, which is the class's own name.

    It is ``InvalidRequest`` for all that HTTP answers with 422.
    """
    invalid = ERROR_ANSWERS[type(error)].status == HTTPStatus.UNPROCESSABLE_ENTITY
    return InvalidRequest.__name__ if invalid else type(error).__name__
