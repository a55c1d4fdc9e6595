"""One line for each request, with the same members whatever became of it, and each of them documented."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from inventory.api.routes import CREATE_BATCH
from inventory.entrypoints.responses import ERROR_ANSWERS
from tests.support.builders.ids import BUSINESS, GATEWAY_REQUEST_ID
from tests.support.builders.requests import a_body, a_payload, an_api_event
from tests.support.faults.wire import broken, fault
from tests.support.harness.read_service import LIST
from tests.support.pages import rows, section
from tests.unit.functions.test_export_by_invocation import Invoked
from tests.unit.functions.test_ingest_adjustments import Ingest
from tests.unit.functions.test_logs_and_metrics import OUTCOMES, lines, provoke
from tests.unit.functions.test_reverse_adjustment import post
from tests.unit.functions.test_reverse_adjustment import service as reversing  # noqa: F401  a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.harness.read_service import ReadService
    from tests.support.harness.write_service import Service

ALWAYS = {"code", "duration_ms", "function_request_id"}
OF_LAMBDA = {"xray_trace_id"}
"""Powertools copies it from the environment where Lambda traces."""


def documented() -> set[str]:
    members = [row[0] for row in rows(section("docs/operations.md", "Logs"))[1:]]
    return {name for each in members for name in re.findall(r"\w+", each)}


def only_line(service: Any) -> dict[str, Any]:
    (line,), _ = lines(service)
    assert isinstance(line, dict)
    return line


# --- over HTTP, and by direct invocation


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_logs_one_line_with_the_common_members(service: Service, name: str) -> None:
    provoke(service, name)

    line = only_line(service)

    assert line.keys() >= ALWAYS
    assert line["gateway_request_id"] == GATEWAY_REQUEST_ID
    codes = {each.__name__: answer.code for each, answer in ERROR_ANSWERS.items()}
    assert line["code"] == (codes | {"AdjustmentCreated": "created", "AdjustmentReplayed": "replayed"})[name]
    vouched_for = name not in {"Forbidden", "Unauthorized"}
    assert line.get("business_id") == (str(BUSINESS) if vouched_for else None)
    assert ("attempts" in line) == (name not in {"Forbidden", "Unauthorized", "InvalidRequest"})


def test_a_rejection_is_logged_with_its_attempts(service: Service) -> None:
    service.tables.meets("BatchGetItem", broken(), broken(), None)

    service.post(a_body(quantity_change=-1))

    line = only_line(service)
    assert (line["code"], line["attempts"]) == ("insufficient_stock", 3)


def test_a_fault_is_logged_in_the_same_one_line(service: Service) -> None:
    service.tables.meets("BatchGetItem", fault("AccessDeniedException"))

    with pytest.raises(Exception, match="internal_error"):
        service.invoke(a_payload())

    line = only_line(service)
    assert (line["code"], line["level"], line["attempts"], line["business_id"]) == (
        "internal_error",
        "ERROR",
        1,
        str(BUSINESS),
    )
    assert "gateway_request_id" not in line


def test_the_duration_comes_from_a_monotonic_clock(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[float] = iter([10.0, 10.0421])
    monkeypatch.setattr("inventory.entrypoints.telemetry.perf_counter", lambda: next(ticks))

    service.post()

    assert only_line(service)["duration_ms"] == 42.1


def test_a_reversals_line_has_the_common_members(reversing: Service) -> None:  # noqa: F811
    post(reversing)
    made = only_line(reversing)
    post(reversing)
    refused = only_line(reversing)

    assert (made["code"], made["attempts"], made["gateway_request_id"]) == ("reversed", 1, GATEWAY_REQUEST_ID)
    assert (refused["code"], refused["attempts"], refused["business_id"]) == ("already_reversed", 1, str(BUSINESS))
    assert made.keys() >= ALWAYS | {"adjustment_id", "sequence", "reverses"}
    assert refused.keys() >= ALWAYS


def test_a_reads_line_has_the_common_members(reading: ReadService) -> None:
    reading.get(LIST)
    answered = only_line(reading)
    reading.get(LIST, [("limit", "0")])
    refused = only_line(reading)

    assert (answered["code"], answered["resource"], answered["business_id"]) == ("read", LIST, str(BUSINESS))
    assert (refused["code"], refused["business_id"]) == ("invalid_request", str(BUSINESS))
    assert "attempts" not in answered.keys() | refused.keys()
    assert answered.keys() >= ALWAYS
    assert refused.keys() >= ALWAYS


# --- the gateway's request id ----------------------------------------------------------------------------------------


SECRET = "dz_0123456789secretsecretsecretsecretAB"


@pytest.mark.parametrize(
    "request_id", [None, 5, {"a": 1}, "", "a text", "x" * 10_000, SECRET, f"{GATEWAY_REQUEST_ID} {SECRET}"], ids=str
)
def test_only_a_uuid_is_logged_as_the_gateways_request_id(service: Service, request_id: object) -> None:
    context = an_api_event()["requestContext"]
    assert service.post_event(requestContext=context | {"requestId": request_id}).status == 201

    assert "gateway_request_id" not in only_line(service)


@pytest.mark.parametrize("request_id", [SECRET, GATEWAY_REQUEST_ID])
def test_the_request_id_is_logged_for_events_of_the_gateway_only(service: Service, request_id: str) -> None:
    with pytest.raises(Exception, match="extra_forbidden"):
        service.invoke(a_payload() | {"requestContext": {"requestId": request_id}})

    assert "gateway_request_id" not in only_line(service)


# --- the documentation


def test_the_documented_members_are_those_that_are_logged(
    service: Service,
    reversing: Service,  # noqa: F811
    reading: ReadService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written: set[str] = set()
    service.post()
    service.post(b"{")
    for mode in ("atomic", "each"):
        service.post({"mode": mode, "lines": [a_body()]}, resource=CREATE_BATCH.path, path=CREATE_BATCH.path)
    service.tables.meets("TransactWriteItems", fault("AccessDeniedException"))
    service.post()
    post(reversing)
    reading.get(LIST)
    ingest = Ingest(monkeypatch, capsys)
    ingest.tables.with_catalog()
    ingest.receive(a_payload(), "{")
    export = Invoked(monkeypatch, capsys)
    export({"command": "export", "business_id": str(BUSINESS), "format": "csv"})
    for text in capsys.readouterr().out.splitlines():
        line = json.loads(text)
        written |= set() if "_aws" in line else line.keys()

    assert written - OF_LAMBDA == documented() - {"ledger_key"}
