"""The requests with lines, and counts: the bodies of batches, transfers and stock counts.

pydantic validates no line: ``validated`` does, one by one, as it validates a body. So a line has the errors of the same
body sent alone, and a batch in mode ``each`` goes on without the lines that are not valid.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple, override
from uuid import UUID

from pydantic import AfterValidator, Field, SkipValidation, ValidationInfo

from inventory.domain.errors import InvalidRequest
from inventory.domain.model import QUANTITY_CHANGE_MAX, QUANTITY_MAX, Command, Group
from inventory.domain.store import OPERATIONS_MAX
from inventory.schemas.adjustments import AdjustmentRequest, VariantFields
from inventory.schemas.base import RequestModel, validated
from inventory.schemas.fields import ExactInteger, Label, Quantity, Reason
from inventory.schemas.instants import UpToInstant
from inventory.schemas.problems import ENTRIES_SIZE_MAX_BYTES, bounded_entries, rule_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inventory.domain.errors import ValidationEntry
    from inventory.schemas.base import Place

    type ChangeRequest = AdjustmentRequest | CountRequest
    """A change of one stock item: a body or a line that says by how much, or to what."""

ATOMIC_OPERATIONS_MAX: Final = OPERATIONS_MAX - 1
"""Lines and distinct stock items of a batch in one transaction. One operation is left for the link of its reversal."""

BATCH_LINES_MAX: Final = 500
TRANSFER_LINES_MAX: Final = 24

LINE_ENTRIES_SIZE_MAX_BYTES: Final = ENTRIES_SIZE_MAX_BYTES // BATCH_LINES_MAX
"""Size of the entries of one line, which always has one. So the answers to 500 lines are one that Lambda can send."""

_TOO_MANY_FOR_ONE_TRANSACTION: Final = (
    f"must be at most {ATOMIC_OPERATIONS_MAX} lines and distinct stock items together, in mode atomic"
)
_COUNT_REASON: Final = "Stock count"
_COUNT_REASON_CODE: Final = "count_variance"
_TRANSFER_REASON_CODE: Final = "transfer"
_ROWS_PER_TRANSFER_LINE: Final = 2


def _another_location(location_id: UUID, info: ValidationInfo) -> UUID:
    if info.data.get("from_location_id") == location_id:
        raise ValueError("must not be from_location_id")
    return location_id


class CountRequest(VariantFields):
    """The body of POST /api/v1/inventory/counts: what was counted, not what should change."""

    counted_quantity: Annotated[ExactInteger, Field(ge=0, le=QUANTITY_MAX, json_schema_extra={"format": "int64"})] = (
        Field(description="The quantity that was counted.")
    )
    counted_at: UpToInstant | None = Field(
        default=None,
        description=(
            "When it was counted, for example a level's `updated_at`: what happened since is kept. Without it, the "
            "quantity on hand becomes what was counted."
        ),
    )
    reason: Reason | None = Field(default=None, description=f"For people. `{_COUNT_REASON}` if absent.")
    location_id: UUID | None = Field(
        default=None, description="Location UUID where it was counted. Uses default location if not specified."
    )
    reason_code: str | None = Field(
        default=None, description=f"The category for reports. `{_COUNT_REASON_CODE}` if absent."
    )
    reference: Label | None = Field(
        default=None, description="The caller's own document, for example the count sheet. Printable characters."
    )
    occurred_at: UpToInstant | None = Field(
        default=None, description="When it happened: at most 366 days ago. It is recorded, and moves no balance."
    )
    expected_quantity: Quantity | None = Field(
        default=None, description="Refuse the count unless this is the quantity on hand before it."
    )

    def command(
        self, *, business_id: UUID, actor: str, idempotency_key: str | None = None, key_line: int = 0
    ) -> Command:
        """Make the domain's command from the request and from what the entry point knows."""
        return Command(
            business_id=business_id,
            variant_id=self.variant_id,
            quantity_change=None,
            reason=self.reason or _COUNT_REASON,
            actor=actor,
            location_id=self.location_id,
            reason_code=_COUNT_REASON_CODE if self.reason_code is None else self.reason_code,
            reference=self.reference,
            expected_quantity=self.expected_quantity,
            idempotency_key=idempotency_key,
            kind="count",
            sku=self.sku,
            occurred_at=self.occurred_at,
            counted_quantity=self.counted_quantity,
            counted_at=self.counted_at,
            key_line=key_line,
        )


