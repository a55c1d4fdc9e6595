"""What a ledger row costs the function that reads it: in a list, in a proof, in an export.

The whole handler reads a history of one stock item. What the emulator's DynamoDB answers is recorded once and then
played back, so that the client is measured and not the emulator.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from local.emulator import bare_emulator
from local.places import Places
from ops.aws import REGION
from tests.benchmarks import meters
from tests.benchmarks.checks import AGAIN, CPU_CONTROL_MAX, Check, controls
from tests.benchmarks.histories import Axis, fill
from tests.support.harness.emulated_tables import create_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROWS: Final = 2_000
READS: Final = ("list", "proof", "export as NDJSON", "export as CSV")
LABELS: Final = (*READS, *(each + AGAIN for each in READS))
ROW_MAX_US: Final = 60.0
LEGEND: Final = (
    f"For each ledger row, of a history of {ROWS:,} rows of one stock item: CPU time of the whole handler. A list has\n"
    "pages of 100 rows, an export those that the function makes; a proof reads all rows in one request."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One read, for each ledger row; medians."""

    label: str
    calls: float
    cpu_us: float
    instructions_k: float | None


def measure(*, rounds: int, seed: int, count_instructions: bool) -> tuple[list[Row], list[Check]]:
    """Read the history in each way."""
    variants = {label: f"read:{label.removesuffix(AGAIN)}" for label in LABELS}
    with _history() as environment:
        environments = dict.fromkeys(variants, environment)
        work, cpu_us = meters.cpu(variants, rounds=rounds, seed=seed, environments=environments)
        counted = None
        if count_instructions:
            counted = meters.instructions({each: variants[each] for each in READS}, environments=environments)
    rows = [
        Row(
            label=label,
            calls=work[label].calls / work[label].requests,
            cpu_us=median(cpu_us[label]),
            instructions_k=None if counted is None or label not in counted else median(counted[label]),
        )
        for label in LABELS
    ]
    return rows, judged(cpu_us)


def judged(cpu_us: Mapping[str, Sequence[float]]) -> list[Check]:
    """Controls, and the most that a row may cost."""
    checks = controls(cpu_us, "CPU time of a row read", CPU_CONTROL_MAX)
    for label in READS:
        reached = median(cpu_us[label])
        what = f"CPU time of a row, {label}"
        checks.append(Check(what, f"at most {ROW_MAX_US:.0f} µs", f"{reached:.1f} µs", reached <= ROW_MAX_US))
    return checks


@contextmanager
def _history() -> Iterator[dict[str, str]]:
    """The tables of one history; what a worker's process finds in its environment."""
    with TemporaryDirectory() as folder, bare_emulator(Places(Path(folder))) as emulator:
        client = emulator.aws.dynamodb()
        tables = create_tables(client)
        fill(tables, Axis.ROWS, ROWS)
        client.close()
        yield {
            "AWS_DEFAULT_REGION": REGION,
            "DYNAMODB_ENDPOINT": emulator.endpoint_url,
            "INVENTORY_TABLE": tables.inventory,
            "LEDGER_TABLE": tables.ledger,
            "POWERTOOLS_SERVICE_NAME": "read_inventory",
        }
