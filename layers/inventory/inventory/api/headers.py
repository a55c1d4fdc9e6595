"""Request headers as the gateway hands them over. Standard library only: the authorizer reads them too."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

# What JSON makes of texts and lists, which is what an event was made from.
_TEXTS: Final = frozenset({str})

_LISTS: Final = frozenset({list})


class HeaderEvent(TypedDict):
    """The part of a gateway's event that holds the headers; either member may be missing or null."""

    headers: NotRequired[dict[str, str] | None]
    multiValueHeaders: NotRequired[dict[str, list[str]] | None]


def header(event: HeaderEvent, name: str) -> str | None:
    """Find a header by its lower-case name, whatever its case in the request; None where it is absent.

    A header that came several times is one value, joined by ", " (RFC 9110, 5.3): for a header that takes one value
    that is malformed, so nobody can hide a second value behind the first.
    """
    several = event.get("multiValueHeaders")
    if several:
        values = [value for key, each in several.items() if key.lower() == name for value in each]
    else:
        values = [value for key, value in (event.get("headers") or {}).items() if key.lower() == name]
    return ", ".join(value.strip(" \t") for value in values) if values else None


def has_headers(event: Mapping[str, object]) -> bool:
    """Whether the headers have the shape that a gateway gives them: whoever invokes a function can send any other."""
    return is_text_by_name(event.get("headers")) and is_texts_by_name(event.get("multiValueHeaders"))


def is_text_by_name(value: object) -> bool:
    """Whether this is what a gateway makes of headers or parameters: null, or texts by name."""
    return value is None or (isinstance(value, dict) and _TEXTS.issuperset(map(type, value.values())))


def is_texts_by_name(value: object) -> bool:
    """The same of those that may come several times: lists of texts by name, none of them empty."""
    return value is None or (
        isinstance(value, dict)
        and _LISTS.issuperset(map(type, value.values()))
        and all(value.values())
        and _TEXTS.issuperset(map(type, chain.from_iterable(value.values())))
    )
