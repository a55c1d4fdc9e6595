"""Figures as text, and on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.checks import Check


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out cells in columns: the first to the left, all others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in (head, *rows)
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def figure(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where nothing was measured."""
    return "-" if value is None else f"{value:,.{digits}f}"


def say(text: str) -> None:
    """Print at once: what is measured next takes its time."""
    print(text, flush=True)  # noqa: T201  what it is for


def say_checks(checks: Sequence[Check]) -> None:
    """Print what must hold, and whether it does."""
    cells = [[check.what, check.wanted, check.reached, "yes" if check.held else "NO"] for check in checks]
    if cells:
        say(f"\n{table(['must hold', 'wanted', 'reached', 'held'], cells)}")
