"""That the benchmark compares like with like; no time is measured here."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.benchmarks import meters
from tests.benchmarks.capacity import size_bytes, transaction_units, write_units
from tests.benchmarks.variants import variant

COMPARED = ["adjuster:alone", "adjuster:10", "adjuster:99", "handler:1", "handler:99"]


@pytest.fixture(scope="module")
def work() -> dict[str, meters.Work]:
    with ExitStack() as running:
        return {name: running.enter_context(meters.worker(name)).work for name in COMPARED}


def test_all_variants_leave_the_same_ledger_to_the_byte(work: dict[str, meters.Work]) -> None:
    assert len({each.ledger for each in work.values()}) == 1


@pytest.mark.parametrize(("name", "calls"), [("adjuster:alone", 2), ("handler:1", 3)])
def test_the_baseline_reads_and_commits_for_each_request_and_updates_the_stock_item_once(
    name: str, calls: int, work: dict[str, meters.Work]
) -> None:
    """The function also reads whether the message was rejected before."""
    of = work[name]
    assert (of.requests, of.calls, of.stock_units) == (100, 100 * calls, 200)


@pytest.mark.parametrize(
    ("name", "groups", "calls"), [("adjuster:10", 10, 2), ("adjuster:99", 1, 2), ("handler:99", 1, 3)]
)
def test_a_group_makes_as_many_calls_and_updates_the_stock_item_once(
    name: str, groups: int, calls: int, work: dict[str, meters.Work]
) -> None:
    of = work[name]
    assert (of.calls, of.stock_units) == (calls * groups, 2 * groups)
    # Two units for each ledger row in the transaction, and one in each of its two indexes.
    assert of.units == of.stock_units + 4 * of.requests


def test_a_variant_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="anything"):
        variant("anything:1")


def test_an_item_is_billed_by_the_whole_kilobyte_and_twice_in_a_transaction() -> None:
    def item(length: int) -> dict[str, dict[str, str | bool]]:
        return {"n": {"N": "-123"}, "b": {"BOOL": True}, "é": {"S": "x" * length}}

    assert size_bytes(item(0)) == (1 + 3) + (1 + 1) + 2
    assert [write_units(item(1024 - 8 + more)) for more in (0, 1)] == [1, 2]
    assert [transaction_units(item(1024 - 8 + more)) for more in (0, 1)] == [2, 4]
