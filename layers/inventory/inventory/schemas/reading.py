"""What readers may ask for: the models of paths and query strings."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from inventory.domain.model import (
    ExportFormat,
    ReasonCode,
)
from inventory.schemas.base import RequestModel
from inventory.schemas.fields import Label
from inventory.schemas.instants import FromInstant, UpToInstant

PAGE_ROWS_DEFAULT: Final = 50

PAGE_ROWS_MAX: Final = 100

type Cursor = Annotated[
    str, Field(min_length=1, max_length=1024, description="Where to go on: `next_cursor` of the page before.")
]

type Limit = Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX, description="The most that one page may hold.")]


class AdjustmentPath(RequestModel):
    """The path of one adjustment, and of what belongs to it."""

    id: UUID


class NoQuery(RequestModel):
    """The query string of a route that takes no parameter."""


class AdjustmentsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/adjustments: which rows, and which page of them.

    ``created_from`` is inclusive, ``created_to`` exclusive.
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
    """The query string of GET /api/v1/inventory/levels; ``as_of`` is inclusive."""

    variant_id: UUID
    location_id: UUID | None = None
    as_of: UpToInstant | None = Field(
        default=None, description="The balance at that instant, inclusive; now without it."
    )
    limit: Limit = PAGE_ROWS_MAX
    cursor: Cursor | None = None


class LevelPath(RequestModel):
    """The path of one stock item."""

    variant_id: UUID
    location_id: UUID


class ProofQuery(RequestModel):
    """The query string of a proof: where it goes on, when a history is too long for one request."""

    cursor: Cursor | None = None


class ExportRequest(RequestModel):
    """The payload of the command that exports a business's adjustments, page by page.

    The pages of one export are asked for with the same payload, but for the cursor that the page before answered.
    ``created_from`` is inclusive, ``created_to`` exclusive. At the latest an export ends with its first page's time.
    """

    command: Literal["export"]
    business_id: UUID
    format: ExportFormat = "ndjson"
    variant_id: UUID | None = None
    location_id: UUID | None = None
    created_from: FromInstant | None = None
    created_to: FromInstant | None = None
    cursor: Cursor | None = None
