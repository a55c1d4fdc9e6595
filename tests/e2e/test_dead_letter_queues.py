"""A failed request is in a dead-letter queue with its reason, and `make redrive` sends it again.

The emulator repeats an asynchronous invocation after one and two seconds, AWS after one and two minutes. It knows one
setting for a function whatever its alias; that the alias has the same one is a test of the template.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from inventory.domain.rules import keyed_id
from tests.e2e.inbox import dead_letter_queue, lying_in, subscribed, wait_until
from tests.support.harness.event_schemas import assert_event

if TYPE_CHECKING:
    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service


@pytest.fixture
def stack(local_stack: LocalStack) -> LocalStack:
    """On a deployed stack a message in a dead-letter queue raises an alarm."""
    return local_stack


def invoke_asynchronously(service: Service, payload: object) -> None:
    reply = service.functions.invoke(
        FunctionName=service.outputs["CreateAdjustmentFunctionName"],
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
    )
    assert reply["StatusCode"] == 202


# ------------------------------------------------------------------------------------------- asynchronous invocation


def test_an_asynchronous_invocation_becomes_one_ledger_row(service: Service, business: Business) -> None:
    invoke_asynchronously(service, business.payload(7))
    wait_until(business.ledger)
    assert business.stock() == (7, 1)


def test_a_rejected_invocation_is_dead_lettered_and_applied_by_a_redrive_with_stock(
    service: Service, business: Business, stack: LocalStack
) -> None:
    queue_url = dead_letter_queue(stack, service, "FailedInvocationsQueue")
    refused = business.payload(-3, reference="order 17")
    invoke_asynchronously(service, refused)
    wait_until(lambda: lying_in(service, queue_url, business.id))
    (message,) = lying_in(service, queue_url, business.id)

    record: dict[str, Any] = json.loads(message["Body"])
    assert record["requestPayload"] == refused
    assert record["responsePayload"]["errorType"] == "InsufficientStock"
    assert json.loads(record["responsePayload"]["errorMessage"])["quantity_on_hand"] == 0
    assert business.ledger() == []

    shown = stack.make("redrive", QUEUE="invocations", DRY="1")
    assert shown.returncode == 0, shown.stderr
    assert "InsufficientStock There is not enough stock on hand" in shown.stdout
    assert lying_in(service, queue_url, business.id)

    business.opened_with(10)
    moved = stack.make("redrive", QUEUE="invocations")
    assert moved.returncode == 0, moved.stderr
    wait_until(lambda: len(business.ledger()) == 2)
    assert business.stock() == (7, 2)
    assert lying_in(service, queue_url, business.id) == []


# ------------------------------------------------------------------------------------------------------------ requests


def test_a_dead_lettered_request_is_applied_once_after_any_number_of_redrives(
    service: Service, business: Business, stack: LocalStack
) -> None:
    queue_url = dead_letter_queue(stack, service, "AdjustmentRequestsDeadLetterQueue")
    body = json.dumps(business.payload(5))
    message_id = service.queues.send_message(QueueUrl=queue_url, MessageBody=body)["MessageId"]
    poison = f"{{ {uuid4()}"
    service.queues.send_message(QueueUrl=queue_url, MessageBody=poison)

    moved = stack.make("redrive")

    assert moved.returncode == 0, moved.stderr
    assert message_id in moved.stdout
    wait_until(business.ledger)
    (row,) = business.ledger()
    assert row["id"]["S"] == str(keyed_id(UUID(business.id), message_id))
    assert len(lying_in(service, queue_url, poison)) == 1
    # It was sent, but its deletion was never heard of: so it is moved again.
    service.queues.send_message(
        QueueUrl=queue_url,
        MessageBody=body,
        MessageAttributes={"original_id": {"DataType": "String", "StringValue": message_id}},
    )
    assert stack.make("redrive").returncode == 0
    service.queues.send_message(
        QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"], MessageBody=json.dumps(business.payload(1))
    )
    wait_until(lambda: len(business.ledger()) >= 2)
    assert business.stock() == (6, 2)


def test_a_redriven_request_that_is_rejected_is_published(
    service: Service, business: Business, stack: LocalStack
) -> None:
    queue_url = dead_letter_queue(stack, service, "AdjustmentRequestsDeadLetterQueue")
    with subscribed(
        service, ["InventoryAdjustmentRejected"], {"request": {"business_id": [business.id]}}
    ) as rejections:
        for request in (business.payload(-5), business.payload(0)):
            service.queues.send_message(QueueUrl=queue_url, MessageBody=json.dumps(request))
        assert stack.make("redrive").returncode == 0
        events = rejections.wait_for(2)
    assert sorted(event["detail"]["error"]["type"] for event in events) == ["InsufficientStock", "InvalidRequest"]
    for event in events:
        assert_event(event, "inventory-adjustment-rejected")
    assert business.ledger() == []
