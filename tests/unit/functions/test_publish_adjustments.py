"""The ledger's stream: each new row is published; what can't be published is dead-lettered, reported or retried.

Lambda's own part, handing a batch over again, parting it and giving it up, no emulator shows. The records here have the
shape of real ones.
"""

from __future__ import annotations

import json
import sys
from copy import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from botocore.exceptions import ReadTimeoutError

from inventory.aws.clients import queues_client
from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, EVENTS_MAX
from inventory.domain import retry_budget
from inventory.domain.model import GENESIS_HASH
from inventory.entrypoints.responses import adjustment_members
from inventory.storage.items import ledger_item
from tests.support.builders.domain import an_adjustment
from tests.support.builders.ids import BUSINESS, TICK
from tests.support.fakes.event_bus import MemoryBus
from tests.support.faults.wire import broken, fault, reply
from tests.support.harness.event_schemas import assert_event, delivered
from tests.support.harness.loading import Context, load_event, load_handler
from tests.support.sam_template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from inventory.domain.model import Adjustment
    from tests.support.faults.wire import Reply

FUNCTION = load_template()["Resources"]["PublishAdjustmentsFunction"]["Properties"]
SOURCE = FUNCTION["Events"]["Ledger"]["Properties"]
TIMEOUT_MS = FUNCTION["Timeout"] * 1000
CALL_MAX_MS = (retry_budget.CONNECT_TIMEOUT_S + retry_budget.READ_TIMEOUT_S) * 1000
CALL_BUDGET_MS = int(retry_budget.CALL_BUDGET_S * 1000)
NAMESPACE = "InventoryAdjustments/a-stack"
DEAD_LETTER_QUEUE = "https://sqs.eu-central-1.amazonaws.com/000000000000/dead-letter-queue"


