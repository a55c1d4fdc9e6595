"""A batch of the requests queue: each message is applied, rejected by an event, or delivered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.adjusting.merging import Fault, adjust_many
from inventory.aws.event_bus import Event, EventRefused
from inventory.domain.errors import InvalidRequest, Refusal, ServiceError, StoreUnavailable, TryAgain
from inventory.domain.model import GroupOutcome, Outcome
from inventory.entrypoints.applying import business_id_of
from inventory.entrypoints.messages import UnreadableMessage, read_message
from inventory.entrypoints.rejections import REJECTED, rejection
from inventory.entrypoints.responses import batch_response
from inventory.entrypoints.telemetry import MetricSums, report_error, report_outcome, report_unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.aws.event_bus import EventBus, PutResult
    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Command, Group
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.messages import MessageRequest
    from inventory.entrypoints.shapes import BatchResponse, QueueRecord
    from inventory.entrypoints.telemetry import Invocation

PUBLISHING_TIME_S: Final = 10.0
"""Seconds of an invocation that are reserved for publishing the rejections and for the response."""

RESPONSE_TIME_S: Final = 2.0
"""Of them for the response alone: Lambda delivers the whole batch again where the invocation is cut off."""


@dataclass(slots=True)
class Message:
    """One message and its progress: its request, as far as it can be read, what that asks for, and the result.

    ``is_done``: it need not be delivered again.
    """

    record: QueueRecord
    request: MessageRequest | None = None
    requested: Command | Group | None = None
    result: Result | InvalidRequest | UnreadableMessage | Fault | None = None
    is_done: bool = False


def ingest(
    records: Sequence[QueueRecord], adjuster: Adjuster, bus: EventBus, *, budget: RetryBudget, at_once: AtOnce
) -> list[Message]:
    """Apply the requests of a batch, and publish the rejections.

    A message that can't be read, settled or rejected holds up no other.

    Returns:
        Each message with its result. Copies of one message are one message here: stock may come in between two copies,
        and then one would be rejected and the other applied.
    """
    messages = [_read(record) for record in _distinct(records)]
    readable = [(message, message.requested) for message in messages if message.requested is not None]
    deciding = budget.reserve(PUBLISHING_TIME_S)
    results = adjust_many(adjuster, [requested for _, requested in readable], budget=deciding, at_once=at_once)
    for (message, _), result in zip(readable, results, strict=True):
        message.result, message.is_done = result, isinstance(result, Outcome | GroupOutcome)
    _publish_rejections(messages, bus, budget.reserve(RESPONSE_TIME_S))
    return messages


def report_messages(messages: Sequence[Message], invocation: Invocation) -> None:
    """Log each message by its result, and count them together."""
    metrics = invocation.metrics
    invocation.metrics = sums = MetricSums()
    for message in messages:
        with invocation.logger.append_context_keys(message_id=message.record["messageId"]):
            _report(message, invocation)
    sums.write(metrics)


def _report(message: Message, invocation: Invocation) -> None:
    invocation.business_id = None if message.requested is None else business_id_of(message.requested)
    match message.result:
        case (Outcome() | GroupOutcome()) as outcome:
            report_outcome(outcome, invocation)
        case UnreadableMessage() as error:
            report_unreadable(str(error), invocation)
        case Fault(error) | (ServiceError() as error):
            report_error(error, invocation)


def response(messages: Sequence[Message]) -> BatchResponse:
    """Make Lambda's response: it deletes the messages that are done, and delivers the others again."""
    return batch_response(message.record["messageId"] for message in messages if not message.is_done)


def _distinct(records: Sequence[QueueRecord]) -> list[QueueRecord]:
    first: dict[str, QueueRecord] = {}
    for record in records:
        first.setdefault(record["messageId"], record)
    return list(first.values())


def _read(record: QueueRecord) -> Message:
    message = Message(record)
    try:
        message.request = read_message(record)
        message.requested = message.request.requested()
    except (UnreadableMessage, InvalidRequest) as error:
        message.result = error
    except Exception as error:  # noqa: BLE001  a fault of one message must not end the batch
        message.result = Fault(error)
    return message


def _publish_rejections(messages: list[Message], bus: EventBus, budget: RetryBudget) -> None:
    """Publish the rejections. A message is not done until its event is published: it is decided again otherwise."""
    rejected = [(message, event) for message in messages if (event := _event_of(message)) is not None]
    try:
        results = bus.put_all([event for _, event in rejected], budget)
    except Exception as error:  # noqa: BLE001  a fault of the bus must not end the batch
        for message, _ in rejected:
            message.result = Fault(error)
        return
    for (message, _), result in zip(rejected, results, strict=True):
        _settle(message, result)


def _event_of(message: Message) -> Event | None:
    """Make the event of a rejected message; None for any other."""
    if message.request is None or not isinstance(message.result, Refusal | InvalidRequest):
        return None
    try:
        return Event(REJECTED, rejection(message.request, message.result))
    except Exception as error:  # noqa: BLE001  a fault of one message must not end the batch
        message.result = Fault(error)
        return None


def _settle(message: Message, result: PutResult) -> None:
    match result:
        case None:
            message.is_done = True
        case StoreUnavailable():
            message.result = TryAgain()
        case EventRefused():
            message.result = Fault(result)
