"""A redrive moves each dead-lettered message back once, under its original key, and loses none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ConnectionClosedError

from ops.aws import EmulatedAws
from ops.command_line import main
from ops.redrive import DEAD_LETTER_QUEUES, ORIGINAL_ID, Redrive

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REQUEST = {"business_id": "b", "variant_id": "v", "quantity_change": 5, "reason": "restock"}


class Queues:
    """A dead-letter queue and a requests queue of the test's own; ``client`` is the redrive's."""

    def __init__(self, endpoint_url: str) -> None:
        self.client = EmulatedAws(endpoint_url).queues()
        self._own: SQSClient = EmulatedAws(endpoint_url).queues()
        self.dead_letter_queue, self.requests = (
            self._own.create_queue(QueueName=str(uuid4()))["QueueUrl"] for _ in range(2)
        )

    def bury(self, body: object, **attributes: Any) -> str:
        """Put a message into the dead-letter queue: text unchanged, anything else as JSON. Return its id."""
        text = body if isinstance(body, str) else json.dumps(body)
        sent = self._own.send_message(QueueUrl=self.dead_letter_queue, MessageBody=text, MessageAttributes=attributes)
        return sent["MessageId"]

    def redrive(self, queue: str = "requests", *, dry: bool = False) -> int:
        _, read = DEAD_LETTER_QUEUES[queue]
        return Redrive(self.client, self.dead_letter_queue, self.requests, read).run(dry=dry)

    def moved(self) -> list[MessageTypeDef]:
        """What was sent to the requests queue since the last call."""
        return self._drain(self.requests)

    def lying(self) -> int:
        """The number of visible messages in the dead-letter queue."""
        count = self._own.get_queue_attributes(
            QueueUrl=self.dead_letter_queue,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        assert count["ApproximateNumberOfMessagesNotVisible"] == "0", "the next one to look would not see them"
        return int(count["ApproximateNumberOfMessages"])

    def before(self, operation: str, act: Callable[[], object]) -> None:
        """Do something right before each such call of the one who redrives; what it raises, the call raises."""

        def acts(**_: object) -> None:
            act()

        self.client.meta.events.register(f"before-send.sqs.{operation}", acts)

    def _drain(self, queue_url: str) -> list[MessageTypeDef]:
        found: list[MessageTypeDef] = []
        while messages := self._own.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                self._own.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found


@pytest.fixture
def queues(endpoint_url: str) -> Queues:
    return Queues(endpoint_url)


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def original_id(message: MessageTypeDef) -> str:
    return message["MessageAttributes"][ORIGINAL_ID]["StringValue"]


def broken() -> None:
    raise ConnectionClosedError(endpoint_url="https://sqs.test")


def a_failed_invocation(payload: object = REQUEST, **members: object) -> dict[str, object]:
    """Lambda's record of an invocation that was refused."""
    detail = {"code": "insufficient_stock", "message": "There is not enough stock.", "quantity_on_hand": 0}
    return {
        "version": "1.0",
        "timestamp": "2026-11-23T14:08:09.123Z",
        "requestContext": {
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:create:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "InsufficientStock", "errorMessage": json.dumps(detail), "stackTrace": []},
    } | members


# --- requests ------------------------------------------------------------------------------------------------------


def test_messages_are_redriven_unchanged_with_their_original_ids(queues: Queues) -> None:
    bodies = {queues.bury(REQUEST | {"reference": str(number)}): number for number in range(25)}

    assert queues.redrive() == 0

    moved = queues.moved()
    assert {original_id(message): int(json.loads(message["Body"])["reference"]) for message in moved} == bodies
    assert len(moved) == 25
    assert queues.lying() == 0


def test_body_and_attributes_are_kept_byte_for_byte(queues: Queues) -> None:
    body = '{"quantity_change": 5.0000000000000001,  "reason": "Größe\\u0021"}'
    queues.bury(body, trace=text("t-1"), number={"DataType": "Number.int", "StringValue": "7"})

    queues.redrive()

    (message,) = queues.moved()
    assert message["Body"] == body
    kept = {name: (value["DataType"], value["StringValue"]) for name, value in message["MessageAttributes"].items()}
    assert kept.pop(ORIGINAL_ID)[0] == "String"
    assert kept == {"trace": ("String", "t-1"), "number": ("Number.int", "7")}


def test_binary_attributes_are_kept(queues: Queues) -> None:
    queues.bury(REQUEST, blob={"DataType": "Binary", "BinaryValue": b"\x00\xff"})

    queues.redrive()

    (message,) = queues.moved()
    assert message["MessageAttributes"]["blob"]["BinaryValue"] == b"\x00\xff"


