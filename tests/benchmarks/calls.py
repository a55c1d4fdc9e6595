"""What a request asks of DynamoDB: calls, read units and write units, by DynamoDB's documented rules.

Counted, not timed, on tables in memory that keep the service's conditions.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.benchmarks import meters
from tests.benchmarks.checks import Check
from tests.benchmarks.environments import Skew

if TYPE_CHECKING:
    from collections.abc import Sequence

SKEWED: Final = "Zipf stream"
SKEW: Final = Skew()
VARIANTS: Final = {
    "fresh, state known": "stubbed:ours",
    "fresh, state unknown": "stubbed:ours, unknown",
    SKEWED: "skewed",
    "replay": "stubbed:ours, replay",
    "refusal": "stubbed:ours, refused",
    "authorizer": "stubbed:authorizer",
    "idempotency (baseline)": "stubbed:idempotency",
}
LEGEND: Final = (
    f"For each request. {SKEWED}: {SKEW.requests:,} requests for {SKEW.items:,} stock items, the n-th of them wanted "
    f"n**{SKEW.exponent} times\nless than the first, in one environment from its start. Every request has a key. Write "
    "units: 4 of the\ntransaction and one for each of the ledger's two indexes."
)

CALLS_MAX: Final = {
    "fresh, state known": 1.0,
    # One request of the sample in fifty is the first of its business, and looks for the default location.
    "fresh, state unknown": 2.02,
    SKEWED: 1.2,
    "replay": 2.0,
    "refusal": 1.0,
    "authorizer": 1.0,
}
_AT_ONCE: Final = 2
WRITE_UNITS: Final = {"fresh, state known": 6.0, "fresh, state unknown": 6.0, SKEWED: 6.0, "refusal": 0.0}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request, on average."""

    label: str
    calls: float
    read_units: float
    write_units: float


def measure() -> tuple[list[Row], list[Check]]:
    """Count all kinds."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows = list(pool.map(_row, VARIANTS, VARIANTS.values()))
    return rows, judged(rows)


def judged(rows: Sequence[Row]) -> list[Check]:
    """What must hold of them."""
    checks = []
    for row in rows:
        if row.label in CALLS_MAX:
            most = CALLS_MAX[row.label]
            checks.append(Check(f"calls, {row.label}", f"at most {most:g}", f"{row.calls:.2f}", row.calls <= most))
        if row.label in WRITE_UNITS:
            units, wanted = row.write_units, WRITE_UNITS[row.label]
            checks.append(Check(f"write units, {row.label}", f"{wanted:g}", f"{units:.2f}", units == wanted))
    return checks


def _row(label: str, variant: str) -> Row:
    with meters.worker(variant) as running:
        work = running.work
    return Row(label, work.calls / work.requests, work.read_units / work.requests, work.units / work.requests)
