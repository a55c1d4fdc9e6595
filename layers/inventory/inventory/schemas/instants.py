"""The field types for instants.

A caller's instant can be finer than a microsecond, unlike ours. It is then moved to the microsecond that selects the
same adjustments: the last one before it for "up to", the first one after it for "from".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

from inventory.domain.timestamps import TICK

_DIGITS: Final = 6
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@cache
def _instant_pattern() -> re.Pattern[str]:
    """Compile the pattern of an instant when the first one is read: few requests to create an adjustment name one.

    It is stricter than ``datetime.fromisoformat``, which accepts more than ISO 8601, and pydantic, which accepts
    seconds since 1970. In a query string a plus that was not encoded arrives as a space, and is read as a plus.
    """
    return re.compile(
        r"(?P<date>[\dW-]+)"
        r"(?:[Tt ](?P<time>\d\d(?::?\d\d(?::?\d\d(?:[.,](?P<fraction>\d+))?)?)?)"
        r"(?P<offset>[Zz]|[+\- ]\d\d(?::?\d\d(?::?\d\d)?)?)?)?",
        re.ASCII,
    )


def _parse(value: object) -> tuple[datetime, bool]:
    """Read an instant in UTC, cut to its microsecond, and whether something was cut off."""
    parts = _instant_pattern().fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        raise _not_an_instant()
    offset = (parts["offset"] or "").replace(" ", "+").upper()
    try:
        # This cuts off what is finer than a microsecond.
        instant = datetime.fromisoformat(f"{parts['date']}T{parts['time'] or '00'}{offset}")
    except ValueError:
        raise _not_an_instant() from None
    if not offset:
        raise PydanticKnownError("timezone_aware")
    try:
        return instant.astimezone(UTC), (parts["fraction"] or "")[_DIGITS:].strip("0") != ""
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


def _not_an_instant() -> PydanticCustomError:
    return PydanticCustomError("datetime_from_date_parsing", "Input should be an ISO 8601 instant with an offset")


def _round_down(value: object) -> datetime:
    return _parse(value)[0]


def _round_up(value: object) -> datetime:
    instant, is_cut = _parse(value)
    # The last microsecond of the year 9999 can't be rounded up. No adjustment will ever have it.
    return instant + TICK if is_cut and instant < _LAST else instant


type UpToInstant = Annotated[AwareDatetime, BeforeValidator(_round_down)]
"""An inclusive end of a span of time."""

type FromInstant = Annotated[AwareDatetime, BeforeValidator(_round_up)]
"""An inclusive start of a span of time, or an exclusive end."""