class BatchRequest(RequestModel):
    """The body of POST /api/v1/inventory/adjustments/batch."""

    mode: Literal["atomic", "each"] | None = Field(
        default=None,
        description=(
            "`atomic`, also if absent: all lines or none, in one transaction; lines and distinct stock items together "
            f"are at most {ATOMIC_OPERATIONS_MAX}. `each`: every line is settled on its own."
        ),
    )
    lines: list[SkipValidation[AdjustmentRequest | CountRequest]] = Field(
        min_length=1,
        json_schema_extra={"maxItems": BATCH_LINES_MAX},
        description="Adjustments and counts, decided in this order.",
    )

    @override
    @classmethod
    def broken_rules(cls, members: Mapping[str, object], place: Place) -> list[ValidationEntry]:
        """Limit the lines; how many there may be depends on the mode."""
        lines = members.get("lines")
        if not isinstance(lines, list):
            return []
        if members.get("mode") in (None, "atomic") and len(lines) >= ATOMIC_OPERATIONS_MAX:
            return [rule_entry([*place, "lines"], _TOO_MANY_FOR_ONE_TRANSACTION, given=lines)]
        if len(lines) > BATCH_LINES_MAX:
            return [rule_entry([*place, "lines"], f"must be at most {BATCH_LINES_MAX} lines", given=lines)]
        return []


class AtomicBatchRequest(BatchRequest):
    """A batch without HTTP: its sender does not wait for an answer that could name the lines that failed."""

    mode: Literal["atomic"] | None = None


class AtomicLines(NamedTuple):
    """The lines of a batch that is applied whole or not at all."""

    lines: Sequence[ChangeRequest]

    def group(self, *, business_id: UUID, actor: str, idempotency_key: str | None) -> Group:
        """Make the domain's group."""
        return Group(
            tuple(
                line.command(business_id=business_id, actor=actor, idempotency_key=idempotency_key)
                for line in self.lines
            )
        )


class TransferLine(VariantFields):
    """One line of a transfer: how much of a variant is moved."""

    quantity: Annotated[ExactInteger, Field(ge=1, le=QUANTITY_CHANGE_MAX)] = Field(description="How much is moved.")
    expected_quantity: Quantity | None = Field(
        default=None, description="Refuse the transfer unless this is the quantity on hand where it is taken from."
    )


class TransferRequest(RequestModel):
    """The body of POST /api/v1/inventory/transfers."""

    from_location_id: UUID = Field(description="Location UUID that the goods leave.")
    to_location_id: Annotated[UUID, AfterValidator(_another_location)] = Field(
        description="Location UUID that the goods reach; another one."
    )
    reason: Reason = Field(description="Required reason for the transfer.")
    reason_code: str | None = Field(
        default=None, description=f"The category for reports. `{_TRANSFER_REASON_CODE}` if absent."
    )
    reference: Label | None = Field(
        default=None, description="The caller's own document, for example a delivery note. Printable characters."
    )
    occurred_at: UpToInstant | None = Field(
        default=None, description="When it happened: at most 366 days ago. It is recorded, and moves no balance."
    )
    lines: list[SkipValidation[TransferLine]] = Field(
        min_length=1, max_length=TRANSFER_LINES_MAX, description="What is moved; a variant may be named once."
    )


class Transfer(NamedTuple):
    """A transfer and its lines."""

    request: TransferRequest
    lines: Sequence[TransferLine]

    def group(self, *, business_id: UUID, actor: str, idempotency_key: str | None) -> Group:
        """Make the domain's group: of each line the command that takes, and the one that adds."""
        request = self.request
        takes = Command(
            business_id=business_id,
            variant_id=None,
            quantity_change=None,
            reason=request.reason,
            actor=actor,
            location_id=request.from_location_id,
            reason_code=_TRANSFER_REASON_CODE if request.reason_code is None else request.reason_code,
            reference=request.reference,
            idempotency_key=idempotency_key,
            kind="transfer",
            occurred_at=request.occurred_at,
        )
        adds = takes._replace(location_id=request.to_location_id)
        sides = (
            (
                takes._replace(
                    variant_id=line.variant_id,
                    sku=line.sku,
                    quantity_change=-line.quantity,
                    expected_quantity=line.expected_quantity,
                ),
                adds._replace(variant_id=line.variant_id, sku=line.sku, quantity_change=line.quantity),
            )
            for line in self.lines
        )
        return Group(tuple(chain.from_iterable(sides)), rows_per_line=_ROWS_PER_TRANSFER_LINE)


def change_request(value: object, *, line: int | None = None, entries_size_max_bytes: int) -> ChangeRequest:
    """Validate a body or a line that is an adjustment, or a count where it has a ``counted_quantity``.

    Raises:
        InvalidRequest: with the errors of the adjustment or of the count.
    """
    is_count = isinstance(value, dict) and value.get("counted_quantity") is not None
    model: type[ChangeRequest] = CountRequest if is_count else AdjustmentRequest
    foreign = ("quantity_change",) if is_count else ("counted_quantity", "counted_at")
    return validated(model, _without_nulls(value, foreign), line=line, entries_size_max_bytes=entries_size_max_bytes)


def batch_request(value: object) -> AtomicLines | list[ChangeRequest | InvalidRequest]:
    """Validate a batch, and its lines one by one.

    Returns:
        The lines of a batch in mode ``atomic``, all valid; or those in mode ``each``, some of them perhaps not.

    Raises:
        InvalidRequest: the batch is not valid; or its mode is ``atomic``, and a line is not or there are too many. It
            has the errors of the batch and of all lines.
    """
    request, lines = _with_lines(BatchRequest, value, _change_line, ENTRIES_SIZE_MAX_BYTES)
    return lines if request.mode == "each" else _atomic_lines(request, lines, ENTRIES_SIZE_MAX_BYTES)


