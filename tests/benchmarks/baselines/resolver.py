"""Powertools' resolver with validation, Logger and Metrics, as its documentation shows them; boto3's client."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.metrics import MetricUnit

from tests.benchmarks.baselines import work
from tests.benchmarks.baselines.body import Body  # noqa: TC001  the resolver reads the annotation
from tests.benchmarks.baselines.work import Refused

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver(enable_validation=True)
client: Any = boto3.client("dynamodb")


@app.post(work.ADJUSTMENTS_PATH)
def create_adjustment(body: Body) -> Response[dict[str, Any]]:
    event = app.current_event.raw_event
    try:
        business_id, subject = work.caller(event)
        key = event["headers"].get("Idempotency-Key")
        row, stock = work.new_row(body.request(business_id=business_id, subject=subject, idempotency_key=key))
        client.transact_write_items(TransactItems=work.typed_parts(row, stock), ReturnConsumedCapacity="TOTAL")
    except Refused as error:
        return response(error.status, {"detail": {"code": error.code}})
    except client.exceptions.TransactionCanceledException:
        return response(503, {"detail": {"code": "try_again"}})
    work.remember(row)
    members = work.answer(row)
    metrics.add_metric("AdjustmentCreated", MetricUnit.Count, 1)
    logger.info(
        "adjustment created",
        extra={"business_id": business_id, "adjustment_id": row["id"], "sequence": row["sequence"], "attempts": 1},
    )
    return response(201, members, Location=work.location(members))


def response(status: int, body: dict[str, Any], **headers: str) -> Response[dict[str, Any]]:
    request_id = app.lambda_context.aws_request_id
    return Response(status, "application/json", body, headers={"x-request-id": request_id, **headers})


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
