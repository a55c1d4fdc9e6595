"""What a request costs upon ever longer histories: of one stock item, of a business's many, of many businesses.

On the emulator's DynamoDB, by loopback HTTP. Each length has tables of its own, so that all lengths can take turns.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from botocore.config import Config

from local.emulator import bare_emulator
from local.places import Places
from ops.aws import REGION
from tests.benchmarks import meters
from tests.benchmarks.checks import AGAIN, INSTRUCTIONS_CONTROL_MAX, Check, control, ratio
from tests.benchmarks.formatting import say
from tests.benchmarks.histories import Axis, fill
from tests.benchmarks.history_worker import Kind
from tests.benchmarks.warm import LOOPBACK_CONTROL_MAX
from tests.support.harness.emulated_tables import create_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.meters import Work, Worker

SHORTEST: Final = 10
LENGTHS: Final = (SHORTEST, 1_000, 10_000, 100_000)
ROUNDS_MAX: Final = 9
_SAMPLE_S: Final = 0.1
_SETTLING_PASSES: Final = 1
LEGEND: Final = (
    "For each request. Requests go round ten places, spread over the whole history; replays go round ten of its rows.\n"
    "nothing known: an environment's first request. sent, received: bytes of the bodies; longer histories have longer\n"
    "numbers. CPU: of the client's process. emulator: the clock's time less that: only reported, not judged.\n"
    "x: times as much as upon the shortest history. Calls, units and bytes but for the digits of numbers must be\n"
    f"equal; CPU may exceed the shortest's by as much as a second look at that may differ, {LOOPBACK_CONTROL_MAX:.0%}, "
    f"instructions by {INSTRUCTIONS_CONTROL_MAX:.0%}."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request upon one history, for each request; times are medians. None: not measured."""

    axis: str
    kind: str
    label: str
    calls: float
    read_units: float
    write_units: float
    sent_bytes: float
    received_bytes: float
    cpu_us: float
    cpu_ratio: float
    instructions_k: float | None
    instructions_ratio: float | None
    emulator_us: float


@dataclass(frozen=True, slots=True)
class _Samples:
    """Of each label: what it asks for, and microseconds for each request in each round."""

    work: Mapping[str, Work]
    cpu_us: Mapping[str, Sequence[float]]
    emulator_us: Mapping[str, Sequence[float]]


def measure(*, rounds: int, seed: int, count_instructions: bool, longest: int) -> tuple[list[Row], list[Check]]:
    """Go along all axes, up to histories of ``longest`` rows."""
    rows: list[Row] = []
    checks: list[Check] = []
    for axis in Axis:
        more, found = along(axis, rounds=rounds, seed=seed, count_instructions=count_instructions, longest=longest)
        rows += more
        checks += found
    return rows, checks


def along(
    axis: Axis, *, rounds: int, seed: int, count_instructions: bool, longest: int
) -> tuple[list[Row], list[Check]]:
    """Measure all kinds of requests upon the histories of one axis."""
    lengths = [each for each in LENGTHS if each <= longest]
    ends = [_label(SHORTEST), _label(SHORTEST) + AGAIN, _label(lengths[-1])]
    rows: list[Row] = []
    checks: list[Check] = []
    with _histories(axis, lengths) as environments:
        for kind in Kind:
            names = {label: f"grown:{kind.name}:{axis.name}:{_length(label)}" for label in environments}
            samples = _samples(names, environments, rounds=min(rounds, ROUNDS_MAX), seed=seed)
            counted = None
            if count_instructions:
                counted = meters.instructions({label: names[label] for label in ends}, environments=environments)
            rows += _rows(axis, kind, samples, counted)
            checks += judged(f"{kind}, {axis}", samples.work, samples.cpu_us, counted)
    return rows, checks


def judged(
    what: str,
    work: Mapping[str, Work],
    cpu_us: Mapping[str, Sequence[float]],
    instructions_k: Mapping[str, Sequence[float]] | None,
) -> list[Check]:
    """What must hold of one kind of request along one axis; ``work`` names the shortest history first."""
    shortest, *others = work
    kinds = {_asked(each) for each in work.values()}
    checks = [Check(f"asked, {what}", "the same at all lengths", f"{len(kinds)} kind(s)", len(kinds) == 1)]
    for label in others:
        checks.append(_flat(f"CPU time, {what}", label, ratio(cpu_us, label, shortest), LOOPBACK_CONTROL_MAX))
        if instructions_k is not None and label in instructions_k:
            counted = ratio(instructions_k, label, shortest)
            checks.append(_flat(f"instructions, {what}", label, counted, INSTRUCTIONS_CONTROL_MAX))
    return checks


