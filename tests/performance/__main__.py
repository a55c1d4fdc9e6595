"""``make bench``: measure, print tables, write the figures to a file, and fail where the run can't be trusted."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.performance import end_to_end, merging, meters
from tests.performance.text import figure, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.performance.merging import Check

ROUNDS = 15
SEED = 20261123


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".local/bench.json"), help="where the figures go")
    parser.add_argument("--only", choices=["merging", "end-to-end"], help="one part of it")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="samples of each variant")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order of the variants within a round")
    parser.add_argument("--no-instructions", action="store_true", help="don't use valgrind, though it is there")
    asked = parser.parse_args(arguments)

    figures: dict[str, object] = {"machine": machine(), "seed": asked.seed, "rounds": asked.rounds}
    checks: list[Check] = []
    say(", ".join(f"{name} {value}" for name, value in machine().items()))
    if asked.only != "end-to-end":
        counting = meters.VALGRIND is not None and not asked.no_instructions
        rows, checks = merging.measure(rounds=asked.rounds, seed=asked.seed, count_instructions=counting)
        figures["merging"] = [asdict(row) for row in rows]
        say_merging(rows)
    if asked.only != "merging":
        runs = end_to_end.measure()
        figures["end_to_end"] = [asdict(run) for run in runs]
        say_end_to_end(runs)
    figures["checks"] = [asdict(check) for check in checks]
    say_checks(checks)

    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    say(f"\nAll figures: {asked.out}")
    return 0 if all(check.held for check in checks) else 1


def machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("boto3", "pydantic", "aws-lambda-powertools")},
    }


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  what it is for


def say_merging(rows: Sequence[merging.Row]) -> None:
    head = ["one hot item", "calls", "stock WU", "all WU", "CPU µs", "instr. k", "calls x", "WU x", "CPU x", "instr. x"]
    cells = [
        [
            row.label,
            figure(row.calls),
            figure(row.stock_units),
            figure(row.units),
            figure(row.cpu_us, 0),
            figure(row.instructions_k, 0),
            figure(row.calls_ratio, 1),
            figure(row.stock_units_ratio, 1),
            figure(row.cpu_ratio),
            figure(row.instructions_ratio),
        ]
        for row in rows
    ]
    say(f"\nMerging, for each adjustment (WU: write units; x: times less than one by one)\n{table(head, cells)}")
    say(f"{merging.LEGEND}\n{merging.NOT_MEASURED}")


def say_end_to_end(runs: Sequence[end_to_end.Run]) -> None:
    head = ["round", "way", "adjustments", "seconds", "per second", "repeated"]
    cells = [
        [
            str(run.round),
            run.way,
            str(run.adjustments),
            figure(run.seconds),
            figure(run.per_second, 0),
            str(run.repeated),
        ]
        for run in runs
    ]
    say(f"\nOne hot item on the emulator, from the first send to the last ledger row\n{table(head, cells)}")
    say(f"The queue is {end_to_end.ratio(runs):.1f} x as fast (medians).\n{end_to_end.NOTE}")


def say_checks(checks: Sequence[Check]) -> None:
    cells = [[check.what, check.wanted, check.reached, "yes" if check.held else "NO"] for check in checks]
    if cells:
        say(f"\n{table(['must hold', 'wanted', 'reached', 'held'], cells)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
