"""The errors of the commands.

CommandError            the person who typed the command can act on it; shown on one line, without a traceback
FunctionError           a function of the stack raised; `stacks.explained` says what in one line
"""

import json
from typing import Any


class CommandError(Exception):
    """The command can't go on; the text says why, and where possible what to do."""


class FunctionError(Exception):
    """A function raised; ``kind`` is its ``errorType``, ``message`` its ``errorMessage``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    @property
    def detail(self) -> Any:
        """What the service says about one of its own errors; ValueError for an error of Lambda's, which is a text."""
        return json.loads(self.message)
