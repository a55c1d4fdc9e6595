"""What the first request after a start costs, which reads the catalog too, beside the bare call's first one.

By instructions only: there is one first request in each process, and a clock would see little but noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.benchmarks import meters
from tests.benchmarks.checks import Target, ratio, targets
from tests.benchmarks.subjects import OURS
from tests.benchmarks.warm import BARE

if TYPE_CHECKING:
    from tests.benchmarks.checks import Check

LABELS: Final = (OURS, BARE)
TARGETS: Final = (Target(OURS, BARE, 1.25),)


@dataclass(frozen=True, slots=True)
class Row:
    """One subject's first request: thousands of instructions, and relative to the bare call's."""

    label: str
    instructions_k: float
    instructions_ratio: float


def measure() -> tuple[list[Row], list[Check]]:
    """Start each subject and make one request; needs valgrind."""
    counted = meters.instructions({label: f"first:{label}" for label in LABELS})
    rows = [Row(label, median(counted[label]), ratio(counted, label, BARE)) for label in LABELS]
    return rows, targets(TARGETS, counted, "instructions of the first request")
