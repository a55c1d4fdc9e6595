"""Serve the API's description, for programs and for people, and the page for stock controllers; answer preflights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inventory.api.routes import API_DESCRIPTION, APP_ASSET, APP_PAGE, DOCS_PAGE, is_open
from inventory.api.static_files import ANY_ORIGIN, StaticFiles, is_page_event, moved, not_found, preflight, without_body

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.api.shapes import PageResponse

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"
JAVASCRIPT: Final = "text/javascript; charset=utf-8"

ALLOWED_ORIGIN: Final = os.environ.get("ALLOWED_ORIGIN", "")
PAGES: Final = {DOCS_PAGE.path: "../docs", APP_PAGE.path: "../app"}
docs: Final = StaticFiles(
    Path(__file__).parent,
    "swagger_ui",  # a layer of its own
    {API_DESCRIPTION.path: ("openapi.json", JSON), DOCS_PAGE.path: ("docs.html", HTML)},
    {"docs.css": CSS, "docs.js": JAVASCRIPT, "swagger-ui.css": CSS, "swagger-ui-bundle.js": JAVASCRIPT},
    prefix="docs",
)
APP: Final = Path(__file__).parent / "app"
app: Final = StaticFiles(
    APP,
    "swagger_ui",
    {APP_PAGE.path: ("app.html", HTML)},
    {"app.css": CSS} | {each.name: JAVASCRIPT for each in APP.glob("*.js")},
    prefix="app",
)


def handler(event: object, context: LambdaContext) -> PageResponse:
    """Answer with a file, or with 404 where there is none; a preflight with what the origin may do."""
    if not is_page_event(event):
        return not_found(request_id=context.aws_request_id)
    if event.get("httpMethod") == "OPTIONS":
        origin = ANY_ORIGIN if is_open(event["resource"]) else ALLOWED_ORIGIN
        return preflight(origin, request_id=context.aws_request_id)
    # The gateway serves `/docs/` as `/docs`, but there the page's relative links would be wrong.
    if event["resource"] in PAGES and event.get("path", "").endswith("/"):
        return moved(PAGES[event["resource"]], request_id=context.aws_request_id)
    files = app if event["resource"] in (APP_PAGE.path, APP_ASSET.path) else docs
    answer = files.answer(event, request_id=context.aws_request_id)
    return without_body(answer) if event.get("httpMethod") == "HEAD" else answer
