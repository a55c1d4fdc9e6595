"""Headers of requests in the gateway's events, and of answers to browsers. Standard library only."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inventory.api.shapes import HeaderEvent

# The exact types: an event is parsed JSON, which has no subclasses.
_TEXTS: Final = frozenset({str})
_LISTS: Final = frozenset({list})

# The gateway's own answers carry the same; the template writes them out, and a test compares.
ALLOWED_METHODS: Final = "GET, HEAD, POST"
ALLOWED_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, If-None-Match, x-business-id"
EXPOSED_HEADERS: Final = (
    "ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, x-amzn-Remapped-WWW-Authenticate, x-request-id"
)
PREFLIGHT_KEPT_S: Final = 7200
"""The longest that Chromium keeps the answer to a preflight."""


def cors_headers(origin: str) -> dict[str, str]:
    """Let pages of an origin, or of any (``*``), read an answer."""
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED_HEADERS}


def preflight_headers(origin: str) -> dict[str, str]:
    """Let pages of an origin, or of any (``*``), send the request that a browser asks about in a preflight."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ALLOWED_METHODS,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
    }


def header(event: HeaderEvent, name: str) -> str | None:
    """Find a header by its lower-case name, whatever its case in the request; None where it is absent.

    A repeated header is one value, joined by ", " (RFC 9110, 5.3). For a header that takes one value this is malformed,
    so a second value cannot hide behind the first.
    """
    several = event.get("multiValueHeaders")
    if several:
        values = [value for key, each in several.items() if key.lower() == name for value in each]
    else:
        values = [value for key, value in (event.get("headers") or {}).items() if key.lower() == name]
    return ", ".join(value.strip(" \t") for value in values) if values else None


def has_headers(event: Mapping[str, object]) -> bool:
    """Whether the headers have the gateway's shape; a direct invocation can send any other."""
    return is_text_by_name(event.get("headers")) and is_texts_by_name(event.get("multiValueHeaders"))


def is_text_by_name(value: object) -> bool:
    """Whether this is a gateway's form of headers or parameters: null, or texts by name."""
    return value is None or (isinstance(value, dict) and _TEXTS.issuperset(map(type, value.values())))


def is_texts_by_name(value: object) -> bool:
    """The same for repeated ones: lists of texts by name, none of them empty."""
    return value is None or (
        isinstance(value, dict)
        and _LISTS.issuperset(map(type, value.values()))
        and all(value.values())
        and _TEXTS.issuperset(map(type, chain.from_iterable(value.values())))
    )
