"""Request headers as the gateway hands them over. Standard library only: the authorizer reads them too."""

from __future__ import annotations

from typing import NotRequired, TypedDict


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
