"""No framework: ``json``, checks by hand, boto3. It neither logs nor counts."""

from __future__ import annotations

import base64
import json
import unicodedata
from typing import Any
from uuid import UUID

import boto3

from tests.benchmarks.baselines import work
from tests.benchmarks.baselines.work import BIDIRECTIONAL, REASON_CODES, Refused, Request, is_visible

QUANTITY_CHANGE_MAX = 1_000_000_000
QUANTITY_MAX = 2**53 - 1
FIELDS = {"variant_id", "quantity_change", "reason", "location_id", "reason_code", "reference", "expected_quantity"}

client: Any = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        business_id, subject = work.caller(event)
        request = valid_request(event, business_id, subject)
        row, stock = work.new_row(request)
        client.transact_write_items(TransactItems=work.typed_parts(row, stock), ReturnConsumedCapacity="TOTAL")
    except Refused as error:
        return response(error.status, {"detail": {"code": error.code}}, context)
    except client.exceptions.TransactionCanceledException:
        return response(503, {"detail": {"code": "try_again"}}, context)
    work.remember(row)
    members = work.answer(row)
    return response(201, members, context, Location=work.location(members))


def response(status: int, body: object, context: Any, **headers: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "x-request-id": context.aws_request_id, **headers},
        "body": json.dumps(body, separators=(",", ":")),
    }


def valid_request(event: dict[str, Any], business_id: str, subject: str) -> Request:
    text = event["body"] or ""
    try:
        body = json.loads(base64.b64decode(text) if event["isBase64Encoded"] else text)
    except ValueError:
        raise Refused(422, "invalid_request") from None
    if not isinstance(body, dict) or not body.keys() <= FIELDS:
        raise Refused(422, "invalid_request")
    quantity_change = integer(body.get("quantity_change"), QUANTITY_CHANGE_MAX)
    reason = trimmed(body.get("reason"), 500)
    if (
        quantity_change == 0
        or not any(map(is_visible, reason))
        or any(unicodedata.category(each) == "Cc" and each not in "\t\n\r" for each in reason)
    ):
        raise Refused(422, "invalid_request")
    location_id, reason_code, reference, expected = (
        body.get(name) for name in ("location_id", "reason_code", "reference", "expected_quantity")
    )
    if reason_code is not None and reason_code not in REASON_CODES:
        raise Refused(422, "invalid_request")
    if reference is not None:
        reference = trimmed(reference, 255)
        if any(unicodedata.category(each) in {"Cc", "Zl", "Zp"} or each in BIDIRECTIONAL for each in reference):
            raise Refused(422, "invalid_request")
        if not any(map(is_visible, reference)):
            raise Refused(422, "invalid_request")
    return Request(
        business_id=business_id,
        subject=subject,
        idempotency_key=event["headers"].get("Idempotency-Key"),
        variant_id=identifier(body.get("variant_id")),
        quantity_change=quantity_change,
        reason=reason,
        location_id=None if location_id is None else identifier(location_id),
        reason_code=reason_code,
        reference=reference,
        expected_quantity=None if expected is None else integer(expected, QUANTITY_MAX),
    )


def identifier(value: object) -> str:
    try:
        return str(UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise Refused(422, "invalid_request") from None


def integer(value: object, largest: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > largest:
        raise Refused(422, "invalid_request")
    return value


def trimmed(value: object, length_max: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= length_max:
        raise Refused(422, "invalid_request")
    return text
