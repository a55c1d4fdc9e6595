"""What an audit makes of one item of the inventory table by itself: what it is, and whether it is as it is written."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from inventory import keys
from inventory.chain_check import GARBAGE, read_stock_item
from inventory.instants import instant_text

if TYPE_CHECKING:
    from inventory.audit_tables import Key
    from inventory.dynamodb import Item

type Place = tuple[UUID, UUID, UUID]
"""Business, variant and location."""


class AuditKind(StrEnum):
    """What only an audit finds, because no proof of one stock item reads it. docs/integrity.md explains each kind."""

    REVERSAL_WRONG = "reversal_wrong"
    REVERSAL_NOT_LINKED = "reversal_not_linked"
    REVERSAL_LINK_WRONG = "reversal_link_wrong"
    ITEM_UNKNOWN = "item_unknown"


def is_of_catalog(item: Item) -> bool:
    """Whether an item stands under a key of the catalog: a business's settings, a location or a variant of it."""
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    name, _, of_item = sk.partition("#")
    try:
        if pk != keys.business(UUID(pk.removeprefix("BUSINESS#"))):
            return False
        match name:
            case "LOCATION":
                return sk == keys.location(UUID(of_item))
            case "VARIANT":
                return sk == keys.variant(UUID(of_item))
    except ValueError:
        return False
    return sk == keys.SETTINGS


def place_of_stock(item: Item) -> Place | None:
    """Business, variant and location of a stock item, None for an item under a key of another form."""
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    try:
        business_id, variant_id = map(UUID, pk.removeprefix("STOCK#").split("#"))
        location_id = UUID(sk)
    except ValueError:
        return None
    right = pk == keys.stock(business_id, variant_id) and sk == str(location_id)
    return (business_id, variant_id, location_id) if right else None


def sequence_of_odd_stock(item: Item) -> int | None:
    """The sequence of a stock item that says the right things in a way that the service never writes; None otherwise.

    It may have further attributes, or a time in another spelling. One that can't be read is for a proof to tell.
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


def ids_of_link(item: Item) -> tuple[UUID, UUID] | None:
    """Business and reversed adjustment of a reversal link, None for an item under a key of another form."""
    pk = item["pk"]["S"]
    try:
        business_id, adjustment_id = map(UUID, pk.removeprefix("REVERSAL#").split("#"))
    except ValueError:
        return None
    right = pk == keys.reversal(business_id, adjustment_id) and item["sk"]["S"] == keys.REVERSAL
    return (business_id, adjustment_id) if right else None


def reversal_of(link: Item) -> Key | None:
    """Key of the row that a link leads to; None where it names none, or is not as the service writes it."""
    ids = ids_of_link(link)
    try:
        reversal_id = UUID(link["reversal_id"]["S"])
    except GARBAGE:
        return None
    written: Item = {"pk": link["pk"], "sk": link["sk"], "reversal_id": {"S": str(reversal_id)}}
    return (keys.ledger(ids[0], reversal_id),) if ids is not None and link == written else None
