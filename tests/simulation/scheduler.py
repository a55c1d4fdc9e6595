"""Virtual time: what happens next is the earliest event of a heap, and nothing takes longer than that says.

The code under test is synchronous. Each of its threads of work is a greenlet here: it runs until it waits, for a reply
or for time to pass, and then hands over to the loop. So one seed is one history, to the last event, on any machine.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

type Act = Callable[[], object]


class Scheduler:
    """The loop. ``now_s`` is the virtual time in seconds from 0; ``events`` counts what has happened."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Act]] = []
        self._numbers = count()
        self._hub = greenlet.getcurrent()
        self._current: Task | None = None
        self._idle: list[greenlet.greenlet] = []
        self._workers: list[greenlet.greenlet] = []

    def after(self, delay_s: float, act: Act) -> None:
        """Let something happen later; of events at the same time run in the order of scheduling."""
        heappush(self._heap, (self.now_s + delay_s, next(self._numbers), act))

    def run(self, *, until_s: float = float("inf")) -> None:
        """Run all events up to a time; call it where the scheduler was made."""
        heap = self._heap
        while heap and heap[0][0] <= until_s:
            self.now_s, _, act = heappop(heap)
            self.events += 1
            act()

    def close(self) -> None:
        """End all tasks that still wait, killed or never resumed. Otherwise they would be kept in memory for ever."""
        self._heap.clear()
        for worker in self._workers:
            worker.throw()
        self._workers.clear()
        self._idle.clear()

    def spawn(self, work: Act) -> Task:
        """Start a task now, after the events that are already scheduled for now."""
        task = Task(self, work)
        self.after(0.0, task.begin)
        return task

    def sleep(self, seconds: float) -> None:
        """Let the present task wait."""
        reply = Reply(self)
        self.after(seconds, lambda: reply.retry(None))
        reply.wait()

    def at_once[T, R](self, function: Callable[[T], R], values: Iterable[T], *, width: int) -> Iterator[R]:
        """Call ``function`` with each of ``values``, at most ``width`` at a time, as an executor's ``map`` does."""
        waiting = deque(enumerate(values))
        results: dict[int, R] = {}
        errors: dict[int, Exception] = {}
        done = Reply(self)
        together = min(width, len(waiting))
        at_work = [together]

        def work() -> None:
            while waiting:
                place, value = waiting.popleft()
                try:
                    results[place] = function(value)
                except Exception as error:  # noqa: BLE001  an executor, too, raises it where the result is read
                    errors[place] = error
            at_work[0] -= 1
            if not at_work[0]:
                done.retry(None)

        if together:
            parent = self.current
            for _ in range(together):
                parent.helpers.append(self.spawn(work))
            done.wait()
            parent.helpers.clear()
        for place in range(len(results) + len(errors)):
            if place in errors:
                raise errors[place]
            yield results[place]

    @property
    def current(self) -> Task:
        """The task at work; an error where nothing but the loop is."""
        if self._current is None:
            raise RuntimeError("only a task can wait")
        return self._current

    @property
    def is_idle(self) -> bool:
        """Whether no task is at work in this moment, but the loop itself."""
        return self._current is None

    def start(self, task: Task) -> None:
        """Let a task begin on a greenlet that has nothing to do, or on a new one: making one costs more than a task."""
        # The loop is a greenlet's parent: otherwise its maker would be woken at its end.
        if not self._idle:
            self._idle.append(greenlet.greenlet(self._work, self._hub))
            self._workers.append(self._idle[-1])
        task.worker = self._idle.pop()
        task.worker.switch(task)

    def _work(self, task: Task) -> None:
        while True:
            self._current = task
            task.work()
            # Not in a `finally`: what is killed is torn down some time, and somebody else is at work then.
            self._current = None
            task.is_over = True
            self._idle.append(greenlet.getcurrent())
            task = self._hub.switch()

    def hand_over(self) -> Any:
        """Let the loop go on until somebody resumes the present task."""
        task, self._current = self._current, None
        value = self._hub.switch()
        self._current = task
        return value


class Task:
    """A running task. It can be killed at any wait: none of it runs after that, not even its clean-up."""

    __slots__ = ("_is_killed", "_scheduler", "helpers", "is_over", "work", "worker")

    def __init__(self, scheduler: Scheduler, work: Act) -> None:
        self.helpers: list[Task] = []
        self.work = work
        self.is_over = False
        self._scheduler = scheduler
        self.worker: greenlet.greenlet | None = None
        self._is_killed = False

    def begin(self) -> None:
        """Run up to the first wait."""
        if not self._is_killed:
            self._scheduler.start(self)

    def resume(self, value: Any) -> None:
        """Run up to the next wait, in the loop's name."""
        if not self._is_killed:
            assert self.worker is not None
            self.worker.switch(value)

    def kill(self) -> None:
        """Never resume it or its children: a killed process does not clean up either."""
        self._is_killed = self.is_over = True
        for helper in self.helpers:
            helper.kill()


class Reply:
    """A value that a task waits for. It comes once; a second one, as after a time-out, is dropped."""

    __slots__ = ("_is_settled", "_scheduler", "_task", "_value")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._task: Task | None = None
        self._is_settled = False
        self._value: Any = None

    def retry(self, value: Any) -> None:
        """Give the value, and let the task go on that waits for it."""
        if self._is_settled:
            return
        self._is_settled = True
        self._value = value
        if self._task is None:
            return
        task, self._task = self._task, None
        if self._scheduler.is_idle:
            task.resume(value)
        else:
            self._scheduler.after(0.0, lambda: task.resume(value))

    def wait(self) -> Any:
        """Let the present task wait for the value."""
        if self._is_settled:
            return self._value
        self._task = self._scheduler.current
        return self._scheduler.hand_over()
