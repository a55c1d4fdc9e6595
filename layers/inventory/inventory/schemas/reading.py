"""The requests of readers: paths and query strings of GET, and the payload of an export."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from inventory.domain.model import ExportFormat, ReasonCode
from inventory.schemas.base import RequestModel
from inventory.schemas.fields import Label
from inventory.schemas.instants import FromInstant, UpToInstant

PAGE_ROWS_DEFAULT: Final = 50
PAGE_ROWS_MAX: Final = 100

type Cursor = Annotated[str, Field(min_length=1, max_length=1024, description="The `next_cursor` of the page before.")]

type Limit = Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX, description="The maximum size of a page.")]


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
    location_id: UUID | None = None
    reason_code: ReasonCode | None = None
    reference: Label | None = None
    created_from: FromInstant | None = Field(default=None, description="Not before this instant.")
    created_to: FromInstant | None = Field(default=None, description="Before this instant.")
    limit: Limit = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class LevelsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/levels. ``as_of`` is inclusive.

    The name of this class is part of the digest of cursors, too.
    """

    variant_id: UUID
    location_id: UUID | None = None
    as_of: UpToInstant | None = Field(
        default=None, description="Levels at that instant, inclusive. Without it, the levels now."
    )
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
