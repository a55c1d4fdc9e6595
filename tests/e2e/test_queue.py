"""Callers without HTTP: messages and events end in a ledger row, a published rejection or the dead-letter queue."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID, uuid4

import pytest

from inventory.domain.rules import keyed_id
from tests.e2e.inbox import resource, subscribed, wait_until
from tests.e2e.service import assert_ledger_matches
from tests.support.harness.loading import load_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.e2e.conftest import LocalStack
    from tests.e2e.inbox import Inbox
    from tests.e2e.service import Business, Service

POISON = ["{", "[]", "null", "quantity: 5"]


def send(service: Service, bodies: Sequence[object]) -> list[str]:
    """Send messages, text as it is and anything else as JSON, in batches; return their ids in order."""
    ids: list[str] = []
    for start in range(0, len(bodies), 10):
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies[start : start + 10]]
        reply = service.queues.send_message_batch(
            QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"],
            Entries=[{"Id": str(place), "MessageBody": text} for place, text in enumerate(texts)],
        )
        assert not reply.get("Failed")
        ids += [each["MessageId"] for each in sorted(reply["Successful"], key=lambda each: int(each["Id"]))]
    return ids


def publish(service: Service, detail: object, *, detail_type: str = "InventoryAdjustmentRequested") -> str:
    """Put an event on the service's bus as another system; return its id."""
    reply = service.events.put_events(
        Entries=[
            {
                "EventBusName": service.outputs["EventBusName"],
                "Source": "test.suite",
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
            }
        ]
    )
    assert reply["FailedEntryCount"] == 0
    return reply["Entries"][0]["EventId"]


def rows(business: Business, count: int) -> list[dict[str, Any]]:
    """The ledger, as soon as it has that many rows."""
    wait_until(lambda: len(business.ledger()) >= count)
    return business.ledger()


def hidden(service: Service) -> int:
    """How many messages are being handled, or wait to be delivered again."""
    return _count(service, "ApproximateNumberOfMessagesNotVisible")


def handled(service: Service, *, kept: int) -> bool:
    """Whether every message was handled; ``kept`` of them wait to be delivered again."""
    return _count(service, "ApproximateNumberOfMessages") == 0 and hidden(service) <= kept


def _count(
    service: Service, attribute: Literal["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
) -> int:
    queue_url = service.outputs["AdjustmentRequestsQueueUrl"]
    reply = service.queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[attribute])
    return int(reply["Attributes"][attribute])


@pytest.fixture
def rejections(service: Service, business: Business) -> Iterator[Inbox]:
    with subscribed(service, ["InventoryAdjustmentRejected"], {"request": {"business_id": [business.id]}}) as inbox:
        yield inbox


# ------------------------------------------------------------------------------------------------------------- success


def test_a_message_becomes_a_ledger_row_under_its_own_id(service: Service, business: Business) -> None:
    (message_id,) = send(service, [business.payload(7, reference="PO-1", actor="importer")])
    (row,) = rows(business, 1)
    assert row["id"]["S"] == str(keyed_id(UUID(business.id), message_id))
    assert (row["delta"]["N"], row["reference"]["S"], row["created_by"]["S"]) == ("7", "PO-1", "importer")
    assert business.stock() == (7, 1)


def test_an_event_on_the_bus_becomes_a_ledger_row_under_its_own_id(service: Service, business: Business) -> None:
    event_id = publish(service, business.payload(7))
    (row,) = rows(business, 1)
    assert row["id"]["S"] == str(keyed_id(UUID(business.id), event_id))
    assert row["created_by"]["S"] == "queue"


def test_numbers_of_a_message_keep_every_digit(service: Service, business: Business, rejections: Inbox) -> None:
    text = json.dumps(business.payload("?"))
    send(service, [text.replace('"?"', "5.0"), text.replace('"?"', "5.0000000000000001")])
    (row,) = rows(business, 1)
    assert row["delta"]["N"] == "5"
    (event,) = rejections.wait_for(1)
    assert event["detail"]["error"]["detail"][0]["type"] == "int_type"


