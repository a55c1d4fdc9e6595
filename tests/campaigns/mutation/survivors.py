"""Which faults no test notices, from ``survivors.md``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.campaigns.mutation.fault import Fault

EQUIVALENT: Final = "Equivalent"
LEFT: Final = "Left"

_PAGE = Path(__file__).with_name("survivors.md")
_ENTRY = re.compile(r"- `(?P<where>[^`]+)`: `(?P<stands>[^`]+)`: (?P<why>.+)")


def known_survivors() -> dict[Fault, str]:
    """The faults of the page, each with the title that it stands under.

    Raises:
        ValueError: a line of a list is no entry.
    """
    title = ""
    known: dict[Fault, str] = {}
    for line in _PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif line.startswith("- "):
            entry = _ENTRY.fullmatch(line)
            if entry is None or title not in {EQUIVALENT, LEFT}:
                raise ValueError(line)
            known[Fault(entry["where"], entry["stands"])] = title
    return known
