"""UUIDs as text: the spellings that the API takes, and the canonical one. Standard library only."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from uuid import UUID

_IDS_CACHED_MAX: Final = 1_000
"""Identifiers of which an environment caches the text, and texts of which it caches the identifier."""

_HYPHENATED: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_SPELLINGS: Final = re.compile(
    rf"(?:urn:uuid:)?{_HYPHENATED}|\{{{_HYPHENATED}\}}|[0-9a-f]{{32}}".replace("a-f", "a-fA-F")
)


def parse_uuid(text: str) -> UUID | None:
    """Read a UUID in the spellings that pydantic takes in a body, so that headers and bodies agree; None for others.

    The spellings are hyphenated, 32 digits, ``{hyphenated}`` and ``urn:uuid:hyphenated``. The prefix is in lower case;
    the digits are in any case; nothing stands around them. ``UUID(text)`` alone takes hyphens and braces anywhere.
    """
    return uuid_of(text) if is_uuid(text) else None


def is_uuid(text: str) -> bool:
    """Whether ``parse_uuid`` can read the text."""
    return _SPELLINGS.fullmatch(text) is not None


@lru_cache(_IDS_CACHED_MAX)
def uuid_text(value: UUID) -> str:
    """Write a UUID in its canonical spelling. One request needs the texts of a few ids some 30 times."""
    return str(value)


@lru_cache(_IDS_CACHED_MAX)
def uuid_of(text: str) -> UUID:
    """Read a spelling of a UUID. The rows of a page have most of their ids in common, and so have requests."""
    return UUID(text)
