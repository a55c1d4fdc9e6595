"""The subcommand `redrive`: the messages of a dead-letter queue are moved back to the requests queue.

SQS can move messages by itself (StartMessageMoveTask), but gives them new ids and drops the old ones. A request
without a key that was carried out although its answer was lost would then be carried out twice. Here each message
keeps its first id in an attribute, which serves as its key from then on.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from ops.command import Command, for_stack
from ops.stacks import find_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueOutputTypeDef,
        MessageAttributeValueTypeDef,
        MessageTypeDef,
    )

ORIGINAL_ID = "original_id"
"""The message attribute that `ingest_adjustments` takes for the id of a message, where it is set."""

KEY = re.compile(r"[!-~]{1,255}")
"""What the service accepts as an idempotency key."""

_REQUESTS_QUEUE = "AdjustmentRequestsQueue"
_TOGETHER = 10
_ATTRIBUTES_MAX = 10
# What a rule adds to an event that it could not deliver.
_OF_EVENTBRIDGE = frozenset(
    {"ERROR_CODE", "ERROR_MESSAGE", "EXHAUSTED_RETRY_CONDITION", "RETRY_ATTEMPTS", "RULE_ARN", "TARGET_ARN"}
)
# Long enough to send ten messages over a slow network, short for a message that was received but not moved.
_HIDDEN_S = 120


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue: why it is there, and the body to send, or None where sending can't help."""

    reason: str
    original_id: str
    body: str | None


def _request(message: MessageTypeDef) -> DeadLetter:
    """Read a message of the requests' dead-letter queue. SQS moved it there and kept its id."""
    attributes = message.get("MessageAttributes", {})
    named = attributes[ORIGINAL_ID].get("StringValue", "") if ORIGINAL_ID in attributes else ""
    # The service ignored any other text that a sender put there, too.
    original_id = named if KEY.fullmatch(named) else message["MessageId"]
    if not isinstance(_json(message["Body"]), dict):
        return DeadLetter("no JSON object, and never will be", original_id, None)
    if "ERROR_CODE" in attributes:
        code = attributes["ERROR_CODE"].get("StringValue")
        return DeadLetter(f"an event that the rule could not deliver: {code}", original_id, message["Body"])
    return DeadLetter("failed time and again; the log has why, by its message_id", original_id, message["Body"])


def _invocation(message: MessageTypeDef) -> DeadLetter:
    """Read Lambda's record of an asynchronous invocation that failed for good."""
    record = _json(message["Body"])
    if not isinstance(record, dict) or not isinstance(record.get("requestPayload"), dict):
        return DeadLetter("no JSON object was sent", message["MessageId"], None)
    # An event that became too old has no answer.
    context, answer = record.get("requestContext") or {}, record.get("responsePayload") or {}
    reason = f"{answer.get('errorType') or context.get('condition')} {_message_of(answer)}".strip()
    # The key that the invocation had. A payload with a key of its own keeps that.
    original_id = context.get("requestId") or message["MessageId"]
    return DeadLetter(reason, original_id, json.dumps(record["requestPayload"]))


DEAD_LETTER_QUEUES: Mapping[str, tuple[str, Callable[[MessageTypeDef], DeadLetter]]] = {
    "requests": ("AdjustmentRequestsDeadLetterQueue", _request),
    "invocations": ("FailedInvocationsQueue", _invocation),
}


