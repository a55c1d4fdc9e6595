"""Every ledger row becomes an event, however it came to be, and a subscriber can follow the stock by them."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from ops.aws import REGION, EmulatedAws
from ops.local_stack import STACK_NAME
from tests.e2e.inbox import WAIT_MAX_S, dead_letter_queue, lying_in, subscribed
from tests.support.harness.event_schemas import assert_event
from tests.support.harness.loading import CREDENTIALS
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import LocalStack
    from tests.e2e.inbox import Inbox
    from tests.e2e.service import Business, Service

SUBSCRIPTION = PROJECT_ROOT / "events" / "subscription"


@pytest.fixture
def adjustments(service: Service, business: Business) -> Iterator[Inbox]:
    with subscribed(service, ["InventoryAdjusted"], {"business_id": [business.id]}) as inbox:
        yield inbox


def by_sequence(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Details in their order, each once: the bus may deliver one twice."""
    return [detail for _, detail in sorted({event["detail"]["sequence"]: event["detail"] for event in events}.items())]


def test_each_ledger_row_becomes_one_event_whose_detail_is_the_body_of_the_201(
    business: Business, adjustments: Inbox
) -> None:
    answers = [business.adjust(100)]
    with ThreadPoolExecutor(8) as pool:
        answers += pool.map(lambda number: business.adjust(-1, reference=f"order {number}"), range(30))
    assert [answer.status_code for answer in answers] == [201] * 31

    events = adjustments.wait_for(31)

    assert len(business.ledger()) == 31
    assert by_sequence(events) == sorted((answer.json() for answer in answers), key=lambda body: body["sequence"])
    for event in events:
        assert_event(event, "inventory-adjusted")


def test_adjustments_from_every_entry_point_are_published_alike(
    service: Service, business: Business, adjustments: Inbox
) -> None:
    directly = service.create_directly(business.payload(5, reference='☃ und "Gänsefüßchen"'))
    reversed_ = service.http.post(
        f"{service.base_url}/api/v1/inventory/adjustments/{directly['id']}/reversal",
        content=json.dumps({"reason": "Counted the wrong shelf"}).encode(),
        headers=business.headers(),
    )
    assert reversed_.status_code == 201
    service.queues.send_message(
        QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"], MessageBody=json.dumps(business.payload(2))
    )

    first, second, third = by_sequence(adjustments.wait_for(3))

    assert [first, second] == [directly, reversed_.json()]
    assert second["reverses"] == first["id"]
    assert (third["delta"], third["quantity_after"], third["created_by"]) == (2, 2, "queue")


def test_neither_a_rejection_nor_a_replay_is_published_as_an_adjustment(business: Business, adjustments: Inbox) -> None:
    assert business.adjust(-1).status_code == 409
    assert [business.adjust(5, key="k").status_code for _ in range(3)] == [201] * 3
    assert business.adjust(1).status_code == 201

    # The later rows are published, and the stream is read in order: nothing else is published before them.
    events = adjustments.wait_for(2)

    assert [detail["sequence"] for detail in by_sequence(events)] == [1, 2]
    assert len(events) == 2


def test_a_row_written_by_hand_is_dead_lettered_and_holds_up_nothing(
    service: Service, business: Business, adjustments: Inbox, local_stack: LocalStack
) -> None:
    assert local_stack, "on a deployed stack a message in a dead-letter queue raises an alarm"
    key = {"pk": {"S": f"by hand {uuid4()}"}}
    service.dynamodb.put_item(TableName=service.outputs["LedgerTableName"], Item=key)
    service.dynamodb.delete_item(TableName=service.outputs["LedgerTableName"], Key=key)
    assert business.adjust(1).status_code == 201

    adjustments.wait_for(1)

    queue_url = dead_letter_queue(local_stack, service, "UnpublishedAdjustmentsQueue")
    (message,) = lying_in(service, queue_url, key["pk"]["S"])
    set_aside = json.loads(message["Body"])
    assert (set_aside["problem"], set_aside["keys"]) == ("no ledger row", key)


def test_dead_lettered_stream_records_are_published_by_a_redrive(
    service: Service, business: Business, adjustments: Inbox, local_stack: LocalStack
) -> None:
    """Lambda's record of what it gave up names stream, shard and sequence numbers; messaging.md says what to do."""
    assert business.adjust(3).status_code == 201
    adjustments.wait_for(1)
    aws = EmulatedAws(f"http://127.0.0.1:{local_stack.port}")
    streams: Any = aws.session.client("dynamodbstreams", endpoint_url=aws.endpoint_url)
    (stream,) = streams.list_streams(TableName=service.outputs["LedgerTableName"])["Streams"]
    answer: dict[str, list[Any]] = {"Records": []}
    for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        answer["Records"] += streams.get_records(ShardIterator=iterator)["Records"]
    stacks = aws.cloudformation()
    function = stacks.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId="PublishAdjustmentsFunction")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]

    reply = service.functions.invoke(FunctionName=function, Payload=json.dumps(answer, default=str).encode())

    assert json.loads(reply["Payload"].read()) == {"batchItemFailures": []}
    first, again = adjustments.wait_for(2)
    assert first["detail"] == again["detail"]


def test_the_sample_subscription_gets_what_its_sample_program_prints(
    service: Service, business: Business, local_stack: LocalStack
) -> None:
    aws = EmulatedAws(f"http://127.0.0.1:{local_stack.port}")
    stacks, name = aws.cloudformation(), f"subscriber-{uuid4()}"
    stacks.create_stack(
        StackName=name,
        TemplateBody=(SUBSCRIPTION / "template.yaml").read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": "EventBusName", "ParameterValue": service.outputs["EventBusName"]}],
    )
    stacks.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": WAIT_MAX_S}
    )
    (output,) = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    command = [sys.executable, "consumer.py", output["OutputValue"], "--endpoint-url", aws.endpoint_url]
    consumer = subprocess.Popen(  # noqa: S603
        command, cwd=SUBSCRIPTION, env=CREDENTIALS | {"AWS_DEFAULT_REGION": REGION}, stdout=subprocess.PIPE, text=True
    )
    try:
        for change in (100, -30, -5):
            assert business.adjust(change).status_code == 201
        for key, change in (("too-many", -500), ("nothing", 0)):
            service.queues.send_message(
                QueueUrl=service.outputs["AdjustmentRequestsQueueUrl"],
                MessageBody=json.dumps(business.payload(change, idempotency_key=key)),
            )
        printed = read_until(consumer, "65 on hand at sequence 3", "rejected too-many", "rejected nothing")
    finally:
        consumer.terminate()
        stacks.delete_stack(StackName=name)
        consumer.communicate()
    assert "rejected too-many: InsufficientStock: " in printed
    assert "quantity_on_hand: 65" in printed
    assert "rejected nothing: InvalidRequest: body.quantity_change: " in printed


def read_until(consumer: subprocess.Popen[str], *texts: str) -> str:
    """What it prints until all of these texts, some in one line, are there."""
    assert consumer.stdout is not None
    printed = ""
    while not all(text in printed for text in texts):
        line = consumer.stdout.readline()
        assert line, f"it ended after\n{printed}"
        printed += line
    return printed
