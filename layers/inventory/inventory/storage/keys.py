"""Every key of the three tables, built in one place from canonical ids: no caller's text ever becomes part of one."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

SETTINGS: Final = "SETTINGS"

REVERSAL: Final = "REVERSAL"

ITEM_EXISTS: Final = "attribute_exists(pk)"

ITEM_ABSENT: Final = "attribute_not_exists(pk)"
"""Conditions of a write on the item under its key."""

BUSINESS_SHARDS: Final = 8
"""Partitions of one business in the ledger's index by business: one alone would cap it at 1,000 rows a second."""

_REMEMBERED_MAX: Final = 1_000
"""Stock items whose keys in the ledger's indexes are remembered: every row of a group bears the same."""


def business(business_id: UUID) -> str:
    """Partition key of a business's catalog in the inventory table."""
    return f"BUSINESS#{business_id}"


def location(location_id: UUID) -> str:
    """Sort key of a location in its business's catalog."""
    return f"LOCATION#{location_id}"


def variant(variant_id: UUID) -> str:
    """Sort key of a variant in its business's catalog."""
    return f"VARIANT#{variant_id}"


def stock(business_id: UUID, variant_id: UUID) -> str:
    """Partition key of a variant's stock items; the sort key is the location's id."""
    return f"STOCK#{business_id}#{variant_id}"


def reversal(business_id: UUID, adjustment_id: UUID) -> str:
    """Partition key of the link from a reversed adjustment to its reversal; the sort key is ``REVERSAL``."""
    return f"REVERSAL#{business_id}#{adjustment_id}"


def ledger(business_id: UUID, adjustment_id: UUID) -> str:
    """Partition key of one ledger row. It shares nothing with a stock item's, so a hot item does not halve."""
    return f"{business_id}#{adjustment_id}"


@lru_cache(_REMEMBERED_MAX)
def ledger_stock_item(business_id: UUID, variant_id: UUID, location_id: UUID) -> str:
    """Partition key of the ledger's index by stock item."""
    return f"{business_id}#{variant_id}#{location_id}"


@lru_cache(_REMEMBERED_MAX)
def ledger_business(business_id: UUID, variant_id: UUID) -> str:
    """Partition key of the ledger's index by business: the variant picks the shard."""
    return ledger_shard(business_id, sha256(variant_id.bytes).digest()[0] % BUSINESS_SHARDS)


def ledger_shard(business_id: UUID, shard: int) -> str:
    """Partition key of one shard of a business in that index, 0 to ``BUSINESS_SHARDS`` - 1."""
    return f"{business_id}#{shard}"


def token(token_id: str) -> str:
    """Partition key of an API token in the access table; ``token_id`` is 32 hexadecimal digits."""
    return f"TOKEN#{token_id}"
