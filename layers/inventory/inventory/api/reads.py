"""The GET routes: from the event to a query, and from its result to the members of the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from inventory.api.paging import parse_id, query_string, question_of, start
from inventory.api.routes import GET_ADJUSTMENT, GET_GROUP, LIST_ADJUSTMENTS, LIST_LEVELS, PROVE_LEVEL, ROUTES
from inventory.domain.errors import InvalidRequest
from inventory.domain.hash_chain import canonical_members
from inventory.domain.model import StockItemId
from inventory.domain.timestamps import instant_text
from inventory.entrypoints.responses import adjustment_members, proof_members
from inventory.queries.adjustments import AdjustmentFilter
from inventory.queries.ledger_order import parse_position
from inventory.queries.levels import LevelFilter
from inventory.schemas.base import RequestModel, invalid_entries, validated
from inventory.schemas.problems import cursor_at
from inventory.schemas.reading import (
    AdjustmentPath,
    AdjustmentsQuery,
    GroupPath,
    LevelPath,
    LevelsQuery,
    NoQuery,
    ProofQuery,
)
from inventory.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from inventory.api.paging import Members, Read
    from inventory.api.routes import Route
    from inventory.api.shapes import ApiEvent
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.levels import Level
    from inventory.queries.reader import Reader, Recorded


def answer(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    """Answer a read of one business by its route.

    Raises:
        InvalidRequest: path or query string break their model, or the cursor is not from an answer to the same query.
        AdjustmentNotFound, GroupNotFound, VariantNotFound, LocationNotFound: it does not exist.
        StoreUnavailable: it could not be read in time.
    """
    with cursor_at("query", "cursor"):
        read = _READS_BY_PATH.get(event["resource"]) or _business_read(event["resource"])
        return read(event, business_id, reader, budget)


def _business_read(path: str) -> Read:
    """Give the read of one of the routes that few execution environments are asked for."""
    from inventory.api.business_reads import BUSINESS_READS  # noqa: PLC0415  its models would slow down every start

    (read,) = (read for route, read in BUSINESS_READS.items() if route.path == path)
    return read


def _adjustment(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(AdjustmentPath, NoQuery, event)
    return _members(reader.adjustment(business_id, path.id, budget=budget))


def _group(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(GroupPath, NoQuery, event)
    rows = reader.group(business_id, path.group_id, budget=budget)
    return {"group_id": str(path.group_id), "data": [_members(each) for each in rows]}


def _adjustments(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(AdjustmentsQuery, query_string(event), place="query")
    variant_id = reader.variant_id(business_id, query.variant_id, query.sku, budget=budget)
    question = question_of(query, business_id, variant_id)
    begin = start(query.cursor, question, parse_position)
    wanted = AdjustmentFilter(
        variant_id=variant_id,
        location_id=query.location_id,
        reason_code=query.reason_code,
        reference=query.reference,
        created_by=query.created_by,
        kind=query.kind,
        group_id=query.group_id,
        created_from=query.created_from,
        created_to=query.created_to,
    )
    key, limit = query.idempotency_key, query.limit
    if query.order == "asc":
        page = reader.feed(business_id, wanted, idempotency_key=key, after=begin, limit=limit, budget=budget)
    else:
        page = reader.adjustments(business_id, wanted, idempotency_key=key, below=begin, limit=limit, budget=budget)
    return {
        "data": [_members(each) | _chain_members(each, query) for each in page.adjustments],
        "next_cursor": None if page.next_position is None else cursors.cursor(page.next_position.text(), question),
        **({} if page.settled_to is None else {"settled_to": instant_text(page.settled_to)}),
    }


def _levels(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(LevelsQuery, query_string(event), place="query")
    variant_id = reader.variant_id(business_id, query.variant_id, query.sku, budget=budget)
    question = question_of(query, business_id, variant_id)
    wanted = LevelFilter(variant_id, query.location_id, query.as_of, query.quantity_at_most, query.quantity_at_least)
    after = start(query.cursor, question, partial(_parse_stock_item_id, business_id, variant_id))
    page = reader.levels(business_id, wanted, after=after, limit=query.limit, budget=budget)
    next_after = page.next_after
    position = None if next_after is None else _stock_item_text(next_after, of_variant=variant_id is not None)
    return {
        "data": [_level_members(each) for each in page.levels],
        "next_cursor": None if position is None else cursors.cursor(position, question),
    }


def _stock_item_text(stock_item_id: StockItemId, *, of_variant: bool) -> str:
    """Write a position among the levels of one variant, or of all."""
    location_id = str(stock_item_id.location_id)
    return location_id if of_variant else f"{location_id}#{stock_item_id.variant_id}"


def _parse_stock_item_id(business_id: UUID, variant_id: UUID | None, text: str) -> StockItemId:
    """Read what ``_stock_item_text`` wrote."""
    if variant_id is not None:
        return StockItemId(business_id, variant_id, parse_id(text))
    location_id, _, of_variant = text.partition("#")
    return StockItemId(business_id, parse_id(of_variant), parse_id(location_id))


def _proof(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(LevelPath, ProofQuery, event)
    query = validated(ProofQuery, query_string(event), place="query")
    stock_item_id = StockItemId(business_id, path.variant_id, path.location_id)
    return proof_members(reader.proof(stock_item_id, cursor=query.cursor, budget=budget))


_READS: Final[Mapping[Route, Read]] = {
    LIST_ADJUSTMENTS: _adjustments,
    GET_ADJUSTMENT: _adjustment,
    GET_GROUP: _group,
    LIST_LEVELS: _levels,
    PROVE_LEVEL: _proof,
}

_READS_BY_PATH: Final = {route.path: read for route, read in _READS.items()}

(SCOPE,) = {route.scope for route in ROUTES if route.function == "read_inventory"}
"""The one scope of all reads."""


def _validated_path[P: RequestModel](model: type[P], query_model: type[RequestModel], event: ApiEvent) -> P:
    """Read the path; its errors and those of the query string are answered together."""
    query_entries = invalid_entries(query_model, query_string(event), place="query")
    try:
        path = validated(model, event.get("pathParameters") or {}, place="path")
    except InvalidRequest as error:
        raise InvalidRequest(error.entries + query_entries) from None
    if query_entries:
        raise InvalidRequest(query_entries)
    return path


def _members(recorded: Recorded) -> Members:
    """An adjustment's members, with the id of its reversal where it was reversed."""
    reversed_by = {} if recorded.reversed_by is None else {"reversed_by": str(recorded.reversed_by)}
    return adjustment_members(recorded.adjustment) | reversed_by


def _chain_members(recorded: Recorded, query: AdjustmentsQuery) -> Members:
    """The row as an export has it, if it is asked for: whoever has all rows of a stock item can check their chain."""
    if query.include is None:
        return {}
    return {"chain": canonical_members(recorded.adjustment) | {"hash": recorded.adjustment.hash}}


def _level_members(level: Level) -> Members:
    return {
        "variant_id": str(level.variant_id),
        "location_id": str(level.location_id),
        "quantity": level.quantity,
        "sequence": level.sequence,
        "updated_at": instant_text(level.updated_at),
        "sku": level.sku,
        "counted_at": None if level.counted_at is None else instant_text(level.counted_at),
    }
