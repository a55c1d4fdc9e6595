"""The event schemas match the published events, and are strict enough to be useful."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

import jsonschema_rs
import pytest

from inventory.aws.event_bus import SOURCE, detail_text
from inventory.domain import errors
from inventory.domain.model import BUILT_IN_REASON_CODES, QUANTITY_MAX, Kind
from inventory.entrypoints.ledger_stream import ADJUSTED
from inventory.entrypoints.messages import MessageRequest
from inventory.entrypoints.rejections import REJECTED, rejection
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members
from inventory.schemas.groups import ATOMIC_OPERATIONS_MAX
from tests.support.builders.domain import an_adjustment
from tests.support.builders.requests import a_payload
from tests.support.harness.event_schemas import SCHEMAS, assert_event, delivered, problems, schema

if TYPE_CHECKING:
    from inventory.schemas.json_parser import JSONValue

NAMES = sorted(path.stem for path in SCHEMAS.glob("*.json"))
TELLABLE: list[errors.ServiceError] = [
    errors.VariantNotFound(),
    errors.LocationNotFound(),
    errors.NoDefaultLocation(),
    errors.InsufficientStock(quantity_on_hand=2, quantity_change=-3),
    errors.QuantityLimitExceeded(),
    errors.StaleQuantity(quantity_on_hand=2),
    errors.ReasonNotFound(),
    errors.ReasonDirection(direction="decrease"),
    errors.CountSuperseded(counted_through=datetime.now(UTC)),
    errors.AlreadyReversed(reversed_by=UUID(int=7)),
    errors.IdempotencyKeyReused(key="k"),
]


def an_adjusted(**changes: object) -> dict[str, Any]:
    """An event; a member of its detail that is changed to ``...`` is left out."""
    detail = adjustment_members(an_adjustment()) | changes
    kept = {name: value for name, value in detail.items() if value is not ...}
    return delivered({"DetailType": ADJUSTED, "Source": SOURCE, "Detail": detail_text(kept)})


def a_rejected(error: errors.ServiceError, payload: JSONValue = None) -> dict[str, Any]:
    detail = rejection(MessageRequest(payload, "m-1"), error)
    return delivered({"DetailType": REJECTED, "Source": SOURCE, "Detail": detail})


def an_invalid(payload: JSONValue) -> errors.InvalidRequest:
    with pytest.raises(errors.InvalidRequest) as raised:
        MessageRequest(payload, "m-1").requested()
    return raised.value


def test_there_is_one_for_each_event_and_each_is_a_schema_of_draft_2020_12() -> None:
    assert {schema(name)["properties"]["detail-type"]["const"] for name in NAMES} == {ADJUSTED, REJECTED}
    for name in NAMES:
        assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema(name)["title"] == schema(name)["properties"]["detail-type"]["const"]
        assert schema(name)["properties"]["source"] == {"const": SOURCE}
        jsonschema_rs.meta.validate(schema(name))


def test_the_schema_of_an_adjustment_names_its_members_and_the_domains_limits() -> None:
    adjustment = schema("inventory-adjusted")["$defs"]["adjustment"]
    members = adjustment["properties"]
    assert adjustment["required"] == list(members) == list(adjustment_members(an_adjustment()))
    # A count can correct from one end of the quantities to the other.
    assert (members["delta"]["minimum"], members["delta"]["maximum"]) == (-2 * QUANTITY_MAX, 2 * QUANTITY_MAX)
    balance = members["quantity_after"]
    assert (balance["minimum"], balance["maximum"]) == (-QUANTITY_MAX, QUANTITY_MAX)
    assert members["counted_quantity"]["maximum"] == QUANTITY_MAX
    assert members["kind"]["enum"] == [*get_args(Kind.__value__)]
    assert members["group_size"]["maximum"] == ATOMIC_OPERATIONS_MAX - 1
    assert all(re.fullmatch(members["reason_code"]["pattern"], each) for each in BUILT_IN_REASON_CODES)


def test_an_adjustment_may_have_further_members_some_day() -> None:
    assert_event(an_adjusted(colour="red"), "inventory-adjusted")


@pytest.mark.parametrize("member", adjustment_members(an_adjustment()))
def test_an_adjustment_event_without_one_of_its_members_is_invalid(member: str) -> None:
    assert problems(an_adjusted(**{member: ...}), "inventory-adjusted")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x"},
        {"business_id": None},
        {"delta": 2 * 2**53 - 1},
        {"delta": "5"},
        {"correction_reason": ""},
        {"created_at": "2026-11-23T14:05:09Z"},
        {"created_at": "2026-11-23T14:05:09.123456+00:00"},
        {"quantity_after": 2**53},
        {"quantity_after": 1.5},
        {"sequence": 0},
        {"reason_code": "A whim"},
        {"kind": "whim"},
        {"group_line": -1},
        {"group_size": 0},
        {"counted_quantity": -1},
        {"counted_at": "today"},
        {"sku": ""},
        {"occurred_at": "2026-11-23T14:05:09Z"},
        {"reverses": "x"},
    ],
    ids=str,
)
def test_an_impossible_adjustment_event_is_invalid(changes: dict[str, object]) -> None:
    assert problems(an_adjusted(**changes), "inventory-adjusted")


@pytest.mark.parametrize("error", TELLABLE, ids=lambda error: type(error).__name__)
def test_every_published_rejection_fits_the_schema(error: errors.ServiceError) -> None:
    assert_event(a_rejected(error, {"anything": [1, None]}), "inventory-adjustment-rejected")


def test_only_client_errors_are_published_as_rejections() -> None:
    assert {ERROR_ANSWERS[type(error)].status // 100 for error in TELLABLE} == {4}


@pytest.mark.parametrize(
    "payload",
    [None, [], "text", {}, a_payload(quantity_change=0, colour="red"), a_payload(reason="x" * 300_000)],
    ids=["null", "list", "text", "empty", "two fields", "trimmed"],
)
def test_every_published_invalid_request_fits_the_schema(payload: Any) -> None:
    assert_event(a_rejected(an_invalid(payload), payload), "inventory-adjustment-rejected")


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"request": {}},
        {"error": {"type": "VariantNotFound", "detail": {"code": "variant_not_found", "message": ""}}},
        {"request": {}, "error": {"type": "VariantNotFound", "detail": []}},
        {"request": {}, "error": {"type": "VariantNotFound", "detail": {"message": ""}}},
        {"request": {}, "error": {"type": "InvalidRequest", "detail": []}},
        {"request": {}, "error": {"type": "InvalidRequest", "detail": {"code": "x", "message": ""}}},
        {"request": {}, "error": {"type": "variant_not_found", "detail": {"code": "x", "message": ""}}},
    ],
    ids=json.dumps,
)
def test_an_impossible_rejection_event_is_invalid(detail: dict[str, object]) -> None:
    event = delivered({"DetailType": REJECTED, "Source": SOURCE, "Detail": json.dumps(detail)})
    assert problems(event, "inventory-adjustment-rejected")


def test_the_two_events_do_not_fit_each_others_schema() -> None:
    assert problems(an_adjusted(), "inventory-adjustment-rejected")
    assert problems(a_rejected(errors.VariantNotFound()), "inventory-adjusted")
