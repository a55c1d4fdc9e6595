"""Progress on a terminal, and nothing where a log would fill with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from rich.progress import ProgressColumn

_BAR_WIDTH = 24
_SECONDS_BETWEEN_LINES = 5.0


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


class Reporter:
    """Shows how far something has come: by a bar on a terminal, by a line now and then in a log. A context manager.

    ``measure`` says what part is done, in rich's format.
    """

    def __init__(self, stream: TextIO, measure: str) -> None:
        self._stream = stream
        self._progress = bar_on(stream, measure)
        self._bar = self._progress.add_task("", total=1.0)
        self._printed_s = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, part: float, text: object) -> None:
        """Show the part that is done, from 0 to 1, and what there is to say."""
        if not self._progress.disable:
            self._progress.update(self._bar, completed=part, description=str(text), refresh=True)
        elif time.monotonic() - self._printed_s >= _SECONDS_BETWEEN_LINES:
            self._printed_s = time.monotonic()
            click.echo(text, file=self._stream)
