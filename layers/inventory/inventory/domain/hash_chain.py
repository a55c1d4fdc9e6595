"""The hash chain of a stock item's ledger rows: a row that is altered, removed or inserted breaks it.

A row's hash is SHA-256 over its canonical form: a JSON object of its members and the hash of the row before it, ASCII
only, keys sorted, no white space. Rows are kept for ever, so a new canonical form needs a new value of ``FORM``.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from inventory.domain.timestamps import instant_text

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment

FORM: Final = 1
"""Version of the canonical form."""

_CANONICAL: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def canonical_members(row: Adjustment) -> dict[str, object]:
    """Return the members of a row's canonical form, in a fixed order. An export has the same members."""
    return {
        "form": FORM,
        "id": str(row.id),
        "business_id": str(row.business_id),
        "variant_id": str(row.variant_id),
        "location_id": str(row.location_id),
        "delta": row.delta,
        "reason": row.reason,
        "reason_code": row.reason_code,
        "reference": row.reference,
        "expected_quantity": row.expected_quantity,
        "location_defaulted": row.location_defaulted,
        "sequence": row.sequence,
        "quantity_after": row.quantity_after,
        "created_at": instant_text(row.created_at),
        "created_by": row.created_by,
        "reverses": None if row.reverses is None else str(row.reverses),
        "previous_hash": row.previous_hash,
    }


def row_hash(row: Adjustment) -> str:
    """Compute the hash of a row, 64 hexadecimal digits; its own ``hash`` is not part of the input."""
    return sha256(_CANONICAL.encode(canonical_members(row)).encode("ascii")).hexdigest()
