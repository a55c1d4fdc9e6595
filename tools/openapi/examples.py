"""True examples. Their ids are those of the demo data, so that on a local stack they can be tried as they are.

Tests compare them with the schemas, and with what the running demo answers.
"""

from __future__ import annotations

from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from inventory.domain.errors import IdempotencyKeyReused, InvalidRequest, ValidationEntry
from inventory.domain.model import GENESIS_HASH, Adjustment
from inventory.entrypoints.responses import adjustment_members, detail_of
from inventory.schemas.adjustments import AdjustmentRequest
from inventory.schemas.base import validated
from inventory.schemas.reading import AdjustmentsQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inventory.schemas.base import RequestModel

    type Example = Mapping[str, Any]

BUSINESS: Final = UUID("12ae0de4-1f48-58de-a7d2-eb037465d000")
VARIANT: Final = UUID("8fc78a63-6a3d-5eb4-971f-0a7aed9dd9cf")
LOCATION: Final = UUID("a25d98c5-0c90-5767-b0a8-77e75661a799")

OPENING_STOCK: Final = UUID("8eb951b6-6930-8c56-bc58-40fdf4d2e425")
"""The variant's first adjustment. It has a key, so its id is the same in every demo."""

_DAMAGE: Final = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
_REVERSAL: Final = UUID("5e1c7a40-9d0b-4f1e-8a52-3c6f7d2b9e10")
_HEAD_HASH: Final = "fd61ea806dd085f39058a689c6dec0889adca355ca6c037b2ad75b5e261d58c7"

PARAMETERS: Final[Mapping[str, str]] = {
    "x-business-id": str(BUSINESS),
    "id": str(OPENING_STOCK),
    "variant_id": str(VARIANT),
    "location_id": str(LOCATION),
}
"""Of the parameters that a request can't do without, by name."""


_OPENING: Final = Adjustment(
    id=OPENING_STOCK,
    business_id=BUSINESS,
    variant_id=VARIANT,
    location_id=LOCATION,
    delta=100,
    reason="Opening stock",
    reason_code="found",
    reference=None,
    expected_quantity=None,
    location_defaulted=False,
    sequence=1,
    quantity_after=100,
    created_at=datetime(2026, 11, 23, 9, 0, 0, 482113, UTC),
    created_by="demo",
    reverses=None,
    previous_hash=GENESIS_HASH,
    hash=_HEAD_HASH,
)
_FIRST: Final = adjustment_members(_OPENING)
_SECOND: Final = adjustment_members(
    replace(
        _OPENING,
        id=_DAMAGE,
        delta=-3,
        reason="Damaged in transit",
        reason_code="damage",
        location_defaulted=True,
        sequence=2,
        quantity_after=97,
        created_at=datetime(2026, 11, 23, 14, 5, 9, 123456, UTC),
        created_by="demo writer",
    )
)
_THIRD: Final = adjustment_members(
    replace(
        _OPENING,
        id=_REVERSAL,
        delta=3,
        reason="Counted the wrong shelf",
        reason_code=None,
        sequence=3,
        created_at=datetime(2026, 11, 23, 14, 9, 31, 902417, UTC),
        created_by="demo writer",
        reverses=_DAMAGE,
    )
)

CREATED: Final[Example] = {"damage": _SECOND}
REVERSED: Final[Example] = {"reversal": _THIRD}
FOUND: Final[Example] = {
    "adjustment": _FIRST,
    "reversed": _SECOND | {"reversed_by": str(_REVERSAL)},
}
LISTED: Final[Example] = {
    "page": {"data": [_THIRD, _SECOND | {"reversed_by": str(_REVERSAL)}], "next_cursor": "T3XPXV-q4q4QmFzZTY0"},
    "last page": {"data": [_FIRST], "next_cursor": None},
}
LEVELS: Final[Example] = {
    "levels": {
        "data": [
            {
                "variant_id": str(VARIANT),
                "location_id": str(LOCATION),
                "quantity": 100,
                "sequence": 3,
                "updated_at": _THIRD["created_at"],
                "sku": "TENT-2P-GRN",
                "counted_at": None,
            }
        ],
        "next_cursor": None,
    }
}
VARIANTS: Final[Example] = {
    "variants": {
        "data": [
            {"variant_id": str(VARIANT), "sku": "TENT-2P-GRN", "name": "Two-person tent, green", "active": True},
        ],
        "next_cursor": None,
    }
}
LOCATIONS: Final[Example] = {
    "locations": {
        "data": [{"location_id": str(LOCATION), "name": "Warehouse", "active": True, "default": True}],
        "next_cursor": None,
    }
}
REASONS: Final[Example] = {
    "reasons": {
        "data": [
            {"reason_code": "damage", "name": "Damage", "direction": "any", "active": True, "built_in": True},
            {"reason_code": "sample", "name": "Sample", "direction": "decrease", "active": True, "built_in": False},
        ],
        "next_cursor": None,
    }
}
REPORTED: Final[Example] = {
    "report": {
        "data": [
            {
                "reason_code": "damage",
                "adjustments": 1,
                "units_in": 0,
                "units_out": 3,
                "reversed_in": 0,
                "reversed_out": 3,
            }
        ],
        "rows": 2,
        "complete": True,
        "next_cursor": None,
    }
}
PROVED: Final[Example] = {
    "whole": {
        "variant_id": str(VARIANT),
        "location_id": str(LOCATION),
        "verified": True,
        "rows": 1,
        "sum": 100,
        "quantity": 100,
        "sequence": 1,
        "head_hash": _HEAD_HASH,
        "first_problem": None,
        "next_cursor": None,
    }
}


def _refused(model: type[RequestModel], value: object, place: str = "body") -> list[ValidationEntry]:
    """What the model itself says of a value that is not valid."""
    try:
        validated(model, value, place=place)
    except InvalidRequest as error:
        return error.entries
    raise ValueError("the example is valid")


INVALID: Final[Example] = {
    "body": {
        "detail": _refused(
            AdjustmentRequest, {"variant_id": str(VARIANT), "quantity_change": 0, "reason": " ", "locationId": "x"}
        )
    },
    "query": {"detail": _refused(AdjustmentsQuery, {"limit": "1000"}, "query")},
    "reused key": {"detail": detail_of(IdempotencyKeyReused(key="count-2026-11-23-0001"))},
}
"""Answers with status 422."""
