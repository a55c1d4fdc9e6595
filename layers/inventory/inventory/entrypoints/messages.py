"""The messages of the requests queue: SQS records as requests for adjustments."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.errors import InvalidRequest
from inventory.domain.model import Command
from inventory.entrypoints import direct
from inventory.schemas.fields import IDEMPOTENCY_KEY_LENGTH_MAX, idempotency_key_entries
from inventory.schemas.json_parser import InvalidJSON, parse_json
from inventory.schemas.problems import rule_entry

if TYPE_CHECKING:
    from inventory.domain.model import Group
    from inventory.entrypoints.shapes import QueueRecord
    from inventory.schemas.json_parser import JSONValue

QUEUE_ACTOR: Final = "queue"
"""``created_by`` of an adjustment whose message names no actor: IAM only says that the sender may send."""

_SNS_ENVELOPE: Final = {"Type", "TopicArn", "Message"}
"""Members that Amazon SNS wraps around a message, and that no request has."""

_RAW_MESSAGE_DELIVERY: Final = (
    "is an envelope of Amazon SNS around the request: turn on raw message delivery for the subscription of the queue"
)

ORIGINAL_ID: Final = "original_id"
"""Message attribute of a message that was moved out of a dead-letter queue: the id that it was first sent with."""


class UnreadableMessage(Exception):
    """The message is no JSON object and never will be; the text says why, without anything of the body."""


class MessageRequest(NamedTuple):
    """The request in a message: a payload as of a direct invocation, and the ids by which its sender knows it.

    ``message_id`` is the id that the message was first sent with. ``event_id`` is that of the event in the message;
    None where the message is no event, or its id could be no key. ``digest`` is of the message's id and body, the same
    for each delivery; an event that comes in two messages counts as one. ``is_first_delivery``: SQS says that it has
    not delivered the message before.
    """

    payload: JSONValue
    message_id: str
    event_id: str | None = None
    digest: str = ""
    is_first_delivery: bool = True

    def requested(self) -> Command | Group:
        """Translate the payload; where it names no key, the id of the event or message serves.

        Raises:
            InvalidRequest: the payload is not valid.
        """
        if isinstance(self.payload, dict) and self.payload.keys() >= _SNS_ENVELOPE:
            raise InvalidRequest([rule_entry(["body"], _RAW_MESSAGE_DELIVERY, given=self.payload)])
        key = self.event_id or self.message_id
        requested = direct.requested(self.payload, default_key=key, default_actor=QUEUE_ACTOR)
        return requested if self.is_first_delivery else _unless_rejected(requested, self.digest)


def _unless_rejected(requested: Command | Group, digest: str) -> Command | Group:
    """Let a request be applied only if its message was not rejected."""
    if isinstance(requested, Command):
        return requested._replace(message_digest=digest)
    return requested._replace(lines=tuple(line._replace(message_digest=digest) for line in requested.lines))


def records_of(event: object) -> list[QueueRecord]:
    """Return the records of a batch.

    Raises:
        InvalidRequest: Lambda did not make this event from the queue; somebody invoked the function directly.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not all(_is_record(each) for each in records):
        raise InvalidRequest([rule_entry(["body", "Records"], "must be messages of the queue", given=None)])
    return records


def _is_record(record: object) -> bool:
    """Whether each member that is read has SQS's type; the message's id must also be a valid idempotency key."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("body", ""), str)
        and _is_message_id(record.get("messageId"))
        and isinstance(record.get("attributes", {}), dict)
        and isinstance(attributes := record.get("messageAttributes", {}), dict)
        and isinstance(attributes.get(ORIGINAL_ID, {}), dict)
    )


def _is_message_id(value: object) -> bool:
    """Whether this is a valid key; cheaper than the model's check, as a batch may hold a thousand messages."""
    if not isinstance(value, str) or not 0 < len(value) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def read_message(record: QueueRecord) -> MessageRequest:
    """Read a message whose body is a payload, or an EventBridge event whose detail is the payload.

    Raises:
        UnreadableMessage: the body is no JSON object.
    """
    # Half a surrogate pair becomes bytes that are not UTF-8, and so no JSON either.
    encoded = record.get("body", "").encode("utf-8", "surrogatepass")
    try:
        body = parse_json(encoded)
    except InvalidJSON as error:
        raise UnreadableMessage(error.message) from None
    if not isinstance(body, dict):
        raise UnreadableMessage("Not an object")
    # A payload has no such members: they would be unknown fields.
    is_event = "detail-type" in body and "detail" in body
    message_id, event_id = _original_id(record), _as_key(body.get("id")) if is_event else None
    return MessageRequest(
        body["detail"] if is_event else body,
        message_id,
        event_id,
        digest=sha256(b"%b\n%b" % ((event_id or message_id).encode(), encoded)).hexdigest(),
        is_first_delivery=_is_first_delivery(record),
    )


def _is_first_delivery(record: QueueRecord) -> bool:
    """Whether the message is neither delivered again nor moved out of a dead-letter queue."""
    is_moved = ORIGINAL_ID in record.get("messageAttributes", {})
    return not is_moved and record.get("attributes", {}).get("ApproximateReceiveCount") == "1"


def _original_id(record: QueueRecord) -> str:
    """The id that the message was first sent with: a message that was moved out of a dead-letter queue has a new id.

    Every sender can set the attribute, and gains nothing by it: a payload can name any key as well.
    """
    original_id = record.get("messageAttributes", {}).get(ORIGINAL_ID, {}).get("stringValue")
    return _as_key(original_id) or record["messageId"]


def _as_key(value: JSONValue) -> str | None:
    """The id, where it is a valid key. An event that did not come from EventBridge may have none."""
    return value if isinstance(value, str) and not idempotency_key_entries(value) else None
