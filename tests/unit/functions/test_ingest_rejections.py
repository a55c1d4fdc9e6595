"""A message ends as applied or as rejected, never as both, however often it is delivered."""

from __future__ import annotations

import json
import sys
from copy import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from inventory.entrypoints.messages import read_message
from inventory.storage import keys
from tests.support.builders.domain import a_stock_item
from tests.support.builders.ids import BUSINESS, LOCATION, OTHER_LOCATION, OTHER_VARIANT, VARIANT
from tests.support.builders.requests import a_payload
from tests.support.fakes.event_bus import MemoryBus
from tests.support.fakes.tables import INVENTORY_TABLE, LEDGER_TABLE, Tables
from tests.support.faults.wire import broken, cancelled, fault
from tests.support.harness.loading import Context, load_event, load_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.entrypoints.shapes import QueueRecord
    from tests.support.faults.wire import Reply

READ, WRITE = "BatchGetItem", "TransactWriteItems"
TAKEN = a_payload(quantity_change=-5, idempotency_key="pick-1")


class Queue:
    """The queue's function on tables and a bus in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        settings = {"INVENTORY_TABLE": INVENTORY_TABLE, "LEDGER_TABLE": LEDGER_TABLE, "EVENT_BUS": "the-bus"}
        module = load_handler("ingest_adjustments", monkeypatch, **settings, POWERTOOLS_METRICS_NAMESPACE="Tests")
        module.at_once = map
        module.adjuster = replace(module.adjuster, sleep=lambda _: None)
        self._module = module
        self._capsys = capsys
        self.tables = Tables(module.client)
        self.tables.with_catalog()
        self.tables.with_location(OTHER_LOCATION)
        self.bus = MemoryBus(module.events)

    def deliver(
        self, body: object, *, message_id: str = "m-1", count: int = 1, original_id: str | None = None
    ) -> list[str]:
        """Deliver one message; return the ids of those that return to the queue."""
        return self.deliver_all(a_record(body, message_id, count=count, original_id=original_id))

    def deliver_all(self, *records: object) -> list[str]:
        self._module.logger.registered_handler.stream = sys.stdout
        answer = self._module.handler({"Records": list(records)}, Context(remaining_ms=30_000))
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def stock(self, quantity: int) -> None:
        """Let there be so much on hand, by a row of somebody else."""
        sequence = 1 + len(self.tables.rows)
        self.tables.with_stock(a_stock_item(quantity, sequence=sequence))

    @property
    def deltas(self) -> list[str]:
        return [row["delta"]["N"] for row in self.tables.rows]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [detail["error"] for detail in self.bus.details]

    @property
    def markers(self) -> list[dict[str, Any]]:
        """The markers of rejected messages."""
        return [item for (_, pk, _), item in self.tables.items.items() if pk.startswith(keys.MESSAGE)]

    def without_marker(self) -> Callable[[], None]:
        """Take the only marker away; return what puts it back."""
        (place,) = [each for each in self.tables.items if each[1].startswith(keys.MESSAGE)]
        marker = self.tables.items.pop(place)
        return lambda: self.tables.items.update({place: marker})

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def before(self, operation: str, number: int, act: Callable[[], None]) -> None:
        """Let something happen right before the call of an operation with this number, from 0."""
        calls: list[object] = []

        def count(**_: object) -> None:
            calls.append(None)
            if len(calls) == number + 1:
                act()

        self._module.client.meta.events.register_first(f"before-send.dynamodb.{operation}", count)


def a_record(body: object, message_id: str, *, count: int = 1, original_id: str | None = None) -> dict[str, Any]:
    record: dict[str, Any] = load_event("ingest-adjustments")["Records"][0]
    attributes = record["attributes"] | {"ApproximateReceiveCount": str(count)}
    named = {} if original_id is None else {"original_id": {"stringValue": original_id}}
    text = body if isinstance(body, str) else json.dumps(body)
    return record | {"messageId": message_id, "body": text, "attributes": attributes, "messageAttributes": named}


def an_event(detail: object, event_id: str = "e-1") -> dict[str, object]:
    event: dict[str, object] = json.loads(load_event("ingest-adjustments")["Records"][1]["body"])
    return event | {"id": event_id, "detail": detail}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Queue:
    return Queue(monkeypatch, capsys)


BATCH = {
    "business_id": str(BUSINESS),
    "lines": [{"variant_id": str(VARIANT), "quantity_change": change, "reason": "Picked"} for change in (-2, -3)],
}
TRANSFER = {
    "business_id": str(BUSINESS),
    "from_location_id": str(LOCATION),
    "to_location_id": str(OTHER_LOCATION),
    "reason": "Moved",
    "lines": [{"variant_id": str(VARIANT), "quantity": 5}],
}


@pytest.mark.parametrize("count", [1, 2], ids=["as a copy that SQS calls the first", "again"])
@pytest.mark.parametrize("body", [TAKEN, a_payload(quantity_change=-5), BATCH, TRANSFER, an_event(TAKEN)])
def test_a_rejected_message_is_not_applied_when_stock_has_come_in(
    queue: Queue, body: dict[str, object], count: int
) -> None:
    assert queue.deliver(body) == []
    queue.stock(9)

    assert queue.deliver(body, count=count) == []

    assert queue.deltas == []
    first, second = queue.errors
    assert first["type"] == "InsufficientStock"
    assert second == first


@pytest.mark.parametrize("count", [1, 2], ids=["as a copy that SQS calls the first", "again"])
def test_a_rejected_count_is_not_applied_when_its_variant_has_come(queue: Queue, count: int) -> None:
    counted = {
        "business_id": str(BUSINESS),
        "variant_id": str(OTHER_VARIANT),
        "counted_quantity": 7,
        "reason": "Counted",
    }
    assert queue.deliver(counted) == []
    queue.tables.with_variant(OTHER_VARIANT)

    assert queue.deliver(counted, count=count) == []
    assert queue.deltas == []
    assert [error["type"] for error in queue.errors] == ["VariantNotFound"] * 2

    assert queue.deliver(counted, message_id="m-2", count=count) == []
    assert queue.deltas == ["7"]


def test_after_a_rejection_the_key_is_free_for_a_new_message(queue: Queue) -> None:
    queue.deliver(TAKEN)
    queue.stock(9)

    assert queue.deliver(TAKEN, message_id="m-2") == []
    assert queue.deliver(TAKEN, count=2) == []

    assert queue.deltas == ["-5"]
    assert [detail["message_id"] for detail in queue.bus.details] == ["m-1", "m-1"]


def test_one_key_in_one_batch_is_free_for_the_second_message_after_the_first_one_is_rejected(queue: Queue) -> None:
    brought = a_payload(quantity_change=9, idempotency_key="delivery")
    batch = [a_record(TAKEN, "m-1"), a_record(brought, "m-2"), a_record(TAKEN, "m-3")]

    assert queue.deliver_all(*batch) == []

    assert queue.deltas == ["9", "-5"]
    assert [detail["message_id"] for detail in queue.bus.details] == ["m-1"]


def test_a_rejected_message_that_is_redriven_is_still_rejected(queue: Queue) -> None:
    queue.deliver(TAKEN)
    queue.stock(9)

    assert queue.deliver(TAKEN, message_id="m-9", original_id="m-1") == []

    assert queue.deltas == []
    assert [detail["message_id"] for detail in queue.bus.details] == ["m-1", "m-1"]


def test_a_failed_invocation_that_was_applied_is_found_by_its_redrive(queue: Queue) -> None:
    """Its last attempt lost the answer of its commit: so there is a row, and a record that it failed."""
    queue.stock(5)
    payload = a_payload(quantity_change=-5)
    queue.deliver(payload, message_id="request-1")
    queue.stock(0)

    assert queue.deliver(payload, message_id="m-9", original_id="request-1") == []

    assert queue.deltas == ["-5"]
    assert queue.errors == []


def test_the_same_id_with_another_body_is_another_message(queue: Queue) -> None:
    """Somebody put right what was rejected, and sends it under the first id."""
    queue.deliver(TAKEN)
    queue.stock(9)

    assert queue.deliver(TAKEN | {"quantity_change": -4}, message_id="m-9", original_id="m-1") == []

    assert queue.deltas == ["-4"]


def test_an_event_that_eventbridge_delivers_twice_is_one_message(queue: Queue) -> None:
    queue.deliver(an_event(TAKEN))
    queue.stock(9)

    assert queue.deliver(an_event(TAKEN), message_id="m-2") == []
    assert queue.deltas == []

    assert queue.deliver(an_event(TAKEN, "e-2"), message_id="m-3") == []
    assert queue.deltas == ["-5"]


def test_an_event_in_two_messages_of_one_batch_is_one_message(queue: Queue) -> None:
    """Stock comes in between the two: the first would be rejected, and the second applied."""
    brought = a_payload(quantity_change=9)
    batch = [a_record(an_event(TAKEN), "m-1"), a_record(brought, "m-2"), a_record(an_event(TAKEN), "m-3")]

    assert queue.deliver_all(*batch) == []

    assert queue.deltas == ["9"]
    assert [detail["message_id"] for detail in queue.bus.details] == ["m-1"]


def test_of_an_event_in_two_messages_both_return_to_the_queue(queue: Queue) -> None:
    queue.tables.meets(WRITE, broken())
    batch = [a_record(an_event(TAKEN), "m-1"), a_record(an_event(TAKEN), "m-3"), a_record(an_event(TAKEN), "m-3")]

    assert queue.deliver_all(*batch) == ["m-1", "m-3"]


def test_an_applied_message_is_a_replay_whatever_the_stock_is_later(queue: Queue) -> None:
    queue.stock(5)
    queue.deliver(TAKEN)

    assert queue.deliver(TAKEN, count=2) == []

    assert queue.deltas == ["-5"]
    assert queue.errors == []
    assert queue.markers == []


def test_what_is_applied_at_once_costs_no_write_and_no_check(queue: Queue) -> None:
    queue.stock(5)
    queue.deliver(TAKEN)

    (request,) = queue.tables.requests[WRITE]
    assert [*map(list, request["TransactItems"])] == [["Update"], ["Put"]]


@pytest.mark.parametrize("delivery", [{"count": 2}, {"message_id": "m-9", "original_id": "m-1"}])
def test_a_repeated_delivery_is_applied_only_if_no_other_is_rejected_meanwhile(
    queue: Queue, delivery: dict[str, Any]
) -> None:
    """Another delivery is rejected right before this one is committed."""
    queue.deliver(TAKEN)
    put_back = queue.without_marker()
    queue.stock(9)
    queue.before(WRITE, 0, put_back)

    assert queue.deliver(TAKEN, **delivery) == []

    assert queue.deltas == []
    assert [error["type"] for error in queue.errors] == ["InsufficientStock"] * 2


def test_a_delivery_is_rejected_only_if_no_other_is_applied_meanwhile(queue: Queue) -> None:
    """Another delivery is applied right before this one is marked as rejected: it finds the row later."""
    other = dict(queue.tables.items)

    def another_is_applied() -> None:
        queue.tables.items |= other

    queue.stock(5)
    queue.deliver(TAKEN)
    other |= {place: item for place, item in queue.tables.items.items() if place[0] == LEDGER_TABLE}
    for place in [each for each in queue.tables.items if each[0] == LEDGER_TABLE]:
        del queue.tables.items[place]
    queue.stock(0)
    queue.before(WRITE, 0, another_is_applied)

    assert queue.deliver(TAKEN, count=2) == ["m-1"]
    assert queue.errors == []
    assert queue.markers == []

    assert queue.deliver(TAKEN, count=3) == []
    assert queue.errors == []
    assert queue.deltas == ["-5"]


def test_two_deliveries_that_are_rejected_at_the_same_time_report_the_same(queue: Queue) -> None:
    queue.deliver(TAKEN)
    put_back = queue.without_marker()
    queue.stock(3)
    queue.before(WRITE, 0, put_back)

    assert queue.deliver(TAKEN, count=2) == []

    assert [error["detail"]["quantity_on_hand"] for error in queue.errors] == [0, 0]


def test_the_marker_of_an_invalid_message_is_without_its_entries(queue: Queue) -> None:
    """Its entries can be large; and it would be applied if a later version of the service found it valid."""
    invalid = TAKEN | {"quantity_change": 0, "x" * 500_000: 1}

    assert queue.deliver(invalid) == []
    assert queue.deliver(invalid, count=2) == []

    (marker,) = queue.markers
    assert marker["error_type"]["S"] == "InvalidRequest"
    assert len(marker["detail"]["S"]) < 200
    assert [error["type"] for error in queue.errors] == ["InvalidRequest"] * 2


def test_a_message_that_a_later_version_finds_valid_stays_rejected(queue: Queue) -> None:
    queue.deliver(TAKEN | {"quantity_change": 0})
    (place,) = [each for each in queue.tables.items if each[1].startswith(keys.MESSAGE)]
    queue.stock(9)
    queue.deliver(TAKEN, message_id="m-2")
    record = a_record(TAKEN | {"idempotency_key": "other"}, "m-3")
    pk, sk = keys.rejection_key(read_message(cast("QueueRecord", record)).digest)
    queue.tables.items[INVENTORY_TABLE, pk, sk] = queue.tables.items[place] | {"pk": {"S": pk}}

    assert queue.deliver_all(record) == []

    assert queue.deltas == ["-5"]
    assert queue.errors[-1] == {
        "type": "InvalidRequest",
        "detail": [
            {
                "type": "value_error",
                "loc": ["body"],
                "msg": "Value error, The request is not valid.",
                "ctx": {"error": "The request is not valid."},
            }
        ],
    }


def test_a_key_of_another_request_needs_no_marker(queue: Queue) -> None:
    queue.stock(5)
    queue.deliver(TAKEN)

    assert queue.deliver(TAKEN | {"quantity_change": -1}, message_id="m-2") == []

    assert queue.errors[0]["detail"][0]["type"] == "idempotency_key_reused"
    assert queue.markers == []


@pytest.mark.parametrize("met", [broken(), fault("InternalServerError", 500), cancelled("TransactionConflict", "None")])
def test_what_cannot_be_marked_is_not_published_and_returns_to_the_queue(queue: Queue, met: Reply) -> None:
    queue.tables.meets(WRITE, met)

    assert queue.deliver(TAKEN) == ["m-1"]

    assert queue.bus.calls == 0
    assert queue.logged()[0]["code"] == "try_again"


def test_a_marker_whose_answer_is_lost_is_found_and_the_rejection_is_published(queue: Queue) -> None:
    queue.tables.answers_are_lost = True

    assert queue.deliver(TAKEN) == []

    assert len(queue.markers) == 1
    assert [error["type"] for error in queue.errors] == ["InsufficientStock"]


def test_a_missing_permission_to_mark_is_a_fault_of_that_message_alone(queue: Queue) -> None:
    queue.tables.meets(WRITE, fault("AccessDeniedException"), None)
    batch = [a_record(TAKEN, "m-1"), a_record(TAKEN | {"idempotency_key": "pick-2"}, "m-2")]

    assert queue.deliver_all(*batch) == ["m-1"]

    assert [detail["message_id"] for detail in queue.bus.details] == ["m-2"]
    assert queue.logged()[0]["code"] == "internal_error"


@pytest.mark.parametrize(("met", "code"), [(broken(), "try_again"), (fault("AccessDeniedException"), "internal_error")])
def test_while_markers_cannot_be_read_nothing_is_applied_and_invalid_messages_are_rejected(
    queue: Queue, met: Reply, code: str
) -> None:
    queue.stock(9)
    queue.tables.meets(READ, met)
    batch = [a_record(TAKEN, "m-1"), a_record(TAKEN | {"quantity_change": 0}, "m-2")]

    assert queue.deliver_all(*batch) == ["m-1"]

    assert queue.deltas == []
    assert [error["type"] for error in queue.errors] == ["InvalidRequest"]
    assert queue.logged()[0]["code"] == code


def test_a_rejection_that_is_published_again_is_logged_as_such(queue: Queue) -> None:
    queue.deliver(TAKEN)
    queue.logged()

    queue.deliver(TAKEN, count=2)

    line, *_ = queue.logged()
    assert (line["message"], line["code"], line["level"]) == ("request refused", "rejected_before", "INFO")
    assert line["message_id"] == "m-1"


def test_each_message_of_a_large_batch_is_looked_for_once_in_calls_of_a_hundred(queue: Queue) -> None:
    records = [a_record(a_payload(quantity_change=1), f"m-{number}", count=2) for number in range(250)]

    assert queue.deliver_all(*records) == []

    assert len(queue.deltas) == 250
    looked = [each["RequestItems"].get(INVENTORY_TABLE, {"Keys": []})["Keys"] for each in queue.tables.requests[READ]]
    of_messages = [len(each) for each in looked if each and each[0]["pk"]["S"].startswith(keys.MESSAGE)]
    assert of_messages == [100, 100, 50]
