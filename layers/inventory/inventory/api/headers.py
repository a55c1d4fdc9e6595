"""Request headers in the gateway's events. Standard library only: the authorizer reads them too."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inventory.api.shapes import HeaderEvent

# The exact types: an event is parsed JSON, which has no subclasses.
_TEXTS: Final = frozenset({str})
_LISTS: Final = frozenset({list})


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
