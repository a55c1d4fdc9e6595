"""What callers may ask for: the request models, and how a request that breaks them is told so (HTTP's 422)."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal
from itertools import chain
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
    from collections.abc import Iterable, Iterator, Mapping

IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
REASON_LENGTH_MAX: Final = 500
LABEL_LENGTH_MAX: Final = 255
ENTRIES_SIZE_MAX_BYTES: Final = 2 * 1024 * 1024
"""Of the entries of one answer: a body of a million unknown fields must get one that can be sent, too. Lambda's limit
is 6 MB, of a text in JSON, where quotes and backslashes count twice."""
_ECHO_SIZE_MAX_BYTES: Final = 1024
"""Of what is sent back as it came, in JSON."""
_ESCAPED_LENGTH_MAX: Final = 12
"""Of one character in JSON: an escaped pair of surrogates."""


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


def validated[R: Request](
    model: type[R], value: object, *, place: str = "body", told_max_bytes: int = ENTRIES_SIZE_MAX_BYTES
) -> R:
    """Validate a parsed JSON value, or the members of another ``place``: ``path`` or ``query``.

    Of what is wrong with it as much is told as ``told_max_bytes`` hold, in JSON.

    Raises:
        InvalidRequest: with every field's error, in field order, and then every unknown field.
    """
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidRequest([entry([place], "model_attributes_type", message, given=value)])
    known = _known_fields(model, value)
    unknown = _unknown_fields(value, known, place) if model.model_config["extra"] == "forbid" else iter(())
    try:
        request = parse(known, model)
    except ValidationError as error:
        wrong = chain(_entries(error, [place], whole=value), unknown)
        raise InvalidRequest(_listed(wrong, told_max_bytes)) from None
    if refused := _listed(unknown, told_max_bytes):
        raise InvalidRequest(refused)
    return request


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
        return list(_entries(error, place, whole=text))
    return []


def _known_fields(model: type[Request], value: dict[str, object]) -> dict[str, object]:
    """The fields that a model has: it is not shown others.

    A million of them would fill the memory with errors, of which few can be told, and half a surrogate pair in the name
    of one would hide all other errors.
    """
    if value.keys() <= model.model_fields.keys():
        return value
    return {name: member for name, member in value.items() if name in model.model_fields}


def _unknown_fields(value: dict[str, object], known: dict[str, object], place: str) -> Iterator[ValidationEntry]:
    """Render the others as pydantic does."""
    if len(known) == len(value):
        return
    for name, member in value.items():
        if name not in known:
            yield entry([place, _answerable(name)], "extra_forbidden", "Extra inputs are not permitted", given=member)


def _entries(error: ValidationError, place: list[str | int], *, whole: object) -> Iterator[ValidationEntry]:
    """Render what pydantic found as FastAPI does. Of what is missing, ``whole`` is the input."""
    for each in error.errors(include_url=False):
        yield entry(
            [*place, *each["loc"]],
            each["type"],
            each["msg"],
            given=whole if each["type"] == "missing" else each["input"],
            ctx={name: _answerable_fact(fact) for name, fact in each["ctx"].items()} if "ctx" in each else None,
        )


def _listed(entries: Iterable[ValidationEntry], size_max_bytes: int) -> list[ValidationEntry]:
    """As many entries as fit, one at the least; no more are made."""
    listed: list[ValidationEntry] = []
    size_bytes = 0
    for each in entries:
        size_bytes += len(json.dumps(each))
        if listed and size_bytes > size_max_bytes:
            break
        listed.append(each)
    return listed


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
    """A field's name as it was sent, but cut at 1 KB, and encodable where it holds half a surrogate pair."""
    short = name[:_ECHO_SIZE_MAX_BYTES].encode("utf-8", "replace").decode()
    while (excess := len(json.dumps(short)) - _ECHO_SIZE_MAX_BYTES) > 0:
        short = short[: -max(excess // _ESCAPED_LENGTH_MAX, 1)]
    return short


def _echo(given: object) -> str | None:
    """Write ``given`` as JSON to send it back, where that says the same, can be encoded and is at most 1 KB.

    No more of it is looked at than that: a body of megabytes would be written once for each of its errors.
    """
    if isinstance(given, str) and len(given) > _ECHO_SIZE_MAX_BYTES:
        return None
    written = ""
    try:
        for chunk in _JSON.iterencode(given):
            written += chunk
            if len(written) > _ECHO_SIZE_MAX_BYTES:
                return None
        json.dumps(given, ensure_ascii=False, default=_double).encode()  # half a surrogate pair can't be encoded
    except (TypeError, ValueError):
        return None
    return written


def _double(value: object) -> float:
    """A double that is written as the number that a ``Decimal`` is, where there is one: 5.1, which no double is."""
    if isinstance(value, Decimal) and Decimal(repr(double := float(value))) == value:
        return double
    raise TypeError(value)


_JSON: Final = json.JSONEncoder(allow_nan=False, default=_double)
