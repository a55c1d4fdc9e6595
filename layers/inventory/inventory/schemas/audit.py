"""The payload of an audit."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from inventory.schemas.base import RequestModel
from inventory.schemas.fields import ExactInteger

SEGMENTS_MAX: Final = 1_000

SECONDS_MAX: Final = 900
"""The longest that a function may run."""

POSITION_LENGTH_MAX: Final = 16_384
"""Of a position: it holds a key, which may be as long as a table takes it where somebody wrote it by hand."""


class AuditRequest(RequestModel):
    """The payload of a direct invocation. ``seconds`` is how long it may take; without it, all the time there is."""

    segment: Annotated[ExactInteger, Field(ge=0, lt=SEGMENTS_MAX)]
    segments: Annotated[ExactInteger, Field(ge=1, le=SEGMENTS_MAX)]
    position: Annotated[str, Field(min_length=1, max_length=POSITION_LENGTH_MAX)] | None = None
    seconds: Annotated[ExactInteger, Field(ge=1, le=SECONDS_MAX)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.segment >= self.segments:
            raise ValueError("segment must be less than segments: they are counted from 0")
        return self
