"""That a long-lived environment keeps no more than it may, however many stock items and requests it has handled."""

from __future__ import annotations

import gc
import tracemalloc
from copy import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import uuid_of, uuid_text
from inventory.storage import keys, stock_store
from tests.benchmarks.longevity import FULL, GROWTH_MAX_MB, Environment, Row, judged
from tests.benchmarks.subjects import SEEDED
from tests.benchmarks.tables import INVENTORY_TABLE, LEDGER_TABLE
from tests.support.harness.loading import load_handler

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES_MAX = 30
REQUESTS = 1_000
KEPT_MAX_BYTES = 128
"""For each request that has come since the memories were full; a stock item that is kept takes 1 KB."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """One that may remember thirty of each."""
    monkeypatch.setattr(stock_store, "CATALOG_ENTRIES_MAX", ENTRIES_MAX)
    monkeypatch.setattr(stock_store, "STOCK_ENTRIES_MAX", ENTRIES_MAX)
    for cached in (each for each in vars(keys).copy().values() if hasattr(each, "cache_info")):
        monkeypatch.setattr(keys, cached.__name__, lru_cache(ENTRIES_MAX)(cached.__wrapped__))
    tables = {"INVENTORY_TABLE": INVENTORY_TABLE, "LEDGER_TABLE": LEDGER_TABLE}
    # Log lines would be kept by pytest; the benchmark has them.
    powertools = {"POWERTOOLS_METRICS_NAMESPACE": "InventoryAdjustments", "POWERTOOLS_LOG_LEVEL": "ERROR"}
    return Environment(load_handler("create_adjustment", monkeypatch, **tables, **powertools))


def fill_the_caches_of_texts() -> None:
    """Whatever comes next takes the place of another text, in tables that have grown as far as they will."""
    for number in range(3 * (uuid_text.cache_parameters()["maxsize"] or 0)):
        uuid_text(uuid4())
        uuid_of(str(uuid4()))
        instant_text(SEEDED.updated_at + timedelta(seconds=number))


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("_traced")
def test_an_environment_keeps_nothing_of_requests_beyond_its_caches(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    items = 2 * REQUESTS  # more than there are requests: each is for another one
    full = 3 * ENTRIES_MAX
    fill_the_caches_of_texts()
    environment.carry_out(range(full), items)
    capsys.readouterr()
    before_bytes = kept_bytes()

    environment.carry_out(range(full, full + REQUESTS), items)

    capsys.readouterr()
    assert environment.entries == (ENTRIES_MAX, 0, ENTRIES_MAX)
    assert kept_bytes() - before_bytes < KEPT_MAX_BYTES * REQUESTS


def kept_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_growing_environment_is_detected() -> None:
    steady = [Row(FULL, 100.0, 10_000, 0, 10_000, 1.0), Row(10 * FULL, 100.0 + GROWTH_MAX_MB, 10_000, 0, 10_000, 1.0)]
    assert [check.held for check in judged(steady)] == [True, True, True]
    *others, last = steady
    for change, held in [
        ({"rss_mb": 102.1}, [True, True, False]),
        ({"stock_entries": 9_999, "shared_entries": 2}, [False, True, True]),
        ({"catalog_entries": 10_001}, [True, False, True]),
    ]:
        assert [check.held for check in judged([*others, replace(last, **change)])] == held  # type: ignore[arg-type]
