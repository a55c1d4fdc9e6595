"""Many histories, by their seeds, on all cores: each is judged, and one that fails is named for a replay."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Final

from tests.simulation.history import History
from tests.simulation.mutants import MUTANTS
from tests.simulation.record import Created, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.record import Answer

SEEDS_IN_TESTS: Final = 500
"""Histories of `make test`: the mutants are caught within these."""

SEEDS_IN_SOAK: Final = 10_000
_CHUNK: Final = 20
_CHUNKS_OF_ONE_PROCESS: Final = 10
"""Frames of killed work are not all found by the garbage collector: half a megabyte a history stays until the end."""


@dataclass(slots=True)
class Summary:
    """The results of histories; ``problems`` are by seed."""

    histories: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    problems: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Summary) -> None:
        """Take another summary into this one."""
        self.histories += other.histories
        self.steps += other.steps
        self.faults += other.faults
        self.answers += other.answers
        self.problems |= other.problems


def run_seed(seed: int, *, mutant: str | None = None) -> Summary:
    """Let one seed's history happen, of the service or of a broken variant, and judge it."""
    if mutant is None:
        return _judged(History(seed))
    with MUTANTS[mutant].change():
        return _judged(History(seed, parts=MUTANTS[mutant].parts))


def run_seeds(seeds: Iterable[int]) -> Summary:
    """Run histories one after the other."""
    summary = Summary()
    with _without_looking_for_garbage():
        for seed in seeds:
            summary.add(run_seed(seed))
    return summary


def run_on_all_cores(seeds: Iterable[int]) -> Summary:
    """Run histories side by side, each process some of them."""
    summary = Summary()
    # Not an executor: that of Python 3.13 waits for ever where a process has run as many tasks as it may.
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=_CHUNKS_OF_ONE_PROCESS) as pool:
        for each in pool.imap(run_seeds, batched(seeds, _CHUNK, strict=False)):
            summary.add(each)
        pool.close()
        pool.join()
    return summary


def steps_until_caught(mutant: str, seeds: Iterable[int]) -> int | None:
    """How many steps a broken variant took until the checker found something; None: it never did."""
    steps = 0
    with _without_looking_for_garbage():
        for seed in seeds:
            summary = run_seed(seed, mutant=mutant)
            steps += summary.steps
            if summary.problems:
                return steps
    return None


def digest_of(seed: int) -> str:
    """A digest of a seed's history."""
    return History(seed).run().digest()


def replay_command(seed: int) -> str:
    """What to type to see a seed's history again."""
    return f"make soak SEED={seed}"


def main() -> int:
    """Run what ``SEED`` or ``SEEDS`` say, and print the result; the exit status is 1 where anything is wrong."""
    seed, seeds = os.environ.get("SEED"), int(os.environ.get("SEEDS") or SEEDS_IN_SOAK)
    began_s = time.perf_counter()
    summary = run_seeds([int(seed)]) if seed else run_on_all_cores(range(1, seeds + 1))
    took_s = time.perf_counter() - began_s
    say = sys.stdout.write
    say(f"{summary.histories:,} histories, {summary.steps:,} steps, {took_s:.0f} s: ")
    say(f"{summary.steps / took_s:,.0f} a second\n")
    say(f"{summary.faults.total():,} faults: {_counted(summary.faults)}\n")
    say(f"{summary.answers.total():,} answers: {_counted(summary.answers)}\n")
    if seed:
        say(f"digest {digest_of(int(seed))}\n")
    for failed, problems in summary.problems.items():
        say(f"\nseed {failed} ({replay_command(failed)}):\n" + "".join(f"  {problem}\n" for problem in problems))
    say("nothing wrong\n" if not summary.problems else f"\n{len(summary.problems)} histories are wrong\n")
    return int(bool(summary.problems))


@contextmanager
def _without_looking_for_garbage() -> Iterator[None]:
    """What a history leaves is of one piece: to look for it again and again meanwhile costs a quarter of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def _judged(history: History) -> Summary:
    world = history.run().world
    problems = history.problems()
    return Summary(
        histories=1,
        steps=history.steps,
        faults=Counter({str(fault): times for fault, times in world.weather.met.items()})
        + Counter({"restored": world.restored, "tables restored": world.restores}),
        answers=Counter(_name(answered.answer) for answered in history.record.answered)
        + Counter({"event": len(world.bus.taken)}),
        problems={history.seed: problems} if problems else {},
    )


def _name(answer: Answer) -> str:
    match answer:
        case Created(_, replayed):
            return "replayed" if replayed else "created"
        case Refused(name, _):
            return name
    return type(answer).__name__.lower()


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {times:,}" for name, times in counter.most_common())
