"""Cursors: where the next page begins, as an opaque text that is valid for one question only."""

from __future__ import annotations

import base64
import json
import zlib
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from inventory.domain.errors import InvalidCursor

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGEST_SIZE_BYTES: Final = 12

_POSITION_SIZE_MAX_BYTES: Final = 64 * 1024
"""Size of a position after decompression: a forged cursor must not fill the memory."""


def cursor(position: str, question: dict[str, str]) -> str:
    """Write a cursor. ``question`` names all that the pages depend on: the business, and what it asks for."""
    return _text(_digest(position, question) + position.encode())


def position(given: str, question: dict[str, str]) -> str | None:
    """Read the position from a cursor; None if it was invented, altered, or made for another question.

    The digest is no secret, so a caller can forge a position, and the reader must check its form. In a list, a forged
    position can only begin a page elsewhere in the caller's own business. In a proof, it also contains the figures of
    the earlier rows. They are compared with the row that it names, but nothing shows that the rows before were checked.
    So a continued proof can be trusted as far as the holder of its cursor.
    """
    try:
        found = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))[_DIGEST_SIZE_BYTES:].decode()
    except ValueError:
        return None
    # A Base64 text has several spellings. Only the one that was issued is a cursor.
    return found if given == cursor(found, question) else None


def start[P](cursor: str | None, question: dict[str, str], parse: Callable[[str], P]) -> P | None:
    """Read the position where a page begins, None for the first page; ``parse`` raises ``ValueError`` for no position.

    Raises:
        InvalidCursor: the cursor is not one of this question.
    """
    if cursor is None:
        return None
    found = position(cursor, question)
    if found is not None:
        with suppress(ValueError):
            return parse(found)
    raise InvalidCursor(cursor)


def compressed_cursor(position: str, question: dict[str, str]) -> str:
    """Write a cursor with a long position, compressed."""
    return _text(_digest(position, question) + zlib.compress(position.encode()))


def compressed_position(given: str, question: dict[str, str]) -> str | None:
    """Read the position from a compressed cursor; None as for ``position``."""
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        decompressor = zlib.decompressobj()
        found = decompressor.decompress(raw[_DIGEST_SIZE_BYTES:], _POSITION_SIZE_MAX_BYTES).decode()
    except (ValueError, zlib.error):
        return None
    # Not compressed again to compare: another version of the library may compress in another way.
    is_whole = decompressor.eof and not decompressor.unused_data and _text(raw) == given
    return found if is_whole and raw[:_DIGEST_SIZE_BYTES] == _digest(found, question) else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _digest(position: str, question: dict[str, str]) -> bytes:
    return sha256(json.dumps([position, question], sort_keys=True).encode()).digest()[:_DIGEST_SIZE_BYTES]
