"""The GET routes: from the event to a query, and from its result to the members of the answer."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

from inventory.api.routes import GET_ADJUSTMENT, GET_GROUP, LIST_ADJUSTMENTS, LIST_LEVELS, PROVE_LEVEL
from inventory.domain.errors import InvalidCursor, InvalidRequest
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
    from collections.abc import Callable, Mapping

    from inventory.api.routes import Route
    from inventory.api.shapes import ApiEvent
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.levels import Level
    from inventory.queries.reader import Reader, Recorded

    type Members = dict[str, object]
    type Read = Callable[[ApiEvent, UUID, Reader, RetryBudget], Members]


def answer(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    """Answer a read of one business by its route.

    Raises:
        InvalidRequest: path or query string break their model, or the cursor is not from an answer to the same query.
        AdjustmentNotFound, GroupNotFound, VariantNotFound, LocationNotFound: it does not exist.
        StoreUnavailable: it could not be read in time.
    """
    with cursor_at("query", "cursor"):
        return _READS_BY_PATH[event["resource"]](event, business_id, reader, budget)


def _adjustment(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(AdjustmentPath, NoQuery, event)
    return _members(reader.adjustment(business_id, path.id, budget=budget))


def _group(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(GroupPath, NoQuery, event)
    rows = reader.group(business_id, path.group_id, budget=budget)
    return {"group_id": str(path.group_id), "data": [_members(each) for each in rows]}


def _adjustments(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(AdjustmentsQuery, _query_string(event), place="query")
    question = _question(query, business_id)
    below = _start(query.cursor, question, parse_position)
    wanted = AdjustmentFilter(
        variant_id=query.variant_id,
        location_id=query.location_id,
        reason_code=query.reason_code,
        reference=query.reference,
        created_from=query.created_from,
        created_to=query.created_to,
    )
    page = reader.adjustments(business_id, wanted, below=below, limit=query.limit, budget=budget)
    return {
        "data": [_members(each) for each in page.adjustments],
        "next_cursor": None if page.next_position is None else cursors.cursor(page.next_position.text(), question),
    }


def _levels(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    query = validated(LevelsQuery, _query_string(event), place="query")
    question = _question(query, business_id)
    after = _start(query.cursor, question, _parse_location_id)
    wanted = LevelFilter(query.variant_id, query.location_id, query.as_of)
    page = reader.levels(business_id, wanted, after=after, limit=query.limit, budget=budget)
    return {
        "data": [_level_members(each) for each in page.levels],
        "next_cursor": None if page.next_location_id is None else cursors.cursor(str(page.next_location_id), question),
    }


def _proof(event: ApiEvent, business_id: UUID, reader: Reader, budget: RetryBudget) -> Members:
    path = _validated_path(LevelPath, ProofQuery, event)
    query = validated(ProofQuery, _query_string(event), place="query")
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

(SCOPE,) = {route.scope for route in _READS}
"""The one scope of all reads."""


def _validated_path[P: RequestModel](model: type[P], query_model: type[RequestModel], event: ApiEvent) -> P:
    """Read the path; its errors and those of the query string are answered together."""
    query_entries = invalid_entries(query_model, _query_string(event), place="query")
    try:
        path = validated(model, event.get("pathParameters") or {}, place="path")
    except InvalidRequest as error:
        raise InvalidRequest(error.entries + query_entries) from None
    if query_entries:
        raise InvalidRequest(query_entries)
    return path


def _query_string(event: ApiEvent) -> dict[str, str]:
    """The parameters, decoded by the gateway. The last value of a repeated parameter counts, as in a JSON body."""
    several = event.get("multiValueQueryStringParameters") or {}
    return (event.get("queryStringParameters") or {}) | {name: values[-1] for name, values in several.items()}


def _question(query: AdjustmentsQuery | LevelsQuery, business_id: UUID) -> dict[str, str]:
    """The part of a query that all pages of one list share. A cursor is valid for this part only."""
    asked = query.model_dump(mode="json", exclude={"cursor", "limit"}, exclude_none=True)
    return {"list": type(query).__name__, "business_id": str(business_id), **asked}


def _start[P](cursor: str | None, question: dict[str, str], parse: Callable[[str], P]) -> P | None:
    """The position where the page begins; ``parse`` raises ``ValueError`` for a text that is no position."""
    if cursor is None:
        return None
    position = cursors.position(cursor, question)
    if position is not None:
        with suppress(ValueError):
            return parse(position)
    raise InvalidCursor(cursor)


def _parse_location_id(text: str) -> UUID:
    """Read a position among levels, which our cursors write in one spelling."""
    location_id = UUID(text)
    if str(location_id) != text:
        raise ValueError(text)
    return location_id


def _members(recorded: Recorded) -> Members:
    """An adjustment's members, with the id of its reversal where it was reversed."""
    reversed_by = {} if recorded.reversed_by is None else {"reversed_by": str(recorded.reversed_by)}
    return adjustment_members(recorded.adjustment) | reversed_by


def _level_members(level: Level) -> Members:
    return {
        "variant_id": str(level.variant_id),
        "location_id": str(level.location_id),
        "quantity": level.quantity,
        "sequence": level.sequence,
        "updated_at": instant_text(level.updated_at),
    }
