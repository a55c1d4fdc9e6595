"""Virtual time: one order of events, work that waits, work side by side, and work that is killed."""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation.scheduler import Reply, Scheduler


def test_events_run_by_time_and_at_the_same_time_in_the_order_of_scheduling() -> None:
    scheduler = Scheduler()
    order: list[str] = []
    for delay_s, name in ((2.0, "c"), (1.0, "a"), (1.0, "b")):
        scheduler.after(delay_s, partial(order.append, name))
    scheduler.run()
    assert order == ["a", "b", "c"]
    assert scheduler.now_s == 2.0


def test_other_tasks_run_while_one_waits() -> None:
    scheduler, order = Scheduler(), []

    def work(name: str, seconds: float) -> None:
        for _ in range(2):
            scheduler.sleep(seconds)
            order.append((name, scheduler.now_s))

    scheduler.spawn(lambda: work("slow", 3.0))
    scheduler.spawn(lambda: work("fast", 2.0))
    scheduler.run()
    assert order == [("fast", 2.0), ("slow", 3.0), ("fast", 4.0), ("slow", 6.0)]


def test_parallel_calls_return_results_in_order_and_never_exceed_their_width() -> None:
    scheduler, at_work, most = Scheduler(), [0], [0]
    results: list[float] = []

    def call(seconds: float) -> float:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        scheduler.sleep(seconds)
        at_work[0] -= 1
        return seconds

    scheduler.spawn(lambda: results.extend(scheduler.at_once(call, [3.0, 1.0, 2.0], width=2)))
    scheduler.run()
    assert results == [3.0, 1.0, 2.0]
    assert most == [2]
    assert scheduler.now_s == 3.0


def test_an_error_of_a_call_is_raised_where_its_result_is_read() -> None:
    scheduler = Scheduler()

    def fail(_: int) -> None:
        raise KeyError

    def work() -> None:
        with pytest.raises(KeyError):
            list(scheduler.at_once(fail, [1], width=2))

    scheduler.spawn(work)
    scheduler.run()


def test_a_killed_task_and_its_children_never_run_again() -> None:
    scheduler, done = Scheduler(), []

    def call(seconds: float) -> None:
        scheduler.sleep(seconds)
        done.append(seconds)

    task = scheduler.spawn(lambda: list(scheduler.at_once(call, [1.0, 3.0], width=2)))
    scheduler.after(2.0, task.kill)
    scheduler.run()
    assert done == [1.0]
    assert task.is_over


def test_a_reply_arrives_once_and_a_later_one_is_dropped() -> None:
    scheduler, got = Scheduler(), []
    reply = Reply(scheduler)
    scheduler.spawn(lambda: got.append(reply.wait()))
    scheduler.after(1.0, lambda: reply.retry("first"))
    scheduler.after(2.0, lambda: reply.retry("second"))
    scheduler.run()
    assert got == ["first"]


def test_tasks_that_wait_at_the_end_are_released() -> None:
    scheduler, left = Scheduler(), []

    def work() -> None:
        try:
            Reply(scheduler).wait()
        finally:
            left.append("work")

    scheduler.spawn(work)
    scheduler.run()
    assert not left
    scheduler.close()
    assert left == ["work"]


def test_only_a_task_can_wait() -> None:
    with pytest.raises(RuntimeError):
        Scheduler().sleep(1)
