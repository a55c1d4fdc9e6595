"""What an audit is asked for: a segment of the whole by its number, or, by the clock, the one whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Self, cast

from pydantic import Field, model_validator

from inventory.audit_tables import Segment
from inventory.instants import parse_instant
from inventory.requests import ExactInteger, InvalidRequest, Request, entry, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

SEGMENTS_MAX: Final = 1_000
SECONDS_MAX: Final = 900
"""The longest that a function may run."""

POSITION_LENGTH_MAX: Final = 16_384
"""Of a position: it holds a key, which may be as long as a table takes it where somebody wrote it by hand."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AuditRequest(Request):
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


@dataclass(frozen=True, slots=True)
class AuditTask:
    """What to audit: ``position`` None begins. ``scheduled``: by the clock, so nobody goes on from where it ends."""

    segment: Segment
    position: str | None
    seconds: int | None
    scheduled: bool


def audit_task(payload: object, *, segments: int) -> AuditTask:
    """Translate a payload, or the event of a schedule: then the hour says which of ``segments`` it is.

    Raises:
        InvalidRequest: where a payload breaks ``AuditRequest``, or a schedule's event has no time. No hour is guessed:
            a segment would miss its turn without a word. What is raised is logged and counted, and sets off an alarm.
    """
    if isinstance(payload, dict) and payload.get("detail-type") == "Scheduled Event":
        hours = _time_of(payload) // timedelta(hours=1)
        return AuditTask(Segment(hours % segments, segments), None, None, scheduled=True)
    request = validated(AuditRequest, payload)
    return AuditTask(Segment(request.segment, request.segments), request.position, request.seconds, scheduled=False)


def _time_of(payload: Mapping[str, object]) -> timedelta:
    """The time of a schedule's event, since the epoch."""
    given = payload.get("time")
    try:
        return parse_instant(cast("str", given)) - _EPOCH
    except (TypeError, ValueError):  # no text, none of a time, or one without an offset
        message = "Value error, must be a time with an offset"
        raise InvalidRequest([entry(["body", "time"], "value_error", message, given=given)]) from None
