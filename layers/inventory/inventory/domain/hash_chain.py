"""The hash chain of a stock item's ledger rows: a row that is altered, removed or inserted breaks it.

A row's hash is SHA-256 over its canonical form: a JSON object of its members and the hash of the row before it, ASCII
only, keys sorted, no white space. Rows are kept for ever, so each has the number of its form, and rows of form 1 keep
the members that they were written with.
"""

from __future__ import annotations

import json
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Final

from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.model import Adjustment

FIRST_FORM: Final = 1
"""The form of rows without counts, groups, SKUs and times of occurrence."""

_NO_PARTS: Final = ("",) * 5

_USUAL: Final = ("adjustment", None, None, None, None, None)
_USUAL_PARTS: Final = (
    ',"counted_at":null,"counted_quantity":null',
    ',"group_id":null,"group_line":null,"group_size":null',
    ',"kind":"adjustment"',
    ',"occurred_at":null',
    ',"sku":null',
)
"""What most rows have of the members that form 2 added, written out before."""


def canonical_members(row: Adjustment) -> dict[str, object]:
    """Return the members of a row's canonical form, in a fixed order."""
    return members_of_form_1(row) | ({} if row.form == FIRST_FORM else members_since_form_2(row))


def members_of_form_1(row: Adjustment) -> dict[str, object]:
    """Return the members that every form has."""
    return {
        "form": row.form,
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
        "reverses": _uuid_or_none(row.reverses),
        "previous_hash": row.previous_hash,
    }


def members_since_form_2(row: Adjustment) -> dict[str, object]:
    """Return the members that form 2 added to those of form 1."""
    return {
        "kind": row.kind,
        "group_id": _uuid_or_none(row.group_id),
        "group_line": row.group_line,
        "group_size": row.group_size,
        "counted_quantity": row.counted_quantity,
        "counted_at": _instant_or_none(row.counted_at),
        "sku": row.sku,
        "occurred_at": _instant_or_none(row.occurred_at),
    }


def _uuid_or_none(value: UUID | None) -> str | None:
    return None if value is None else uuid_text(value)


def _instant_or_none(value: datetime | None) -> str | None:
    return None if value is None else instant_text(value)


def canonical_text(row: Adjustment) -> str:
    """Write a row's canonical form. It is spelled out, as a general encoder takes four times as long."""
    counted, group, kind, occurred_at, sku = _parts_since_form_2(row) if row.form != FIRST_FORM else _NO_PARTS
    return (
        f'{{"business_id":"{uuid_text(row.business_id)}"{counted}'
        f',"created_at":"{instant_text(row.created_at)}"'
        f',"created_by":{_json(row.created_by)}'
        f',"delta":{row.delta}'
        f',"expected_quantity":{_json(row.expected_quantity)}'
        f',"form":{row.form}{group}'
        f',"id":"{uuid_text(row.id)}"{kind}'
        f',"location_defaulted":{"true" if row.location_defaulted else "false"}'
        f',"location_id":"{uuid_text(row.location_id)}"{occurred_at}'
        f',"previous_hash":{_json(row.previous_hash)}'
        f',"quantity_after":{row.quantity_after}'
        f',"reason":{_json(row.reason)}'
        f',"reason_code":{_json(row.reason_code)}'
        f',"reference":{_json(row.reference)}'
        f',"reverses":{_json(_uuid_or_none(row.reverses))}'
        f',"sequence":{row.sequence}{sku}'
        f',"variant_id":"{uuid_text(row.variant_id)}"}}'
    )


def _parts_since_form_2(row: Adjustment) -> tuple[str, ...]:
    """Write the members that form 2 added, each part for its place among those of form 1."""
    if (row.kind, row.group_id, row.counted_quantity, row.counted_at, row.occurred_at, row.sku) == _USUAL:
        return _USUAL_PARTS
    return (
        f',"counted_at":{_json(_instant_or_none(row.counted_at))},"counted_quantity":{_json(row.counted_quantity)}',
        _group_part(row),
        f',"kind":{_json(row.kind)}',
        f',"occurred_at":{_json(_instant_or_none(row.occurred_at))}',
        f',"sku":{_json(row.sku)}',
    )


def _group_part(row: Adjustment) -> str:
    if row.group_id is None:
        return ',"group_id":null,"group_line":null,"group_size":null'
    return f',"group_id":"{uuid_text(row.group_id)}","group_line":{row.group_line},"group_size":{row.group_size}'


def _json(value: str | int | None) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return "null" if value is None else json.dumps(value)


def row_hash(row: Adjustment) -> str:
    """Compute the hash of a row, 64 hexadecimal digits; its own ``hash`` is not part of the input."""
    return sha256(canonical_text(row).encode("ascii")).hexdigest()
