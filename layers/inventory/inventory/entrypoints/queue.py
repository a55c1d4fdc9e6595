"""The requests queue: messages to commands, and refusals as events that their senders can tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from inventory.adjusting.groups import Fault, adjust_many
from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, Event, EventRefused, detail_text
from inventory.domain.errors import InvalidRequest, Refusal, StoreUnavailable, TryAgain
from inventory.domain.model import Outcome
from inventory.entrypoints import direct
from inventory.entrypoints.responses import detail_of, detail_without_input
from inventory.schemas.adjustments import DirectAdjustmentRequest
from inventory.schemas.fields import IDEMPOTENCY_KEY_LENGTH_MAX, idempotency_key_entries
from inventory.schemas.json_parser import InvalidJSON, parse_json
from inventory.schemas.problems import entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inventory.adjusting.loop import Adjuster, Result
    from inventory.aws.event_bus import EventBus
    from inventory.domain.concurrency import AtOnce
    from inventory.domain.errors import ServiceError
    from inventory.domain.model import Command
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.responses import BatchItemFailure
    from inventory.schemas.json_parser import JSONValue

REJECTED: Final = "InventoryAdjustmentRejected"
"""Detail-type of the event that tells a refusal."""

QUEUE_ACTOR: Final = "queue"
"""``created_by`` of an adjustment whose sender named no actor: IAM decided that it may send, and says no more."""

TELLING_TIME_S: Final = 10.0
"""Seconds of an invocation that are kept for telling refusals and for the batch's answer."""

ANSWER_TIME_S: Final = 2.0
"""Of them for the answer alone: a batch that is cut off is delivered again whole, however much of it was done."""

_KEPT_SIZE_MAX_BYTES: Final = 1024

_KEPT_ENTRIES_MAX: Final = 50

ORIGINAL_ID: Final = "original_id"
"""Message attribute of a message that was moved out of a dead end: the id that it had when it was first sent."""


class _Attribute(TypedDict):
    stringValue: NotRequired[str]


class QueueRecord(TypedDict):
    """A message as Lambda hands it over, as far as it is read here."""

    messageId: str
    body: NotRequired[str]
    messageAttributes: NotRequired[Mapping[str, _Attribute]]


class QueueBatch(TypedDict):
    """What the function is invoked with."""

    Records: list[QueueRecord]


class QueueBatchAnswer(TypedDict):
    """Which messages are to be delivered again; all others are done, and are deleted."""

    batchItemFailures: list[BatchItemFailure]


class Unreadable(Exception):
    """The message is no JSON object and never will be; the text says why, without anything of the body."""


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """What a message asks for: a payload as of a direct invocation, and the key to take where it names none."""

    payload: JSONValue
    default_key: str

    def command(self) -> Command:
        """Translate the payload.

        Raises:
            InvalidRequest: where it breaks ``DirectAdjustmentRequest``.
        """
        return direct.adjustment_command(self.payload, default_key=self.default_key, default_actor=QUEUE_ACTOR)


def records_of(event: object) -> list[QueueRecord]:
    """The messages of a batch.

    Raises:
        InvalidRequest: it is none that Lambda made of the queue's messages, which only a direct invocation can bring.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not all(_is_record(each) for each in records):
        fact = "must be messages of the queue"
        raise InvalidRequest(
            [entry(["body", "Records"], "value_error", f"Value error, {fact}", given=None, ctx={"error": fact})]
        )
    return records


def _is_record(record: object) -> bool:
    """Whether all that is read of a message is of SQS's types; its id serves as a key, so it must be able to be one."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("body", ""), str)
        and _is_message_id(record.get("messageId"))
        and isinstance(attributes := record.get("messageAttributes", {}), dict)
        and isinstance(attributes.get(ORIGINAL_ID, {}), dict)
    )


def _is_message_id(value: object) -> bool:
    """Whether this can be a key; cheaper than to ask the model, as there may be a thousand of them."""
    if not isinstance(value, str) or not 0 < len(value) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def read_message(record: QueueRecord) -> MessageRequest:
    """Read a message whose body is a payload, or an EventBridge event whose detail is.

    Raises:
        Unreadable: where the body is no JSON object.
    """
    try:
        # Half a surrogate pair becomes bytes that are not UTF-8, and so no JSON either.
        body = parse_json(record.get("body", "").encode("utf-8", "surrogatepass"))
    except InvalidJSON as error:
        raise Unreadable(error.message) from None
    if not isinstance(body, dict):
        raise Unreadable("Not an object")
    # No payload has such members: they would be unknown fields.
    if "detail-type" in body and "detail" in body:
        return MessageRequest(body["detail"], _as_key(body.get("id")) or _original_id(record))
    return MessageRequest(body, _original_id(record))


