"""Outcomes and errors as HTTP responses of API Gateway's proxy integration."""

from __future__ import annotations

import json
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from inventory.api.headers import cors_headers
from inventory.api.requests import gateway_request_id
from inventory.api.routes import GET_ADJUSTMENT, GET_GROUP
from inventory.domain.errors import ServiceError, TryAgain, Unauthorized
from inventory.domain.model import GroupOutcome
from inventory.domain.uuids import uuid_text
from inventory.entrypoints.responses import ERROR_ANSWERS, detail_of, outcome_members
from inventory.entrypoints.telemetry import report_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inventory.api.shapes import ApiEvent, Response
    from inventory.domain.model import Outcome
    from inventory.entrypoints.telemetry import Invocation

_WAYS_CACHED_MAX: Final = 100

_BODIES: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
"""Writes texts as they are: an escape is up to three times as long, and the answer to 500 lines must fit into one of
Lambda's."""


def respond(
    event: ApiEvent,
    invocation: Invocation,
    answer: Callable[[ApiEvent, Invocation], Response],
    *,
    allowed_origin: str,
) -> Response:
    """Answer an event by ``answer``; report the error that it raises, and answer that.

    ``allowed_origin`` is the one origin whose pages may read the answer, "" where there is none. HEAD is answered like
    GET, without the body.
    """
    invocation.gateway_request_id = gateway_request_id(event)
    try:
        response = answer(event, invocation)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        response = refused(report_error(error, invocation), request_id=invocation.context.aws_request_id)
    if allowed_origin:
        response["headers"] |= cors_headers(allowed_origin)
    if event["httpMethod"] == "HEAD":
        response["body"] = ""
    return response


def created(event: ApiEvent, outcome: Outcome | GroupOutcome, *, request_id: str) -> Response:
    """Answer 201 with the URL of the adjustment or of the group, and with a header where it is a replay."""
    if isinstance(outcome, GroupOutcome):
        path = GET_GROUP.path.format(group_id=uuid_text(outcome.group_id))
    else:
        path = GET_ADJUSTMENT.path.format(id=uuid_text(outcome.adjustment.id))
    headers = {"Location": relative_reference(event, path)}
    if outcome.replayed:
        headers["Idempotent-Replayed"] = "true"
    return _response(HTTPStatus.CREATED, outcome_members(outcome), headers, request_id)


def settled(lines: Sequence[object], *, request_id: str) -> Response:
    """Answer 200 with what became of each line."""
    return _response(HTTPStatus.OK, {"data": lines}, {}, request_id)


def relative_reference(event: ApiEvent, path: str) -> str:
    """Write a path of this API so that it resolves against the URL of the request, ``../5e1c…`` for example.

    Nothing in an event tells what the client's URL has before the route: a stage, the base path of a domain of one's
    own, the prefix of a proxy. So the reference climbs from the request's folder to the one that both paths share. A
    slash at the end, which the gateway ignores, makes that folder one deeper (RFC 3986, 5.2).

    Args:
        event: the request; its ``resource`` is the route, its ``path`` ends as the client's URL ends.
        path: a path as in the table of routes, with its parameters filled in.
    """
    folder, _, name = path.rpartition("/")
    return _way(event["resource"], folder, ends_with_slash=event["path"].endswith("/")) + name


@lru_cache(_WAYS_CACHED_MAX)
def _way(resource: str, folder: str, *, ends_with_slash: bool) -> str:
    """Write the way from the folder of a request to another one: it has no ids, so there are few."""
    here = resource.split("/")
    if not ends_with_slash:
        del here[-1]
    there = folder.split("/")
    shared = 0
    for each, other in zip(here, there, strict=False):
        if each != other:
            break
        shared += 1
    return "".join(f"{step}/" for step in [".."] * (len(here) - shared) + there[shared:])


def found(members: object, *, request_id: str) -> Response:
    """Answer 200. No cache may keep the answer, as any adjustment can change it."""
    return _response(HTTPStatus.OK, members, {"Cache-Control": "no-store"}, request_id)


def refused(error: ServiceError, *, request_id: str) -> Response:
    """Answer an error by the table, with the headers that belong to its status."""
    headers = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TryAgain):
        headers["Retry-After"] = str(error.retry_after_s)
    return _response(ERROR_ANSWERS[type(error)].status, {"detail": detail_of(error)}, headers, request_id)


def _response(status: int, body: object, headers: dict[str, str], request_id: str) -> Response:
    return {
        "statusCode": int(status),
        "headers": {"Content-Type": "application/json", "x-request-id": request_id, **headers},
        "body": _BODIES.encode(body),
    }
