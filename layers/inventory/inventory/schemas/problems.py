"""The entries of a 422, in the form of FastAPI's ``HTTPValidationError``. No pydantic is needed for them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor, InvalidRequest, ValidationEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ENTRIES_SIZE_MAX_BYTES: Final = 2 * 1024 * 1024
"""Of the entries of one answer: a body of a million unknown fields must get one that can be sent, too. Lambda's limit
is 6 MB, of a text in JSON, where quotes and backslashes count twice."""

_ECHO_SIZE_MAX_BYTES: Final = 1024
"""Of what is sent back as it came, in JSON."""

_ESCAPED_LENGTH_MAX: Final = 12
"""Of one character in JSON: an escaped pair of surrogates."""


@contextmanager
def cursor_at(*loc: str) -> Iterator[None]:
    """Turn an ``InvalidCursor`` into the 422 that names where the cursor was in the request.

    Raises:
        InvalidRequest: the cursor is not one of this question.
    """
    try:
        yield
    except InvalidCursor as error:
        fact = "must be one that an earlier answer to the same question handed out"
        raise InvalidRequest(
            [entry([*loc], "value_error", f"Value error, {fact}", given=error.cursor, ctx={"error": fact})]
        ) from None


def bounded_entries(entries: Iterable[ValidationEntry], size_max_bytes: int) -> list[ValidationEntry]:
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


def echoable_fact(fact: object) -> object:
    """A bound or an expectation as it is, and an exception by its text: JSON has no exceptions."""
    return fact if isinstance(fact, int | str) else str(fact)


def echoable_name(name: str) -> str:
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
