"""The task of an audit: the segment that a payload names, or the segment whose turn it is by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from inventory.domain.errors import InvalidRequest
from inventory.domain.model import Segment
from inventory.domain.timestamps import parse_instant
from inventory.schemas.audit import AuditRequest
from inventory.schemas.base import validated
from inventory.schemas.problems import entry

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AuditTask:
    """What to audit: ``position`` None starts the segment. A ``scheduled`` audit is not continued where it ends."""

    segment: Segment
    position: str | None
    seconds: int | None
    scheduled: bool


def audit_task(payload: object, *, segments: int) -> AuditTask:
    """Translate a payload, or the event of a schedule, whose hour selects one of ``segments``.

    Raises:
        InvalidRequest: a payload breaks ``AuditRequest``, or a schedule's event has no time. No hour is assumed, as a
            segment would miss its turn unnoticed. The error is logged and counted, and sets off an alarm.
    """
    if isinstance(payload, dict) and payload.get("detail-type") == "Scheduled Event":
        hours = _time_of(payload) // timedelta(hours=1)
        return AuditTask(Segment(hours % segments, segments), None, None, scheduled=True)
    request = validated(AuditRequest, payload)
    return AuditTask(Segment(request.segment, request.segments), request.position, request.seconds, scheduled=False)


def _time_of(payload: Mapping[str, object]) -> timedelta:
    """The time of a schedule's event since the epoch."""
    given = payload.get("time")
    try:
        return parse_instant(cast("str", given)) - _EPOCH
    except (TypeError, ValueError):  # no text, no time, or a time without an offset
        message = "Value error, must be a time with an offset"
        raise InvalidRequest([entry(["body", "time"], "value_error", message, given=given)]) from None
