"""The types of request fields that several models share, and the checks of values in headers and paths."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, WithJsonSchema

from inventory.domain.model import QUANTITY_CHANGE_MAX, QUANTITY_MAX
from inventory.schemas.base import value_entries
from inventory.schemas.json_schema import text_of_length, visible_ascii

if TYPE_CHECKING:
    from inventory.domain.errors import ValidationEntry

IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
REASON_LENGTH_MAX: Final = 500
LABEL_LENGTH_MAX: Final = 255


def _exact_integer(value: object) -> object:
    """Convert a number that is exactly an integer, such as 5.0 or 1e3.

    Our own parser gives a ``Decimal``; in a direct payload, which Lambda's runtime parses, it is a double.
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
    if not value.isprintable() and any(
        unicodedata.category(character) == "Cc" and character not in "\t\n\r" for character in value
    ):
        raise ValueError("must not contain control characters")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must contain printable characters only")
    return value


def _visible_ascii(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
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
    WithJsonSchema(text_of_length(REASON_LENGTH_MAX)),
]

type Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_LENGTH_MAX),
    AfterValidator(_printable),
    WithJsonSchema(text_of_length(LABEL_LENGTH_MAX)),
]
"""1 to 255 printable characters after trimming: a reference, a name, a subject."""

type IdempotencyKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=IDEMPOTENCY_KEY_LENGTH_MAX),
    AfterValidator(_visible_ascii),
    WithJsonSchema(visible_ascii(IDEMPOTENCY_KEY_LENGTH_MAX)),
]

_IDEMPOTENCY_KEY: Final[TypeAdapter[str]] = TypeAdapter(IdempotencyKey)
_PATH_ID: Final[TypeAdapter[UUID]] = TypeAdapter(UUID)


def idempotency_key_entries(key: str) -> list[ValidationEntry]:
    """Give the errors of an ``Idempotency-Key`` header, an empty list for a valid one."""
    return value_entries(_IDEMPOTENCY_KEY, key, ["header", "idempotency-key"])


def path_id_entries(text: str, parameter: str) -> list[ValidationEntry]:
    """Give the errors of an id in a path, an empty list for a UUID in any spelling that a body may have."""
    return value_entries(_PATH_ID, text, ["path", parameter])
