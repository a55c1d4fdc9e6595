"""True examples. Their ids are those of the demo data, so that on a local stack they can be tried as they are.

Tests compare them with the schemas, and with what the running demo answers.
"""

from __future__ import annotations

from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from inventory.domain.errors import (
    BadInstant,
    IdempotencyKeyReused,
    InstantOutOfWindow,
    InsufficientStock,
    InvalidRequest,
    ValidationEntry,
)
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
SHOP_FLOOR: Final = UUID("9ffc72b2-74bc-55cc-8f05-b39611e1c31e")
BOOT: Final = UUID("4341cdd1-91b9-59d9-bf92-75a8396d6348")

OPENING_STOCK: Final = UUID("8eb951b6-6930-8c56-bc58-40fdf4d2e425")
"""The variant's first adjustment. It has a key, so its id is the same in every demo."""

DELIVERY: Final = UUID("e3f2d2a5-73f7-8d8e-88be-86d79f6f0d67")
"""The group of the goods that the demo's shop floor begins with; it has a key too."""

_DAMAGE: Final = UUID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
_REVERSAL: Final = UUID("5e1c7a40-9d0b-4f1e-8a52-3c6f7d2b9e10")
_HEAD_HASH: Final = "fd61ea806dd085f39058a689c6dec0889adca355ca6c037b2ad75b5e261d58c7"

PARAMETERS: Final[Mapping[str, str]] = {
    "x-business-id": str(BUSINESS),
    "id": str(OPENING_STOCK),
    "variant_id": str(VARIANT),
    "location_id": str(LOCATION),
    "group_id": str(DELIVERY),
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
        kind="reversal",
    )
)

_DELIVERED: Final = replace(
    _OPENING,
    id=DELIVERY,
    variant_id=BOOT,
    location_id=SHOP_FLOOR,
    delta=6,
    reason="Delivered to the shop",
    reason_code=None,
    reference="DN-1041",
    quantity_after=6,
    created_at=datetime(2026, 11, 23, 9, 0, 1, 207344, UTC),
    group_id=DELIVERY,
    group_line=0,
    group_size=2,
    sku="BOOT-42",
)
_DELIVERED_MUGS: Final = replace(
    _DELIVERED,
    id=UUID("fb484325-fb10-8d1e-a327-92dd47f4d184"),
    variant_id=UUID("22fd3e21-ce8e-5c62-aa5f-e4b9153a8080"),
    delta=24,
    quantity_after=24,
    group_line=1,
    sku="MUG-ENAMEL",
)
_TAKEN_BACK: Final = replace(
    _DELIVERED_MUGS,
    id=UUID("b7a5c2d9-4e13-4f6a-8d0b-2c91e7f35a68"),
    delta=-24,
    reason="Counted the wrong shelf",
    reference=None,
    sequence=2,
    quantity_after=0,
    created_at=datetime(2026, 11, 23, 14, 20, 0, 551020, UTC),
    created_by="demo writer",
    reverses=_DELIVERED_MUGS.id,
    kind="reversal",
    group_id=UUID("b7a5c2d9-4e13-4f6a-8d0b-2c91e7f35a68"),
    group_line=0,
    sku=None,
)
_COUNT: Final = replace(
    _OPENING,
    id=UUID("4b0d7e52-9c3a-4d18-b6f2-71e8a05c9d34"),
    delta=-2,
    reason="Stock count",
    reason_code="count_variance",
    reference="Sheet 12",
    sequence=4,
    quantity_after=97,
    created_at=datetime(2026, 11, 23, 18, 2, 44, 630118, UTC),
    created_by="demo writer",
    location_defaulted=True,
    kind="count",
    counted_quantity=98,
    counted_at=datetime(2026, 11, 23, 14, 9, 31, 902417, UTC),
    sku="TENT-2P-GRN",
)
_MOVED: Final = replace(
    _OPENING,
    id=UUID("e82f6b1c-5d47-4a90-9e3b-0f14c8d27a56"),
    delta=-10,
    reason="Restock the shop floor",
    reason_code="transfer",
    sequence=5,
    quantity_after=87,
    created_at=datetime(2026, 11, 23, 18, 30, 12, 90774, UTC),
    created_by="demo writer",
    kind="transfer",
    group_id=UUID("e82f6b1c-5d47-4a90-9e3b-0f14c8d27a56"),
    group_line=0,
    group_size=2,
)

