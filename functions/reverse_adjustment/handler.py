"""Reverse an adjustment or a group, over HTTP: translate, call the one use case, translate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.adjusting.reversal import carry_out, carry_out_group
from inventory.api import requests, responses
from inventory.api.routes import REVERSE_ADJUSTMENT
from inventory.aws.clients import dynamodb_client
from inventory.domain.errors import Unauthorized
from inventory.domain.model import GroupReversal
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.telemetry import entry_point, report_error, report_outcome

if TYPE_CHECKING:
    from inventory.api.shapes import ApiEvent, Response
    from inventory.domain.model import GroupOutcome, Outcome
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
def handler(event: object, invocation: Invocation) -> Response:
    """Answer an API event with a response. An event that did not pass the gateway passed no authorizer either."""
    if requests.is_api_event(event):
        return responses.respond(event, invocation, _reverse, allowed_origin=ALLOWED_ORIGIN)
    return responses.refused(report_error(Unauthorized(), invocation), request_id=invocation.context.aws_request_id)


def _reverse(event: ApiEvent, invocation: Invocation) -> Response:
    caller = requests.authenticated_caller(event, scope=REVERSE_ADJUSTMENT.scope, clock=adjuster.clock)
    invocation.business_id = caller.business_id
    request = requests.reversal(event, caller)
    invocation.budget = RetryBudget(invocation.remaining_s, adjuster.sleep, adjuster.fraction)
    outcome: Outcome | GroupOutcome
    if isinstance(request, GroupReversal):
        outcome = carry_out_group(adjuster, request, invocation.budget)
    else:
        outcome = carry_out(adjuster, request, invocation.budget)
    report_outcome(outcome, invocation)
    return responses.created(event, outcome, request_id=invocation.context.aws_request_id)
