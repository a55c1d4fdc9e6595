"""What a line of a batch costs a warm environment, against the same change as a request of its own."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.benchmarks import meters
from tests.benchmarks.checks import (
    AGAIN,
    CPU_CONTROL_MAX,
    INSTRUCTIONS_CONTROL_MAX,
    Check,
    Target,
    controls,
    ratio,
    targets,
)
from tests.benchmarks.subjects import BATCH_OF_49, BATCHES, OURS, SAME_ITEM_99
from tests.benchmarks.warm import BARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUBJECTS: Final = (OURS, *BATCHES)
CONTROLLED: Final = (OURS, BATCH_OF_49, SAME_ITEM_99)
LABELS: Final = (*SUBJECTS, *(each + AGAIN for each in CONTROLLED))
TARGETS: Final = (Target(BATCH_OF_49, OURS, 0.50), Target(SAME_ITEM_99, OURS, 0.20, gate_max=0.22))
"""Of CPU time, a line against a single request."""

REACHED: Final[Mapping[str, float]] = {BATCH_OF_49: 0.202, SAME_ITEM_99: 0.220}
"""Instructions of a line, relative to one bare call, when they were measured last. It stays where it is when single
requests get cheaper."""

MARGIN: Final = 1.02
GATES: Final = tuple(Target(label, BARE, reached * MARGIN) for label, reached in REACHED.items())

CALLS_EACH: Final = 1
"""Calls of a request whose stock items and catalog are cached, however many lines it has."""

LEGEND: Final = (
    f"A whole handler for each request, on the stubbed transport; everything is for one line. {OURS}: a request with\n"
    "one change. items: a batch of mode atomic with a line for each; the last two: all lines for one stock item, in\n"
    "mode atomic, and in mode each, merged. ratio: to the single request. Stock items and catalog are cached."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One subject, for each line: medians, and each relative to the single request. None: not measured."""

    label: str
    calls: float
    write_units: float
    cpu_us: float
    cpu_ratio: float
    cpu_ratio_least: float
    cpu_ratio_greatest: float
    instructions_k: float | None
    instructions_ratio: float | None


def measure(*, rounds: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[Check]]:
    """Run all of them."""
    work, cpu_us = meters.cpu(variants(LABELS), rounds=rounds, seed=seed)
    counted = meters.instructions(variants(LABELS)) if count_instructions else None
    rows = []
    for label in LABELS:
        ratios = [of / single for of, single in zip(cpu_us[label], cpu_us[OURS], strict=True)]
        rows.append(
            Row(
                label=label,
                calls=work[label].calls / work[label].requests,
                write_units=work[label].units / work[label].requests,
                cpu_us=median(cpu_us[label]),
                cpu_ratio=ratio(cpu_us, label, OURS),
                cpu_ratio_least=min(ratios),
                cpu_ratio_greatest=max(ratios),
                instructions_k=None if counted is None else median(counted[label]),
                instructions_ratio=None if counted is None else ratio(counted, label, OURS),
            )
        )
    judged = [
        *controls(cpu_us, "CPU time of a line", CPU_CONTROL_MAX),
        *targets(TARGETS, cpu_us, "CPU time of a line"),
        *_calls(rows),
    ]
    if counted is not None:
        judged += controls(counted, "instructions of a line", INSTRUCTIONS_CONTROL_MAX)
    return rows, judged


def variants(labels: Sequence[str]) -> dict[str, str]:
    """Label to variant."""
    return {label: f"stubbed:{label.removesuffix(AGAIN)}" for label in labels}


def _calls(rows: Sequence[Row]) -> list[Check]:
    """One transaction for all lines, and nothing else."""
    checks = []
    for row in rows:
        lines = BATCHES.get(row.label)
        if lines is not None:
            calls = round(row.calls * lines.number, 6)
            what = f"calls of a request, {row.label}"
            checks.append(Check(what, f"{CALLS_EACH}", f"{calls:g}", calls == CALLS_EACH))
    return checks
