"""Histories of the write path with faults: nothing is lost, doubled or corrupted; broken variants are caught."""

from __future__ import annotations

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.faults import Fault
from tests.simulation.history import History
from tests.simulation.mutants import MUTANTS
from tests.simulation.soak import (
    SEEDS_IN_TESTS,
    digest_of,
    replay_command,
    run_on_all_cores,
    run_seed,
    steps_until_caught,
)
from tests.support.pages import page


@pytest.mark.timeout(600)  # on a machine that others use too
def test_hundreds_of_thousands_of_steps_leave_no_problem() -> None:
    summary = run_on_all_cores(range(1, SEEDS_IN_TESTS + 1))
    failed = [f"{replay_command(seed)}: {problems[0]}" for seed, problems in summary.problems.items()]
    assert not failed
    assert summary.steps > 200_000
    # Every fault and every answer occurred.
    assert all(summary.faults[fault] > 100 for fault in Fault)
    assert summary.faults["restored"] > 100
    assert summary.faults["tables restored"] > 50
    for answer in ("created", "replayed", "unknown", "event", "InsufficientStock", "StaleQuantity", "AlreadyReversed"):
        assert summary.answers[answer] > 100, answer
    for answer in ("IdempotencyKeyReused", "VariantNotFound", "LocationNotFound", "failed"):
        assert summary.answers[answer] > 100, answer
    for answer in ("PartOfGroup", "CountSuperseded", "ReasonDirection", "ReasonNotFound"):
        assert summary.answers[answer] > 100, answer
    assert summary.answers["AdjustmentNotFound"] > 10
    assert summary.answers["NothingToReverse"] > 5


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_variant_of_the_service_is_caught(mutant: str) -> None:
    assert steps_until_caught(mutant, range(1, SEEDS_IN_TESTS + 1)) is not None, MUTANTS[mutant].says


def test_the_page_about_testing_says_how_many_histories_and_broken_variants_there_are() -> None:
    text = page("docs/testing.md")
    assert set(re.findall(r"(\w+)\s+broken\s+variants", text)) == {str(len(MUTANTS))}
    assert text.count(f"| {SEEDS_IN_TESTS} histories, ") == 2


def test_a_seed_gives_the_same_history_in_every_process() -> None:
    # A process of its own has another seed for the hashes of strings.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(digest_of, 7).result()
    assert digest_of(7) == digest_of(7) == elsewhere
    assert digest_of(7) != digest_of(8)


def test_a_failing_seed_is_reported_with_its_problems() -> None:
    caught = run_seed(2, mutant="time stands still")
    assert any("created_at goes back" in problem for problem in caught.problems[2])
    assert replay_command(2) == "make soak SEED=2"


def test_a_history_runs_until_nothing_is_in_progress() -> None:
    history = History(4).run()
    assert not history.scheduler._heap
    assert not history.world.database._prepared
