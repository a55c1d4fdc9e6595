"""Cursors: where the next page begins, as a text that means nothing to its bearer and fits one question only."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Final

_DIGEST_SIZE_BYTES: Final = 12


def cursor(position: str, question: dict[str, str]) -> str:
    """Write a cursor; ``question`` is all that the pages belong to: the business, and what it asks for."""
    raw = _digest(position, question) + position.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def position(given: str, question: dict[str, str]) -> str | None:
    """Read the position from a cursor; None for one that was made up, altered, or made for another question.

    The digest is no secret, so a position may be made up all the same: whoever reads it must not trust its form. Of a
    list it can at most begin a page elsewhere in the caller's own business. Of a proof it also says what earlier rows
    added up to: that is held against the row that it names, but nothing shows that the rows before were looked at. So a
    proof that was continued is only as good as whoever carried the cursor.
    """
    try:
        found = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))[_DIGEST_SIZE_BYTES:].decode()
    except ValueError:
        return None
    # Base64 can be spelt in several ways: only the one that was handed out is a cursor.
    return found if given == cursor(found, question) else None


def _digest(position: str, question: dict[str, str]) -> bytes:
    return sha256(json.dumps([position, question], sort_keys=True).encode()).digest()[:_DIGEST_SIZE_BYTES]
