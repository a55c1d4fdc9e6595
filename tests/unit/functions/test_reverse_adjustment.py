"""Reversals over HTTP: what is asked for, what is answered, and whose adjustments can be reversed."""

from __future__ import annotations

import json
from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.timestamps import instant_text
from tests.support.builders.domain import a_stock_item, an_adjustment
from tests.support.builders.ids import ADJUSTMENT, BUSINESS, LOCATION, NOW, OTHER_BUSINESS, TICK, VARIANT
from tests.support.builders.requests import an_authorizer_context
from tests.support.faults.wire import broken, cancelled, fault
from tests.support.harness.loading import Context, load_event
from tests.support.harness.write_service import Answer, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.faults.wire import Reply

KEY = "Idempotency-Key"
KEY_PLACE = ("header", "idempotency-key")
ID_PLACE = ("path", "id")
OTHER = UUID("bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """The reverse function of a shop where ``ADJUSTMENT`` brought in the five that are on hand."""
    made = Service(monkeypatch, capsys, function="reverse_adjustment")
    made.tables.with_catalog()
    made.tables.with_stock(a_stock_item(5, sequence=1))
    made.tables.with_row(an_adjustment())
    return made


def post(service: Service, body: object = None, *, named: str = str(ADJUSTMENT), **event: Any) -> Answer:
    """Ask for the reversal of the adjustment that is ``named`` in the path."""
    route = {
        "resource": "/api/v1/inventory/adjustments/{id}/reversal",
        "path": f"/api/v1/inventory/adjustments/{named}/reversal",
        "pathParameters": {"id": named},
    }
    return service.post({"reason": "wrong shelf"} if body is None else body, **route | event)


# --- what is answered ------------------------------------------------------------------------------------------------


def test_a_reversal_is_answered_with_201_and_its_own_path(service: Service) -> None:
    answer = post(service, context=Context(aws_request_id="the-request"))

    assert answer.status == 201
    assert answer.headers == {
        "Content-Type": "application/json",
        "x-request-id": "the-request",
        "Location": f"../{answer.body['id']}",
    }
    assert answer.body | {"id": "", "created_at": ""} == {
        "id": "",
        "business_id": str(BUSINESS),
        "variant_id": str(VARIANT),
        "delta": -5,
        "correction_reason": "wrong shelf",
        "location_id": str(LOCATION),
        "created_at": "",
        "quantity_after": 0,
        "sequence": 2,
        "reason_code": None,
        "reference": None,
        "created_by": "till 4",
        "reverses": str(ADJUSTMENT),
        "kind": "reversal",
        "group_id": None,
        "group_line": None,
        "group_size": None,
        "counted_quantity": None,
        "counted_at": None,
        "sku": None,
        "occurred_at": None,
    }


def test_a_replay_returns_the_original_answer_with_the_replay_header(service: Service) -> None:
    first, second = (post(service, headers=[(KEY, "key")]) for _ in range(2))

    assert (first.status, second.status) == (201, 201)
    assert second.body == first.body
    assert second.headers == first.headers | {"Idempotent-Replayed": "true"}
    assert len(service.tables.requests["TransactWriteItems"]) == 1


def test_a_second_reversal_is_rejected_with_the_id_of_the_first(service: Service) -> None:
    first, second = (post(service) for _ in range(2))

    assert (second.status, second.body) == (
        409,
        {
            "detail": {
                "code": "already_reversed",
                "message": "This adjustment was already reversed.",
                "reversed_by": first.body["id"],
            }
        },
    )


def test_a_key_of_another_request_is_reported_at_its_header(service: Service) -> None:
    post(service, headers=[(KEY, "key")])

    for named in (ADJUSTMENT, OTHER):
        answer = post(service, {"reason": "another"}, named=str(named), headers=[(KEY, "key")])
        assert (answer.status, answer.problems) == (422, [(KEY_PLACE, "idempotency_key_reused")])


def test_stock_that_was_sold_cannot_be_reversed(service: Service) -> None:
    service.tables.with_stock(a_stock_item(2, sequence=2))

    answer = post(service)

    assert (answer.status, answer.code) == (409, "insufficient_stock")
    assert (answer.body["detail"]["quantity_on_hand"], answer.body["detail"]["quantity_change"]) == (2, -5)


@pytest.mark.parametrize(
    ("operation", "met"),
    [
        ("BatchGetItem", broken()),
        ("BatchGetItem", fault("ThrottlingException")),
        ("TransactGetItems", broken()),
        ("TransactGetItems", fault("ThrottlingException")),
        ("TransactGetItems", cancelled("TransactionConflict")),
        ("TransactWriteItems", broken()),
        ("TransactWriteItems", cancelled("None", "None", "TransactionConflict")),
    ],
)
def test_a_lasting_fault_of_the_tables_is_answered_with_503_and_retry_after(
    service: Service, operation: str, met: Reply
) -> None:
    service.tables.meets(operation, met)

    answer = post(service)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "try_again", "1")


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactGetItems", "TransactWriteItems"])
def test_an_internal_error_is_answered_with_500_without_details(service: Service, operation: str) -> None:
    service.tables.meets(operation, fault("AccessDeniedException"))

    answer = post(service)

    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.body["detail"].keys() == {"code", "message"}


def test_a_lost_answer_is_found_in_the_ledger(service: Service) -> None:
    service.tables.answers_are_lost = True

    answer = post(service)

    assert (answer.status, answer.body["reverses"]) == (201, str(ADJUSTMENT))
    assert "Idempotent-Replayed" not in answer.headers
    assert len(service.tables.rows) == 2


def test_nothing_begins_with_too_little_time_left(service: Service) -> None:
    assert post(service, context=Context(remaining_ms=3_000)).status == 503
    assert service.tables.requests == {}


@pytest.mark.parametrize("event", [{}, [], None, {"requestContext": None}], ids=str)
def test_an_event_that_the_gateway_never_sends_is_unauthorized(service: Service, event: Any) -> None:
    response = service.module.handler(event, Context())

    assert (response["statusCode"], json.loads(response["body"])["detail"]["code"]) == (401, "unauthorized")


# --- validity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        str(ADJUSTMENT).upper(),
        ADJUSTMENT.hex,
        f"{{{ADJUSTMENT}}}",
        f"urn:uuid:{ADJUSTMENT}",
    ],
)
def test_an_adjustment_may_be_spelt_as_any_uuid_may(service: Service, spelling: str) -> None:
    answer = post(service, named=spelling)

    assert (answer.status, answer.body["reverses"]) == (201, str(ADJUSTMENT))


@pytest.mark.parametrize(
    "named", ["", "x", f"{ADJUSTMENT}0", f" {ADJUSTMENT}", "%7B" + str(ADJUSTMENT) + "%7D", "é", "\x00", "../..", "0"]
)
def test_an_invalid_uuid_is_reported_at_the_path_as_in_fastapi(service: Service, named: str) -> None:
    answer = post(service, named=named)

    assert (answer.status, answer.problems) == (422, [(ID_PLACE, "uuid_parsing")])
    (entry,) = answer.body["detail"]
    assert (entry["loc"], entry["input"]) == (["path", "id"], named)
    assert entry["msg"].startswith("Input should be a valid UUID, ")
    assert entry["ctx"].keys() == {"error"}
    assert service.tables.requests == {}


def test_half_a_surrogate_pair_in_a_path_is_rejected(service: Service) -> None:
    answer = post(service, named="\ud800")

    assert (answer.status, [place for place, _ in answer.problems]) == (422, [ID_PLACE])


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_path_without_an_id_is_rejected(service: Service, parameters: dict[str, str] | None) -> None:
    answer = post(service, pathParameters=parameters)

    assert answer.problems == [(ID_PLACE, "uuid_parsing")]
    assert answer.body["detail"][0]["input"] == ""


def test_errors_of_the_path_come_first_then_those_of_the_header_then_those_of_the_body(service: Service) -> None:
    answer = post(service, {"reason": " ", "delta": -5}, named="x", headers=[(KEY, "two words")])

    assert answer.problems == [
        (ID_PLACE, "uuid_parsing"),
        (KEY_PLACE, "value_error"),
        (("body", "reason"), "string_too_short"),
        (("body", "delta"), "extra_forbidden"),
    ]


def test_a_bad_path_is_reported_even_when_the_body_is_not_json(service: Service) -> None:
    assert post(service, b"{", named="x").problems == [(ID_PLACE, "uuid_parsing"), (("body", "*"), "json_invalid")]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, (("body", "reason"), "missing")),
        ({"reason": None}, (("body", "reason"), "string_type")),
        ({"reason": "\t"}, (("body", "reason"), "string_too_short")),
        ({"reason": "x" * 501}, (("body", "reason"), "string_too_long")),
        ({"reason": "bell\a"}, (("body", "reason"), "value_error")),
        ([], (("body",), "model_attributes_type")),
        (b"", (("body",), "missing")),
        (b"\xff", (("body", "*"), "json_invalid")),
    ],
    ids=str,
)
def test_the_reason_follows_the_rule_of_a_creation(
    service: Service, body: object, problem: tuple[tuple[str, ...], str]
) -> None:
    assert post(service, body).problems == [problem]


@pytest.mark.parametrize(
    "name",
    ["variant_id", "location_id", "quantity_change", "reason_code", "reference", "expected_quantity", "id", "reverses"],
)
def test_a_reversal_takes_no_field_but_the_reason(service: Service, name: str) -> None:
    answer = post(service, {"reason": "wrong shelf", name: None})

    assert answer.problems == [(("body", name), "extra_forbidden")]


# --- whose -----------------------------------------------------------------------------------------------------------


def of_another_business() -> dict[str, Any]:
    return {
        "authorizer": an_authorizer_context(business_id=str(OTHER_BUSINESS)),
        "multiValueHeaders": {"x-business-id": [str(OTHER_BUSINESS)]},
    }


def test_unknown_and_foreign_adjustments_are_both_not_found(service: Service) -> None:
    service.tables.with_business(OTHER_BUSINESS)
    service.tables.with_variant(business_id=OTHER_BUSINESS)
    service.tables.with_location(business_id=OTHER_BUSINESS)

    answers = [post(service, named=str(OTHER)), post(service, **of_another_business())]

    expected = {"code": "adjustment_not_found", "message": "There is no such adjustment in this business."}
    assert [(answer.status, answer.body["detail"]) for answer in answers] == [(404, expected)] * 2
    assert len(service.tables.rows) == 1


@pytest.mark.parametrize("scopes", ["", "adjustments:read", "adjustments:read adjustments:write", "reverse"])
def test_a_token_without_the_scope_to_reverse_is_forbidden(service: Service, scopes: str) -> None:
    answer = post(service, authorizer=an_authorizer_context(scopes=scopes))

    assert (answer.status, answer.code) == (403, "forbidden")
    assert service.tables.requests == {}


def test_the_scope_to_reverse_is_sufficient(service: Service) -> None:
    assert post(service, authorizer=an_authorizer_context(scopes="adjustments:reverse")).status == 201


@pytest.mark.parametrize("context", [{}, {"authorizer": None}, {"authorizer": {}}], ids=["absent", "null", "empty"])
def test_a_request_that_passed_no_authorizer_is_unauthorized(service: Service, context: Mapping[str, object]) -> None:
    answer = post(service, b"{", named="x", requestContext=context)

    assert (answer.status, answer.code, answer.headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    assert service.tables.requests == {}


@pytest.mark.parametrize(("left", "status"), [(TICK, 201), (timedelta(0), 401)], ids=str)
def test_a_token_that_expired_after_the_authorizer_answered_is_unauthorized(
    service: Service, left: timedelta, status: int
) -> None:
    service.module.adjuster = replace(service.module.adjuster, clock=lambda: NOW)

    assert post(service, authorizer=an_authorizer_context(expires_at=instant_text(NOW + left))).status == status


def test_a_header_that_names_another_business_is_forbidden_before_all_else(service: Service) -> None:
    answer = post(service, b"{", named="x", multiValueHeaders={"x-business-id": [str(OTHER_BUSINESS)]})

    assert (answer.status, answer.code) == (403, "forbidden")


# --- metrics and logs ------------------------------------------------------------------------------------------------


def metrics_and_line(service: Service) -> tuple[list[str], dict[str, Any]]:
    """The names of the metrics and the log line of the one request since the last call."""
    line, metric = service.printed()
    return [each["Name"] for each in metric["_aws"]["CloudWatchMetrics"][0]["Metrics"]], line


def test_each_outcome_of_a_reversal_is_counted_once_and_logged_without_sent_text(
    service: Service,
) -> None:
    body, headers = {"reason": "whispered"}, [(KEY, "key-of-the-caller")]
    lines = []
    for expected in ("AdjustmentReversed", "AdjustmentReplayed"):
        post(service, body, headers=headers)
        names, line = metrics_and_line(service)
        assert names == [expected]
        lines.append(line)
    post(service, body)
    names, line = metrics_and_line(service)

    assert names == ["AlreadyReversed"]
    assert [each["message"] for each in [*lines, line]] == [
        "adjustment reversed",
        "adjustment replayed",
        "request refused",
    ]
    assert [each["reverses"] for each in lines] == [str(ADJUSTMENT)] * 2
    assert not [secret for secret in ("whispered", "key-of", "dz_secret") if secret in json.dumps([lines, line])]


def test_the_event_logging_setting_of_powertools_logs_no_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    service = Service(monkeypatch, capsys, function="reverse_adjustment")
    service.tables.with_catalog()

    post(service)

    assert "dz_secret" not in json.dumps(service.printed())


def test_the_handler_understands_the_sample_event(service: Service) -> None:
    answer = service.post_event(**load_event("reverse-adjustment-api"))

    assert (answer.status, answer.code) == (404, "adjustment_not_found")
