"""The command behind `make export`: all adjustments of a business, from a running service into one file."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from local.command import Parser, run
from local.errors import LocalStackError
from local.places import Places
from local.target import Target, find_target, invoke_patiently

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMATS = ("ndjson", "csv")
STDOUT = "-"
_SECONDS_BETWEEN_LINES = 5.0
_BAR_WIDTH = 24
_PAGE_MEMBERS = {
    "rows": int,
    "text": str,
    "first_created_at": str | None,
    "last_created_at": str | None,
    "created_to": str,
    "next_cursor": str | None,
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an export, as the service answers it."""

    rows: int
    text: str
    first_created_at: str | None
    last_created_at: str | None
    created_to: str
    next_cursor: str | None


@dataclass(slots=True)
class Progress:
    """How far an export has come, told on the standard error.

    How many rows there are in all, nobody knows; but they come in the order of time, and the end of that is known.
    """

    rows: int = 0
    size_bytes: int = 0
    part: float = 0.0
    _began: datetime | None = None
    _started_s: float = field(init=False)
    _told_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._started_s = self._told_s = time.monotonic()

    def add(self, page: Page, size_bytes: int) -> None:
        """Count a page; a terminal sees each one on the same line, a log a line from time to time."""
        self.rows += page.rows
        self.size_bytes += size_bytes
        if page.first_created_at is not None and page.last_created_at is not None:
            first, last, end = map(
                datetime.fromisoformat, (page.first_created_at, page.last_created_at, page.created_to)
            )
            self._began = self._began or first
            self.part = (last - self._began) / (end - self._began)
        if sys.stderr.isatty():
            filled = round(_BAR_WIDTH * self.part)
            bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
            print(f"\r\033[K{bar} {self.part:.0%} of the time  {self}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._told_s >= _SECONDS_BETWEEN_LINES:
            self._told_s = time.monotonic()
            print(self, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line for what follows."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        seconds = time.monotonic() - self._started_s
        rate = self.rows / seconds if seconds else 0
        return f"{self.rows:,} rows, {self.size_bytes / 1e6:,.1f} MB in {seconds:,.1f} s ({rate:,.0f} rows/s)"


def pages(target: Target, command: dict[str, object]) -> Iterator[Page]:
    """Ask for one page after the other, with budget where the service says that it will do better later.

    Raises:
        LocalStackError: the service refused, or failed again and again.

    """
    cursor: str | None = None
    while True:
        page = _page(target, command if cursor is None else command | {"cursor": cursor})
        yield page
        if (cursor := page.next_cursor) is None:
            return


def _page(target: Target, command: dict[str, object]) -> Page:
    answer = invoke_patiently(target, "ReadInventoryFunctionName", command)
    if not isinstance(answer, dict) or not all(
        isinstance(answer.get(name), kind) for name, kind in _PAGE_MEMBERS.items()
    ):
        raise LocalStackError("the service answered something that is no page of an export")
    return Page(**{name: answer[name] for name in _PAGE_MEMBERS})


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Open the standard output, or a file that gets its name only when it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.is_dir():
        raise LocalStackError(f"{path} is a folder: OUT= names a file")
    if path.exists() and not path.is_file():
        # A pipe or a device; a file that took its place would be a surprise.
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # a link stays one
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def export(target: Target, command: dict[str, object], path: Path | None) -> None:
    """Write a whole export to a file, or to the standard output."""
    progress = Progress()
    created_to = ""
    try:
        with _output(path) as file:
            for page in pages(target, command):
                text = page.text.encode()
                file.write(text)
                progress.add(page, len(text))
                created_to = page.created_to
    finally:
        progress.end()
    where = "" if path is None else f" → {path}"
    print(
        f"{progress}{where}\nAll rows before {created_to}; a later export can go on with FROM={created_to}",
        file=sys.stderr,
    )


def _business_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            "which business? for example BUSINESS=12ae0de4-1f48-58de-a7d2-eb037465d000"
        ) from None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m local.export", description=__doc__)
    parser.add_argument("--business", type=_business_id, default="")
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    parser.add_argument("--out")
    parser.add_argument("--from", dest="created_from")
    parser.add_argument("--to", dest="created_to")
    parser.add_argument("--stack")
    return parser.parse(arguments)


def _carry_out(arguments: Sequence[str] | None) -> int:
    wanted = _parse(arguments)
    command: dict[str, object] = {"command": "export", "business_id": wanted.business, "format": wanted.format}
    command |= {name: value for name in ("created_from", "created_to") if (value := getattr(wanted, name))}
    path = None if wanted.out == STDOUT else Path(wanted.out or f"adjustments-{wanted.business}.{wanted.format}")
    try:
        export(find_target(Places.from_environment(), wanted.stack), command, path)
    except BrokenPipeError:
        # Nobody reads on. Python would stumble over what it still wants to write when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise LocalStackError("the output was closed before the export was whole") from None
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run(
        partial(_carry_out, arguments),
        failed=1,
        interrupted_means="the export is not whole. (A file gets its name only when it is.)",
    )


if __name__ == "__main__":
    sys.exit(main())
