"""Two meters: CPU time, and the instructions that valgrind counts, which are the same however busy the machine is."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.transport import Transport

STEP: Final = "step"
"""The order on which a worker makes its next request only."""

VALGRIND: Final = shutil.which("valgrind")
VALGRIND_SAMPLES: Final = 1
_AT_ONCE: Final = 2
SAMPLE_S: Final = 0.2
"""CPU seconds of a sample, about, of any variant: what a process loses when its turn comes, warm caches above all,
weighs the same then."""

ROWS_COMPARED: Final = 99
"""The least that a sample of any variant of merging appends."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": os.environ.get("PATH", os.defpath),
    # With its own hash seed each process would look into its dictionaries in another way.
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": "layers/inventory:.",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
    "LOG_LEVEL": "INFO",
    "POWERTOOLS_METRICS_NAMESPACE": "InventoryAdjustments",
    "POWERTOOLS_SERVICE_NAME": "create_adjustment",
    "INVENTORY_TABLE": "inventory-table",
    "LEDGER_TABLE": "ledger-table",
    "ACCESS_TABLE": "access-table",
    "EVENT_BUS": "event-bus",
    "DEAD_LETTER_QUEUE": "https://sqs.eu-central-1.amazonaws.com/000000000000/dead-letter-queue",
    "AUDIT_SEGMENTS": "24",
}
"""All that a process finds in its environment, nothing of the caller's: so that no two runs differ by it."""

_SETTLING_PASSES: Final = 3
_TIMEOUT_S: Final = 300


@dataclass(frozen=True, slots=True)
class Work:
    """What one sample asks of DynamoDB, where that is counted, and a digest of the ledger rows that it leaves.

    ``stock_units`` and ``units`` are write units. Bytes are those of the bodies; of them, ``*_digits`` are in numbers.
    """

    requests: int
    calls: int = 0
    read_units: int = 0
    stock_units: int = 0
    units: int = 0
    ledger: str = ""
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_digits: int = 0
    received_digits: int = 0


def work_of(transport: Transport, requests: int) -> Work:
    """What was asked for since the recording began."""
    bill = transport.tables.bill
    rows = json.dumps(transport.tables.ledger[:ROWS_COMPARED], sort_keys=True)
    return Work(
        requests=requests,
        calls=bill.calls.total(),
        read_units=bill.read_units,
        stock_units=bill.stock_units,
        units=bill.units,
        ledger=sha256(rows.encode()).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class Worker:
    """A variant's process."""

    process: subprocess.Popen[str]
    work: Work

    def sample(self, passes: int = 1) -> float:
        """Carry out all requests so many times; CPU seconds for once."""
        self.prepare(passes)
        return self.run()

    def prepare(self, passes: int = 1) -> None:
        """Make so many passes ready."""
        self._tell(str(passes))

    def run(self) -> float:
        """Carry out what was made ready; CPU seconds for one pass."""
        return float(self._tell(""))

    def step(self) -> tuple[float, float]:
        """Carry out the next request that was made ready; its CPU seconds and its wall-clock seconds."""
        cpu_s, wall_s = self._tell(STEP).split()
        return float(cpu_s), float(wall_s)

    def _tell(self, order: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return _line(self.process)


@contextmanager
def worker(
    variant: str, *, under: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """Start a variant's process, ``under`` another program perhaps, and wait until it is warm."""
    command = [*under, sys.executable, "-m", "tests.benchmarks.worker", variant]
    with subprocess.Popen(  # noqa: S603  our own command
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
        env={**ENVIRONMENT, **(environment or {})},
    ) as process:
        try:
            yield Worker(process, Work(**json.loads(_line(process))))
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a variant's process ended; it says why above")
    return line


def cpu(
    variants: Mapping[str, str],
    *,
    rounds: int,
    seed: int,
    environments: Mapping[str, Mapping[str, str]] | None = None,
    sample_s: float = SAMPLE_S,
) -> tuple[dict[str, Work], dict[str, list[float]]]:
    """CPU microseconds for each request, of each variant in each round; all of a round before any of the next.

    Args:
        variants: label to variant; a variant under two labels is two processes.
        rounds: how many samples of each.
        seed: of the order within each round.
        environments: label to what its process finds in its environment beside the usual.
        sample_s: CPU seconds of a sample, about.
    """
    order = random.Random(seed)
    with ExitStack() as running:
        workers = {
            label: running.enter_context(worker(variant, environment=(environments or {}).get(label)))
            for label, variant in variants.items()
        }
        passes = {label: ceil(sample_s / each.sample(_SETTLING_PASSES)) for label, each in workers.items()}
        samples: dict[str, list[float]] = {label: [] for label in variants}
        for _ in range(rounds):
            for label in order.sample(list(variants), len(variants)):
                of = workers[label]
                samples[label].append(of.sample(passes[label]) / of.work.requests * 1e6)
        return {label: each.work for label, each in workers.items()}, samples


@dataclass(frozen=True, slots=True)
class Turns:
    """Of each label: microseconds of each of its requests, by the CPU and by the clock on the wall."""

    cpu_us: Mapping[str, list[float]]
    wall_us: Mapping[str, list[float]]


def alternating(
    variants: Mapping[str, str],
    *,
    requests: int,
    seed: int,
    environments: Mapping[str, Mapping[str, str]] | None = None,
) -> Turns:
    """Let processes take turns for each request: each one finds the processor's caches as the others left them.

    That is nearer to Lambda, where an environment sleeps between two requests, than requests one right after the other.
    ``variants`` and ``environments`` are as of ``cpu``.
    """
    order = random.Random(seed)
    turns = Turns({label: [] for label in variants}, {label: [] for label in variants})
    with ExitStack() as running:
        workers = {
            label: running.enter_context(worker(variant, environment=(environments or {}).get(label)))
            for label, variant in variants.items()
        }
        for each in workers.values():
            each.sample(_SETTLING_PASSES)
            each.prepare(ceil(requests / each.work.requests))
        for _ in range(requests):
            for label in order.sample(list(variants), len(variants)):
                cpu_s, wall_s = workers[label].step()
                turns.cpu_us[label].append(cpu_s * 1e6)
                turns.wall_us[label].append(wall_s * 1e6)
    return turns


def instructions(
    variants: Mapping[str, str], *, environments: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, list[float]]:
    """Thousands of instructions for each request, of each variant; needs valgrind. ``environments`` as of ``cpu``."""
    found_by = [(environments or {}).get(label) for label in variants]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(variants, pool.map(_instructions, variants.values(), found_by), strict=True))


def _instructions(variant: str, environment: Mapping[str, str] | None) -> list[float]:
    assert VALGRIND is not None
    with TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        # Instrumented only while a sample runs: the start of the process would take minutes.
        under = [VALGRIND, "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={counts}"]
        with worker(variant, under=under, environment=environment) as running:
            return [_count(running, counts, number) for number in range(1, VALGRIND_SAMPLES + 1)]


def _count(running: Worker, counts: Path, number: int) -> float:
    running.prepare()
    _control(running, "--instr=on")
    running.run()
    _control(running, "--instr=off")
    _control(running, "--dump=sample")
    total = re.search(r"^totals: (\d+)$", Path(f"{counts}.{number}").read_text(encoding="utf-8"), re.MULTILINE)
    assert total is not None
    return int(total[1]) / running.work.requests / 1e3


def _control(running: Worker, order: str) -> None:
    command = ["callgrind_control", order, str(running.process.pid)]
    subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)  # noqa: S603  our own process