def test_one_key_changes_stock_once_across_all_entry_points(service: Service, business: Business) -> None:
    kept = hidden(service)
    asked = business.payload(3, idempotency_key="k", reason="Counted")
    send(service, [asked] * 12)
    publish(service, asked)
    assert service.create_directly(asked)["delta"] == 3
    assert business.adjust(3, key="k").status_code == 201
    send(service, [business.payload(1, idempotency_key="after")])
    wait_until(lambda: handled(service, kept=kept))
    assert business.stock() == (4, 2)


def test_only_requests_are_taken_from_the_bus(service: Service, business: Business) -> None:
    publish(service, business.payload(5), detail_type="InventoryAdjusted")
    publish(service, business.payload(7))
    (row,) = rows(business, 1)
    assert row["delta"]["N"] == "7"


# ------------------------------------------------------------------------------------------------------------ refusals


def test_a_rejection_is_published_with_the_request_as_it_was_sent(
    service: Service, business: Business, rejections: Inbox
) -> None:
    refused = business.payload(-1, idempotency_key="k", reference="order 17")
    send(service, [refused])
    (event,) = rejections.wait_for(1)
    assert (event["source"], event["detail-type"]) == ("inventory.adjustments", "InventoryAdjustmentRejected")
    assert event["detail"]["request"] == refused
    assert event["detail"]["error"]["type"] == "InsufficientStock"
    assert event["detail"]["error"]["detail"]["code"] == "insufficient_stock"
    assert event["detail"]["error"]["detail"]["quantity_on_hand"] == 0
    assert business.ledger() == []


def test_a_rejected_event_is_published_in_the_same_way(service: Service, business: Business, rejections: Inbox) -> None:
    refused = business.payload(0, colour="red")
    publish(service, refused)
    (event,) = rejections.wait_for(1)
    assert event["detail"]["request"] == refused
    assert event["detail"]["error"]["type"] == "InvalidRequest"
    assert [entry["loc"] for entry in event["detail"]["error"]["detail"]] == [
        ["body", "quantity_change"],
        ["body", "colour"],
    ]


def test_a_refused_request_leaves_its_key_free(service: Service, business: Business, rejections: Inbox) -> None:
    send(service, [business.payload(-1, idempotency_key="k")])
    rejections.wait_for(1)
    send(service, [business.payload(5, idempotency_key="k")])
    assert len(rows(business, 1)) == 1
    assert len(rejections.collect()) == 1


# -------------------------------------------------------------------------------------------------------- bad messages


def test_an_unreadable_message_leaves_the_others_untouched(
    service: Service, business: Business, rejections: Inbox, local_stack: LocalStack
) -> None:
    assert local_stack, "on a deployed stack dead letters call somebody"
    good = [business.payload(1) for _ in range(5)]
    send(service, [good[0], POISON[0], good[1], POISON[1], good[2], POISON[2], good[3], POISON[3], good[4]])
    rows(business, 5)
    assert business.stock() == (5, 5)
    assert rejections.collect() == []


