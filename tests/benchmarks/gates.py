"""``make bench-gates``: the targets that instructions can judge, for CI. Steady to a few per mille, and no clock in it.

python -m tests.benchmarks.gates
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests.benchmarks import batches, initialisation, meters, warm
from tests.benchmarks.checks import Check, Target, targets
from tests.benchmarks.formatting import say, say_checks
from tests.benchmarks.subjects import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WARM: Final = (
    Target(OURS, warm.BARE, 0.62, gate_max=0.632),
    Target(OURS, "resolver", 0.65),
    Target(OURS, "idempotency", 0.25),
)
"""Of instructions. The last two are the aims for CPU time, harder to reach here: code that runs once takes more time
for each of its instructions, above all in the frameworks."""

STARTED: Final = tuple(dict.fromkeys(label for each in initialisation.TARGETS for label in (each.label, each.against)))
REQUESTED: Final = tuple(
    dict.fromkeys(label for each in (*WARM, *batches.GATES) for label in (each.label, each.against))
)


def main() -> int:
    if meters.VALGRIND is None:
        say("The gates count instructions with valgrind, which is not installed here: apt-get install valgrind")
        return 1
    started = initialisation.instructions_m(STARTED)
    requested = meters.instructions(batches.variants(REQUESTED))
    checks = judged(started, requested)
    say_checks(checks)
    return 0 if all(check.held for check in checks) else 1


def judged(started: Mapping[str, Sequence[float]], requested: Mapping[str, Sequence[float]]) -> list[Check]:
    """Every gate: what was wanted, what was reached."""
    return [
        *targets(initialisation.TARGETS, started, "instructions of starting"),
        *targets(WARM, requested, "instructions of a request"),
        *targets(batches.GATES, requested, "instructions of a line"),
    ]


if __name__ == "__main__":
    sys.exit(main())
