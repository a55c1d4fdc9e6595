"""The API's description says what the code does: generated from it, and held against what it answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin
from uuid import UUID

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from inventory.api.authorizer import patterns_of
from inventory.api.headers import cors_headers
from inventory.api.responses import created, refused
from inventory.api.routes import CREATE_ADJUSTMENT, ROUTES
from inventory.domain.errors import (
    BusinessNotFound,
    ExportStopped,
    InvalidRequest,
    RejectedBefore,
    ServiceError,
    SkuTaken,
    TokenNotFound,
    TooManyReasons,
)
from inventory.domain.model import Outcome
from inventory.domain.rules import group_row_ids, keyed_id
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.groups import AtomicLines, batch_request
from tests.support.builders.domain import an_adjustment
from tests.support.builders.requests import a_body, an_api_event
from tests.support.sam_template import PROJECT_ROOT, load_template, resources
from tools.openapi.answers import InventoryAdjustmentResponse
from tools.openapi.document import OPENAPI_JSON, document, text
from tools.openapi.examples import BATCHES, BUSINESS, GROUPED, SETTLED
from tools.openapi.operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from tests.support.harness.write_service import Service

DOCUMENT = document()
CREATION = DOCUMENT["paths"]["/api/v1/inventory/adjustments"]["post"]
NOT_OVER_HTTP = {BusinessNotFound, ExportStopped, RejectedBefore, SkuTaken, TokenNotFound, TooManyReasons}

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)


def description_of(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method]
    return found


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference within the document leads to."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def assert_as_described(answer: dict[str, Any], operation: dict[str, Any]) -> None:
    """Status, headers and body of an answer are those of the description."""
    response = resolved(operation["responses"][str(answer["status"])])
    headers = {name: resolved(each) for name, each in response["headers"].items()}
    required = {name for name, each in headers.items() if each.get("required")} | {"Content-Type"}
    assert required <= answer["headers"].keys() <= headers.keys() | {"Content-Type"}
    (media_type, media), *_ = response["content"].items()
    assert answer["headers"]["Content-Type"] == media_type
    schema = media["schema"] | {"components": DOCUMENT["components"]}
    jsonschema_rs.validate(schema, answer["body"], validate_formats=True)


def answered(error: ServiceError) -> dict[str, Any]:
    response = refused(error, request_id="the-request")
    return {
        "status": response["statusCode"],
        "headers": response["headers"],
        "body": json.loads(response["body"]),
    }


# ------------------------------------------------------------------------------------------------------ the document


def test_what_is_in_the_repository_and_served_is_what_the_code_says() -> None:
    assert OPENAPI_JSON.read_text(encoding="utf-8") == text(), "`make openapi` writes it anew"


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(cast("Any", DOCUMENT)).validate()


def test_it_describes_every_route_that_asks_for_a_token_and_no_other() -> None:
    routes = {
        (event["Properties"]["Path"], event["Properties"]["Method"])
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api" and "Auth" not in event["Properties"] and event["Properties"]["Method"] != "head"
    }
    assert {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods} == routes


@each_operation
def test_an_operation_asks_for_the_scope_that_opens_its_route(operation: Operation) -> None:
    route = operation.method.upper() + operation.path
    opening = {
        each.scope
        for each in ROUTES
        if each.scope is not None
        and any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), route) for pattern in patterns_of(each))
    }
    assert opening == {operation.route.scope}
    assert f"`{operation.route.scope}`" in description_of(operation)["description"]


def test_the_operations_ids_are_unique_and_made_as_fastapi_makes_them() -> None:
    ids = [each["operationId"] for methods in DOCUMENT["paths"].values() for each in methods.values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"\w+_api_v1_inventory_\w+_(get|post)", each) for each in ids)


@each_operation
def test_every_operation_asks_for_token_and_business(operation: Operation) -> None:
    described = description_of(operation)
    assert described["security"] == [{"bearer": []}]
    (business,) = [each for each in described["parameters"] if each["name"] == "x-business-id"]
    assert (business["in"], business["required"]) == ("header", True)
    scheme = DOCUMENT["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@each_operation
def test_the_parameters_of_a_path_are_those_that_the_path_names(operation: Operation) -> None:
    in_path = {each["name"] for each in description_of(operation)["parameters"] if each["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", operation.path))


@each_operation
def test_the_examples_of_a_body_are_valid(operation: Operation) -> None:
    if operation.body_model is not None:
        assert operation.examples
        for example in operation.examples.values():
            validated(operation.body_model, example)


def test_every_parameter_and_every_member_says_what_it_means() -> None:
    silent = [
        (operation["operationId"], each["name"])
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for each in operation["parameters"]
        if not each.get("description")
    ]
    silent += [
        (name, member)
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
        if not resolved(described).get("description") and not described.get("description")
    ]
    silent += [("header", name) for name, each in DOCUMENT["components"]["headers"].items() if not each["description"]]
    assert silent == [], "say it in the model, or in tools/openapi/descriptions.py"


@each_operation
def test_every_answer_of_success_and_422_has_examples_that_fit_its_schema(operation: Operation) -> None:
    responses = description_of(operation)["responses"]
    described = [status for status in responses if status.startswith("2") or status == "422"]
    assert len(described) == (3 if operation.line_answer else 2)
    for status in described:
        media = resolved(responses[status])["content"]["application/json"]
        schema = media["schema"] | {"components": DOCUMENT["components"]}
        for example in media["examples"].values():
            jsonschema_rs.validate(schema, example["value"], validate_formats=True)
        assert media["examples"]


def test_the_examples_of_a_batch_have_lines_that_are_valid_and_an_answer_for_each() -> None:
    assert isinstance(batch_request(BATCHES["delivery"]), AtomicLines)
    lines = batch_request(BATCHES["count sheet"])
    assert isinstance(lines, list)
    assert not any(isinstance(each, InvalidRequest) for each in lines)
    assert [each["line"] for each in SETTLED["count sheet"]["data"]] == [*range(len(lines))]


def test_the_example_of_a_group_is_the_one_of_the_demo_data() -> None:
    sample = json.loads((PROJECT_ROOT / "events" / "create-adjustment-batch-direct.json").read_text(encoding="utf-8"))
    first = GROUPED["delivery"]["data"][0]
    assert UUID(GROUPED["delivery"]["group_id"]) == keyed_id(BUSINESS, sample["idempotency_key"])
    assert sample["lines"] == BATCHES["delivery"]["lines"]
    row = an_adjustment(id=UUID(first["id"]), group_id=UUID(first["id"]), group_line=0, group_size=2)
    assert [each["id"] for each in GROUPED["delivery"]["data"]] == [str(each) for each in group_row_ids(row)]


@each_operation
def test_what_a_request_can_not_do_without_has_an_example(operation: Operation) -> None:
    for each in description_of(operation)["parameters"]:
        if each.get("required"):
            jsonschema_rs.validate(each["schema"], each["example"], validate_formats=True)


def test_generators_do_not_trip_over_the_document() -> None:
    """What did: a header of a type of its own, separators of lines, a format of ours, bodies without a name."""
    written = text()
    for separator in ("\u2028", "\\u2028", "\u0085", "\\u0085"):
        assert separator not in written
    formats = set(re.findall(r'"format": "([\w-]+)"', written))
    assert formats <= {"uuid", "int64", "date-time", "uri-reference"}
    assert max(map(len, re.findall(r'"pattern": "(.*)"', written))) < 30
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert "format" not in operation["parameters"][0]["schema"], "the business, a header"
            for response in operation["responses"].values():
                for media in resolved(response)["content"].values():
                    assert media["schema"].keys() == {"$ref"}


def test_every_named_component_is_referenced() -> None:
    written = text()
    for kind in ("schemas", "responses", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in written, name


# --------------------------------------------------------------------------------------------------- the public page


def test_it_has_the_names_of_the_public_page() -> None:
    assert CREATION["operationId"] == "create_inventory_adjustment_api_v1_inventory_adjustments_post"
    assert CREATION["tags"] == ["inventory:adjustments"]
    assert CREATION["summary"] == "Create manual inventory adjustment"
    assert CREATION["description"].startswith(
        "Create a manual inventory adjustment for a variant at a specific location. If no location is specified, the "
        "adjustment is applied to the default location."
    )
    body = CREATION["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/InventoryAdjustmentRequest"}
    answer = CREATION["responses"]["201"]
    assert answer["description"] == "Successful Response"
    assert answer["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/InventoryAdjustmentResponse"
    }
    invalid = resolved(CREATION["responses"]["422"])
    assert invalid["description"] == "Validation Error"
    assert invalid["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/HTTPValidationError"}


PAGE: dict[str, dict[str, tuple[str, bool, str | None]]] = {
    "InventoryAdjustmentRequest": {
        "quantity_change": (
            "integer",
            True,
            "Quantity change: positive to add, negative to subtract. Cannot be zero.",
        ),
        "reason": ("string", True, "Required reason for the adjustment."),
        "location_id": (
            "string",
            False,
            "Location UUID where adjustment applies. Uses default location if not specified.",
        ),
    },
    "InventoryAdjustmentResponse": {
        "id": ("string", True, "Adjustment UUID."),
        "business_id": ("string", True, "Business UUID."),
        "variant_id": ("string", True, "Adjusted variant UUID."),
        "delta": ("integer", True, "Quantity change applied."),
        "correction_reason": ("string", False, "Adjustment reason."),
        "location_id": ("string", False, "Location where adjustment was applied."),
        "created_at": ("string", True, "When adjustment was made."),
    },
    # The page gives no descriptions here; ours are beside the point.
    "ValidationError": {
        "loc": ("array", True, None),
        "msg": ("string", True, None),
        "type": ("string", True, None),
        "ctx": ("object", False, None),
    },
}


@pytest.mark.parametrize("name", PAGE)
def test_a_schema_of_the_public_page_is_as_it_is_there(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    for field, (kind, required, description) in PAGE[name].items():
        property_ = schema["properties"][field]
        alone = property_ if "type" in property_ else property_["anyOf"][0]
        assert (alone["type"], field in schema["required"]) == (kind, required)
        assert property_["description"] == description or description is None


def test_the_variant_of_the_public_page_is_required_unless_a_sku_names_it() -> None:
    schema = DOCUMENT["components"]["schemas"]["InventoryAdjustmentRequest"]
    described = schema["properties"]["variant_id"]["description"]
    assert described.startswith("Product variant UUID to adjust.")
    assert (schema["if"], schema["then"]["required"]) == (
        {"properties": {"sku": {"type": "null"}}},
        ["variant_id"],
    )


# -------------------------------------------------------------------------------------------- what the code answers


def test_a_creation_is_answered_as_it_is_described(service: Service) -> None:
    for _ in range(2):
        answer = service.post(headers=[("Idempotency-Key", "key")])
        assert_as_described({"status": answer.status, "headers": answer.headers, "body": answer.body}, CREATION)
    assert "Idempotent-Replayed" in answer.headers


def test_an_adjustments_members_are_those_that_are_described() -> None:
    members = adjustment_members(an_adjustment()).keys()
    assert members == InventoryAdjustmentResponse.__annotations__.keys() - {"reversed_by"}
    described = DOCUMENT["components"]["schemas"]["InventoryAdjustmentResponse"]
    assert described["properties"].keys() == members | {"reversed_by"}
    assert described["required"] == [
        each for each in described["properties"] if each not in {"correction_reason", "location_id", "reversed_by"}
    ]


def test_every_error_is_described_but_those_of_operators_and_messages() -> None:
    assert {
        error for operation in OPERATIONS for error in operation.all_refusals
    } == ERROR_ANSWERS.keys() - NOT_OVER_HTTP


FACTS: dict[str, Any] = {
    "quantity_on_hand": -5,
    "quantity_change": 7,
    "reversed_by": UUID(int=1),
    "key": "a key",
    "content_encoding": "gzip",
    "location_id": None,
    "group_id": UUID(int=1),
    "direction": "increase",
    "counted_through": datetime(2026, 11, 23, tzinfo=UTC),
    "parameter": "id",
    "found": [],
    "entries": [
        {"type": "int_type", "loc": ["body", "quantity_change", 0], "msg": "…", "input": None, "ctx": {"le": 1}}
    ],
}


@pytest.mark.parametrize(
    ("operation", "error"),
    [(operation, error) for operation in OPERATIONS for error in operation.all_refusals],
    ids=lambda each: each.name if isinstance(each, Operation) else each.__name__,
)
def test_an_error_is_answered_as_it_is_described(operation: Operation, error: type[ServiceError]) -> None:
    named = getattr(error.__init__, "__annotations__", {}).keys() - {"return"}
    assert_as_described(answered(error(**{name: FACTS[name] for name in named})), description_of(operation))


@pytest.mark.parametrize(
    "body", [{}, [], a_body(quantity_change=0, reason="", other=1), a_body(reference="\u200b", reason_code=[])]
)
def test_an_invalid_request_is_answered_as_it_is_described(body: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        validated(AdjustmentRequest, body)
    assert_as_described(answered(raised.value), CREATION)


@each_operation
def test_the_gateways_own_answers_are_described(operation: Operation) -> None:
    described = description_of(operation)
    answers = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    for kind, status in [("UNAUTHORIZED", 401), ("ACCESS_DENIED", 403), ("THROTTLED", 429), ("DEFAULT_4XX", 400)]:
        named = answers[kind]["ResponseParameters"]["Headers"].keys() - cors_headers("any").keys()
        headers = dict.fromkeys(named, "some")
        headers["Content-Type"] = "application/json"
        body = json.loads(answers[kind]["ResponseTemplates"]["application/json"])
        assert_as_described({"status": status, "headers": headers, "body": body}, described)


def test_the_path_of_a_creation_is_a_path_of_the_description() -> None:
    response = created(an_api_event(), Outcome(an_adjustment(), replayed=False, attempts=1), request_id="the-request")
    ((path, methods),) = [each for each in DOCUMENT["paths"].items() if each[0].endswith("/adjustments/{id}")]
    location = urljoin(CREATE_ADJUSTMENT.path, response["headers"]["Location"])
    assert location == path.replace("{id}", str(an_adjustment().id))
    assert (
        CREATION["responses"]["201"]["links"]["get_inventory_adjustment"]["operationId"]
        == (methods["get"]["operationId"])
    )
