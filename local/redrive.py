"""The command line behind `make redrive`: what lies in a dead end goes back to the requests queue.

SQS can move messages by itself (StartMessageMoveTask), but gives them new ids and nothing that tells the old ones. A
request that names no key and was carried out after all, its answer lost, would then be carried out twice. Here each
message takes its first id along, which serves as its key for ever.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.aws import EmulatedAws
from local.command import run
from local.deployment import STACK_NAME
from local.emulator import find_running
from local.errors import LocalStackError
from local.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueOutputTypeDef,
        MessageAttributeValueTypeDef,
        MessageTypeDef,
    )

ORIGINAL_ID = "original_id"
"""Message attribute that `inventory.queue` takes for the message's id, wherever it is set."""

KEY = re.compile(r"[!-~]{1,255}")
"""What can be an idempotency key, as the service says."""

_REQUESTS_QUEUE = "AdjustmentRequestsQueue"
_TOGETHER = 10
# Long enough to send ten messages however slow the network is, short for one that was received but not moved.
_HIDDEN_S = 120


@dataclass(frozen=True, slots=True)
class Letter:
    """What lies in a dead end: why it does, and what to send in its place, or None where sending can't help."""

    reason: str
    original_id: str
    body: str | None


def _request(message: MessageTypeDef) -> Letter:
    """Read a message of the requests' dead-letter queue, to which SQS moves it with its id."""
    attributes = message.get("MessageAttributes", {})
    told = attributes[ORIGINAL_ID].get("StringValue", "") if ORIGINAL_ID in attributes else ""
    # Whatever else a sender put there was not taken for the message's id either.
    original_id = told if KEY.fullmatch(told) else message["MessageId"]
    if not isinstance(_json(message["Body"]), dict):
        return Letter("no JSON object, and never will be", original_id, None)
    if "ERROR_CODE" in attributes:
        code = attributes["ERROR_CODE"].get("StringValue")
        return Letter(f"an event that the rule could not deliver: {code}", original_id, message["Body"])
    return Letter("failed time and again; the log has why, by its message_id", original_id, message["Body"])


def _invocation(message: MessageTypeDef) -> Letter:
    """Read Lambda's record of an asynchronous invocation that failed for good."""
    record = _json(message["Body"])
    if not isinstance(record, dict) or not isinstance(record.get("requestPayload"), dict):
        return Letter("no JSON object was sent", message["MessageId"], None)
    # An event that grew too old was never answered.
    context, answer = record.get("requestContext") or {}, record.get("responsePayload") or {}
    reason = f"{answer.get('errorType') or context.get('condition')} {_message_of(answer)}".strip()
    # The key that the invocation had; a payload that names one of its own keeps that.
    original_id = context.get("requestId") or message["MessageId"]
    return Letter(reason, original_id, json.dumps(record["requestPayload"]))


DEAD_ENDS: Mapping[str, tuple[str, Callable[[MessageTypeDef], Letter]]] = {
    "requests": ("AdjustmentRequestsDeadLetterQueue", _request),
    "invocations": ("FailedInvocationsQueue", _invocation),
}


