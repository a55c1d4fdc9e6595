"""The GET routes that look at a whole business: its catalog, and the report by reason.

``reads`` imports this module with the first such request: most execution environments never get one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.api.paging import parse_id, query_string, question_of, start
from inventory.api.routes import LIST_LOCATIONS, LIST_REASONS, LIST_VARIANTS, REPORT_REASONS
from inventory.queries.catalog_lists import CatalogLists
from inventory.queries.reason_report import MEASURES, ReasonReports, ReportQuery
from inventory.schemas.base import validated
from inventory.schemas.business_reading import AdjustmentReasonsQuery, LocationsQuery, ReasonsQuery, VariantsQuery
from inventory.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from inventory.api.paging import Members, Read
    from inventory.api.routes import Route
    from inventory.api.shapes import ApiEvent
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.catalog_lists import ListPage
    from inventory.queries.reader import Reader


def _variants(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(VariantsQuery, query_string(event), place="query")
    question = question_of(query, business_id) | ({} if query.sku is None else {"sku": query.sku})
    after = start(query.cursor, question, parse_id)
    lists = CatalogLists(reader.lookups)
    if query.sku is None:
        page = lists.variants(business_id, after=after, limit=query.limit, budget=budget)
    else:
        page = lists.variant_with_sku(business_id, query.sku, budget)
    return _list_members(page, question)


def _locations(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(LocationsQuery, query_string(event), place="query")
    question = question_of(query, business_id)
    after = start(query.cursor, question, parse_id)
    page = CatalogLists(reader.lookups).locations(business_id, after=after, limit=query.limit, budget=budget)
    return _list_members(page, question)


def _reasons(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(ReasonsQuery, query_string(event), place="query")
    question = question_of(query, business_id)
    after = start(query.cursor, question, str)
    page = CatalogLists(reader.lookups).reasons(business_id, after=after, limit=query.limit, budget=budget)
    return _list_members(page, question)


def _report(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(AdjustmentReasonsQuery, query_string(event), place="query")
    variant_id = reader.variant_id(business_id, query.variant_id, query.sku, budget=budget)
    wanted = ReportQuery(variant_id, query.location_id, query.created_from, query.created_to)
    page = ReasonReports(reader.lookups, reader.history.index, reader.history.at_once).page(
        business_id,
        wanted,
        query.cursor,
        question_of(query, business_id, variant_id),
        now=reader.clock(),
        budget=budget,
    )
    # Codes in the order of their names, and null at the end.
    codes = sorted(page.sums, key=lambda code: (code is None, code or ""))
    return {
        "data": [{"reason_code": code, **dict(zip(MEASURES, page.sums[code], strict=True))} for code in codes],
        "rows": page.rows,
        "complete": page.next_cursor is None,
        "next_cursor": page.next_cursor,
    }


def _list_members(page: ListPage, question: dict[str, str]) -> Members:
    return {
        "data": page.entries,
        "next_cursor": None if page.next_after is None else cursors.cursor(page.next_after, question),
    }


BUSINESS_READS: Final[Mapping[Route, Read]] = {
    LIST_VARIANTS: _variants,
    LIST_LOCATIONS: _locations,
    LIST_REASONS: _reasons,
    REPORT_REASONS: _report,
}
