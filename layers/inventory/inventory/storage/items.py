"""The items of the inventory and ledger tables: the only module that knows their attributes.

``…_of`` converts an item that the service wrote, and raises one of ``MALFORMED`` for any other. ``read_…`` is for items
that somebody may have changed by hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, cast

from inventory.domain.errors import RowUnreadable, StockItemUnreadable
from inventory.domain.hash_chain import FIRST_FORM
from inventory.domain.model import FORM, Adjustment, Business, Direction, Kind, Rejection, ReversalLink, StockItem
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.domain.uuids import uuid_of, uuid_text
from inventory.storage import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from inventory.domain.model import StockItemId
    from inventory.storage.keys import ItemKey

    type Item = Mapping[str, AttributeValueTypeDef]

MALFORMED: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""Raised for an item where an attribute is absent, has another type or has an impossible value."""

_KEY_NAMES: Final = ("pk", "sk")
_INTEGER: Final = re.compile(r"-?[0-9]{1,38}")


# ------------------------------------------------------------------------------------------------------ keys of items


def key_of(item: Item) -> ItemKey:
    """Return the key of an item."""
    return tuple(item[name]["S"] for name in _KEY_NAMES if name in item)


def key_attributes(key: ItemKey) -> dict[str, AttributeValueTypeDef]:
    """Convert a key to the attributes that a request names it by."""
    return {name: {"S": text} for name, text in zip(_KEY_NAMES, key, strict=False)}


def by_key(items: Iterable[Item]) -> dict[ItemKey, Item]:
    """Return items by their keys."""
    return {key_of(item): item for item in items}


# -------------------------------------------------------------------------------------------------------- ledger rows


def ledger_item(row: Adjustment) -> dict[str, AttributeValueTypeDef]:
    """Convert a row to its item. The keys of both indexes are attributes of their own; both sort by time."""
    created_at, row_id = instant_text(row.created_at), uuid_text(row.id)
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": keys.ledger(row.business_id, row.id)},
        "stock_item": {"S": keys.ledger_stock_item(row.business_id, row.variant_id, row.location_id)},
        "business_shard": {"S": keys.ledger_business(row.business_id, row.variant_id)},
        "created_at_id": {"S": f"{created_at}#{row_id}"},
        "id": {"S": row_id},
        "business_id": {"S": uuid_text(row.business_id)},
        "variant_id": {"S": uuid_text(row.variant_id)},
        "location_id": {"S": uuid_text(row.location_id)},
        "location_defaulted": {"BOOL": row.location_defaulted},
        "delta": {"N": str(row.delta)},
        "reason": {"S": row.reason},
        "sequence": {"N": str(row.sequence)},
        "quantity_after": {"N": str(row.quantity_after)},
        "created_at": {"S": created_at},
        "created_by": {"S": row.created_by},
        "previous_hash": {"S": row.previous_hash},
        "hash": {"S": row.hash},
    }
    if row.reason_code is not None:
        item["reason_code"] = {"S": row.reason_code}
    if row.reference is not None:
        item["reference"] = {"S": row.reference}
    if row.expected_quantity is not None:
        item["expected_quantity"] = {"N": str(row.expected_quantity)}
    if row.reverses is not None:
        item["reverses"] = {"S": uuid_text(row.reverses)}
    if row.form != FIRST_FORM:
        item["form"] = {"N": str(row.form)}
        _add_members_since_form_2(item, row)
    return item


def _add_members_since_form_2(item: dict[str, AttributeValueTypeDef], row: Adjustment) -> None:
    """Add what form 2 has and form 1 has not. A kind that ``_kind_without_attribute`` gives is left out."""
    if row.kind != _kind_without_attribute(row.reverses):
        item["kind"] = {"S": row.kind}
    if row.group_id is not None:
        item["group_id"] = {"S": uuid_text(row.group_id)}
        item["group_line"] = {"N": str(row.group_line)}
        item["group_size"] = {"N": str(row.group_size)}
    if row.counted_quantity is not None:
        item["counted_quantity"] = {"N": str(row.counted_quantity)}
    if row.counted_at is not None:
        item["counted_at"] = {"S": instant_text(row.counted_at)}
    if row.sku is not None:
        item["sku"] = {"S": row.sku}
    if row.occurred_at is not None:
        item["occurred_at"] = {"S": instant_text(row.occurred_at)}


