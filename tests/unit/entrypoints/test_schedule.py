"""Which segment of the audit has its turn: by the hour of a schedule that fires in the middle of each hour."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from inventory.entrypoints.schedule import audit_task
from tests.support.sam_template import load_template

MINUTE = int(
    re.fullmatch(
        r"cron\((\d+) \* \* \* \? \*\)",
        load_template()["Resources"]["AuditLedgerFunction"]["Properties"]["Events"]["Hourly"]["Properties"]["Schedule"],
    )[1]  # type: ignore[index]
)
JITTER_MAX = timedelta(minutes=29, seconds=59)
"""EventBridge says that a rule fires within a minute of its time."""


@given(st.lists(st.timedeltas(-JITTER_MAX, JITTER_MAX), min_size=24, max_size=24), st.integers(0, 10_000))
def test_every_segment_has_its_turn_however_early_or_late_its_event_is(jitter: list[timedelta], hour: int) -> None:
    first = datetime(2026, 11, 28, tzinfo=UTC) + timedelta(hours=hour, minutes=MINUTE)
    times = [first + timedelta(hours=number) + late for number, late in enumerate(jitter)]
    events = [{"detail-type": "Scheduled Event", "time": time.isoformat()} for time in times]
    assert {audit_task(event, segments=24).segment.number for event in events} == set(range(24))
