"""The whole document, and its text."""

import json
import re
from collections.abc import Mapping
from typing import Any

from inventory.schemas.fields import IdempotencyKey
from ops.project import PROJECT_ROOT
from tools.openapi.descriptions import INTRODUCTION
from tools.openapi.examples import PARAMETERS
from tools.openapi.operations import OPERATIONS, Operation
from tools.openapi.problems import HEADERS, headers, refused
from tools.openapi.schemas import Components, Schema

OPENAPI_JSON = PROJECT_ROOT / "functions" / "describe_api" / "openapi.json"

_SECURITY = "bearer"
_BUSINESS_ID: Schema = {
    "name": "x-business-id",
    "in": "header",
    "required": True,
    "description": "The business, one of the token's.",
    # No format: a generated client that makes an object of it would send no text.
    "schema": {"type": "string"},
    "example": PARAMETERS["x-business-id"],
}
_TAGS = {
    "inventory:adjustments": "Changes of stock, one row of the ledger each; no row is ever altered.",
    "inventory:levels": "The quantities on hand that the adjustments add up to.",
    "inventory:catalog": "Variants, locations and reason codes, as operators registered them.",
    "inventory:reports": "What the adjustments of a period add up to.",
}


def document() -> Schema:
    """Return the OpenAPI document, in the order in which a person reads it."""
    components = Components()
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, components)
    tags = {operation.tag for operation in OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inventory adjustments",
            "version": "1",
            "description": INTRODUCTION,
        },
        # Relative to where the document is served, which is below the stage wherever the API has one.
        "servers": [{"url": "../..", "description": "The API that serves this document."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items() if name in tags],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "responses": components.responses,
            "headers": HEADERS,
            "securitySchemes": {
                _SECURITY: {"type": "http", "scheme": "bearer", "description": "A token of the form `dz_…`."}
            },
        },
    }


def text() -> str:
    """Return the document as it is kept in the repository and served."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def operation_id(operation: Operation) -> str:
    """Return the id as FastAPI makes it, which the public page shows."""
    return re.sub(r"\W", "_", operation.name + operation.path) + f"_{operation.method}"


def _described(operation: Operation, components: Components) -> Schema:
    described: Schema = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}\n\nThe token's scope: `{operation.route.scope}`.",
        "operationId": operation_id(operation),
        "security": [{_SECURITY: []}],
        "parameters": _parameters(operation, components),
    }
    if operation.body_model is not None:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": components.reference(operation.body_model),
                    "examples": {name: {"value": value} for name, value in operation.examples.items()},
                }
            },
        }
    described["responses"] = _success(operation, components) | refused(
        operation.all_refusals, components, name=operation.name, has_body=operation.body_model is not None
    )
    return described


def _parameters(operation: Operation, components: Components) -> list[Schema]:
    parameters = [_BUSINESS_ID]
    if operation.creates:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": (
                    "1–255 visible ASCII characters, yours to choose, unique within the business, for example "
                    "`count-2026-11-23-0001`: a request that is repeated with it is applied once. It is taken as "
                    'written: `"k"` with quotes and `k` are two keys.'
                ),
                "schema": components.schema(IdempotencyKey),
            }
        )
    for model, place in ((operation.path_model, "path"), (operation.query_model, "query")):
        if model is not None:
            parameters += components.parameters(model, place)
    return parameters


def _links(operation: Operation) -> Schema:
    links = {
        each.name: {
            "operationId": operation_id(each),
            "parameters": {
                **{f"path.{name}": f"$response.body#/{name}" for name in re.findall(r"\{(\w+)\}", each.path)},
                "header.x-business-id": "$request.header.x-business-id",
            },
        }
        for each in OPERATIONS
        if each.name in operation.links
    }
    return {"links": links} if links else {}


def _success(operation: Operation, components: Components) -> Schema:
    def content(answer: type, examples: Mapping[str, Any]) -> Schema:
        described = {name: {"value": value} for name, value in examples.items()}
        return {"application/json": {"schema": components.reference(answer), "examples": described}}

    answers: Schema = {
        "201" if operation.creates else "200": {
            "description": "Successful Response",
            "headers": headers("Location", "Idempotent-Replayed") if operation.creates else headers(),
            "content": content(operation.answer, operation.answers),
            **_links(operation),
        }
    }
    if operation.line_answer is not None:
        answers["200"] = {
            "description": "Of mode `each`: what has become of each line",
            "headers": headers(),
            "content": content(operation.line_answer, operation.line_answers),
        }
    return dict(sorted(answers.items()))
