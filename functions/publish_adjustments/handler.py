"""Tell of every adjustment, from the ledger's stream to the event bus: translate, publish, translate."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.aws.clients import events_client, queues_client
from inventory.aws.dead_letter_queue import DeadLetterQueue
from inventory.aws.event_bus import EventBus
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints import direct
from inventory.entrypoints.ledger_stream import Publisher
from inventory.entrypoints.telemetry import RequestLine, report_error, report_published

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.entrypoints.ledger_stream import StreamBatch, StreamBatchAnswer

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
publisher = Publisher(
    bus=EventBus(events_client(), os.environ["EVENT_BUS"]),
    dead_letter_queue=DeadLetterQueue(queues_client(), os.environ["DEAD_LETTER_QUEUE"]),
)


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: StreamBatch, context: LambdaContext) -> StreamBatchAnswer:
    """Publish a batch, and answer from where on it is not done.

    A fault that no repetition outlives is raised, so that Lambda parts the batch until it has what is at fault alone.
    """
    line = RequestLine(clock_s)
    try:
        published = publisher.publish(
            event["Records"], RetryBudget(lambda: context.get_remaining_time_in_millis() / 1000)
        )
    except Exception as error:  # noqa: BLE001  the edge: what is raised says no more than that it failed
        raise direct.raised(report_error(error, logger, metrics, line)) from None
    report_published(published, logger, metrics)
    return published.answer()
