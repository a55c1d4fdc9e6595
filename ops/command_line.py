"""All subcommands under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.api_keys import api_keys
from ops.audit import audit
from ops.command import Command, report
from ops.export import export
from ops.imports import imports
from ops.provision import provision
from ops.redrive import redrive
from ops.reindex import reindex
from ops.report import reasons_report
from ops.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (audit, export, imports, provision, redrive, api_keys, reindex, reasons_report, verify)
MISUSED = 2


@click.group(commands=COMMANDS, invoke_without_command=True)
@click.pass_context
def ops(context: click.Context) -> None:
    """Operate a stack of the inventory adjustment service: the local one, or one in AWS."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status. An error is reported on one line."""
    try:
        status: int | None = ops.main(arguments, prog_name="python -m ops", standalone_mode=False)
    except click.UsageError as error:
        report(" ".join(error.format_message().split()))
        command = error.ctx and error.ctx.command
        return command.misused if isinstance(command, Command) else MISUSED
    return status or 0
