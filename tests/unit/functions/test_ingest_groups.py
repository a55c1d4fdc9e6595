"""Messages that carry a batch, a transfer or a count: applied whole, or rejected whole by one event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_body, a_payload
from tests.unit.functions.test_ingest_adjustments import Ingest, an_event, row_id

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNT = {"variant_id": str(VARIANT), "counted_quantity": 7}


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ingest:
    """Ten of a variant at the default location; another variant and another location are there too."""
    made = Ingest(monkeypatch, capsys)
    made.tables.with_catalog()
    made.tables.with_variant(OTHER_VARIANT)
    made.tables.with_location(OTHER_LOCATION)
    made.tables.with_stock(a_stock_item(10, sequence=1))
    return made


def a_batch(*lines: object, **fields: object) -> dict[str, object]:
    return {"business_id": str(BUSINESS), "lines": list(lines), **fields}


def a_transfer(*quantities: int, **fields: object) -> dict[str, object]:
    named = zip((VARIANT, OTHER_VARIANT), quantities, strict=False)
    return {
        "business_id": str(BUSINESS),
        "from_location_id": str(LOCATION),
        "to_location_id": str(OTHER_LOCATION),
        "reason": "to the shop",
        "lines": [{"variant_id": str(variant), "quantity": quantity} for variant, quantity in named],
        **fields,
    }


def of_a_row(row: Mapping[str, Mapping[str, str]]) -> tuple[str, str, str | None]:
    """Kind and delta of a row, and the row of its group that it is."""
    line = row.get("group_line")
    return row.get("kind", {"S": "adjustment"})["S"], row["delta"]["N"], None if line is None else line["N"]


def only_rejection(ingest: Ingest) -> Any:
    (detail,) = ingest.bus.details
    return detail


# --- applied ----------------------------------------------------------------------------------------------------------


def test_a_message_with_lines_is_one_group_under_the_messages_id(ingest: Ingest) -> None:
    other = a_body(variant_id=str(OTHER_VARIANT), quantity_change=2)

    assert ingest.receive(a_batch(a_body(quantity_change=-3), other, COUNT, actor="sheet")) == []

    assert [of_a_row(row) for row in ingest.tables.rows] == [
        ("adjustment", "-3", "0"),
        ("adjustment", "2", "1"),
        ("count", "0", "2"),
    ]
    assert ingest.rows[0][0] == row_id("m-0")
    assert {row["group_id"]["S"] for row in ingest.tables.rows} == {row_id("m-0")}
    assert {row["created_by"]["S"] for row in ingest.tables.rows} == {"sheet"}
    assert ingest.bus.calls == 0
    logged, counted = ingest.printed()
    assert [(line["message"], line["group_id"], line["rows"]) for line in logged] == [
        ("group created", row_id("m-0"), 3)
    ]
    assert counted == {"AdjustmentCreated": 3, "StockCounted": 1}


def test_a_message_with_two_locations_is_a_transfer(ingest: Ingest) -> None:
    assert ingest.receive(a_transfer(4)) == []

    assert [of_a_row(row) for row in ingest.tables.rows] == [("transfer", "-4", "0"), ("transfer", "4", "1")]
    assert ingest.printed()[1] == {"AdjustmentCreated": 2, "StockTransferred": 2}


def test_a_message_with_a_counted_quantity_is_a_count(ingest: Ingest) -> None:
    assert ingest.receive({"business_id": str(BUSINESS), **COUNT}) == []

    assert [of_a_row(row) for row in ingest.tables.rows] == [("count", "-3", None)]


def test_an_event_carries_a_batch_too(ingest: Ingest) -> None:
    assert ingest.receive(an_event(a_batch(a_body()))) == []

    assert [row["group_id"]["S"] for row in ingest.tables.rows] == [row_id("e-1")]


def test_a_redelivered_batch_changes_nothing(ingest: Ingest) -> None:
    batch = a_batch(a_body(), a_body())
    ingest.receive(batch)

    assert ingest.receive(batch) == []

    assert len(ingest.rows) == 2
    assert ingest.printed()[1] == {"AdjustmentCreated": 2, "AdjustmentReplayed": 1}


def test_requests_of_one_stock_item_are_decided_in_their_order_whatever_they_carry(ingest: Ingest) -> None:
    single, batch, count = a_payload(quantity_change=-10), a_batch(a_body(quantity_change=4)), {**COUNT}

    assert ingest.receive(single, batch, {"business_id": str(BUSINESS), **count}) == []

    assert ingest.errors == []
    assert sorted(int(delta) for _, delta in ingest.rows) == [-10, 3, 4]


# --- rejected ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (a_batch(a_body(), a_body(quantity_change=-100)), 1),
        (a_transfer(1, 1), 1),
    ],
    ids=["batch", "transfer"],
)
def test_a_refused_line_rejects_the_whole_request_in_one_event_that_names_it(
    ingest: Ingest, request_: dict[str, object], line: int
) -> None:
    assert ingest.receive(request_, a_payload(), ids=["m-7", "m-8"]) == []

    rejected = only_rejection(ingest)
    assert (rejected["request"], rejected["message_id"]) == (request_, "m-7")
    assert (rejected["error"]["type"], rejected["error"]["detail"]["line"]) == ("InsufficientStock", line)
    assert ingest.rows == [(row_id("m-8"), "5")]


def test_the_rejection_of_an_event_names_the_event_and_the_message(ingest: Ingest) -> None:
    ingest.receive(an_event(a_batch(a_body(quantity_change=-100)), id="e-9"))

    rejected = only_rejection(ingest)
    assert (rejected["message_id"], rejected["event_id"]) == ("m-0", "e-9")


@pytest.mark.parametrize(
    ("request_", "problems"),
    [
        (a_batch(a_body(quantity_change=0), 5), [["lines", 0, "quantity_change"], ["lines", 1]]),
        (a_batch(a_body(), mode="each"), [["mode"]]),
        (a_batch(), [["lines"]]),
        (a_batch(*[a_body()] * 99), [["lines"]]),
        (a_transfer(0), [["lines", 0, "quantity"]]),
        (a_transfer(1, to_location_id=str(LOCATION)), [["to_location_id"]]),
        (a_payload(counted_quantity=-1, quantity_change=...), [["counted_quantity"]]),
        (a_payload(counted_quantity=1), [["quantity_change"]]),
        (a_batch(a_body(), business_id="x", actor=""), [["business_id"], ["actor"]]),
    ],
)
def test_what_is_not_valid_is_rejected_with_the_places_of_all_errors(
    ingest: Ingest, request_: dict[str, object], problems: list[list[str | int]]
) -> None:
    assert ingest.receive(request_) == []

    error = only_rejection(ingest)["error"]
    assert error["type"] == "InvalidRequest"
    assert [each["loc"] for each in error["detail"]] == [["body", *place] for place in problems]
    assert ingest.rows == []


def test_a_rejection_of_the_longest_lines_keeps_the_short_fields_and_says_why(ingest: Ingest) -> None:
    line = a_body(reason='"' * 500, reference="\\" * 255, sku=None)
    lines = [line | {"quantity_change": 0 if number == 60 else 1} for number in range(98)]
    large = a_batch(*lines, *[line | {"reference": "\\" * 200_000}], idempotency_key="sheet-7")

    assert ingest.receive(large) == []

    rejected = only_rejection(ingest)
    assert len(json.dumps(rejected)) <= DETAIL_SIZE_MAX_BYTES
    assert rejected["request"] == {"business_id": str(BUSINESS), "idempotency_key": "sheet-7"}
    assert ["body", "lines"] in [each["loc"] for each in rejected["error"]["detail"]]


def test_an_envelope_of_sns_is_rejected_with_the_advice_to_turn_it_off(ingest: Ingest) -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:counts",
        "Message": json.dumps(a_payload()),
        "Timestamp": "2026-11-28T20:00:00.000Z",
    }

    assert ingest.receive(envelope) == []

    rejected = only_rejection(ingest)
    (problem,) = rejected["error"]["detail"]
    assert (rejected["error"]["type"], problem["loc"], problem["type"]) == ("InvalidRequest", ["body"], "value_error")
    assert "raw message delivery" in problem["msg"]
    assert problem["input"] == envelope
    assert rejected["request"] == envelope
    assert ingest.rows == []
