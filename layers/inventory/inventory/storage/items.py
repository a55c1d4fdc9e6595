"""Every item of the tables, from and to the values of the domain: the only place that knows their attributes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from inventory.domain.api_tokens import Scope, Token
from inventory.domain.errors import RowUnreadable, StockItemUnreadable
from inventory.domain.model import Adjustment, Business, ReasonCode, StockItem
from inventory.domain.timestamps import instant_text, parse_instant
from inventory.storage import keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
    )

    type Item = Mapping[str, AttributeValueTypeDef]
    type KeyAttributes = Mapping[str, AttributeValueTypeDef]
    type InventoryKey = tuple[str, str]

    from datetime import datetime

MALFORMED: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What reading an item raises where an attribute is absent, of another type, or holds something else."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,38}")


def ledger_item(row: Adjustment) -> dict[str, AttributeValueTypeDef]:
    """Convert a row to its item. Both indexes sort by time; their keys are attributes of their own."""
    created_at, row_id = instant_text(row.created_at), str(row.id)
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": keys.ledger(row.business_id, row.id)},
        "stock_item": {"S": keys.ledger_stock_item(row.business_id, row.variant_id, row.location_id)},
        "business_shard": {"S": keys.ledger_business(row.business_id, row.variant_id)},
        "created_at_id": {"S": f"{created_at}#{row_id}"},
        "id": {"S": row_id},
        "business_id": {"S": str(row.business_id)},
        "variant_id": {"S": str(row.variant_id)},
        "location_id": {"S": str(row.location_id)},
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
        item["reverses"] = {"S": str(row.reverses)}
    return item


def adjustment_of(item: Item) -> Adjustment:
    """Convert a ledger item to its row."""
    reverses = item.get("reverses")
    return Adjustment(
        id=UUID(item["id"]["S"]),
        business_id=UUID(item["business_id"]["S"]),
        variant_id=UUID(item["variant_id"]["S"]),
        location_id=UUID(item["location_id"]["S"]),
        delta=int(item["delta"]["N"]),
        reason=item["reason"]["S"],
        reason_code=cast("ReasonCode", item["reason_code"]["S"]) if "reason_code" in item else None,
        reference=item["reference"]["S"] if "reference" in item else None,
        expected_quantity=int(item["expected_quantity"]["N"]) if "expected_quantity" in item else None,
        location_defaulted=item["location_defaulted"]["BOOL"],
        sequence=int(item["sequence"]["N"]),
        quantity_after=int(item["quantity_after"]["N"]),
        created_at=parse_instant(item["created_at"]["S"]),
        created_by=item["created_by"]["S"],
        reverses=None if reverses is None else UUID(reverses["S"]),
        previous_hash=item["previous_hash"]["S"],
        hash=item["hash"]["S"],
    )


def stock_item_of(item: Item) -> StockItem:
    """Convert an inventory item to the stock item that it holds."""
    return StockItem(
        quantity=int(item["quantity"]["N"]),
        sequence=int(item["sequence"]["N"]),
        updated_at=parse_instant(item["updated_at"]["S"]),
        head_hash=item["head_hash"]["S"],
    )


def link_reversal_id(link: Item) -> UUID:
    """The reversal that a link leads to."""
    return UUID(link["reversal_id"]["S"])


def business_of(settings: Item) -> Business:
    """Convert a settings item to the business that it describes."""
    return Business(
        allow_negative_stock=settings["allow_negative_stock"]["BOOL"],
        default_location_id=default_location_id_of(settings),
    )


def default_location_id_of(settings: Item | None) -> UUID | None:
    """The default location that a business's settings name; None where there is none."""
    if settings is None or "default_location_id" not in settings:
        return None
    return UUID(settings["default_location_id"]["S"])


def is_active(item: Item | None) -> bool:
    """Whether a catalog item exists and was not deactivated; a business's settings have no such mark."""
    return item is not None and item.get("active", {"BOOL": True})["BOOL"]


def adjustments_by_id(items: Sequence[Item]) -> dict[UUID, Adjustment]:
    """Convert ledger items to rows, by their ids."""
    rows = map(adjustment_of, items)
    return {row.id: row for row in rows}


def inventory_key_of(item: Item) -> InventoryKey:
    """The key of an item of the inventory table: partition key and sort key."""
    return item["pk"]["S"], item["sk"]["S"]


def located(item: Item) -> tuple[UUID, StockItem]:
    """Where a stock item lies, and what it holds.

    Raises:
        StockItemUnreadable: somebody wrote it by hand.
    """
    key, location = item["pk"]["S"], item["sk"]["S"]
    stock = read_stock_item(item)
    if stock is None:
        raise StockItemUnreadable(key, location)
    try:
        return UUID(location), stock
    except ValueError:
        raise StockItemUnreadable(key, location) from None


def row_of(item: Item) -> Adjustment:
    """Convert a ledger item, whatever somebody may have made of it, to its row.

    Raises:
        RowUnreadable: it is none.
    """
    try:
        row = adjustment_of(item)
        if instant_text(row.created_at) == item["created_at"]["S"]:
            return row
    except MALFORMED:
        pass
    raise RowUnreadable(item["pk"]["S"])


def token_item(token: Token) -> Item:
    """Convert a token to its item."""
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": keys.token(token.id)},
        "digest": {"B": token.digest},
        "subject": {"S": token.subject},
        "business_ids": {"L": [{"S": str(each)} for each in sorted(token.business_ids)]},
        "scopes": {"L": [{"S": each} for each in sorted(token.scopes)]},
        "issued_at": {"S": instant_text(token.issued_at)},
    }
    for name, instant in (("expires_at", token.expires_at), ("revoked_at", token.revoked_at)):
        if instant is not None:
            item[name] = {"S": instant_text(instant)}
    return item


def token_of(item: Item) -> Token:
    """Convert an item of the access table to its token."""
    return Token(
        id=item["pk"]["S"].removeprefix(keys.token("")),
        digest=bytes(item["digest"]["B"]),
        subject=item["subject"]["S"],
        business_ids=frozenset(UUID(each["S"]) for each in item["business_ids"]["L"]),
        scopes=frozenset(cast("Scope", each["S"]) for each in item["scopes"]["L"]),
        issued_at=parse_instant(item["issued_at"]["S"]),
        expires_at=_instant_of(item, "expires_at"),
        revoked_at=_instant_of(item, "revoked_at"),
    )


def _instant_of(item: Item, name: str) -> datetime | None:
    return parse_instant(item[name]["S"]) if name in item else None


def read_stock_item(item: Item) -> StockItem | None:
    """The stock item that an item holds, None where it can't be read."""
    try:
        stock = stock_item_of(item)
        instant_text(stock.updated_at)
    except MALFORMED:
        return None
    return None if stock.updated_at.tzinfo is None else stock


def claimed_integer(item: Item, name: str) -> int | None:
    """An attribute of an item that can't be read as a whole, where it at least is an integer."""
    text = item.get(name, {}).get("N")
    return int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else None
