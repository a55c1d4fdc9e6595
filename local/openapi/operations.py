"""The operations of the API: what each takes, what it answers, what it refuses. One entry for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from inventory.errors import (
    Forbidden,
    IdempotencyKeyReused,
    InsufficientStock,
    InternalError,
    LocationNotFound,
    NoDefaultLocation,
    QuantityLimitExceeded,
    ServiceError,
    StaleQuantity,
    TryAgain,
    Unauthorized,
    VariantNotFound,
)
from inventory.requests import AdjustmentRequest, InvalidRequest
from inventory.tokens import Scope
from local.openapi.answers import InventoryAdjustmentResponse
from local.openapi.problems import SOME_ID

ADJUSTMENTS = "/api/v1/inventory/adjustments"

_ANY: tuple[type[ServiceError], ...] = (Unauthorized, Forbidden, InvalidRequest, InternalError, TryAgain)
_ANY_CHANGE = (*_ANY, IdempotencyKeyReused, InsufficientStock, QuantityLimitExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route. ``name`` is the part of the operation's id that FastAPI would take from a function."""

    name: str
    method: str
    path: str
    tag: str
    scope: Scope
    summary: str
    description: str
    answer: type
    refusals: tuple[type[ServiceError], ...]
    creates: bool = False
    path_model: type[BaseModel] | None = None
    query_model: type[BaseModel] | None = None
    body_model: type[BaseModel] | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)


OPERATIONS = (
    Operation(
        name="create_inventory_adjustment",
        method="post",
        path=ADJUSTMENTS,
        tag="inventory:adjustments",
        scope="adjustments:write",
        summary="Create manual inventory adjustment",
        description=(
            "Create a manual inventory adjustment for a variant at a specific location. If no location is specified, "
            "the adjustment is applied to the default location."
        ),
        body_model=AdjustmentRequest,
        examples={
            "damage": {
                "variant_id": SOME_ID,
                "quantity_change": -3,
                "reason": "Damaged in transit",
                "reason_code": "damage",
            }
        },
        creates=True,
        answer=InventoryAdjustmentResponse,
        refusals=(*_ANY_CHANGE, VariantNotFound, LocationNotFound, StaleQuantity, NoDefaultLocation),
    ),
)
