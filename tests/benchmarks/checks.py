"""What a run must hold, and the arithmetic of comparing two series of samples."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AGAIN: Final = " again"
"""Behind a label: the same in a second process, as a control. Whatever the two differ by is the meter's own error."""

CPU_CONTROL_MAX: Final = 0.05
INSTRUCTIONS_CONTROL_MAX: Final = 0.01


class Check(NamedTuple):
    """Something that must hold, and whether it does."""

    what: str
    wanted: str
    reached: str
    held: bool


@dataclass(frozen=True, slots=True)
class Target:
    """At most so many times as much as another subject needs.

    ``ratio_max`` is the aim. ``gate_max`` is what fails the run, where that is another figure: a little above what was
    reached, be it better than the aim or not.
    """

    label: str
    against: str
    ratio_max: float
    gate_max: float | None = None


def ratio(samples: Mapping[str, Sequence[float]], label: str, against: str) -> float:
    """How many times as much one needs as another: the median over the rounds, each of which had both."""
    return median(of / other for of, other in zip(samples[label], samples[against], strict=True))


def control(label: str, meter: str, ratio: float, allowed: float) -> Check:
    """Whether the same, measured twice, is the same."""
    held = abs(ratio - 1) <= allowed
    return Check(f"control, {meter} of {label}", f"within {allowed:.0%}", f"{ratio - 1:+.2%}", held)


def controls(samples: Mapping[str, Sequence[float]], meter: str, allowed: float) -> list[Check]:
    """The check of each label that was measured twice."""
    return [
        control(label, meter, ratio(samples, label, label.removesuffix(AGAIN)), allowed)
        for label in samples
        if label.endswith(AGAIN)
    ]


def targets(wanted: Sequence[Target], samples: Mapping[str, Sequence[float]], meter: str) -> list[Check]:
    """The check of each target."""
    checks = []
    for each in wanted:
        reached = ratio(samples, each.label, each.against)
        what = f"{meter} of {each.label} / {each.against}"
        wanted_text = f"at most {each.ratio_max:.2f}"
        if each.gate_max is not None:
            wanted_text += f", gate {each.gate_max:.3f}"
        checks.append(Check(what, wanted_text, f"{reached:.3f}", reached <= (each.gate_max or each.ratio_max)))
    return checks
