"""A fault that is put in, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one function or value; ``stands`` is the changed code, its white space as single spaces."""

    where: str
    stands: str


class Tried(NamedTuple):
    """A fault, whether a test noticed it, and as text what was changed."""

    fault: Fault
    noticed: bool
    diff: str


def one_line(code: str) -> str:
    """Code as one line, as written in ``survivors.md``."""
    return " ".join(code.split())
