"""Outcomes and errors as HTTP responses of API Gateway's proxy integration."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypedDict

from inventory.domain.errors import ServiceError, TryAgain, Unauthorized
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members, detail_of

if TYPE_CHECKING:
    from inventory.domain.model import Outcome

ADJUSTMENTS_PATH: Final = "/api/v1/inventory/adjustments"


class Response(TypedDict):
    """A proxy response."""

    statusCode: int
    headers: dict[str, str]
    body: str


def created(outcome: Outcome, *, request_id: str) -> Response:
    """Answer 201; a replay says so in a header."""
    members = adjustment_members(outcome.adjustment)
    headers = {"Location": f"{ADJUSTMENTS_PATH}/{outcome.adjustment.id}"}
    if outcome.replayed:
        headers["Idempotent-Replayed"] = "true"
    return _response(HTTPStatus.CREATED, members, headers, request_id)


def found(members: object, *, request_id: str) -> Response:
    """Answer 200 with what was asked for; nobody on the way may keep it, as the next moment may change it."""
    return _response(HTTPStatus.OK, members, {"Cache-Control": "no-store"}, request_id)


def refused(error: ServiceError, *, request_id: str) -> Response:
    """Answer an error by the table, with the headers that its status wants."""
    headers = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TryAgain):
        headers["Retry-After"] = str(error.retry_after_s)
    return _response(ERROR_ANSWERS[type(error)].status, {"detail": detail_of(error)}, headers, request_id)


def _response(status: int, body: object, headers: dict[str, str], request_id: str) -> Response:
    return Response(
        statusCode=int(status),
        headers={"Content-Type": "application/json", "x-request-id": request_id, **headers},
        body=json.dumps(body, separators=(",", ":")),
    )
