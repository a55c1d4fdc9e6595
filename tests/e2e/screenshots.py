"""`make screenshots`: take the documentation's pictures of the pages anew, on a stack and a demo of their own.

The demo is that of `make run`, with a month of a shop's movements on top. They are made within seconds, so the page is
shown their instants spread over a month that is always the same: pictures differ where the page does. What is proved
stays as it is: the hashes are those of the ledger's own instants.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from inventory.api.routes import CREATE_BATCH, DOCS_PAGE, RECORD_COUNT
from tests.e2e.app import DESK, PHONE, App
from tests.e2e.conftest import LocalStack, local_service, running_stack
from tests.e2e.service import ADJUSTMENTS, ALL_SCOPES, Business, Service
from tests.support.harness.browser import CHROMIUM, NOT_INSTALLED, Browser
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES: Final = PROJECT_ROOT / "docs" / "pictures"
VIEWS: Final = ("stock", "low", "history", "losses", "moved", "transfer", "count", "counted", "reversal")
"""Of each there is a picture at a desk and one on a phone."""

SHAPES: Final = {"desk": (DESK, 760, "light"), "phone": (PHONE, 844, "dark")}
DOCS_PICTURE: Final = PICTURES / "docs-page.png"

DELIVERED: Final = (
    {"MUG-RED": 48, "MUG-BLUE": 36, "MUG-GREEN": 36, "MUG-WHITE": 24, "ROPE-20": 12, "ROPE-40": 12}
    | {f"SOCK-{size}": 20 for size in range(35, 47)}
    | {f"BOOT-{size}": 8 for size in (39, 40, 41, 43, 44, 45)}
    | {f"GLOVE-{size}": 15 for size in "SML"}
)
"""Units by SKU; with what the demo has, thirty articles are in the warehouse."""

NAMES: Final = {
    "MUG": "Enamel mug, {}",
    "ROPE": "Climbing rope, {} m",
    "SOCK": "Wool sock, size {}",
    "BOOT": "Hiking boot, size {}",
    "GLOVE": "Ski glove, size {}",
}
RECEIPT: Final = {"reason": "Delivered", "reason_code": "receipt_correction"}
SOLD: Final = {"reason": "Sold", "reference": "Receipts of the day"}

# Instants in their order become instants of November 2026, a little more than a day apart, and now is its end. What the
# page asks for by instant is not cut, and what it counts is counted now.
CALENDAR: Final = """
  const now = Date.UTC(2026, 10, 30, 16);
  window.Date = class extends Date {
    constructor(...given) { super(...(given.length === 0 ? [now] : given)); }
    static now() { return now; }
  };
  const story = (place) => new Date(Date.UTC(2026, 10, 1, 8) + place * 97_200_000).toISOString().replace('Z', '000Z');
  const retold = (value, known) => {
    if (value === null || typeof value !== 'object') return;
    for (const [name, inner] of Object.entries(value)) {
      if (known.includes(inner)) value[name] = story(known.indexOf(inner));
      else if (name !== 'chain') retold(inner, known);
    }
  };
  const real = window.fetch;
  window.fetch = async (url, { signal, ...sent }) => {
    for (const name of ['from', 'to', 'created_from', 'created_to']) url.searchParams.delete(name);
    if (sent.body) sent.body = sent.body.replace(/,"counted_at":"[^"]*"/g, '');
    const answer = await real(url, sent);
    const body = await answer.json();
    const listed = new URL('inventory/adjustments?limit=100', document.baseURI);
    const ledger = (await (await real(listed, { headers: sent.headers })).json()).data ?? [];
    retold(body, [...new Set(ledger.map((row) => row.created_at).reverse())]);
    return new Response(JSON.stringify(body), { status: answer.status });
  };
"""


def movements(floor: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Who changed what by which route, in order; `floor` is the location that is not the default one."""
    delivered = [
        {"sku": sku, "quantity_change": units, "reference": "DN-2201", **RECEIPT} for sku, units in DELIVERED.items()
    ]
    yield "Mina Okafor", CREATE_BATCH.path, {"lines": delivered}
    for units in (-4, -7, -3, -6):
        yield "Till 1", ADJUSTMENTS, {"sku": "MUG-RED", "quantity_change": units, **SOLD}
    lost = {"reason": "A box fell from the shelf", "reason_code": "damage"}
    yield "Jonas Weber", ADJUSTMENTS, {"sku": "MUG-RED", "quantity_change": -5, **lost}
    yield "Till 1", ADJUSTMENTS, {"sku": "BOOT-42", "quantity_change": -9, **SOLD}
    yield "Jonas Weber", RECORD_COUNT.path, {"sku": "MUG-RED", "counted_quantity": 22, "reference": "Sheet 11"}
    yield "Mina Okafor", ADJUSTMENTS, {"sku": "MUG-RED", "quantity_change": 24, "reference": "DN-2214", **RECEIPT}
    for sku, units, code, reason in (
        ("MUG-BLUE", -3, "damage", "Enamel chipped"),
        ("ROPE-40", -1, "theft", "Only the tag was found"),
        ("SOCK-40", -2, "shrinkage", "Missing"),
        ("MUG-WHITE", 2, "found", "Behind the shelf"),
        ("TENT-2P-GRN", 1, "return", "Came back unopened"),
    ):
        yield "Jonas Weber", ADJUSTMENTS, {"sku": sku, "quantity_change": units, "reason": reason, "reason_code": code}
    yield "Till 1", ADJUSTMENTS, {"sku": "ROPE-20", "quantity_change": -14, **SOLD}
    yield "Till 2", ADJUSTMENTS, {"sku": "BOOT-42", "quantity_change": -4, "location_id": floor, **SOLD}
    yield "Till 1", ADJUSTMENTS, {"sku": "MUG-RED", "quantity_change": -11, **SOLD}