def atomic_batch_request(value: object, *, entries_size_max_bytes: int) -> AtomicLines:
    """The same for a caller without HTTP, to whom mode ``each`` is not offered."""
    request, lines = _with_lines(AtomicBatchRequest, value, _change_line, entries_size_max_bytes)
    return _atomic_lines(request, lines, entries_size_max_bytes)


def _atomic_lines(
    request: BatchRequest, lines: Sequence[ChangeRequest | InvalidRequest], entries_size_max_bytes: int
) -> AtomicLines:
    return AtomicLines(_require_valid(lines, _too_many_entries(request, lines), entries_size_max_bytes))


def transfer_request(value: object, *, entries_size_max_bytes: int = ENTRIES_SIZE_MAX_BYTES) -> Transfer:
    """Validate a transfer.

    Raises:
        InvalidRequest: with its errors and those of all lines.
    """
    request, lines = _with_lines(TransferRequest, value, _transfer_line, entries_size_max_bytes)
    return Transfer(request, _require_valid(lines, _repeated_entries(lines), entries_size_max_bytes))


def _change_line(value: object, line: int) -> ChangeRequest:
    return change_request(value, line=line, entries_size_max_bytes=LINE_ENTRIES_SIZE_MAX_BYTES)


def _transfer_line(value: object, line: int) -> TransferLine:
    return validated(TransferLine, value, line=line, entries_size_max_bytes=LINE_ENTRIES_SIZE_MAX_BYTES)


def _without_nulls(value: object, names: Iterable[str]) -> object:
    """Leave out fields of another model that are null, so that a client may write each line with the same fields."""
    if not isinstance(value, dict) or not any(name in value and value[name] is None for name in names):
        return value
    return {name: member for name, member in value.items() if member is not None or name not in names}


def _with_lines[R: RequestModel, L](
    model: type[R], value: object, line_of: Callable[[object, int], L], entries_size_max_bytes: int
) -> tuple[R, list[L | InvalidRequest]]:
    """Validate a request and each of its lines.

    Raises:
        InvalidRequest: the request is not valid; with its errors and those of its lines.
    """
    try:
        request = validated(model, value, entries_size_max_bytes=entries_size_max_bytes)
    except InvalidRequest as error:
        _require_valid(_lines_of(value, line_of), error.entries, entries_size_max_bytes)
        raise
    return request, _lines_of(value, line_of)


def _lines_of[L](value: object, line_of: Callable[[object, int], L]) -> list[L | InvalidRequest]:
    """Validate each line; none where ``lines`` is no list, or too long."""

    def line_or_error(line: int, sent: object) -> L | InvalidRequest:
        try:
            return line_of(sent, line)
        except InvalidRequest as error:
            return error

    lines = value.get("lines") if isinstance(value, dict) else None
    if not isinstance(lines, list) or len(lines) > BATCH_LINES_MAX:
        return []
    return [line_or_error(line, sent) for line, sent in enumerate(lines)]


def _require_valid[L](
    lines: Sequence[L | InvalidRequest], others: Iterable[ValidationEntry], entries_size_max_bytes: int
) -> list[L]:
    """Return the lines, which are all valid; ``others`` are the errors beside theirs.

    Raises:
        InvalidRequest: with ``others``, then those of the lines.
    """
    of_lines = (entry for line in lines if isinstance(line, InvalidRequest) for entry in line.entries)
    if entries := bounded_entries(chain(others, of_lines), entries_size_max_bytes):
        raise InvalidRequest(entries)
    return [line for line in lines if not isinstance(line, InvalidRequest)]


def _too_many_entries(request: BatchRequest, lines: Sequence[ChangeRequest | InvalidRequest]) -> list[ValidationEntry]:
    """Make the entry of a batch that is too large for one transaction. Stock items are distinct as they are written."""
    items = {(each.variant_id, each.sku, each.location_id) for each in lines if not isinstance(each, InvalidRequest)}
    if len(lines) + len(items) <= ATOMIC_OPERATIONS_MAX:
        return []
    return [rule_entry(["body", "lines"], _TOO_MANY_FOR_ONE_TRANSACTION, given=request.lines)]


def _repeated_entries(lines: Sequence[TransferLine | InvalidRequest]) -> list[ValidationEntry]:
    """Make the entries of lines whose variant a line before them has named in the same way."""
    entries: list[ValidationEntry] = []
    named: set[UUID | str | None] = set()
    for index, line in enumerate(lines):
        if isinstance(line, InvalidRequest):
            continue
        name = line.variant_id or line.sku
        if name in named:
            field = "sku" if line.variant_id is None else "variant_id"
            entries.append(rule_entry(["body", "lines", index, field], "must not be in two lines", given=str(name)))
        named.add(name)
    return entries
