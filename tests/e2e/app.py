"""The page for stock controllers, as tests and the command that takes its pictures use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.e2e.service import Business
    from tests.support.harness.browser import Browser

APP: Final = "/api/v1/app"
PHONE: Final = 390
"""Pixels of CSS; a common phone."""
DESK: Final = 1440
TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# Runs before the page does. Whatever goes wrong there stays in `window.wrong`, also over a reload.
WATCH: Final = """
  window.wrong = JSON.parse(window.name || "[]");
  const note = (text) => { window.wrong.push(String(text)); window.name = JSON.stringify(window.wrong); };
  const address = (element) => element.src || element.href;
  addEventListener("error", (event) => note(event.message || `not loaded: ${address(event.target)}`), true);
  addEventListener("unhandledrejection", (event) => note(event.reason));
  addEventListener("securitypolicyviolation", (event) => note(`${event.violatedDirective} ${event.blockedURI}`));
  const error = console.error;
  console.error = (...texts) => { note(texts.join(" ")); error(...texts); };
"""


class App:
    """The page, signed in for a business."""

    def __init__(self, browser: Browser, business: Business) -> None:
        self.browser = browser
        self.business = business
        browser.open("about:blank")
        browser.evaluate("window.name = ''")
        browser.open(business.service.base_url + APP, until="document.querySelector('form') !== null")
        self.sign_in_with(business.token)

    def sign_in_with(self, token: str) -> None:
        """Begin again as somebody else, on the first view."""
        self.browser.evaluate("sessionStorage.clear(), location.hash = ''")
        self.browser.reload()
        self.type("API token", token)
        self.type("Business", self.business.id)
        self.press("Sign in")
        self.browser.wait_for("document.querySelector('nav') !== null")

    def view(self, name: str) -> None:
        self.browser.evaluate(f"location.hash = {json.dumps(name)}")

    def field(self, label: str) -> str:
        """An expression for the field with this label."""
        wanted = json.dumps(label)
        name = "e.ariaLabel ?? e.labels[0]?.firstChild.textContent"
        return f"([...document.querySelectorAll('input, select')].find((e) => ({name}) === {wanted}))"

    def type(self, label: str, text: str) -> None:
        self.browser.wait_for(f"{self.field(label)} !== undefined")
        self.browser.evaluate(f"{self.field(label)}.focus(), {self.field(label)}.select?.()")
        self.browser.call("Input.insertText", text=text)

    def choose(self, label: str, value: str) -> None:
        self.browser.wait_for(f"{self.field(label)} !== undefined")
        self.browser.evaluate(
            f"(({{ e }}) => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change')); }})"
            f"({{ e: {self.field(label)} }})"
        )

    def enter(self) -> None:
        for kind in ("rawKeyDown", "char", "keyUp"):
            self.browser.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
            )

    def button(self, text: str) -> str:
        return f"([...document.querySelectorAll('button')].find((e) => e.textContent === {json.dumps(text)}))"

    def press(self, text: str, *, times: int = 1) -> None:
        self.browser.wait_for(f"{self.button(text)} !== undefined && !{self.button(text)}.disabled")
        self.browser.evaluate(f"(({{ b }}) => {{ {'b.click();' * times} }})({{ b: {self.button(text)} }})")

    def follow(self, text: str) -> None:
        """Follow a link."""
        link = f"([...document.querySelectorAll('main a')].find((e) => e.textContent === {json.dumps(text)}))"
        self.browser.wait_for(f"{link} !== undefined")
        self.browser.evaluate(f"{link}.click()")

    def answer_posts_with(self, *answers: int | dict[str, object]) -> None:
        """Let the next requests that change something be answered with these, and not be sent: a status, or a body."""
        self.browser.evaluate(
            "((real, answers) => { window.fetch = async (...asked) => {"
            "  if (asked[1].method !== 'POST' || answers.length === 0) return real(...asked);"
            "  const next = answers.shift();"
            "  const body = typeof next === 'number' ? { detail: { code: 'refused', message: 'Not now.' } } : next;"
            "  return new Response(JSON.stringify(body), { status: typeof next === 'number' ? next : 200 });"
            f"}}; }})(window.fetch, {json.dumps(answers)})"
        )

    def wait_for_text(self, text: str) -> None:
        self.browser.wait_for(f"document.querySelector('main')?.innerText.includes({json.dumps(text)})")

    def rows(self, *, of_first: bool = False) -> list[list[str]]:
        """The cells of the rows of the last table, or of the first."""
        place = 0 if of_first else -1
        rows: list[list[str]] = self.browser.evaluate(
            f"[...(([...document.querySelectorAll('main table')].at({place}))?.tBodies[0].rows ?? [])]"
            ".map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
        )
        return rows

    def wait_for_rows(self, count: int) -> list[list[str]]:
        self.browser.wait_for(
            f"(([...document.querySelectorAll('main table')].at(-1))?.tBodies[0].rows.length ?? 0) === {count}"
        )
        return self.rows()

    def require_good_manners(self) -> None:
        """No error, no request to another host, no page wider than its window."""
        assert self.browser.evaluate("window.wrong") == []
        assert self.browser.evaluate("window.injected") is None
        hosts = self.browser.evaluate(
            "[...new Set(performance.getEntriesByType('resource').map((each) => new URL(each.name).origin))]"
        )
        assert hosts == [self.browser.evaluate("location.origin")]
        for width in (PHONE, DESK):
            self.browser.resize(width)
            assert self.browser.evaluate(TOO_WIDE) == 0
