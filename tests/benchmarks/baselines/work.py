"""What every baseline does, whatever its framework: the one transaction and the answer, from validated values.

Standard library only, and as plain as a good engineer would write it for one function. It is what our own service does
for a fresh request whose stock item this environment knows: same checks, same parts, same answer, no second call. What
surrounds that in our service (unknown stock, replays, reversals, refusals read again, retries) is left out, in
the baselines' favour; so are SKUs, times of occurrence and a business's own reason codes.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal, get_args
from uuid import UUID, uuid4

type ReasonCode = Literal[
    "shrinkage",
    "damage",
    "expired",
    "count_variance",
    "theft",
    "transfer",
    "return",
    "receipt_correction",
    "found",
    "other",
]

ADJUSTMENTS_PATH: Final = "/api/v1/inventory/adjustments"
INVENTORY_TABLE: Final = "inventory-table"
LEDGER_TABLE: Final = "ledger-table"
IDEMPOTENCY_TABLE: Final = "idempotency-table"
REASON_CODES: Final = get_args(ReasonCode.__value__)
SHARDS: Final = 8
TICK: Final = timedelta(microseconds=1)

BIDIRECTIONAL: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
INVISIBLE: Final = frozenset({"Mn", "Mc", "Me", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})


def is_visible(character: str) -> bool:
    return character not in BLANKS and unicodedata.category(character) not in INVISIBLE


OF_OTHER_KINDS: Final = (
    "group_id",
    "group_line",
    "group_size",
    "counted_quantity",
    "counted_at",
    "sku",
    "occurred_at",
)
"""Members of a row that only counts, groups, SKUs and times of occurrence have."""

type Row = dict[str, str | int | bool]


@dataclass
class Stock:
    """A stock item as this environment last wrote it."""

    quantity: int
    sequence: int
    updated_at: datetime
    head_hash: str


@dataclass
class Known:
    """The environment's cached state; the runner fills it in, because no baseline reads."""

    inventory_table: str = INVENTORY_TABLE
    ledger_table: str = LEDGER_TABLE
    default_location: dict[str, str] = field(default_factory=dict)
    active: set[tuple[str, str]] = field(default_factory=set)
    stock: dict[tuple[str, str, str], Stock] = field(default_factory=dict)


@dataclass
class Request:
    """A valid request; identifiers in their canonical spelling."""

    business_id: str
    subject: str
    idempotency_key: str | None
    variant_id: str
    quantity_change: int
    reason: str
    location_id: str | None
    reason_code: str | None
    reference: str | None
    expected_quantity: int | None


