"""What merging requests for one stock item into one transaction saves, against handling each on its own."""

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
    control,
    targets,
)
from tests.benchmarks.variants import SIZES
from tests.benchmarks.warm import BARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.meters import Work

BASELINES: Final = {"adjuster": "adjuster:alone", "handler": "handler:1"}
TARGETS: Final = (
    # variant, of what, how many times less than one by one
    ("adjuster:10", "calls", 10.0),
    ("handler:10", "calls", 10.0),
    ("adjuster:10", "stock_units", 10.0),
    ("handler:10", "stock_units", 10.0),
    ("adjuster:10", "cpu", 5.0),
    ("adjuster:99", "cpu", 9.0),
)
"""By CPU time of the use case. The handler's CPU time and all instructions are only reported."""

SHARES: Final = (Target("adjuster:99", BARE, 0.16), Target("handler:99", BARE, 0.16, gate_max=0.22))
"""Of one bare call's CPU time, for each row: a measure that does not fall when single requests get cheaper."""

NOT_MEASURED: Final = (
    "Not measured here: real Lambda, the network, DynamoDB's latency, what an invocation costs by itself (one-by-one "
    "handling has N of them), and the TLS of each call."
)
LEGEND: Final = (
    "adjuster: Adjuster.adjust for each command (alone), adjust_all for groups; handler: all of ingest_adjustments\n"
    "with Logger and Metrics, N messages in one invocation; its baseline is one message in each. Stubbed transport;\n"
    "catalog known; every request has a key. Instructions are steady, but they are not CPU time: a processor gets\n"
    "through more of them a second in the tight loops of a group than on the long ways of a call, so they show less."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One variant, for each request: calls and write units; medians of CPU and instructions.

    ``*_ratio`` is how many times less than its baseline; of CPU the median over the rounds. Instructions are None where
    they were not counted.
    """

    label: str
    calls: float
    stock_units: float
    units: float
    cpu_us: float
    instructions_k: float | None
    calls_ratio: float
    stock_units_ratio: float
    cpu_ratio: float
    instructions_ratio: float | None


def variants() -> dict[str, str]:
    """Label to variant: what is compared, and each baseline once more."""
    names = [BASELINES["adjuster"], *(f"{entry}:{size}" for entry in BASELINES for size in SIZES)]
    return {name: name for name in names} | {baseline + AGAIN: baseline for baseline in BASELINES.values()}


def measure(*, rounds: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[Check]]:
    """Run all variants."""
    work, cpu_us = meters.cpu(variants() | {BARE: f"stubbed:{BARE}"}, rounds=rounds, seed=seed)
    shares = targets(SHARES, cpu_us, "CPU time of a row")
    instructions_k = meters.instructions(variants()) if count_instructions else None
    rows = [_row(label, work, cpu_us, instructions_k) for label in variants()]
    ledgers = {label: work[label].ledger for label in variants()}
    return rows, [*_controls(rows), _same_ledger(ledgers), *_targets(rows), *shares]


def _row(
    label: str,
    work: Mapping[str, Work],
    cpu_us: Mapping[str, Sequence[float]],
    instructions_k: Mapping[str, Sequence[float]] | None,
) -> Row:
    baseline = BASELINES[label.partition(":")[0]]
    of, against = work[label], work[baseline]
    counted = None if instructions_k is None else median(instructions_k[label])
    return Row(
        label=label,
        calls=of.calls / of.requests,
        stock_units=of.stock_units / of.requests,
        units=of.units / of.requests,
        cpu_us=median(cpu_us[label]),
        instructions_k=counted,
        calls_ratio=(against.calls / against.requests) / (of.calls / of.requests),
        stock_units_ratio=(against.stock_units / against.requests) / (of.stock_units / of.requests),
        cpu_ratio=median(one / each for one, each in zip(cpu_us[baseline], cpu_us[label], strict=True)),
        instructions_ratio=None
        if instructions_k is None or counted is None
        else median(instructions_k[baseline]) / counted,
    )


def _controls(rows: Sequence[Row]) -> list[Check]:
    """The same variant twice: what differs between the two is the meter's own error."""
    checks = []
    for row in rows:
        if row.label.endswith(AGAIN):
            checks.append(control(row.label, "CPU time", row.cpu_ratio, CPU_CONTROL_MAX))
            if row.instructions_ratio is not None:
                checks.append(control(row.label, "instructions", row.instructions_ratio, INSTRUCTIONS_CONTROL_MAX))
    return checks


def _same_ledger(ledgers: Mapping[str, str]) -> Check:
    kinds = len(set(ledgers.values()))
    return Check("ledger rows of all variants", "the same", f"{kinds} kind(s)", kinds == 1)


def _targets(rows: Sequence[Row]) -> list[Check]:
    by_label = {row.label: row for row in rows}
    checks = []
    for label, of, wanted in TARGETS:
        row = by_label[label]
        name, ratio = {
            "calls": ("calls", row.calls_ratio),
            "stock_units": ("stock item's write units", row.stock_units_ratio),
            "cpu": ("CPU time", row.cpu_ratio),
        }[of]
        # A ratio of counts is exact but for the last bit of a quotient.
        held = round(ratio, 6) >= wanted
        checks.append(Check(f"{label}: {name}", f"{wanted:g} x less", f"{ratio:.2f} x", held))
    return checks
