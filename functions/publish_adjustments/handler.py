"""Publish an event for every adjustment, from the ledger's stream to the event bus: translate, publish, translate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.aws.clients import events_client, queues_client
from inventory.aws.dead_letter_queue import DeadLetterQueue
from inventory.aws.event_bus import EventBus
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.ledger_stream import Publisher
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.telemetry import entry_point, report_published, translated_errors

if TYPE_CHECKING:
    from inventory.entrypoints.shapes import BatchResponse, StreamBatch
    from inventory.entrypoints.telemetry import Invocation

logger = line_logger()
metrics = Metrics()
events, queues = events_client(), queues_client()
publisher = Publisher(
    bus=EventBus(events, os.environ["EVENT_BUS"]),
    dead_letter_queue=DeadLetterQueue(queues, os.environ["DEAD_LETTER_QUEUE"]),
)
start_finished()


@entry_point(logger, metrics)
def handler(event: StreamBatch, invocation: Invocation) -> BatchResponse:
    """Publish a batch, and answer from where on it is not done.

    An unexpected fault is raised: Lambda then splits the batch until the record at fault is alone.
    """
    with translated_errors(invocation):
        result = publisher.publish(event["Records"], RetryBudget(invocation.remaining_s))
    report_published(result, invocation)
    return result.response()