def move_goods(business: Business) -> None:
    """Register what the shop deals in besides the demo's articles, and let a month go by."""
    service, named = business.service, {"business_id": business.id}
    service.operate("register_business", name="Alder & Ash Outfitters", allow_negative_stock=True, **named)
    parts = [sku.split("-") for sku in DELIVERED]
    variants = [
        {"sku": f"{kind}-{rest}", "name": NAMES[kind].format(rest if len(rest) == 1 else rest.lower())}
        for kind, rest in parts
    ]
    service.operate("register_variants", variants=variants, **named)
    tokens: dict[str, str] = {}
    for who, path, body in movements(business.other_location_id):
        if who not in tokens:
            issued = service.operate("issue_token", subject=who, business_ids=[business.id], scopes=list(ALL_SCOPES))
            tokens[who] = issued["token"]
        answer = service.post(body, business.headers() | {"Authorization": f"Bearer {tokens[who]}"}, path=path)
        assert answer.status_code == 201, answer.text


class Photographer:
    """Somebody who uses the page, in a window of one shape, and takes pictures on the way."""

    def __init__(self, app: App, folder: Path, shape: str) -> None:
        self.app = app
        self._folder = folder
        self._shape = shape

    def take(self, view: str) -> None:
        # A caret that blinks would make each picture another one.
        self.app.browser.evaluate("document.activeElement.closest('dialog') ?? document.activeElement.blur()")
        self.app.browser.screenshot(self._folder / f"{view}-{self._shape}.png")

    def look(self) -> None:
        """Everything that changes nothing."""
        app = self.app
        app.wait_for_text("Wool sock, size 46")
        self.take("stock")
        app.view("stock?location=&which=low&low=10")
        app.wait_for_text("Climbing rope")
        self.take("low")
        app.view("stock?location=&search=mug-red")
        app.follow("MUG-RED")
        app.press("Prove it")
        app.wait_for_text("✓")
        self.take("history")
        app.view("losses?from=2026-11-01&to=2026-11-30")
        app.wait_for_text("Theft")
        self.take("losses")
        app.view("moved?from=2026-11-01&to=2026-11-30")
        app.wait_for_text("Till 2")
        self.take("moved")
        app.view("transfer")
        for sku, units in (("MUG-RED", "6"), ("SOCK-40", "4")):
            app.type("Find a variant", sku)
            app.enter()
            app.type(f"Units of {sku}", units)
        app.browser.wait_for("![...document.querySelectorAll('[data-on-hand]')].some((e) => e.innerText === '…')")
        self.take("transfer")

    def count(self) -> None:
        """A sheet of thirty lines, booked and taken back, so that the next one finds the same."""
        app = self.app
        app.view("count")
        app.type("Counted of BOOT-39", "8")
        skus = app.browser.evaluate(
            "[...document.querySelectorAll('.sheet tbody tr td:first-child')].map((e) => e.innerText)"
        )
        on_hand = app.browser.evaluate(
            "[...document.querySelectorAll('.sheet tbody tr td:nth-child(3)')].map((e) => e.innerText)"
        )
        assert len(skus) == len(on_hand) == 30
        for sku, units in zip(skus, on_hand, strict=True):
            expected = int(units.replace("−", "-"))
            app.type(f"Counted of {sku}", str(max(0, expected - (sku in {"BOOT-42", "MUG-RED"}) + (sku == "GLOVE-M"))))
        app.browser.evaluate("scrollTo(0, 0)")
        self.take("count")
        app.press("Book 30 counts")
        app.wait_for_text("30 of 30 counts booked")
        self.take("counted")
        app.press("Reverse this sheet …")
        app.browser.wait_for("document.querySelector('dialog') !== null")
        self.take("reversal")
        app.press("Reverse 4 corrections")
        app.wait_for_text("4 corrections of this sheet reversed")


def take_pictures(business: Business, folder: Path) -> None:
    """Take all of them: first those that leave the stock as it is, so that both shapes show the same."""
    for use in (Photographer.look, Photographer.count):
        for shape, (width, height, scheme) in SHAPES.items():
            with Browser() as browser:
                browser.resize(width, height)
                browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                browser.call("Emulation.setTimezoneOverride", timezoneId="UTC")
                browser.call("Page.addScriptToEvaluateOnNewDocument", source=CALENDAR)
                use(Photographer(App(browser, business), folder, shape))
    with Browser() as browser:
        browser.resize(1000, 640)
        browser.open(
            f"{business.service.base_url}{DOCS_PAGE.path}", until="document.querySelectorAll('.opblock').length > 5"
        )
        browser.evaluate("document.querySelector('.scheme-container').scrollIntoView()")
        browser.screenshot(folder / DOCS_PICTURE.name)


def demo_business(stack: LocalStack, service: Service) -> Business:
    """The first business of the demo."""
    first = json.loads(stack.places.demo_json.read_text(encoding="utf-8"))["businesses"][0]
    default, other = first["location_ids"]
    return Business(service, first["id"], first["variant_ids"][0], default, other, first["token"])


def main() -> None:
    """Start a stack, take the pictures, and stop it."""
    if CHROMIUM is None:
        sys.exit(NOT_INSTALLED)
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_stack(Path(folder)) as stack,
        httpx.Client(timeout=60, trust_env=False) as http,
    ):
        business = demo_business(stack, local_service(stack, http))
        move_goods(business)
        take_pictures(business, PICTURES)


if __name__ == "__main__":
    main()