def _kind_without_attribute(reverses: UUID | None) -> Kind:
    """Give the kind of a row whose item names none: all of form 1, and of form 2 the usual ones."""
    return "adjustment" if reverses is None else "reversal"


def adjustment_of(item: Item) -> Adjustment:
    """Convert a ledger item to its row."""
    reverses = _uuid_in(item, "reverses")
    return Adjustment(
        id=uuid_of(item["id"]["S"]),
        business_id=uuid_of(item["business_id"]["S"]),
        variant_id=uuid_of(item["variant_id"]["S"]),
        location_id=uuid_of(item["location_id"]["S"]),
        delta=int(item["delta"]["N"]),
        reason=item["reason"]["S"],
        reason_code=_text_in(item, "reason_code"),
        reference=_text_in(item, "reference"),
        expected_quantity=_integer_in(item, "expected_quantity"),
        location_defaulted=item["location_defaulted"]["BOOL"],
        sequence=int(item["sequence"]["N"]),
        quantity_after=int(item["quantity_after"]["N"]),
        created_at=parse_instant(item["created_at"]["S"]),
        created_by=item["created_by"]["S"],
        reverses=reverses,
        previous_hash=item["previous_hash"]["S"],
        hash=item["hash"]["S"],
        kind=cast("Kind", item["kind"]["S"]) if "kind" in item else _kind_without_attribute(reverses),
        group_id=_uuid_in(item, "group_id"),
        group_line=_integer_in(item, "group_line"),
        group_size=_integer_in(item, "group_size"),
        counted_quantity=_integer_in(item, "counted_quantity"),
        counted_at=_instant_in(item, "counted_at"),
        sku=_text_in(item, "sku"),
        occurred_at=_instant_in(item, "occurred_at"),
        form=_form_of(item),
    )


def _form_of(item: Item) -> int:
    """Return the form of a row: the attribute is as old as form 2."""
    form = _integer_in(item, "form")
    if form not in (None, FORM):
        raise ValueError("a row of an unknown form")
    return FIRST_FORM if form is None else FORM


