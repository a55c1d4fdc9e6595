"""Progress on a terminal, and nothing where a log would fill with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from typing import TextIO

    from rich.progress import ProgressColumn

_BAR_WIDTH = 24


def progress_on(stream: TextIO, *columns: ProgressColumn) -> Progress:
    """Return what shows progress on the terminal behind ``stream``, and goes away at the end."""
    return Progress(
        *columns,
        console=Console(file=stream, markup=False, emoji=False, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not stream.isatty(),
    )


def bar_on(stream: TextIO, measure: str, *columns: ProgressColumn) -> Progress:
    """Return a bar. ``measure`` says what part is done, in rich's format; the task's description follows it."""
    return progress_on(
        stream, BarColumn(_BAR_WIDTH), TextColumn(measure), TextColumn("{task.description}", markup=False), *columns
    )
