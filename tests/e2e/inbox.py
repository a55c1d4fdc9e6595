"""Events as a subscriber gets them, and the messages in the dead-letter queues."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ops.aws import EmulatedAws
from ops.local_stack import STACK_NAME
from ops.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Service

WAIT_MAX_S = 120
PAUSE_S = 0.1


def wait_until(condition: Callable[[], object], *, timeout_s: float = WAIT_MAX_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(PAUSE_S)


class Inbox:
    """A queue of the test's own that a rule sends events to."""

    def __init__(self, service: Service, queue_url: str) -> None:
        self._service = service
        self._queue_url = queue_url
        self._seen: dict[str, dict[str, Any]] = {}

    def collect(self) -> list[dict[str, Any]]:
        """All events so far, each once though the bus may deliver it twice."""
        reply = self._service.queues.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        )
        for message in reply.get("Messages", []):
            event = json.loads(message["Body"])
            self._seen[event["id"]] = event
            self._service.queues.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return list(self._seen.values())

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The events, as soon as there are that many."""
        wait_until(lambda: len(self.collect()) >= count)
        return self.collect()


@contextmanager
def subscribed(service: Service, detail_types: list[str], detail: object) -> Iterator[Inbox]:
    """Subscribe to the service's events; `detail` is a pattern, preferably of the test's own business."""
    name = f"test-{uuid4()}"
    bus = service.outputs["EventBusName"]
    queue_url = service.queues.create_queue(QueueName=name)["QueueUrl"]
    try:
        queue_arn = service.queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        pattern = {"source": ["inventory.adjustments"], "detail-type": detail_types, "detail": detail}
        rule_arn = service.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
        try:
            from_the_rule = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [from_the_rule]})
            service.queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": policy})
            service.events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "inbox", "Arn": queue_arn}])
            yield Inbox(service, queue_url)
        finally:
            service.events.remove_targets(Rule=name, EventBusName=bus, Ids=["inbox"])
            service.events.delete_rule(Name=name, EventBusName=bus)
    finally:
        service.queues.delete_queue(QueueUrl=queue_url)


def dead_letter_queue(stack: LocalStack, service: Service, logical_id: str) -> str:
    """The address of a queue that no output names."""
    return service.queues.get_queue_url(QueueName=resource(stack, logical_id).rpartition("/")[2])["QueueUrl"]


def resource(stack: LocalStack, logical_id: str) -> str:
    """The physical id of what no output names."""
    return Stack(STACK_NAME, EmulatedAws(f"http://127.0.0.1:{stack.port}")).physical_id(logical_id)


def lying_in(service: Service, queue_url: str, mark: str) -> list[MessageTypeDef]:
    """Messages that hold a mark; all of them are left to be seen."""
    reply = service.queues.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message for message in reply.get("Messages", []) if mark in message["Body"]]
