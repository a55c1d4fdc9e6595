"""What the API answers, as types; tests hold them against what the code answers.

Answers may get further members one day, so their schemas do not forbid any.
"""

from datetime import datetime
from typing import Annotated, NotRequired, TypedDict
from uuid import UUID

from pydantic import Field

from inventory.domain.errors import ValidationEntry
from inventory.domain.model import ReasonCode
from inventory.integrity.chain_check import ProblemKind

type Units = Annotated[int, Field(json_schema_extra={"format": "int64"})]


# The public page leaves two of its seven members out of those that are always there; so does this.
class InventoryAdjustmentResponse(TypedDict):
    """One adjustment, as it stands in the ledger."""

    id: Annotated[UUID, Field(description="Adjustment UUID.")]
    business_id: Annotated[UUID, Field(description="Business UUID.")]
    variant_id: Annotated[UUID, Field(description="Adjusted variant UUID.")]
    delta: Annotated[int, Field(description="Quantity change applied.")]
    correction_reason: NotRequired[Annotated[str, Field(description="Adjustment reason.")]]
    location_id: NotRequired[Annotated[UUID, Field(description="Location where adjustment was applied.")]]
    created_at: Annotated[datetime, Field(description="When adjustment was made.")]
    quantity_after: Annotated[Units, Field(description="Quantity on hand after it: the running balance.")]
    sequence: Annotated[Units, Field(ge=1, description="1, 2, 3 … for each variant at each location, without a gap.")]
    reason_code: Annotated[ReasonCode | None, Field(description="Why, for reports.")]
    reference: Annotated[str | None, Field(description="The caller's own document.")]
    created_by: Annotated[str, Field(description="The token's subject.")]
    reverses: Annotated[UUID | None, Field(description="The adjustment that this one reverses.")]
    reversed_by: NotRequired[Annotated[UUID, Field(description="The adjustment that reverses this one, if any does.")]]


class InventoryAdjustmentsPage(TypedDict):
    """Adjustments, newest first."""

    data: list[InventoryAdjustmentResponse]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryLevel(TypedDict):
    """How much of a variant is at one location."""

    variant_id: UUID
    location_id: UUID
    quantity: Annotated[Units, Field(description="Quantity on hand.")]
    sequence: Annotated[Units, Field(ge=1, description="Of the last adjustment that it includes.")]
    updated_at: Annotated[datetime, Field(description="When that adjustment was made.")]


class InventoryLevelsPage(TypedDict):
    """A variant's levels, a location each."""

    data: list[InventoryLevel]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryProofProblem(TypedDict):
    """The first place where a history does not add up."""

    sequence: Units
    kind: ProblemKind


class InventoryLevelProof(TypedDict):
    """Whether the whole history of one stock item adds up."""

    variant_id: UUID
    location_id: UUID
    verified: Annotated[
        bool | None,
        Field(description="False as soon as there is a problem; null while there is none, but more to read."),
    ]
    rows: Annotated[Units, Field(description="Rows that were read of the ledger: so far, with a `next_cursor`.")]
    sum: Annotated[Units, Field(description="Of their deltas.")]
    quantity: Annotated[Units, Field(description="Quantity on hand.")]
    sequence: Annotated[Units, Field(description="Of the last adjustment.")]
    head_hash: Annotated[str, Field(description="Hash of the last row, in hex.", pattern="^[0-9a-f]{64}$")]
    first_problem: InventoryProofProblem | None
    next_cursor: Annotated[str | None, Field(description="To go on with; null at the end.")]


class HTTPValidationError(TypedDict):
    """Every way in which the request is not valid, as far as 2 MB hold them."""

    detail: list[ValidationEntry]
