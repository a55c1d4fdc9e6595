"""One metric a request, by its outcome, and log lines without anything that callers send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builders.ids import BUSINESS
from tests.support.builders.requests import a_body, a_payload, an_authorizer_context
from tests.support.faults.wire import broken, fault
from tests.support.harness.write_service import NAMESPACE, Service

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = {
    "token": "dz_secret",
    "reason": "whispered",
    "reference": "confidential",
    "key": "key-of-the-caller",
    "header": "x-private",
}
HEADERS = [("Idempotency-Key", SECRETS["key"]), ("X-Private", SECRETS["header"])]


def a_telling_body(**changes: object) -> dict[str, object]:
    return a_body(reason=SECRETS["reason"], reference=SECRETS["reference"], **changes)


def lines(service: Service) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What was printed: log lines and metrics."""
    printed = service.printed()
    return [each for each in printed if "_aws" not in each], [each for each in printed if "_aws" in each]


def outcome(metric: dict[str, Any]) -> list[str]:
    """The names of a line's metrics, each of which must count one."""
    names = [each["Name"] for each in metric["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert all(metric[name] == [1.0] for name in names)
    return names


def after_the_same(service: Service) -> None:
    service.post(a_telling_body(), headers=HEADERS)


def after_another(service: Service) -> None:
    service.post(headers=HEADERS)


GIVEN: dict[str, Callable[[Service], object]] = {
    "AdjustmentReplayed": after_the_same,
    "IdempotencyKeyReused": after_another,
    "VariantNotFound": lambda service: service.tables.with_variant(active=False),
    "LocationNotFound": lambda service: service.tables.with_location(active=False),
    "NoDefaultLocation": lambda service: service.tables.with_business(default=None),
    "TryAgain": lambda service: service.tables.meets("TransactWriteItems", broken()),
    "InternalError": lambda service: service.tables.meets("TransactWriteItems", fault("AccessDeniedException")),
}
WHEN: dict[str, dict[str, object]] = {
    "InvalidRequest": {"other": SECRETS["reason"]},
    "InsufficientStock": {"quantity_change": -1},
    "StaleQuantity": {"expected_quantity": 1},
}
AUTHORIZED: dict[str, dict[str, str]] = {"Forbidden": an_authorizer_context(scopes=""), "Unauthorized": {}}
OUTCOMES = ["AdjustmentCreated", *GIVEN, *WHEN, *AUTHORIZED]


def provoke(service: Service, name: str) -> None:
    """Send the one request that ends in this outcome, full of secrets; what is printed is of it alone."""
    if name in GIVEN:
        GIVEN[name](service)
    service.printed()
    service.post(a_telling_body(**WHEN.get(name, {})), headers=HEADERS, authorizer=AUTHORIZED.get(name))


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_request_is_counted_once_by_its_outcome(service: Service, name: str) -> None:
    provoke(service, name)

    _, metrics = lines(service)

    assert [outcome(metric) for metric in metrics] == [[name]]
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE


@pytest.mark.parametrize("name", OUTCOMES)
def test_no_log_line_holds_anything_that_was_sent(service: Service, name: str) -> None:
    provoke(service, name)

    logs, metrics = lines(service)
    text = json.dumps([logs, metrics])

    assert logs
    assert metrics
    assert [secret for secret in SECRETS.values() if secret in text] == []


@pytest.mark.usefixtures("powertools_logs_events")
def test_the_event_logging_setting_of_powertools_logs_no_token(service: Service) -> None:
    service.post(a_telling_body(), headers=HEADERS)

    logs, _ = lines(service)
    assert [line["message"] for line in logs] == ["adjustment created"]
    assert SECRETS["token"] not in json.dumps(logs)


def test_an_adjustment_is_logged_with_its_ids_and_its_attempts(service: Service) -> None:
    service.tables.meets("TransactWriteItems", broken(), None)

    answer = service.post()
    (line,), _ = lines(service)

    logged = {name: line[name] for name in ("message", "level", "business_id", "adjustment_id", "sequence", "attempts")}
    assert logged == {
        "message": "adjustment created",
        "level": "INFO",
        "business_id": str(BUSINESS),
        "adjustment_id": answer.body["id"],
        "sequence": 1,
        "attempts": 2,
    }
    assert line["function_request_id"] == answer.headers["x-request-id"]


def test_a_replay_is_logged_as_one(service: Service) -> None:
    provoke(service, "AdjustmentReplayed")

    assert [line["message"] for line in lines(service)[0]] == ["adjustment replayed"]


def test_a_refusal_is_logged_by_its_code(service: Service) -> None:
    provoke(service, "InsufficientStock")

    assert [(line["message"], line["code"]) for line in lines(service)[0]] == [
        ("request refused", "insufficient_stock")
    ]


def test_a_fault_is_logged_with_its_cause_and_answered_without(service: Service) -> None:
    provoke(service, "InternalError")

    (line,) = lines(service)[0]

    assert (line["message"], line["level"], line["exception_name"], line["code"]) == (
        "unexpected fault",
        "ERROR",
        "ClientError",
        "internal_error",
    )
    assert "AccessDeniedException" in line["exception"]


def test_a_fault_after_a_write_of_unknown_outcome_is_answered_with_503_and_logged_as_a_fault(
    service: Service,
) -> None:
    service.tables.meets("TransactWriteItems", broken())
    service.tables.meets("BatchGetItem", None, None, fault("AccessDeniedException"))

    answer = service.post(a_telling_body(), headers=HEADERS)

    (line,), metrics = lines(service)
    assert answer.status == 503
    assert (line["message"], line["level"], line["code"]) == ("unexpected fault", "ERROR", "try_again")
    assert "AccessDeniedException" in line["exception"]
    assert [outcome(metric) for metric in metrics] == [["TryAgain"]]


def test_an_expected_outcome_is_logged_without_an_exception(service: Service) -> None:
    logged = []
    for name in ("TryAgain", "InvalidRequest"):
        provoke(service, name)
        logged += lines(service)[0]

    assert len(logged) == 2
    assert [line for line in logged if "exception" in line or line["level"] != "INFO"] == []


def test_no_log_member_of_one_invocation_stays_for_the_next(service: Service) -> None:
    service.post()
    service.module.logger.append_keys(left_behind="x")
    service.printed()

    service.post(b"{")
    (line,), _ = lines(service)

    assert "left_behind" not in line
    assert "adjustment_id" not in line


@pytest.mark.parametrize(
    ("payload", "name"),
    [(a_payload(), "AdjustmentCreated"), (a_payload(quantity_change=-1), "InsufficientStock"), ([], "InvalidRequest")],
    ids=["created", "refused", "invalid"],
)
def test_a_direct_invocation_is_counted_in_the_same_way(service: Service, payload: object, name: str) -> None:
    if name == "AdjustmentCreated":
        service.invoke(payload)
    else:
        with pytest.raises(Exception, match=r"code|type"):
            service.invoke(payload)

    _, metrics = lines(service)

    assert [outcome(metric) for metric in metrics] == [[name]]


def test_a_fault_of_a_direct_invocation_is_logged_and_counted(service: Service) -> None:
    service.tables.meets("BatchGetItem", fault("AccessDeniedException"))

    with pytest.raises(Exception, match="internal_error"):
        service.invoke(a_payload(reason=SECRETS["reason"]))

    logs, metrics = lines(service)
    assert "AccessDeniedException" in logs[0]["exception"]
    assert SECRETS["reason"] not in json.dumps(logs)
    assert [outcome(metric) for metric in metrics] == [["InternalError"]]
