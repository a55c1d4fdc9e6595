// What is at a location, or anywhere: the first question of the day.

import { get } from "./api.js";
import { activeLocations, locationName, readVariants, search, variant } from "./catalog.js";
import { counted, field, h, instant, problem, quantity, select, show, table, text } from "./dom.js";

export const title = "Stock";
const MATCHES = 25;
const AT_ONCE = 6;

export async function render(asked) {
  const locations = await activeLocations();
  const options = [["", "All locations"], ...locations.map((each) => [each.location_id, each.name])];
  const chosen = asked.get("location") ?? locations.find((each) => each.default)?.location_id ?? "";
  const place = select(options, chosen);
  const wanted = h("input", { type: "search", value: asked.get("search") ?? "", placeholder: "SKU or name", autocomplete: "off" });
  const which = select([["", "Any quantity"], ["-1", "Negative"], ["0", "None or negative"], ["low", "Low"]], asked.get("which"));
  const low = h("input", { type: "number", value: asked.get("low") ?? "10", step: "1", class: "short" });
  const lowField = field("Low is at most", low);
  const results = h("div", { "aria-live": "polite" });
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    lowField.hidden = which.value !== "low";
    const atMost = which.value === "low" ? low.value : which.value;
    remember({ location: place.value, search: wanted.value.trim(), which: which.value, low: low.value });
    show(results, h("p", { class: "empty" }, "One moment …"));
    try {
      const found = await (wanted.value.trim() === "" ? listed : searched)(place.value, atMost, wanted.value.trim());
      if (mine === turn) show(results, found);
    } catch (error) {
      if (mine === turn) show(results, problem(error));
    }
  };
  for (const each of [place, which, low]) each.addEventListener("change", update);
  wanted.addEventListener("input", debounced(update));
  readVariants().then(() => results.querySelectorAll("[data-variant]").forEach(nameIn), () => null);
  update();
  return [
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() }, field("Location", place), field("Search", wanted), field("Show", which), lowField),
    results,
  ];
}

function remember(asked) {
  history.replaceState(null, "", `#stock?${new URLSearchParams(asked)}`);
}

function debounced(call) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, 250);
  };
}

/** All levels, a page at a time. */
async function listed(locationId, atMost) {
  const rows = [];
  const content = h("div", {});
  const more = async (cursor) => {
    const page = await get("levels", { location_id: locationId, quantity_at_most: atMost, limit: 100, cursor });
    rows.push(...page.data);
    show(content, levels(rows), page.next_cursor === null ? null : moreButton(() => more(page.next_cursor), content));
  };
  await more(null);
  return content;
}

function moreButton(read, content) {
  const button = h("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      await read();
    } catch (error) {
      button.disabled = false;
      content.append(problem(error));
    }
  } }, "Show more");
  return button;
}

/** The levels of the variants that match a text. */
async function searched(locationId, atMost, wanted) {
  await readVariants();
  const found = search(wanted, MATCHES);
  const rows = [];
  for (let first = 0; first < found.length; first += AT_ONCE) {
    const asked = found.slice(first, first + AT_ONCE).map((each) => levelsOf(each, locationId, atMost));
    rows.push(...(await Promise.all(asked)).flat());
  }
  const cut = found.length === MATCHES ? h("p", { class: "empty" }, `The first ${MATCHES} matches are shown.`) : null;
  return [levels(rows), cut];
}

async function levelsOf(each, locationId, atMost) {
  const page = await get("levels", { variant_id: each.variant_id, location_id: locationId, quantity_at_most: atMost });
  return page.data;
}

function levels(rows) {
  const columns = [
    { title: "SKU", kind: "lead", cell: (row) => link(row) },
    { title: "Name", kind: "long", cell: (row) => nameOf(row.variant_id) },
    { title: "Location", kind: "long", cell: (row) => text(locationName(row.location_id)) },
    { title: "On hand", kind: "number amount", cell: (row) => h("span", { class: row.quantity < 0 ? "negative" : null }, quantity(row.quantity)) },
    { title: "Last change", cell: (row) => instant(row.updated_at) },
    { title: "Last count", cell: (row) => instant(row.counted_at) },
  ];
  return table(counted(rows.length, "stock item"), columns, rows, "Nothing here.");
}

const link = (row) =>
  h("a", { href: `#history?${new URLSearchParams({ variant: row.variant_id, location: row.location_id })}` }, text(row.sku, row.variant_id));

const nameOf = (id) => nameIn(h("span", { "data-variant": id }));

function nameIn(element) {
  show(element, text(variant(element.dataset.variant)?.name));
  return element;
}
