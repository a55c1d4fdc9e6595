"""Instants as text: UTC, ISO 8601, always six digits of a second, ending in Z. Their order as text is that of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

TICK: Final = timedelta(microseconds=1)
"""The smallest difference between two instants."""


def instant_text(instant: datetime) -> str:
    """Write an aware datetime, e.g. ``2026-11-23T14:05:09.123456Z``."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Read what ``instant_text`` wrote."""
    return datetime.fromisoformat(text)
