"""A batch of the requests queue: each message is applied, rejected by an event, or delivered again."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Final

from inventory.adjusting.merging import Fault, adjust_many
from inventory.aws.event_bus import Event, EventRefused
from inventory.domain.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    Refusal,
    RejectedBefore,
    ServiceError,
    StoreUnavailable,
    TryAgain,
)
from inventory.domain.model import Group, GroupOutcome, Outcome
from inventory.domain.rules import keyed_id
from inventory.domain.store import MESSAGES_MAX, Applied
from inventory.entrypoints.applying import business_id_of
from inventory.entrypoints.messages import UnreadableMessage, read_message
from inventory.entrypoints.rejections import REJECTED, marker_of, rejection
from inventory.entrypoints.responses import batch_response
from inventory.entrypoints.telemetry import each_reported, report_error, report_outcome, report_unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.aws.event_bus import EventBus, PutResult
    from inventory.domain.concurrency import AtOnce
    from inventory.domain.model import Command, Rejection
    from inventory.domain.retry_budget import RetryBudget
    from inventory.domain.store import Rejections
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

    ``is_done``: it need not be delivered again. ``ids`` are those of all records that bring it, the copies too.
    """

    record: QueueRecord
    ids: list[str] = field(default_factory=list)
    request: MessageRequest | None = None
    requested: Command | Group | None = None
    result: Result | InvalidRequest | UnreadableMessage | Fault | None = None
    is_done: bool = False


def ingest(
    records: Sequence[QueueRecord],
    adjuster: Adjuster,
    rejections: Rejections,
    bus: EventBus,
    *,
    budget: RetryBudget,
    at_once: AtOnce,
) -> list[Message]:
    """Apply the requests of a batch, and publish the rejections.

    A message that can't be read, settled or rejected holds up no other. One of which an earlier delivery was rejected
    is not applied, and its rejection is published again.

    Returns:
        Each message with its result. Copies of one message are one message here: stock may come in between two copies,
        and then one would be rejected and the other applied.
    """
    messages = _read_all(records)
    deciding, publishing = budget.reserve(PUBLISHING_TIME_S), budget.reserve(RESPONSE_TIME_S)
    _recall_rejections(messages, rejections, deciding, at_once)
    readable = [
        (message, message.requested) for message in messages if message.requested is not None and message.result is None
    ]
    results = adjust_many(adjuster, [requested for _, requested in readable], budget=deciding, at_once=at_once)
    for (message, _), result in zip(readable, results, strict=True):
        message.result, message.is_done = result, isinstance(result, Outcome | GroupOutcome)
    _record_rejections(messages, rejections, publishing, at_once)
    _publish_rejections(messages, bus, publishing)
    return messages


def report_messages(messages: Sequence[Message], invocation: Invocation) -> None:
    """Log each message by its result, and count them together."""
    named = ((message.record["messageId"], message) for message in messages)
    for message in each_reported(named, "message_id", invocation):
        _report(message, invocation)


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
    returned = (message_id for message in messages if not message.is_done for message_id in message.ids)
    return batch_response(dict.fromkeys(returned))


def _read_all(records: Sequence[QueueRecord]) -> list[Message]:
    """Read the messages, each once: a copy has the same id, or comes with the same event or from the same redrive."""
    messages: dict[str, Message] = {}
    for record in records:
        message = _read(record)
        identity = record["messageId"] if message.request is None else message.request.digest
        messages.setdefault(identity, message).ids.append(record["messageId"])
    return list(messages.values())


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


def _recall_rejections(
    messages: Sequence[Message], rejections: Rejections, budget: RetryBudget, at_once: AtOnce
) -> None:
    """Find the messages of which an earlier delivery was rejected.

    All are looked for, as SQS can deliver a copy of a message that it says is the first. Only two deliveries at the
    same time escape this; the commit looks again unless this is the first.
    """

    def recall(part: Sequence[Message]) -> None:
        requests = [message.request for message in part if message.request is not None]
        digests = [each.digest for each in requests]
        try:
            found = budget.retry(lambda: rejections.find(digests))
        except StoreUnavailable:
            _end_all(part, TryAgain())
        except Exception as error:  # noqa: BLE001  a fault of one part must not end the batch
            _end_all(part, Fault(error))
        else:
            for message, digest in zip(part, digests, strict=True):
                if digest in found:
                    message.result = RejectedBefore(found[digest])

    valid = [message for message in messages if message.requested is not None]
    list(at_once(recall, list(batched(valid, MESSAGES_MAX, strict=False))))


def _end_all(messages: Sequence[Message], result: TryAgain | Fault) -> None:
    for message in messages:
        message.result = result


def _record_rejections(
    messages: Sequence[Message], rejections: Rejections, budget: RetryBudget, at_once: AtOnce
) -> None:
    """Record each rejection before it is published: from then on no delivery of the message can be applied.

    One whose key belongs to another request needs no record: the row of its key stays for ever. A row that another
    message of this batch has just written does not hinder a record, as the key was free for that message.
    """
    written = {row_id for message in messages if (row_id := _written_row_id(message.result)) is not None}

    def record(message: Message) -> None:
        request, rejected = message.request, message.result
        if request is None or not isinstance(rejected, Refusal | InvalidRequest):
            return
        try:
            marker, row_id = marker_of(rejected), _row_id(message)
            unless = None if row_id in written else row_id
            found = budget.retry(lambda: rejections.put(request.digest, marker, unless))
        except StoreUnavailable:
            message.result = TryAgain()
        except Exception as error:  # noqa: BLE001  a fault of one message must not end the batch
            message.result = Fault(error)
        else:
            message.result = _result_with(found, rejected)

    list(at_once(record, [each for each in messages if _needs_record(each.result)]))


def _needs_record(result: object) -> bool:
    is_rejection = isinstance(result, Refusal | InvalidRequest)
    return is_rejection and not isinstance(result, RejectedBefore | IdempotencyKeyReused)


def _written_row_id(result: object) -> tuple[UUID, UUID] | None:
    """Return the business and id of the first row that a request has just written; None for any other result."""
    match result:
        case Outcome(row, replayed=False) | GroupOutcome((row, *_), replayed=False):
            return row.business_id, row.id
        case _:
            return None


def _row_id(message: Message) -> tuple[UUID, UUID] | None:
    """Return the business and id of the row that the message would write first; None if it is not valid."""
    requested = message.requested
    if requested is None:
        return None
    first = requested.lines[0] if isinstance(requested, Group) else requested
    if first.idempotency_key is None:
        raise AssertionError("a message without a key")
    return first.business_id, keyed_id(first.business_id, first.idempotency_key, first.key_line)


def _result_with(
    found: Rejection | Applied | None, rejected: Refusal | InvalidRequest
) -> Refusal | InvalidRequest | TryAgain:
    """Return the result of a message that is rejected now, by what its record says."""
    if found is None or isinstance(rejected, InvalidRequest):
        return rejected
    # Another delivery, or another message with this key, was applied meanwhile: the next delivery finds the row.
    return TryAgain() if isinstance(found, Applied) else RejectedBefore(found)


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
