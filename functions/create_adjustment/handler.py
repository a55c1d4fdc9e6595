"""Create an adjustment, over HTTP or by direct invocation: translate, call the one use case, translate."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from inventory.api import requests, responses
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints import direct
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.responses import adjustment_members
from inventory.entrypoints.telemetry import RequestLine, report_error, report_outcome

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.domain.model import Command, Outcome

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
def handler(event: object, context: LambdaContext) -> responses.Response | dict[str, object]:
    """Answer an API event with a response, and a direct payload with the adjustment or an exception."""
    line = RequestLine(clock_s)
    if requests.is_api_event(event):
        return _over_http(event, context, line)
    try:
        # Lambda keeps an invocation's id across its asynchronous retries.
        command = direct.adjustment_command(event, default_key=context.aws_request_id)
        return adjustment_members(_adjust(command, context, line).adjustment)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        raise direct.raised(report_error(error, logger, metrics, line)) from None


def _over_http(event: requests.ApiEvent, context: LambdaContext, line: RequestLine) -> responses.Response:
    line.gateway_request_id = requests.gateway_request_id(event)
    try:
        caller = requests.authenticated_caller(event, scope=requests.WRITE_SCOPE, clock=adjuster.clock)
        line.business_id = caller.business_id
        outcome = _adjust(requests.adjustment_command(event, caller), context, line)
    except Exception as error:  # noqa: BLE001  the edge: nothing internal may reach the client
        return responses.refused(report_error(error, logger, metrics, line), request_id=context.aws_request_id)
    return responses.created(outcome, request_id=context.aws_request_id)


def _adjust(command: Command, context: LambdaContext, line: RequestLine) -> Outcome:
    line.business_id = command.business_id
    line.budget = RetryBudget(lambda: context.get_remaining_time_in_millis() / 1000, adjuster.sleep, adjuster.fraction)
    outcome = adjuster.carry_out(command, line.budget)
    report_outcome(outcome, logger, metrics, line)
    return outcome
