"""Checks one item of the inventory table on its own: what it is, and whether the service could have written it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from inventory.domain.model import ReversalLink, StockItemId
from inventory.storage import keys
from inventory.storage.items import (
    key_attributes,
    key_of,
    read_reversal_link,
    read_stock_item,
    reversal_link_item,
    stock_index_attributes,
    stock_item_attributes,
)

if TYPE_CHECKING:
    from inventory.storage.items import Item


class AuditKind(StrEnum):
    """What only an audit finds, because it is outside the history of one stock item. See docs/integrity.md."""

    REVERSAL_WRONG = "reversal_wrong"
    REVERSAL_NOT_LINKED = "reversal_not_linked"
    REVERSAL_LINK_WRONG = "reversal_link_wrong"
    GROUP_INCOMPLETE = "group_incomplete"
    TRANSFER_UNBALANCED = "transfer_unbalanced"
    ITEM_UNKNOWN = "item_unknown"


class LinkId(NamedTuple):
    """Which reversal link: the one of a reversed adjustment."""

    business_id: UUID
    adjustment_id: UUID


_CATALOG_NAME: Final = re.compile("REASON#[a-z][a-z0-9_]{0,39}|SKU#[0-9a-f]{64}")

_REJECTION: Final = re.compile(f"{keys.MESSAGE}[0-9a-f]{{64}} {keys.REJECTION}")


def is_catalog_item(item: Item) -> bool:
    """Whether an item has a key of the catalog: the settings, a location, variant, reason or SKU of a business."""
    key = pk, sk = key_of(item)
    try:
        (business_id,) = map(UUID, pk.split("#")[1:])
        if key == keys.settings_key(business_id) or _CATALOG_NAME.fullmatch(sk):
            return pk == keys.business(business_id)
        (item_id,) = map(UUID, sk.split("#")[1:])
    except ValueError:
        return False
    return key in (keys.location_key(business_id, item_id), keys.variant_key(business_id, item_id))


def is_rejection(item: Item) -> bool:
    """Whether an item has the key of the marker of a rejected message."""
    return _REJECTION.fullmatch(" ".join(key_of(item))) is not None


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
    stock, stock_item_id = read_stock_item(item), stock_item_id_of(item)
    if stock is None or stock_item_id is None:
        return None
    written = key_attributes(key_of(item)) | stock_item_attributes(stock)
    # A stock item that is older than the index of a business's stock items may lack the index's attributes.
    return None if item in (written, written | stock_index_attributes(stock_item_id)) else stock.sequence


def reversal_link_of(link_id: LinkId, item: Item) -> ReversalLink | None:
    """Give the link of an item; None where it is not as the service writes it."""
    link = read_reversal_link(item)
    if link is None or item != reversal_link_item(link_id.business_id, link):
        return None
    return link
