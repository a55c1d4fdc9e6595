"""What all lists share: the query string, the question that a cursor is bound to, and where a page begins."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from inventory.domain.errors import InvalidCursor
from inventory.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Callable

    from inventory.api.shapes import ApiEvent
    from inventory.domain.retry_budget import RetryBudget
    from inventory.queries.reader import Reader
    from inventory.schemas.base import RequestModel

    type Members = dict[str, object]
    type Read = Callable[[ApiEvent, UUID, Reader, RetryBudget], Members]


def query_string(event: ApiEvent) -> dict[str, str]:
    """The parameters, decoded by the gateway. The last value of a repeated parameter counts, as in a JSON body."""
    several = event.get("multiValueQueryStringParameters") or {}
    return (event.get("queryStringParameters") or {}) | {name: values[-1] for name, values in several.items()}


def question_of(query: RequestModel, business_id: UUID, variant_id: UUID | None = None) -> dict[str, str]:
    """The part of a query that all pages of one list share. A cursor is valid for this part only.

    ``variant_id`` stands for a SKU: where the SKU moves to another variant, its cursors become invalid.
    """
    asked = query.model_dump(mode="json", exclude={"cursor", "limit", "sku"}, exclude_defaults=True)
    variant = {} if variant_id is None else {"variant_id": str(variant_id)}
    return {"list": type(query).__name__, "business_id": str(business_id), **asked, **variant}


def start[P](cursor: str | None, question: dict[str, str], parse: Callable[[str], P]) -> P | None:
    """The position where the page begins; ``parse`` raises ``ValueError`` for a text that is no position.

    Raises:
        InvalidCursor: the cursor is not one of this question.
    """
    if cursor is None:
        return None
    position = cursors.position(cursor, question)
    if position is not None:
        with suppress(ValueError):
            return parse(position)
    raise InvalidCursor(cursor)


def parse_id(text: str) -> UUID:
    """Read an id as position, which our cursors write in one spelling.

    Raises:
        ValueError: it has another spelling.
    """
    found = UUID(text)
    if str(found) != text:
        raise ValueError(text)
    return found
