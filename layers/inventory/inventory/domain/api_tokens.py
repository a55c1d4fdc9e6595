"""API tokens: their format, and the decision what a token allows. Standard library only.

A token is ``dz_``, 30 random base62 characters (178 bits) and a base62 CRC-32 of those. The checksum saves the read of
a mistyped or invented token. It protects nothing; the randomness does. Only a token's SHA-256 digest is ever stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

type Scope = Literal["adjustments:read", "adjustments:reverse", "adjustments:write"]
"""What a token may be used for."""

BUSINESSES_MAX: Final = 100
"""Businesses of one token. So its item stays under 4 KB, the unit in which DynamoDB charges reads."""

ID_LENGTH: Final = 32
"""Hexadecimal digits of a token id: 128 bits of the digest, so that no two tokens have the same id."""

_PREFIX: Final = "dz_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 30
_CHECKSUM_LENGTH: Final = 6
_LENGTH: Final = len(_PREFIX) + _RANDOM_LENGTH + _CHECKSUM_LENGTH


class Token(NamedTuple):
    """What is stored of a token, which is not the token itself. Times are UTC; ``expires_at`` None means never."""

    id: str
    digest: bytes
    subject: str
    business_ids: frozenset[UUID]
    scopes: frozenset[Scope]
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def __repr__(self) -> str:
        """Leave the digest out."""
        return f"Token(id={self.id!r}, subject={self.subject!r})"


class Grant(NamedTuple):
    """The token allows its scopes in this business until it expires; ``expires_at`` None means never."""

    token_id: str
    business_id: UUID
    subject: str
    scopes: frozenset[Scope]
    expires_at: datetime | None


class WrongBusiness(NamedTuple):
    """The token is valid, but not for the business of the request."""

    token_id: str


class Unauthenticated(NamedTuple):
    """There is no valid token. ``why`` is for the log only; callers get the same answer for each."""

    why: Literal["missing", "malformed", "unknown", "revoked", "expired"]


def mint() -> str:
    """Make a new token."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{_PREFIX}{text}{_checksum(text)}"


def well_formed(text: str) -> bool:
    """Whether ``text`` can be a token at all. No secret is compared here, so its duration reveals nothing."""
    if len(text) != _LENGTH or not text.startswith(_PREFIX):
        return False
    random_part = text[len(_PREFIX) : -_CHECKSUM_LENGTH]
    return set(random_part).issubset(_ALPHABET) and text.endswith(_checksum(random_part))


def digest_of(text: str) -> bytes:
    """Return the 32 bytes that are stored of a well-formed token."""
    return hashlib.sha256(text.encode("ascii")).digest()


def token_id_of(digest: bytes) -> str:
    """Return the id of a token. It is no secret: it is the key of the token's item, and logs contain it."""
    return digest.hex()[:ID_LENGTH]


def authorize(
    token: Token | None, digest: bytes, business_id: UUID | None, now: datetime
) -> Grant | WrongBusiness | Unauthenticated:
    """Decide what the bearer of ``digest`` may do in a business; a malformed business id comes as None.

    ``token`` is what is stored under the digest's id. The id is only a part of the digest, so the whole digest is
    compared, in constant time.
    """
    if token is None or not hmac.compare_digest(token.digest, digest):
        return Unauthenticated("unknown")
    if token.revoked_at is not None:
        return Unauthenticated("revoked")
    if token.expires_at is not None and now >= token.expires_at:
        return Unauthenticated("expired")
    if business_id is None or business_id not in token.business_ids:
        return WrongBusiness(token.id)
    return Grant(token.id, business_id, token.subject, token.scopes, token.expires_at)


def _checksum(text: str) -> str:
    """CRC-32 of ASCII ``text`` in base62, most significant digit first."""
    number = zlib.crc32(text.encode("ascii"))
    digits: list[str] = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
