"""``make bench-gates``: the targets that instructions can judge, for CI. Steady to a few per mille, and no clock in it.

python -m tests.performance.gates
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests.performance import initialisation, meters, warm
from tests.performance.checks import Check, targets
from tests.performance.text import say, say_checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WARM: Final = warm.TARGETS
STARTED: Final = tuple(dict.fromkeys(label for each in initialisation.TARGETS for label in (each.label, each.against)))
REQUESTED: Final = tuple(dict.fromkeys(label for each in WARM for label in (each.label, each.against)))


def main() -> int:
    if meters.VALGRIND is None:
        say("The gates count instructions with valgrind, which is not installed here: apt-get install valgrind")
        return 1
    started = initialisation.instructions_m(STARTED)
    requested = meters.instructions({label: f"stubbed:{label}" for label in REQUESTED})
    checks = judged(started, requested)
    say_checks(checks)
    return 0 if all(check.held for check in checks) else 1


def judged(started: Mapping[str, Sequence[float]], requested: Mapping[str, Sequence[float]]) -> list[Check]:
    """Every gate: what was wanted, what was reached."""
    return [
        *targets(initialisation.TARGETS, started, "instructions of starting"),
        *targets(WARM, requested, "instructions of a request"),
    ]


if __name__ == "__main__":
    sys.exit(main())
