"""The API over HTTP, with nothing but an address, a token and a business."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ADJUSTMENTS = "/api/v1/inventory/adjustments"
COUNTS = "/api/v1/inventory/counts"
LEVELS = "/api/v1/inventory/levels"
REASONS_REPORT = "/api/v1/inventory/reports/adjustment-reasons"
DOCS = "/api/v1/docs"
APP = "/api/v1/app"
ATTEMPTS_MAX = 6
TIMEOUT_S = 35.0
"""Longer than the gateway's own limit of 29 seconds, so that it answers first."""
_LATER = {429, 503}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; ``body`` is None where it is no JSON. ``url`` is that of the request."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: Any
    content: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The code of an error, or the types of a list of them."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        if isinstance(detail, list):
            return " ".join(each.get("type", "?") for each in detail)
        return str(detail["code"]) if isinstance(detail, dict) and "code" in detail else ""

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip()


@dataclass(frozen=True, slots=True)
class Api:
    """Calls for one business. A call is repeated where the service asks for it, or does not answer."""

    base_url: str
    http: httpx.Client
    headers: Mapping[str, str] = field(repr=False)
    pause: Callable[[float], object] = time.sleep

    @classmethod
    def of(cls, base_url: str, http: httpx.Client, *, token: str, business_id: str) -> Self:
        """Return an API with the two headers that every call needs."""
        headers = {"Authorization": f"Bearer {token}", "x-business-id": business_id}
        return cls(base_url.rstrip("/"), http, headers)

    def having(self, **headers: str | None) -> Self:
        """Return the same API with other headers; None leaves one out. ``_`` in a name stands for ``-``."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in changed}
        return replace(self, headers=kept | {name: value for name, value in changed.items() if value is not None})

    def get(self, path: str, **query: str) -> Answer:
        """Send a GET request."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: object, *, key: str | None = None) -> Answer:
        """Send a body as JSON, or bytes as they are. Without a key, send only what the service refuses."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self._call("POST", path, headers={} if key is None else {"Idempotency-Key": key}, **sent)

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **sent: Any) -> Answer:
        """Call until the service answers.

        Raises:
            httpx.HTTPError: it did not answer, several times in a row.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                response = self.http.request(
                    method, f"{self.base_url}{path}", headers={**self.headers, **(headers or {})}, **sent
                )
            except httpx.TransportError:
                if attempt == ATTEMPTS_MAX // 2:
                    raise
            else:
                if response.status_code not in _LATER or attempt == ATTEMPTS_MAX:
                    return Answer(
                        str(response.url), response.status_code, response.headers, _json(response), response.content
                    )
            self.pause(0.5 * attempt)
        raise AssertionError("the last attempt returns or raises")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
