"""The page about the API: each route, field, parameter, code, member and reason code of the code is in its tables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, get_args

from inventory.api.headers import cors_headers, preflight_headers
from inventory.domain.model import ReasonCode
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members
from inventory.queries.adjustments import ROWS_EXAMINED_MAX
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.direct import CallerFields
from inventory.schemas.groups import (
    ATOMIC_OPERATIONS_MAX,
    BATCH_LINES_MAX,
    TRANSFER_LINES_MAX,
    CountRequest,
    TransferRequest,
)
from inventory.schemas.reading import PAGE_ROWS_MAX, AdjustmentsQuery, LevelsQuery
from tests.support.builders.domain import an_adjustment
from tests.support.pages import code, page, rows, section
from tests.support.sam_template import PROJECT_ROOT, load_template, resources

if TYPE_CHECKING:
    from pydantic import BaseModel

NAME = "docs/api.md"
PAGE = page(NAME)


def routes() -> dict[tuple[str, str], bool]:
    """Method and path of each route of the template, and whether it is open; without what follows from a GET."""
    return {
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"]): "Auth" in event["Properties"]
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"]["Method"] not in {"head", "options"}
    }


def operations() -> dict[str, str]:
    """The description of each route in the document that the API serves."""
    document = json.loads((PROJECT_ROOT / "functions/describe_api/openapi.json").read_text(encoding="utf-8"))
    return {
        f"{method.upper()} {path}": operation["description"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def scope_of(description: str) -> str:
    (scope,) = re.findall(r"`(\w+:\w+)`", description)
    return str(scope)


def test_every_route_stands_in_the_table_with_its_scope() -> None:
    documented = {route: scope for route, scope, _ in rows(section(NAME, "Routes"))[1:]}
    described = {route: scope_of(operation) for route, operation in operations().items()}
    is_open = {f"{method} {path}" for (method, path), is_open in routes().items() if is_open}
    assert documented == described | {route: "none" for route in is_open if not route.endswith("{asset}")}


def test_every_error_of_the_code_stands_in_the_table_with_its_status_and_nothing_else_does() -> None:
    documented = {(int(status), error) for status, error, *_ in rows(section(NAME, "Errors")) if status.isdigit()}
    of_the_code = {(answer.status, answer.code) for answer in ERROR_ANSWERS.values()}
    of_the_gateway = {(404, "not_found"), (413, "content_too_large"), (429, "too_many_requests")}
    assert documented == of_the_code | of_the_gateway


def test_every_code_of_the_gateways_own_answers_is_documented() -> None:
    answers = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"].values()
    codes = {json.loads(body)["detail"]["code"] for each in answers for body in each["ResponseTemplates"].values()}
    assert codes - {error for _, error, *_ in rows(section(NAME, "Errors"))} == {"bad_request"}
    assert "`bad_request`" in section(NAME, "Errors")


def test_every_status_of_an_error_is_in_the_advice_on_retries() -> None:
    advised = " ".join(status for status, _ in rows(section(NAME, "Idempotency and retries"))[1:])
    assert {str(answer.status) for answer in ERROR_ANSWERS.values()} | {"413", "429"} == set(
        re.findall(r"\d{3}", advised)
    )


def test_every_field_of_the_body_is_documented() -> None:
    assert {row[0] for row in rows(section(NAME, "Create an adjustment"))[1:]} == set(AdjustmentRequest.model_fields)


def test_every_field_of_a_count_and_of_a_transfer_is_documented_with_its_default() -> None:
    for title, model in (("Stock counts", CountRequest), ("Transfers", TransferRequest)):
        documented = dict(rows(section(NAME, title))[1:])
        assert set(documented) == set(model.model_fields)
        for name, field in model.model_fields.items():
            assert documented[name].startswith("required") == (field.is_required() or name == "variant_id"), name
            if default := re.search(r"`([^`]+)` if absent", field.description or ""):
                assert f"{default[1]}` if absent" in documented[name]


def test_the_limits_of_requests_with_lines_are_those_of_the_code() -> None:
    batches, transfers = section(NAME, "Batches"), section(NAME, "Transfers")
    assert f"together at most {ATOMIC_OPERATIONS_MAX}:" in batches
    assert f"{ATOMIC_OPERATIONS_MAX // 2} lines for {ATOMIC_OPERATIONS_MAX // 2} stock items" in batches
    assert f"{ATOMIC_OPERATIONS_MAX - 1} for one" in batches
    assert f"| `each` | 1–{BATCH_LINES_MAX} |" in batches
    assert f"1–{TRANSFER_LINES_MAX} of" in transfers


def test_every_reason_code_stands_in_the_table() -> None:
    assert [row[0] for row in rows(section(NAME, "Reason codes"))[1:]] == [*get_args(ReasonCode.__value__)]


def test_every_member_of_the_answer_stands_in_the_table() -> None:
    documented = [row[0] for row in rows(section(NAME, "The answer"))[1:]]
    assert documented == [*adjustment_members(an_adjustment()), "reversed_by"]


def test_the_example_of_a_reversal_has_the_members_of_a_201() -> None:
    (example,) = re.findall(r"^\{.*?\}$", section(NAME, "Reverse an adjustment"), re.MULTILINE | re.DOTALL)
    assert list(json.loads(example)) == list(adjustment_members(an_adjustment()))


def test_every_parameter_of_a_query_string_is_documented_with_whether_it_is_required_or_its_default() -> None:
    def taken(model: type[BaseModel]) -> dict[str, str]:
        return {
            name: "required" if field.is_required() else "optional" if field.default is None else str(field.default)
            for name, field in model.model_fields.items()
        }

    parameters = [row for row in rows(section(NAME, "Read")) if len(row) == 4][1:]
    assert {name: of_list for name, of_list, _, _ in parameters if of_list} == taken(AdjustmentsQuery)
    assert {name: of_levels for name, _, of_levels, _ in parameters if of_levels} == taken(LevelsQuery)


def test_what_is_said_of_reading_is_what_code_and_template_say() -> None:
    paths = {
        event["Properties"]["Path"].removeprefix("/api/v1/inventory")
        for event in load_template()["Resources"]["ReadInventoryFunction"]["Properties"]["Events"].values()
    }
    assert paths == {row[0] for row in rows(section(NAME, "Read")) if row[0].startswith("/")}
    assert f"1–{PAGE_ROWS_MAX}" in section(NAME, "Read")
    assert f"`{scope_of(operations()['GET /api/v1/inventory/adjustments'])}`" in section(NAME, "Read")
    assert f"looks at {ROWS_EXAMINED_MAX:,} rows at" in section(NAME, "Pagination")


def test_the_rate_limit_is_the_templates_default() -> None:
    parameters = load_template()["Parameters"]
    for kind in ("Write", "Read", "Scan", "Open"):
        name = f"{kind}RequestsPerSecond"
        assert f"(`{name}`, {parameters[name]['Default']} by default" in section(NAME, "Rate limits")


def test_what_is_said_of_browsers_is_what_the_code_answers() -> None:
    said = section(NAME, "CORS")
    for name, value in (preflight_headers("…") | cors_headers("…")).items():
        if name != "Access-Control-Allow-Origin":
            assert all(f"`{each}`" in said for each in value.split(", ")), name
    assert load_template()["Parameters"]["AllowedOrigin"]["Default"] == ""


def test_the_example_of_a_direct_invocation_names_every_field_that_it_takes() -> None:
    (example,) = code(section(NAME, "Direct invocation"), "json")
    assert set(json.loads(example)) == CallerFields.model_fields.keys() | AdjustmentRequest.model_fields.keys()


def test_what_is_said_of_asynchronous_invocation_is_what_the_template_says() -> None:
    config = load_template()["Resources"]["CreateAdjustmentFunction"]["Properties"]["EventInvokeConfig"]
    assert config["MaximumRetryAttempts"] == 2
    assert "repeats what failed twice" in section(NAME, "Direct invocation")
    assert f"up to {config['MaximumEventAgeInSeconds'] // 3600} hours" in section(NAME, "Direct invocation")


def test_the_two_addresses_of_the_apis_description_are_routes_that_ask_for_no_token() -> None:
    is_open = {path for (_, path), is_open in routes().items() if is_open}
    described = rows(section(NAME, "OpenAPI document and docs page"))
    named = {row[0].removeprefix("GET {ApiUrl}") for row in described} - {""}
    assert {path for path in is_open if not path.endswith("{asset}")} == named