@dataclass(frozen=True, slots=True)
class Redrive:
    """One dead end and the way out of it."""

    queues: SQSClient
    dead_end_url: str
    requests_url: str
    read: Callable[[MessageTypeDef], Letter]

    def run(self, *, dry: bool) -> int:
        """Move what lies there now, and say of each message what became of it; with `dry`, only say why it lies there.

        Return the exit status: 1 where something that can be sent was not.
        """
        moved = failed = 0
        held: dict[str, str] = {}
        try:
            for message in self._messages(held):
                letter = self.read(message)
                if dry or letter.body is None:
                    _say("lies there" if dry else "left", message, letter.reason)
                elif (problem := self._move(message, letter.original_id, letter.body)) is not None:
                    failed += 1
                    _say("not moved", message, problem)
                else:
                    del held[message["MessageId"]]
                    moved += 1
                    _say("moved", message, letter.reason)
        finally:
            self._release(held.values())
        print(f"{len(held)} lie there." if dry else f"{moved} moved, {len(held)} left.")
        return 1 if failed else 0

    def _release(self, receipts: Iterable[str]) -> None:
        """Let what stays be seen at once: whoever looks next, and the alarm, should not have to wait for it."""
        for receipt in receipts:
            with contextlib.suppress(BotoCoreError, ClientError):  # it is to be seen already, or will be soon
                self.queues.change_message_visibility(
                    QueueUrl=self.dead_end_url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def _messages(self, held: dict[str, str]) -> Iterator[MessageTypeDef]:
        """Go once through what lies there: what comes back in the meantime is for the next time.

        `held` is told of each message that nobody else sees now: its receipt, by its id.
        The number that lay there at the start is the limit. SQS counts roughly, and may be some short.
        """
        reply = self.queues.get_queue_attributes(
            QueueUrl=self.dead_end_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        left = int(reply["Attributes"]["ApproximateNumberOfMessages"])
        seen: set[str] = set()
        while left > 0:
            messages = self.queues.receive_message(
                QueueUrl=self.dead_end_url,
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
                # A message that was moved and failed again comes back under another id, with its first one kept.
                original_id = self.read(message).original_id
                if original_id not in seen:
                    seen.add(original_id)
                    yield message

    def _move(self, message: MessageTypeDef, original_id: str, body: str) -> str | None:
        """Send it first, then delete it: in between it is there twice, which its key makes one. Return what failed."""
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: _attribute(each) for name, each in message.get("MessageAttributes", {}).items()
        }
        attributes[ORIGINAL_ID] = {"DataType": "String", "StringValue": original_id}
        try:
            self.queues.send_message(QueueUrl=self.requests_url, MessageBody=body, MessageAttributes=attributes)
        except ClientError as error:
            return str(error)
        self.queues.delete_message(QueueUrl=self.dead_end_url, ReceiptHandle=message["ReceiptHandle"])
        return None


def _attribute(received: MessageAttributeValueOutputTypeDef) -> MessageAttributeValueTypeDef:
    kept: MessageAttributeValueTypeDef = {"DataType": received["DataType"]}
    if "StringValue" in received:
        kept["StringValue"] = received["StringValue"]
    if "BinaryValue" in received:
        kept["BinaryValue"] = received["BinaryValue"]
    return kept


def _message_of(answer: Mapping[str, Any]) -> str:
    """The text for people in what the function raised: HTTP's `detail`, or for Lambda's own errors a mere text."""
    told = str(answer.get("errorMessage", ""))
    match _json(told):
        case list() as entries:
            return "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in entries)
        case {"message": str(text)}:
            return text
        case _:
            return told


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return None


def _say(what: str, message: MessageTypeDef, why: str) -> None:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    print(f"{what:<10} {message['MessageId']}  {sent_at:%Y-%m-%d %H:%M:%SZ}  {why}", flush=True)


def _queue_url(stacks: CloudFormationClient, queues: SQSClient, stack: str, logical_id: str) -> str:
    resource = stacks.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    # By its name: the address that the local stack remembers is one with the port of the run that created the queue.
    name = resource["StackResourceDetail"]["PhysicalResourceId"].rpartition("/")[2]
    return queues.get_queue_url(QueueName=name)["QueueUrl"]


def _clients(stack: str) -> tuple[CloudFormationClient, SQSClient]:
    if stack:
        session = boto3.Session()
        return session.client("cloudformation"), session.client("sqs")
    running = find_running(Places.from_environment())
    if running is None:
        raise LocalStackError("no local stack is running: `make run` starts one, STACK=… names one in AWS")
    aws = EmulatedAws(running.endpoint_url)
    return aws.cloudformation(), aws.queues()


def _carry_out(wanted: argparse.Namespace) -> int:
    dead_letter_queue, read = DEAD_ENDS[wanted.queue]
    stacks, queues = _clients(wanted.stack)
    stack = wanted.stack or STACK_NAME
    redrive = Redrive(
        queues,
        dead_end_url=_queue_url(stacks, queues, stack, dead_letter_queue),
        requests_url=_queue_url(stacks, queues, stack, _REQUESTS_QUEUE),
        read=read,
    )
    return redrive.run(dry=wanted.dry_run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Redrive one dead end and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.redrive", description=__doc__)
    parser.add_argument("--queue", choices=[*DEAD_ENDS], required=True)
    parser.add_argument("--stack", default="", help="a stack in AWS, by the caller's own credentials")
    parser.add_argument("--dry-run", action="store_true", help="only say what lies there, and why")
    return run(
        partial(_carry_out, parser.parse_args(arguments)),
        failed=1,
        interrupted_means="what was not moved lies there still. Run it again.",
    )


if __name__ == "__main__":
    sys.exit(main())
