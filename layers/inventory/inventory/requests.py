"""What callers may ask for: the request models, and how a request that breaks them is told so (HTTP's 422)."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, NotRequired, TypedDict
from uuid import UUID

from aws_lambda_powertools.utilities.parser import parse
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from inventory.errors import ServiceError
from inventory.model import QUANTITY_CHANGE_MAX, QUANTITY_MAX, Command, ReasonCode
from inventory.textschema import CONTROL_BUT_TAB_AND_LINE_ENDS, printable_text, trimmed_text, visible_ascii

if TYPE_CHECKING:
    from collections.abc import Mapping

IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
REASON_LENGTH_MAX: Final = 500
LABEL_LENGTH_MAX: Final = 255
ENTRIES_MAX: Final = 100
"""Entries of one 422 answer: a body of a million unknown fields must still get an answer that can be sent."""
_INPUT_SIZE_MAX_BYTES: Final = 1024
_NAME_LENGTH_MAX: Final = 255


class ValidationEntry(TypedDict):
    """One member of ``detail`` in FastAPI's ``HTTPValidationError``."""

    type: str
    loc: list[str | int]
    msg: str
    input: NotRequired[object]
    ctx: NotRequired[dict[str, object]]


class InvalidRequest(ServiceError):
    """The request breaks its model; ``entries`` says where and how, in field order."""

    message = "The request is not valid."

    def __init__(self, entries: list[ValidationEntry]) -> None:
        super().__init__(entries)
        self.entries = entries


def _exact_integer(value: object) -> object:
    """Take a number that is exactly an integer, such as 5.0 or 1e3, for that integer.

    It is a ``Decimal`` from our own parser, and a double in a direct payload, which the runtime has parsed.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be zero")
    return value


def _no_control_characters(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" and character not in "\t\n\r" for character in value):
        raise ValueError("must not contain control characters")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must contain printable characters only")
    return value


def _visible_ascii(value: str) -> str:
    if not all("!" <= character <= "~" for character in value):
        raise ValueError("must contain visible ASCII characters only")
    return value


type ExactInteger = Annotated[int, BeforeValidator(_exact_integer), Field(strict=True)]
type QuantityChange = Annotated[
    ExactInteger,
    Field(ge=-QUANTITY_CHANGE_MAX, le=QUANTITY_CHANGE_MAX, json_schema_extra={"not": {"const": 0}}),
    AfterValidator(_not_zero),
]
type Quantity = Annotated[ExactInteger, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX, json_schema_extra={"format": "int64"})]
type Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_LENGTH_MAX),
    AfterValidator(_no_control_characters),
    WithJsonSchema(trimmed_text(REASON_LENGTH_MAX, without=CONTROL_BUT_TAB_AND_LINE_ENDS)),
]
type Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_LENGTH_MAX),
    AfterValidator(_printable),
    WithJsonSchema(printable_text(LABEL_LENGTH_MAX)),
]
"""1 to 255 printable characters after trimming: a reference, a name, a subject."""
type IdempotencyKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=IDEMPOTENCY_KEY_LENGTH_MAX),
    AfterValidator(_visible_ascii),
    WithJsonSchema(visible_ascii(IDEMPOTENCY_KEY_LENGTH_MAX)),
]


_IDEMPOTENCY_KEY: Final[TypeAdapter[str]] = TypeAdapter(IdempotencyKey)
_ADJUSTMENT_ID: Final[TypeAdapter[UUID]] = TypeAdapter(UUID)


class Request(BaseModel):
    """What every request has in common: no unknown field (a misspelt one must not pass in silence), no change later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AdjustmentRequest(Request):
    """The body of POST /api/v1/inventory/adjustments. Quantities are in units of the variant."""

    variant_id: UUID = Field(description="Product variant UUID to adjust.")
    quantity_change: QuantityChange = Field(
        description="Quantity change: positive to add, negative to subtract. Cannot be zero."
    )
    reason: Reason = Field(description="Required reason for the adjustment.")
    location_id: UUID | None = Field(
        default=None, description="Location UUID where adjustment applies. Uses default location if not specified."
    )
    reason_code: ReasonCode | None = Field(default=None, description="Why, for reports; the reason is for people.")
    reference: Label | None = Field(
        default=None, description="The caller's own document: a count sheet, a ticket, a URI. Printable characters."
    )
    expected_quantity: Quantity | None = Field(
        default=None, description="Refuse the change unless this is the quantity on hand before it."
    )

    def command(self, *, business_id: UUID, actor: str, idempotency_key: str | None) -> Command:
        """Translate the request into the domain's terms, with what the entry point knows beside it."""
        return Command(
            business_id=business_id,
            variant_id=self.variant_id,
            quantity_change=self.quantity_change,
            reason=self.reason,
            actor=actor,
            location_id=self.location_id,
            reason_code=self.reason_code,
            reference=self.reference,
            expected_quantity=self.expected_quantity,
            idempotency_key=idempotency_key,
        )


class ReversalRequest(Request):
    """The body of POST /api/v1/inventory/adjustments/{id}/reversal: all else follows from the adjustment."""

    reason: Reason


class _OfBusiness(Request):
    business_id: UUID


