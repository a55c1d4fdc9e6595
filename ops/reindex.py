"""The subcommand `reindex`: stock items from before the index of a business's stock items get into it."""

from __future__ import annotations

import sys
from typing import Any

import click

from ops.command import Command, for_stack
from ops.progress import bar_on
from ops.stacks import find_target, invoke_until_done


@click.command("reindex", cls=Command, interrupted_means="run it again for the rest.")
@for_stack
def reindex(stack: str | None) -> int:
    """Let lists of levels show stock items from before their index.

    May be stopped and repeated: what is in the index stays there. The exit status is 1 where stock items have keys that
    the service did not write; `audit` names them.
    """
    target, cursor, indexed, unreadable = find_target(stack), None, 0, 0
    with bar_on(sys.stdout, "") as progress:
        bar = progress.add_task("", total=None)
        while True:
            payload = {"command": "index_stock_items"} | ({} if cursor is None else {"cursor": cursor})
            answer: dict[str, Any] = invoke_until_done(target, "ProvisionFunctionName", payload)
            indexed, unreadable = indexed + answer["indexed"], unreadable + answer["unreadable"]
            progress.update(bar, description=f"{indexed:,} put into the index", refresh=True)
            cursor = answer["next_cursor"]
            if cursor is None:
                break
    click.echo(f"put into the index: {indexed:,}; with unreadable keys: {unreadable:,}")
    return 1 if unreadable else 0
