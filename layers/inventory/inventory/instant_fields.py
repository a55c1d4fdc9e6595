"""Instants as callers give them: the type for a request model's field. Apart, as a creation has none."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

# pydantic also takes seconds since 1970, dates without a time, and cuts off what is finer than a microsecond.
_INSTANT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?)(?:[Zz]|([+\- ])(\d{2}:?\d{2}))?"
)


def _iso_8601(value: object) -> object:
    parts = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        message = "Input should be an ISO 8601 instant with an offset, to the microsecond at most"
        raise PydanticCustomError("datetime_from_date_parsing", message)
    # A plus that was not encoded is a space in a query string, and there is nothing else that it could have meant.
    return f"{parts[1]}+{parts[3]}" if parts[2] == " " else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


type Instant = Annotated[AwareDatetime, BeforeValidator(_iso_8601), AfterValidator(_in_utc)]
