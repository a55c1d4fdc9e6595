"""The functions' log for people: one short line for each request."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from ops.local_stack import STACK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE: Final = re.compile(rf"(?P<time>\d\d:\d\d:\d\d) (?:{STACK_NAME}-)?(?P<function>[\w-]+) (?P<text>.*)", re.DOTALL)
_OF_THE_PLATFORM: Final = ("REPORT RequestId:", "INIT_START ", "START RequestId:", "END RequestId:")
_OF_EVERY_ROW: Final = "adjustments published"
"""Each request that is applied leaves this line too, by the function that publishes its row."""

_IDS: Final = ("adjustment_id", "message_id", "function_request_id")
_REASONS: Final = ("why", "problem", "ledger_key", "error", "exception_name")


def short_line(line: str) -> str | None:
    """Give a line of the functions' log as time, function, outcome, id and milliseconds, or None to leave it out.

    What is no line of a function's logger stays as it is: it is what a crash leaves behind.
    """
    found = _LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        return line
    if found["text"].startswith(_OF_THE_PLATFORM):
        return None
    members = _members(found["text"])
    if members is None:
        return line
    if "_aws" in members or members.get("message") == _OF_EVERY_ROW:
        return None
    return f"{found['time']} {found['function']:<19} {_outcome(members)}\n"


@dataclass(slots=True)
class GrowingLog:
    """A log that others write to while it is read."""

    file: TextIO
    _begun: str = ""

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that were added since the last call. One that is not ended yet waits for the next."""
        while text := self.file.readline():
            self._begun += text
            if not text.endswith("\n"):
                return
            line, self._begun = self._begun, ""
            yield line


def _outcome(members: dict[str, Any]) -> str:
    what = members.get("code") or members.get("command") or members.get("message", "")
    which = next((members[name] for name in _IDS if name in members), "")
    duration = f"{members['duration_ms']:.0f} ms" if "duration_ms" in members else ""
    why = " ".join(str(members[name]) for name in _REASONS if name in members)
    level = "" if members.get("level") == "INFO" else f"{members.get('level', '')} "
    return f"{level}{what:<20} {which:<36} {duration:>8} {why}".rstrip()


def _members(text: str) -> dict[str, Any] | None:
    try:
        members = json.loads(text)
    except ValueError:
        return None
    return members if isinstance(members, dict) else None
