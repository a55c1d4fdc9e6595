"""API Gateway's proxy events (payload format 1.0) as requests: the caller, and what is asked for."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, NamedTuple, TypeIs
from uuid import UUID

from inventory.api.headers import has_headers, header, is_text_by_name, is_texts_by_name
from inventory.api.routes import REVERSE_GROUP
from inventory.domain.errors import Forbidden, InvalidRequest, Unauthorized, UnsupportedEncoding, ValidationEntry
from inventory.domain.model import GroupReversal, Reversal
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import is_uuid, parse_uuid
from inventory.schemas.adjustments import AdjustmentRequest, ReversalRequest
from inventory.schemas.base import validated
from inventory.schemas.fields import idempotency_key_entries, is_label, path_id_entries
from inventory.schemas.json_parser import InvalidJSON, JSONValue, parse_json
from inventory.schemas.problems import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inventory.api.shapes import ApiEvent
    from inventory.domain.api_tokens import Scope
    from inventory.domain.model import Command

_GATEWAY_SETS: Final = {"httpMethod", "path", "requestContext", "resource"}
_REPLACEMENT_CHARACTER: Final = "\ufffd"
_ENCODING_LENGTH_MAX: Final = 255
"""Of a caller's ``Content-Encoding``, as far as the answer repeats it."""


class Caller(NamedTuple):
    """The authenticated sender of a request, and the business that it is for."""

    business_id: UUID
    subject: str


def is_api_event(event: object) -> TypeIs[ApiEvent]:
    """Whether this is an API event, and no direct payload: it has all members that the gateway always sets.

    Every member that is read must also have the gateway's type, as a direct invocation can send anything.
    """
    return (
        isinstance(event, dict)
        and event.keys() >= _GATEWAY_SETS
        and isinstance(event["requestContext"], dict)
        and isinstance(event["resource"], str)
        and isinstance(event["path"], str)
        and has_headers(event)
        and is_text_by_name(event.get("pathParameters"))
        and is_text_by_name(event.get("queryStringParameters"))
        and is_texts_by_name(event.get("multiValueQueryStringParameters"))
        and isinstance(event.get("body"), str | None)
        and isinstance(event.get("isBase64Encoded", False), bool)
    )


def gateway_request_id(event: ApiEvent) -> str | None:
    """The gateway's own id of a request, which is a UUID; None for anything else.

    It is logged. A direct invocation can make up an event, and must not choose the text of a log line.
    """
    request_id = event["requestContext"].get("requestId")
    return request_id if isinstance(request_id, str) and is_uuid(request_id) else None


def authenticated_caller(event: ApiEvent, *, scope: Scope | None, clock: Callable[[], datetime]) -> Caller:
    """Read the authorizer's context, and check the business and the scope once more.

    Raises:
        Unauthorized: there is no context, or no ``x-business-id``: the request did not pass the authorizer. Or the
            token has expired since the authorizer saw it: the gateway caches the authorizer's answer.
        Forbidden: the context is for another business than the header, lacks the scope, or is not from our authorizer.
    """
    context = event["requestContext"].get("authorizer")
    named = header(event, "x-business-id")
    if not isinstance(context, dict) or not context or named is None:
        raise Unauthorized
    # Instants in our format sort by text as they do by time. A token that never expires has no such member.
    if "expires_at" in context and _text(context, "expires_at") <= instant_text(clock()):
        raise Unauthorized
    business_id = parse_uuid(_text(context, "business_id"))
    subject, scopes = _text(context, "subject"), _text(context, "scopes")
    if business_id is None or parse_uuid(named) != business_id or scope not in scopes.split():
        raise Forbidden
    # Only such a text can be stored.
    if not is_label(subject):
        raise Forbidden
    return Caller(business_id=business_id, subject=subject)


def _text(context: dict[str, object], name: str) -> str:
    """A text of the context; "" where the member is absent or no text."""
    value = context.get(name)
    return value if isinstance(value, str) else ""


def adjustment_command(event: ApiEvent, caller: Caller) -> Command:
    """Translate a creation.

    Raises:
        UnsupportedEncoding: the body is compressed.
        InvalidRequest: with the errors of the ``Idempotency-Key`` header, then those of the body.
    """
    key, request = keyed_request(event, _adjustment)
    return request.command(business_id=caller.business_id, actor=caller.subject, idempotency_key=key)


def reversal(event: ApiEvent, caller: Caller) -> Reversal | GroupReversal:
    """Translate a reversal, of one adjustment or of a group.

    Raises:
        UnsupportedEncoding: the body is compressed.
        InvalidRequest: with the errors of the path, then of the ``Idempotency-Key`` header, then those of the body,
            which is FastAPI's order.
    """
    of_group = event["resource"] == REVERSE_GROUP.path
    parameter = "group_id" if of_group else "id"
    # The gateway has decoded what was percent-encoded in the path.
    reversed_id = (event.get("pathParameters") or {}).get(parameter, "")
    key, request = keyed_request(event, _reversal, path_id_entries(reversed_id, parameter))
    make = GroupReversal if of_group else Reversal
    return make(caller.business_id, UUID(reversed_id), request.reason, caller.subject, key)


def keyed_request[R](
    event: ApiEvent, validate: Callable[[JSONValue], R], others: Sequence[ValidationEntry] = ()
) -> tuple[str | None, R]:
    """Read the ``Idempotency-Key``, None where it is absent, and the body; ``others`` are the errors of the path.

    Raises:
        UnsupportedEncoding: the body is compressed.
        InvalidRequest: with all errors of the request: ``others``, those of the header, those of the body.
    """
    key = header(event, "idempotency-key")
    problems = [*others, *([] if key is None else idempotency_key_entries(key))]
    try:
        request = validate(_json_body(event))
    except InvalidRequest as error:
        raise InvalidRequest(problems + error.entries) from None
    if problems:
        raise InvalidRequest(problems)
    return key, request


def _adjustment(body: JSONValue) -> AdjustmentRequest:
    return validated(AdjustmentRequest, body)


def _reversal(body: JSONValue) -> ReversalRequest:
    return validated(ReversalRequest, body)


def _json_body(event: ApiEvent) -> JSONValue:
    """Decode and parse the body; ``Content-Type`` does not matter."""
    body = event.get("body") or ""
    if body:
        _require_identity(header(event, "content-encoding") or "")
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


def _require_identity(content_encoding: str) -> None:
    """Refuse a body that has to be decoded first: as JSON it would only be called unreadable."""
    if any(coding.strip() not in {"", "identity"} for coding in content_encoding.lower().split(",")):
        raise UnsupportedEncoding(content_encoding=content_encoding[:_ENCODING_LENGTH_MAX])


def _raw_body(body: str, *, encoded: bool) -> bytes:
    if encoded:
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidJSON("Invalid base64", 0) from None
    # The API delivers every body as bytes, in base64. A gateway that decoded it instead has put a replacement character
    # wherever the bytes were not UTF-8. The original is lost, so the body must not be stored.
    if _REPLACEMENT_CHARACTER in body:
        raise InvalidJSON("Invalid UTF-8", body.index(_REPLACEMENT_CHARACTER))
    return body.encode("utf-8", "surrogatepass")
