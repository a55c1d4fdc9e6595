"""Requests to begin a test from: bodies, payloads and events of API Gateway."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from inventory.api.routes import CREATE_ADJUSTMENT
from tests.support.builders.ids import BUSINESS, GATEWAY_REQUEST_ID, SUBJECT, VARIANT

if TYPE_CHECKING:
    from types import EllipsisType


def a_body(**changes: object) -> dict[str, object]:
    """A valid body; a field that is changed to ``...`` is left out."""
    members = {"variant_id": str(VARIANT), "quantity_change": 5, "reason": "restock"} | changes
    return {name: value for name, value in members.items() if value is not ...}


def a_payload(**changes: object) -> dict[str, object]:
    """A valid payload of a direct invocation."""
    return a_body(**{"business_id": str(BUSINESS)} | changes)


def an_authorizer_context(**changes: str) -> dict[str, str]:
    """What the authorizer says of a good token."""
    return {
        "principalId": "0123456789abcdef0123456789abcdef",
        "business_id": str(BUSINESS),
        "subject": SUBJECT,
        "scopes": "adjustments:read adjustments:reverse adjustments:write",
    } | changes


def an_api_event(
    body: object = None,
    *,
    text: str | EllipsisType | None = ...,
    headers: list[tuple[str, str]] | None = None,
    authorizer: dict[str, str] | None = None,
    **changes: object,
) -> Any:
    """A POST as API Gateway hands it over.

    ``body`` is sent as JSON, or as it is where it is bytes: in base64, as the template sets the API up. With ``text``
    it arrives as text instead (or as null). ``headers`` come on top of those that every request has.
    """
    raw = body if isinstance(body, bytes) else json.dumps(a_body() if body is None else body).encode()
    sent = [("Authorization", "Bearer dz_secret"), ("x-business-id", str(BUSINESS)), *(headers or [])]
    several: dict[str, list[str]] = {}
    for name, value in sent:
        several.setdefault(name, []).append(value)
    return {
        "resource": CREATE_ADJUSTMENT.path,
        "path": CREATE_ADJUSTMENT.path,
        "httpMethod": "POST",
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "requestId": GATEWAY_REQUEST_ID,
            "authorizer": an_authorizer_context() if authorizer is None else authorizer,
        },
        "body": base64.b64encode(raw).decode() if text is ... else text,
        "isBase64Encoded": text is ...,
    } | changes
