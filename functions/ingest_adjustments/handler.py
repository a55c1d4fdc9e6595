"""Create the adjustments that the requests queue asks for: translate, call the one use case, translate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory import queue
from inventory.bus import EventBus
from inventory.client import events_client
from inventory.errors import Refusal
from inventory.report import report_error, report_outcome, report_unreadable
from inventory.requests import InvalidRequest
from inventory.retries import Patience
from inventory.wiring import adjuster_on_dynamodb

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
bus = EventBus(events_client(), os.environ["EVENT_BUS"])
adjuster = adjuster_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
)


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: queue.Batch, context: LambdaContext) -> queue.BatchAnswer:
    """Handle one message after the other, each for itself, and answer which of them are not done."""
    messages = queue.shares(event["Records"], lambda: context.get_remaining_time_in_millis() / 1000)
    return queue.to_be_delivered_again([record for record, remaining_s in messages if not _done(record, remaining_s)])


def _done(record: queue.Record, remaining_s: Callable[[], float]) -> bool:
    with logger.append_context_keys(message_id=record["messageId"]):
        try:
            _ingest(record, remaining_s)
        except queue.Unreadable as error:
            report_unreadable(str(error), logger, metrics)
            return False
        except Exception as error:  # noqa: BLE001  the edge: what is wrong with one message must not touch the others
            report_error(error, logger, metrics)
            return False
        return True


def _ingest(record: queue.Record, remaining_s: Callable[[], float]) -> None:
    queue.require_time(remaining_s)
    request = queue.read_message(record)
    try:
        outcome = adjuster.adjust(request.command(), remaining_s=remaining_s)
    except (Refusal, InvalidRequest) as refusal:
        queue.tell(bus, request, refusal, Patience(remaining_s, adjuster.sleep, adjuster.fraction))
        report_error(refusal, logger, metrics)
    else:
        report_outcome(outcome, logger, metrics)
