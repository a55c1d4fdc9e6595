"""What the operators' commands have in common: how they read arguments, end, and tell what went wrong."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C, or a signal that asks to end."""


class Parser(argparse.ArgumentParser):
    """Tells an error as the rest of the command does."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise it.

        Raises:
            LocalStackError: always.

        """
        raise LocalStackError(message)

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Read the arguments; `--name=`, as make passes it for a variable that is not set, is none."""
        empty = {f"{option}=" for action in self._actions for option in action.option_strings}
        given = sys.argv[1:] if arguments is None else arguments
        return self.parse_args([each for each in given if each not in empty])


def run(action: Callable[[], int], *, failed: int, failed_means: str = "", interrupted_means: str) -> int:
    """Carry out a command and return its exit status: `failed` where it ended by an error, told on one line."""
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _interrupt)
    try:
        return action()
    except (LocalStackError, BotoCoreError, ClientError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if failed_means:
            print(failed_means, file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        print(f"\nInterrupted; {interrupted_means}", file=sys.stderr)
        return INTERRUPTED


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
