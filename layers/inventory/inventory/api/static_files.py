"""Answers that are the same for every caller: the API's description, its page, and the files that the page loads.

They are public, so nothing here looks at the caller. A file that the browser has is not sent again. The page may load
files from its own API only, and send requests to it only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeIs

from inventory.api.headers import has_headers, header, is_text_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from inventory.api.shapes import PageEvent, PageResponse

REVALIDATE: Final = "no-cache"
"""A cache may keep it, but must ask each time: then a page and the document that it shows fit together."""

KEEP_FOR_AN_HOUR: Final = "public, max-age=3600"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    # Swagger UI carries its pictures in its style sheet.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page(NamedTuple):
    """A file to serve: its bytes, compressed, and the headers that describe them."""

    compressed: bytes
    headers: Mapping[str, str]

    @classmethod
    def read(cls, source: Traversable, media_type: str, cache_control: str) -> Self:
        """Read a file; a file whose name ends in ``.gz`` is compressed already."""
        content = source.read_bytes()
        compressed = content if source.name.endswith(".gz") else gzip.compress(content, mtime=0)
        headers = {
            "Content-Type": media_type,
            "Cache-Control": cache_control,
            # Weak: compressed or not, the content is the same.
            "ETag": f'W/"{hashlib.sha256(compressed).hexdigest()[:32]}"',
            "Vary": "Accept-Encoding",
        }
        return cls(compressed, headers)


def is_page_event(event: object) -> TypeIs[PageEvent]:
    """Whether this has the shape of the gateway's events: a direct invocation can send anything."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("resource"), str)
        and isinstance(event.get("path", ""), str)
        and is_text_by_name(event.get("pathParameters"))
        and has_headers(event)
    )


def served(page: Page, event: PageEvent, *, request_id: str) -> PageResponse:
    """Answer with the page, or with 304 where the browser has it."""
    headers = {**page.headers, **SECURITY_HEADERS, "x-request-id": request_id}
    if _has(event, page.headers["ETag"]):
        return _response(HTTPStatus.NOT_MODIFIED, headers)
    # API Gateway sends a body as bytes only where the request has a matching `Accept` header.
    if header(event, "accept") and _takes_gzip(header(event, "accept-encoding") or ""):
        packed = base64.b64encode(page.compressed).decode()
        return _response(HTTPStatus.OK, headers | {"Content-Encoding": "gzip"}, packed, is_base64=True)
    text = gzip.decompress(page.compressed).decode()
    return _response(HTTPStatus.OK, headers, text)


def moved(location: str, *, request_id: str) -> PageResponse:
    """Answer that the page has moved for good; ``location`` may be relative to the request's address."""
    headers = {"Location": location, **SECURITY_HEADERS, "x-request-id": request_id}
    return _response(HTTPStatus.PERMANENT_REDIRECT, headers)


def not_found(*, request_id: str) -> PageResponse:
    """Answer as the gateway does for a path that the API does not have."""
    detail = {"code": "not_found", "message": "There is no such path or method."}
    headers = {"Content-Type": "application/json", **SECURITY_HEADERS, "x-request-id": request_id}
    return _response(HTTPStatus.NOT_FOUND, headers, json.dumps({"detail": detail}))


def _response(status: int, headers: dict[str, str], body: str = "", *, is_base64: bool = False) -> PageResponse:
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": is_base64}


def _has(event: PageEvent, etag: str) -> bool:
    known = [each.strip() for each in (header(event, "if-none-match") or "").split(",")]
    return "*" in known or etag.removeprefix("W/") in {each.removeprefix("W/") for each in known}


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return weight.strip().rstrip("0") not in {"q=", "q=0."}
    return False
