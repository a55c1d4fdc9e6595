"""The command behind `make audit`: every segment of a running service is audited, several at a time."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from local.command import Parser, run
from local.places import Places
from local.progress import Bar
from local.target import Target, find_target, invoke_patiently

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLEAN, DIFFERENT, NOT_AUDITED = 0, 1, 2
"""Exit statuses."""

SEGMENTS = 24
WORKERS = 4
SECONDS = 15
"""Of one invocation: short enough for the bar to move, and for no connection to look idle."""

_TICK_S = 0.2


@dataclass(slots=True)
class Verdict:
    """What was found so far. The same difference can be found from two sides: from its stock item and in the ledger."""

    rows: int = 0
    stock_items: int = 0
    problem_count: int = 0
    _told: set[tuple[object, ...]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answer: dict[str, Any]) -> list[str]:
        """Count an answer; return a line for each problem that was not told before."""
        with self._lock:
            self.rows += answer["rows"]
            self.stock_items += answer["stock_items"]
            self.problem_count += answer["problem_count"] - len(answer["problems"])
            lines = []
            for problem in answer["problems"]:
                where = tuple(problem[name] for name in ("business_id", "variant_id", "location_id", "sequence"))
                known = (problem["kind"], *where) if None not in where else (problem["kind"], problem["key"])
                if known not in self._told:
                    self._told.add(known)
                    self.problem_count += 1
                    lines.append(_described(problem))
            return lines

    def __str__(self) -> str:
        rows, stock_items = _counted(self.rows, "row"), _counted(self.stock_items, "stock item")
        return f"{rows}, {stock_items}, {_counted(self.problem_count, 'problem')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _described(problem: dict[str, Any]) -> str:
    """Name a problem on one line, by what is known of it; of an item that says nothing of itself, that is its key."""
    names = {
        "business_id": "business",
        "variant_id": "variant",
        "location_id": "location",
        "sequence": "sequence",
        "adjustment_id": "adjustment",
    }
    known = [f"{noun} {_printable(problem[name])}" for name, noun in names.items() if problem[name] is not None]
    return f"{problem['kind']}: {', '.join(known) or 'item ' + _printable(problem['key'])}"


def _printable(value: object) -> str:
    """Show what somebody may have written by hand without letting it steer the terminal."""
    text = str(value)
    return text if text.isprintable() else repr(text)


class Audit:
    """One audit of everything; `stop()` lets no further invocation begin."""

    def __init__(self, target: Target, segments: int) -> None:
        self._target = target
        self._segments = segments
        self._stopped = threading.Event()
        self.verdict = Verdict()
        self.lines: list[str] = []

    def stop(self) -> None:
        """End soon: what is under way in the cloud ends by itself, and nobody waits for it."""
        self._stopped.set()

    def segment(self, number: int) -> None:
        """Audit one segment to its end.

        Raises:
            LocalStackError: it could not be audited.

        """
        position: str | None = None
        while not self._stopped.is_set():
            payload: dict[str, object] = {"segment": number, "segments": self._segments, "seconds": SECONDS}
            answer = self._invoke(payload if position is None else payload | {"position": position})
            self.lines += self.verdict.add(answer)
            position = answer["next"]
            if position is None:
                return

    def _invoke(self, payload: dict[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = invoke_patiently(
            self._target, "AuditLedgerFunctionName", payload, pause=self._stopped.wait
        )
        return answer


def audit(target: Target, segments: int, workers: int = WORKERS) -> Verdict:
    """Audit everything, showing how far it has come and each problem as it is found.

    Raises:
        LocalStackError: a segment could not be audited, so there is no verdict.

    """
    run, bar = Audit(target, segments), Bar(segments, "segments")
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = {pool.submit(run.segment, number) for number in range(segments)}
        for finished in _finishing(waiting):
            while run.lines:
                bar.line(run.lines.pop(0))
            bar.show(segments - len(waiting), str(run.verdict))
            for each in finished:
                each.result()
        while run.lines:
            bar.line(run.lines.pop(0))
        return run.verdict
    finally:
        run.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        bar.clear()


def _finishing(waiting: set[Future[None]]) -> Iterator[set[Future[None]]]:
    """Yield those that have finished meanwhile, several times a second, and take them out of those that wait."""
    while waiting:
        finished, _ = wait(waiting, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        waiting -= finished
        yield finished


def _segments(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"a number from 1 to 1000, not {text!r}")
    return int(text)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m local.audit", description=__doc__)
    parser.add_argument("--stack")
    parser.add_argument("--segments", type=_segments, default=SEGMENTS)
    return parser.parse(arguments)


def _carry_out(arguments: Sequence[str] | None) -> int:
    started = time.monotonic()
    wanted = _parse(arguments)
    verdict = audit(find_target(Places.from_environment(), wanted.stack), wanted.segments)
    adds_up = verdict.problem_count == 0
    seconds = time.monotonic() - started
    print(f"{'Everything adds up' if adds_up else 'NOT everything adds up'}: {verdict}, {seconds:.1f} s")
    return CLEAN if adds_up else DIFFERENT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run(
        partial(_carry_out, arguments),
        failed=NOT_AUDITED,
        failed_means="There is no verdict: not everything was audited.",
        interrupted_means="there is no verdict.",
    )


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # What was interrupted ends by itself where it runs; Python would wait for its answers before the prompt is back.
    os._exit(status)