class MemoryQueue:
    """A queue behind a client's wire: what was sent to it, and what a call meets instead."""

    def __init__(self, client: Any) -> None:
        self.sent: list[Any] = []
        self.calls = 0
        self.met: Reply = None
        client.meta.events.register("before-send.sqs.SendMessage", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.calls += 1
        if isinstance(self.met, Exception):
            raise self.met
        if self.met is not None:
            self.met.raw.seek(0)
            return self.met
        sent = json.loads(cast("bytes", request.body))
        assert sent["QueueUrl"] == DEAD_LETTER_QUEUE
        self.sent.append(json.loads(sent["MessageBody"]))
        return reply({"MessageId": str(self.calls)})


class Publish:
    """One environment of the function, cold until its first batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        settings = {"EVENT_BUS": "the-bus", "DEAD_LETTER_QUEUE": DEAD_LETTER_QUEUE}
        # The name that the template sets: the alarm finds the metric by it.
        settings["POWERTOOLS_SERVICE_NAME"] = FUNCTION["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        settings["POWERTOOLS_METRICS_NAMESPACE"] = NAMESPACE
        self._module = load_handler("publish_adjustments", monkeypatch, **settings)
        self._capsys = capsys
        self.context = Context(remaining_ms=TIMEOUT_MS)
        self.call_ms = 0
        self.left_at_calls_ms: list[int] = []
        bus_client, queue_client = self._module.events, self._module.queues
        for client, event in ((bus_client, "before-send.events"), (queue_client, "before-send.sqs")):
            client.meta.events.register(event, self._call_begins)
        self.bus = MemoryBus(bus_client)
        self.dead_letter_queue = MemoryQueue(queue_client)
        self._module.RetryBudget = self._fast_budget

    def receive(self, *records: Any) -> str | None:
        """Deliver a batch; return the sequence number from which it must be delivered again."""
        # pytest changes stdout between a fixture and its test; the logger would write to the one it was made with.
        self._module.logger.registered_handler.stream = sys.stdout
        answer = self._module.handler({"Records": list(records)}, self.context)
        assert set(answer) == {"batchItemFailures"}
        assert len(answer["batchItemFailures"]) <= 1
        for failure in answer["batchItemFailures"]:
            assert set(failure) == {"itemIdentifier"}
            number: object = failure["itemIdentifier"]
            assert isinstance(number, str), "Lambda would deliver the whole batch again"
            return number
        return None

    def printed(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Log lines, and lines of metrics."""
        printed = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return [line for line in printed if "_aws" not in line], [line for line in printed if "_aws" in line]

    def counted(self) -> dict[str, int]:
        """How often each metric was counted, since the last call, without zeros."""
        counted: dict[str, int] = {}
        for line in self.printed()[1]:
            for each in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                counted[each["Name"]] = counted.get(each["Name"], 0) + int(sum(line[each["Name"]]))
        return {name: count for name, count in counted.items() if count}

    @property
    def sequences(self) -> list[int]:
        return [detail["sequence"] for detail in self.bus.details]

    def _fast_budget(self, remaining_s: Callable[[], float]) -> retry_budget.RetryBudget:
        return retry_budget.RetryBudget(remaining_s, self._pause, lambda: 1.0)

    def _pause(self, seconds: float) -> None:
        self.context.remaining_ms -= int(seconds * 1000)

    def _call_begins(self, **_: object) -> None:
        self.left_at_calls_ms.append(self.context.remaining_ms)
        self.context.remaining_ms -= self.call_ms


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Publish:
    return Publish(monkeypatch, capsys)


def a_change(item: Any, *, number: int = 0, event: str = "INSERT", **members: object) -> dict[str, Any]:
    """A stream record of a put of this item; its sequence number is ``at(number)``."""
    (record,) = load_event("publish-adjustments")["Records"]
    view = record["dynamodb"] | {"Keys": {"pk": item["pk"]}, "NewImage": item, "SequenceNumber": at(number)} | members
    return {**record, "eventName": event, "dynamodb": view}


def at(number: int) -> str:
    return f"1117000000000000000{number:05}"


def rows(count: int) -> Iterator[Adjustment]:
    """The first rows of one stock item."""
    previous_hash = GENESIS_HASH
    for sequence in range(1, count + 1):
        row = an_adjustment(
            id=UUID(int=sequence, version=4),
            sequence=sequence,
            quantity_after=5 * sequence,
            created_at=an_adjustment().created_at + sequence * TICK,
            previous_hash=previous_hash,
        )
        previous_hash = row.hash
        yield row


def a_batch(count: int) -> list[Any]:
    """Records 0, 1 … of a stock item's rows, whose sequences are 1, 2 …"""
    return [a_change(ledger_item(row), number=number) for number, row in enumerate(rows(count))]


# --- rows ----------------------------------------------------------------------------------------------------------


def test_a_row_is_published_with_the_body_of_the_201(publish: Publish) -> None:
    row = an_adjustment(reason="Größer — “so”", reason_code="found", reference="CC-17", expected_quantity=0)

    assert publish.receive(a_change(ledger_item(row))) is None

    (entry,) = publish.bus.entries
    assert (entry["EventBusName"], entry["Source"]) == ("the-bus", "inventory.adjustments")
    assert entry["DetailType"] == "InventoryAdjusted"
    assert json.loads(entry["Detail"]) == adjustment_members(row)


@pytest.mark.parametrize(
    "row",
    [
        an_adjustment(),
        an_adjustment(reverses=UUID(int=7, version=4), delta=-5, quantity_after=-5, reason_code="other"),
        an_adjustment(reason="\U0001f4e6" * 500, reference="\U0001f4e6" * 255, created_by="\U0001f4e6" * 255),
        an_adjustment(delta=-1_000_000_000, quantity_after=-(2**53 - 1), sequence=2**53 - 1),
    ],
    ids=["plain", "reversal", "wide", "largest"],
)
def test_every_possible_row_makes_an_event_that_fits_the_schema(publish: Publish, row: Adjustment) -> None:
    assert publish.receive(a_change(ledger_item(row))) is None

    (entry,) = publish.bus.entries
    assert_event(delivered(entry), "inventory-adjusted")


def test_a_batch_is_published_in_order_and_in_the_fewest_calls(publish: Publish) -> None:
    assert publish.receive(*a_batch(SOURCE["BatchSize"])) is None

    assert publish.sequences == list(range(1, 101))
    assert publish.bus.call_sizes == [EVENTS_MAX] * 10
    assert publish.dead_letter_queue.calls == 0
    assert publish.counted() == {"AdjustmentPublished": 100}


def test_the_sample_event_is_published(publish: Publish) -> None:
    assert publish.receive(*load_event("publish-adjustments")["Records"]) is None

    assert publish.sequences == [2]


# --- changes that are not appends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["MODIFY", "REMOVE"])
def test_an_altered_row_is_reported_and_not_published(publish: Publish, event: str) -> None:
    first, second = a_batch(2)
    altered = a_change(ledger_item(an_adjustment(delta=99)), number=9, event=event)
    if event == "REMOVE":
        del altered["dynamodb"]["NewImage"]

    assert publish.receive(first, altered, second) is None

    assert publish.sequences == [1, 2]
    assert publish.dead_letter_queue.calls == 0
    lines, _ = publish.printed()
    (line,) = [line for line in lines if line["message"] == "ledger row altered"]
    assert (line["level"], line["change"]) == ("WARNING", event)
    assert line["ledger_key"] == altered["dynamodb"]["Keys"]["pk"]["S"]


def test_the_alarm_on_altered_rows_watches_the_metric_that_the_function_writes(publish: Publish) -> None:
    publish.receive(a_change(ledger_item(an_adjustment()), event="MODIFY"))

    (line,) = publish.printed()[1]
    variables = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    alarm = load_template()["Resources"]["AlteredLedgerAlarm"]["Properties"]
    (written,) = line["_aws"]["CloudWatchMetrics"]
    assert line[alarm["MetricName"]] == [1.0]
    assert written["Namespace"] == NAMESPACE
    assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert written["Dimensions"] == [list(dimensions)]
    assert {name: line[name] for name in dimensions} == dimensions


# --- records that can never be published -----------------------------------------------------------------------------

ITEM = ledger_item(an_adjustment())
KEY = {"pk": ITEM["pk"]}
UNUSABLE: dict[str, tuple[Any, str]] = {
    "a key alone": (KEY, "no ledger row"),
    "a member is missing": ({name: value for name, value in ITEM.items() if name != "delta"}, "no ledger row"),
    "no uuid": (ITEM | {"id": {"S": "x"}}, "no ledger row"),
    "another type": (ITEM | {"delta": {"S": "5"}}, "no ledger row"),
    "no integer": (ITEM | {"delta": {"N": "5.5"}}, "no ledger row"),
    "no instant": (ITEM | {"created_at": {"S": "yesterday"}}, "no ledger row"),
    "no value": (ITEM | {"reason": None}, "no ledger row"),
    "a number for a text": (ITEM | {"reason": {"S": 5}}, "hash or key of another row"),
    "another delta": (ITEM | {"delta": {"N": "6"}}, "hash or key of another row"),
    "an unknown reason code": (ITEM | {"reason_code": {"S": "whim"}}, "hash or key of another row"),
    "the key of another row": (ITEM | {"pk": {"S": f"{BUSINESS}#copy"}}, "hash or key of another row"),
    "too large": (ledger_item(an_adjustment(reason="x" * DETAIL_SIZE_MAX_BYTES)), "too large for an event"),
}


@pytest.mark.parametrize(("item", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_item_that_is_not_a_row_is_dead_lettered_and_holds_up_nothing(
    publish: Publish, item: Any, problem: str
) -> None:
    first, second = a_batch(2)

    assert publish.receive(first, a_change(item, number=7), second) is None

    assert publish.sequences == [1, 2]
    assert publish.dead_letter_queue.sent == [
        {"problem": problem, "keys": {"pk": item["pk"]}, "sequence_number": at(7)}
    ]
    lines, _ = publish.printed()
    (line,) = [line for line in lines if line["message"] == "ledger row set aside"]
    assert (line["level"], line["ledger_key"], line["problem"]) == ("ERROR", item["pk"]["S"], problem)


def test_a_record_without_its_item_is_dead_lettered(publish: Publish) -> None:
    record = a_change(ITEM)
    del record["dynamodb"]["NewImage"]

    assert publish.receive(record) is None

    assert [each["keys"] for each in publish.dead_letter_queue.sent] == [KEY]


def test_an_event_that_the_bus_never_accepts_is_dead_lettered(publish: Publish) -> None:
    publish.bus.failing = {'"sequence":2,': ["MalformedDetail"]}

    assert publish.receive(*a_batch(3)) is None

    assert publish.sequences == [1, 3]
    (message,) = publish.dead_letter_queue.sent
    assert (message["problem"], message["sequence_number"]) == ("EventBridge: MalformedDetail", at(1))
    assert publish.counted() == {"AdjustmentPublished": 2, "LedgerRowSetAside": 1}


PASSING: dict[str, Reply] = {
    "closed": broken(),
    "time-out": ReadTimeoutError(endpoint_url="https://sqs.test"),
    "throttled": fault("RequestThrottled"),
    "unavailable": fault("ServiceUnavailable", 503),
    "empty": reply({}),
}


@pytest.mark.parametrize("met", PASSING.values(), ids=PASSING)
def test_a_record_that_cannot_be_dead_lettered_now_is_delivered_again(publish: Publish, met: Reply) -> None:
    publish.dead_letter_queue.met = met
    first, second = a_batch(2)

    assert publish.receive(first, a_change(KEY, number=7), second) == at(7)

    assert publish.dead_letter_queue.calls == retry_budget.CALL_ATTEMPTS_MAX
    assert publish.counted() == {"AdjustmentPublished": 1}


# --- an unavailable bus ----------------------------------------------------------------------------------------------


def test_the_batch_is_delivered_again_from_the_first_unpublished_record(publish: Publish) -> None:
    publish.bus.failing = {'"sequence":14,': ["ThrottlingException"] * 99}

    assert publish.receive(*a_batch(30)) == at(13)

    assert set(range(1, 14)) <= set(publish.sequences), "all before it is done"
    assert publish.counted() == {"AdjustmentPublished": 13}


def test_a_batch_delivered_again_is_published_again_from_there(publish: Publish) -> None:
    batch = a_batch(12)
    publish.bus.failing = {'"sequence":3,': ["InternalFailure"] * retry_budget.CALL_ATTEMPTS_MAX}
    assert publish.receive(*batch) == at(2)

    assert publish.receive(*batch[2:]) is None

    assert set(publish.sequences) == set(range(1, 13))
    assert publish.sequences[-10:] == list(range(3, 13))


def test_records_behind_the_open_one_are_reported_later(publish: Publish) -> None:
    publish.bus.failing = {'"sequence":1,': ["InternalFailure"] * 99}
    altered = a_change(ITEM, number=7, event="MODIFY")

    assert publish.receive(*a_batch(1), altered, a_change(KEY, number=8)) == at(0)

    assert publish.dead_letter_queue.calls == 0
    assert publish.counted() == {}


@pytest.mark.parametrize("met", PASSING.values(), ids=PASSING)
def test_an_unavailable_bus_leaves_the_whole_batch_for_later(publish: Publish, met: Reply) -> None:
    publish.bus.meets(met)

    assert publish.receive(*a_batch(30)) == at(0)

    lines, _ = publish.printed()
    assert [
        (line["level"], line["sequence_number"]) for line in lines if line["message"] == "not published in time"
    ] == [("WARNING", at(0))]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_an_internal_error_is_raised_without_details_so_that_lambda_splits_the_batch(
    publish: Publish, code: str
) -> None:
    publish.bus.meets(fault(code))

    with pytest.raises(Exception, match="internal_error") as raised:
        publish.receive(*a_batch(2))

    assert type(raised.value).__name__ == "InternalError"
    assert raised.value.__suppress_context__
    lines, _ = publish.printed()
    assert code in lines[0]["exception"]


@pytest.mark.parametrize("remaining_ms", [0, CALL_BUDGET_MS - 1, CALL_BUDGET_MS, 10_000, 31_000, TIMEOUT_MS])
@pytest.mark.parametrize("answers", [True, False])
def test_no_call_begins_that_could_outlast_the_invocation(publish: Publish, remaining_ms: int, answers: bool) -> None:  # noqa: FBT001
    publish.context.remaining_ms, publish.call_ms = remaining_ms, CALL_MAX_MS
    if not answers:
        publish.bus.meets(broken())
    batch = a_batch(99)

    open_from = publish.receive(a_change(KEY, number=999), *batch)

    assert all(left_ms >= CALL_BUDGET_MS for left_ms in publish.left_at_calls_ms)
    assert publish.context.remaining_ms >= 0
    assert open_from is not None or len(publish.sequences) == 99


def test_a_full_batch_has_time_for_slow_calls_and_one_retry() -> None:
    calls = SOURCE["BatchSize"] / EVENTS_MAX

    assert (calls + retry_budget.CALL_ATTEMPTS_MAX) * CALL_MAX_MS < TIMEOUT_MS


def test_the_dead_letter_queues_client_has_the_time_outs_of_the_bus_and_one_attempt_a_call() -> None:
    config: Any = queues_client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (
        retry_budget.CONNECT_TIMEOUT_S,
        retry_budget.READ_TIMEOUT_S,
    )
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


# --- logs and metrics ------------------------------------------------------------------------------------------------


def test_no_log_line_holds_anything_of_a_row_but_its_key(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    row = an_adjustment(reason="whispered", reference="confidential", created_by="somebody")
    forged = ledger_item(replace(row, delta=6))

    publish.receive(a_change(ledger_item(row)), a_change(forged, number=1), a_change(forged, number=2, event="MODIFY"))

    text = json.dumps(publish.printed())
    assert [each for each in ("whispered", "confidential", "somebody") if each in text] == []
    assert "whispered" not in json.dumps(publish.dead_letter_queue.sent)
