"""The refusals of an operation, from the table of answers, the error classes and the gateway's own answers."""

import json
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from uuid import UUID

from inventory.domain.errors import ServiceError
from inventory.entrypoints.responses import ERROR_ANSWERS
from ops.project import TEMPLATE
from tools.openapi.answers import HTTPValidationError
from tools.openapi.schemas import Components, Schema
from tools.template import read_template

SOME_ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
_SAMPLES: dict[str, object] = {"quantity_on_hand": 2, "quantity_change": -3, "reversed_by": UUID(SOME_ID)}
_FACTS: dict[type, Schema] = {int: {"type": "integer", "format": "int64"}, str: {"type": "string", "format": "uuid"}}

HEADERS: dict[str, Schema] = {
    "x-request-id": {"description": "Quote it when you ask for help.", "required": True, "schema": {"type": "string"}},
    "Location": {
        "description": "The adjustment's own URL, relative to that of the request.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Idempotent-Replayed": {
        "description": "There, and true, where the request was repeated: nothing was written this time.",
        "schema": {"type": "boolean", "const": True},
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}},
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


def refused(errors: Iterable[type[ServiceError]], components: Components, *, has_body: bool) -> dict[str, Schema]:
    """Describe the answers, by status, to these errors and to the gateway's own."""
    details: dict[int, dict[str, Schema]] = {}
    for status, kind in (_BY_THE_GATEWAY | (_OF_A_BODY if has_body else {})).items():
        details[status] = {(detail := _of_the_gateway(kind))["code"]: detail}
    for error in errors:
        answer = ERROR_ANSWERS[error]
        if answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            details.setdefault(answer.status, {})[answer.code] = _of(error)
    answers = {status: _problem(status, each, components) for status, each in details.items()}
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


def _problem(status: int, details: dict[str, Schema], components: Components) -> Schema:
    """Describe one status with its ``details`` by code; a status with one code is described once for all operations."""
    references = {code: _named(detail, components) for code, detail in details.items()}
    (schema, *others) = references.values()
    if others:
        mapping = {code: reference["$ref"] for code, reference in references.items()}
        schema = {"oneOf": [*references.values()], "discriminator": {"propertyName": "code", "mapping": mapping}}
    answer = {
        "description": HTTPStatus(status).phrase,
        "headers": headers(*_HEADERS_OF_STATUS.get(status, ())),
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"detail": schema}, "required": ["detail"]},
                "examples": {code: {"value": {"detail": detail}} for code, detail in details.items()},
            }
        },
    }
    return answer if others else _common(_camel_case(*details), answer, components)


def _named(detail: Schema, components: Components) -> Schema:
    """Refer to the schema of a detail, made from its example."""
    name = _camel_case(detail["code"])
    facts = {fact: _FACTS[type(value)] for fact, value in detail.items() if fact not in {"code", "message"}}
    components.schemas[name] = {
        "description": detail["message"],
        "type": "object",
        "properties": {"code": {"type": "string", "const": detail["code"]}, "message": {"type": "string"}, **facts},
        "required": [*detail],
    }
    return {"$ref": f"#/components/schemas/{name}"}


def _invalid(components: Components) -> Schema:
    """FastAPI's answer, under FastAPI's names."""
    content = {"application/json": {"schema": components.reference(HTTPValidationError)}}
    answer = {"description": "Validation Error", "headers": headers(), "content": content}
    return _common("InvalidRequest", answer, components)


def _common(name: str, answer: Schema, components: Components) -> Schema:
    components.responses[name] = answer
    return {"$ref": f"#/components/responses/{name}"}


def _camel_case(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
