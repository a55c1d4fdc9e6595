"""FastAPI behind Mangum, boto3's client. It neither logs nor counts.

The route is a coroutine that blocks, and it answers with a response of its own: one request at a time is all that an
environment has, and so FastAPI is spared a thread and a second pass over the answer. Both are in its favour.
"""

from __future__ import annotations

from typing import Any

import boto3
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mangum import Mangum

from tests.benchmarks.baselines import work
from tests.benchmarks.baselines.body import Body  # noqa: TC001  FastAPI reads the annotation
from tests.benchmarks.baselines.work import Refused

app = FastAPI()
client: Any = boto3.client("dynamodb")


@app.post(work.ADJUSTMENTS_PATH, status_code=201)
async def create_adjustment(body: Body, request: Request) -> JSONResponse:
    event = request.scope["aws.event"]
    request_id = request.scope["aws.context"].aws_request_id
    try:
        business_id, subject = work.caller(event)
        key = request.headers.get("Idempotency-Key")
        row, stock = work.new_row(body.request(business_id=business_id, subject=subject, idempotency_key=key))
        client.transact_write_items(TransactItems=work.typed_parts(row, stock), ReturnConsumedCapacity="TOTAL")
    except Refused as error:
        return JSONResponse({"detail": {"code": error.code}}, error.status, {"x-request-id": request_id})
    except client.exceptions.TransactionCanceledException:
        return JSONResponse({"detail": {"code": "try_again"}}, 503, {"x-request-id": request_id})
    work.remember(row)
    members = work.answer(row)
    return JSONResponse(members, 201, {"x-request-id": request_id, "Location": work.location(members)})


handler = Mangum(app, lifespan="off")
