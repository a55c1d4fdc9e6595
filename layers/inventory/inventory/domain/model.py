"""The values of the domain and their limits. Standard library only: no AWS, no HTTP, no clock."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args
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
"""Why stock was adjusted, as reports count it. The free text beside it is for people. A business can register more."""

BUILT_IN_REASON_CODES: Final[frozenset[str]] = frozenset(get_args(ReasonCode.__value__))

type Direction = Literal["increase", "decrease", "any"]
"""What a registered reason code is good for."""

type Kind = Literal["adjustment", "count", "transfer", "reversal"]
"""What a ledger row is: a change, a stock count, one side of a transfer, or what takes another row back."""

FORM: Final = 2
"""Version of the canonical form of new ledger rows. Rows of form 1 stay as they are for ever."""

QUANTITY_CHANGE_MAX: Final = 1_000_000_000
"""Largest change of one adjustment, in units, in either direction."""

QUANTITY_MAX: Final = 2**53 - 1
"""Largest quantity on hand in either direction: the largest integer that every JSON reader keeps exact."""

GENESIS_HASH: Final = "0" * 64
"""The ``previous_hash`` of the first ledger row of a stock item."""


class Command(NamedTuple):
    """One requested change of one stock item, validated but not yet decided: a request of its own or a line of a group.

    Attributes:
        variant_id: None where ``sku`` names the variant.
        quantity_change: in units; None for a count, whose change is decided.
        actor: the authenticated caller.
        location_id: None for the business's default location.
        idempotency_key: None where the caller gave none: then each request is an adjustment of its own.
        reverses: the id of the adjustment that this one reverses, if any.
        occurred_at: when it happened in the real world.
        counted_quantity: what was counted, in units; set for a count only.
        counted_at: when it was counted; None for "now".
        key_line: which of the requests under one idempotency key this is, from 0.
        message_digest: of the message that asks for it, if an earlier delivery of that may have been rejected. It is
            applied only if none was. The lines of a group all have the same.
    """

    business_id: UUID
    variant_id: UUID | None
    quantity_change: int | None
    reason: str
    actor: str
    location_id: UUID | None = None
    reason_code: str | None = None
    reference: str | None = None
    expected_quantity: int | None = None
    idempotency_key: str | None = None
    reverses: UUID | None = None
    kind: Kind = "adjustment"
    sku: str | None = None
    occurred_at: datetime | None = None
    counted_quantity: int | None = None
    counted_at: datetime | None = None
    key_line: int = 0
    message_digest: str | None = None


class Group(NamedTuple):
    """Changes that are applied together or not at all: a batch, a transfer or the reversal of a group.

    Attributes:
        lines: at least one, all of one business, actor and idempotency key.
        rows_per_line: how many of ``lines`` belong to one line of the caller's request.
        reverses: the id of the group that this one reverses, if any.
        left_out: those lines of the reversed group that this one does not reverse.
    """

    lines: tuple[Command, ...]
    rows_per_line: int = 1
    reverses: UUID | None = None
    left_out: tuple[int, ...] = ()


class Business(NamedTuple):
    """The settings of a business that a decision needs."""

    allow_negative_stock: bool
    default_location_id: UUID | None


class StockItemId(NamedTuple):
    """Which stock item: one variant at one location of a business."""

    business_id: UUID
    variant_id: UUID
    location_id: UUID


class StockItem(NamedTuple):
    """One variant at one location: its quantity on hand in units, and the end of its hash chain.

    Attributes:
        quantity: in units.
        sequence: the number of its ledger rows.
        updated_at: ``created_at`` of the last row.
        head_hash: the hash of the last row.
        counted_at: when it was last counted; None if never. It is the count's ``created_at`` if that named no instant.
        counted_through: ``created_at`` of the row of the last count; None if there is none.
    """

    quantity: int
    sequence: int
    updated_at: datetime
    head_hash: str
    counted_at: datetime | None = None
    counted_through: datetime | None = None


class Adjustment(NamedTuple):
    """One ledger row: a change that was made. It never changes afterwards.

    ``created_at`` is UTC with microseconds, and later than in the row before it of the same stock item.
    ``expected_quantity`` and ``location_defaulted`` are there so that a repeated idempotency key can be compared with
    the whole first request. ``previous_hash`` and ``hash`` chain the rows of one stock item (see ``hash_chain``).

    ``group_id`` is the id of the group's first row, ``group_line`` counts its rows from 0; both are None for a row that
    was requested on its own. ``sku`` is the SKU by which the variant was asked for.
    """

    id: UUID
    business_id: UUID
    variant_id: UUID
    location_id: UUID
    delta: int
    reason: str
    reason_code: str | None
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
    kind: Kind = "adjustment"
    group_id: UUID | None = None
    group_line: int | None = None
    group_size: int | None = None
    counted_quantity: int | None = None
    counted_at: datetime | None = None
    sku: str | None = None
    occurred_at: datetime | None = None
    form: int = FORM

    @property
    def stock_item_id(self) -> StockItemId:
        """The stock item that the row belongs to."""
        return StockItemId(self.business_id, self.variant_id, self.location_id)


class ReversalLink(NamedTuple):
    """Records that a row or a group was reversed, under its id, so that it is reversed once.

    ``reversal_id`` is the id of the reversal, or of its first row; ``left_out`` are the lines of a reversed group that
    the reversal does not take back, as their delta is 0.
    """

    reversed_id: UUID
    reversal_id: UUID
    left_out: tuple[int, ...] = ()


class Rejection(NamedTuple):
    """Why a message was rejected, in the words of the event that reports it; ``detail`` can be written as JSON."""

    error_type: str
    detail: object


class Snapshot(NamedTuple):
    """What decisions are made from.

    Attributes:
        business: None for an unknown business.
        variants: the active variants, by the SKU or the id that a command names them by.
        locations: the active locations.
        reasons: the business's own reason codes that are in use.
        stock: the stock items. One that is not here was never adjusted.
        recorded: the ledger rows that already have the ids of requests, by id.
        reversed_by: the id of the reversal of what the request wants to reverse, if it was reversed already.
        cached: nothing was read. So ``stock`` may be old, and rows and a reversal may exist that are not here. A commit
            may rest on it, as its conditions find that out; a refusal may not.
        transactional: stock, rows and reversal were read in one transaction: of each commit, they show all or nothing.
        past_levels: quantities on hand at instants before the last row of a stock item, which a count needs.
        rejected: rejections of messages, by the messages' digests, as far as a commit met them.
    """

    business: Business | None
    variants: Mapping[UUID | str, UUID]
    locations: AbstractSet[UUID]
    reasons: Mapping[str, Direction]
    stock: Mapping[StockItemId, StockItem]
    recorded: Mapping[UUID, Adjustment]
    reversed_by: UUID | None = None
    cached: bool = False
    transactional: bool = False
    past_levels: Mapping[tuple[StockItemId, datetime], int] = {}
    rejected: Mapping[str, Rejection] = {}


class Outcome(NamedTuple):
    """An adjustment that is in the ledger. ``replayed``: an earlier request wrote it, and this one wrote nothing.

    ``attempts`` counts the attempts of this request, from 1.
    """

    adjustment: Adjustment
    replayed: bool
    attempts: int


class GroupOutcome(NamedTuple):
    """A group that is in the ledger: its rows in the order of its lines. The rest is as in ``Outcome``."""

    adjustments: tuple[Adjustment, ...]
    replayed: bool
    attempts: int

    @property
    def group_id(self) -> UUID:
        """The id of the group, which is that of its first row."""
        return self.adjustments[0].id


class Reversal(NamedTuple):
    """A request to reverse one adjustment. The fields mean the same as in ``Command``."""

    business_id: UUID
    adjustment_id: UUID
    reason: str
    actor: str
    idempotency_key: str | None = None


class GroupReversal(NamedTuple):
    """A request to reverse a whole group. The fields mean the same as in ``Command``."""

    business_id: UUID
    group_id: UUID
    reason: str
    actor: str
    idempotency_key: str | None = None


type ExportFormat = Literal["ndjson", "csv"]


class Segment(NamedTuple):
    """One of the ``total`` parts of a table that are scanned separately; ``number`` counts from 0."""

    number: int
    total: int