BATCHES: Final[Example] = {
    "delivery": {
        "lines": [
            {
                "sku": line.sku,
                "location_id": str(SHOP_FLOOR),
                "quantity_change": line.delta,
                "reason": line.reason,
                "reference": line.reference,
            }
            for line in (_DELIVERED, _DELIVERED_MUGS)
        ]
    },
    "count sheet": {
        "mode": "each",
        "lines": [
            {"variant_id": str(VARIANT), "counted_quantity": 98, "reference": "Sheet 12"},
            {"sku": "BOOT-42", "quantity_change": -1000, "reason": "Damaged in the flood", "reason_code": "damage"},
            {
                "sku": "MUG-ENAMEL",
                "quantity_change": -1,
                "reason": "Broken last year",
                "occurred_at": "2025-11-01T09:00:00Z",
            },
        ],
    },
}
COUNTS: Final[Example] = {
    "now": {"variant_id": str(VARIANT), "counted_quantity": 98},
    "of an earlier instant": {
        "sku": "TENT-2P-GRN",
        "counted_quantity": 98,
        "counted_at": "2026-11-23T14:09:31.902417Z",
        "reference": "Sheet 12",
    },
}
TRANSFERS: Final[Example] = {
    "restock": {
        "from_location_id": str(LOCATION),
        "to_location_id": str(SHOP_FLOOR),
        "reason": "Restock the shop floor",
        "lines": [{"variant_id": str(VARIANT), "quantity": 10}],
    }
}

GROUPED: Final[Example] = {
    "delivery": {
        "group_id": str(DELIVERY),
        "data": [adjustment_members(_DELIVERED), adjustment_members(_DELIVERED_MUGS)],
    }
}
GROUP_REVERSED: Final[Example] = {
    "reversal": {
        "group_id": str(_TAKEN_BACK.id),
        "data": [
            adjustment_members(_TAKEN_BACK),
            adjustment_members(
                replace(
                    _TAKEN_BACK,
                    id=UUID("0c6d4f18-a2b7-4e95-83d1-5f9e27b04c3a"),
                    variant_id=BOOT,
                    delta=-6,
                    reverses=DELIVERY,
                    group_line=1,
                )
            ),
        ],
    }
}
COUNTED: Final[Example] = {"count": adjustment_members(_COUNT)}
_COUNT_WITHOUT_INSTANT: Final = adjustment_members(replace(_COUNT, counted_at=None, sku=None))
TRANSFERRED: Final[Example] = {
    "transfer": {
        "group_id": str(_MOVED.id),
        "data": [
            adjustment_members(_MOVED),
            adjustment_members(
                replace(
                    _MOVED,
                    id=UUID("9d31a7f4-6c82-4b5e-a01d-e4b7f62c8590"),
                    location_id=SHOP_FLOOR,
                    delta=10,
                    sequence=1,
                    quantity_after=10,
                    group_line=1,
                )
            ),
        ],
    }
}

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


_TOO_EARLY: Final = BadInstant(
    2, "occurred_at", datetime(2025, 11, 1, 9, tzinfo=UTC), "at most 366 days ago and 60 seconds ahead"
)

SETTLED: Final[Example] = {
    "count sheet": {
        "data": [
            {"line": 0, "status": 201, "replayed": False, "adjustment": _COUNT_WITHOUT_INSTANT},
            {
                "line": 1,
                "status": 409,
                "error": detail_of(InsufficientStock(quantity_on_hand=100, quantity_change=-1000)),
            },
            {"line": 2, "status": 422, "error": detail_of(InstantOutOfWindow([_TOO_EARLY]))},
        ]
    }
}

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
