"""Answers that are the same for every caller: the API's description, its page, and the files that the page loads.

They are public, so nothing here looks at the caller, and pages of every origin may read them. A file that a cache has
is not sent again: a part of a page has a name that changes with its content, so caches keep it without asking. The page
may load files from its own API only, and send requests to it only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeIs

from inventory.api.headers import cors_headers, has_headers, header, is_text_by_name, preflight_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from inventory.api.shapes import PageEvent, PageResponse

KEPT_BRIEFLY: Final = "public, max-age=60"
"""Of what is under one name in every version: caches ask again after a minute, and get 304 if it is the same."""

KEPT_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Of what has a name of its own in every version."""

ANY_ORIGIN: Final = "*"
_VERSION_LENGTH: Final = 12

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
    """A file to serve: its bytes, compressed, the hex digest of these, and its media type."""

    compressed: bytes
    digest: str
    media_type: str

    @classmethod
    def read(cls, source: Traversable, media_type: str) -> Self:
        """Read a file; a file whose name ends in ``.gz`` is compressed already."""
        content = source.read_bytes()
        return cls.of(content if source.name.endswith(".gz") else gzip.compress(content, mtime=0), media_type)

    @classmethod
    def of(cls, compressed: bytes, media_type: str) -> Self:
        """Make a page of compressed bytes."""
        return cls(compressed, hashlib.sha256(compressed).hexdigest(), media_type)

    @property
    def version(self) -> str:
        """The part of a name that changes with the content."""
        return self.digest[:_VERSION_LENGTH]

    @property
    def etag(self) -> str:
        """Weak: compressed or not, the content is the same."""
        return f'W/"{self.digest[:32]}"'


def versioned(name: str, version: str) -> str:
    """The name under which a version of a file is kept for ever: ``docs.0a1b2c3d4e5f.js`` of ``docs.js``."""
    stem, _, extension = name.rpartition(".")
    return f"{stem}.{version}.{extension}"


def unversioned(name: str) -> tuple[str, str]:
    """The name of a file without its version, and the version; "" where the name has none."""
    match name.rsplit(".", 2):
        case [stem, version, extension] if len(version) == _VERSION_LENGTH:
            return f"{stem}.{extension}", version
    return name, ""


class StaticFiles:
    """The files of one folder, and of a package whose files are compressed: documents by their path, parts by name.

    ``documents`` are file names and media types by path, ``parts`` are media types by file name. A document of HTML
    names its parts as ``<prefix>/<name>``, and a module its modules as ``./<name>``: they are served with the names of
    their versions, so the version of a module changes with those that it imports.
    """

    def __init__(
        self,
        folder: Path,
        package: str,
        documents: Mapping[str, tuple[str, str]],
        parts: Mapping[str, str],
        prefix: str,
    ) -> None:
        self._folder = folder
        self._prefix = prefix
        self._package = package
        self._documents = documents
        self._parts = parts
        self._read: dict[str, Page] = {}

    def answer(self, event: PageEvent, *, request_id: str) -> PageResponse:
        """Answer with the file that the event's path names, or with 404."""
        path = event["resource"]
        if path in self._documents:
            return served(self._page(path, self._document), event, KEPT_BRIEFLY, request_id=request_id)
        name, version = unversioned((event.get("pathParameters") or {}).get("asset", ""))
        if name not in self._parts:
            return not_found(request_id=request_id)
        part = self._page(name, self._part)
        # Another version's name is answered too, as versions take turns for minutes; no cache keeps that for ever.
        kept = KEPT_FOR_EVER if version == part.version else KEPT_BRIEFLY
        return served(part, event, kept, request_id=request_id)

    def _page(self, name: str, read: Callable[[str], Page]) -> Page:
        if name not in self._read:
            self._read[name] = read(name)
        return self._read[name]

    def _document(self, path: str) -> Page:
        name, media_type = self._documents[path]
        if name.endswith(".html"):
            return self._with_versions(name, f"{self._prefix}/", media_type)
        return Page.read(self._folder / name, media_type)

    def _part(self, name: str) -> Page:
        if not (self._folder / name).exists():
            return Page.read(resources.files(self._package) / f"{name}.gz", self._parts[name])
        return self._with_versions(name, "./", self._parts[name])

    def _with_versions(self, name: str, prefix: str, media_type: str) -> Page:
        """A text of ours, with the names of the versions of those parts that it names behind ``prefix``."""
        text = (self._folder / name).read_text(encoding="utf-8")
        for part in self._parts:
            named = f'"{prefix}{part}"'
            if named in text:
                text = text.replace(named, f'"{prefix}{versioned(part, self._page(part, self._part).version)}"')
        return Page.of(gzip.compress(text.encode(), mtime=0), media_type)


def is_page_event(event: object) -> TypeIs[PageEvent]:
    """Whether this has the shape of the gateway's events: a direct invocation can send anything."""
    return (
        isinstance(event, dict)
        and isinstance(event.get("resource"), str)
        and isinstance(event.get("path", ""), str)
        and is_text_by_name(event.get("pathParameters"))
        and has_headers(event)
    )


def served(page: Page, event: PageEvent, cache_control: str, *, request_id: str) -> PageResponse:
    """Answer with the page, or with 304 where the client has it."""
    headers = {
        "Content-Type": page.media_type,
        "Cache-Control": cache_control,
        "ETag": page.etag,
        "Vary": "Accept-Encoding",
        **_every_answer(request_id),
    }
    if _has(event, page.etag):
        return _response(HTTPStatus.NOT_MODIFIED, headers)
    # API Gateway sends a body as bytes only where the request has a matching `Accept` header.
    if header(event, "accept") and _takes_gzip(header(event, "accept-encoding") or ""):
        packed = base64.b64encode(page.compressed).decode()
        return _response(HTTPStatus.OK, headers | {"Content-Encoding": "gzip"}, packed, is_base64=True)
    text = gzip.decompress(page.compressed).decode()
    return _response(HTTPStatus.OK, headers, text)


def moved(location: str, *, request_id: str) -> PageResponse:
    """Answer that the page has moved for good; ``location`` may be relative to the request's address."""
    headers = {"Location": location, **_every_answer(request_id)}
    return _response(HTTPStatus.PERMANENT_REDIRECT, headers)


def not_found(*, request_id: str) -> PageResponse:
    """Answer as the gateway does for a path that the API does not have."""
    detail = {"code": "not_found", "message": "There is no such path or method."}
    headers = {"Content-Type": "application/json", **_every_answer(request_id)}
    return _response(HTTPStatus.NOT_FOUND, headers, json.dumps({"detail": detail}))


def without_body(response: PageResponse) -> PageResponse:
    """Make the answer to HEAD of the answer to GET."""
    return response | {"body": "", "isBase64Encoded": False}


def preflight(origin: str, *, request_id: str) -> PageResponse:
    """Tell a browser what pages of this origin may send; with no origin, that there is nothing for it here."""
    if not origin:
        response = not_found(request_id=request_id)
        for name in cors_headers(ANY_ORIGIN):
            del response["headers"][name]
        return response
    return _response(HTTPStatus.NO_CONTENT, preflight_headers(origin) | {"x-request-id": request_id})


def _every_answer(request_id: str) -> dict[str, str]:
    return {**SECURITY_HEADERS, **cors_headers(ANY_ORIGIN), "x-request-id": request_id}


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
