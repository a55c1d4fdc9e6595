"""Read adjustments and stock levels over HTTP, and export them by direct invocation: translate, ask, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.api import reads, requests, responses
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints import direct
from inventory.entrypoints.exporting import exported_page
from inventory.entrypoints.reader_composition import reader_on_dynamodb
from inventory.entrypoints.telemetry import RequestLine, report_error, report_export, report_read
from inventory.queries.export import ExportAnswer, Exporter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CALLS_AT_ONCE = 8

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
clock = partial(datetime.now, UTC)
reader = reader_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
    at_once=ThreadPoolExecutor(CALLS_AT_ONCE).map,
)
exporter = Exporter(reader.lookups, reader.index, clock)


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> responses.Response | ExportAnswer:
    """Answer an API event with a response, and a direct payload with a page of an export or an exception."""
    line = RequestLine(clock_s)
    budget = RetryBudget(lambda: context.get_remaining_time_in_millis() / 1000)
    if requests.is_api_event(event):
        return _over_http(event, budget, context, line)
    try:
        page = exported_page(event, exporter, budget, line)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        raise direct.raised(report_error(error, logger, metrics, line)) from None
    report_export(page, logger, metrics, line)
    return page.answer()


def _over_http(
    event: requests.ApiEvent, budget: RetryBudget, context: LambdaContext, line: RequestLine
) -> responses.Response:
    line.gateway_request_id = requests.gateway_request_id(event)
    try:
        caller = requests.authenticated_caller(event, scope=requests.READ_SCOPE, clock=clock)
        line.business_id = caller.business_id
        members = reads.answer(event, caller.business_id, reader, budget)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        return responses.refused(report_error(error, logger, metrics, line), request_id=context.aws_request_id)
    report_read(event["resource"], logger, metrics, line)
    return responses.found(members, request_id=context.aws_request_id)