def test_a_message_that_comes_back_keeps_its_first_id(queues: Queues) -> None:
    first = queues.bury(REQUEST)
    queues.redrive()
    (message,) = queues.moved()
    queues.bury(message["Body"], **message["MessageAttributes"])

    queues.redrive()

    (again,) = queues.moved()
    assert again["MessageId"] != message["MessageId"] != first
    assert original_id(again) == first


@pytest.mark.parametrize("rejected_id", ["two words", "x" * 256, "é"])
def test_an_original_id_that_the_service_rejects_is_not_used(queues: Queues, rejected_id: str) -> None:
    first = queues.bury(REQUEST, **{ORIGINAL_ID: text(rejected_id)})

    queues.redrive()

    assert [original_id(message) for message in queues.moved()] == [first]


def test_an_unreadable_message_stays_and_is_named(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    poison = [queues.bury(body) for body in ("{", "[]", "null", "[" * 100_000)]
    queues.bury(REQUEST)

    assert queues.redrive() == 0

    assert len(queues.moved()) == 1
    assert queues.lying() == 4
    printed = capsys.readouterr().out
    assert all(f"left       {message_id}" in printed for message_id in poison)
    assert printed.splitlines()[-1] == "1 moved, 4 left."


def test_a_message_that_returns_during_a_run_is_left_for_the_next_run(queues: Queues) -> None:
    for _ in range(15):
        queues.bury(REQUEST)
    # A function that fails at once, and a queue with one delivery: each moved message is dead-lettered again.
    queues.before("SendMessage", lambda: queues.bury(REQUEST))

    assert queues.redrive() == 0

    assert len(queues.moved()) == 15
    assert queues.lying() == 15


def test_the_same_request_is_not_moved_twice_in_one_run(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    """One that failed again at once, or one that was there twice: the others are named, and wait for the next run."""
    dead = {queues.bury(REQUEST, **{ORIGINAL_ID: text("m-1")}) for _ in range(3)}

    assert queues.redrive() == 0

    assert [original_id(message) for message in queues.moved()] == ["m-1"]
    assert queues.lying() == 2
    *lines, last = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} == dead
    assert [line for line in lines if line.startswith("left")] == [line for line in lines if "run it again" in line]
    assert last == "1 moved, 2 left."


def test_two_requests_under_one_original_id_are_both_moved(queues: Queues) -> None:
    """A sender can choose it; a key in the request wins over it."""
    for key in ("a", "b"):
        queues.bury(REQUEST | {"idempotency_key": key}, **{ORIGINAL_ID: text("m-1")})

    assert queues.redrive() == 0

    assert {json.loads(message["Body"])["idempotency_key"] for message in queues.moved()} == {"a", "b"}
    assert queues.lying() == 0


def test_a_dry_run_lists_every_message_under_one_original_id(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = {queues.bury(REQUEST, **{ORIGINAL_ID: text("m-1")}) for _ in range(2)}

    queues.redrive(dry=True)

    assert {line.split()[2] for line in capsys.readouterr().out.splitlines()[:-1]} == dead


def test_a_message_with_ten_attributes_is_moved_without_the_last_and_says_so(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message has ten at most, and one more is needed. The service reads none of the sender's."""
    first = queues.bury(REQUEST, **{f"a{number}": text("x") for number in range(10)})

    assert queues.redrive() == 0

    (message,) = queues.moved()
    assert sorted(message["MessageAttributes"]) == [*(f"a{number}" for number in range(9)), ORIGINAL_ID]
    assert original_id(message) == first
    assert "moved without its attribute a9" in capsys.readouterr().out
    assert queues.lying() == 0


def test_of_ten_attributes_what_the_rule_wrote_goes_first(queues: Queues) -> None:
    queues.bury(REQUEST, ERROR_CODE=text("SDK_CLIENT_ERROR"), **{f"b{number}": text("x") for number in range(9)})

    queues.redrive()

    (message,) = queues.moved()
    assert sorted(message["MessageAttributes"]) == [*(f"b{number}" for number in range(9)), ORIGINAL_ID]


def test_ten_attributes_with_an_original_id_among_them_are_all_kept(queues: Queues) -> None:
    queues.bury(REQUEST, **{ORIGINAL_ID: text("m-1")}, **{f"a{number}": text("x") for number in range(9)})

    queues.redrive()

    (message,) = queues.moved()
    assert len(message["MessageAttributes"]) == 10


def test_an_empty_dead_letter_queue_is_not_an_error(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    assert queues.redrive() == 0
    assert capsys.readouterr().out == "0 moved, 0 left.\n"


# --- dry runs --------------------------------------------------------------------------------------------------------


def test_a_dry_run_lists_the_messages_with_reasons_and_moves_nothing(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {
        queues.bury(REQUEST): "failed time and again",
        queues.bury("{"): "no JSON object",
        queues.bury(REQUEST, ERROR_CODE=text("SDK_CLIENT_ERROR")): "SDK_CLIENT_ERROR",
    }

    assert queues.redrive(dry=True) == 0

    *lines, last = capsys.readouterr().out.splitlines()
    for message_id, reason in reasons.items():
        (line,) = [line for line in lines if message_id in line]
        assert reason in line
    assert last == "3 are there."
    assert queues.moved() == []
    assert queues.lying() == 3


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_sent_stays(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.bury(REQUEST)
    queues.client.meta.events.register(
        "before-parameter-build.sqs.SendMessage",
        lambda params, **_: params.update(QueueUrl=params["QueueUrl"] + "-gone"),
    )

    assert queues.redrive() == 1

    assert queues.lying() == 1
    assert "not moved" in capsys.readouterr().out


def test_without_a_connection_a_redrive_stops_and_every_message_stays(queues: Queues) -> None:
    for _ in range(12):
        queues.bury(REQUEST)
    queues.before("SendMessage", broken)

    with pytest.raises(ConnectionClosedError):
        queues.redrive()

    assert queues.moved() == []
    assert queues.lying() == 12


def test_a_message_sent_but_not_deleted_is_redriven_again_under_the_same_key(queues: Queues) -> None:
    first = queues.bury(REQUEST)
    deaf = EmulatedAws(queues.client.meta.endpoint_url).queues()
    deaf.meta.events.register("before-send.sqs.DeleteMessage", lambda **_: broken())
    _, read = DEAD_LETTER_QUEUES["requests"]

    with pytest.raises(ConnectionClosedError):
        Redrive(deaf, queues.dead_letter_queue, queues.requests, read).run(dry=False)
    assert queues.lying() == 1
    queues.redrive()

    assert [original_id(message) for message in queues.moved()] == [first, first]
    assert queues.lying() == 0


# --- failed invocations --------------------------------------------------------------------------------------------


def test_a_failed_invocation_becomes_its_request_under_its_own_id(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.bury(a_failed_invocation())

    assert queues.redrive("invocations") == 0

    (message,) = queues.moved()
    assert json.loads(message["Body"]) == REQUEST
    assert original_id(message) == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert "InsufficientStock There is not enough stock." in capsys.readouterr().out
    assert queues.lying() == 0


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {
                "responsePayload": {
                    "errorType": "InvalidRequest",
                    "errorMessage": json.dumps(
                        [{"loc": ["body", "reason"], "msg": "Field required", "type": "missing"}]
                    ),
                }
            },
            "InvalidRequest body.reason: Field required",
        ),
        (
            {"responsePayload": {"errorMessage": "Task timed out after 10.00 seconds"}},
            "RetriesExhausted Task timed out after 10.00 seconds",
        ),
        ({"responsePayload": None, "responseContext": None}, "RetriesExhausted"),
    ],
    ids=["invalid", "cut off", "never answered"],
)
def test_the_reason_of_a_failed_invocation_is_printed(
    queues: Queues, capsys: pytest.CaptureFixture[str], members: dict[str, object], reason: str
) -> None:
    queues.bury(a_failed_invocation(**members))

    assert queues.redrive("invocations", dry=True) == 0

    assert capsys.readouterr().out.splitlines()[0].endswith(f"  {reason}")


@pytest.mark.parametrize("body", ["{", "[]", a_failed_invocation([]), a_failed_invocation(None), {}], ids=str)
def test_a_message_that_is_not_a_request_stays(queues: Queues, body: object) -> None:
    queues.bury(body)

    assert queues.redrive("invocations") == 0

    assert queues.moved() == []
    assert queues.lying() == 1


# --- the command ---------------------------------------------------------------------------------------------------


def test_a_redrive_without_a_stack_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))

    assert main(["redrive", "--queue", "requests"]) == 1

    assert "make run" in capsys.readouterr().err


def test_only_dead_letter_queues_of_requests_can_be_redriven(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redrive", "--queue", "unpublished"]) == 2

    assert "invocations" in capsys.readouterr().err
