"""Read adjustments and stock levels over HTTP, and export them by direct invocation: translate, query, translate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.api import reads, requests, responses
from inventory.aws.clients import dynamodb_client
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.exporting import exported_page
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.telemetry import entry_point, report_export, report_read, translated_errors
from inventory.queries.export import ExportAnswer, Exporter
from inventory.queries.reader import reader_on
from inventory.storage.ledger_index import DynamoDBLedgerIndex
from inventory.storage.lookups import Lookups
from inventory.storage.stock_index import StockIndex

if TYPE_CHECKING:
    from inventory.api.shapes import ApiEvent, Response
    from inventory.entrypoints.telemetry import Invocation

CALLS_AT_ONCE = 8
ALLOWED_ORIGIN = os.environ.get("ALLOWED_ORIGIN", "")
logger, metrics = line_logger(), Metrics()
clock = partial(datetime.now, UTC)
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
at_once = ThreadPoolExecutor(CALLS_AT_ONCE).map
lookups = Lookups(client, inventory_table=os.environ["INVENTORY_TABLE"], ledger_table=os.environ["LEDGER_TABLE"])
index = DynamoDBLedgerIndex(client, os.environ["LEDGER_TABLE"])
stock_index = StockIndex(client, os.environ["INVENTORY_TABLE"])
reader = reader_on(lookups, index, stock_index, at_once)
exporter = Exporter(lookups, index, clock)
start_finished()


@entry_point(logger, metrics)
def handler(event: object, invocation: Invocation) -> Response | ExportAnswer:
    """Answer an API event with a response, and a direct payload with a page of an export or an exception."""
    if requests.is_api_event(event):
        return responses.respond(event, invocation, _read, allowed_origin=ALLOWED_ORIGIN)
    with translated_errors(invocation):
        page = exported_page(event, exporter, RetryBudget(invocation.remaining_s), invocation)
        report_export(page, invocation)
        return page.answer()


def _read(event: ApiEvent, invocation: Invocation) -> Response:
    caller = requests.authenticated_caller(event, scope=reads.SCOPE, clock=clock)
    invocation.business_id = caller.business_id
    members = reads.answer(event, caller.business_id, reader, RetryBudget(invocation.remaining_s))
    report_read(event["resource"], invocation)
    return responses.found(members, request_id=invocation.context.aws_request_id)
