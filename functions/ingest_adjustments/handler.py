"""Create the adjustments that the requests queue asks for: translate, call the one use case, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.adjusting.groups import Fault
from inventory.aws.clients import events_client
from inventory.aws.event_bus import EventBus
from inventory.domain.errors import InvalidRequest, ServiceError
from inventory.domain.model import Outcome
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints import direct, queue
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.queue import ingest
from inventory.entrypoints.telemetry import RequestLine, Tally, report_error, report_outcome, report_unreadable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.entrypoints.queue import Message

GROUPS_AT_ONCE = 8

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
bus = EventBus(events_client(), os.environ["EVENT_BUS"])
adjuster = adjuster_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
)
at_once = ThreadPoolExecutor(GROUPS_AT_ONCE).map


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> queue.QueueBatchAnswer:
    """Carry out a batch together, and answer which of its messages are not done."""
    line = RequestLine(clock_s)
    try:
        records = queue.records_of(event)
    except InvalidRequest as error:
        raise direct.raised(report_error(error, logger, metrics, line)) from None
    budget = RetryBudget(lambda: context.get_remaining_time_in_millis() / 1000, adjuster.sleep, adjuster.fraction)
    messages = ingest(records, adjuster, bus, budget=budget, at_once=at_once)
    counts = Tally()
    for message in messages:
        with logger.append_context_keys(message_id=message.record["messageId"]):
            _report(message, counts, line)
    counts.write(metrics)
    return queue.to_be_delivered_again([message.record for message in messages if not message.is_done])


def _report(message: Message, counts: Tally, line: RequestLine) -> None:
    line.business_id = None if message.command is None else message.command.business_id
    match message.result:
        case Outcome() as outcome:
            report_outcome(outcome, logger, counts, line)
        case queue.Unreadable() as error:
            report_unreadable(str(error), logger, counts, line)
        case Fault(error) | (ServiceError() as error):
            report_error(error, logger, counts, line)
