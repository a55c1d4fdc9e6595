"""What the API answers, as types; tests hold them against what the code answers.

Answers may get further members one day, so their schemas do not forbid any.
"""

from datetime import datetime
from typing import Annotated, Literal, NotRequired, TypedDict
from uuid import UUID

from pydantic import Field

from inventory.domain.errors import ValidationEntry
from inventory.domain.model import Direction, Kind
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
    reason_code: Annotated[str | None, Field(description="Why, for reports: built in, or registered by the business.")]
    reference: Annotated[str | None, Field(description="The caller's own document.")]
    created_by: Annotated[str, Field(description="The token's subject.")]
    reverses: Annotated[UUID | None, Field(description="The adjustment that this one reverses.")]
    kind: Annotated[Kind, Field(description="What it was asked for as.")]
    group_id: Annotated[UUID | None, Field(description="The group that it was made with; null where it was alone.")]
    group_line: Annotated[int | None, Field(ge=0, description="Its place in the group: 0, 1, 2 …")]
    group_size: Annotated[int | None, Field(ge=1, description="How many adjustments the group has.")]
    counted_quantity: Annotated[Units | None, Field(description="Of a count: what was counted.")]
    counted_at: Annotated[datetime | None, Field(description="Of a count: when, where the request named an instant.")]
    sku: Annotated[str | None, Field(description="The SKU by which the variant was asked for, if it was.")]
    occurred_at: Annotated[datetime | None, Field(description="When it happened, where the request said so.")]
    reversed_by: NotRequired[Annotated[UUID, Field(description="The adjustment that reverses this one, if any does.")]]


class InventoryAdjustmentGroup(TypedDict):
    """Adjustments that were made together: all of them are in the ledger."""

    group_id: Annotated[UUID, Field(description="The group's id, which is that of its first adjustment.")]
    data: Annotated[list[InventoryAdjustmentResponse], Field(description="Its adjustments, in their order.")]


class InventoryLineApplied(TypedDict):
    """A line that was applied."""

    line: Annotated[int, Field(ge=0, description="Its place among the request's lines, from 0.")]
    status: Literal[201]
    replayed: Annotated[bool, Field(description="Whether it was applied by an earlier request with this key.")]
    adjustment: InventoryAdjustmentResponse


class InventoryLineProblem(TypedDict):
    """Why a line was refused; further facts stand beside the code, as where it is sent alone."""

    code: str
    message: str


class InventoryLineRefused(TypedDict):
    """A line that was not applied."""

    line: Annotated[int, Field(ge=0, description="Its place among the request's lines, from 0.")]
    status: Annotated[int, Field(ge=400, description="The status that it would have had alone; 503: send it again.")]
    error: Annotated[
        InventoryLineProblem | list[ValidationEntry],
        Field(description="The `detail` that it would have had alone; its places begin with `body`, `lines`, line."),
    ]


class InventoryLineResults(TypedDict):
    """What has become of each line of a batch in mode `each`."""

    data: Annotated[
        list[InventoryLineApplied | InventoryLineRefused], Field(description="One for each line, in their order.")
    ]


class InventoryAdjustmentsPage(TypedDict):
    """Adjustments, newest first, or oldest first in the feed."""

    data: list[InventoryAdjustmentResponse]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one, never in the feed.")]
    settled_to: NotRequired[
        Annotated[datetime, Field(description="Of the feed: no adjustment before this instant will still appear.")]
    ]


class InventoryLevel(TypedDict):
    """How much of a variant is at one location."""

    variant_id: UUID
    location_id: UUID
    quantity: Annotated[Units, Field(description="Quantity on hand.")]
    sequence: Annotated[Units, Field(ge=1, description="Of the last adjustment that it includes.")]
    updated_at: Annotated[datetime, Field(description="When that adjustment was made.")]
    sku: Annotated[str | None, Field(description="The variant's SKU today; null where it has none.")]
    counted_at: Annotated[datetime | None, Field(description="When it was last counted until today; null if never.")]


class InventoryLevelsPage(TypedDict):
    """Levels, each of a variant at a location."""

    data: list[InventoryLevel]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryVariant(TypedDict):
    """A variant of the catalog."""

    variant_id: UUID
    sku: str | None
    name: str | None
    active: Annotated[bool, Field(description="Whether it may be adjusted.")]


class InventoryVariantsPage(TypedDict):
    """Variants in the order of their ids."""

    data: list[InventoryVariant]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryLocation(TypedDict):
    """A location of the catalog."""

    location_id: UUID
    name: str | None
    default: Annotated[bool, Field(description="Whether requests that name no location are for this one.")]
    active: Annotated[bool, Field(description="Whether it may be adjusted.")]


class InventoryLocationsPage(TypedDict):
    """Locations in the order of their ids."""

    data: list[InventoryLocation]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryReason(TypedDict):
    """A reason code."""

    reason_code: str
    name: str
    direction: Annotated[Direction, Field(description="The sign of the changes that it may explain.")]
    active: Annotated[bool, Field(description="Whether requests may name it.")]
    built_in: Annotated[bool, Field(description="Whether every business has it.")]


class InventoryReasonsPage(TypedDict):
    """Reason codes: those that are built in first."""

    data: list[InventoryReason]
    next_cursor: Annotated[str | None, Field(description="For the next page; null on the last one.")]


class InventoryReasonSums(TypedDict):
    """What the rows of one reason code add up to, in units without sign."""

    reason_code: Annotated[str | None, Field(description="Null for adjustments without one.")]
    adjustments: Annotated[Units, Field(description="Rows that are no reversals.")]
    units_in: Annotated[Units, Field(description="What these brought.")]
    units_out: Annotated[Units, Field(description="What these took.")]
    reversed_in: Annotated[Units, Field(description="What reversals in the period took back of increases.")]
    reversed_out: Annotated[Units, Field(description="What reversals in the period took back of decreases.")]


class InventoryReasonsReport(TypedDict):
    """Sums by reason code: so far, while `complete` is false."""

    data: list[InventoryReasonSums]
    rows: Annotated[Units, Field(description="Rows that were counted.")]
    complete: bool
    next_cursor: Annotated[str | None, Field(description="To go on with; null when complete.")]


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