def _flat(what: str, label: str, ratio: float, allowed: float) -> Check:
    """Whether the same is the same when it is measured twice, and a longer history takes no more than that."""
    if label.endswith(AGAIN):
        return control(what, "shortest history again", ratio, allowed)
    return Check(f"{what}, {label}", f"at most {allowed:+.0%}", f"{ratio - 1:+.2%}", ratio <= 1 + allowed)


def _asked(work: Work) -> tuple[int, ...]:
    """All that may not grow: a number that has more digits takes more bytes, so those are left out."""
    sent, received = work.sent_bytes - work.sent_digits, work.received_bytes - work.received_digits
    return work.requests, work.calls, work.read_units, work.units, sent, received


def _label(length: int) -> str:
    return f"{length:,}"


def _length(label: str) -> int:
    return int(label.removesuffix(AGAIN).replace(",", ""))


@contextmanager
def _histories(axis: Axis, lengths: Sequence[int]) -> Iterator[dict[str, dict[str, str]]]:
    """Tables of each length, and of the shortest once more; what a worker's process finds in its environment."""
    with TemporaryDirectory() as folder, bare_emulator(Places(Path(folder))) as emulator:
        environments = {}
        for label in [_label(SHORTEST), _label(SHORTEST) + AGAIN, *map(_label, lengths[1:])]:
            begun_s = time.monotonic()
            client = emulator.aws.session.client(
                "dynamodb", endpoint_url=emulator.endpoint_url, config=Config(parameter_validation=False)
            )
            tables = create_tables(client)
            fill(tables, axis, _length(label))
            client.close()
            say(f"({axis}: {label} rows written in {time.monotonic() - begun_s:.0f} s)")
            environments[label] = {
                "AWS_DEFAULT_REGION": REGION,
                "DYNAMODB_ENDPOINT": emulator.endpoint_url,
                "INVENTORY_TABLE": tables.inventory,
                "LEDGER_TABLE": tables.ledger,
            }
        yield environments


def _samples(
    names: Mapping[str, str], environments: Mapping[str, Mapping[str, str]], *, rounds: int, seed: int
) -> _Samples:
    """As ``meters.cpu``, and with a clock beside it."""
    order = random.Random(seed)
    with ExitStack() as running:
        workers = {
            label: running.enter_context(meters.worker(name, environment=environments[label]))
            for label, name in names.items()
        }
        passes = max(ceil(_SAMPLE_S / each.sample(_SETTLING_PASSES)) for each in workers.values())
        cpu_us: dict[str, list[float]] = {label: [] for label in names}
        emulator_us: dict[str, list[float]] = {label: [] for label in names}
        for _ in range(rounds):
            for label in order.sample(list(names), len(names)):
                cpu_s, clock_s = _sample(workers[label], passes)
                requests = workers[label].work.requests
                cpu_us[label].append(cpu_s / requests * 1e6)
                emulator_us[label].append((clock_s - cpu_s) / requests * 1e6)
        return _Samples({label: each.work for label, each in workers.items()}, cpu_us, emulator_us)


def _sample(worker: Worker, passes: int) -> tuple[float, float]:
    """CPU seconds, and the clock's, for one pass."""
    worker.prepare(passes)
    begun_s = time.perf_counter()
    cpu_s = worker.run()
    return cpu_s, (time.perf_counter() - begun_s) / passes


def _rows(
    axis: Axis, kind: Kind, samples: _Samples, instructions_k: Mapping[str, Sequence[float]] | None
) -> Iterator[Row]:
    shortest = next(iter(samples.work))
    for label, work in samples.work.items():
        counted = instructions_k if instructions_k is not None and label in instructions_k else None
        yield Row(
            axis=axis,
            kind=kind,
            label=label,
            calls=work.calls / work.requests,
            read_units=work.read_units / work.requests,
            write_units=work.units / work.requests,
            sent_bytes=work.sent_bytes / work.requests,
            received_bytes=work.received_bytes / work.requests,
            cpu_us=median(samples.cpu_us[label]),
            cpu_ratio=ratio(samples.cpu_us, label, shortest),
            instructions_k=None if counted is None else median(counted[label]),
            instructions_ratio=None if counted is None else ratio(counted, label, shortest),
            emulator_us=median(samples.emulator_us[label]),
        )
