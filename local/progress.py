"""Telling a person at a terminal what happens and how long it takes."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WIDTH = 44


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
