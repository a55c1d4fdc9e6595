"""The operations of the API: what each takes, what it answers, what it refuses. One entry for each route."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inventory.api.routes import (
    CREATE_ADJUSTMENT,
    CREATE_BATCH,
    GET_ADJUSTMENT,
    GET_GROUP,
    LIST_ADJUSTMENTS,
    LIST_LEVELS,
    LIST_LOCATIONS,
    LIST_REASONS,
    LIST_VARIANTS,
    PROVE_LEVEL,
    RECORD_COUNT,
    REPORT_REASONS,
    REVERSE_ADJUSTMENT,
    REVERSE_GROUP,
    TRANSFER,
    Route,
)
from inventory.domain import errors
from inventory.schemas.adjustments import AdjustmentRequest, ReversalRequest
from inventory.schemas.base import RequestModel
from inventory.schemas.business_reading import AdjustmentReasonsQuery, LocationsQuery, ReasonsQuery, VariantsQuery
from inventory.schemas.groups import BatchRequest, CountRequest, TransferRequest
from inventory.schemas.reading import AdjustmentPath, AdjustmentsQuery, GroupPath, LevelPath, LevelsQuery, ProofQuery
from tools.openapi.answers import (
    InventoryAdjustmentGroup,
    InventoryAdjustmentResponse,
    InventoryAdjustmentsPage,
    InventoryLevelProof,
    InventoryLevelsPage,
    InventoryLineResults,
    InventoryLocationsPage,
    InventoryReasonsPage,
    InventoryReasonsReport,
    InventoryVariantsPage,
)
from tools.openapi.examples import (
    BATCHES,
    COUNTED,
    COUNTS,
    CREATED,
    FOUND,
    GROUP_REVERSED,
    GROUPED,
    LEVELS,
    LISTED,
    LOCATIONS,
    PROVED,
    REASONS,
    REPORTED,
    REVERSED,
    SETTLED,
    TRANSFERRED,
    TRANSFERS,
    VARIANT,
    VARIANTS,
)

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
_ANY_NEW_CHANGE = (
    *_ANY_CHANGE,
    errors.ReasonNotFound,
    errors.StaleQuantity,
    errors.NoDefaultLocation,
    errors.ReasonDirection,
    errors.InstantOutOfWindow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route.

    ``name`` is the part of the operation's id that FastAPI would take from a function, ``links`` are the names of
    operations whose path takes the id that is answered. ``examples`` are bodies, ``answers`` what is answered;
    ``line_answers`` are those to lines that are settled one by one.
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
    line_answer: type | None = None
    line_answers: Mapping[str, Any] = field(default_factory=dict)

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
        refusals=_ANY_NEW_CHANGE,
    ),
    Operation(
        name="list_inventory_adjustments",
        route=LIST_ADJUSTMENTS,
        tag="inventory:adjustments",
        summary="List inventory adjustments",
        description=(
            "The business's adjustments in pages, newest first; or with `order=asc` a feed to poll, oldest first: it "
            "ends at `settled_to`, its `next_cursor` is never null, and who follows it sees every adjustment once. "
            "Unknown parameters are refused."
        ),
        query_model=AdjustmentsQuery,
        answer=InventoryAdjustmentsPage,
        answers=LISTED,
        refusals=(*_ANY, errors.VariantNotFound),
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
        refusals=(
            *_ANY_CHANGE,
            errors.AdjustmentNotFound,
            errors.AlreadyReversed,
            errors.PartOfGroup,
            errors.NothingToReverse,
        ),
    ),
    Operation(
        name="create_inventory_adjustment_batch",
        route=CREATE_BATCH,
        tag="inventory:adjustments",
        summary="Create several inventory adjustments and counts",
        description=(
            "Up to 98 adjustments and counts as one (mode `atomic`): all of them or none, in one transaction, answered "
            "with 201; lines and distinct stock items together are at most 99. Or up to 500 that are settled each on "
            "its own (mode `each`), answered with 200 and what has become of each line: a line with status 503 was not "
            "settled in time, and the same request under the same key goes on with it. The lines are decided one after "
            "the other. A line with `counted_quantity` is a count."
        ),
        body_model=BatchRequest,
        examples=BATCHES,
        creates=True,
        links=("get_inventory_adjustment_group", "reverse_inventory_adjustment_group"),
        answer=InventoryAdjustmentGroup,
        answers=GROUPED,
        line_answer=InventoryLineResults,
        line_answers=SETTLED,
        refusals=(*_ANY_NEW_CHANGE, errors.CountSuperseded),
    ),
    Operation(
        name="get_inventory_adjustment_group",
        route=GET_GROUP,
        tag="inventory:adjustments",
        summary="Get a group of inventory adjustments",
        description="All adjustments of a batch, a transfer or a group's reversal, with by what they were reversed.",
        path_model=GroupPath,
        answer=InventoryAdjustmentGroup,
        answers=GROUPED,
        refusals=(*_ANY, errors.GroupNotFound),
    ),
    Operation(
        name="reverse_inventory_adjustment_group",
        route=REVERSE_GROUP,
        tag="inventory:adjustments",
        summary="Reverse a group of inventory adjustments",
        description=(
            "Take back every adjustment of a group, last to first, as one group; at most once. Adjustments of delta 0 "
            "are left out."
        ),
        path_model=GroupPath,
        body_model=ReversalRequest,
        examples={"mistake": {"reason": "Counted the wrong shelf"}},
        creates=True,
        links=("get_inventory_adjustment_group", "reverse_inventory_adjustment_group"),
        answer=InventoryAdjustmentGroup,
        answers=GROUP_REVERSED,
        refusals=(*_ANY_CHANGE, errors.GroupNotFound, errors.AlreadyReversed, errors.NothingToReverse),
    ),
    Operation(
        name="record_inventory_count",
        route=RECORD_COUNT,
        tag="inventory:adjustments",
        summary="Record a stock count",
        description=(
            "Correct the quantity on hand to what was counted; with `counted_at` to what was counted then, and what "
            "happened since stays. A count that was right is recorded too, with a delta of 0."
        ),
        body_model=CountRequest,
        examples=COUNTS,
        creates=True,
        links=("get_inventory_adjustment", "reverse_inventory_adjustment"),
        answer=InventoryAdjustmentResponse,
        answers=COUNTED,
        refusals=(*_ANY_NEW_CHANGE, errors.CountSuperseded),
    ),
    Operation(
        name="create_inventory_transfer",
        route=TRANSFER,
        tag="inventory:adjustments",
        summary="Transfer stock between two locations",
        description=(
            "Move up to 24 variants from one location to another: for each line the adjustment that takes and the one "
            "that adds, all in one transaction, so nothing is ever lost between the two."
        ),
        body_model=TransferRequest,
        examples=TRANSFERS,
        creates=True,
        links=("get_inventory_adjustment_group", "reverse_inventory_adjustment_group"),
        answer=InventoryAdjustmentGroup,
        answers=TRANSFERRED,
        refusals=(*_ANY_CHANGE, errors.ReasonNotFound, errors.StaleQuantity, errors.InstantOutOfWindow),
    ),
    Operation(
        name="list_inventory_levels",
        route=LIST_LEVELS,
        tag="inventory:levels",
        summary="List inventory levels",
        description=(
            "The quantities on hand of a variant, of a location or of the whole business, wherever there ever was an "
            "adjustment; now, or of a variant as they were at an instant. A page looks at 1,000 of them at most, so it "
            "may be short and have a `next_cursor`. Unknown parameters are refused."
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
    Operation(
        name="list_inventory_variants",
        route=LIST_VARIANTS,
        tag="inventory:catalog",
        summary="List variants",
        description=(
            "The variants of the business as they were registered, in the order of their ids; with `sku` the active "
            "one that has it, if any."
        ),
        query_model=VariantsQuery,
        answer=InventoryVariantsPage,
        answers=VARIANTS,
        refusals=_ANY,
    ),
    Operation(
        name="list_inventory_locations",
        route=LIST_LOCATIONS,
        tag="inventory:catalog",
        summary="List locations",
        description="The locations of the business as they were registered, in the order of their ids.",
        query_model=LocationsQuery,
        answer=InventoryLocationsPage,
        answers=LOCATIONS,
        refusals=_ANY,
    ),
    Operation(
        name="list_inventory_reasons",
        route=LIST_REASONS,
        tag="inventory:catalog",
        summary="List reason codes",
        description="The reason codes that are built in, and then those that the business registered.",
        query_model=ReasonsQuery,
        answer=InventoryReasonsPage,
        answers=REASONS,
        refusals=_ANY,
    ),
    Operation(
        name="report_inventory_adjustment_reasons",
        route=REPORT_REASONS,
        tag="inventory:reports",
        summary="Sum adjustments by reason",
        description=(
            "How many units the adjustments of a period brought and took, by reason code, and what reversals took "
            "back. A request looks at 2,000 rows at most: while `complete` is false, `next_cursor` goes on with the "
            "sums so far."
        ),
        query_model=AdjustmentReasonsQuery,
        answer=InventoryReasonsReport,
        answers=REPORTED,
        refusals=(*_ANY, errors.VariantNotFound),
    ),
)
