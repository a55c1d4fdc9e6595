"""The hash chain of a stock item's ledger rows: a row that is altered, removed or inserted breaks it.

A row's hash is SHA-256 over its canonical form: a JSON object of its members and the hash of the row before it, ASCII
only, keys sorted, no white space. Rows are kept for ever, so a new canonical form needs a new value of ``FORM``.
"""

from __future__ import annotations

import json
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Final

from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_text

if TYPE_CHECKING:
    from inventory.domain.model import Adjustment

FORM: Final = 1
"""Version of the canonical form."""


def canonical_members(row: Adjustment) -> dict[str, object]:
    """Return the members of a row's canonical form, in a fixed order. An export has the same members."""
    return {
        "form": FORM,
        "id": uuid_text(row.id),
        "business_id": uuid_text(row.business_id),
        "variant_id": uuid_text(row.variant_id),
        "location_id": uuid_text(row.location_id),
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
        "reverses": None if row.reverses is None else uuid_text(row.reverses),
        "previous_hash": row.previous_hash,
    }


def canonical_text(row: Adjustment) -> str:
    """Write a row's canonical form. It is spelled out, as a general encoder takes four times as long."""
    return (
        f'{{"business_id":"{uuid_text(row.business_id)}"'
        f',"created_at":"{instant_text(row.created_at)}"'
        f',"created_by":{_json(row.created_by)}'
        f',"delta":{row.delta}'
        f',"expected_quantity":{_json(row.expected_quantity)}'
        f',"form":{FORM}'
        f',"id":"{uuid_text(row.id)}"'
        f',"location_defaulted":{"true" if row.location_defaulted else "false"}'
        f',"location_id":"{uuid_text(row.location_id)}"'
        f',"previous_hash":{_json(row.previous_hash)}'
        f',"quantity_after":{row.quantity_after}'
        f',"reason":{_json(row.reason)}'
        f',"reason_code":{_json(row.reason_code)}'
        f',"reference":{_json(row.reference)}'
        f',"reverses":{_json(None if row.reverses is None else uuid_text(row.reverses))}'
        f',"sequence":{row.sequence}'
        f',"variant_id":"{uuid_text(row.variant_id)}"}}'
    )


def _json(value: str | int | None) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return "null" if value is None else json.dumps(value)


def row_hash(row: Adjustment) -> str:
    """Compute the hash of a row, 64 hexadecimal digits; its own ``hash`` is not part of the input."""
    return sha256(canonical_text(row).encode("ascii")).hexdigest()
