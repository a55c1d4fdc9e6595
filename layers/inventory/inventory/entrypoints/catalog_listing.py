"""The operators' lists: businesses, tokens, and what is registered in one business."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from inventory.domain.errors import BusinessNotFound
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_text
from inventory.queries.catalog_lists import CatalogLists, ListPage
from inventory.storage import cursors
from inventory.storage.catalog import business_id_of
from inventory.storage.items import business_of, key_of
from inventory.storage.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inventory.domain.api_tokens import Token
    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import ListBusinesses, ListOfBusiness, ListTokens
    from inventory.storage.catalog_scan import CatalogScan
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.lookups import Lookups
    from inventory.storage.table_scan import TablePage

type Listed = Mapping[str, object]


class CatalogListing(NamedTuple):
    """Answers the lists: their entries under ``data``, and the cursor of the next page.

    Each method raises ``InvalidCursor``, and ``StoreUnavailable`` if nothing could be read in time.
    """

    lookups: Lookups
    scan: CatalogScan

    def businesses(self, request: ListBusinesses, budget: RetryBudget) -> dict[str, object]:
        """List all businesses, in the order of the table, which never changes.

        A scan of the inventory table finds their settings. A page ends early where time runs short, and can be empty
        then.
        """
        return _scanned(request, {"list": "businesses"}, self.scan.businesses, _business, budget)

    def tokens(self, request: ListTokens, budget: RetryBudget) -> dict[str, object]:
        """List all tokens, or those of a business: everything but the token, of which only a digest is stored."""

        def entry_of(item: Item) -> Listed | None:
            token = token_of(item)
            return _token(token) if request.business_id in {None, *token.business_ids} else None

        question = {"list": "tokens", "business_id": str(request.business_id)}
        return _scanned(request, question, self.scan.tokens, entry_of, budget)

    def of_business(self, request: ListOfBusiness, budget: RetryBudget) -> dict[str, object]:
        """List what is registered in a business.

        Raises:
            BusinessNotFound: there is no such business.
        """
        if not budget.retry(partial(self.lookups.has_business, request.business_id)):
            raise BusinessNotFound
        question = {"list": request.command, "business_id": str(request.business_id)}
        page = self._page(request, question, budget)
        next_cursor = None if page.next_after is None else cursors.cursor(page.next_after, question)
        return {"data": [*page.entries], "next_cursor": next_cursor}

    def _page(self, request: ListOfBusiness, question: dict[str, str], budget: RetryBudget) -> ListPage:
        lists, limit = CatalogLists(self.lookups), request.limit
        if request.command == "list_reasons":
            after = cursors.start(request.cursor, question, str)
            return lists.reasons(request.business_id, after=after, limit=limit, budget=budget)
        read = lists.locations if request.command == "list_locations" else lists.variants
        after_id = cursors.start(request.cursor, question, UUID)
        return read(request.business_id, after=after_id, limit=limit, budget=budget)


def _scanned(
    request: ListBusinesses | ListTokens,
    question: dict[str, str],
    read: Callable[[ItemKey | None], TablePage],
    entry_of: Callable[[Item], Listed | None],
    budget: RetryBudget,
) -> dict[str, object]:
    """Fill a page from pages of a scan, up to its limit or the end of the time. ``entry_of`` gives None for others."""
    start = cursors.start(request.cursor, question, _key)
    found: list[Listed] = []
    while True:
        page = budget.retry(partial(read, start))
        for item in page.items:
            if (entry := entry_of(item)) is not None:
                if len(found) == request.limit:
                    return _answer(found, start, question)
                found.append(entry)
            start = key_of(item)
        start = page.next_start
        if start is None or not budget.has_time():
            return _answer(found, start, question)


def _answer(found: Sequence[Listed], start: ItemKey | None, question: dict[str, str]) -> dict[str, object]:
    return {"data": found, "next_cursor": None if start is None else cursors.cursor(json.dumps(start), question)}


def _key(text: str) -> ItemKey:
    """Read the key that a scan goes on after.

    Raises:
        ValueError: it is none.
    """
    parts = json.loads(text)
    if not isinstance(parts, list) or not all(isinstance(part, str) and part for part in parts):
        raise ValueError(text)
    return tuple(parts)


def _business(settings: Item) -> Listed:
    return {
        "business_id": str(business_id_of(settings)),
        "name": settings["name"]["S"] if "name" in settings else None,
        "allow_negative_stock": business_of(settings).allow_negative_stock,
    }


def _token(token: Token) -> Listed:
    return {
        "token_id": token.id,
        "subject": token.subject,
        "business_ids": sorted(map(uuid_text, token.business_ids)),
        "scopes": sorted(token.scopes),
        "expires_at": None if token.expires_at is None else instant_text(token.expires_at),
        "revoked_at": None if token.revoked_at is None else instant_text(token.revoked_at),
    }
