"""Instants as callers give them: the types for a request model's field. Apart, as a creation has none.

They may be finer than a microsecond, which our own are not. Then each is moved to the microsecond that means the same
among ours: of those up to an instant the last one before it, of those from an instant on the first one after it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

from inventory.domain.timestamps import TICK

# The standard library also takes what ISO 8601 does not have, such as seconds behind a point that follows minutes, and
# pydantic seconds since 1970. A plus that was not encoded is a space in a query string; it is meant as a plus.
_INSTANT: Final = re.compile(
    r"(?P<date>[\dW-]+)"
    r"(?:[Tt ](?P<time>\d\d(?::?\d\d(?::?\d\d(?:[.,](?P<fraction>\d+))?)?)?)"
    r"(?P<offset>[Zz]|[+\- ]\d\d(?::?\d\d(?::?\d\d)?)?)?)?",
    re.ASCII,
)

_DIGITS: Final = 6

_LAST: Final = datetime.max.replace(tzinfo=UTC)


class _Read(NamedTuple):
    """An instant in UTC: its microsecond, and whether it lies past the beginning of that."""

    microsecond: datetime
    lies_past: bool


def _read(value: object) -> _Read:
    parts = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        raise _no_instant()
    offset = (parts["offset"] or "").replace(" ", "+").upper()
    try:
        # Cuts off what is finer than a microsecond.
        instant = datetime.fromisoformat(f"{parts['date']}T{parts['time'] or '00'}{offset}")
    except ValueError:
        raise _no_instant() from None
    if not offset:
        raise PydanticKnownError("timezone_aware")
    try:
        return _Read(instant.astimezone(UTC), (parts["fraction"] or "")[_DIGITS:].strip("0") != "")
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


def _no_instant() -> PydanticCustomError:
    return PydanticCustomError("datetime_from_date_parsing", "Input should be an ISO 8601 instant with an offset")


def _last_before(value: object) -> datetime:
    return _read(value).microsecond


def _first_after(value: object) -> datetime:
    instant, lies_past = _read(value)
    # There is none after the last one, and nothing will ever be of it.
    return instant + TICK if lies_past and instant < _LAST else instant


type UpToInstant = Annotated[AwareDatetime, BeforeValidator(_last_before)]
"""The end of a time, and part of it."""

type FromInstant = Annotated[AwareDatetime, BeforeValidator(_first_after)]
"""The beginning of a time, and part of it; or the end, and no part of it."""
