"""Telling a person at a terminal what happens and how long it takes."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WIDTH = 44
_BAR_WIDTH = 24


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` while the block runs, moving on a terminal, and then the seconds that it took."""
    started = time.monotonic()
    if not sys.stdout.isatty():
        print(f"{title} ...", flush=True)
        yield
        print(f"{title:<{_WIDTH}} {time.monotonic() - started:6.1f} s", flush=True)
        return

    done = threading.Event()

    def spin() -> None:
        frame = 0
        while not done.wait(0.1):
            seconds = time.monotonic() - started
            print(f"\r{_FRAMES[frame % len(_FRAMES)]} {title:<{_WIDTH}} {seconds:6.1f} s", end="", flush=True)
            frame += 1

    spinner = threading.Thread(target=spin, daemon=True)
    spinner.start()
    mark = "✗"
    try:
        yield
        mark = "✓"
    finally:
        done.set()
        spinner.join()
        print(f"\r{mark} {title:<{_WIDTH}} {time.monotonic() - started:6.1f} s", flush=True)


class Bar:
    """How many of `total` parts are done: one moving line on a terminal, and nothing where a log would fill with it."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._started = time.monotonic()
        self._moves = sys.stdout.isatty()

    def show(self, done: int, text: str) -> None:
        """Draw the bar anew, with `text` behind it."""
        if self._moves:
            filled = round(_BAR_WIDTH * done / self._total)
            bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
            seconds = time.monotonic() - self._started
            print(f"\r\033[K{bar} {done}/{self._total} {self._unit}  {text}  {seconds:.1f} s", end="", flush=True)

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        self.clear()
        print(text, flush=True)

    def clear(self) -> None:
        """Leave the line for what follows."""
        if self._moves:
            print("\r\033[K", end="", flush=True)
