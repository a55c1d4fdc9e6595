"""Many writers on one item: nothing is lost, most succeed, and a seed gives the same figures each time."""

from __future__ import annotations

import pytest

from tests.simulation.contention import By, Load, measure
from tests.simulation.policies import Doubling, Policy, Remember

DURATION_S = 20.0


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("writers", [1, 8, 64])
def test_every_acknowledged_request_is_one_ledger_row_and_one_unit_of_stock(writers: int, by: By) -> None:
    measured = measure(Load(writers, 1.0, by, DURATION_S))
    assert measured.succeeded == measured.rows == measured.quantity > 0


@pytest.mark.parametrize(("writers", "items"), [(4, 49), (16, 2), (16, 10)])
def test_batches_that_overlap_are_applied_whole(writers: int, items: int) -> None:
    measured = measure(Load(writers, 1.0, duration_s=5.0, items=items))
    assert measured.rows == measured.quantity == items * measured.succeeded > 0
    assert measured.transactions == measured.succeeded
    assert measured.success_rate == 1


def test_all_but_one_in_a_hundred_of_64_writers_requests_succeed() -> None:
    measured = measure(Load(64, 1.0, duration_s=DURATION_S))
    assert measured.success_rate >= 0.99
    assert measured.attempts_mean <= 8
    # The invocation has 10 seconds, and no call begins in the last 3.5.
    assert max(measured.latencies_s) < 6.5 + 0.1


def test_an_item_takes_one_transaction_at_a_time() -> None:
    measured = measure(Load(16, 0.0, duration_s=DURATION_S))
    assert 30 < measured.per_second < 1 / 0.016


def test_the_queue_keeps_up_with_64_senders_in_fewer_transactions_than_messages() -> None:
    measured = measure(Load(64, 1.0, By.QUEUE, DURATION_S))
    assert measured.success_rate == 1
    assert measured.transactions < measured.succeeded / 3
    assert measured.latency_s(0.99) < 1.5


def test_an_item_that_only_this_environment_adjusts_is_not_read_when_its_state_is_cached() -> None:
    alone = measure(Load(1, 0.0, duration_s=DURATION_S), Policy())
    assert alone.calls_each == pytest.approx(1, abs=0.01)
    assert alone.attempts_mean == 1


def test_caching_the_state_even_after_conflicts_costs_failed_writes() -> None:
    load = Load(4, 1.0, duration_s=60.0)
    never, always, until_conflict = (
        measure(load, policy)
        for policy in (Policy(remember=Remember.NEVER), Policy(remember=Remember.ALWAYS), Policy())
    )
    assert always.attempts_mean > 1.5 * never.attempts_mean
    assert until_conflict.attempts_mean < 1.1 * never.attempts_mean


def test_retries_without_waits_fail_under_contention() -> None:
    hasty = measure(Load(16, 0.0, duration_s=5.0), Policy(Doubling(0.0, 0.0)))
    assert hasty.success_rate < 0.9


def test_the_same_seed_gives_the_same_figures_and_another_does_not() -> None:
    load = Load(8, 0.1, duration_s=5.0)
    first, again, other = measure(load, seed=3), measure(load, seed=3), measure(load, seed=4)
    assert first == again
    assert first.latencies_s != other.latencies_s
