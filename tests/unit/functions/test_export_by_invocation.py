"""The read function invoked directly: which payloads are exports, and the errors that an invoker gets."""

from __future__ import annotations

import json
import sys
from copy import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from inventory.domain.errors import StoreUnavailable
from inventory.domain.timestamps import instant_text
from tests.support.builders.ids import BUSINESS, NOW, OTHER_BUSINESS
from tests.support.builders.requests import an_api_event
from tests.support.fakes.ledger_index import IndexedLedger, a_history
from tests.support.faults.wire import Wire, reply
from tests.support.harness.loading import Context, load_event, load_handler

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = a_history([(0, 0, 1), (1, 0, 2), (0, 0, 3)])


class Invoked:
    """One environment of the function; its exports read a ledger in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        settings = {"INVENTORY_TABLE": "inventory", "LEDGER_TABLE": "ledger", "POWERTOOLS_METRICS_NAMESPACE": "Tests"}
        self.module = load_handler("read_inventory", monkeypatch, **settings)
        self.ledger = IndexedLedger(list(ROWS))
        self.real_exporter = self.module.exporter
        self.module.exporter = replace(
            self.real_exporter, businesses=self.ledger, index=self.ledger, clock=lambda: NOW + timedelta(hours=1)
        )
        self._capsys = capsys

    def __call__(self, payload: object, *, context: Context | None = None) -> Any:
        self.module.logger.registered_handler.stream = sys.stdout
        return json.loads(json.dumps(self.module.handler(payload, context or Context())))

    def refusal(self, payload: object, *, context: Context | None = None) -> tuple[str, Any]:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            self(payload, context=context)
        return type(caught.value).__name__, json.loads(str(caught.value))

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def invoked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoked:
    return Invoked(monkeypatch, capsys)


def a_payload(**fields: object) -> dict[str, object]:
    # It ends in the past, so that nothing is waited for.
    return {"command": "export", "business_id": str(BUSINESS), "created_to": "2026-11-23T14:05:09Z"} | fields


def test_a_page_is_text_to_append_and_says_where_the_export_ends_and_how_it_goes_on(invoked: Invoked) -> None:
    answer = invoked(a_payload())
    assert [json.loads(line)["hash"] for line in answer.pop("text").splitlines()] == [row.hash for row in ROWS]
    assert answer == {
        "rows": 3,
        "first_created_at": instant_text(ROWS[0].created_at),
        "last_created_at": instant_text(ROWS[-1].created_at),
        "created_to": "2026-11-23T14:05:09.000000Z",
        "next_cursor": None,
    }


def test_the_next_page_is_asked_for_with_the_cursor_and_the_same_fields(invoked: Invoked) -> None:
    invoked.module.exporter = replace(invoked.module.exporter, text_size_max_bytes=1)
    answers = [invoked(a_payload(format="csv"))]
    while (cursor := answers[-1]["next_cursor"]) is not None:
        answers.append(invoked(a_payload(format="csv", cursor=cursor)))
    assert [answer["rows"] for answer in answers] == [1, 1, 1]
    assert "".join(answer["text"] for answer in answers).count("\r\n") == 4


def test_the_sample_event_is_an_export(invoked: Invoked) -> None:
    event = load_event("read-inventory-export")
    invoked.ledger.businesses.add(UUID(event["business_id"]))
    invoked.module.exporter = replace(invoked.module.exporter, clock=lambda: NOW)
    assert invoked(event | {"created_to": "2026-11-01T00:00:00Z"})["text"].startswith("form,id,")


def test_an_unknown_business_is_a_function_error_of_that_name(invoked: Invoked) -> None:
    kind, detail = invoked.refusal(a_payload(business_id=str(OTHER_BUSINESS)))
    assert (kind, detail["code"]) == ("BusinessNotFound", "business_not_found")


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"command": "export"}, a_payload(cursor="made up")])
def test_an_event_that_is_not_a_page_request_is_invalid(payload: object, invoked: Invoked) -> None:
    kind, entries = invoked.refusal(payload)
    assert kind == "InvalidRequest"
    assert all("input" not in entry for entry in entries)


def test_an_unavailable_store_is_raised_as_try_again(invoked: Invoked) -> None:
    def fail(_: int) -> None:
        raise StoreUnavailable

    invoked.ledger.before_query = fail
    # Too little time is left for a second attempt.
    kind, detail = invoked.refusal(a_payload(), context=Context(remaining_ms=4_050))
    assert (kind, detail["code"]) == ("TryAgain", "try_again")


def test_an_internal_error_of_an_export_has_no_details(invoked: Invoked) -> None:
    def fail(_: int) -> None:
        raise KeyError("secret-table")

    invoked.ledger.before_query = fail
    kind, detail = invoked.refusal(a_payload())
    assert (kind, detail["code"]) == ("InternalError", "internal_error")
    assert "secret" not in json.dumps(detail)


def test_an_api_event_is_never_an_export(invoked: Invoked) -> None:
    event = an_api_event(a_payload(), resource="/api/v1/inventory/levels", httpMethod="GET")
    event["queryStringParameters"] = {"as_of": "now"}
    assert invoked(event)["statusCode"] == 422
    assert invoked.ledger.read == []


def test_a_payload_with_only_parts_of_an_api_event_is_not_an_api_event(invoked: Invoked) -> None:
    kind, _ = invoked.refusal(a_payload(httpMethod="GET", path="/", resource="/api/v1/inventory/levels"))
    assert kind == "InvalidRequest"


def test_the_log_names_the_business_and_nothing_of_the_exported_rows(invoked: Invoked) -> None:
    invoked(a_payload())
    lines = invoked.logged()
    (line,) = [line for line in lines if line.get("message") == "export page answered"]
    assert (line["business_id"], line["rows"], line["is_last"]) == (str(BUSINESS), 3, True)
    assert [line["ExportPageAnswered"] for line in lines if "_aws" in line] == [[1.0]]
    assert "restock" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("found", "answered"), [([{"pk": {"S": "x"}}], True), ([], False)], ids=["a business", "no business"]
)
def test_a_business_exists_when_it_has_settings(found: list[object], answered: bool, invoked: Invoked) -> None:  # noqa: FBT001
    businesses = invoked.real_exporter.businesses
    wire = Wire(
        businesses._client,
        "BatchGetItem",
        reply({"Responses": {"inventory": found}, "UnprocessedKeys": {}, "ConsumedCapacity": []}),
    )
    has_business: Callable[..., bool] = businesses.has_business
    assert has_business(BUSINESS) is answered
    assert wire.calls == 1
