"""Create adjustments, over HTTP or by direct invocation: translate, call the one use case, translate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from aws_lambda_powertools import Metrics

from inventory.api import requests, responses
from inventory.api.routes import CREATE_ADJUSTMENT, CREATE_BATCH, RECORD_COUNT, TRANSFER
from inventory.aws.clients import dynamodb_client
from inventory.entrypoints.applying import apply
from inventory.entrypoints.composition import adjuster_on_dynamodb
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.responses import outcome_members
from inventory.entrypoints.telemetry import entry_point, translated_errors

if TYPE_CHECKING:
    from inventory.api.shapes import ApiEvent, Response
    from inventory.entrypoints.telemetry import Invocation

GROUPS_AND_COUNTS = {CREATE_BATCH.path, RECORD_COUNT.path, TRANSFER.path}

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
    """Answer an API event with a response, and a direct payload with what it has become or an exception."""
    if requests.is_api_event(event):
        return responses.respond(event, invocation, _create, allowed_origin=ALLOWED_ORIGIN)
    with translated_errors(invocation):
        # Lambda keeps an invocation's id across its asynchronous retries.
        from inventory.entrypoints import direct  # noqa: PLC0415  most environments are never invoked directly

        request = direct.requested(event, default_key=invocation.context.aws_request_id)
        return outcome_members(apply(request, adjuster, invocation))


def _create(event: ApiEvent, invocation: Invocation) -> Response:
    caller = requests.authenticated_caller(event, scope=CREATE_ADJUSTMENT.scope, clock=adjuster.clock)
    invocation.business_id = caller.business_id
    if event["resource"] in GROUPS_AND_COUNTS:
        from inventory.api import writes  # noqa: PLC0415  most environments see single adjustments only

        return writes.answer(event, caller, adjuster, invocation)
    outcome = apply(requests.adjustment_command(event, caller), adjuster, invocation)
    return responses.created(event, outcome, request_id=invocation.context.aws_request_id)
