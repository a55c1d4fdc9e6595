// Which view is shown, and who looks at it. The view stands behind the address's `#`, so that "back" works.

import { businessId, signedIn, signIn, signOut } from "./api.js";
import { announce, field, h, problem, show } from "./dom.js";

// A view is loaded when it is asked for: so the page begins with few parts.
const VIEWS = {
  stock: () => import("./stock.js"),
  history: () => import("./history.js"),
  losses: () => import("./losses.js"),
  moved: () => import("./moved.js"),
  count: () => import("./count.js"),
  transfer: () => import("./transfer.js"),
};
const MENU = { stock: "Stock", losses: "Losses", moved: "Movers", count: "Count", transfer: "Transfer" };

const header = document.getElementById("header");
const main = document.getElementById("main");
let shown = 0;

async function render({ focus = false } = {}) {
  const [asked, search = ""] = location.hash.slice(1).split("?");
  const name = Object.hasOwn(VIEWS, asked) ? asked : "stock";
  const turn = (shown += 1);
  if (!signedIn()) return renderSignIn();
  renderHeader(name);
  show(main, h("p", { class: "empty" }, "One moment …"));
  try {
    const view = await loaded(VIEWS[name]);
    const content = await view.render(new URLSearchParams(search));
    if (turn !== shown) return;
    document.title = `${view.title} – Inventory`;
    show(main, h("h1", {}, view.title), content);
  } catch (error) {
    if (turn === shown) failed(error);
  }
  if (focus) main.focus();
}

class NotLoaded extends Error {}

async function loaded(load) {
  try {
    return await load();
  } catch (error) {
    throw new NotLoaded("A part of this page could not be loaded. Wait a moment, then load the page again.", { cause: error });
  }
}

function failed(error) {
  // Some browsers remember that a part could not be loaded, until the page is loaded again.
  if (error instanceof NotLoaded) {
    return show(main, problem(error), h("button", { type: "button", onclick: () => location.reload() }, "Load the page again"));
  }
  if (error.status === undefined) console.error(error);
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
  location.hash = "";
  signOut();
}

function renderSignIn(message = null) {
  shown += 1;
  document.title = "Sign in – Inventory";
  document.querySelector("dialog")?.close();
  show(header, h("strong", {}, "Inventory"));
  const token = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false", name: "token" });
  const business = h("input", { required: true, autocomplete: "off", spellcheck: "false", name: "business", value: businessId() ?? "" });
  const button = h("button", { type: "submit" }, "Sign in");
  const says = h("div", {}, message === null ? null : problem({ message }));
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    show(says);
    try {
      await signIn(token.value.trim(), business.value.trim());
      announce("Signed in.");
      await render({ focus: true });
    } catch (error) {
      button.disabled = false;
      show(says, problem(error.early ? { message: "This token and this business do not fit." } : error));
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
addEventListener("signed-out", (event) => renderSignIn(event.detail));
render();
