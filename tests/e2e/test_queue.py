"""Callers without HTTP: messages and events end in ledger rows, in a told refusal or in the dead-letter queue."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

import pytest

from inventory.adjust import keyed_id
from tests.e2e.inbox import subscribed, wait_until
from tests.e2e.service import assert_books_balance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def test_numbers_arrive_as_they_were_written(service: Service, business: Business, rejections: Inbox) -> None:
    text = json.dumps(business.payload("?"))
    send(service, [text.replace('"?"', "5.0"), text.replace('"?"', "5.0000000000000001")])
    (row,) = rows(business, 1)
    assert row["delta"]["N"] == "5"
    (event,) = rejections.told(1)
    assert event["detail"]["error"]["detail"][0]["type"] == "int_type"


def test_one_key_changes_stock_once_however_it_comes(service: Service, business: Business) -> None:
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


def test_a_refusal_is_told_with_the_request_as_it_was_sent(
    service: Service, business: Business, rejections: Inbox
) -> None:
    refused = business.payload(-1, idempotency_key="k", reference="order 17")
    send(service, [refused])
    (event,) = rejections.told(1)
    assert (event["source"], event["detail-type"]) == ("inventory.adjustments", "InventoryAdjustmentRejected")
    assert event["detail"]["request"] == refused
    assert event["detail"]["error"]["type"] == "InsufficientStock"
    assert event["detail"]["error"]["detail"]["code"] == "insufficient_stock"
    assert event["detail"]["error"]["detail"]["quantity_on_hand"] == 0
    assert business.ledger() == []


def test_an_event_that_is_refused_is_told_in_the_same_way(
    service: Service, business: Business, rejections: Inbox
) -> None:
    refused = business.payload(0, colour="red")
    publish(service, refused)
    (event,) = rejections.told(1)
    assert event["detail"]["request"] == refused
    assert event["detail"]["error"]["type"] == "InvalidRequest"
    assert [entry["loc"] for entry in event["detail"]["error"]["detail"]] == [
        ["body", "quantity_change"],
        ["body", "colour"],
    ]


def test_a_refused_request_leaves_its_key_free(service: Service, business: Business, rejections: Inbox) -> None:
    send(service, [business.payload(-1, idempotency_key="k")])
    rejections.told(1)
    send(service, [business.payload(5, idempotency_key="k")])
    assert len(rows(business, 1)) == 1
    assert len(rejections.collect()) == 1


# -------------------------------------------------------------------------------------------------------- bad messages


def test_what_cannot_be_read_leaves_the_others_untouched(
    service: Service, business: Business, rejections: Inbox, local_stack: LocalStack
) -> None:
    assert local_stack, "on a deployed stack dead letters call somebody"
    good = [business.payload(1) for _ in range(5)]
    send(service, [good[0], POISON[0], good[1], POISON[1], good[2], POISON[2], good[3], POISON[3], good[4]])
    rows(business, 5)
    assert business.stock() == (5, 5)
    assert rejections.collect() == []


def test_what_cannot_be_read_ends_in_the_dead_letter_queue(
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


# ----------------------------------------------------------------------------------------------------------- all of it


def test_sixty_messages_on_one_item_end_in_books_that_are_exact_to_the_unit(
    service: Service, business: Business, rejections: Inbox
) -> None:
    """In random order: increases, each sent twice, refusals and poison, as messages and as events."""
    increases = {f"in-{number}": business.payload(number, idempotency_key=f"in-{number}") for number in range(1, 21)}
    refused = [
        *(business.payload(-1_000_000, idempotency_key=f"out-{number}") for number in range(5)),
        *(business.payload(0, idempotency_key=f"zero-{number}") for number in range(3)),
        *(business.payload(1, idempotency_key=f"else-{number}", variant_id=str(uuid4())) for number in range(4)),
    ]
    poison = [] if os.environ.get("DEPLOYED_STACK") else [*POISON, *POISON]
    messages: list[object] = [*increases.values(), *increases.values(), *refused, *poison]
    random.Random(60).shuffle(messages)
    kept = hidden(service) + len(poison)

    send(service, messages[:30])
    for message in messages[30:]:
        if isinstance(message, dict):
            publish(service, message)
        else:
            send(service, [message])
    wait_until(lambda: handled(service, kept=kept) and len(rejections.collect()) >= len(refused))

    assert_books_balance(business, [{"id": str(keyed_id(UUID(business.id), key))} for key in increases])
    assert business.stock() == (sum(range(1, 21)), 20)
    assert sorted(event["detail"]["request"]["idempotency_key"] for event in rejections.collect()) == sorted(
        str(each["idempotency_key"]) for each in refused
    )
