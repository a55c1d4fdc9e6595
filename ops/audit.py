"""The subcommand `audit`: every segment of a running service is audited, several at a time."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from rich.progress import TimeElapsedColumn

from ops.command import Command, for_stack
from ops.progress import bar_on
from ops.stacks import Target, find_target, invoke_until_done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

CLEAN, DIFFERENT, NOT_AUDITED = 0, 1, 2
"""Exit statuses."""

SEGMENTS = 24
SEGMENTS_MAX = 1_000
WORKERS = 4
SECONDS = 15
"""Of one invocation: short enough for the bar to move, and for no connection to look idle."""

_TICK_S = 0.2


@dataclass(slots=True)
class Verdict:
    """What was found so far. The same problem can be found twice: from its stock item, and in the ledger."""

    rows: int = 0
    stock_items: int = 0
    problem_count: int = 0
    _reported: set[tuple[object, ...]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answer: dict[str, Any]) -> list[str]:
        """Count an answer; return a line for each problem that was not reported before."""
        with self._lock:
            self.rows += answer["rows"]
            self.stock_items += answer["stock_items"]
            self.problem_count += answer["problem_count"] - len(answer["problems"])
            lines = []
            for problem in answer["problems"]:
                where = tuple(problem[name] for name in ("business_id", "variant_id", "location_id", "sequence"))
                known = (problem["kind"], *where) if None not in where else (problem["kind"], problem["key"])
                if known not in self._reported:
                    self._reported.add(known)
                    self.problem_count += 1
                    lines.append(_described(problem))
            return lines

    def __str__(self) -> str:
        rows, stock_items = _counted(self.rows, "row"), _counted(self.stock_items, "stock item")
        return f"{rows}, {stock_items}, {_counted(self.problem_count, 'problem')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _described(problem: dict[str, Any]) -> str:
    """Describe a problem on one line by what is known of it; where nothing else is, by the key of its item."""
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
    """Return text that may have been written by hand without the characters that control a terminal."""
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
        """End soon. An invocation that is under way ends by itself, and its answer is not waited for."""
        self._stopped.set()

    def segment(self, number: int) -> None:
        """Audit one segment to its end.

        Raises:
            CommandError: it could not be audited.

        """
        position: str | None = None
        while not self._stopped.is_set():
            payload: dict[str, object] = {"segment": number, "segments": self._segments, "seconds": SECONDS}
            answer = self._invoke(payload if position is None else payload | {"position": position})
            self.lines += self.verdict.add(answer)
            position = answer["next"]
            if position is None:
                return

    def print_lines(self, console: Console) -> None:
        """Print the problems that were found since the last call."""
        while self.lines:
            console.print(self.lines.pop(0), soft_wrap=True)

    def _invoke(self, payload: dict[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = invoke_until_done(
            self._target, "AuditLedgerFunctionName", payload, pause=self._stopped.wait
        )
        return answer


def audit_all(target: Target, segments: int, workers: int = WORKERS) -> Verdict:
    """Audit everything, showing how far it has come and each problem as it is found.

    Raises:
        CommandError: a segment could not be audited, so there is no verdict.

    """
    run = Audit(target, segments)
    pool = ThreadPoolExecutor(workers)
    try:
        with bar_on(sys.stdout, "{task.completed}/{task.total} segments", TimeElapsedColumn()) as progress:
            bar = progress.add_task("", total=segments)
            waiting = {pool.submit(run.segment, number) for number in range(segments)}
            for finished in _finishing(waiting):
                run.print_lines(progress.console)
                progress.update(bar, completed=segments - len(waiting), description=str(run.verdict), refresh=True)
                for each in finished:
                    each.result()
            run.print_lines(progress.console)
        return run.verdict
    finally:
        run.stop()
        pool.shutdown(wait=False, cancel_futures=True)


def _finishing(waiting: set[Future[None]]) -> Iterator[set[Future[None]]]:
    """Several times a second, yield the futures that have finished and take them out of ``waiting``."""
    while waiting:
        finished, _ = wait(waiting, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        waiting -= finished
        yield finished


@click.command(
    cls=Command,
    failed=NOT_AUDITED,
    failed_means="There is no verdict: not everything was audited.",
    interrupted_means="there is no verdict.",
)
@click.option(
    "--segments",
    type=click.IntRange(1, SEGMENTS_MAX),
    default=SEGMENTS,
    show_default=True,
    help="Parts that the tables are divided into; each is audited by itself.",
)
@for_stack
def audit(segments: int, stack: str | None) -> int:
    """Look for anything in ledger and stock that does not add up.

    The exit status is 0 where everything adds up, 1 where something does not, and 2 where there is no verdict.
    """
    started = time.monotonic()
    verdict = audit_all(find_target(stack), segments)
    adds_up = verdict.problem_count == 0
    seconds = time.monotonic() - started
    click.echo(f"{'Everything adds up' if adds_up else 'NOT everything adds up'}: {verdict}, {seconds:.1f} s")
    return CLEAN if adds_up else DIFFERENT
