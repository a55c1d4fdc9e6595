"""The operations of the API: what each takes, what it answers, what it refuses. One entry for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inventory.api.routes import (
    CREATE_ADJUSTMENT,
    GET_ADJUSTMENT,
    LIST_ADJUSTMENTS,
    LIST_LEVELS,
    PROVE_LEVEL,
    REVERSE_ADJUSTMENT,
    Route,
)
from inventory.domain import errors
from inventory.schemas.adjustments import AdjustmentRequest, ReversalRequest
from inventory.schemas.base import RequestModel
from inventory.schemas.reading import AdjustmentPath, AdjustmentsQuery, LevelPath, LevelsQuery, ProofQuery
from tools.openapi.answers import (
    InventoryAdjustmentResponse,
    InventoryAdjustmentsPage,
    InventoryLevelProof,
    InventoryLevelsPage,
)
from tools.openapi.examples import CREATED, FOUND, LEVELS, LISTED, PROVED, REVERSED, VARIANT

_ANY: tuple[type[errors.ServiceError], ...] = (
    errors.Unauthorized,
    errors.Forbidden,
    errors.InvalidRequest,
    errors.InternalError,
    errors.TryAgain,
)
_ANY_CHANGE = (
    *_ANY,
    errors.IdempotencyKeyReused,
    errors.VariantNotFound,
    errors.LocationNotFound,
    errors.InsufficientStock,
    errors.QuantityLimitExceeded,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route.

    ``name`` is the part of the operation's id that FastAPI would take from a function, ``links`` are the names of
    operations whose path takes the id that is answered. ``examples`` are bodies, ``answers`` what is answered.
    """

    name: str
    route: Route
    tag: str
    summary: str
    description: str
    answer: type
    answers: Mapping[str, Any]
    refusals: tuple[type[errors.ServiceError], ...]
    creates: bool = False
    links: tuple[str, ...] = ()
    path_model: type[RequestModel] | None = None
    query_model: type[RequestModel] | None = None
    body_model: type[RequestModel] | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_refusals(self) -> tuple[type[errors.ServiceError], ...]:
        """All that it refuses: a body may not be encoded."""
        return (*self.refusals, errors.UnsupportedEncoding) if self.body_model is not None else self.refusals

    @property
    def method(self) -> str:
        """The method as OpenAPI writes it."""
        return self.route.method.lower()

    @property
    def path(self) -> str:
        """The path with the names of its parameters."""
        return self.route.path


OPERATIONS = (
    Operation(
        name="create_inventory_adjustment",
        route=CREATE_ADJUSTMENT,
        tag="inventory:adjustments",
        summary="Create manual inventory adjustment",
        description=(
            "Create a manual inventory adjustment for a variant at a specific location. If no location is specified, "
            "the adjustment is applied to the default location."
        ),
        body_model=AdjustmentRequest,
        examples={
            "damage": {
                "variant_id": str(VARIANT),
                "quantity_change": -3,
                "reason": "Damaged in transit",
                "reason_code": "damage",
            }
        },
        creates=True,
        links=("get_inventory_adjustment", "reverse_inventory_adjustment"),
        answer=InventoryAdjustmentResponse,
        answers=CREATED,
        refusals=(*_ANY_CHANGE, errors.StaleQuantity, errors.NoDefaultLocation),
    ),
    Operation(
        name="list_inventory_adjustments",
        route=LIST_ADJUSTMENTS,
        tag="inventory:adjustments",
        summary="List inventory adjustments",
        description="The business's adjustments, newest first, in pages. Unknown parameters are refused.",
        query_model=AdjustmentsQuery,
        answer=InventoryAdjustmentsPage,
        answers=LISTED,
        refusals=_ANY,
    ),
    Operation(
        name="get_inventory_adjustment",
        route=GET_ADJUSTMENT,
        tag="inventory:adjustments",
        summary="Get an inventory adjustment",
        description="One adjustment, as it was answered when it was made; and by which it was reversed, if it was.",
        path_model=AdjustmentPath,
        answer=InventoryAdjustmentResponse,
        answers=FOUND,
        refusals=(*_ANY, errors.AdjustmentNotFound),
    ),
    Operation(
        name="reverse_inventory_adjustment",
        route=REVERSE_ADJUSTMENT,
        tag="inventory:adjustments",
        summary="Reverse an inventory adjustment",
        description="Create the opposite adjustment, which names the one that it takes back; at most once for each.",
        path_model=AdjustmentPath,
        body_model=ReversalRequest,
        examples={"mistake": {"reason": "Counted the wrong shelf"}},
        creates=True,
        links=("get_inventory_adjustment", "reverse_inventory_adjustment"),
        answer=InventoryAdjustmentResponse,
        answers=REVERSED,
        refusals=(*_ANY_CHANGE, errors.AdjustmentNotFound, errors.AlreadyReversed),
    ),
    Operation(
        name="list_inventory_levels",
        route=LIST_LEVELS,
        tag="inventory:levels",
        summary="List a variant's inventory levels",
        description=(
            "The quantity on hand of a variant at each location where it was ever adjusted, or at one; now, or as it "
            "was at an instant. Unknown parameters are refused."
        ),
        query_model=LevelsQuery,
        answer=InventoryLevelsPage,
        answers=LEVELS,
        refusals=(*_ANY, errors.VariantNotFound, errors.LocationNotFound),
    ),
    Operation(
        name="prove_inventory_level",
        route=PROVE_LEVEL,
        tag="inventory:levels",
        summary="Prove an inventory level",
        description="Whether all adjustments of a variant at a location are there, unaltered, and add up to its level.",
        path_model=LevelPath,
        query_model=ProofQuery,
        answer=InventoryLevelProof,
        answers=PROVED,
        refusals=(*_ANY, errors.VariantNotFound, errors.LocationNotFound),
    ),
)
