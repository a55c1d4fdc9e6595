"""The page about messages: times, sizes, queues, alarms and examples are those of template and code."""

from __future__ import annotations

import json
import re

from inventory.adjusting.merging import RUN_TIME_MAX_S
from inventory.aws.event_bus import DETAIL_SIZE_MAX_BYTES, SOURCE
from inventory.domain.errors import InsufficientStock
from inventory.domain.store import GROUP_MAX
from inventory.entrypoints.ledger_stream import ADJUSTED
from inventory.entrypoints.messages import ORIGINAL_ID, QUEUE_ACTOR, MessageRequest
from inventory.entrypoints.queue import PUBLISHING_TIME_S
from inventory.entrypoints.rejections import REJECTED, rejection
from inventory.entrypoints.telemetry import UNREADABLE
from ops.redrive import DEAD_LETTER_QUEUES
from tests.support.pages import code, page, prose, rows, section
from tests.support.sam_template import PROJECT_ROOT, load_template, resources
from tools.template import read_template

NAME = "docs/messaging.md"
PAGE = page(NAME)


def test_what_is_said_of_the_queue_is_what_template_and_code_say() -> None:
    all_resources = load_template()["Resources"]
    queue, rule = (all_resources[name]["Properties"] for name in ("AdjustmentRequestsQueue", "AdjustmentRequestsRule"))
    function = all_resources["IngestAdjustmentsFunction"]["Properties"]
    source = function["Events"]["Requests"]["Properties"]
    text = prose(PAGE)
    assert f"delivered again after {queue['VisibilityTimeout'] // 60} minutes" in text
    assert queue["VisibilityTimeout"] % 60 == 0
    assert f"Up to {source['BatchSize']:,} messages" in text
    assert f"within {source['MaximumBatchingWindowInSeconds']} second," in text
    at_once = load_template()["Parameters"][source["ScalingConfig"]["MaximumConcurrency"]["Ref"]]["Default"]
    assert f"up to {at_once} batches" in text
    assert f"one transaction for each {GROUP_MAX} adjustments" in text
    assert f"A batch has {function['Timeout']} seconds" in text
    assert f"The last {PUBLISHING_TIME_S:.0f} are for publishing rejections" in text
    assert f"goes on for {RUN_TIME_MAX_S:.0f} seconds while others wait" in text
    assert (queue["RedrivePolicy"]["maxReceiveCount"], queue["MessageRetentionPeriod"]) == (5, 14 * 24 * 60 * 60)
    assert "after five times" in text
    assert "After five deliveries" in text
    assert "for 14 days" in text
    assert f"`created_by` is `{QUEUE_ACTOR}`" in text
    for name in (*rule["EventPattern"]["detail-type"], REJECTED, SOURCE, ORIGINAL_ID, UNREADABLE):
        assert f"`{name}`" in text
    assert f"over {DETAIL_SIZE_MAX_BYTES // 1024} KB" in text


def test_the_example_of_a_rejection_has_the_form_of_one() -> None:
    (example,) = [json.loads(each) for each in code(section(NAME, "Rejections"), "json")]
    refusal = InsufficientStock(quantity_on_hand=2, quantity_change=-3)
    made = json.loads(rejection(MessageRequest(example["request"], example["message_id"]), refusal))
    assert example["error"]["detail"].keys() == made["error"]["detail"].keys()
    assert example | {"error": made["error"]} == made
    assert example["error"]["type"] == made["error"]["type"]


def test_what_is_said_of_events_is_what_template_and_code_say() -> None:
    text = section(NAME, "Subscribe to adjustments")
    source = load_template()["Resources"]["PublishAdjustmentsFunction"]["Properties"]["Events"]["Ledger"]["Properties"]
    late = resources("AWS::CloudWatch::Alarm")["LatePublishingAlarm"]["Properties"]
    assert f"up to {source['MaximumRecordAgeInSeconds'] // 3600} hours" in text
    assert (late["Threshold"], late["EvaluationPeriods"]) == (5 * 60 * 1000, 3)
    assert "after five minutes" in prose(text)
    for name in (ADJUSTED, SOURCE):
        assert f"`{name}`" in text
    pattern = re.search(r"--event-pattern '(.*)'", text)
    assert pattern
    assert json.loads(pattern[1]) == {"source": [SOURCE], "detail-type": [ADJUSTED, REJECTED]}
    sample = read_template(PROJECT_ROOT / "events" / "subscription" / "template.yaml")
    assert sample["Resources"]["InventoryEventsRule"]["Properties"]["EventPattern"] == json.loads(pattern[1])


def test_every_dead_letter_queue_stands_in_the_table_with_its_alarm_and_its_redrive() -> None:
    alarms = {
        each["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]: name
        for name, each in resources("AWS::CloudWatch::Alarm").items()
        if each["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    documented = {queue: (alarm, back) for queue, _, alarm, back in rows(section(NAME, "Dead-letter queues"))[1:]}
    assert {queue: alarm for queue, (alarm, _) in documented.items()} == alarms
    ways_back = {queue: f"make redrive QUEUE={name}" for name, (queue, _) in DEAD_LETTER_QUEUES.items()}
    ways_back["AdjustmentRequestsDeadLetterQueue"] = "make redrive"
    assert {queue: back for queue, (_, back) in documented.items() if back.startswith("make")} == ways_back


def test_every_queue_and_function_that_is_named_exists() -> None:
    named = set(re.findall(r"`(\w+(?:Queue|Function))`", PAGE))
    assert named
    assert named <= set(load_template()["Resources"])
