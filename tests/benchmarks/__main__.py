"""``make bench``: measure, print tables, write the figures to a file, and fail where the run can't be trusted."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks import (
    alternation,
    batches,
    calls,
    end_to_end,
    first_request,
    growth,
    initialisation,
    longevity,
    merging,
    meters,
    reading,
    readme_chart,
    warm,
)
from tests.benchmarks.formatting import figure, say, say_checks, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.benchmarks.checks import Check

ROUNDS = 15
SEED = 20261123
NOT_MEASURED: Final = (
    "Not measured: real Lambda and its processors, starting an environment before Python runs, SnapStart, DynamoDB's\n"
    "latency, the network and its TLS, reading an event from Lambda's runtime API and writing the answer to it."
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".local/bench.json"), help="where the figures go")
    parser.add_argument(
        "--only", choices=list(PARTS), action="append", help="one part of it; may be given several times"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="samples of each variant")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order of the variants within a round")
    parser.add_argument("--no-instructions", action="store_true", help="don't use valgrind, though it is there")
    parser.add_argument(
        "--rows", type=int, choices=growth.LENGTHS[1:], default=growth.LENGTHS[-1], help="of the longest history"
    )
    parser.add_argument("--picture", type=Path, help="draw starts and warm requests as an SVG file")
    asked = parser.parse_args(arguments)
    parts = [name for name in PARTS if not asked.only or name in asked.only]
    if asked.picture and not {"initialisation", "warm"} <= set(parts):
        parser.error("the picture shows the parts initialisation and warm")

    figures: dict[str, object] = {"machine": machine(), "seed": asked.seed, "rounds": asked.rounds}
    checks: list[Check] = []
    say(", ".join(f"{name} {value}" for name, value in machine().items()))
    for name in parts:
        begun_s = time.monotonic()
        figures[name.replace("-", "_")], found = PARTS[name](asked)
        say(f"({name}: {time.monotonic() - begun_s:.0f} s)")
        checks += found
    figures["checks"] = [check._asdict() for check in checks]
    figures["not_measured"] = NOT_MEASURED
    say(f"\n{NOT_MEASURED}")
    say_checks(checks)

    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    say(f"\nAll figures: {asked.out}")
    if asked.picture:
        asked.picture.write_text(readme_chart.performance(figures), encoding="utf-8")
        say(f"The picture: {asked.picture}")
    return 0 if all(check.held for check in checks) else 1


def machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("boto3", "pydantic", "aws-lambda-powertools", "fastapi")},
    }


def _counting(asked: argparse.Namespace) -> bool:
    return meters.VALGRIND is not None and not asked.no_instructions


def _initialisation(asked: argparse.Namespace) -> Part:
    rows, checks = initialisation.measure(starts=asked.rounds, seed=asked.seed, count_instructions=_counting(asked))
    head = ["start", "instr. M", "ratio", "CPU ms", "ratio", "memory MB", "ratio"]
    cells = [
        [
            row.label,
            figure(row.instructions_m, 0),
            figure(row.instructions_ratio),
            figure(row.cpu_ms, 0),
            figure(row.cpu_ratio),
            figure(row.memory_mb, 1),
            figure(row.memory_ratio),
        ]
        for row in rows
    ]
    say(f"\nA cold start's Python\n{table(head, cells)}\n{initialisation.LEGEND}")
    return [asdict(row) for row in rows], checks


def _warm(asked: argparse.Namespace) -> Part:
    rows, checks = warm.measure(rounds=asked.rounds, seed=asked.seed, count_instructions=_counting(asked))
    head = ["warm request", "calls", "instr. k", "ratio", "CPU µs", "ratio", "loopback µs", "ratio"]
    cells = [
        [
            row.label,
            figure(row.calls),
            figure(row.instructions_k, 0),
            figure(row.instructions_ratio),
            figure(row.cpu_us, 0),
            figure(row.cpu_ratio),
            figure(row.loopback_us, 0),
            figure(row.loopback_ratio),
        ]
        for row in rows
    ]
    say(f"\nOne request of a warm environment\n{table(head, cells)}\n{warm.LEGEND}")
    return [asdict(row) for row in rows], checks


def _first(asked: argparse.Namespace) -> Part:
    if not _counting(asked):
        return [], []
    rows, checks = first_request.measure()
    cells = [[row.label, figure(row.instructions_k, 0), figure(row.instructions_ratio)] for row in rows]
    say(f"\nThe first request after a start\n{table(['first request', 'instr. k', 'ratio'], cells)}")
    return [asdict(row) for row in rows], checks


def _alternation(asked: argparse.Namespace) -> Part:
    rows, checks = alternation.measure(seed=asked.seed)
    head = ["alternating", "CPU µs", "ratio", "loopback p50 µs", "ratio"]
    cells = [
        [
            row.label,
            figure(row.cpu_us, 0),
            figure(row.cpu_ratio),
            figure(row.loopback_p50_us, 0),
            figure(row.loopback_p50_ratio),
        ]
        for row in rows
    ]
    say(f"\nOne request of a warm environment, in turns\n{table(head, cells)}\n{alternation.LEGEND}")
    return [asdict(row) for row in rows], checks


def _reading(asked: argparse.Namespace) -> Part:
    rows, checks = reading.measure(rounds=asked.rounds, seed=asked.seed, count_instructions=_counting(asked))
    cells = [[row.label, figure(row.calls, 4), figure(row.cpu_us, 1), figure(row.instructions_k, 1)] for row in rows]
    say(f"\nReading, for each row\n{table(['read', 'calls', 'CPU µs', 'instr. k'], cells)}\n{reading.LEGEND}")
    return [asdict(row) for row in rows], checks


def _calls(_asked: argparse.Namespace) -> Part:
    rows, checks = calls.measure()
    cells = [[row.label, figure(row.calls), figure(row.read_units), figure(row.write_units)] for row in rows]
    say(f"\nWhat a request asks of DynamoDB\n{table(['request', 'calls', 'read units', 'write units'], cells)}")
    say(calls.LEGEND)
    return [asdict(row) for row in rows], checks


def _growth(asked: argparse.Namespace) -> Part:
    rows, checks = growth.measure(
        rounds=asked.rounds, seed=asked.seed, count_instructions=_counting(asked), longest=asked.rows
    )
    head = ["rows", "calls", "read units", "write units", "sent B", "received B"]
    head += ["CPU µs", "x", "instr. k", "x", "emulator µs"]
    for axis, kind in dict.fromkeys((row.axis, row.kind) for row in rows):
        cells = [
            [
                row.label,
                figure(row.calls),
                figure(row.read_units),
                figure(row.write_units),
                figure(row.sent_bytes, 0),
                figure(row.received_bytes, 0),
                figure(row.cpu_us, 0),
                figure(row.cpu_ratio),
                figure(row.instructions_k, 0),
                figure(row.instructions_ratio, 3),
                figure(row.emulator_us, 0),
            ]
            for row in rows
            if (row.axis, row.kind) == (axis, kind)
        ]
        say(f"\nMore {axis}: {kind}\n{table(head, cells)}")
    say(growth.LEGEND)
    return [asdict(row) for row in rows], checks


def _longevity(_asked: argparse.Namespace) -> Part:
    rows, checks = longevity.measure()
    head = ["requests", "memory MB", "items", "shared items", "catalog", "CPU µs"]
    cells = [
        [
            f"{row.requests:,}",
            figure(row.rss_mb, 1),
            f"{row.stock_entries:,}",
            f"{row.shared_entries:,}",
            f"{row.catalog_entries:,}",
            figure(row.cpu_us, 0),
        ]
        for row in rows
    ]
    say(f"\nAn environment that grows old\n{table(head, cells)}\n{longevity.LEGEND}")
    return [asdict(row) for row in rows], checks


def _batches(asked: argparse.Namespace) -> Part:
    rows, checks = batches.measure(rounds=asked.rounds, seed=asked.seed, count_instructions=_counting(asked))
    head = ["a line of", "calls", "WU", "CPU µs", "ratio", "least", "greatest", "instr. k", "ratio"]
    cells = [
        [
            row.label,
            figure(row.calls, 3),
            figure(row.write_units),
            figure(row.cpu_us, 0),
            figure(row.cpu_ratio, 3),
            figure(row.cpu_ratio_least, 3),
            figure(row.cpu_ratio_greatest, 3),
            figure(row.instructions_k, 0),
            figure(row.instructions_ratio, 3),
        ]
        for row in rows
    ]
    say(f"\nOne line of a batch (WU: write units)\n{table(head, cells)}\n{batches.LEGEND}")
    return [asdict(row) for row in rows], checks


def _merging(asked: argparse.Namespace) -> Part:
    rows, checks = merging.measure(rounds=asked.rounds, seed=asked.seed, count_instructions=_counting(asked))
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
    return [asdict(row) for row in rows], checks


def _end_to_end(_asked: argparse.Namespace) -> Part:
    runs = end_to_end.measure()
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
    return [run._asdict() for run in runs], []


type Part = tuple[list[dict[str, object]], list[Check]]

PARTS: Final[Mapping[str, Callable[[argparse.Namespace], Part]]] = {
    "initialisation": _initialisation,
    "first": _first,
    "warm": _warm,
    "alternation": _alternation,
    "calls": _calls,
    "merging": _merging,
    "batches": _batches,
    "reading": _reading,
    "growth": _growth,
    "longevity": _longevity,
    "end-to-end": _end_to_end,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
