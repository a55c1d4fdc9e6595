"""Serve the API's description, for programs and for people: choose the file, and send it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inventory.api.routes import API_DESCRIPTION, DOCS_PAGE
from inventory.api.static_files import KEEP_FOR_AN_HOUR, REVALIDATE, Page, is_page_event, moved, not_found, served

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.api.shapes import PageResponse

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"
JAVASCRIPT: Final = "text/javascript; charset=utf-8"

# By the route, or by the name under which the page loads it. The library is in a layer of its own, compressed.
OWN: Final = {
    API_DESCRIPTION.path: ("openapi.json", JSON),
    DOCS_PAGE.path: ("docs.html", HTML),
    "docs.css": ("docs.css", CSS),
    "docs.js": ("docs.js", JAVASCRIPT),
}
LIBRARY: Final = {
    "swagger-ui.css": ("swagger-ui.css.gz", CSS),
    "swagger-ui-bundle.js": ("swagger-ui-bundle.js.gz", JAVASCRIPT),
}


def handler(event: object, context: LambdaContext) -> PageResponse:
    """Answer with a file, or with 404 where the page has no such part."""
    if is_page_event(event):
        name = (event.get("pathParameters") or {}).get("asset", event["resource"])
        # The gateway serves `/docs/` as `/docs`, but there the page's relative links would be wrong.
        if name == DOCS_PAGE.path and event.get("path", "").endswith("/"):
            return moved("../docs", request_id=context.aws_request_id)
        if name in OWN.keys() | LIBRARY.keys():
            return served(_page(name), event, request_id=context.aws_request_id)
    return not_found(request_id=context.aws_request_id)


@cache
def _page(name: str) -> Page:
    if name in OWN:
        name, media_type = OWN[name]
        return Page.read(Path(__file__).with_name(name), media_type, REVALIDATE)
    name, media_type = LIBRARY[name]
    return Page.read(resources.files("swagger_ui") / name, media_type, KEEP_FOR_AN_HOUR)