class Refused(Exception):
    """The request is not carried out."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


known = Known()


def now() -> datetime:
    return datetime.now(UTC)


def caller(event: dict[str, Any]) -> tuple[str, str]:
    """The business and the subject that the authorizer let through."""
    context = event["requestContext"].get("authorizer") or {}
    business_id: str = context.get("business_id", "")
    named = event["headers"].get("x-business-id", "")
    if not business_id or named.lower() != business_id or "adjustments:write" not in context["scopes"].split():
        raise Refused(403, "forbidden")
    return business_id, context["subject"]


def new_row(request: Request) -> tuple[Row, Stock]:
    """Decide: the ledger row, and the stock item that it was decided from."""
    business_id, variant_id = request.business_id, request.variant_id
    default_location_id = known.default_location.get(business_id)
    location_id = request.location_id or default_location_id
    if (business_id, variant_id) not in known.active:
        raise Refused(404, "variant_not_found")
    if location_id is None or (business_id, location_id) not in known.active:
        raise Refused(404, "location_not_found")
    stock = known.stock[business_id, variant_id, location_id]
    quantity_after = stock.quantity + request.quantity_change
    if request.expected_quantity is not None and request.expected_quantity != stock.quantity:
        raise Refused(409, "stale_quantity")
    if quantity_after < 0:
        raise Refused(409, "insufficient_stock")

    row_id = adjustment_id(business_id, request.idempotency_key)
    created_at = instant_text(max(now(), stock.updated_at + TICK))
    hashed: dict[str, str | int | None] = {
        "form": 2,
        "id": row_id,
        "business_id": business_id,
        "variant_id": variant_id,
        "location_id": location_id,
        "delta": request.quantity_change,
        "reason": request.reason,
        "reason_code": request.reason_code,
        "reference": request.reference,
        "expected_quantity": request.expected_quantity,
        "location_defaulted": request.location_id is None,
        "sequence": stock.sequence + 1,
        "quantity_after": quantity_after,
        "created_at": created_at,
        "created_by": request.subject,
        "reverses": None,
        "previous_hash": stock.head_hash,
        **dict.fromkeys(OF_OTHER_KINDS),
        "kind": "adjustment",
    }
    row: Row = {
        "pk": f"{business_id}#{row_id}",
        "stock_item": f"{business_id}#{variant_id}#{location_id}",
        "business_shard": business_shard(business_id, variant_id),
        "created_at_id": f"{created_at}#{row_id}",
        **{name: value for name, value in hashed.items() if value is not None and name != "kind"},
        "hash": sha256(json.dumps(hashed, separators=(",", ":"), sort_keys=True).encode()).hexdigest(),
    }
    return row, stock


def parts(row: Row, stock: Stock) -> list[dict[str, Any]]:
    """The transaction, as Python values: the stock item if it is still what was seen, the row if it is not there."""
    values = {
        ":quantity": row["quantity_after"],
        ":sequence": row["sequence"],
        ":updated_at": row["created_at"],
        ":head_hash": row["hash"],
    }
    expression = "SET quantity = :quantity, #sequence = :sequence, updated_at = :updated_at, head_hash = :head_hash"
    if not stock.sequence:
        expression += ", business_shard = :business_shard, location_variant = :location_variant"
        values[":business_shard"] = row["business_shard"]
        values[":location_variant"] = f"{row['location_id']}#{row['variant_id']}"
    if stock.sequence:
        values[":seen"] = stock.sequence
        values[":seen_quantity"] = stock.quantity
        values[":seen_hash"] = stock.head_hash
    return [
        {
            "Update": {
                "TableName": known.inventory_table,
                "Key": {"pk": f"STOCK#{row['business_id']}#{row['variant_id']}", "sk": row["location_id"]},
                "UpdateExpression": expression,
                "ConditionExpression": "#sequence = :seen AND quantity = :seen_quantity AND head_hash = :seen_hash"
                if stock.sequence
                else "attribute_not_exists(pk)",
                "ExpressionAttributeNames": {"#sequence": "sequence"},
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "Put": {
                "TableName": known.ledger_table,
                "Item": row,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
    ]


def typed_parts(row: Row, stock: Stock) -> list[dict[str, Any]]:
    """The same as the low-level client wants it: each value with its type."""
    update, put = parts(row, stock)
    update["Update"]["Key"] = _typed(update["Update"]["Key"])
    update["Update"]["ExpressionAttributeValues"] = _typed(update["Update"]["ExpressionAttributeValues"])
    put["Put"]["Item"] = _typed(put["Put"]["Item"])
    return [update, put]


def remember(row: Row) -> None:
    """Keep the stock item as the committed row left it."""
    known.stock[str(row["business_id"]), str(row["variant_id"]), str(row["location_id"])] = Stock(
        quantity=int(row["quantity_after"]),
        sequence=int(row["sequence"]),
        updated_at=datetime.fromisoformat(str(row["created_at"])),
        head_hash=str(row["hash"]),
    )


def answer(row: Row) -> dict[str, object]:
    """The body of the 201."""
    return {
        "id": row["id"],
        "business_id": row["business_id"],
        "variant_id": row["variant_id"],
        "delta": row["delta"],
        "correction_reason": row["reason"],
        "location_id": row["location_id"],
        "created_at": row["created_at"],
        "quantity_after": row["quantity_after"],
        "sequence": row["sequence"],
        "reason_code": row.get("reason_code"),
        "reference": row.get("reference"),
        "created_by": row["created_by"],
        "reverses": None,
        "kind": "adjustment",
        **dict.fromkeys(OF_OTHER_KINDS),
    }


def location(members: dict[str, object]) -> str:
    """The URL of an adjustment that was answered, relative to that of its creation."""
    return f"adjustments/{members['id']}"


def adjustment_id(business_id: str, key: str | None) -> str:
    """The id of a key (RFC 9562, version 8), or a random one."""
    if key is None:
        return str(uuid4())
    digest = bytearray(sha256(UUID(business_id).bytes + key.encode("ascii")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(digest)))


def business_shard(business_id: str, variant_id: str) -> str:
    shard = sha256(UUID(variant_id).bytes).digest()[0] % SHARDS
    return f"{business_id}#{shard}"


def instant_text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _typed(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _typed_value(value) for name, value in values.items()}


def _typed_value(value: str | int | bool) -> dict[str, Any]:  # noqa: FBT001  a value as any other
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
