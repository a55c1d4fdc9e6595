"""Renders the entries of a 422 in the form of FastAPI's ``HTTPValidationError``. Standard library only."""

from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor, InvalidRequest, ValidationEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ENTRIES_SIZE_MAX_BYTES: Final = 2 * 1024 * 1024
"""Size of the entries of one answer. A body with a million unknown fields must get an answer that Lambda can send: at
most 6 MB of JSON text, where quotes and backslashes count twice."""

_ECHO_SIZE_MAX_BYTES: Final = 1024
"""Size in JSON of an input that is sent back."""

_ESCAPED_LENGTH_MAX: Final = 12
"""The longest escape of one character in JSON: a pair of surrogates."""


@contextmanager
def cursor_at(*loc: str) -> Iterator[None]:
    """Turn an ``InvalidCursor`` into the 422 that names where the cursor was in the request.

    Raises:
        InvalidRequest: the cursor is not one of this question.
    """
    try:
        yield
    except InvalidCursor as error:
        fact = "must be one that an earlier answer to the same question issued"
        raise InvalidRequest([rule_entry([*loc], fact, given=error.cursor)]) from None


def bounded_entries(entries: Iterable[ValidationEntry], size_max_bytes: int) -> list[ValidationEntry]:
    """Take as many entries as fit, but at least one, and make no more."""
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
    """Make one entry. ``given`` is the input; it is left out if it is over 1 KB or can't be encoded."""
    rendered = ValidationEntry(type=kind, loc=loc, msg=message)
    if (echo := _echo(given)) is not None:
        rendered["input"] = json.loads(echo)
    if ctx is not None:
        rendered["ctx"] = dict(ctx)
    return rendered


def lone_surrogate(text: object) -> dict[str, object]:
    """Name the first half of a surrogate pair in a text, and its place once the text is trimmed.

    pydantic refuses such a text too, but does not say why.
    """
    try:
        str(text).strip().encode()
    except UnicodeEncodeError as error:
        character = ord(error.object[error.start])
        return {"error": f"must not contain lone surrogates: U+{character:04X} at {error.start}"}
    return {}


def rule_entry(loc: list[str | int], rule: str, *, given: object) -> ValidationEntry:
    """Make the entry of a rule of our own, as pydantic does for a ``ValueError``."""
    return entry(loc, "value_error", f"Value error, {rule}", given=given, ctx={"error": rule})


def echoable_fact(fact: object) -> object:
    """Give a member of ``ctx`` as JSON can hold it: a number or text as it is, an exception as its text."""
    return fact if isinstance(fact, int | str) else str(fact)


def echoable_name(name: str) -> str:
    """Give a field's name, cut at 1 KB, and with half a surrogate pair replaced."""
    short = name[:_ECHO_SIZE_MAX_BYTES].encode("utf-8", "replace").decode()
    while (excess := len(json.dumps(short)) - _ECHO_SIZE_MAX_BYTES) > 0:
        short = short[: -max(excess // _ESCAPED_LENGTH_MAX, 1)]
    return short


def _echo(given: object) -> str | None:
    """Write ``given`` as JSON if that is exact, can be encoded and is at most 1 KB; None otherwise.

    It stops at 1 KB: otherwise a body of megabytes would be written once for each of its errors.
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
    """Convert a ``Decimal`` to the double with the same text, such as 5.1.

    Raises:
        TypeError: there is none.
    """
    if isinstance(value, Decimal) and Decimal(repr(double := float(value))) == value:
        return double
    raise TypeError(value)


_JSON: Final = json.JSONEncoder(allow_nan=False, default=_double)
