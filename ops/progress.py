"""A progress bar on a terminal, and nothing where a log would fill with it."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

_BAR_WIDTH = 24


def progress_on(stream: TextIO, measure: str, *columns: ProgressColumn) -> Progress:
    """Return a bar for the terminal behind ``stream``, which goes away at the end.

    ``measure`` says what part is done, in the format of rich's columns; the task's description follows it.
    """
    return Progress(
        BarColumn(_BAR_WIDTH),
        TextColumn(measure),
        TextColumn("{task.description}", markup=False),
        *columns,
        console=Console(file=stream, markup=False, emoji=False, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not stream.isatty(),
    )
