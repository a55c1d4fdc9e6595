"""The payload of the audit function."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from inventory.schemas.base import RequestModel
from inventory.schemas.fields import ExactInteger

SEGMENTS_MAX: Final = 1_000

SECONDS_MAX: Final = 900
"""Lambda's limit for the run time of a function."""

POSITION_LENGTH_MAX: Final = 16_384
"""A position contains a key. A key that was written by hand can be as long as DynamoDB allows."""


class AuditRequest(RequestModel):
    """The payload of a direct invocation. ``seconds`` limits the run time; without it, only Lambda does."""

    segment: Annotated[ExactInteger, Field(ge=0, lt=SEGMENTS_MAX)]
    segments: Annotated[ExactInteger, Field(ge=1, le=SEGMENTS_MAX)]
    position: Annotated[str, Field(min_length=1, max_length=POSITION_LENGTH_MAX)] | None = None
    seconds: Annotated[ExactInteger, Field(ge=1, le=SECONDS_MAX)] | None = None

    @model_validator(mode="after")
    def _segment_exists(self) -> Self:
        if self.segment >= self.segments:
            raise ValueError("segment must be less than segments: they are counted from 0")
        return self
