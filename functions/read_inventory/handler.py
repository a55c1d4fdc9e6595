"""Read adjustments and stock levels: translate, ask, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory import http, http_reads
from inventory.reader_wiring import reader_on_dynamodb
from inventory.report import report_error, report_read
from inventory.retries import Patience

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CALLS_AT_ONCE = 8

logger = Logger()
metrics = Metrics()
reader = reader_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
    at_once=ThreadPoolExecutor(CALLS_AT_ONCE).map,
)


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: http.ApiEvent, context: LambdaContext) -> http.Response:
    """Answer one of the GET routes."""
    patience = Patience(lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        caller = http.authenticated_caller(event, scope=http.READ_SCOPE)
        members = http_reads.answer(event, caller.business_id, reader, patience)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        return http.refused(report_error(error, logger, metrics), request_id=context.aws_request_id)
    report_read(event["resource"], caller, logger, metrics)
    return http.found(members, request_id=context.aws_request_id)
