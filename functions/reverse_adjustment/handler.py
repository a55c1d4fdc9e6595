"""Reverse an adjustment, over HTTP: translate, call the one use case, translate."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.adjusting.reversal import carry_out
from inventory.api import requests, responses
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.telemetry import RequestLine, report_error, report_outcome

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
clock_s = perf_counter
adjuster = adjuster_on_dynamodb(
    os.environ.get("DYNAMODB_ENDPOINT") or None,
    inventory_table=os.environ["INVENTORY_TABLE"],
    ledger_table=os.environ["LEDGER_TABLE"],
)


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: object, context: LambdaContext) -> responses.Response:
    """Answer an API event with a response."""
    line = RequestLine(clock_s)
    try:
        request = requests.api_event(event)
        line.gateway_request_id = requests.gateway_request_id(request)
        caller = requests.authenticated_caller(request, scope=requests.REVERSE_SCOPE, clock=adjuster.clock)
        line.business_id = caller.business_id
        reversal = requests.reversal(request, caller)
        line.budget = RetryBudget(
            lambda: context.get_remaining_time_in_millis() / 1000, adjuster.sleep, adjuster.fraction
        )
        outcome = carry_out(adjuster, reversal, line.budget)
        report_outcome(outcome, logger, metrics, line)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        return responses.refused(report_error(error, logger, metrics, line), request_id=context.aws_request_id)
    return responses.created(outcome, request_id=context.aws_request_id)
