"""The domain's values and limits. Standard library only; nothing here knows of AWS, HTTP or a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

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
"""Why stock was adjusted, for reports; the free text beside it is for people."""

QUANTITY_CHANGE_MAX: Final = 1_000_000_000
"""Largest change of one adjustment, in units, in either direction."""

QUANTITY_MAX: Final = 2**53 - 1
"""Largest quantity on hand in either direction: the largest integer that every JSON reader keeps exact."""

GENESIS_HASH: Final = "0" * 64
"""What the first ledger row of a stock item names as the hash of the row before it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One requested adjustment, validated but not yet decided.

    ``location_id`` is None for the business's default location. ``actor`` is who asks, as authenticated at the edge.
    ``idempotency_key`` is None where the caller gave none: then each request is an adjustment of its own.
    ``reverses`` is the adjustment that this one takes back, if it does.
    """

    business_id: UUID
    variant_id: UUID
    quantity_change: int
    reason: str
    actor: str
    location_id: UUID | None = None
    reason_code: ReasonCode | None = None
    reference: str | None = None
    expected_quantity: int | None = None
    idempotency_key: str | None = None
    reverses: UUID | None = None


@dataclass(frozen=True, slots=True)
class Business:
    """A business's settings, as far as a decision needs them."""

    allow_negative_stock: bool
    default_location_id: UUID | None


@dataclass(frozen=True, slots=True)
class StockItem:
    """One variant at one location: quantity on hand in units, and the end of its chain of ledger rows.

    ``sequence`` is the number of its ledger rows; ``head_hash`` is the hash of the last of them.
    """

    quantity: int
    sequence: int
    updated_at: datetime
    head_hash: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One ledger row: a change that was made, never altered afterwards.

    ``created_at`` is UTC with microseconds and later than that of the row before it in the same stock item.
    ``expected_quantity`` and ``location_defaulted`` are kept so that a repeated idempotency key can be compared with
    the whole of the first request. ``previous_hash`` and ``hash`` chain the rows of one stock item (see ``chain``).
    """

    id: UUID
    business_id: UUID
    variant_id: UUID
    location_id: UUID
    delta: int
    reason: str
    reason_code: ReasonCode | None
    reference: str | None
    expected_quantity: int | None
    location_defaulted: bool
    sequence: int
    quantity_after: int
    created_at: datetime
    created_by: str
    reverses: UUID | None
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a decision is made from.

    ``business`` is None for an unknown business; ``location_id`` is the one asked for or the default one, None where
    there is neither; ``stock`` is None while the variant was never adjusted at that location; ``recorded`` are the
    ledger rows that already bear ids of requests, by id; ``reversed_by`` is the adjustment that has already taken back
    what the command is to take back.

    ``remembered``: nothing was read for it, so ``stock`` may have moved, and rows and a reversal may be there unseen.
    It is good for a commit, whose conditions find that out, and never for a refusal. ``transactional``: stock, rows and
    reversal were read in one transaction, so that of whatever changed them all was seen, or nothing.
    """

    business: Business | None
    variant_active: bool
    location_id: UUID | None
    location_active: bool
    stock: StockItem | None
    recorded: Mapping[UUID, Adjustment]
    reversed_by: UUID | None = None
    remembered: bool = False
    transactional: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An adjustment that stands in the ledger. ``replayed``: an earlier request put it there, nothing was written.

    ``attempts`` counts the tries of this request, from 1.
    """

    adjustment: Adjustment
    replayed: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """A request to take one adjustment back. The fields are those of ``model.Command``."""

    business_id: UUID
    adjustment_id: UUID
    reason: str
    actor: str
    idempotency_key: str | None = None


type ExportFormat = Literal["ndjson", "csv"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One of ``total`` parts that every table falls into, counted from 0; together they are the whole."""

    number: int
    total: int
