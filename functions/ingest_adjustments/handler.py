"""Create the adjustments that the messages of the requests queue ask for: translate, ingest, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.aws.clients import dynamodb_client, events_client
from inventory.aws.event_bus import EventBus
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.messages import records_of
from inventory.entrypoints.queue import ingest, report_messages, response
from inventory.entrypoints.telemetry import entry_point, translated_errors
from inventory.storage.rejections import RejectionMarkers

if TYPE_CHECKING:
    from inventory.entrypoints.shapes import BatchResponse
    from inventory.entrypoints.telemetry import Invocation

GROUPS_AT_ONCE = 8

logger = line_logger()
metrics = Metrics()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
events = events_client()
bus = EventBus(events, os.environ["EVENT_BUS"])
tables = {"inventory_table": os.environ["INVENTORY_TABLE"], "ledger_table": os.environ["LEDGER_TABLE"]}
adjuster = adjuster_on_dynamodb(client, **tables)
rejections = RejectionMarkers(client, **tables, clock=adjuster.clock)
at_once = ThreadPoolExecutor(GROUPS_AT_ONCE).map
start_finished()


@entry_point(logger, metrics)
def handler(event: object, invocation: Invocation) -> BatchResponse:
    """Apply the requests of a batch together, and answer which of its messages are not done."""
    with translated_errors(invocation):
        records = records_of(event)
    budget = RetryBudget(invocation.remaining_s, adjuster.sleep, adjuster.fraction)
    messages = ingest(records, adjuster, rejections, bus, budget=budget, at_once=at_once)
    report_messages(messages, invocation)
    return response(messages)
