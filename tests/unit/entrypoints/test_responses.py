"""One table from outcome to answer; it is complete and as the contract has it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from inventory.api.responses import refused
from inventory.domain import errors
from inventory.domain.model import Rejection
from inventory.entrypoints.responses import ERROR_ANSWERS, adjustment_members, detail_of, raised
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import ADJUSTMENT, NOW, VARIANT

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_ERROR: list[errors.ServiceError] = [
    errors.Unauthorized(),
    errors.Forbidden(),
    errors.InvalidRequest([]),
    errors.IdempotencyKeyReused(key="key"),
    errors.VariantNotFound(),
    errors.LocationNotFound(),
    errors.AdjustmentNotFound(),
    errors.BusinessNotFound(),
    errors.TokenNotFound(),
    errors.InsufficientStock(quantity_on_hand=1, quantity_change=-2),
    errors.QuantityLimitExceeded(),
    errors.StaleQuantity(quantity_on_hand=1),
    errors.NoDefaultLocation(),
    errors.AlreadyReversed(reversed_by=ADJUSTMENT),
    errors.ReasonNotFound(),
    errors.RejectedBefore(Rejection("VariantNotFound", {"code": "variant_not_found"})),
    errors.GroupNotFound(),
    errors.CountSuperseded(counted_through=NOW),
    errors.ReasonDirection(direction="increase"),
    errors.PartOfGroup(group_id=ADJUSTMENT),
    errors.NothingToReverse(parameter="id"),
    errors.InstantOutOfWindow([errors.BadInstant(None, "occurred_at", NOW, "too early")]),
    errors.UnsupportedEncoding(content_encoding="gzip"),
    errors.SkuTaken(variant_id=VARIANT),
    errors.TooManyReasons(),
    errors.ExportStopped(ledger_key="a#b"),
    errors.InternalError(),
    errors.TryAgain(),
]
BY_CONTRACT = {
    "unauthorized": 401,
    "forbidden": 403,
    "variant_not_found": 404,
    "location_not_found": 404,
    "adjustment_not_found": 404,
    "insufficient_stock": 409,
    "quantity_limit_exceeded": 409,
    "stale_quantity": 409,
    "no_default_location": 409,
    "already_reversed": 409,
    "reason_not_found": 404,
    "group_not_found": 404,
    "count_superseded": 409,
    "reason_direction": 409,
    "part_of_group": 409,
    "unsupported_encoding": 415,
    "internal_error": 500,
    "try_again": 503,
}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


def subclasses(kind: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def by_name(error: errors.ServiceError) -> str:
    return type(error).__name__


def test_every_error_of_the_service_has_an_answer() -> None:
    assert set(subclasses(errors.ServiceError)) - {errors.Refusal} == set(ERROR_ANSWERS)


def test_every_error_is_tried_below() -> None:
    assert {type(error) for error in EVERY_ERROR} == set(ERROR_ANSWERS)


def test_internal_errors_that_never_reach_a_caller_have_no_answer() -> None:
    assert not issubclass(errors.StoreUnavailable, errors.ServiceError)
    assert not issubclass(errors.CorruptData, errors.ServiceError)


def test_every_code_of_the_contract_has_its_status() -> None:
    statuses = {answer.code: answer.status for answer in ERROR_ANSWERS.values()}

    assert BY_CONTRACT.items() <= statuses.items()


def test_a_code_names_one_error_only() -> None:
    assert len({answer.code for answer in ERROR_ANSWERS.values()}) == len(ERROR_ANSWERS)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=by_name)
def test_the_name_of_an_error_is_its_code_in_camel_case(error: errors.ServiceError) -> None:
    words = re.findall("[A-Z][a-z]+", by_name(error))

    assert ERROR_ANSWERS[type(error)].code == "_".join(words).lower()


@pytest.mark.parametrize("error", EVERY_ERROR, ids=by_name)
def test_an_invoker_sees_the_name_of_an_error_or_invalid_request_for_every_422(error: errors.ServiceError) -> None:
    invalid = ERROR_ANSWERS[type(error)].status == HTTPStatus.UNPROCESSABLE_ENTITY

    assert type(raised(error)).__name__ == ("InvalidRequest" if invalid else by_name(error))


@pytest.mark.parametrize("error", EVERY_ERROR, ids=by_name)
def test_an_error_has_the_headers_of_its_status_and_no_other(error: errors.ServiceError) -> None:
    status = ERROR_ANSWERS[type(error)].status
    common = {"Content-Type": "application/json", "x-request-id": "id"}

    assert refused(error, request_id="id")["headers"] == common | HEADERS.get(status, {})
    assert refused(error, request_id="id")["statusCode"] == status


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (
            errors.InsufficientStock(quantity_on_hand=1, quantity_change=-2),
            {"quantity_on_hand": 1, "quantity_change": -2},
        ),
        (errors.StaleQuantity(quantity_on_hand=1), {"quantity_on_hand": 1}),
        (errors.AlreadyReversed(reversed_by=ADJUSTMENT), {"reversed_by": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"}),
        (errors.ExportStopped(ledger_key="a#b"), {"ledger_key": "a#b"}),
        (errors.QuantityLimitExceeded(), {}),
        (errors.VariantNotFound(), {}),
        (errors.TryAgain(), {}),
    ],
)
def test_a_detail_is_code_message_and_facts(error: errors.ServiceError, facts: dict[str, int | str]) -> None:
    assert detail_of(error) == {"code": ERROR_ANSWERS[type(error)].code, "message": error.message} | facts


def test_a_key_of_another_request_is_reported_at_its_header() -> None:
    assert detail_of(errors.IdempotencyKeyReused(key="key")) == [
        {
            "type": "idempotency_key_reused",
            "loc": ["header", "idempotency-key"],
            "msg": "This idempotency key was used for another request.",
            "input": "key",
        }
    ]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=by_name)
def test_every_error_message_is_a_sentence(error: errors.ServiceError) -> None:
    assert re.fullmatch(r"[A-Z].+\.", str(error))
    assert error.message == str(error)


def test_an_errors_facts_are_in_its_log_text() -> None:
    error = errors.InsufficientStock(quantity_on_hand=1, quantity_change=-2)

    assert error.args == (1, -2)


def test_an_adjustment_has_the_members_of_the_public_page_and_ours() -> None:
    row = an_adjustment(
        reverses=ADJUSTMENT,
        reason_code="damage",
        reference="count 7",
        kind="count",
        group_id=ADJUSTMENT,
        group_line=0,
        group_size=2,
        counted_quantity=5,
        counted_at=NOW,
        sku="SKU 7",
        occurred_at=NOW,
    )

    assert adjustment_members(row) == {
        "id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "business_id": "6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01",
        "variant_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "delta": 5,
        "correction_reason": "restock",
        "location_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "created_at": "2026-11-23T14:05:09.123456Z",
        "quantity_after": 5,
        "sequence": 1,
        "reason_code": "damage",
        "reference": "count 7",
        "created_by": "till 4",
        "reverses": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "kind": "count",
        "group_id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "group_line": 0,
        "group_size": 2,
        "counted_quantity": 5,
        "counted_at": "2026-11-23T14:05:09.123456Z",
        "sku": "SKU 7",
        "occurred_at": "2026-11-23T14:05:09.123456Z",
    }


def test_a_plain_adjustment_has_null_for_what_does_not_apply() -> None:
    members = adjustment_members(an_adjustment())

    assert members["kind"] == "adjustment"
    later = ("group_id", "group_line", "group_size", "counted_quantity", "counted_at", "sku", "occurred_at")
    assert {members[name] for name in later} == {None}


def test_the_first_refused_line_is_part_of_the_detail() -> None:
    error = errors.InsufficientStock(quantity_on_hand=1, quantity_change=-2)
    error.line = 7
    detail = detail_of(error)

    assert isinstance(detail, dict)
    assert detail["line"] == 7
    assert "line" not in str(detail_of(errors.InsufficientStock(quantity_on_hand=1, quantity_change=-2)))


def test_instants_out_of_their_window_are_named_by_line_and_field() -> None:
    found = [errors.BadInstant(3, "counted_at", NOW, "at most 60 seconds ahead")]

    assert detail_of(errors.InstantOutOfWindow(found)) == [
        {
            "type": "value_error",
            "loc": ["body", "lines", 3, "counted_at"],
            "msg": "Value error, at most 60 seconds ahead",
            "input": "2026-11-23T14:05:09.123456Z",
            "ctx": {"error": "at most 60 seconds ahead"},
        }
    ]


@pytest.mark.parametrize("parameter", ["id", "group_id"])
def test_what_changed_nothing_is_refused_at_its_place_in_the_path(parameter: str) -> None:
    rule = "There is nothing to reverse: the delta is 0."

    assert detail_of(errors.NothingToReverse(parameter=parameter)) == [
        {"type": "value_error", "loc": ["path", parameter], "msg": f"Value error, {rule}", "ctx": {"error": rule}}
    ]


def test_every_error_class_lives_in_one_module() -> None:
    assert {kind for kind in subclasses(errors.ServiceError) if kind.__module__ != errors.__name__} == set()
