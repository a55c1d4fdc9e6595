"""A terminal, as far as a progress bar needs one."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pytest

ERASED: Final = "\x1b[1A\x1b[2K"
"""Goes up one line and clears it: how a bar takes itself away."""


def become_terminal(monkeypatch: pytest.MonkeyPatch, stream: Literal["stdout", "stderr"]) -> None:
    """Let the standard output, or the standard error, be a terminal of 200 columns."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True, raising=False)


def drawn(written: str) -> list[str]:
    """The lines that were drawn, one after the other, without colours; a bar draws its line anew each time."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]
