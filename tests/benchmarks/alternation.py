"""One request of a warm environment where processes take turns for each request, and its latency over loopback.

An environment of Lambda sleeps between two requests, and its code has left the processor's caches meanwhile. Requests
one right after the other (``warm``) show it too fast, and more so what does much in few instructions.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.benchmarks import meters
from tests.benchmarks.checks import AGAIN, Target, controls, ratio, targets
from tests.benchmarks.subjects import OURS
from tests.benchmarks.warm import BARE, LOOPBACK_CONTROL_MAX, emulated_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.checks import Check

SUBJECTS: Final = (OURS, BARE)
LABELS: Final = (*SUBJECTS, *(each + AGAIN for each in SUBJECTS))
REQUESTS: Final = 1_500
LOOPBACK_REQUESTS: Final = 400
TARGETS: Final = (Target(OURS, BARE, 1.05),)
LEGEND: Final = (
    "Medians over single requests; the processes take turns for each. loopback p50: wall-clock latency of a request\n"
    "over HTTP to the emulator's DynamoDB here. ratio: to bare, request by request."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One subject: medians of a request, and relative to the bare call."""

    label: str
    cpu_us: float
    cpu_ratio: float
    loopback_p50_us: float
    loopback_p50_ratio: float


def measure(*, seed: int) -> tuple[list[Row], list[Check]]:
    """Let the subjects take turns, on the stubbed transport and on the emulator."""
    stubbed = meters.alternating(_variants("single"), requests=REQUESTS, seed=seed).cpu_us
    with emulated_tables(LABELS) as environments:
        loopback = meters.alternating(
            _variants("emulated"), requests=LOOPBACK_REQUESTS, seed=seed, environments=environments
        ).wall_us
    return rows(stubbed, loopback), judged(stubbed, loopback)


def rows(cpu_us: Mapping[str, Sequence[float]], loopback_us: Mapping[str, Sequence[float]]) -> list[Row]:
    """What is shown of the samples."""
    return [
        Row(
            label=label,
            cpu_us=median(cpu_us[label]),
            cpu_ratio=ratio(cpu_us, label, BARE),
            loopback_p50_us=median(loopback_us[label]),
            loopback_p50_ratio=ratio(loopback_us, label, BARE),
        )
        for label in LABELS
    ]


def judged(cpu_us: Mapping[str, Sequence[float]], loopback_us: Mapping[str, Sequence[float]]) -> list[Check]:
    """Controls and targets of both."""
    cpu, latency = "CPU time of a request, alternating", "p50 over loopback, alternating"
    return [
        *controls(cpu_us, cpu, LOOPBACK_CONTROL_MAX),
        *controls(loopback_us, latency, LOOPBACK_CONTROL_MAX),
        *targets(TARGETS, cpu_us, cpu),
        *targets(TARGETS, loopback_us, latency),
    ]


def _variants(transport: str) -> dict[str, str]:
    return {label: f"{transport}:{label.removesuffix(AGAIN)}" for label in LABELS}