@dataclass(frozen=True, slots=True)
class Redrive:
    """One dead-letter queue, and the queue that its messages go back to."""

    queues: SQSClient
    dead_letter_url: str
    requests_url: str
    read: Callable[[MessageTypeDef], DeadLetter]

    def run(self, *, dry: bool) -> int:
        """Move the messages that are there now, and report each; with `dry`, only report why each is there.

        Return the exit status: 1 where a message that can be sent was not.
        """
        failed = 0
        moved: set[tuple[str, str]] = set()
        held: dict[str, str] = {}
        try:
            for message in self._messages(held):
                letter = self.read(message)
                if dry or letter.body is None:
                    _say("is there" if dry else "left", message, letter.reason)
                elif (letter.original_id, letter.body) in moved:
                    # Either it was moved and has failed again already, or it was there twice.
                    _say("left", message, "the same request was moved just now: run it again")
                elif (problem := self._move(message, letter)) is not None:
                    failed += 1
                    _say("not moved", message, problem)
                else:
                    del held[message["MessageId"]]
                    moved.add((letter.original_id, letter.body))
        finally:
            self._release(held.values())
        click.echo(f"{len(held)} are there." if dry else f"{len(moved)} moved, {len(held)} left.")
        return 1 if failed else 0

    def _release(self, receipts: Iterable[str]) -> None:
        """Make the messages that stay visible at once, for the next reader and for the alarm."""
        for receipt in receipts:
            with contextlib.suppress(BotoCoreError, ClientError):  # it is visible already, or will be soon
                self.queues.change_message_visibility(
                    QueueUrl=self.dead_letter_url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def _messages(self, held: dict[str, str]) -> Iterator[MessageTypeDef]:
        """Yield each message that is there once; a message that comes back meanwhile is for the next run.

        `held` gets the receipt, by message id, of each message that is now hidden from others.
        The number of messages at the start is the limit. SQS counts roughly, and may miss some.
        """
        reply = self.queues.get_queue_attributes(
            QueueUrl=self.dead_letter_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        left = int(reply["Attributes"]["ApproximateNumberOfMessages"])
        seen: set[str] = set()
        while left > 0:
            messages = self.queues.receive_message(
                QueueUrl=self.dead_letter_url,
                MaxNumberOfMessages=min(left, _TOGETHER),
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages", [])
            if not messages:
                return
            left -= len(messages)
            held.update({message["MessageId"]: message["ReceiptHandle"] for message in messages})
            for message in messages:
                if message["MessageId"] not in seen:
                    seen.add(message["MessageId"])
                    yield message

    def _move(self, message: MessageTypeDef, letter: DeadLetter) -> str | None:
        """Send it, then delete it: in between it exists twice, but its key applies it once. Return what failed."""
        kept, dropped = _attributes(message)
        kept[ORIGINAL_ID] = {"DataType": "String", "StringValue": letter.original_id}
        try:
            self.queues.send_message(QueueUrl=self.requests_url, MessageBody=letter.body or "", MessageAttributes=kept)
        except ClientError as error:
            return str(error)
        self.queues.delete_message(QueueUrl=self.dead_letter_url, ReceiptHandle=message["ReceiptHandle"])
        without = f" (moved without its attribute {', '.join(dropped)}: a message has ten)" if dropped else ""
        _say("moved", message, f"{letter.reason}{without}")
        return None


def _attributes(message: MessageTypeDef) -> tuple[dict[str, MessageAttributeValueTypeDef], list[str]]:
    """Return the attributes to send again, so few that one more fits, and the names of those that are left out.

    The service reads none but the first id. What EventBridge wrote is left out first: why it could not deliver.
    """
    received = message.get("MessageAttributes", {})
    names = sorted(received.keys() - {ORIGINAL_ID}, key=lambda name: (name in _OF_EVENTBRIDGE, name))
    kept, dropped = names[: _ATTRIBUTES_MAX - 1], names[_ATTRIBUTES_MAX - 1 :]
    return {name: _attribute(received[name]) for name in kept}, dropped


def _attribute(received: MessageAttributeValueOutputTypeDef) -> MessageAttributeValueTypeDef:
    kept: MessageAttributeValueTypeDef = {"DataType": received["DataType"]}
    if "StringValue" in received:
        kept["StringValue"] = received["StringValue"]
    if "BinaryValue" in received:
        kept["BinaryValue"] = received["BinaryValue"]
    return kept


def _message_of(answer: Mapping[str, Any]) -> str:
    """Return the message of what the function raised: it is in JSON for errors of the service, a text for Lambda's."""
    message = str(answer.get("errorMessage", ""))
    match _json(message):
        case list() as entries:
            return "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in entries)
        case {"message": str(text)}:
            return text
        case _:
            return message


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return None


def _say(what: str, message: MessageTypeDef, why: str) -> None:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    click.echo(f"{what:<10} {message['MessageId']}  {sent_at:%Y-%m-%d %H:%M:%SZ}  {why}")


@click.command(
    cls=Command,
    misused=2,
    interrupted_means="what was not moved is still there. Run it again.",
)
@click.option(
    "--queue", type=click.Choice([*DEAD_LETTER_QUEUES]), required=True, help="The dead-letter queue: of which messages?"
)
@click.option("--dry-run", is_flag=True, help="Only list the messages, and why they are there.")
@for_stack
def redrive(queue: str, dry_run: bool, stack: str | None) -> int:  # noqa: FBT001
    """Move dead-letter messages back to the requests queue.

    The exit status is 1 where a message that can be sent was not.
    """
    found = find_stack(stack)
    dead_letter_queue, read = DEAD_LETTER_QUEUES[queue]
    return Redrive(
        found.aws.queues(),
        dead_letter_url=found.queue_url(dead_letter_queue),
        requests_url=found.queue_url(_REQUESTS_QUEUE),
        read=read,
    ).run(dry=dry_run)
