"""The subcommand `export`: all adjustments of a business, from a running service into one file."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from ops.command import Command, for_stack
from ops.errors import CommandError
from ops.progress import Reporter
from ops.stacks import Target, find_target, invoke_until_done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMATS = ("ndjson", "csv")
STDOUT = "-"
_GAPS_SHOWN = 10


class Page(BaseModel):
    """A page of an export, as the service answers it."""

    model_config = ConfigDict(strict=True, frozen=True)

    rows: int
    text: str
    first_created_at: str | None
    last_created_at: str | None
    created_to: str
    next_cursor: str | None


@dataclass(slots=True)
class Exported:
    """How far an export has come.

    The number of all rows is not known. But rows come in the order of time, and the end of the time is known.
    """

    started_s: float
    rows: int = 0
    size_bytes: int = 0
    part: float = 0.0
    created_to: str = ""
    _began: datetime | None = None

    def add(self, page: Page, size_bytes: int) -> None:
        """Count a page."""
        self.rows += page.rows
        self.size_bytes += size_bytes
        self.created_to = page.created_to
        if page.first_created_at is not None and page.last_created_at is not None:
            first, last, end = map(
                datetime.fromisoformat, (page.first_created_at, page.last_created_at, page.created_to)
            )
            self._began = self._began or first
            self.part = (last - self._began) / (end - self._began)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.started_s
        rate = self.rows / seconds if seconds else 0
        return f"{self.rows:,} rows, {self.size_bytes / 1e6:,.1f} MB in {seconds:,.1f} s ({rate:,.0f} rows/s)"


@dataclass(slots=True)
class Sequences:
    """Looks for gaps in the sequence of each stock item, row by row, in the format of the export.

    ``is_whole``: the export begins with the ledger, so each stock item begins with sequence 1.
    """

    format: str
    is_whole: bool
    gaps: list[str] = field(default_factory=list)
    _columns: list[str] = field(default_factory=list)
    _last: dict[tuple[str, str], int] = field(default_factory=dict)

    def look(self, text: str) -> None:
        """Look at the rows of the next page.

        Raises:
            CommandError: they are no rows.
        """
        try:
            for row in self._rows(text):
                self._add((row["variant_id"], row["location_id"]), int(row["sequence"]))
        except (KeyError, TypeError, ValueError):
            raise _no_page() from None

    def _add(self, item: tuple[str, str], sequence: int) -> None:
        last = self._last.get(item, 0 if self.is_whole else sequence - 1)
        if sequence != last + 1:
            self.gaps.append(f"variant {item[0]}, location {item[1]}: sequence {sequence} follows {last}")
        self._last[item] = sequence

    def _rows(self, text: str) -> Iterator[Mapping[str, Any]]:
        if self.format == "ndjson":
            yield from map(json.loads, text.splitlines())
            return
        records = csv.reader(io.StringIO(text, newline=""))
        if not self._columns:  # only the first page has them
            self._columns = next(records, [])
        for record in records:
            yield dict(zip(self._columns, record, strict=True))

    def __str__(self) -> str:
        if not self.gaps:
            return f"No gap in the sequences of {len(self._last):,} stock items."
        first = "\n".join(self.gaps[:_GAPS_SHOWN])
        return f"WRONG: sequences have gaps ({len(self.gaps):,}); `make audit` looks further\n{first}"


def pages(target: Target, command: dict[str, object]) -> Iterator[Page]:
    """Yield one page after the other; where the service asks for it, after a pause.

    Raises:
        CommandError: the service refused, or failed again and again.

    """
    cursor: str | None = None
    while True:
        page = _page(target, command if cursor is None else command | {"cursor": cursor})
        yield page
        if (cursor := page.next_cursor) is None:
            return


def _page(target: Target, command: dict[str, object]) -> Page:
    answer = invoke_until_done(target, "ReadInventoryFunctionName", command)
    try:
        return Page.model_validate(answer)
    except ValidationError:
        raise _no_page() from None


def _no_page() -> CommandError:
    return CommandError("the service answered something that is no page of an export")


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Open the standard output, or a file that gets its name only when it is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.is_dir():
        raise CommandError(f"{path} is a folder: OUT= names a file")
    if path.exists() and not path.is_file():
        # A pipe or a device: write to it, and do not put a file in its place.
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


def export_to(target: Target, command: dict[str, object], path: Path | None, *, begin: bytes = b"") -> bool:
    """Write a whole export to a file, or to the standard output, after the bytes ``begin``.

    Returns:
        Whether the sequences in it have no gap.
    """
    exported = Exported(time.monotonic())
    sequences = Sequences(str(command["format"]), is_whole="created_from" not in command)
    with Reporter(sys.stderr, "{task.percentage:.0f}% of the time") as reporter, _output(path) as file:
        file.write(begin)
        for page in pages(target, command):
            text = page.text.encode()
            file.write(text)
            exported.add(page, len(text))
            sequences.look(page.text)
            reporter.show(exported.part, exported)
    where = "" if path is None else f" → {path}"
    end = exported.created_to
    click.echo(f"{exported}{where}\n{sequences}", err=True)
    click.echo(f"It has all rows before {end}, and none will still appear: FROM={end} goes on from there", err=True)
    return not sequences.gaps


def _business_id(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise click.BadParameter("which business? for example BUSINESS=12ae0de4-1f48-58de-a7d2-eb037465d000") from None


@click.command(cls=Command, interrupted_means="the export is not complete. (A file gets its name only when it is.)")
@click.option("--business", metavar="ID", default="", callback=_business_id, help="The business, by its id.")
@click.option("--format", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True, help="JSON lines, or CSV.")
@click.option("--out", metavar="FILE", help="The file, or - for the standard output [default: adjustments-ID.FORMAT]")
@click.option("--from", "created_from", metavar="INSTANT", help="Only rows that were created then or later.")
@click.option("--to", "created_to", metavar="INSTANT", help="Only rows that were created before.")
@click.option("--byte-order-mark", is_flag=True, help="Begin a CSV so that every spreadsheet reads it as UTF-8.")
@for_stack
def export(
    business: str,
    format: str,  # noqa: A002
    out: str | None,
    byte_order_mark: bool,  # noqa: FBT001
    stack: str | None,
    **period: str | None,
) -> int:
    """Write all adjustments of a business into one file.

    It ends a minute ago, or with --to: up to there the ledger is settled, so that a later export can go on from there.
    The exit status is 1 where a sequence has a gap.
    """
    if byte_order_mark and format != "csv":
        raise click.UsageError("a byte order mark is for CSV only")
    command: dict[str, object] = {"command": "export", "business_id": business, "format": format}
    command |= {name: instant for name, instant in period.items() if instant}
    path = None if out == STDOUT else Path(out or f"adjustments-{business}.{format}")
    try:
        begin = codecs.BOM_UTF8 if byte_order_mark else b""
        complete = export_to(find_target(stack), command, path, begin=begin)
    except BrokenPipeError:
        # The reader has gone. Python would fail when it ends, as it would still flush its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CommandError("the output was closed before the export was complete") from None
    return 0 if complete else 1
