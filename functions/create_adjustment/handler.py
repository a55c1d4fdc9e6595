"""Create an adjustment, over HTTP or by direct invocation: translate, call the one use case, translate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.api import requests, responses
from inventory.api.routes import CREATE_ADJUSTMENT
from inventory.aws.clients import dynamodb_client
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints import direct
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.responses import adjustment_members
from inventory.entrypoints.telemetry import entry_point, report_outcome, translated_errors

if TYPE_CHECKING:
    from inventory.api.shapes import ApiEvent, Response
    from inventory.domain.model import Command, Outcome
    from inventory.entrypoints.telemetry import Invocation

ALLOWED_ORIGIN = os.environ.get("ALLOWED_ORIGIN", "")
logger = line_logger()
metrics = Metrics()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
adjuster = adjuster_on_dynamodb(
    client, inventory_table=os.environ["INVENTORY_TABLE"], ledger_table=os.environ["LEDGER_TABLE"]
)
start_finished()


@entry_point(logger, metrics)
def handler(event: object, invocation: Invocation) -> Response | dict[str, object]:
    """Answer an API event with a response, and a direct payload with the adjustment or an exception."""
    if requests.is_api_event(event):
        return responses.respond(event, invocation, _create, allowed_origin=ALLOWED_ORIGIN)
    with translated_errors(invocation):
        # Lambda keeps an invocation's id across its asynchronous retries.
        command = direct.adjustment_command(event, default_key=invocation.context.aws_request_id)
        return adjustment_members(_adjust(command, invocation).adjustment)


def _create(event: ApiEvent, invocation: Invocation) -> Response:
    caller = requests.authenticated_caller(event, scope=CREATE_ADJUSTMENT.scope, clock=adjuster.clock)
    invocation.business_id = caller.business_id
    outcome = _adjust(requests.adjustment_command(event, caller), invocation)
    return responses.created(event, outcome, request_id=invocation.context.aws_request_id)


def _adjust(command: Command, invocation: Invocation) -> Outcome:
    invocation.business_id = command.business_id
    invocation.budget = RetryBudget(invocation.remaining_s, adjuster.sleep, adjuster.fraction)
    outcome = adjuster.carry_out(command, invocation.budget)
    report_outcome(outcome, invocation)
    return outcome
