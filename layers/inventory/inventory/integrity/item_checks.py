"""Checks one item of the inventory table on its own: what it is, and whether the service could have written it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from inventory.domain.model import StockItemId
from inventory.storage import keys
from inventory.storage.items import (
    key_attributes,
    key_of,
    read_reversal_id,
    read_stock_item,
    reversal_link_item,
    stock_item_attributes,
)

if TYPE_CHECKING:
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey


class AuditKind(StrEnum):
    """What only an audit finds, because it is outside the history of one stock item. See docs/integrity.md."""

    REVERSAL_WRONG = "reversal_wrong"
    REVERSAL_NOT_LINKED = "reversal_not_linked"
    REVERSAL_LINK_WRONG = "reversal_link_wrong"
    ITEM_UNKNOWN = "item_unknown"


class LinkId(NamedTuple):
    """Which reversal link: the one of a reversed adjustment."""

    business_id: UUID
    adjustment_id: UUID


def is_catalog_item(item: Item) -> bool:
    """Whether an item has a key of the catalog: the settings, a location or a variant of a business."""
    key = pk, sk = key_of(item)
    try:
        business_id, *item_ids = map(UUID, [*pk.split("#")[1:], *sk.split("#")[1:]])
    except ValueError:
        return False
    match item_ids:
        case []:
            return key == keys.settings_key(business_id)
        case [item_id]:
            return key in (keys.location_key(business_id, item_id), keys.variant_key(business_id, item_id))
        case _:
            return False


def stock_item_id_of(item: Item) -> StockItemId | None:
    """Give the id of a stock item, None for an item with a key of another form."""
    key = pk, sk = key_of(item)
    try:
        stock_item_id = StockItemId(*map(UUID, [*pk.split("#")[1:], sk]))
    except (TypeError, ValueError):
        return None
    return stock_item_id if key == keys.stock_item_key(*stock_item_id) else None


def link_id_of(item: Item) -> LinkId | None:
    """Give the id of a reversal link, None for an item with a key of another form."""
    key = pk, _ = key_of(item)
    try:
        link_id = LinkId(*map(UUID, pk.split("#")[1:]))
    except (TypeError, ValueError):
        return None
    return link_id if key == keys.reversal_link_key(*link_id) else None


def sequence_of_altered_stock_item(item: Item) -> int | None:
    """Give the sequence of a stock item that is readable, but not as the service writes it; None otherwise.

    It may have more attributes, or a time in another spelling. A proof finds a stock item that is unreadable.
    """
    stock = read_stock_item(item)
    if stock is None or item == key_attributes(key_of(item)) | stock_item_attributes(stock):
        return None
    return stock.sequence


def linked_row_key(link_id: LinkId, item: Item) -> ItemKey | None:
    """Give the key of the ledger row that a link names; None where the link is not as the service writes it."""
    reversal_id = read_reversal_id(item)
    if reversal_id is None or item != reversal_link_item(*link_id, reversal_id):
        return None
    return keys.ledger_row_key(link_id.business_id, reversal_id)
