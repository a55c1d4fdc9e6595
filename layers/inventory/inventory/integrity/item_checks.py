"""Checks one item of the inventory table on its own: what it is, and whether the service could have written it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from inventory.domain.model import StockItemId
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.items import key_of, read_reversal_id, read_stock_item, reversal_link_item

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
    pk, sk = key = key_of(item)
    name, _, item_id = sk.partition("#")
    try:
        business_id = UUID(pk.removeprefix("BUSINESS#"))
        match name:
            case "LOCATION":
                return key == keys.location_key(business_id, UUID(item_id))
            case "VARIANT":
                return key == keys.variant_key(business_id, UUID(item_id))
    except ValueError:
        return False
    return key == keys.settings_key(business_id)


def stock_item_id_of(item: Item) -> StockItemId | None:
    """Give the id of a stock item, None for an item with a key of another form."""
    pk, sk = key = key_of(item)
    try:
        business_id, variant_id = map(UUID, pk.removeprefix("STOCK#").split("#"))
        stock_item_id = StockItemId(business_id, variant_id, UUID(sk))
    except ValueError:
        return None
    return stock_item_id if key == keys.stock_item_key(*stock_item_id) else None


def sequence_of_altered_stock_item(item: Item) -> int | None:
    """Give the sequence of a stock item that is readable, but not as the service writes it; None otherwise.

    It may have more attributes, or a time in another spelling. A proof finds a stock item that is unreadable.
    """
    stock = read_stock_item(item)
    if stock is None:
        return None
    written: Item = {
        "pk": item["pk"],
        "sk": item["sk"],
        "quantity": {"N": str(stock.quantity)},
        "sequence": {"N": str(stock.sequence)},
        "updated_at": {"S": instant_text(stock.updated_at)},
        "head_hash": {"S": stock.head_hash},
    }
    return None if item == written else stock.sequence


def link_id_of(item: Item) -> LinkId | None:
    """Give the id of a reversal link, None for an item with a key of another form."""
    pk, _ = key = key_of(item)
    try:
        link_id = LinkId(*map(UUID, pk.removeprefix("REVERSAL#").split("#")))
    except (TypeError, ValueError):
        return None
    return link_id if key == keys.reversal_link_key(*link_id) else None


def linked_row_key(link_id: LinkId, item: Item) -> ItemKey | None:
    """Give the key of the ledger row that a link names; None where the link is not as the service writes it."""
    reversal_id = read_reversal_id(item)
    if reversal_id is None or item != reversal_link_item(*link_id, reversal_id):
        return None
    return keys.ledger_row_key(link_id.business_id, reversal_id)
