"""The page for stock controllers in a real browser: what somebody does there in a day, on a phone and at a desk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.harness.browser import CHROMIUM, NOT_INSTALLED, Browser
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.service import Business, Service

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NOT_INSTALLED)

APP: Final = "/api/v1/app"
AXE: Final = ROOT / ".accessibility" / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESK = 390, 1440
TOO_WIDE: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HOSTILE: Final = '<img src=x onerror="window.injected = true"> مرحبا كوب'
LONG: Final = "Avery" + "long" * 20 + "name"

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
        browser.evaluate("sessionStorage.clear()")
        browser.open(business.service.base_url + APP, until="document.querySelector('form') !== null")
        self.type("API token", business.token)
        self.type("Business", business.id)
        self.press("Sign in")
        self.wait_for_text("Stock")

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

    def wait_for_text(self, text: str) -> None:
        self.browser.wait_for(f"document.querySelector('main').innerText.includes({json.dumps(text)})")

    def rows(self) -> list[list[str]]:
        """The cells of the last table's rows."""
        rows: list[list[str]] = self.browser.evaluate(
            "[...(([...document.querySelectorAll('main table')].at(-1))?.tBodies[0].rows ?? [])]"
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        started.resize(DESK)
        started.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        yield started


@pytest.fixture
def app(browser: Browser, business: Business) -> App:
    return App(browser, business.opened_with(10))


def variant(business: Business, sku: str, name: str | None = None, *, stock: int = 0) -> str:
    """Another variant of the business, with stock at its default location."""
    fields = {"sku": sku} | ({} if name is None else {"name": name})
    variant_id = business.service.operate("register_variant", business_id=business.id, **fields)["variant_id"]
    if stock:
        assert business.adjust(stock, variant_id=variant_id).status_code == 201
    return variant_id


def levels_of(business: Business, variant_id: str) -> dict[str, int]:
    """The quantity on hand by location."""
    answer = business.service.http.get(
        f"{business.service.base_url}/api/v1/inventory/levels",
        params={"variant_id": variant_id},
        headers=business.headers(),
    )
    return {each["location_id"]: each["quantity"] for each in answer.json()["data"]}


def test_a_wrong_token_is_told_from_no_answer_and_nothing_is_kept(browser: Browser, service: Service) -> None:
    browser.open(service.base_url + APP, until="document.querySelector('form') !== null")
    browser.evaluate("sessionStorage.clear()")
    browser.reload()
    browser.wait_for("document.querySelector('form') !== null")
    for number, text in enumerate(("dz_nothing", "12ae0de4-1f48-58de-a7d2-eb037465d000")):
        browser.evaluate(f"document.querySelectorAll('input')[{number}].focus()")
        browser.call("Input.insertText", text=text)
    browser.evaluate("document.querySelector('button[type=submit]').click()")
    browser.wait_for("document.body.innerText.includes('do not fit')")
    assert browser.evaluate("sessionStorage.length") == 0


def test_stock_is_found_by_location_sku_name_and_quantity(app: App) -> None:
    variant(app.business, "CUP-RED", "Größe XL", stock=3)
    variant(app.business, "X-1", HOSTILE, stock=40)
    variant(app.business, LONG, LONG, stock=50)
    app.view("reasons")
    app.browser.reload()
    app.view("stock")
    assert len(app.wait_for_rows(4)) == 4
    app.type("Search", "no such cup")
    app.wait_for_rows(0)
    app.type("Search", "GROSSE")
    ((sku, name, place, on_hand, *_),) = app.wait_for_rows(1)
    assert (sku, name, place, on_hand) == ("CUP-RED", "Größe XL", "Default", "3")
    app.type("Search", "مرحبا")
    app.wait_for_text("مرحبا")
    assert app.wait_for_rows(1)[0][1] == HOSTILE
    app.type("Search", " ")
    app.choose("Show", "low")
    assert {row[0] for row in app.wait_for_rows(2)} == {"SKU-1", "CUP-RED"}
    app.choose("Location", app.business.other_location_id)
    app.wait_for_text("Nothing here.")
    app.require_good_manners()


def test_a_history_is_drawn_proved_by_the_browser_and_taken_back(app: App) -> None:
    app.business.adjust(-3, reason=f"{HOSTILE}\u2028end", reason_code="damage", reference="PO-\U0001f600é")
    app.view(f"history?variant={app.business.variant_id}&location={app.business.location_id}")
    assert [row[2:4] for row in app.wait_for_rows(2)] == [["−3", "7"], ["+10", "10"]]
    assert app.browser.evaluate("document.querySelectorAll('.mark').length") == 2
    app.press("Prove it")
    app.wait_for_text("2 rows, computed by this browser")
    app.press("Reverse …")
    app.browser.wait_for("document.querySelector('dialog') !== null")
    app.press("Reverse", times=2)
    assert app.wait_for_rows(3)[0][2:4] == ["+3", "10"]
    assert len(app.business.listed()) == 3
    app.require_good_manners()


def test_a_chain_that_was_altered_gets_no_tick(app: App) -> None:
    app.business.adjust(-3)
    app.view(f"history?variant={app.business.variant_id}&location={app.business.location_id}")
    app.wait_for_rows(2)
    app.browser.evaluate(
        "window.fetch = ((real) => async (...asked) => {"
        "  const answer = await real(...asked); const body = await answer.json();"
        "  for (const row of body.data ?? []) if (row.chain?.sequence === 1) row.chain.created_by = 'somebody else';"
        "  return new Response(JSON.stringify(body), { status: answer.status, headers: answer.headers });"
        "})(window.fetch), 0"
    )
    app.press("Prove it")
    app.wait_for_text("Row 1: it was altered")
    assert "✓" not in app.browser.evaluate("document.querySelector('.proof').innerText")


def test_units_lost_and_found_are_shown_by_reason(app: App) -> None:
    app.business.adjust(-3, reason_code="damage")
    app.business.adjust(-2, reason_code="damage")
    app.view("reasons")
    rows = {row[0]: row[1:] for row in app.wait_for_rows(2)}
    assert rows["damage"] == ["2", "0", "5", "0", "0", "−5"]
    assert rows["no reason code"] == ["1", "10", "0", "0", "0", "+10"]
    app.require_good_manners()


def test_a_count_sheet_survives_a_reload_and_a_double_click(app: App) -> None:
    other = variant(app.business, "CUP-RED", "Red cup", stock=5)
    app.view("count")
    app.type("Counted of SKU-1", "8")
    app.browser.reload()
    app.type("Counted of CUP-RED", "5")
    app.business.adjust(-1)  # somebody sells one after it was counted
    app.press("Book 2 counts", times=2)
    app.wait_for_text("2 of 2 counts booked")
    assert sorted(row[:4] for row in app.rows()) == [["CUP-RED", "5", "0", "5"], ["SKU-1", "8", "−2", "7"]]
    assert levels_of(app.business, app.business.variant_id) == {app.business.location_id: 7}
    assert levels_of(app.business, other) == {app.business.location_id: 5}
    assert len(app.business.listed()) == 5
    app.require_good_manners()


def test_a_count_whose_answer_was_lost_is_sent_again_and_booked_once(app: App) -> None:
    app.view("count")
    app.type("Counted of SKU-1", "8")
    app.browser.evaluate(
        "window.real = window.fetch, window.fetch = async (...asked) => {"
        "  const answer = await window.real(...asked); if (asked[1].method === 'POST') throw new TypeError('lost');"
        "  return answer; }, 0"
    )
    app.press("Book 1 count")
    app.wait_for_text("Nothing is lost")
    app.browser.evaluate("window.fetch = window.real, 0")
    app.press("Send again")
    app.wait_for_text("1 of 1 counts booked")
    assert len(app.business.listed()) == 2


def test_a_transfer_moves_goods_between_two_locations_once(app: App) -> None:
    app.view("transfer")
    app.choose("From", app.business.location_id)
    app.choose("To", app.business.other_location_id)
    app.type("Find a variant", "SKU-1")
    app.enter()
    app.type("Units of SKU-1", "4")
    app.press("Transfer", times=2)
    app.wait_for_text("Transferred")
    moved = levels_of(app.business, app.business.variant_id)
    assert sorted(moved.values()) == [4, 6]
    app.type("Find a variant", "SKU-1")
    app.enter()
    app.type("Units of SKU-1", "400")
    app.press("Transfer")
    app.wait_for_text("SKU-1: There is not enough stock on hand")
    assert levels_of(app.business, app.business.variant_id) == moved
    app.require_good_manners()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: `make accessibility` installs it; needs npm")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_can_be_used_by_everybody(scheme: str, app: App) -> None:
    app.browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    history = f"history?variant={app.business.variant_id}&location={app.business.location_id}"
    shows = {"stock": "SKU-1", history: "Prove it", "reasons": "counted", "count": "Count sheet"}
    shows["transfer"] = "No line yet"
    for view, text in shows.items():
        app.view(view)
        app.wait_for_text(text)
        for width in (PHONE, DESK):
            app.browser.resize(width)
            assert violations(app.browser) == [], (view, width)


def violations(browser: Browser) -> list[Any]:
    """What axe-core finds: https://www.w3.org/TR/WCAG21/, levels A and AA, and its best practices."""
    browser.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
    found: list[Any] = browser.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })"
        ".then((found) => found.violations.map((each) => [each.id, ...each.nodes.map((node) => node.html)]))"
    )
    return found
