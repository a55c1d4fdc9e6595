"""Values to begin a test from; each takes what the test is about and fills in the rest."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from inventory.domain.hash_chain import row_hash
from inventory.domain.model import GENESIS_HASH, Adjustment, Business, Command, Reversal, Snapshot, StockItem
from inventory.domain.retry_budget import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import EllipsisType

    from inventory.adjusting.loop import Adjuster

BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e01")
OTHER_BUSINESS = UUID("6d1f2b9e-0c55-4b8e-9f5a-2f1d7a3c4e02")
VARIANT = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
OTHER_VARIANT = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa7")
LOCATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
"""The default location wherever a test does not say otherwise."""
OTHER_LOCATION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae8")
ADJUSTMENT = UUID("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
SUBJECT = "till 4"
GATEWAY_REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
NOW = datetime(2026, 11, 23, 14, 5, 9, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HEAD_HASH = "ab" * 32


def a_command(**changes: Any) -> Command:
    """Five more of a variant at the default location, under no key."""
    return replace(
        Command(business_id=BUSINESS, variant_id=VARIANT, quantity_change=5, reason="restock", actor=SUBJECT), **changes
    )


def a_reversal(**changes: Any) -> Reversal:
    """The reversal of ``ADJUSTMENT``, under no key."""
    return replace(
        Reversal(business_id=BUSINESS, adjustment_id=ADJUSTMENT, reason="counted the wrong shelf", actor=SUBJECT),
        **changes,
    )


def a_stock_item(quantity: int, **changes: Any) -> StockItem:
    """A stock item that was last adjusted a minute ago."""
    return replace(
        StockItem(quantity=quantity, sequence=41, updated_at=NOW - timedelta(minutes=1), head_hash=HEAD_HASH), **changes
    )


def a_business(**changes: Any) -> Business:
    return replace(Business(allow_negative_stock=False, default_location_id=LOCATION), **changes)


def a_snapshot(**changes: Any) -> Snapshot:
    """All that a request needs exists, and ten are on hand."""
    return replace(
        Snapshot(
            business=a_business(),
            variant_active=True,
            location_id=LOCATION,
            location_active=True,
            stock=a_stock_item(10),
            recorded={},
        ),
        **changes,
    )


def an_adjustment(**changes: Any) -> Adjustment:
    """The first row of a stock item, unless it is changed; its hash fits."""
    row = replace(
        Adjustment(
            id=ADJUSTMENT,
            business_id=BUSINESS,
            variant_id=VARIANT,
            location_id=LOCATION,
            delta=5,
            reason="restock",
            reason_code=None,
            reference=None,
            expected_quantity=None,
            location_defaulted=True,
            sequence=1,
            quantity_after=5,
            created_at=NOW,
            created_by=SUBJECT,
            reverses=None,
            previous_hash=GENESIS_HASH,
            hash="",
        ),
        **changes,
    )
    return replace(row, hash=row_hash(row))


def a_body(**changes: object) -> dict[str, object]:
    """A valid body; a field that is changed to ``...`` is left out."""
    members = {"variant_id": str(VARIANT), "quantity_change": 5, "reason": "restock"} | changes
    return {name: value for name, value in members.items() if value is not ...}


def a_payload(**changes: object) -> dict[str, object]:
    """A valid payload of a direct invocation."""
    return a_body(**{"business_id": str(BUSINESS)} | changes)


def an_authorizer_context(**changes: str) -> dict[str, str]:
    """What the authorizer says of a good token."""
    return {
        "principalId": "0123456789abcdef0123456789abcdef",
        "business_id": str(BUSINESS),
        "subject": SUBJECT,
        "scopes": "adjustments:read adjustments:reverse adjustments:write",
    } | changes


def an_api_event(
    body: object = None,
    *,
    text: str | EllipsisType | None = ...,
    headers: list[tuple[str, str]] | None = None,
    authorizer: dict[str, str] | None = None,
    **changes: object,
) -> Any:
    """A POST as API Gateway hands it over.

    ``body`` is sent as JSON, or as it is where it is bytes: in base64, as the template sets the API up. With ``text``
    it arrives as text instead (or as null). ``headers`` come on top of those that every request has.
    """
    raw = body if isinstance(body, bytes) else json.dumps(a_body() if body is None else body).encode()
    sent = [("Authorization", "Bearer dz_secret"), ("x-business-id", str(BUSINESS)), *(headers or [])]
    several: dict[str, list[str]] = {}
    for name, value in sent:
        several.setdefault(name, []).append(value)
    return {
        "resource": "/api/v1/inventory/adjustments",
        "path": "/api/v1/inventory/adjustments",
        "httpMethod": "POST",
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "requestId": GATEWAY_REQUEST_ID,
            "authorizer": an_authorizer_context() if authorizer is None else authorizer,
        },
        "body": base64.b64encode(raw).decode() if text is ... else text,
        "isBase64Encoded": text is ...,
    } | changes


def budget_of(adjuster: Adjuster, remaining_s: Callable[[], float]) -> RetryBudget:
    """What one request may do, as a handler hands it to the use case."""
    return RetryBudget(remaining_s, adjuster.sleep, adjuster.fraction)


def a_write_token() -> str:
    """A name for an operator's write, as each command draws one."""
    return str(uuid4())
