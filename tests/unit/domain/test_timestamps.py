"""Timestamps as text: UTC, with six digits, and in the order of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from inventory.domain.timestamps import instant_text, parse_instant
from tests.support.builders.ids import NOW


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (NOW, "2026-11-23T14:05:09.123456Z"),
        (NOW.replace(microsecond=0), "2026-11-23T14:05:09.000000Z"),
        (NOW.replace(microsecond=1), "2026-11-23T14:05:09.000001Z"),
        (NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-23T14:05:09.123456Z"),
    ],
)
def test_an_instant_is_utc_with_six_digits_and_a_z(instant: datetime, text: str) -> None:
    assert instant_text(instant) == text
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo == UTC


def test_instants_sort_as_text_as_they_do_in_time() -> None:
    instants = [NOW + timedelta(microseconds=each) for each in (-123_456, -1, 0, 1, 876_543, 876_544, 10**9)]

    assert sorted(map(instant_text, instants)) == [instant_text(each) for each in instants]
