"""The types of request fields that several models share, and the checks of values in headers and paths."""

from __future__ import annotations

import re
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

_NOT_IN_REASONS: Final = r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]"
_NOT_IN_LABELS: Final = r"[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""Compiled, and kept by ``re``, for the first text that is not plain: for most starts that is in vain."""

_KINDS: Final = {
    "Cc": "control characters",
    "Zl": "line or paragraph separators",
    "Zp": "line or paragraph separators",
}
"""What a label may not contain, by category; the other characters are bidirectional."""

_INVISIBLE: Final = frozenset({"Mn", "Mc", "Me", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})
"""The categories of characters that show nothing by themselves."""

_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that are drawn as blanks."""


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


def _reason_characters(value: str) -> str:
    """Check the characters of a reason. Printable ASCII, which is most of what is sent, costs two look-ups.

    A text that was trimmed and is not empty begins with a character that is no space.
    """
    if not (value.isascii() and value.isprintable()):
        _refuse(_NOT_IN_REASONS, value)
        _require_visible(value)
    return value


def _label_characters(value: str) -> str:
    """Check the characters of a label."""
    if not (value.isascii() and value.isprintable()):
        _refuse(_NOT_IN_LABELS, value)
        _require_visible(value)
    return value


def _refuse(characters: str, value: str) -> None:
    if found := re.search(characters, value):
        kind = _KINDS.get(unicodedata.category(found[0]), "bidirectional overrides or isolates")
        raise ValueError(f"must not contain {kind}: {_place(value, found.start())}")


def is_visible(text: str) -> bool:
    """Whether a text shows anything. A code point that this Python does not know is taken for a visible one."""
    return any(each not in _BLANKS and unicodedata.category(each) not in _INVISIBLE for each in text)


def _require_visible(value: str) -> None:
    if not is_visible(value):
        raise ValueError(f"must have at least one visible character: {_place(value, 0)}")


def _place(value: str, position: int) -> str:
    """Name a character and its place, such as ``U+202E at 4``."""
    return f"U+{ord(value[position]):04X} at {position}"


def is_label(text: str) -> bool:
    """Whether a text is a label, and trimmed. Half a surrogate pair, which pydantic finds by itself, makes it none."""
    try:
        return 0 < len(_label_characters(text)) <= LABEL_LENGTH_MAX and text == text.strip() and bool(text.encode())
    except ValueError:
        return False


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
    AfterValidator(_reason_characters),
    WithJsonSchema(text_of_length(REASON_LENGTH_MAX)),
]

type Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_LENGTH_MAX),
    AfterValidator(_label_characters),
    WithJsonSchema(text_of_length(LABEL_LENGTH_MAX)),
]
"""1 to 255 code points after trimming, at least one of them visible: a reference, name, SKU, subject or actor."""

type Cursor = Annotated[str, Field(min_length=1, max_length=1024, description="The `next_cursor` of the page before.")]

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
