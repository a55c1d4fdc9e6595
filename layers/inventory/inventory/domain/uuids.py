"""The spellings of a UUID that the API takes. Standard library only, as the authorizer loads it."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

_HYPHENATED: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_SPELLINGS: Final = re.compile(
    rf"(?:urn:uuid:)?{_HYPHENATED}|\{{{_HYPHENATED}\}}|[0-9a-f]{{32}}".replace("a-f", "a-fA-F")
)


def parse_uuid(text: str) -> UUID | None:
    """Read a UUID in the spellings that pydantic takes in a body, so that headers and bodies agree; None for others.

    The spellings are hyphenated, 32 digits, ``{hyphenated}`` and ``urn:uuid:hyphenated``. The prefix is in lower case;
    the digits are in any case; nothing stands around them. ``UUID(text)`` alone takes hyphens and braces anywhere.
    """
    return UUID(text) if _SPELLINGS.fullmatch(text) else None
