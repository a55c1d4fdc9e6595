"""Shows what happens, and how long it takes."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_WIDTH = 44


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` while the block runs, moving on a terminal, and then the seconds that it took."""
    started = time.monotonic()
    on_terminal = sys.stdout.isatty()
    if not on_terminal:
        print(f"{title} ...", flush=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    mark = "✗ "
    try:
        with Progress(*columns, transient=True, redirect_stdout=False, disable=not on_terminal) as progress:
            progress.add_task(f"{title:<{_WIDTH}}", total=None)
            yield
        mark = "✓ "
    finally:
        print(f"{mark if on_terminal else ''}{title:<{_WIDTH}} {time.monotonic() - started:6.1f} s", flush=True)
