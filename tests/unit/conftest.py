"""Fixtures of the unit tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.harness.read_service import ReadService
from tests.support.harness.write_service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def powertools_logs_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting that would make Powertools log each event; it must come before the function is loaded."""
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")


@pytest.fixture(params=["UTC0", "EAST-14", "WEST12"])
def process_time_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The time zone of the process: UTC as on Lambda, and those that are the farthest from it, ahead and behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """The create function with one business, its default location and one variant; no stock yet."""
    made = Service(monkeypatch, capsys)
    made.tables.with_catalog()
    return made


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> ReadService:
    """The read function with one business, its default location and one variant; no adjustment yet."""
    made = ReadService(monkeypatch, capsys)
    made.tables.with_catalog()
    return made
