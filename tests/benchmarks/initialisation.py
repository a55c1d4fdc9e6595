"""What a cold start costs in Python: from the start of the process until the handler's module is imported.

Three meters: the instructions of the whole process, the CPU time that the kernel charged it with, and the memory that
it has then. Of the first two, what a bare interpreter needs is taken off; the end of the process is cut short, for an
environment does not end when it is ready. Our functions are those that ``sam build`` left.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.benchmarks import built, meters
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
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    "audit_ledger": 1.153,
    "authorizer": 0.747,
    CREATE: 1.129,
    "describe_api": 0.147,
    "ingest_adjustments": 1.147,
    "provision": 1.163,
    "publish_adjustments": 0.769,
    "read_inventory": 1.204,
    "reverse_adjustment": 1.129,
}
"""Instructions of a function's start, relative to boto3 with a client, when they were measured last. Each function must
be here: it may get no worse than this and ``MARGIN``."""

MARGIN: Final = 1.02
_AIM: Final = 1.20
_AIMS: Final[Mapping[str, float]] = {
    "authorizer": 0.80,
    CREATE: 1.13,
    "publish_adjustments": 0.80,
    "read_inventory": 1.25,
}
TARGETS: Final = (
    *(Target(each, BOTO3, _AIMS.get(each, _AIM), gate_max=REACHED[each] * MARGIN) for each in FUNCTIONS),
    Target(CREATE, "fastapi", 0.60),
    Target(CREATE, "idempotency", 0.60),
)
"""Of instructions. docs/performance.md has the figures that were reached."""

MEMORY: Final = (Target(CREATE, BOTO3, 1.04),)

CONTROLLED: Final = (BOTO3, CREATE)
STARTS: Final = 15
LEGEND: Final = (
    "From the start of the process until the handler is imported, a bare interpreter taken off; .pyc files are there.\n"
    "ratio: to `import boto3; boto3.client('dynamodb')`. Instructions by valgrind, CPU time by the kernel's account."
)
_INTERPRETER: Final = "interpreter"
_AT_ONCE: Final = 2
_MEMORY_STARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One subject: millions of instructions, CPU milliseconds, megabytes, each also relative to boto3 with a client."""

    label: str
    instructions_m: float | None
    instructions_ratio: float | None
    cpu_ms: float | None
    cpu_ratio: float | None
    memory_mb: float | None
    memory_ratio: float | None


def measure(*, starts: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[Check]]:
    """Start every subject so many times, all of a round before any of the next."""
    labels = [*MEASURED, *(each + AGAIN for each in CONTROLLED)]
    with environments(labels) as found:
        cpu_ms = cpu(found, starts=starts, seed=seed)
        mb = memory_mb(found)
        counted = _instructions_m(found) if count_instructions else None
    rows = [
        Row(
            label=label,
            instructions_m=None if counted is None else median(counted[label]),
            instructions_ratio=None if counted is None else ratio(counted, label, BOTO3),
            cpu_ms=median(cpu_ms[label]),
            cpu_ratio=ratio(cpu_ms, label, BOTO3),
            memory_mb=median(mb[label]),
            memory_ratio=ratio(mb, label, BOTO3),
        )
        for label in labels
    ]
    checks = controls(cpu_ms, "CPU time of starting", CPU_CONTROL_MAX)
    checks += targets(MEMORY, mb, "memory after starting")
    if counted is not None:
        checks += judged(counted)
    return rows, checks


def judged(counted: Mapping[str, Sequence[float]]) -> list[Check]:
    """Controls and targets by instructions."""
    meter = "instructions of starting"
    return [*controls(counted, meter, INSTRUCTIONS_CONTROL_MAX), *targets(TARGETS, counted, meter)]


def instructions_m(labels: Iterable[str]) -> dict[str, list[float]]:
    """Millions of instructions until each is ready, without the interpreter's own; needs valgrind."""
    with environments(labels) as found:
        return _instructions_m(found)


def _instructions_m(found: Mapping[str, Mapping[str, str]]) -> dict[str, list[float]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        counted = dict(zip(found, pool.map(_count, found, found.values()), strict=True))
    interpreter = counted.pop(_INTERPRETER)
    return {label: [(count - interpreter) / 1e6] for label, count in counted.items()}


def cpu(found: Mapping[str, Mapping[str, str]], *, starts: int, seed: int) -> dict[str, list[float]]:
    """CPU milliseconds until each is ready, in each round, without the interpreter's median."""
    order = random.Random(seed)
    samples: dict[str, list[float]] = {label: [] for label in found}
    for _ in range(starts):
        for label in order.sample(list(found), len(found)):
            samples[label].append(_start(label, found[label]) * 1e3)
    interpreter = median(samples.pop(_INTERPRETER))
    return {label: [sample - interpreter for sample in of_label] for label, of_label in samples.items()}


def memory_mb(found: Mapping[str, Mapping[str, str]]) -> dict[str, list[float]]:
    """Megabytes of resident memory when each is ready, in each of some starts; reads Linux's ``/proc``."""
    return {label: [_resident_mb(label, found[label]) for _ in range(_MEMORY_STARTS)] for label in found}


def command(label: str, ready: str = "import os; os._exit(0)") -> list[str]:
    """How a subject is started, and what it does as soon as it is ready; by default it ends."""
    statement = IMPORTS.get(label.removesuffix(AGAIN))
    return [sys.executable, "-P", "-c", f"{statement}; {ready}" if statement else ready]


@contextmanager
def environments(labels: Iterable[str]) -> Iterator[dict[str, dict[str, str]]]:
    """What each subject and the bare interpreter find: the path as Lambda sets it up, its variables and our own."""
    of_all = {**meters.ENVIRONMENT, **built.LAMBDA_VARIABLES}
    with built.functions() as functions:
        found = {label: of_all | functions.get(label.removesuffix(AGAIN), {}) for label in (_INTERPRETER, *labels)}
        for label, environment in found.items():
            # The SDK's bytecode is written, which Lambda has; a handler's is not.
            _start(label, environment | {"PYTHONDONTWRITEBYTECODE": ""})
        _remove_bytecode_of(functions)
        yield found


def _remove_bytecode_of(functions: Mapping[str, Mapping[str, str]]) -> None:
    for variables in functions.values():
        code, _, _ = variables["PYTHONPATH"].partition(":")
        shutil.rmtree(Path(code) / "__pycache__", ignore_errors=True)


def _start(label: str, environment: Mapping[str, str]) -> float:
    """Start a subject once; its CPU seconds."""
    process = subprocess.Popen(command(label), cwd=PROJECT_ROOT, env=environment)  # noqa: S603  our own command
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{label} did not start; it says why above")
    return usage.ru_utime + usage.ru_stime


def _resident_mb(label: str, environment: Mapping[str, str]) -> float:
    """Megabytes when a subject is ready."""
    report = "import sys; sys.stdout.write(open('/proc/self/status').read())"
    status = subprocess.run(  # noqa: S603  our own command
        command(label, report), cwd=PROJECT_ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert resident is not None
    return int(resident[1]) / 1024


def _count(label: str, environment: Mapping[str, str]) -> int:
    """Instructions of one start."""
    assert meters.VALGRIND is not None
    with TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        tool = ["--quiet", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counts}"]
        subprocess.run(  # noqa: S603  our own command
            [meters.VALGRIND, *tool, *command(label)],
            cwd=PROJECT_ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
        total = re.search(r"^summary: (\d+)", counts.read_text(encoding="utf-8"), re.MULTILINE)
    assert total is not None
    return int(total[1])
