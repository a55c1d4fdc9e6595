"""The pages about performance: their figures agree with one another, and what they name exists."""

from __future__ import annotations

import pytest

from inventory.domain.retry_budget import ATTEMPTS_MAX, BACKOFF_BASE_S, BACKOFF_CAP_S
from inventory.domain.store import GROUP_MAX
from inventory.storage.stock_store import CATALOG_ENTRIES_MAX, STOCK_ENTRIES_MAX
from tests.benchmarks import batches
from tests.benchmarks.initialisation import REACHED
from tests.benchmarks.subjects import BATCH_OF_49, SAME_ITEM_99
from tests.support.pages import page, prose, rows, section
from tests.support.sam_template import PROJECT_ROOT

PERFORMANCE, CONTENTION = "docs/performance.md", "docs/contention.md"
HTTP = "By HTTP, 1 s of thought between two requests"
QUEUE = "By queue, 1 s of thought between two requests"


def test_the_short_table_of_contention_has_the_figures_of_the_long_ones() -> None:
    http = [[*row[:3], *row[4:8]] for row in rows(section(CONTENTION, HTTP))[1:]]
    queue = [[row[0], row[2], *row[5:8]] for row in rows(section(CONTENTION, QUEUE))[1:]]
    short = rows(section(PERFORMANCE, "Contention"))[1:]
    assert [row[:7] for row in short] == http
    assert [[row[0], *row[7:]] for row in short] == queue


def test_back_off_and_attempts_are_those_of_the_code() -> None:
    text = prose(page(CONTENTION))
    assert f"up to {BACKOFF_BASE_S * 1000:.0f} ms after the first attempt" in text
    assert f"{BACKOFF_CAP_S} s at most, for {ATTEMPTS_MAX} attempts" in text


def test_what_an_environment_caches_is_what_the_code_keeps() -> None:
    text = prose(section(PERFORMANCE, "Growth"))
    assert f"caches {STOCK_ENTRIES_MAX:,} stock items and {CATALOG_ENTRIES_MAX:,} entries of the catalog" in text


def test_the_largest_group_is_measured() -> None:
    assert str(GROUP_MAX) in [row[0] for row in rows(section(PERFORMANCE, "Merging"))]


def test_the_start_of_each_function_is_the_one_that_the_gates_hold() -> None:
    documented = {row[0]: row[1] for row in rows(section(PERFORMANCE, "Speed")) if row[0] in REACHED}
    assert documented == {name: f"{ratio:.2f}" for name, ratio in REACHED.items()}


def test_the_batches_that_the_gates_hold_are_shown_with_their_figures_and_aims() -> None:
    shown = {row[0]: row for row in rows(section(PERFORMANCE, "Batches"))}
    names = {BATCH_OF_49: "a batch of 49 items", SAME_ITEM_99: "mode `each`, 99 lines for one item"}
    for target in batches.TARGETS:
        assert shown[names[target.label]][4] == f"{target.ratio_max:.2f}"
    for label, reached in batches.REACHED.items():
        assert shown[names[label]][-1] == f"{reached:.2f}"


@pytest.mark.parametrize("picture", ["performance.svg", "contention.svg", "contention-batches.svg"])
def test_a_picture_is_shown(picture: str) -> None:
    assert f"]({picture})" in page(PERFORMANCE)
    assert (PROJECT_ROOT / "docs" / picture).exists()
