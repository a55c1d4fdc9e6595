"""The picture of docs/performance.md, from the figures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.charts import Bar, Bars, picture
from tests.benchmarks.checks import AGAIN
from tests.benchmarks.initialisation import BOTO3, CREATE
from tests.benchmarks.warm import BARE, FOR_INFORMATION

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS: Final[Mapping[str, str]] = {
    CREATE: "create_adjustment",
    "ours": "create_adjustment",
    BARE: "the bare call",
    BOTO3: "boto3 and its client",
    "plain": "json + boto3",
    "resolver": "Powertools resolver",
    "fastapi": "FastAPI + Mangum",
    "idempotency": "Resolver + idempotency",
}
"""What a subject is called for those who look at the picture only."""

DESCRIPTION: Final = (
    "Bars: cold start and warm request of create_adjustment and of baselines that do the same work, relative to boto3 "
    "alone."
)


def performance(figures: Mapping[str, Any]) -> str:
    """Draw the parts ``initialisation`` and ``warm``, relative to what boto3 alone needs."""
    by_instructions = all(row["instructions_ratio"] is not None for row in figures["initialisation"])
    meter, unit = ("instructions_ratio", "instructions") if by_instructions else ("cpu_ratio", "CPU time")
    started = [row for row in figures["initialisation"] if _is_shown(row["label"])]
    requested = [row for row in figures["warm"] if _is_shown(row["label"])]
    return picture(
        [
            Bars(
                f"Cold start: {unit} of Python until the handler is ready (1: boto3 and its client)",
                _bars(started, meter),
            ),
            Bars("Warm request: CPU time with the network stubbed (1: the bare call)", _bars(requested, "cpu_ratio")),
        ],
        description=DESCRIPTION,
    )


def _bars(rows: list[Mapping[str, Any]], ratio: str) -> list[Bar]:
    return [Bar(LABELS[row["label"]], row[ratio], ours=row["label"] in (CREATE, "ours")) for row in rows]


def _is_shown(label: str) -> bool:
    """Ours and what stands beside it."""
    return not label.endswith(AGAIN) and label in LABELS and label not in FOR_INFORMATION
