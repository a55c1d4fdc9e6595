"""The export command: payload to query, and the page that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory.queries.export import ExportQuery
from inventory.schemas.base import validated
from inventory.schemas.problems import cursor_at
from inventory.schemas.reading import ExportRequest

if TYPE_CHECKING:
    from inventory.domain.retry_budget import RetryBudget
    from inventory.entrypoints.telemetry import Invocation
    from inventory.queries.export import Exporter, ExportPage


def exported_page(payload: object, exporter: Exporter, budget: RetryBudget, invocation: Invocation) -> ExportPage:
    """Answer one page of an export, and note the business for the log line.

    Raises:
        InvalidRequest: the payload breaks ``ExportRequest``, or its cursor is not one of this export.
        BusinessNotFound, StoreUnavailable, ExportStopped: as ``Exporter.page``.
    """
    request = validated(ExportRequest, payload)
    invocation.business_id = request.business_id
    query = ExportQuery(
        business_id=request.business_id,
        format=request.format,
        variant_id=request.variant_id,
        location_id=request.location_id,
        created_from=request.created_from,
        created_to=request.created_to,
    )
    with cursor_at("body", "cursor"):
        return exporter.page(query, request.cursor, budget)
