"""How often calls and write requests are tried, and that no attempt begins without time for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from inventory.domain.errors import RetryBudgetSpent, StoreUnavailable
from inventory.domain.retry_budget import (
    ATTEMPTS_MAX,
    CALL_ATTEMPTS_MAX,
    CALL_BUDGET_S,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    RetryBudget,
)


@dataclass
class Clock:
    """Time that only calls and pauses take; ``left_s`` are the seconds that were left when each call began."""

    remaining_s: float
    call_s: float = 0.0
    pauses_s: list[float] = field(default_factory=list)
    left_s: list[float] = field(default_factory=list)

    def budget(self) -> RetryBudget:
        return RetryBudget(lambda: self.remaining_s, self.pause, lambda: 1.0)

    def pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self.remaining_s -= seconds

    def unanswered(self) -> None:
        self.left_s.append(self.remaining_s)
        self.remaining_s -= self.call_s
        raise StoreUnavailable


def test_a_call_is_given_its_time_outs_and_half_a_second() -> None:
    assert CALL_BUDGET_S == CONNECT_TIMEOUT_S + READ_TIMEOUT_S + 0.5


@pytest.mark.parametrize(("remaining_s", "begins"), [(CALL_BUDGET_S, True), (CALL_BUDGET_S - 0.001, False)])
def test_a_call_begins_only_where_there_is_time_for_it(remaining_s: float, begins: bool) -> None:  # noqa: FBT001
    budget = Clock(remaining_s).budget()
    made: list[str] = []

    assert budget.has_time() is begins
    if begins:
        budget.require_time()
        budget.retry(lambda: made.append("call"))
    else:
        with pytest.raises(StoreUnavailable):
            budget.require_time()
        with pytest.raises(StoreUnavailable):
            budget.retry(lambda: made.append("call"))
    assert bool(made) is begins


def test_time_for_a_call_after_a_pause_is_asked_for_with_the_pause() -> None:
    budget = Clock(CALL_BUDGET_S + 1.0).budget()

    assert budget.has_time(after_s=1.0)
    budget.require_time(after_s=1.0)
    assert not budget.has_time(after_s=1.1)
    with pytest.raises(StoreUnavailable):
        budget.require_time(after_s=1.1)


def test_reserved_time_is_never_used_and_the_rest_is() -> None:
    clock = Clock(CALL_BUDGET_S + 2.0)

    assert clock.budget().reserve(2.0).has_time()
    assert not clock.budget().reserve(2.1).has_time()
    with pytest.raises(StoreUnavailable):
        clock.budget().reserve(2.1).retry(clock.unanswered)
    assert clock.left_s == []


def test_a_reserved_budget_sleeps_and_draws_its_pauses_as_the_whole_one() -> None:
    budget = Clock(60).budget()

    reserved = budget.reserve(1.0)

    assert (reserved.sleep, reserved.fraction) == (budget.sleep, budget.fraction)


def test_an_unanswered_call_is_made_a_bounded_number_of_times_with_longer_and_longer_pauses() -> None:
    clock = Clock(60)

    with pytest.raises(StoreUnavailable):
        clock.budget().retry(clock.unanswered)

    assert len(clock.left_s) == CALL_ATTEMPTS_MAX
    assert clock.pauses_s == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("kept_s", [0.0, 2.0])
@pytest.mark.parametrize("remaining_s", [0.0, 3.4, 3.5, 5.0, 7.1, 10.0, 12.0])
def test_the_remaining_time_is_checked_again_after_a_slow_call(remaining_s: float, kept_s: float) -> None:
    clock = Clock(remaining_s, call_s=CONNECT_TIMEOUT_S + READ_TIMEOUT_S)

    with pytest.raises(StoreUnavailable):
        clock.budget().reserve(kept_s).retry(clock.unanswered)

    assert all(left_s >= CALL_BUDGET_S + kept_s for left_s in clock.left_s)
    assert clock.remaining_s >= min(remaining_s, kept_s + 0.5 - 1e-9)


def test_a_write_request_has_so_many_attempts_with_longer_pauses_up_to_half_a_second() -> None:
    clock = Clock(60)
    budget = clock.budget()

    for _ in range(ATTEMPTS_MAX - 1):
        budget.next_attempt()
    with pytest.raises(RetryBudgetSpent):
        budget.next_attempt()

    assert budget.attempts == ATTEMPTS_MAX == 32
    assert clock.pauses_s == [0.02, 0.04, 0.08, 0.16, 0.32, *[0.5] * 26]


def test_a_repeated_call_is_still_the_same_attempt_of_its_request() -> None:
    budget = Clock(60).budget()

    with pytest.raises(StoreUnavailable):
        budget.retry(Clock(60).unanswered)

    assert budget.attempts == 1


def test_a_budget_without_time_says_that_no_call_was_made() -> None:
    with pytest.raises(RetryBudgetSpent):
        Clock(CALL_BUDGET_S - 0.001).budget().require_time()
