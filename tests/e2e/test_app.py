"""The page for stock controllers in a real browser: what somebody does there in a day, on a phone and at a desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.e2e.app import APP, DESK, PHONE, WATCH, App
from tests.e2e.service import ADJUSTMENTS, Business
from tests.support.harness.browser import CHROMIUM, NOT_INSTALLED, Browser
from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.service import Service

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NOT_INSTALLED)

AXE: Final = ROOT / ".accessibility" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE: Final = '<img src=x onerror="window.injected = true"> مرحبا كوب'
LONG: Final = "Avery" + "long" * 20 + "name"


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
    app.browser.reload()
    assert len(app.wait_for_rows(4)) == 4
    app.type("Search", "no such cup")
    app.wait_for_rows(0)
    app.type("Search", "GROSSE")
    assert [row[:3] for row in app.wait_for_rows(1)] == [["CUP-RED", "Größe XL", "3"]]
    app.type("Search", "مرحبا")
    app.wait_for_text("مرحبا")
    assert app.wait_for_rows(1)[0][1] == HOSTILE
    app.type("Search", " ")
    app.choose("Show", "low")
    assert {row[0] for row in app.wait_for_rows(2)} == {"SKU-1", "CUP-RED"}
    app.choose("Location", app.business.other_location_id)
    app.wait_for_text("Nothing here is as low as that.")
    app.choose("Show", "")
    app.type("Search", "CUP-RED")
    assert [row[:3] for row in app.wait_for_rows(1)] == [["CUP-RED", "Größe XL", "none yet"]]
    app.press("Show these everywhere")
    app.browser.wait_for("document.querySelector('main td a') !== null")
    assert [row[:4] for row in app.rows()] == [["CUP-RED", "Größe XL", "Default", "3"]]
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
    app.view("losses")
    rows = {row[0]: row[1:] for row in app.wait_for_rows(2)}
    assert rows["Damage"] == ["2", "0", "5", "0", "0", "−5"]
    assert rows["No reason code"] == ["1", "10", "0", "0", "0", "+10"]
    app.require_good_manners()


def test_who_and_what_moved_most_is_summed_for_a_reason_and_for_one_person(app: App) -> None:
    cup = variant(app.business, "CUP-RED", "Red cup", stock=3)
    mistake = app.business.adjust(-9).json()
    assert app.business.reverse(mistake["id"]).status_code == 201
    other = app.business.service.operate(
        "issue_token", subject="Mina", business_ids=[app.business.id], scopes=["adjustments:write"]
    )
    headers = app.business.headers() | {"Authorization": f"Bearer {other['token']}"}
    body = {"variant_id": cup, "quantity_change": -2, "reason": "Dropped", "reason_code": "damage"}
    assert app.business.service.post(body, headers).status_code == 201
    app.view("moved")
    app.wait_for_text("Red cup")
    assert app.wait_for_rows(2) == [["SKU-1", "–", "1", "10", "0", "10"], ["CUP-RED", "Red cup", "2", "3", "2", "5"]]
    assert app.rows(of_first=True) == [["test suite", "2", "13", "0", "13"], ["Mina", "1", "0", "2", "2"]]
    app.follow("Mina")
    assert app.wait_for_rows(1) == [["CUP-RED", "Red cup", "1", "0", "2", "2"]]
    app.view("losses")
    app.follow("Damage")
    app.wait_for_text("Only for the reason: Damage")
    assert app.wait_for_rows(1) == [["CUP-RED", "Red cup", "1", "0", "2", "2"]]
    app.choose("Period", "last-month")
    app.wait_for_text("Nothing moved in this period.")
    app.require_good_manners()


def test_a_sheet_of_thirty_lines_is_typed_without_a_mouse_booked_and_reversed(app: App) -> None:
    service, business = app.business.service, app.business
    variants = [{"sku": f"ART-{number:02}"} for number in range(1, 31)]
    command = {"command": "register_variants", "business_id": business.id, "variants": variants}
    ids = [each["variant_id"] for each in service.invoke("ProvisionFunctionName", command)["variants"]]
    lines = [{"variant_id": each, "quantity_change": 10, "reason": "Delivered"} for each in ids]
    delivered = service.post({"lines": lines}, business.headers(), path=f"{ADJUSTMENTS}/batch")
    assert delivered.status_code == 201
    app.view("count")
    app.type("Counted of ART-01", "9")
    for number in range(2, 31):
        app.enter()
        app.browser.call("Input.insertText", text="11" if number == 30 else "9")
    app.press("Book 30 counts")
    app.wait_for_text("30 of 30 counts booked")
    assert {row[2] for row in app.rows()} == {"−1", "+1"}
    assert levels_of(business, ids[-1]) == {business.location_id: 11}
    app.press("Reverse this sheet …")
    app.press("Reverse 30 corrections", times=2)
    app.wait_for_text("30 corrections of this sheet reversed")
    rows = business.listed()
    assert len(rows) == 1 + 30 + 30 + 30
    assert sum(row["delta"] for row in rows) == 10 + 30 * 10
    app.require_good_manners()


def test_a_service_that_is_busy_is_asked_again_and_the_sheet_is_booked_once(app: App) -> None:
    app.view("count")
    app.type("Counted of SKU-1", "8")
    app.answer_posts_with(429, 503, {"data": [{"line": 0, "status": 503, "error": {"code": "try_again"}}]})
    app.press("Book 1 count")
    app.wait_for_text("1 of 1 counts booked")
    assert [row["delta"] for row in app.business.listed()] == [-2, 10]


def test_what_was_typed_outlives_a_token_that_is_revoked(app: App) -> None:
    app.view("count")
    app.type("Counted of SKU-1", "8")
    app.answer_posts_with(401)
    app.press("Book 1 count")
    app.wait_for_text("Sign in again")
    assert app.browser.evaluate(f"{app.field('Business')}.value") == app.business.id
    app.type("API token", app.business.token)
    app.press("Sign in")
    app.press("Book 1 count")
    app.wait_for_text("1 of 1 counts booked")
    assert len(app.business.listed()) == 2
    app.press("Sign out")
    app.wait_for_text("API token")
    assert app.browser.evaluate("sessionStorage.length") == 0


def test_a_token_that_may_only_read_looks_and_is_told_what_it_may_not(app: App) -> None:
    issued = app.business.service.issue_token([app.business.id], ("adjustments:read",))
    app.sign_in_with(issued["token"])
    app.view("count")
    app.type("Counted of SKU-1", "8")
    app.press("Book 1 count")
    app.browser.wait_for("document.querySelector('.problem') !== null")
    assert app.browser.evaluate(f"{app.field('Counted of SKU-1')}.value") == "8"
    assert app.browser.evaluate(f"{app.button('Book 1 count')} !== undefined")
    assert len(app.business.listed()) == 1


def test_a_business_without_anything_says_so_on_every_view(browser: Browser, service: Service) -> None:
    business_id = service.operate("register_business", name="Empty")["business_id"]
    token = service.issue_token([business_id])["token"]
    app = App(browser, Business(service, business_id, "", "", "", token))
    says = {"stock": "Nothing was ever booked here", "losses": "Nothing was changed", "moved": "Nothing moved"}
    for view, text in (says | {"count": "no location yet", "transfer": "needs two locations"}).items():
        app.view(view)
        app.wait_for_text(text)
    app.require_good_manners()


def test_a_part_that_can_not_be_loaded_is_told_and_the_page_begins_with_few(app: App) -> None:
    app.browser.reload()
    app.wait_for_text("SKU-1")
    parts = "performance.getEntriesByType('resource').filter((each) => each.name.includes('/app/')).length"
    assert app.browser.evaluate(parts) <= 6
    app.browser.call("Network.enable")
    app.browser.call("Network.setBlockedURLs", urls=["*transfer*"])
    app.view("transfer")
    app.wait_for_text("A part of this page could not be loaded")
    app.browser.call("Network.setBlockedURLs", urls=[])
    app.press("Load the page again")
    app.wait_for_text("No line yet")
    app.browser.evaluate("window.wrong.length = 0, window.name = ''")
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
    shows = {"stock": "SKU-1", history: "Prove it", "losses": "Net", "moved": "test suite", "count": "Count sheet"}
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
