"""A real browser at the docs page, and at a page of another origin that calls the API."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.service import ADJUSTMENTS
from tests.support.harness.browser import CHROMIUM, NOT_INSTALLED, Browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NOT_INSTALLED)

DOCS = "/api/v1/docs"
OPERATIONS_SHOWN = "document.querySelectorAll('.opblock').length > 5"
WIDTHS = [390, 1280]
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


# ------------------------------------------------------------------------------------------------------- the docs page


@pytest.mark.parametrize("width", WIDTHS)
def test_the_docs_page_fits_into_a_phone_and_into_a_window(width: int, browser: Browser, service: Service) -> None:
    browser.resize(width)
    browser.open(service.base_url + DOCS, until=OPERATIONS_SHOWN)
    assert browser.evaluate(TOO_WIDE) == 0
    for tag in browser.evaluate("[...document.querySelectorAll('.opblock-tag small')].map((e) => e.clientWidth)"):
        assert tag > 200, "a tag's description is read by lines, not by letters"
    browser.evaluate("document.querySelector('.opblock-post .opblock-summary-control').click()")
    browser.wait_for("document.querySelector('.opblock .responses-wrapper') !== null")
    assert browser.evaluate(TOO_WIDE) == 0
    assert browser.evaluate("document.querySelectorAll('.response-col_links pre').length") > 0
    sticking_out = (
        "[...document.querySelectorAll('.responses-table pre')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
    )
    assert browser.evaluate(f"{sticking_out}.map((e) => e.textContent)") == []


def test_token_and_business_are_entered_once_and_the_examples_work_on_the_demo(
    browser: Browser, local_stack: LocalStack
) -> None:
    demo = json.loads(local_stack.places.demo_json.read_text(encoding="utf-8"))
    business = demo["businesses"][0]
    browser.resize(1280)
    browser.open(demo["base_url"] + DOCS, until=OPERATIONS_SHOWN)
    browser.evaluate("document.querySelector('.btn.authorize').click()")
    browser.wait_for("document.querySelectorAll('.auth-container input').length === 2")
    for number, text in enumerate((business["token"], business["id"])):
        browser.evaluate(f"document.querySelectorAll('.auth-container input')[{number}].focus()")
        browser.call("Input.insertText", text=text)
    browser.evaluate("document.querySelectorAll('.auth-btn-wrapper .authorize').forEach((e) => e.click())")
    browser.wait_for("document.querySelectorAll('.auth-btn-wrapper .authorize').length === 0")
    browser.evaluate("document.querySelector('.close-modal').click()")
    assert browser.evaluate("document.querySelector('[data-param-name=x-business-id]')") is None
    for operation in ("get_inventory_adjustment_", "prove_inventory_level_", "list_inventory_adjustments_"):
        block = f"document.querySelector('.opblock[id*={operation}]')"
        browser.evaluate(f"{block}.querySelector('.opblock-summary-control').click()")
        browser.wait_for(f"{block}.querySelector('.btn.execute') !== null")
        # The button does nothing until the page has taken the example for the parameter's value: then press it again.
        press = f"{block}.querySelector('.loading-container') ?? {block}.querySelector('.btn.execute').click()"
        answered = f"{block}.querySelector('.live-responses-table')?.innerText"
        browser.wait_for(f"{answered}?.includes('Response body') || ({press}, false)")
        assert browser.evaluate(answered).split()[:3] == ["Code", "Details", "200"], operation


# ----------------------------------------------------------------------------------------------- a page elsewhere


class EmptyPage(BaseHTTPRequestHandler):
    """A page of another origin: the same host under another name, on another port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def elsewhere(local_stack: LocalStack, browser: Browser) -> Iterator[Browser]:
    """The browser at a page of the origin that the stack allows."""
    port = urlsplit(local_stack.allowed_origin).port
    with ThreadingHTTPServer(("127.0.0.1", port or 0), EmptyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(local_stack.allowed_origin, until="document.title === 'a page'")
        yield browser
        server.shutdown()


CALL = """(async ({url, method, headers, body}) => {
  try {
    const answer = await fetch(url, {method, headers, body});
    const text = await answer.text();
    return {status: answer.status, text, headers: Object.fromEntries(answer.headers)};
  } catch (error) {
    return {status: 0, text: String(error), headers: {}};
  }
})"""


def fetch(page: Browser, url: str, method: str = "GET", **request: Any) -> dict[str, Any]:
    """What a script of the page gets; status 0 where the browser keeps the answer from it."""
    answer: dict[str, Any] = page.evaluate(f"{CALL}({json.dumps({'url': url, 'method': method, **request})})")
    return answer


def test_a_page_of_the_allowed_origin_creates_and_reads_and_sees_every_answer(
    elsewhere: Browser, business: Business
) -> None:
    url = business.service.base_url + ADJUSTMENTS
    headers = business.headers(**{"Content-Type": "application/json", "Idempotency-Key": "from-a-page"})
    for replayed in (None, "true"):
        created = fetch(elsewhere, url, "POST", headers=headers, body=json.dumps(business.body(5)))
        assert (created["status"], created["headers"].get("idempotent-replayed")) == (201, replayed)
        assert created["headers"].keys() >= {"location", "x-request-id"}
    listed = fetch(elsewhere, url, headers=business.headers())
    assert [row["delta"] for row in json.loads(listed["text"])["data"]] == [5]
    refused = fetch(elsewhere, url, "POST", headers=business.headers(), body=json.dumps(business.body(-9)))
    assert refused["status"] == 409
    assert fetch(elsewhere, url, "HEAD", headers=business.headers())["status"] == 200


def test_it_sees_the_gateways_own_answers_too(elsewhere: Browser, business: Business) -> None:
    base = business.service.base_url
    assert fetch(elsewhere, base + ADJUSTMENTS)["status"] == 401
    other = business.service.new_business()
    assert (
        fetch(elsewhere, base + ADJUSTMENTS, headers=business.headers() | {"x-business-id": other.id})["status"] == 403
    )
    assert fetch(elsewhere, f"{base}/api/v1/nothing")["status"] == 404


def test_a_page_of_any_other_origin_gets_no_answer_but_those_of_the_open_routes(
    browser: Browser, business: Business, local_stack: LocalStack
) -> None:
    base = business.service.base_url
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://localhost:{server.server_address[1]}", until="document.title === 'a page'")
        assert browser.evaluate("location.origin") != local_stack.allowed_origin
        assert fetch(browser, base + ADJUSTMENTS, headers=business.headers())["status"] == 0
        body = json.dumps(business.body(5))
        assert fetch(browser, base + ADJUSTMENTS, "POST", headers=business.headers(), body=body)["status"] == 0
        for path in ("/api/v1/openapi.json", DOCS):
            assert fetch(browser, base + path)["status"] == 200
            assert fetch(browser, base + path, headers={"If-None-Match": '"x"'})["status"] == 200, (
                "asked for beforehand"
            )
        server.shutdown()
    assert business.ledger() == []
