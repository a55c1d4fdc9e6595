"""Every key of the three tables, built and read in one place from canonical ids. No text of a caller is part of a key.

An ``ItemKey`` holds the texts of an item's key: the partition key ``pk`` and, in the inventory table, the sort key
``sk``.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from inventory.domain.uuids import uuid_text

if TYPE_CHECKING:
    from uuid import UUID

type ItemKey = tuple[str, ...]

SETTINGS: Final = "SETTINGS"
REVERSAL: Final = "REVERSAL"
REJECTION: Final = "REJECTION"
MESSAGE: Final = "MESSAGE#"
"""How the partition keys of rejected messages begin."""

STOCK: Final = "STOCK#"
"""How the partition keys of stock items begin."""

VARIANTS: Final = "VARIANT#"
LOCATIONS: Final = "LOCATION#"
REASONS: Final = "REASON#"
"""How the sort keys of a business's variants, locations and reasons begin."""

ITEM_EXISTS: Final = "attribute_exists(pk)"

ITEM_ABSENT: Final = "attribute_not_exists(pk)"
"""Conditions of a write on the item under its key."""

BUSINESS_SHARDS: Final = 8
"""Partitions of one business in the ledger's index by business. A single one could take 1,000 rows a second at most."""

_CACHED_MAX: Final = 1_000
"""As many keys of each kind are cached: a request needs each several times, and all rows of a group have the same."""

# ---------------------------------------------------------------------------------- the inventory table: the catalog


@lru_cache(_CACHED_MAX)
def settings_key(business_id: UUID) -> ItemKey:
    """Key of a business's settings."""
    return business(business_id), SETTINGS


@lru_cache(_CACHED_MAX)
def location_key(business_id: UUID, location_id: UUID) -> ItemKey:
    """Key of a location."""
    return business(business_id), location(location_id)


@lru_cache(_CACHED_MAX)
def variant_key(business_id: UUID, variant_id: UUID) -> ItemKey:
    """Key of a variant."""
    return business(business_id), variant(variant_id)


def sku_key(business_id: UUID, sku: str) -> ItemKey:
    """Key of the claim of a SKU, which names its active variant. The SKU is a caller's text, so it is hashed."""
    return business(business_id), f"SKU#{sha256(sku.encode()).hexdigest()}"


def reason_key(business_id: UUID, reason_code: str) -> ItemKey:
    """Key of a reason that a business registered; the code's form leaves no room for a delimiter."""
    return business(business_id), f"{REASONS}{reason_code}"


@lru_cache(_CACHED_MAX)
def business(business_id: UUID) -> str:
    """Partition key of a business's catalog."""
    return f"BUSINESS#{uuid_text(business_id)}"


def location(location_id: UUID) -> str:
    """Sort key of a location."""
    return f"{LOCATIONS}{uuid_text(location_id)}"


def variant(variant_id: UUID) -> str:
    """Sort key of a variant."""
    return f"{VARIANTS}{uuid_text(variant_id)}"


# ---------------------------------------------------------------------- the inventory table: stock items and reversals


@lru_cache(_CACHED_MAX)
def stock_item_key(business_id: UUID, variant_id: UUID, location_id: UUID) -> ItemKey:
    """Key of a stock item."""
    return stock(business_id, variant_id), uuid_text(location_id)


def stock(business_id: UUID, variant_id: UUID) -> str:
    """Partition key of all stock items of a variant."""
    return f"{STOCK}{uuid_text(business_id)}#{uuid_text(variant_id)}"


def stock_shard(business_id: UUID, shard: int) -> str:
    """Partition key of one shard of a business's stock items in their index: the shards of the ledger's index."""
    return ledger_shard(business_id, shard)


def stock_by_business(business_id: UUID, variant_id: UUID) -> str:
    """Partition key of a stock item in that index: the variant picks the shard."""
    return ledger_business(business_id, variant_id)


def location_variant(location_id: UUID, variant_id: UUID) -> str:
    """Sort key of a stock item in that index: the stock items of a location are neighbours."""
    return f"{location_prefix(location_id)}{uuid_text(variant_id)}"


def location_prefix(location_id: UUID) -> str:
    """How the sort keys of a location's stock items begin in that index."""
    return f"{uuid_text(location_id)}#"


def reversal_link_key(business_id: UUID, adjustment_id: UUID) -> ItemKey:
    """Key of the link from a reversed adjustment to its reversal."""
    return reversal(business_id, adjustment_id), REVERSAL


def reversal(business_id: UUID, adjustment_id: UUID) -> str:
    """Partition key of that link."""
    return f"REVERSAL#{uuid_text(business_id)}#{uuid_text(adjustment_id)}"


# ----------------------------------------------------------------------------- the inventory table: rejected messages


def rejection_key(message_digest: str) -> ItemKey:
    """Key of the marker of a rejected message; ``message_digest`` is 64 hexadecimal digits."""
    return f"{MESSAGE}{message_digest}", REJECTION


# ------------------------------------------------------------------------------------------ the ledger and its indexes


def ledger_row_key(business_id: UUID, adjustment_id: UUID) -> ItemKey:
    """Key of a ledger row."""
    return (ledger(business_id, adjustment_id),)


def ledger(business_id: UUID, adjustment_id: UUID) -> str:
    """Partition key of a ledger row. Rows of one stock item are in different partitions, so none of these is hot."""
    return f"{uuid_text(business_id)}#{uuid_text(adjustment_id)}"


@lru_cache(_CACHED_MAX)
def ledger_stock_item(business_id: UUID, variant_id: UUID, location_id: UUID) -> str:
    """Partition key of the index by stock item."""
    return f"{uuid_text(business_id)}#{uuid_text(variant_id)}#{uuid_text(location_id)}"


@lru_cache(_CACHED_MAX)
def ledger_business(business_id: UUID, variant_id: UUID) -> str:
    """Partition key of the index by business: the variant picks the shard."""
    return ledger_shard(business_id, shard_number(variant_id))


def shard_number(variant_id: UUID) -> int:
    """Return a variant's shard of its business in both indexes, 0 to ``BUSINESS_SHARDS`` - 1. It never changes."""
    return sha256(variant_id.bytes).digest()[0] % BUSINESS_SHARDS


def ledger_shard(business_id: UUID, shard: int) -> str:
    """Partition key of one shard of a business in the index by business, 0 to ``BUSINESS_SHARDS`` - 1."""
    return f"{uuid_text(business_id)}#{shard}"


# -------------------------------------------------------------------------------------------------- the access table


def token(token_id: str) -> str:
    """Partition key of an API token, which is its whole key; ``token_id`` is 32 hexadecimal digits."""
    return f"TOKEN#{token_id}"
