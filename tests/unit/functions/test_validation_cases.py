"""Every shared validation case, through the deployed handler: the primary answer, to the letter."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.api.requests import Caller, adjustment_command
from inventory.domain.model import Command
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, SUBJECT
from tests.support.builders.requests import an_api_event
from tests.support.harness.loading import ROOT
from tests.support.harness.write_service import place

if TYPE_CHECKING:
    from tests.support.harness.write_service import Service

SHARED = json.loads((ROOT / "tests" / "data" / "validation_cases.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = SHARED["cases"]
CALLER = Caller(business_id=BUSINESS, subject=SUBJECT)


def cases(*, status: int | None) -> list[Any]:
    """Those that are refused with a status; or, for None, those that are taken."""
    return [pytest.param(case, id=case["name"]) for case in CASES if case["status"] == status]


def raw_body(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["body_b64"])


def headers(case: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in case["headers"]]


def decoded_body(case: dict[str, Any]) -> str | None:
    """The body as a gateway may decode it; None where the bytes are not UTF-8."""
    try:
        return raw_body(case).decode("utf-8")
    except UnicodeDecodeError:
        return None


def test_no_shared_case_is_left_out() -> None:
    assert [len(cases(status=status)) for status in (None, 422, 404)] == [34, 69, 2]
    assert len(CASES) == 34 + 69 + 2


@pytest.mark.parametrize("case", cases(status=422))
def test_an_invalid_case_is_answered_with_exactly_its_errors(service: Service, case: dict[str, Any]) -> None:
    answers = [case, *(each for each in case.get("alternatives", []) if each.get("errors"))]
    expected = [{(place(loc, kind), kind) for loc, kind in each["errors"]} for each in answers]

    answer = service.post(raw_body(case), headers=headers(case))

    assert answer.status == 422
    assert set(answer.problems) in expected
    assert len(answer.problems) == len(set(answer.problems))
    assert service.tables.rows == []
    if (text := decoded_body(case)) is not None:
        assert service.post(text=text, headers=headers(case)) == answer


@pytest.mark.parametrize("case", cases(status=404))
def test_a_case_that_names_what_is_not_registered_is_answered_with_its_code(
    service: Service, case: dict[str, Any]
) -> None:
    answer = service.post(raw_body(case), headers=headers(case))

    assert (answer.status, answer.code) == (404, case["code"])
    assert service.tables.rows == []


@pytest.mark.parametrize("case", cases(status=None))
def test_a_valid_case_becomes_exactly_the_command_that_it_says(case: dict[str, Any]) -> None:
    parsed = dict(case["parsed"])
    for name in ("variant_id", "location_id"):
        parsed[name] = None if parsed[name] is None else UUID(parsed[name])
    expected = Command(business_id=BUSINESS, actor=SUBJECT, **parsed)

    command = adjustment_command(an_api_event(raw_body(case), headers=headers(case)), CALLER)

    assert command == expected
    assert type(command.quantity_change) is int
    if (text := decoded_body(case)) is not None:
        assert adjustment_command(an_api_event(text=text), CALLER) == command


@pytest.mark.parametrize("case", cases(status=None))
def test_a_valid_case_is_created_as_it_was_asked_for(service: Service, case: dict[str, Any]) -> None:
    parsed = case["parsed"]
    service.tables.with_variant(UUID(parsed["variant_id"]))
    if parsed["location_id"] is not None:
        service.tables.with_location(UUID(parsed["location_id"]))
    if parsed["expected_quantity"]:
        service.tables.with_stock(a_stock_item(parsed["expected_quantity"]))

    answer = service.post(raw_body(case), headers=headers(case))

    assert answer.status == 201, answer.body
    assert answer.body["variant_id"] == parsed["variant_id"]
    assert answer.body["delta"] == parsed["quantity_change"]
    assert answer.body["correction_reason"] == parsed["reason"]
    assert answer.body["location_id"] == (parsed["location_id"] or str(LOCATION))
    assert answer.body["reason_code"] == parsed["reason_code"]
    assert answer.body["reference"] == parsed["reference"]
    assert len(service.tables.rows) == 1
