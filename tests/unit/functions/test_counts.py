"""Stock counts over HTTP and directly: with and without an instant, right ones, and those that came too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.routes import RECORD_COUNT
from inventory.domain.timestamps import instant_text
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, OTHER_LOCATION, VARIANT
from tests.support.builders.requests import a_body

if TYPE_CHECKING:
    from tests.support.harness.write_service import Answer, Service

KEY_PLACE = ("header", "idempotency-key")


def a_count(**changes: object) -> dict[str, object]:
    members = {"variant_id": str(VARIANT), "counted_quantity": 7} | changes
    return {name: value for name, value in members.items() if value is not ...}


def count(service: Service, *, key: str | None = None, **changes: Any) -> Answer:
    return service.post_to(RECORD_COUNT, a_count(**changes), key=key)


def adjust(service: Service, quantity_change: int) -> dict[str, Any]:
    row: dict[str, Any] = service.post(a_body(quantity_change=quantity_change)).body
    return row


def test_a_count_corrects_the_quantity_on_hand_to_what_was_counted(service: Service) -> None:
    service.tables.with_stock(a_stock_item(10))

    answer = count(service)

    assert answer.status == 201
    assert answer.headers["Location"] == f"adjustments/{answer.body['id']}"
    expected = {
        "kind": "count",
        "delta": -3,
        "quantity_after": 7,
        "counted_quantity": 7,
        "counted_at": None,
        "correction_reason": "Stock count",
        "reason_code": "count_variance",
        "group_id": None,
    }
    assert answer.body.items() >= expected.items()


@pytest.mark.parametrize("on_hand", [0, 10])
def test_a_count_that_was_right_is_a_row_with_a_sequence(service: Service, on_hand: int) -> None:
    if on_hand:
        service.tables.with_stock(a_stock_item(on_hand))

    answer = count(service, counted_quantity=on_hand)

    assert (answer.body["delta"], answer.body["sequence"]) == (0, 42 if on_hand else 1)
    assert len(service.tables.rows) == 1


def test_every_field_of_a_count_is_kept(service: Service) -> None:
    service.tables.with_location(OTHER_LOCATION)
    service.tables.with_sku("BOOT-42")
    now = instant_text(datetime.now(UTC))

    answer = count(
        service,
        variant_id=...,
        sku=" BOOT-42 ",
        location_id=str(OTHER_LOCATION),
        reason="Found behind the shelf",
        reason_code="found",
        reference="Sheet 12",
        occurred_at=now,
        counted_at=now,
        expected_quantity=0,
    )

    expected = {
        "variant_id": str(VARIANT),
        "sku": "BOOT-42",
        "location_id": str(OTHER_LOCATION),
        "correction_reason": "Found behind the shelf",
        "reason_code": "found",
        "reference": "Sheet 12",
        "occurred_at": now,
        "counted_at": now,
        "delta": 7,
    }
    assert answer.status == 201
    assert answer.body.items() >= expected.items()


def test_a_late_count_keeps_what_was_sold_since(service: Service) -> None:
    seen = adjust(service, 10)
    adjust(service, -4)

    answer = count(service, counted_quantity=9, counted_at=seen["created_at"])

    assert (answer.body["delta"], answer.body["quantity_after"]) == (-1, 5)


def test_a_count_of_an_instant_before_another_count_was_written_is_superseded(service: Service) -> None:
    seen = adjust(service, 10)
    other = count(service, counted_quantity=9, counted_at=seen["created_at"])

    answer = count(service, counted_quantity=8, counted_at=seen["created_at"])

    assert (answer.status, answer.code) == (409, "count_superseded")
    assert answer.body["detail"]["counted_through"] == other.body["created_at"]
    assert count(service, counted_quantity=8).status == 201, "without an instant it is of now"


def test_a_count_that_would_leave_less_than_nothing_is_refused(service: Service) -> None:
    seen = adjust(service, 10)
    adjust(service, -8)

    answer = count(service, counted_quantity=7, counted_at=seen["created_at"])

    assert answer.code == "insufficient_stock"
    assert (answer.body["detail"]["quantity_on_hand"], answer.body["detail"]["quantity_change"]) == (2, -3)


def test_a_repeat_under_a_key_is_compared_by_what_was_counted_never_by_the_difference(service: Service) -> None:
    first = count(service, key="sheet")
    adjust(service, -2)

    again = count(service, key="sheet", location_id=None, reason=None, reason_code=None)

    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert count(service, key="sheet", counted_quantity=8).problems == [(KEY_PLACE, "idempotency_key_reused")]
    assert count(service, key="sheet", counted_at=instant_text(datetime.now(UTC))).problems == [
        (KEY_PLACE, "idempotency_key_reused")
    ]
    assert len(service.tables.rows) == 2


def test_two_spellings_of_one_instant_are_one_request(service: Service) -> None:
    first = count(service, key="sheet", counted_at="2026-11-23T14:00:00Z")

    again = count(service, key="sheet", counted_at="2026-11-23T15:00:00.000+01:00")

    assert (again.status, again.body) == (201, first.body)
    assert first.body["counted_at"] == "2026-11-23T14:00:00.000000Z"


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"counted_quantity": ...}, [(("body", "counted_quantity"), "missing")]),
        ({"counted_quantity": None}, [(("body", "counted_quantity"), "int_type")]),
        ({"counted_quantity": -1}, [(("body", "counted_quantity"), "greater_than_equal")]),
        ({"counted_quantity": 2**53}, [(("body", "counted_quantity"), "less_than_equal")]),
        ({"counted_quantity": 1.5}, [(("body", "counted_quantity"), "int_type")]),
        ({"counted_at": "2026-11-23T14:00:00"}, [(("body", "counted_at"), "timezone_aware")]),
        ({"counted_at": 0}, [(("body", "counted_at"), "datetime_from_date_parsing")]),
        ({"quantity_change": 1}, [(("body", "quantity_change"), "extra_forbidden")]),
        ({"variant_id": ...}, [(("body", "variant_id"), "missing")]),
        ({"sku": "x"}, [(("body", "sku"), "value_error")]),
        ({"reason": " "}, [(("body", "reason"), "string_too_short")]),
    ],
    ids=str,
)
def test_each_field_of_a_count_is_validated(service: Service, changes: dict[str, Any], problems: list[object]) -> None:
    assert count(service, **changes).problems == problems
    assert service.tables.rows == []


@pytest.mark.parametrize(("ahead", "status"), [(timedelta(seconds=30), 201), (timedelta(seconds=90), 422)], ids=str)
def test_a_clock_may_be_a_minute_ahead_of_ours(service: Service, ahead: timedelta, status: int) -> None:
    answer = count(service, counted_at=instant_text(datetime.now(UTC) + ahead))

    assert answer.status == status
    if status == 422:
        assert answer.problems == [(("body", "counted_at"), "value_error")]


def test_a_reason_code_of_the_business_is_held_to_its_direction_unless_nothing_changes(service: Service) -> None:
    service.tables.with_reason("sample", direction="decrease")
    service.tables.with_stock(a_stock_item(7))

    assert count(service, reason_code="sample").status == 201
    answer = count(service, counted_quantity=8, reason_code="sample")
    assert (answer.status, answer.code, answer.body["detail"]["direction"]) == (409, "reason_direction", "decrease")


def test_a_count_is_invoked_directly_with_the_same_body(service: Service) -> None:
    over_http = count(service, key="sheet")

    answer = service.invoke(a_count(business_id=str(BUSINESS), idempotency_key="sheet", reason=None))

    assert answer == over_http.body
