"""The subcommands `import …`: what is in a file goes into a business, and a result file says how each line went."""

from __future__ import annotations

import csv
import os
import sys
import time
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import click
import httpx

from ops.command import Command, for_stack
from ops.errors import CommandError
from ops.http_api import TIMEOUT_S, Api
from ops.import_catalog import CATALOG_COLUMNS, CATALOG_RESULTS, CatalogImport, locations_of
from ops.import_changes import CHANGE_RESULTS, KINDS, ThroughApi, ThroughQueue, line_key
from ops.import_files import ImportFile, Results, result_path
from ops.progress import Reporter
from ops.stacks import find_api, find_stack, find_target
from ops.verify import api_address, given_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.import_files import Line

_TOGETHER = 500
_INTERRUPTED = "the lines in the result file are done. Run it again: it goes on, and does nothing twice."


class Importer(Protocol):
    """Brings lines into a business. ``done`` says what it does to them."""

    done: ClassVar[str]

    def carry_out(self, lines: Sequence[Line], results: Results) -> None:
        """Import some lines, and write how each went."""
        ...


def carry_out(file: ImportFile, importer: Importer, columns: Sequence[str]) -> int:
    """Import a file. Return the exit status: 1 where a line was not imported."""
    good = [line for line in file.lines if line.problem is None]
    path, started_s = result_path(file.path), time.monotonic()
    with path.open("w", encoding="utf-8", newline="") as written, Reporter(sys.stderr, "{task.percentage:.0f}%") as bar:
        results = Results(written, columns)
        for line in file.lines:
            if line.problem is not None:
                results.write(line, error=line.problem)
        done = results.failed
        for together in batched(good, _TOGETHER, strict=False):
            importer.carry_out(together, results)
            results.flush()
            done += len(together)
            bar.show(done / len(file.lines), f"{done:,} of {len(file.lines):,} lines, {results.failed:,} failed")
    seconds = time.monotonic() - started_s
    click.echo(f"{done - results.failed:,} lines {importer.done} in {seconds:,.1f} s", nl=False)
    click.echo(f", {results.failed:,} failed: {path} has an id or an error for each")
    return 1 if results.failed else 0


def look_at(file: ImportFile) -> int:
    """Print what is wrong with the lines of a file. Return the exit status: 1 where anything is."""
    bad = [line for line in file.lines if line.problem is not None]
    for line in bad:
        click.echo(f"line {line.number}: {line.problem}")
    click.echo(f"{len(file.lines) - len(bad):,} lines can be sent, {len(bad):,} can't; nothing was sent")
    return 1 if bad else 0


def _refuse_a_changed_file(file: ImportFile) -> None:
    """A file that was imported, and then changed, has other keys: what was done would be done again.

    Raises:
        CommandError: the result beside it is of another content of this file.
    """
    path = result_path(file.path)
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as written:
        keys = [row["key"] for row in csv.DictReader(written) if row.get("key") and not row.get("error")]
    if keys and not keys[0].startswith(line_key(file, file.lines[0]).rpartition("-")[0]):
        raise CommandError(
            f"{file.path} was changed since it was imported: what is done would be done again. Import only the lines "
            f"that failed, as a file of their own; or remove {path} if this is another file"
        )


def _file(_context: click.Context, _option: click.Parameter, path: Path) -> Path:
    if not path.is_file():
        raise click.BadParameter(f"there is no file {path}")
    return path


a_file = click.argument("file", type=click.Path(path_type=Path), callback=_file, envvar="FILE")
of_business = click.option(
    "--business", metavar="ID", callback=given_id, required=True, help="The business that it is imported into."
)
dry = click.option("--dry-run", is_flag=True, help="Only look at the file, and print what is wrong with it.")


@click.command(cls=Command, interrupted_means=_INTERRUPTED)
@a_file
@of_business
@dry
@for_stack
def catalog(file: Path, business: str, dry_run: bool, stack: str | None) -> int:  # noqa: FBT001
    """Register variants and book their opening stock.

    Columns: sku, and where known name, opening_quantity, location (a name or an id; without it the default location),
    variant_id. Running it again changes nothing: a SKU keeps its variant, and has one opening stock at a location.
    """
    read = ImportFile.read(file, CATALOG_COLUMNS)
    if dry_run:
        return look_at(read)
    target = find_target(stack)
    importer = CatalogImport(target, business, locations_of(target, business))
    return carry_out(read, importer, CATALOG_RESULTS)


def _changes(kind: str, summary: str) -> click.Command:
    """Make the subcommand of a kind of change."""

    @click.command(kind, cls=Command, interrupted_means=_INTERRUPTED, help=_help(kind, summary))
    @a_file
    @of_business
    @click.option("--url", metavar="ADDRESS", callback=api_address, help="The API [default: the stack's].")
    @click.option("--by-queue", is_flag=True, help="Send messages to the queue, with your own credentials.")
    @dry
    @for_stack
    def changes(
        file: Path,
        business: str,
        url: str | None,
        by_queue: bool,  # noqa: FBT001
        dry_run: bool,  # noqa: FBT001
        stack: str | None,
    ) -> int:
        read = ImportFile.read(file, KINDS[kind].columns)
        if dry_run:
            return look_at(read)
        _refuse_a_changed_file(read)
        if by_queue:
            return _by_queue(read, business, stack)
        with httpx.Client(timeout=TIMEOUT_S) as http:
            api = Api.of(url or find_api(stack), http, token=_token(), business_id=business)
            return carry_out(read, ThroughApi(api, KINDS[kind].path, read), CHANGE_RESULTS)

    return changes


def _by_queue(read: ImportFile, business: str, stack: str | None) -> int:
    found = find_stack(stack)
    url = found.queue_url("AdjustmentRequestsQueue")
    return carry_out(read, ThroughQueue(found.aws.queues(), url, business, read), CHANGE_RESULTS)


def _token() -> str:
    token = os.environ.get("TOKEN", "")
    if not token:
        raise CommandError("TOKEN= is missing: a token with the scope adjustments:write (or --by-queue)")
    return token


def _help(kind: str, summary: str) -> str:
    columns = ", ".join(column.name for column in KINDS[kind].columns)
    return (
        f"{summary}\n\nColumns: {columns}. Each line has a key of the file's content and its number, so running a "
        "half-done import again does nothing twice. The token comes from the variable TOKEN: everybody on a machine "
        "can see the arguments of a command."
    )


adjustments = _changes("adjustments", "Create the adjustments of a file.")
counts = _changes("counts", "Record the stock counts of a file.")


@click.group("import", commands=(catalog, adjustments, counts))
def imports() -> None:
    """Bring a catalog, adjustments or counts in from a file."""