def _text_in(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _integer_in(item: Item, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _instant_in(item: Item, name: str) -> datetime | None:
    return parse_instant(item[name]["S"]) if name in item else None


def _uuid_in(item: Item, name: str) -> UUID | None:
    return uuid_of(item[name]["S"]) if name in item else None


def adjustments_by_id(items: Iterable[Item]) -> dict[UUID, Adjustment]:
    """Convert ledger items to rows, by their ids."""
    rows = map(adjustment_of, items)
    return {row.id: row for row in rows}


def read_adjustment(item: Item) -> Adjustment:
    """Convert a ledger item to its row.

    Raises:
        RowUnreadable: it is not a row, or its time has another spelling.
    """
    try:
        row = adjustment_of(item)
        if instant_text(row.created_at) == item["created_at"]["S"]:
            return row
    except MALFORMED:
        pass
    raise RowUnreadable(item["pk"]["S"])


def claimed_integer(item: Item, name: str) -> int | None:
    """Return one attribute of an item that is otherwise unreadable; None unless it is an integer."""
    text = item.get(name, {}).get("N")
    return int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else None


# -------------------------------------------------------------------------------------------------------- stock items


def stock_item_of(item: Item) -> StockItem:
    """Convert an inventory item to its stock item."""
    return StockItem(
        quantity=int(item["quantity"]["N"]),
        sequence=int(item["sequence"]["N"]),
        updated_at=parse_instant(item["updated_at"]["S"]),
        head_hash=item["head_hash"]["S"],
        counted_at=_instant_in(item, "counted_at"),
        counted_through=_instant_in(item, "counted_through"),
    )


def stock_item_attributes(stock: StockItem) -> dict[str, AttributeValueTypeDef]:
    """Convert a stock item to the attributes that its item has beside the key."""
    attributes: dict[str, AttributeValueTypeDef] = {
        "quantity": {"N": str(stock.quantity)},
        "sequence": {"N": str(stock.sequence)},
        "updated_at": {"S": instant_text(stock.updated_at)},
        "head_hash": {"S": stock.head_hash},
    }
    if stock.counted_at is not None and stock.counted_through is not None:
        attributes["counted_at"] = {"S": instant_text(stock.counted_at)}
        attributes["counted_through"] = {"S": instant_text(stock.counted_through)}
    return attributes


def stock_index_attributes(stock_item_id: StockItemId) -> dict[str, AttributeValueTypeDef]:
    """Return the attributes by which the index of a business's stock items knows one.

    They are written once, with the item. So an adjustment of a stock item that exists writes nothing to the index.
    """
    business_id, variant_id, location_id = stock_item_id
    return {
        "business_shard": {"S": keys.stock_by_business(business_id, variant_id)},
        "location_variant": {"S": keys.location_variant(location_id, variant_id)},
    }


def read_stock_item(item: Item) -> StockItem | None:
    """Convert an inventory item to its stock item; None if it is unreadable."""
    try:
        stock = stock_item_of(item)
        instants = [each for each in (stock.updated_at, stock.counted_at, stock.counted_through) if each is not None]
        for each in instants:
            instant_text(each)
    except MALFORMED:
        return None
    return None if any(each.tzinfo is None for each in instants) else stock


def read_stock_at_location(item: Item) -> tuple[UUID, StockItem]:
    """Convert an inventory item to its location's id and its stock item.

    Raises:
        StockItemUnreadable: the service did not write it so.
    """
    pk, sk = key_of(item)
    stock = read_stock_item(item)
    if stock is None:
        raise StockItemUnreadable(pk, sk)
    try:
        return uuid_of(sk), stock
    except ValueError:
        raise StockItemUnreadable(pk, sk) from None


# ----------------------------------------------------------------------------------------------------- reversal links


def reversal_link_item(business_id: UUID, link: ReversalLink) -> Item:
    """Make the item of a link from what was reversed, a row or a group, to its reversal."""
    item: dict[str, AttributeValueTypeDef] = {
        **key_attributes(keys.reversal_link_key(business_id, link.reversed_id)),
        "reversal_id": {"S": uuid_text(link.reversal_id)},
    }
    if link.left_out:
        item["left_out"] = {"L": [{"N": str(line)} for line in link.left_out]}
    return item


def reversal_id_of(link: Item) -> UUID:
    """Return the id of the reversal that a link names."""
    return uuid_of(link["reversal_id"]["S"])


def read_reversal_link(link: Item) -> ReversalLink | None:
    """Convert an item to its link; None if it names no reversal."""
    try:
        left_out = tuple(int(line["N"]) for line in link["left_out"]["L"]) if "left_out" in link else ()
        reversed_id = uuid_of(key_of(link)[0].rpartition("#")[2])
        return ReversalLink(reversed_id, reversal_id_of(link), left_out)
    except MALFORMED:
        return None


# -------------------------------------------------------------------------------------------------- rejected messages


def rejection_item(
    message_digest: str, rejection: Rejection, *, rejected_at: datetime, expires_at: datetime
) -> dict[str, AttributeValueTypeDef]:
    """Make the marker of a rejected message. DynamoDB deletes it some time after ``expires_at``."""
    return {
        **key_attributes(keys.rejection_key(message_digest)),
        "error_type": {"S": rejection.error_type},
        "detail": {"S": json.dumps(rejection.detail)},
        "rejected_at": {"S": instant_text(rejected_at)},
        "expires_at": {"N": str(int(expires_at.timestamp()))},
    }


def rejection_of(item: Item) -> Rejection:
    """Return why a message was rejected."""
    return Rejection(item["error_type"]["S"], json.loads(item["detail"]["S"]))


# -------------------------------------------------------------------------------------------------------- the catalog


def business_of(settings: Item) -> Business:
    """Convert the item of a business's settings."""
    return Business(
        allow_negative_stock=settings["allow_negative_stock"]["BOOL"],
        default_location_id=default_location_id_of(settings),
    )


def default_location_id_of(settings: Item | None) -> UUID | None:
    """Return the default location in a business's settings; None where there is none."""
    if settings is None or "default_location_id" not in settings:
        return None
    return uuid_of(settings["default_location_id"]["S"])


def reason_direction_of(reason: Item) -> Direction:
    """Return what a business's own reason code is good for."""
    return cast("Direction", reason["direction"]["S"])


def variant_id_of_sku(claim: Item) -> UUID:
    """Return the active variant that has a SKU."""
    return uuid_of(claim["variant_id"]["S"])


def is_active(item: Item | None) -> bool:
    """Whether a catalog item exists and is in use. A business's settings always are."""
    return item is not None and ("active" not in item or item["active"]["BOOL"])
