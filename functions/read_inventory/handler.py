"""Read adjustments and stock levels over HTTP, and export them by direct invocation: translate, ask, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory import direct, http, http_reads
from inventory.export import ExportAnswer, Exporter
from inventory.read_requests import ExportRequest
from inventory.reader_wiring import reader_on_dynamodb
from inventory.report import RequestLine, report_error, report_export, report_read
from inventory.requests import validated
from inventory.retries import Patience

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CALLS_AT_ONCE = 8

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
reader = reader_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
    at_once=ThreadPoolExecutor(CALLS_AT_ONCE).map,
)
exporter = Exporter(reader.books, reader.index, partial(datetime.now, UTC))


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> http.Response | ExportAnswer:
    """Answer an API event with a response, and a direct payload with a page of an export or an exception."""
    line = RequestLine(clock_s)
    patience = Patience(lambda: context.get_remaining_time_in_millis() / 1000)
    if http.is_api_event(event):
        return _over_http(event, patience, context, line)
    try:
        request = validated(ExportRequest, event)
        line.business_id = request.business_id
        page = exporter.page(request, patience)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the invoker
        raise direct.raised(report_error(error, logger, metrics, line)) from None
    report_export(page, logger, metrics, line)
    return page.answer()


def _over_http(event: http.ApiEvent, patience: Patience, context: LambdaContext, line: RequestLine) -> http.Response:
    line.gateway_request_id = http.gateway_request_id(event)
    try:
        caller = http.authenticated_caller(event, scope=http.READ_SCOPE)
        line.business_id = caller.business_id
        members = http_reads.answer(event, caller.business_id, reader, patience)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        return http.refused(report_error(error, logger, metrics, line), request_id=context.aws_request_id)
    report_read(event["resource"], logger, metrics, line)
    return http.found(members, request_id=context.aws_request_id)
