"""Where an audit continues, as a text: a table, the last key there, and the cursor of an unfinished proof."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor
from inventory.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inventory.domain.model import Segment
    from inventory.storage.keys import ItemKey

INVENTORY, LEDGER = "inventory", "ledger"

_KEY_BYTES_MAX: Final = {INVENTORY: (2048, 1024), LEDGER: (2048,)}
"""DynamoDB's limits for the parts of a key in each table."""


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """Where to continue: after the key ``start`` of a table. ``proof`` is the cursor of the next item's proof."""

    table: str
    start: ItemKey | None
    proof: str | None = None


def write(position: AuditPosition, segment: Segment) -> str:
    """Write a position for a segment."""
    return cursors.cursor(json.dumps([position.table, position.start, position.proof]), _question(segment))


def read(text: str, segment: Segment) -> AuditPosition:
    """Read what ``write`` wrote for this segment.

    Raises:
        InvalidCursor: it did not write that.
    """
    found = cursors.position(text, _question(segment))
    position = None if found is None else _position(found)
    if position is None:
        raise InvalidCursor(text)
    return position


def _position(text: str) -> AuditPosition | None:
    try:
        table, start, proof = json.loads(text)
        bytes_max = _KEY_BYTES_MAX[table]
        key = None if start is None else _key(start, bytes_max)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None  # a forged text
    # Only the inventory table has proofs.
    is_valid = proof is None or (table == INVENTORY and isinstance(proof, str))
    return AuditPosition(table, key, proof) if is_valid else None


def _key(given: object, bytes_max: Sequence[int]) -> ItemKey:
    """Read a key from JSON.

    Raises:
        AttributeError, TypeError, ValueError: it is no key that DynamoDB accepts.
    """
    if not isinstance(given, list):
        raise TypeError(given)
    for part, most in zip(given, bytes_max, strict=True):
        if not 0 < len(part.encode()) <= most:
            raise ValueError(given)
    return tuple(given)


def _question(segment: Segment) -> dict[str, str]:
    return {"question": "audit", "segment": f"{segment.number} of {segment.total}"}
