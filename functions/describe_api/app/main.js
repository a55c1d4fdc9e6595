// Which view is shown, and who looks at it. The view stands behind the address's `#`, so that "back" works.

import { ApiError, businessId, signedIn, signIn, signOut } from "./api.js";
import { activeLocations, forget } from "./catalog.js";
import * as count from "./count.js";
import { announce, field, h, problem, show } from "./dom.js";
import * as history from "./history.js";
import * as reasons from "./reasons.js";
import * as stock from "./stock.js";
import * as transfer from "./transfer.js";

const VIEWS = { stock, history, reasons, count, transfer };
const MENU = { stock: "Stock", reasons: "Reasons", count: "Count", transfer: "Transfer" };

const header = document.getElementById("header");
const main = document.getElementById("main");
let shown = 0;

async function render({ focus = false } = {}) {
  const [name, search = ""] = location.hash.slice(1).split("?");
  const view = VIEWS[name] ?? stock;
  const turn = (shown += 1);
  if (!signedIn()) return renderSignIn();
  renderHeader(VIEWS[name] ? name : "stock");
  show(main, h("p", { class: "empty" }, "One moment …"));
  document.title = `${view.title} – Inventory`;
  try {
    const content = await view.render(new URLSearchParams(search));
    if (turn !== shown) return;
    show(main, h("h1", {}, view.title), content);
  } catch (error) {
    if (turn === shown) failed(error);
  }
  if (focus) main.focus();
}

function failed(error) {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
    signOut();
    return renderSignIn(error.status === 401 ? "The token is not valid, or no longer." : "This token is not good for this business.");
  }
  if (!(error instanceof ApiError)) console.error(error);
  show(main, problem(error), h("button", { type: "button", onclick: () => render() }, "Try again"));
}

function renderHeader(current) {
  const link = ([name, title]) =>
    h("a", { href: `#${name}`, "aria-current": name === current ? "page" : null }, title);
  show(
    header,
    h("nav", { "aria-label": "Views" }, Object.entries(MENU).map(link)),
    h("button", { type: "button", class: "quiet", onclick: leave, title: `Business ${businessId()}` }, "Sign out"),
  );
}

function leave() {
  signOut();
  forget();
  location.hash = "";
  renderSignIn();
}

function renderSignIn(message = null) {
  document.title = "Sign in – Inventory";
  show(header, h("strong", {}, "Inventory"));
  const token = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false", name: "token" });
  const business = h("input", { required: true, autocomplete: "off", spellcheck: "false", name: "business" });
  const button = h("button", { type: "submit" }, "Sign in");
  const says = h("div", {}, message === null ? null : problem({ message }));
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    signIn(token.value.trim(), business.value.trim());
    try {
      await activeLocations();
      announce("Signed in.");
      await render({ focus: true });
    } catch (error) {
      signOut();
      button.disabled = false;
      const refused = error.status === 401 || error.status === 403;
      show(says, problem(refused ? { message: "This token and this business do not fit." } : error));
    }
  };
  show(
    main,
    h("h1", {}, "Inventory"),
    h(
      "form",
      { class: "narrow", onsubmit: submit },
      h("p", {}, "Token and business are kept in this tab only, until it is closed or you sign out."),
      field("API token", token),
      field("Business", business, "The id of the business, as your administrator gave it to you."),
      says,
      button,
    ),
  );
}

addEventListener("hashchange", () => render({ focus: true }));
render();
