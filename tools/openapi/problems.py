"""The refusals of an operation, from the table of answers, the error classes and the gateway's own answers."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from uuid import UUID

from inventory.domain.errors import (
    AdjustmentNotFound,
    AlreadyReversed,
    GroupNotFound,
    LocationNotFound,
    PartOfGroup,
    Refusal,
    ServiceError,
)
from inventory.domain.uuids import parse_uuid
from inventory.entrypoints.responses import ERROR_ANSWERS
from ops.project import TEMPLATE
from tools.openapi.answers import HTTPValidationError
from tools.openapi.descriptions import WORDS
from tools.openapi.examples import INVALID
from tools.openapi.schemas import Components, Schema, worded
from tools.template import read_template

_SAMPLES: dict[str, object] = {
    "quantity_on_hand": 2,
    "quantity_change": -3,
    "reversed_by": UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    "group_id": UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    "location_id": None,
    "direction": "decrease",
    "counted_through": datetime(2026, 11, 23, 14, 9, 31, 902417, UTC),
    "content_encoding": "gzip",
}
_OF_A_LINE: dict[str, Schema] = {"line": {"type": "integer", "minimum": 0}}
_OF_A_TRANSFER: dict[str, Schema] = {"location_id": {"type": "string", "format": "uuid"}}
_OF_ONE_ADJUSTMENT = {AdjustmentNotFound, AlreadyReversed, GroupNotFound, PartOfGroup}
_ENVELOPE_CODES_MAX = 2
"""A wrapper of more codes is named after its operation."""

HEADERS: dict[str, Schema] = {
    "x-request-id": {"description": "Quote it when you ask for help.", "required": True, "schema": {"type": "string"}},
    "Location": {
        "description": "The URL of the adjustment or of the group, relative to that of the request.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "There, and true, where the request was repeated: nothing was written this time.",
        "schema": {"type": "boolean", "const": True},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the request is repeated.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
}
_HEADERS_OF_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_BY_THE_GATEWAY = {400: "DEFAULT_4XX", 429: "THROTTLED"}
_OF_A_BODY = {413: "REQUEST_TOO_LARGE"}


def headers(*names: str) -> Schema:
    """Refer to headers of an answer, each of which carries the request's id."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def refused(
    errors: Iterable[type[ServiceError]], components: Components, *, name: str, has_body: bool
) -> dict[str, Schema]:
    """Describe the answers, by status, of the operation ``name`` to these errors, and the gateway's own."""
    details: dict[int, dict[str, Schema]] = {}
    for status, kind in (_BY_THE_GATEWAY | (_OF_A_BODY if has_body else {})).items():
        details[status] = {(detail := _of_the_gateway(kind))["code"]: detail}
    for error in errors:
        answer = ERROR_ANSWERS[error]
        if answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            details.setdefault(answer.status, {})[answer.code] = _of(error)
    answers = {status: _problem(status, each, components, name) for status, each in details.items()}
    answers[422] = _invalid(components)
    return {str(status): answers[status] for status in sorted(answers)}


def _of(error: type[ServiceError]) -> Schema:
    """An example of an error's detail: its code, its message and its facts."""
    named = getattr(error.__init__, "__annotations__", {}).keys() - {"return"}
    facts = error(**{name: _SAMPLES[name] for name in named}).facts()
    return {"code": ERROR_ANSWERS[error].code, "message": error.message, **facts}


@cache
def _of_the_gateway(kind: str) -> Schema:
    answer = read_template(TEMPLATE)["Resources"]["Api"]["Properties"]["GatewayResponses"][kind]
    detail: Schema = json.loads(answer["ResponseTemplates"]["application/json"])["detail"]
    return detail


def _problem(status: int, details: dict[str, Schema], components: Components, operation: str) -> Schema:
    """Describe one status with its ``details`` by code; a status with one code is described once for all operations."""
    answer = {
        "description": HTTPStatus(status).phrase,
        "headers": headers(*_HEADERS_OF_STATUS.get(status, ())),
        "content": {
            "application/json": {
                "schema": _envelope(status, details, components, operation),
                "examples": {code: {"value": {"detail": detail}} for code, detail in details.items()},
            }
        },
    }
    return answer if len(details) > 1 else _common(_camel_case(*details), answer, components)


def _envelope(status: int, details: dict[str, Schema], components: Components, operation: str) -> Schema:
    """Refer to the body with one of these details. Each has a ``code`` of its own, by which they are told apart.

    It has a name, as a generator makes a type of its own from each body that has none. Operations share it where its
    name says which codes it holds.
    """
    schemas = [_named(detail, components) for detail in details.values()]
    detail = schemas[0] if len(schemas) == 1 else {"description": WORDS["detail"], "oneOf": schemas}
    codes = "Or".join(map(_camel_case, details))
    phrase = HTTPStatus(status).phrase.title().replace(" ", "")
    name = f"{codes}Response" if len(schemas) <= _ENVELOPE_CODES_MAX else f"{_camel_case(operation)}{phrase}Response"
    components.schemas[name] = {
        "description": f"The body of an answer with status {status}.",
        "type": "object",
        "properties": {"detail": detail},
        "required": ["detail"],
    }
    return {"$ref": f"#/components/schemas/{name}"}


def _named(detail: Schema, components: Components) -> Schema:
    """Refer to the schema of a detail, made from its example."""
    name = _camel_case(detail["code"])
    members = {member: _schema_of(value) for member, value in detail.items()} | _optional_of(detail["code"])
    properties = {member: worded(member, schema) for member, schema in members.items()}
    properties["code"] |= {"const": detail["code"]}
    components.schemas[name] = {
        "description": detail["message"],
        "type": "object",
        "properties": properties,
        "required": [*detail],
    }
    return {"$ref": f"#/components/schemas/{name}"}


def _optional_of(code: str) -> dict[str, Schema]:
    """The members that a detail has in some answers only."""
    (error,) = {kind for kind, answer in ERROR_ANSWERS.items() if answer.code == code} or {ServiceError}
    return (_OF_A_TRANSFER if error is LocationNotFound else {}) | (
        _OF_A_LINE if issubclass(error, Refusal) and error not in _OF_ONE_ADJUSTMENT else {}
    )


def _schema_of(value: object) -> Schema:
    """The schema of a member of a detail, from an example of it."""
    if isinstance(value, int):
        return {"type": "integer", "format": "int64"}
    text = str(value)
    if parse_uuid(text) is not None:
        return {"type": "string", "format": "uuid"}
    with suppress(ValueError):
        datetime.fromisoformat(text)
        return {"type": "string", "format": "date-time"}
    return {"type": "string"}


def _invalid(components: Components) -> Schema:
    """FastAPI's answer, under FastAPI's names."""
    examples = {name: {"value": value} for name, value in INVALID.items()}
    content = {"application/json": {"schema": components.reference(HTTPValidationError), "examples": examples}}
    answer = {"description": "Validation Error", "headers": headers(), "content": content}
    return _common("InvalidRequest", answer, components)


def _common(name: str, answer: Schema, components: Components) -> Schema:
    components.responses[name] = answer
    return {"$ref": f"#/components/responses/{name}"}


def _camel_case(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
