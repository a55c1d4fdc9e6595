"""The conditions that the service sets on its writes, as DynamoDB judges them. There are two, and no others."""

from __future__ import annotations

from typing import Any

type Item = dict[str, Any]


def cancellation_reason(part: Any, stored: Item | None) -> dict[str, Any]:
    """Why a part of a transaction can't be applied. The code is ``None`` where the stored item meets its condition."""
    if _holds(part, stored):
        return {"Code": "None"}
    assert part["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    return {"Code": "ConditionalCheckFailed", **({} if stored is None else {"Item": stored})}


def _holds(part: Any, stored: Item | None) -> bool:
    match part["ConditionExpression"]:
        case "attribute_not_exists(pk)":
            return stored is None
        case "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash":
            values = part["ExpressionAttributeValues"]
            seen = (values[":seen"], values[":seen_quantity"], values[":seen_hash"])
            return stored is not None and (stored["sequence"], stored["quantity"], stored["head_hash"]) == seen
        case unknown:
            raise AssertionError(f"not a condition of the service: {unknown}")
