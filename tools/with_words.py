"""Run a command with the words of a variable behind its arguments: `python -m tools.with_words SAM_ARGS command …`.

The words are divided and quoted as in a shell. But a shell would also carry out a `$(…)` that is in the variable.
"""

import os
import shlex
import sys


def main(variable: str, *command: str) -> None:
    """Become the command."""
    os.execvp(command[0], [*command, *shlex.split(os.environ.get(variable, ""))])  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