# The fields of the base that is named last come first, in the model and so in its errors.
class DirectAdjustmentRequest(AdjustmentRequest, _OfBusiness):
    """The payload of a direct invocation: it also says for which business, on whose behalf and under which key."""

    idempotency_key: IdempotencyKey | None = None
    actor: Label | None = None


def validated[R: Request](model: type[R], value: object, *, place: str = "body") -> R:
    """Validate a parsed JSON value, or the members of another ``place``: ``path`` or ``query``.

    Raises:
        InvalidRequest: with every field's error, in field order.
    """
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidRequest([entry([place], "model_attributes_type", message, given=value)])
    try:
        return parse(_listable(model, value), model)
    except ValidationError as error:
        raise InvalidRequest(_entries(error, [place])) from None


def not_handed_out(loc: list[str | int], given: str) -> InvalidRequest:
    """The refusal of a cursor, or another place to go on from, that no earlier answer to this question named."""
    fact = "must be one that an earlier answer to the same question handed out"
    return InvalidRequest([entry(loc, "value_error", f"Value error, {fact}", given=given, ctx={"error": fact})])


def problems(model: type[Request], value: object, *, place: str) -> list[ValidationEntry]:
    """What is wrong with a value; nothing where it is valid."""
    try:
        validated(model, value, place=place)
    except InvalidRequest as error:
        return error.entries
    return []


def idempotency_key_entries(key: str) -> list[ValidationEntry]:
    """What is wrong with an ``Idempotency-Key`` header; nothing where it is good."""
    return _entries_of(_IDEMPOTENCY_KEY, key, ["header", "idempotency-key"])


def adjustment_id_entries(text: str) -> list[ValidationEntry]:
    """What is wrong with the ``{id}`` of a path; nothing where it is a UUID, in any spelling that a body may have."""
    return _entries_of(_ADJUSTMENT_ID, text, ["path", "id"])


def _entries_of(
    adapter: TypeAdapter[str] | TypeAdapter[UUID], text: str, place: list[str | int]
) -> list[ValidationEntry]:
    """What is wrong with a value outside of the body."""
    try:
        adapter.validate_python(text)
    except ValidationError as error:
        return _entries(error, place)
    return []


def _listable(model: type[Request], value: dict[str, object]) -> dict[str, object]:
    """Give unknown fields names that can be answered, and drop those that could not be listed anyway.

    A million of them would fill the memory with errors; half a surrogate pair in one would hide all other errors.
    """
    if value.keys() <= model.model_fields.keys():
        return value
    known = {name: member for name, member in value.items() if name in model.model_fields}
    unknown = ((_answerable(name), member) for name, member in value.items() if name not in model.model_fields)
    return known | dict(islice(unknown, ENTRIES_MAX))


def _entries(error: ValidationError, place: list[str | int]) -> list[ValidationEntry]:
    """Render what pydantic found as FastAPI does; at most ``ENTRIES_MAX`` entries."""
    found = error.errors(include_url=False)[:ENTRIES_MAX]
    return [
        entry(
            [*place, *each["loc"]],
            each["type"],
            each["msg"],
            given=each["input"],
            ctx={name: _answerable_fact(fact) for name, fact in each["ctx"].items()} if "ctx" in each else None,
        )
        for each in found
    ]


def entry(
    loc: list[str | int], kind: str, message: str, *, given: object, ctx: Mapping[str, object] | None = None
) -> ValidationEntry:
    """Make one entry; ``given``, what was sent there, is left out where it is over 1 KB or cannot be encoded."""
    made = ValidationEntry(type=kind, loc=loc, msg=message)
    if (echo := _echo(given)) is not None:
        made["input"] = json.loads(echo)
    if ctx is not None:
        made["ctx"] = dict(ctx)
    return made


def _answerable_fact(fact: object) -> object:
    """A bound or an expectation as it is, and an exception by its text: JSON has no exceptions."""
    return fact if isinstance(fact, int | str) else str(fact)


def _answerable(name: str) -> str:
    """A field's name as it was sent, but short, and encodable where it holds half a surrogate pair."""
    return name[:_NAME_LENGTH_MAX].encode("utf-8", "replace").decode()


def _echo(given: object) -> str | None:
    """Write ``given`` as JSON to send it back, where that is exact, encodable and at most 1 KB.

    No more of it is looked at than that: a body of megabytes would be written once for each of its errors.
    """
    if isinstance(given, str) and len(given) > _INPUT_SIZE_MAX_BYTES:
        return None
    written = ""
    try:
        for chunk in _JSON.iterencode(given):
            written += chunk
            if len(written) > _INPUT_SIZE_MAX_BYTES:
                return None
        json.dumps(given, ensure_ascii=False, default=_double).encode()  # half a surrogate pair can't be encoded
    except (TypeError, ValueError):
        return None
    return written


def _double(value: object) -> float:
    """The double that a ``Decimal`` is, where it is one exactly."""
    if isinstance(value, Decimal) and Decimal(float(value)) == value:
        return float(value)
    raise TypeError(value)


_JSON: Final = json.JSONEncoder(allow_nan=False, default=_double)