def _original_id(record: QueueRecord) -> str:
    """The id that the message had when it was first sent: moved out of a dead end it has another, but is the same.

    Anybody who may send can set the attribute, and gains nothing by it: a payload can name any key as well.
    """
    told = record.get("messageAttributes", {}).get(ORIGINAL_ID, {}).get("stringValue")
    return _as_key(told) or record["messageId"]


def _as_key(value: JSONValue) -> str | None:
    """An id, where it can be a key; of events only one that did not come from EventBridge lacks it."""
    return value if isinstance(value, str) and not idempotency_key_entries(value) else None


def to_be_delivered_again(records: Sequence[QueueRecord]) -> QueueBatchAnswer:
    """Answer which messages of a batch are not done."""
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}


def rejection(request: MessageRequest, error: ServiceError) -> str:
    """Write the detail of the event that tells a refusal: ``{"request": …, "error": {"type", "detail"}}``.

    What no event can hold is trimmed: ``request`` to those of its known fields that are up to 1 KB (null, where it is
    no object), the list in ``error.detail`` to its first 50 entries without ``input``. That fits always.
    """
    whole = _rejection(request.payload, error, detail_of(error))
    if len(whole) <= DETAIL_SIZE_MAX_BYTES:
        return whole
    detail = detail_without_input(error)
    brief = detail[:_KEPT_ENTRIES_MAX] if isinstance(detail, list) else detail
    return _rejection(_trimmed(request.payload), error, brief)


def _rejection(payload: JSONValue, error: ServiceError, detail: object) -> str:
    return detail_text({"request": payload, "error": {"type": direct.error_type(error), "detail": detail}})


def _trimmed(payload: JSONValue) -> JSONValue:
    if not isinstance(payload, dict):
        return None
    return {
        name: payload[name]
        for name in DirectAdjustmentRequest.model_fields
        if name in payload and len(detail_text(payload[name])) <= _KEPT_SIZE_MAX_BYTES
    }


@dataclass(slots=True)
class Message:
    """One message on its way: what it asks for, as far as that can be read, and what became of it.

    ``is_done``: it need not be delivered again.
    """

    record: QueueRecord
    request: MessageRequest | None = None
    command: Command | None = None
    result: Result | InvalidRequest | Unreadable | Fault | None = None
    is_done: bool = False


def ingest(
    records: Sequence[QueueRecord], adjuster: Adjuster, bus: EventBus, *, budget: RetryBudget, at_once: AtOnce
) -> list[Message]:
    """Carry out a batch, and tell the bus of what is refused.

    A message that can't be read, settled or told holds up none of the others.

    Returns:
        What became of each message, once however often it came: between two of its copies stock may come in, and one
        would be told as refused and the other applied.
    """
    messages = [_read(record) for record in _once_each(records)]
    asking = [(message, message.command) for message in messages if message.command is not None]
    deciding = budget.reserve(TELLING_TIME_S)
    results = adjust_many(adjuster, [command for _, command in asking], budget=deciding, at_once=at_once)
    for (message, _), result in zip(asking, results, strict=True):
        message.result, message.is_done = result, isinstance(result, Outcome)
    _tell_refusals(messages, bus, budget.reserve(ANSWER_TIME_S))
    return messages


def _once_each(records: Sequence[QueueRecord]) -> list[QueueRecord]:
    first: dict[str, QueueRecord] = {}
    for record in records:
        first.setdefault(record["messageId"], record)
    return list(first.values())


def _read(record: QueueRecord) -> Message:
    message = Message(record)
    try:
        message.request = read_message(record)
        message.command = message.request.command()
    except (Unreadable, InvalidRequest) as error:
        message.result = error
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        message.result = Fault(error)
    return message


def _tell_refusals(messages: list[Message], bus: EventBus, budget: RetryBudget) -> None:
    """Tell what is refused. Until the bus has it a message is not done: then it will be decided again, and told."""
    telling = [(message, event) for message in messages if (event := _event_of(message)) is not None]
    try:
        fates = bus.put_all([event for _, event in telling], budget)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        for message, _ in telling:
            message.result = Fault(error)
        return
    for (message, _), fate in zip(telling, fates, strict=True):
        match fate:
            case None:
                message.is_done = True
            case StoreUnavailable():
                message.result = TryAgain()
            case EventRefused():
                message.result = Fault(fate)


def _event_of(message: Message) -> Event | None:
    """Make the event that tells a message's refusal; None where there is nothing to tell."""
    if message.request is None or not isinstance(message.result, Refusal | InvalidRequest):
        return None
    try:
        return Event(REJECTED, rejection(message.request, message.result))
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        message.result = Fault(error)
        return None
