"""Checks one item of the inventory table on its own: what it is, and whether the service could have written it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from inventory.domain.model import StockItemId
from inventory.domain.timestamps import instant_text
from inventory.storage import keys
from inventory.storage.items import MALFORMED, read_stock_item

if TYPE_CHECKING:
    from inventory.storage.items import Item
    from inventory.storage.table_scan import ItemKey


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
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    name, _, item_id = sk.partition("#")
    try:
        if pk != keys.business(UUID(pk.removeprefix("BUSINESS#"))):
            return False
        match name:
            case "LOCATION":
                return sk == keys.location(UUID(item_id))
            case "VARIANT":
                return sk == keys.variant(UUID(item_id))
    except ValueError:
        return False
    return sk == keys.SETTINGS


def stock_item_id_of(item: Item) -> StockItemId | None:
    """Give the id of a stock item, None for an item with a key of another form."""
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    try:
        business_id, variant_id = map(UUID, pk.removeprefix("STOCK#").split("#"))
        location_id = UUID(sk)
    except ValueError:
        return None
    is_canonical = pk == keys.stock(business_id, variant_id) and sk == str(location_id)
    return StockItemId(business_id, variant_id, location_id) if is_canonical else None


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
    pk = item["pk"]["S"]
    try:
        business_id, adjustment_id = map(UUID, pk.removeprefix("REVERSAL#").split("#"))
    except ValueError:
        return None
    is_canonical = pk == keys.reversal(business_id, adjustment_id) and item["sk"]["S"] == keys.REVERSAL
    return LinkId(business_id, adjustment_id) if is_canonical else None


def linked_row_key(link_id: LinkId, item: Item) -> ItemKey | None:
    """Give the key of the ledger row that a link names; None where the link is not as the service writes it."""
    try:
        reversal_id = UUID(item["reversal_id"]["S"])
    except MALFORMED:
        return None
    written: Item = {"pk": item["pk"], "sk": item["sk"], "reversal_id": {"S": str(reversal_id)}}
    return (keys.ledger(link_id.business_id, reversal_id),) if item == written else None
