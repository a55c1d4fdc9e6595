"""The runbook's sections and commands, as whoever reads it by night would paste them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.support.sam_template import PROJECT_ROOT

RUNBOOK: Final = PROJECT_ROOT / "docs" / "runbook.md"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, from its ``$`` to the end of its line; ``is_local``: it works on the local stack as it stands."""

    text: str
    is_local: bool


@cache
def text() -> str:
    """All of it."""
    return RUNBOOK.read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Body by title, of whatever level; a section ends where the next one begins."""
    outside_of_code = re.sub(r"```.*?```", lambda block: block[0].replace("\n#", "\n\\#"), text(), flags=re.DOTALL)
    found = re.split(r"^#+ (.*)$", outside_of_code, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def commands() -> list[Command]:
    """Every command, in order."""
    blocks = re.findall(r"^ *```(.*)\n((?:.*\n)*?) *```$", text(), re.MULTILINE)
    assert {kind for kind, _ in blocks} == {"console", "console local"}
    return [
        Command(line, is_local=kind == "console local")
        for kind, block in blocks
        for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)
    ]


def calls_of_aws(command: str) -> list[list[str]]:
    """The arguments of every call of the AWS command line in a command, those within ``"$(…)"`` too."""
    calls = []
    for start in re.finditer(r"(?:^|[\s({;|])aws (?=[a-z])", command):
        lexer = shlex.shlex(command[start.end() :], posix=False, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("();<>|&}"):
                break
            words.append(word)
        calls.append(words)
    return calls
