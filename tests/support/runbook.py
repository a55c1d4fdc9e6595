"""The runbook's sections and commands, as an operator pastes them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tests.support.pages import code, page

TO_FILL_IN: Final = re.compile(r"(\w+)=([0dz_:TZ.-]*0[0dz_:TZ.-]*)(?= |$)")
"""A variable that a command sets to zeros, for the operator to fill in."""


class Command(NamedTuple):
    """One command, from its ``$`` to the end of its line; ``is_local``: it works on the local stack as it stands."""

    text: str
    is_local: bool


class Block(NamedTuple):
    """What is pasted at once, and the section that it stands in."""

    section: str
    is_local: bool
    lines: tuple[str, ...]


def text() -> str:
    """All of it."""
    return page("docs/runbook.md")


def sections() -> dict[str, str]:
    """Body by title, of whatever level; a section ends where the next one begins."""
    outside_of_code = re.sub(r"```.*?```", lambda block: block[0].replace("\n#", "\n\\#"), text(), flags=re.DOTALL)
    found = re.split(r"^#+ (.*)$", outside_of_code, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def blocks() -> list[Block]:
    """Every block of commands, in order."""
    found = []
    for title, body in sections().items():
        for kind, block in re.findall(r"^ *```(.*)\n((?:.*\n)*?) *```$", body, re.MULTILINE):
            assert kind in {"console", "console local"}
            lines = re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)
            assert len(lines) == block.count("\n"), f"a line of {title} is no command"
            found.append(Block(title, kind == "console local", tuple(lines)))
    return found


def beginning() -> Block:
    """What the commands for AWS take their names from."""
    return next(block for block in blocks() if not block.is_local)


def commands() -> list[Command]:
    """Every command, in order."""
    return [Command(line, block.is_local) for block in blocks() for line in block.lines]


def pasted(name: str) -> list[str]:
    """Every command of another page."""
    return [line for block in code(page(name), "console") for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)]


def calls_of_aws(command: str) -> list[list[str]]:
    """The words of every call of the AWS command line in a command, as they stand, those within ``"$(…)"`` too."""
    starts = re.finditer(r"(?:^|[\s({;|])aws (?=[a-z])", command)
    return [_words(command, start.end()) for start in starts]


def _words(command: str, at: int) -> list[str]:
    """The words from a place on, to where the shell would end the command."""
    words = [""]
    while at < len(command) and command[at] not in "();<>|&":
        end = _end(command, at)
        if command[at].isspace():
            words.append("")
        else:
            words[-1] += command[at:end]
        at = end
    return [word for word in words if word]


def _end(command: str, at: int) -> int:
    """Where what begins at a place ends: a quotation, a substitution in brackets, or one character."""
    if command[at] == "\\":
        return at + 2
    if command[at] == "'":
        return command.index("'", at + 1) + 1
    if command[at] == '"':
        at += 1
        while command[at] != '"':
            at = _end(command, at) if command[at] in "\\$" else at + 1
        return at + 1
    if command.startswith("$(", at):
        at += 2
        while command[at] != ")":
            at = _end_of_brackets(command, at) if command[at] == "(" else _end(command, at)
    return at + 1


def _end_of_brackets(command: str, at: int) -> int:
    at += 1
    while command[at] != ")":
        at = _end_of_brackets(command, at) if command[at] == "(" else _end(command, at)
    return at + 1
