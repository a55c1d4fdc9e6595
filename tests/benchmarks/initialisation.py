"""What a cold start costs in Python: from the start of the process until the handler's module is imported.

Two meters: the instructions of the whole process, and the CPU time that the kernel charged it with. Of both, what a
bare interpreter needs is taken off; the end of the process is cut short, for an environment does not end when it is
ready.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
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
from tests.benchmarks.subjects import BASELINES
from tests.support.sam_template import PROJECT_ROOT, load_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BOTO3: Final = "boto3 + client"
CREATE: Final = "create_adjustment"
FUNCTIONS: Final = tuple(sorted(path.parent.name for path in (PROJECT_ROOT / "functions").glob("*/handler.py")))

IMPORTS: Final[Mapping[str, str]] = {
    BOTO3: "import boto3; boto3.client('dynamodb')",
    **dict.fromkeys(FUNCTIONS, "import handler"),
    **{label: f"import tests.benchmarks.baselines.{module}" for label, module in BASELINES.items()},
}
"""Label to what makes it ready. ``bare`` is left out where it would be measured: it is ``boto3 + client``."""

MEASURED: Final = (BOTO3, *FUNCTIONS, *(each for each in BASELINES if each != "bare"))

REACHED: Final[Mapping[str, float]] = {
    "audit_ledger": 1.147,
    "authorizer": 0.741,
    "describe_api": 0.142,
    "ingest_adjustments": 1.146,
    "provision": 1.131,
    "publish_adjustments": 0.764,
    "read_inventory": 1.211,
    "reverse_adjustment": 1.131,
}
"""Instructions of a function's start, relative to boto3 with a client, when they were measured last. Each function but
the one with a target of its own must be here: it may get no worse than this and ``MARGIN``."""

MARGIN: Final = 1.02
TARGETS: Final = (
    Target(CREATE, BOTO3, 1.13, accepted_max=1.154),
    Target(CREATE, "fastapi", 0.60),
    Target(CREATE, "idempotency", 0.60),
    *(Target(each, BOTO3, REACHED[each] * MARGIN) for each in FUNCTIONS if each != CREATE),
)
"""Of instructions. docs/performance.md has the figures that were reached."""

CONTROLLED: Final = (BOTO3, CREATE)
STARTS: Final = 15
LEGEND: Final = (
    "From the start of the process until the handler is imported, a bare interpreter taken off; .pyc files are there.\n"
    "ratio: to `import boto3; boto3.client('dynamodb')`. Instructions by valgrind, CPU time by the kernel's account."
)
_INTERPRETER: Final = "interpreter"
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One subject: millions of instructions, CPU milliseconds, and both relative to boto3 with a client."""

    label: str
    instructions_m: float | None
    instructions_ratio: float | None
    cpu_ms: float | None
    cpu_ratio: float | None


def measure(*, starts: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[Check]]:
    """Start every subject so many times, all of a round before any of the next."""
    labels = [*MEASURED, *(each + AGAIN for each in CONTROLLED)]
    cpu_ms = cpu(labels, starts=starts, seed=seed)
    counted = instructions_m(labels) if count_instructions else None
    rows = [
        Row(
            label=label,
            instructions_m=None if counted is None else median(counted[label]),
            instructions_ratio=None if counted is None else ratio(counted, label, BOTO3),
            cpu_ms=median(cpu_ms[label]),
            cpu_ratio=ratio(cpu_ms, label, BOTO3),
        )
        for label in labels
    ]
    checks = controls(cpu_ms, "CPU time of starting", CPU_CONTROL_MAX)
    if counted is not None:
        checks += judged(counted)
    return rows, checks


def judged(counted: Mapping[str, Sequence[float]]) -> list[Check]:
    """Controls and targets by instructions."""
    meter = "instructions of starting"
    return [*controls(counted, meter, INSTRUCTIONS_CONTROL_MAX), *targets(TARGETS, counted, meter)]


def instructions_m(labels: Iterable[str]) -> dict[str, list[float]]:
    """Millions of instructions until each is ready, without the interpreter's own; needs valgrind."""
    wanted = [_INTERPRETER, *labels]
    for label in wanted:
        _start(label)  # .pyc files are written
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        counted = dict(zip(wanted, pool.map(_count, wanted), strict=True))
    return {label: [(counted[label] - counted[_INTERPRETER]) / 1e6] for label in wanted[1:]}


def cpu(labels: Iterable[str], *, starts: int, seed: int) -> dict[str, list[float]]:
    """CPU milliseconds until each is ready, in each round, without the interpreter's median."""
    wanted = [_INTERPRETER, *labels]
    order = random.Random(seed)
    samples: dict[str, list[float]] = {label: [] for label in wanted}
    for label in wanted:
        _start(label)
    for _ in range(starts):
        for label in order.sample(wanted, len(wanted)):
            samples[label].append(_start(label) * 1e3)
    interpreter = median(samples.pop(_INTERPRETER))
    return {label: [sample - interpreter for sample in of_label] for label, of_label in samples.items()}


def command(label: str) -> list[str]:
    """How a subject is started; it ends as soon as it is ready."""
    ready = "import os; os._exit(0)"
    statement = IMPORTS.get(label.removesuffix(AGAIN))
    return [sys.executable, "-P", "-c", f"{statement}; {ready}" if statement else ready]


def environment(label: str) -> dict[str, str]:
    """What a subject finds: the path as Lambda sets it up, and a function of ours what its template sets for each."""
    folder = f"functions/{label.removesuffix(AGAIN)}"
    if not (PROJECT_ROOT / folder).exists():
        return {**meters.ENVIRONMENT}
    of_template: dict[str, object] = load_template()["Globals"]["Function"]["Environment"]["Variables"]
    settings = {name: value for name, value in of_template.items() if isinstance(value, str)}
    return {**settings, **meters.ENVIRONMENT, "PYTHONPATH": f"{folder}:layers/inventory"}


def _start(label: str) -> float:
    """Start a subject once; its CPU seconds."""
    process = subprocess.Popen(command(label), cwd=PROJECT_ROOT, env=environment(label))  # noqa: S603  our own command
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{label} did not start; it says why above")
    return usage.ru_utime + usage.ru_stime


def _count(label: str) -> int:
    """Instructions of one start."""
    assert meters.VALGRIND is not None
    with TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        tool = ["--quiet", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counts}"]
        subprocess.run(  # noqa: S603  our own command
            [meters.VALGRIND, *tool, *command(label)],
            cwd=PROJECT_ROOT,
            env=environment(label),
            check=True,
            capture_output=True,
        )
        total = re.search(r"^summary: (\d+)", counts.read_text(encoding="utf-8"), re.MULTILINE)
    assert total is not None
    return int(total[1])
