"""Shows what happens, and how long it takes."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.progress import progress_on

_WIDTH = 44


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` while the block runs, moving on a terminal, and then the seconds that it took."""
    started = time.monotonic()
    progress = progress_on(sys.stdout, SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    if progress.disable:
        print(f"{title} ...", flush=True)
    mark = "✗ "
    try:
        with progress:
            progress.add_task(f"{title:<{_WIDTH}}", total=None)
            yield
        mark = "✓ "
    finally:
        print(f"{'' if progress.disable else mark}{title:<{_WIDTH}} {time.monotonic() - started:6.1f} s", flush=True)
