"""Cursors: where the next page begins, as a text that means nothing to its bearer and fits one question only."""

from __future__ import annotations

import base64
import binascii
import json
from hashlib import sha256
from typing import Final

_DIGEST_SIZE_BYTES: Final = 12


def cursor(position: str, question: dict[str, str | None]) -> str:
    """Write a cursor; ``question`` is all that the pages belong to: the business, and what it asks for."""
    raw = _digest(position, question) + position.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def position(cursor: str, question: dict[str, str | None]) -> str | None:
    """Read the position from a cursor; None for one that was made up, altered, or made for another question.

    The digest is no secret: a made-up cursor could at most begin a page elsewhere in the caller's own business.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        found = raw[_DIGEST_SIZE_BYTES:].decode()
    except (binascii.Error, ValueError):
        return None
    return found if raw[:_DIGEST_SIZE_BYTES] == _digest(found, question) else None


def _digest(position: str, question: dict[str, str | None]) -> bytes:
    return sha256(json.dumps([position, question], sort_keys=True).encode()).digest()[:_DIGEST_SIZE_BYTES]
