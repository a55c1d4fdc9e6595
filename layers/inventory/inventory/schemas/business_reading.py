"""The query strings of the GET routes that look at a whole business: its catalog, and the report by reason."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from inventory.schemas.base import RequestModel
from inventory.schemas.fields import Cursor, Label
from inventory.schemas.instants import FromInstant
from inventory.schemas.reading import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, SKU_OF_A_QUERY, Limit, OtherwiseSku

REPORT_CURSOR_LENGTH_MAX: Final = 9_000
"""A cursor with five sums for each reason code. API Gateway takes 10,240 bytes of request line and headers."""

type ReportCursor = Annotated[
    str,
    Field(
        min_length=1,
        max_length=REPORT_CURSOR_LENGTH_MAX,
        description="The `next_cursor` of the answer before. It holds the sums so far.",
    ),
]


class VariantsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/variants."""

    sku: Label | None = Field(default=None, description="Only the active variant with this SKU.")
    limit: Limit = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class LocationsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/locations."""

    limit: Limit = PAGE_ROWS_MAX
    cursor: Cursor | None = None


class ReasonsQuery(LocationsQuery):
    """The query string of GET /api/v1/inventory/reasons."""


class AdjustmentReasonsQuery(RequestModel):
    """The query string of GET /api/v1/inventory/reports/adjustment-reasons."""

    created_from: FromInstant | None = Field(default=None, alias="from", description="Not before this instant.")
    created_to: FromInstant | None = Field(default=None, alias="to", description="Before this instant.")
    location_id: UUID | None = None
    variant_id: UUID | None = None
    sku: OtherwiseSku | None = Field(default=None, description=SKU_OF_A_QUERY)
    cursor: ReportCursor | None = None