def test_an_unreadable_message_ends_in_the_dead_letter_queue(
    service: Service, business: Business, local_stack: LocalStack
) -> None:
    assert local_stack, "only there the wait between two deliveries can be made short for a while"
    queue_url = service.outputs["AdjustmentRequestsQueueUrl"]
    attributes = service.queues.get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
    )["Attributes"]
    dead_letter_queue = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
    dead_letter_url = service.queues.get_queue_url(QueueName=dead_letter_queue)["QueueUrl"]
    marked = f"{{ {uuid4()}"

    def arrived() -> bool:
        reply = service.queues.receive_message(QueueUrl=dead_letter_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return marked in [message["Body"] for message in reply.get("Messages", [])]

    service.queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    try:
        send(service, [marked])
        wait_until(arrived)
    finally:
        service.queues.set_queue_attributes(
            QueueUrl=queue_url, Attributes={"VisibilityTimeout": attributes["VisibilityTimeout"]}
        )
    assert business.ledger() == []


# ------------------------------------------------------------------------------------------------------------- a burst

BURST_WAIT_MAX_S = 600
"""Longer than the visibility time-out, after which a failed message is delivered again."""


@dataclass(frozen=True)
class Burst:
    """300 messages on one stock item in random order, and what must become of them, whatever their order is.

    ``once``: what is sent once, as a message or as an event. ``again``: messages that come a second time under
    the id that they had, as ``make redrive`` sends them. ``changes`` are the quantities that must be in the ledger, by
    key; ``refusals`` the types that must be published, by key.
    """

    messages: list[object]
    events: list[object]
    again: list[object]
    changes: dict[str, int]
    refusals: dict[str, str]
    poison: int

    @classmethod
    def of(cls, business: Business, *, seed: int) -> Self:
        chance = random.Random(seed)
        changes = {f"change-{number}": chance.choice([-3, -2, -1, 1, 2, 3, 4]) for number in range(140)}
        # Every second one names the default location, which is the stock item that the others mean too.
        asked = [
            business.payload(
                change, idempotency_key=key, **({"location_id": business.location_id} if number % 2 else {})
            )
            for number, (key, change) in enumerate(changes.items())
        ]
        refused: dict[str, dict[str, object]] = {
            "InsufficientStock": {"quantity_change": -1_000_000},
            "StaleQuantity": {"quantity_change": 1, "expected_quantity": -1},
            "VariantNotFound": {"quantity_change": 1, "variant_id": str(uuid4())},
            "LocationNotFound": {"quantity_change": 1, "location_id": str(uuid4())},
            "InvalidRequest": {"quantity_change": 0},
        }
        refusals = {f"{kind}-{number}": kind for kind in refused for number in range(8)}
        poison = [] if os.environ.get("DEPLOYED_STACK") else [*POISON * 5]
        messages: list[object] = [
            *asked,
            *asked[:50],  # the same key in a second message
            *(business.payload(**{"idempotency_key": key, **refused[kind]}) for key, kind in refusals.items()),
            *poison,
        ]
        chance.shuffle(messages)
        return cls(
            messages=messages,
            events=[*asked[-30:]],  # and in an event, location or not as it was: else it would be another request
            again=[business.payload(5, reference=f"again {number}") for number in range(10)],
            changes=changes,
            refusals=refusals,
            poison=len(poison),
        )


def send_all(service: Service, burst: Burst) -> list[str]:
    """Send a burst; return the ids under which the requests without a key must be in the ledger."""
    ids = send(service, burst.again)
    send(service, burst.messages[:120])
    for event in burst.events:
        publish(service, event)
    send(service, burst.messages[120:])
    for message_id, body in zip(ids, burst.again, strict=True):
        service.queues.send_message(
            QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"],
            MessageBody=json.dumps(body),
            MessageAttributes={"original_id": {"DataType": "String", "StringValue": message_id}},
        )
    return ids


def refused_types(events: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The published type by key; a rejection may be published twice, but not with two types."""
    published = {(each["detail"]["request"]["idempotency_key"], each["detail"]["error"]["type"]) for each in events}
    assert len(dict(published)) == len(published)
    return dict(published)


def row_ids(business: Business, keys: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": str(keyed_id(UUID(business.id), key))} for key in keys]


@pytest.fixture
def adjustments(service: Service, business: Business) -> Iterator[Inbox]:
    with subscribed(service, ["InventoryAdjusted"], {"business_id": [business.id]}) as inbox:
        yield inbox


@pytest.mark.timeout(2 * BURST_WAIT_MAX_S)
@pytest.mark.parametrize("http_writers", [0, 4], ids=["alone", "beside HTTP writers"])
def test_three_hundred_messages_on_one_item_are_applied_exactly(
    service: Service, business: Business, rejections: Inbox, adjustments: Inbox, http_writers: int
) -> None:
    burst = Burst.of(business, seed=300)
    assert len(burst.messages) + len(burst.events) + 2 * len(burst.again) == 280 + burst.poison
    kept = hidden(service) + burst.poison
    opening = business.adjust(1_000)
    asked = [f"http-{number}" for number in range(15 * http_writers)]

    with ThreadPoolExecutor(max(1, http_writers)) as pool:
        answers = pool.map(lambda key: business.adjust(-1, key=key), asked)
        ids = send_all(service, burst)
        by_http = [opening, *answers]
    expected = len(burst.changes) + len(ids) + len(by_http)
    wait_until(lambda: len(business.ledger()) >= expected, timeout_s=BURST_WAIT_MAX_S)
    wait_until(lambda: len(refused_types(rejections.collect())) >= len(burst.refusals), timeout_s=BURST_WAIT_MAX_S)
    wait_until(lambda: handled(service, kept=kept), timeout_s=BURST_WAIT_MAX_S)

    assert [answer.status_code for answer in by_http] == [201] * len(by_http)
    assert_ledger_matches(
        business, [*(answer.json() for answer in by_http), *row_ids(business, [*burst.changes, *ids])]
    )
    assert business.stock() == (
        1_000 + sum(burst.changes.values()) + 5 * len(ids) - len(asked),
        expected,
    )
    deltas = {row["id"]["S"]: int(row["delta"]["N"]) for row in business.ledger()}
    assert [deltas[row["id"]] for row in row_ids(business, burst.changes)] == [*burst.changes.values()]
    assert refused_types(rejections.collect()) == burst.refusals
    assert hidden(service) >= burst.poison, "what can't be read is not deleted"

    wait_until(lambda: len(adjustments.collect()) >= expected)
    published = {event["detail"]["sequence"]: event["detail"] for event in adjustments.collect()}
    assert published == {each["sequence"]: each for each in business.listed()}
    for answer in by_http:
        assert published[answer.json()["sequence"]] == answer.json()


def test_a_message_that_is_delivered_twice_is_never_both_rejected_and_applied(
    service: Service, business: Business, rejections: Inbox, local_stack: LocalStack
) -> None:
    """Stock comes in between its two deliveries. A new message with the same key is applied."""
    function = resource(local_stack, "IngestAdjustmentsFunction")
    body = json.dumps(business.payload(-5, idempotency_key="pick-1"))

    def deliver(message_id: str, receive_count: int) -> None:
        record = a_record(message_id, body)
        record["attributes"]["ApproximateReceiveCount"] = str(receive_count)
        reply = service.functions.invoke(FunctionName=function, Payload=json.dumps({"Records": [record]}).encode())
        assert json.loads(reply["Payload"].read()) == {"batchItemFailures": []}

    message_id = str(uuid4())
    deliver(message_id, 1)
    assert business.adjust(9).status_code == 201
    for receive_count in (1, 2):
        deliver(message_id, receive_count)
    assert business.stock() == (9, 1)
    events = rejections.wait_for(3)
    assert {event["detail"]["message_id"] for event in events} == {message_id}
    assert {event["detail"]["error"]["detail"]["quantity_on_hand"] for event in events} == {0}

    deliver(str(uuid4()), 1)
    assert business.stock() == (4, 2)


def test_a_batch_that_is_delivered_again_after_its_commit_changes_nothing(
    service: Service, business: Business, rejections: Inbox, local_stack: LocalStack
) -> None:
    """The function was cut off between commit and answer: SQS hands the same messages out again, in any batches."""
    function = resource(local_stack, "IngestAdjustmentsFunction")
    bodies: list[str] = [
        *(json.dumps(business.payload(number)) for number in range(1, 121)),
        *(json.dumps(business.payload(2, idempotency_key="k")) for _ in range(3)),
        json.dumps(business.payload(-1_000_000, idempotency_key="refused")),
        *POISON,
    ]
    records = [a_record(f"{business.id}-{place}", body) for place, body in enumerate(bodies)]
    unreadable = [record["messageId"] for record in records[-len(POISON) :]]

    def delivered(records: Sequence[dict[str, Any]]) -> list[str]:
        reply = service.functions.invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
        answer = json.loads(reply["Payload"].read())
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    assert delivered(records) == unreadable
    ledger, stock = business.ledger(), business.stock()
    assert (len(ledger), stock) == (121, (sum(range(1, 121)) + 2, 121))
    assert [int(row["delta"]["N"]) for row in sorted(ledger, key=lambda row: int(row["sequence"]["N"]))] == [
        *range(1, 121),
        2,
    ], "in the order of the batch"

    assert delivered(records) == unreadable
    assert delivered(records[::-2]) + delivered(records[-2::-2]) == [*unreadable[::-2], *unreadable[-2::-2]]

    assert (business.ledger(), business.stock()) == (ledger, stock)
    assert refused_types(rejections.wait_for(1)) == {"refused": "InsufficientStock"}


def a_record(message_id: str, body: str) -> dict[str, Any]:
    record: dict[str, Any] = load_event("ingest-adjustments")["Records"][0]
    return record | {"messageId": message_id, "body": body}
