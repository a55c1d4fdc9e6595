"""What the subcommands have in common: how they report errors, end, and name the stack that they are for."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, override

import click
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import CommandError

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C, or a signal that asks to end."""


class Command(click.Command):
    """A subcommand. Its function returns the exit status.

    ``failed`` is the exit status where it ended by an error, and ``misused`` where it was typed wrong.
    ``failed_means`` and ``interrupted_means`` tell a person what that leaves behind.
    """

    def __init__(
        self,
        *arguments: Any,
        failed: int = 1,
        misused: int | None = None,
        failed_means: str | None = None,
        interrupted_means: str,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._failed = failed
        self.misused = failed if misused is None else misused
        self._failed_means = failed_means
        self._interrupted_means = interrupted_means

    @override
    def invoke(self, ctx: click.Context) -> Any:
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signal_number, _interrupt)
        try:
            return super().invoke(ctx)
        except (CommandError, BotoCoreError, ClientError, OSError) as error:
            report(error)
            if self._failed_means:
                click.echo(self._failed_means, err=True)
            return self._failed
        except KeyboardInterrupt:
            click.echo(f"\nInterrupted; {self._interrupted_means}", err=True)
            return INTERRUPTED


def report(error: object) -> None:
    """Print an error."""
    click.echo(f"error: {error}", err=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


for_stack = click.option(
    "--stack", metavar="NAME", help="A stack in AWS, reached with your own credentials; without it, the local stack."
)
