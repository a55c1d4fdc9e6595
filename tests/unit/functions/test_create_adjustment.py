"""The API's answers besides validation: 201 and its headers, replays, refusals, 503 and 500."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inventory.domain.retry_budget import ATTEMPTS_MAX
from inventory.domain.timestamps import parse_instant
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_body
from tests.support.faults.wire import broken, cancelled, fault, reply
from tests.support.harness.loading import Context

if TYPE_CHECKING:
    from tests.support.faults.wire import Reply
    from tests.support.harness.write_service import Answer, Service

KEYED = [("Idempotency-Key", "key")]


def test_a_created_adjustment_is_answered_with_201_and_its_own_path(service: Service) -> None:
    answer = service.post(context=Context(aws_request_id="the-request"))

    assert answer.status == 201
    assert answer.headers == {
        "Content-Type": "application/json",
        "x-request-id": "the-request",
        "Location": f"adjustments/{answer.body['id']}",
    }


def test_created_at_is_the_present_in_utc_with_microseconds(service: Service) -> None:
    text = service.post().body["created_at"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert abs(parse_instant(text) - datetime.now(UTC)) < timedelta(minutes=5)


def test_each_adjustment_continues_the_chain(service: Service) -> None:
    answers = [service.post(a_body(quantity_change=change)).body for change in (10, -3, 1)]

    assert [(answer["sequence"], answer["quantity_after"]) for answer in answers] == [(1, 10), (2, 7), (3, 8)]
    assert sorted(answer["created_at"] for answer in answers) == [answer["created_at"] for answer in answers]
    assert len({answer["created_at"] for answer in answers}) == 3


def test_a_replay_returns_the_original_answer_with_the_replay_header(service: Service) -> None:
    first, second = (service.post(headers=KEYED) for _ in range(2))

    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers == first.headers | {"Idempotent-Replayed": "true"}
    assert "Idempotent-Replayed" not in first.headers
    assert len(service.tables.rows) == 1


@pytest.mark.parametrize(
    "spelling",
    [
        {"variant_id": VARIANT.hex.upper()},
        {"quantity_change": 5.0},
        {"reason": "  restock\n"},
        {"location_id": None},
        {"reason_code": None, "reference": None, "expected_quantity": None},
    ],
    ids=str,
)
def test_another_spelling_of_the_ids_is_the_same_request(service: Service, spelling: dict[str, object]) -> None:
    service.post(headers=KEYED)

    assert service.post(a_body(**spelling), headers=KEYED).headers["Idempotent-Replayed"] == "true"
    assert len(service.tables.rows) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"variant_id": str(OTHER_VARIANT)},
        {"quantity_change": 6},
        {"reason": "Restock"},
        {"location_id": str(LOCATION)},
        {"location_id": str(OTHER_LOCATION)},
        {"reason_code": "found"},
        {"reference": "count 7"},
        {"expected_quantity": 0},
    ],
    ids=str,
)
def test_another_request_under_the_same_key_is_rejected_and_writes_nothing(
    service: Service, change: dict[str, object]
) -> None:
    service.post(headers=KEYED)

    answer = service.post(a_body(**change), headers=KEYED)

    assert (answer.status, answer.problems) == (422, [(("header", "idempotency-key"), "idempotency_key_reused")])
    assert answer.body["detail"][0]["input"] == "key"
    assert len(service.tables.rows) == 1


def test_a_refused_request_leaves_no_trace_and_its_key_may_be_used_again(service: Service) -> None:
    refused = service.post(a_body(quantity_change=-5), headers=KEYED)
    service.tables.with_stock(a_stock_item(5))

    again = service.post(a_body(quantity_change=-5), headers=KEYED)

    assert refused.body["detail"] == {
        "code": "insufficient_stock",
        "message": "There is not enough stock on hand for this change.",
        "quantity_on_hand": 0,
        "quantity_change": -5,
    }
    assert (refused.status, again.status, "Idempotent-Replayed" in again.headers) == (409, 201, False)


def test_a_lost_answer_is_found_in_the_ledger(service: Service) -> None:
    """The write is applied, its answer is lost, and the caller still gets a 201."""
    service.tables.answers_are_lost = True

    answer = service.post()

    assert (answer.status, "Idempotent-Replayed" in answer.headers) == (201, False)
    assert len(service.tables.rows) == 1


@pytest.mark.parametrize(
    "met",
    [
        broken(),
        reply({}),
        fault("ThrottlingException"),
        fault("ProvisionedThroughputExceededException"),
        fault("RequestLimitExceeded"),
        fault("InternalServerError", 500),
        fault("ServiceUnavailable", 503),
        fault("Anything", 502),
    ],
    ids=["cut off", "truncated", "throttled", "over capacity", "over limit", "500", "503", "502"],
)
@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
def test_a_lasting_fault_of_the_tables_is_answered_with_503_and_retry_after(
    service: Service, operation: str, met: Reply
) -> None:
    service.tables.meets(operation, met)

    answer = service.post(headers=KEYED)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "try_again", "1")
    assert len(service.tables.requests[operation]) == ATTEMPTS_MAX


@pytest.mark.parametrize(
    "met", [broken(), reply({}), cancelled("TransactionConflict")], ids=["closed", "{}", "conflict"]
)
def test_a_rejection_is_answered_with_503_when_the_row_of_its_key_cannot_be_read(service: Service, met: Reply) -> None:
    service.tables.meets("TransactGetItems", met)

    answer = service.post(a_body(quantity_change=-1_000_000), headers=KEYED)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "try_again", "1")
    assert len(service.tables.requests["TransactGetItems"]) == ATTEMPTS_MAX


def test_an_internal_error_on_the_read_before_a_rejection_is_answered_with_500(service: Service) -> None:
    service.tables.meets("TransactGetItems", fault("AccessDeniedException"))

    answer = service.post(a_body(quantity_change=-1_000_000), headers=KEYED)

    assert (answer.status, answer.code) == (500, "internal_error")


def test_contention_is_retried(service: Service) -> None:
    conflict = cancelled("TransactionConflict", "None")
    service.tables.meets("TransactWriteItems", conflict, conflict, None)

    assert service.post().status == 201
    assert len(service.pauses_s) == 2


def test_nothing_begins_with_too_little_time_left(service: Service) -> None:
    answer = service.post(context=Context(remaining_ms=3_499))

    assert (answer.status, answer.code) == (503, "try_again")
    assert service.tables.requests == {}


@pytest.mark.parametrize(
    "met",
    [
        fault("AccessDeniedException"),
        fault("ResourceNotFoundException"),
        fault("ValidationException"),
        fault("UnrecognizedClientException"),
        cancelled("None", "ValidationError"),
        RuntimeError("secret-table in arn:aws:dynamodb"),
    ],
    ids=["denied", "no table", "bad request", "bad credentials", "bad item", "a bug"],
)
def test_an_internal_error_is_answered_with_500_without_details(service: Service, met: Reply) -> None:
    service.tables.meets("TransactWriteItems", met)

    answer = service.post()

    assert answer.status == 500
    assert answer.body == {
        "detail": {"code": "internal_error", "message": "The service failed. The fault was recorded."}
    }
    assert not re.search("secret|arn:|botocore|dynamo|pydantic", json.dumps(answer.headers), re.IGNORECASE)


@pytest.mark.parametrize("remains", ["variant", "location", "default"])
def test_a_replay_needs_neither_variant_nor_location_nor_default(service: Service, remains: str) -> None:
    first = service.post(headers=KEYED)
    service.tables.with_variant(active=remains != "variant")
    service.tables.with_location(active=remains != "location")
    service.tables.with_business(default=None if remains == "default" else LOCATION)

    assert replayed(service.post(headers=KEYED), first)


def replayed(answer: Answer, first: Answer) -> bool:
    return answer.body == first.body and answer.headers.get("Idempotent-Replayed") == "true"


def test_the_function_is_wired_to_the_real_clock_and_to_fresh_ids(service: Service) -> None:
    parts = service.module.adjuster

    assert abs(parts.clock() - datetime.now(UTC)) < timedelta(minutes=1)
    assert parts.new_id() != parts.new_id()
    assert parts.fraction() != parts.fraction()
