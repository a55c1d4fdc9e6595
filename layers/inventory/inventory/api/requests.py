"""API Gateway's proxy events (payload format 1.0) as requests: who calls, and what for."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict, TypeIs
from uuid import UUID

from inventory.api.headers import HeaderEvent, has_headers, header, is_text_by_name, is_texts_by_name
from inventory.domain.errors import Forbidden, InvalidRequest, Unauthorized, ValidationEntry
from inventory.domain.model import Reversal
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import parse_uuid
from inventory.schemas.adjustments import AdjustmentRequest, ReversalRequest
from inventory.schemas.base import RequestModel, validated
from inventory.schemas.fields import LABEL_LENGTH_MAX, adjustment_id_entries, idempotency_key_entries
from inventory.schemas.json_parser import InvalidJSON, JSONValue, parse_json
from inventory.schemas.problems import entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inventory.domain.api_tokens import Scope
    from inventory.domain.model import Command

_GATEWAY_SETS: Final = {"httpMethod", "path", "requestContext", "resource"}

_REPLACEMENT_CHARACTER: Final = "\ufffd"


class RequestContext(TypedDict):
    """What API Gateway says of a request; ``authorizer`` is the context that our authorizer returned."""

    authorizer: NotRequired[dict[str, object] | None]
    requestId: NotRequired[object]


class ApiEvent(HeaderEvent):
    """A proxy event (payload format 1.0), as far as it is read here."""

    requestContext: RequestContext
    resource: str
    pathParameters: NotRequired[dict[str, str] | None]
    queryStringParameters: NotRequired[dict[str, str] | None]
    multiValueQueryStringParameters: NotRequired[dict[str, list[str]] | None]
    body: NotRequired[str | None]
    isBase64Encoded: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as the authorizer found, and for which business."""

    business_id: UUID
    subject: str


def is_api_event(event: object) -> TypeIs[ApiEvent]:
    """Tell an API event from a direct payload by what the gateway always sets, all of it, and no body can.

    What is read of it must be of the gateway's types too: whoever may invoke the function can send anything.
    """
    return (
        isinstance(event, dict)
        and event.keys() >= _GATEWAY_SETS
        and isinstance(event["requestContext"], dict)
        and isinstance(event["resource"], str)
        and has_headers(event)
        and is_text_by_name(event.get("pathParameters"))
        and is_text_by_name(event.get("queryStringParameters"))
        and is_texts_by_name(event.get("multiValueQueryStringParameters"))
        and isinstance(event.get("body"), str | None)
        and isinstance(event.get("isBase64Encoded", False), bool)
    )


def gateway_request_id(event: ApiEvent) -> str | None:
    """The gateway's own id of a request, which is a UUID; None for any other text.

    It is logged: whoever may invoke the function can make up an event, and a log line is no place for what he likes.
    """
    told = event["requestContext"].get("requestId")
    return told if isinstance(told, str) and parse_uuid(told) is not None else None


def authenticated_caller(event: ApiEvent, *, scope: Scope | None, clock: Callable[[], datetime]) -> Caller:
    """Read the authorizer's context, and check the tenant and the scope once more.

    Raises:
        Unauthorized: there is no context, or no ``x-business-id``: the request did not pass the authorizer. Or the
            token has expired since the authorizer saw it: the gateway remembers what it said.
        Forbidden: the context is for another business than the header, lacks the scope, or is none of ours.
    """
    context = event["requestContext"].get("authorizer")
    named = header(event, "x-business-id")
    if not isinstance(context, dict) or not context or named is None:
        raise Unauthorized
    # Our instants sort as texts as they do in time. A token that never expires has none.
    if "expires_at" in context and _text(context, "expires_at") <= instant_text(clock()):
        raise Unauthorized
    told, subject, scopes = (_text(context, name) for name in ("business_id", "subject", "scopes"))
    business_id = parse_uuid(told)
    if business_id is None or parse_uuid(named) != business_id or scope not in scopes.split():
        raise Forbidden
    if not _is_subject(subject):
        raise Forbidden
    return Caller(business_id=business_id, subject=subject)


def _text(context: dict[str, object], name: str) -> str:
    """A text of the context, where others may be numbers; "" where there is none."""
    value = context.get(name)
    return value if isinstance(value, str) else ""


def _is_subject(text: str) -> bool:
    """Whether a token can have this subject: then it can be stored."""
    return 0 < len(text) <= LABEL_LENGTH_MAX and text.isprintable()


def adjustment_command(event: ApiEvent, caller: Caller) -> Command:
    """Translate a creation.

    Raises:
        InvalidRequest: with the errors of the ``Idempotency-Key`` header, then those of the body.
    """
    key, problems = _idempotency_key(event)
    request = _valid_body(event, AdjustmentRequest, problems)
    return request.command(business_id=caller.business_id, actor=caller.subject, idempotency_key=key)


def reversal(event: ApiEvent, caller: Caller) -> Reversal:
    """Translate a reversal.

    Raises:
        InvalidRequest: with the errors of the path, then of the ``Idempotency-Key`` header, then those of the body,
            which is FastAPI's order.
    """
    # The gateway has decoded what was percent-encoded in the path.
    adjustment_id = (event.get("pathParameters") or {}).get("id", "")
    key, problems = _idempotency_key(event)
    request = _valid_body(event, ReversalRequest, adjustment_id_entries(adjustment_id) + problems)
    return Reversal(
        business_id=caller.business_id,
        adjustment_id=UUID(adjustment_id),
        reason=request.reason,
        actor=caller.subject,
        idempotency_key=key,
    )


def _idempotency_key(event: ApiEvent) -> tuple[str | None, list[ValidationEntry]]:
    """The header's value, None where it is absent, and what is wrong with it."""
    key = header(event, "idempotency-key")
    return key, [] if key is None else idempotency_key_entries(key)


def _valid_body[R: RequestModel](event: ApiEvent, model: type[R], others: list[ValidationEntry]) -> R:
    """Validate the body. ``others`` are the problems of the rest of the request: they come first, and are told of too.

    Raises:
        InvalidRequest: where anything is wrong with the request.
    """
    try:
        request = validated(model, _json_body(event))
    except InvalidRequest as error:
        raise InvalidRequest(others + error.entries) from None
    if others:
        raise InvalidRequest(others)
    return request


def _json_body(event: ApiEvent) -> JSONValue:
    """Decode and parse the body, whatever ``Content-Type`` says."""
    body = event.get("body") or ""
    try:
        raw = _raw_body(body, encoded=event.get("isBase64Encoded", False))
        if not raw:
            raise InvalidRequest([entry(["body"], "missing", "Field required", given=None)])
        return parse_json(raw)
    except InvalidJSON as error:
        reason = {"error": error.message}
        raise InvalidRequest(
            [entry(["body", error.position], "json_invalid", "JSON decode error", given={}, ctx=reason)]
        ) from None


def _raw_body(body: str, *, encoded: bool) -> bytes:
    if encoded:
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidJSON("Invalid base64", 0) from None
    # The API is set up to hand every body over as bytes, in base64. A gateway that decoded it instead has put a
    # replacement character wherever the bytes were not UTF-8: what it stood for is lost, so it must not be stored.
    if _REPLACEMENT_CHARACTER in body:
        raise InvalidJSON("Invalid UTF-8", body.index(_REPLACEMENT_CHARACTER))
    return body.encode("utf-8", "surrogatepass")
