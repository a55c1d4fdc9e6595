"""The model that is copied most: Powertools' resolver and its idempotency, with ``boto3.resource``.

The idempotency utility keeps each request in a table of its own: a put before the work and an update behind it. Those
two more calls are its design, and no fault of this module.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from tests.benchmarks.baselines import work
from tests.benchmarks.baselines.body import Body  # noqa: TC001  the resolver reads the annotation
from tests.benchmarks.baselines.work import Refused

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver(enable_validation=True)
persistence = DynamoDBPersistenceLayer(table_name=os.environ.get("IDEMPOTENCY_TABLE", work.IDEMPOTENCY_TABLE))
config = IdempotencyConfig(event_key_jmespath="[business_id, idempotency_key]", payload_validation_jmespath="body")
client: Any = boto3.resource("dynamodb").meta.client


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="asked", persistence_store=persistence, config=config
)
def adjust(asked: dict[str, Any], body: Body, subject: str) -> dict[str, Any]:
    request = body.request(business_id=asked["business_id"], subject=subject, idempotency_key=asked["idempotency_key"])
    row, stock = work.new_row(request)
    client.transact_write_items(TransactItems=work.parts(row, stock), ReturnConsumedCapacity="TOTAL")
    work.remember(row)
    return work.answer(row)


@app.post(work.ADJUSTMENTS_PATH)
def create_adjustment(body: Body) -> Response[dict[str, Any]]:
    event = app.current_event.raw_event
    config.register_lambda_context(app.lambda_context)
    try:
        business_id, subject = work.caller(event)
        asked = {
            "business_id": business_id,
            "idempotency_key": event["headers"].get("Idempotency-Key"),
            "body": body.model_dump(mode="json"),
        }
        members = adjust(asked=asked, body=body, subject=subject)
    except Refused as error:
        return response(error.status, {"detail": {"code": error.code}})
    except client.exceptions.TransactionCanceledException:
        return response(503, {"detail": {"code": "try_again"}})
    metrics.add_metric("AdjustmentCreated", MetricUnit.Count, 1)
    logger.info(
        "adjustment created",
        extra={
            "business_id": business_id,
            "adjustment_id": members["id"],
            "sequence": members["sequence"],
            "attempts": 1,
        },
    )
    return response(201, members, Location=work.location(members))


def response(status: int, body: dict[str, Any], **headers: str) -> Response[dict[str, Any]]:
    request_id = app.lambda_context.aws_request_id
    return Response(status, "application/json", body, headers={"x-request-id": request_id, **headers})


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
