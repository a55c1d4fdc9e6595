"""The requests of readers: paths and query strings of GET, and the payload of an export."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic reads the annotation of the validator
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo

from inventory.domain.model import QUANTITY_MAX, ExportFormat, Kind
from inventory.schemas.base import RequestModel
from inventory.schemas.fields import Cursor, IdempotencyKey, Label
from inventory.schemas.instants import FromInstant, UpToInstant

PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 100

type Limit = Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX, description="The maximum size of a page.")]


SKU_OF_A_QUERY: Final = "The SKU of the variant, in place of `variant_id`."


def _alone(sku: str, info: ValidationInfo) -> str:
    """Refuse a SKU beside a variant's id: they could name two variants."""
    if info.data.get("variant_id") is not None:
        raise ValueError("must not be given together with variant_id")
    return sku


def _of_a_variant(as_of: datetime, info: ValidationInfo) -> datetime:
    """Refuse an instant without a variant: the past of a whole business would have to be read row by row."""
    # A variant or SKU that is not valid is missing here, and has an error of its own.
    if info.data.get("variant_id", as_of) is None and info.data.get("sku", as_of) is None:
        raise ValueError("needs variant_id or sku")
    return as_of


type OtherwiseSku = Annotated[Label, AfterValidator(_alone)]
"""A SKU in place of a variant's id. Its model has the field ``variant_id`` before it."""

type ReasonCodeText = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=40)]
"""A reason code that is built in, or that a business can register."""

type QuantityLimit = Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX, json_schema_extra={"format": "int64"})]


class AdjustmentPath(RequestModel):
    """The path of one adjustment or its reversal."""

    id: UUID


class GroupPath(RequestModel):
    """The path of a group of adjustments or its reversal."""

    group_id: UUID


class NoQuery(RequestModel):
    """The query string of a route without parameters."""


class AdjustmentsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/adjustments. ``created_from`` is inclusive, ``created_to`` exclusive.

    The name of this class is part of the digest of cursors: another name would make issued cursors invalid.
    """

    variant_id: UUID | None = None
    sku: OtherwiseSku | None = Field(default=None, description=SKU_OF_A_QUERY)
    location_id: UUID | None = None
    reason_code: ReasonCodeText | None = None
    reference: Label | None = None
    created_by: Label | None = Field(default=None, description="The token's subject.")
    kind: Kind | None = None
    group_id: UUID | None = Field(default=None, description="The batch, transfer or reversal of one.")
    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="What a request with this key has made. It is read from the ledger itself."
    )
    created_from: FromInstant | None = Field(default=None, description="Not before this instant.")
    created_to: FromInstant | None = Field(default=None, description="Before this instant.")
    order: Literal["desc", "asc"] = Field(
        default="desc", description="`desc`: the newest first. `asc`: the oldest first, a feed to poll."
    )
    include: Literal["chain"] | None = Field(
        default=None,
        description="`chain`: with each row's canonical form and hash, to check the hash chain yourself.",
    )
    limit: Limit = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class LevelsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/levels. ``as_of`` is inclusive, and so are the limits of quantities.

    The name of this class is part of the digest of cursors, too.
    """

    variant_id: UUID | None = None
    sku: OtherwiseSku | None = Field(default=None, description=SKU_OF_A_QUERY)
    location_id: UUID | None = None
    as_of: Annotated[UpToInstant, AfterValidator(_of_a_variant)] | None = Field(
        default=None,
        description="Levels at that instant, inclusive, of a variant. Without it, the levels now.",
    )
    quantity_at_most: QuantityLimit | None = Field(default=None, description="Leave out levels above this quantity.")
    quantity_at_least: QuantityLimit | None = Field(default=None, description="Leave out levels below this quantity.")
    limit: Limit = PAGE_ROWS_MAX
    cursor: Cursor | None = None


class LevelPath(RequestModel):
    """The path of one stock item."""

    variant_id: UUID
    location_id: UUID


class ProofQuery(RequestModel):
    """The query string of a proof. A cursor continues the proof of a history that is too long for one request."""

    cursor: Cursor | None = None


class ExportRequest(RequestModel):
    """The payload of the command that exports a business's adjustments, page by page.

    Each further page needs the same payload with the cursor of the page before. ``created_from`` is inclusive,
    ``created_to`` exclusive. Without it, or if it is later, the export ends at the time of its first page.
    """

    command: Literal["export"]
    business_id: UUID
    format: ExportFormat = "ndjson"
    variant_id: UUID | None = None
    location_id: UUID | None = None
    created_from: FromInstant | None = None
    created_to: FromInstant | None = None
    cursor: Cursor | None = None
