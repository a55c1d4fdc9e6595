"""The values of the domain and their limits. Standard library only: no AWS, no HTTP, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
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
"""Why stock was adjusted, as reports count it. The free text beside it is for people."""

QUANTITY_CHANGE_MAX: Final = 1_000_000_000
"""Largest change of one adjustment, in units, in either direction."""

QUANTITY_MAX: Final = 2**53 - 1
"""Largest quantity on hand in either direction: the largest integer that every JSON reader keeps exact."""

GENESIS_HASH: Final = "0" * 64
"""The ``previous_hash`` of the first ledger row of a stock item."""


@dataclass(frozen=True, slots=True)
class Command:
    """One requested adjustment, validated but not yet decided.

    ``location_id`` is None for the business's default location. ``actor`` is the authenticated caller.
    ``idempotency_key`` is None where the caller gave none: then each request is an adjustment of its own.
    ``reverses`` is the id of the adjustment that this one reverses, if any.
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
    """The settings of a business that a decision needs."""

    allow_negative_stock: bool
    default_location_id: UUID | None


class StockItemId(NamedTuple):
    """Which stock item: one variant at one location of a business."""

    business_id: UUID
    variant_id: UUID
    location_id: UUID


@dataclass(frozen=True, slots=True)
class StockItem:
    """One variant at one location: its quantity on hand in units, and the end of its hash chain.

    ``sequence`` is the number of its ledger rows; ``head_hash`` is the hash of the last one.
    """

    quantity: int
    sequence: int
    updated_at: datetime
    head_hash: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One ledger row: a change that was made. It never changes afterwards.

    ``created_at`` is UTC with microseconds, and later than in the row before it of the same stock item.
    ``expected_quantity`` and ``location_defaulted`` are there so that a repeated idempotency key can be compared with
    the whole first request. ``previous_hash`` and ``hash`` chain the rows of one stock item (see ``hash_chain``).
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

    Attributes:
        business: None for an unknown business.
        variant_active: whether the variant exists and is in use.
        location_id: the location of the command or the default one; None where there is neither.
        location_active: whether the location exists and is in use.
        stock: None while the variant was never adjusted at that location.
        recorded: the ledger rows that already have the ids of requests, by id.
        reversed_by: the adjustment that already reversed the one that the command wants to reverse.
        cached: nothing was read. So ``stock`` may be old, and rows and a reversal may exist that are not here. A commit
            may rest on it, as its conditions find that out; a refusal may not.
        transactional: stock, rows and reversal were read in one transaction: of each commit, they show all or nothing.
    """

    business: Business | None
    variant_active: bool
    location_id: UUID | None
    location_active: bool
    stock: StockItem | None
    recorded: Mapping[UUID, Adjustment]
    reversed_by: UUID | None = None
    cached: bool = False
    transactional: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An adjustment that is in the ledger. ``replayed``: an earlier request wrote it, and this one wrote nothing.

    ``attempts`` counts the attempts of this request, from 1.
    """

    adjustment: Adjustment
    replayed: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """A request to reverse one adjustment. The fields mean the same as in ``Command``."""

    business_id: UUID
    adjustment_id: UUID
    reason: str
    actor: str
    idempotency_key: str | None = None


type ExportFormat = Literal["ndjson", "csv"]


class Segment(NamedTuple):
    """One of the ``total`` parts of a table that are scanned separately; ``number`` counts from 0."""

    number: int
    total: int
