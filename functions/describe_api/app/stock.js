// What is at a location, or anywhere: the first question of the day.

import { get } from "./api.js";
import { activeLocations, compare, locationName, readVariants, search, variant } from "./catalog.js";
import { counted, field, h, instant, problem, quantity, select, show, table, text } from "./dom.js";

export const title = "Stock";
const MATCHES = 25;
const AT_ONCE = 6;
const READ = 1_000;
const MINUTE_MS = 60_000;

export async function render(asked) {
  const locations = await activeLocations();
  const options = [["", "All locations"], ...locations.map((each) => [each.location_id, each.name])];
  const place = select(options, asked.get("location") ?? locations[0]?.location_id);
  const wanted = h("input", { type: "search", value: asked.get("search") ?? "", placeholder: "SKU or name", autocomplete: "off" });
  const which = select([["", "Any quantity"], ["-1", "Negative"], ["0", "None or negative"], ["low", "Low"]], asked.get("which"));
  const low = h("input", { type: "number", value: asked.get("low") ?? "10", step: "1", class: "short" });
  const lowField = field("Low is at most", low);
  const results = h("div", { "aria-live": "polite" });
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    lowField.hidden = which.value !== "low";
    const filter = { location_id: place.value, quantity_at_most: which.value === "low" ? low.value || "0" : which.value };
    const text = wanted.value.trim();
    remember({ location: place.value, search: text, which: which.value, low: low.value });
    show(results, h("p", { class: "empty" }, "One moment …"));
    try {
      const shown = (...content) => (mine === turn ? show(results, ...content) : false);
      if (text === "") await listed(filter, shown);
      else await searched(filter, text, shown, everywhere);
    } catch (error) {
      if (mine === turn) show(results, problem(error));
    }
  };
  const everywhere = () => {
    place.value = which.value = "";
    return update();
  };
  for (const each of [place, which, low]) each.addEventListener("change", update);
  wanted.addEventListener("input", debounced(() => results.isConnected && update()));
  readVariants().then(() => results.querySelectorAll("[data-variant]").forEach(nameIn), () => null);
  update();
  return [
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() }, field("Search", wanted), field("Location", place), field("Show", which), lowField),
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

/** All levels: page after page until a screen of a thousand is full, then more when they are asked for. */
async function listed(filter, shown) {
  const rows = [];
  const read = async (cursor) => {
    const end = rows.length + READ;
    do {
      const page = await get("levels", { ...filter, limit: 100, cursor });
      rows.push(...page.data);
      cursor = page.next_cursor;
      const state = cursor === null ? null : rows.length < end ? h("p", { class: "empty" }, "Reading more …") : moreButton(() => read(cursor));
      if (shown(levels(rows, filter, nothing(filter)), state) === false) return;
    } while (cursor !== null && rows.length < end);
  };
  await read(null);
}

const nothing = (filter) => (filter.quantity_at_most === "" ? "Nothing was ever booked here." : "Nothing here is as low as that.");

function moreButton(read) {
  const button = h("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      await read();
    } catch (error) {
      button.disabled = false;
      button.after(problem(error));
    }
  } }, "Show more");
  return button;
}

/** The levels of the variants that match a text; a variant without any is shown too, as long as any quantity is. */
async function searched(filter, wanted, shown, everywhere) {
  await readVariants();
  if (search(wanted, 1).length === 0) await readVariants({ since_ms: MINUTE_MS });
  const found = search(wanted, MATCHES);
  const rows = [];
  for (let first = 0; first < found.length; first += AT_ONCE) {
    const asked = found.slice(first, first + AT_ONCE).map((each) => levelsOf(each, filter));
    rows.push(...(await Promise.all(asked)).flat());
  }
  const narrow = filter.location_id !== "" || filter.quantity_at_most !== "";
  shown(
    levels(rows, filter, found.length === 0 ? `No variant has “${wanted}” in its SKU or name.` : "Nothing here."),
    found.length === MATCHES ? h("p", { class: "empty" }, `The first ${MATCHES} matches are shown.`) : null,
    found.length > 0 && narrow ? h("button", { type: "button", class: "quiet", onclick: everywhere }, "Show these everywhere") : null,
  );
}

async function levelsOf(each, filter) {
  const page = await get("levels", { variant_id: each.variant_id, ...filter });
  const none = { variant_id: each.variant_id, sku: each.sku, location_id: filter.location_id || null, quantity: null };
  return page.data.length === 0 && filter.quantity_at_most === "" ? [none] : page.data;
}

function levels(rows, filter, empty) {
  const lowestFirst = filter.quantity_at_most !== "";
  const sorted = rows.toSorted(
    (one, other) =>
      (lowestFirst ? one.quantity - other.quantity : 0) ||
      compare(one.sku, other.sku) ||
      compare(locationName(one.location_id), locationName(other.location_id)),
  );
  const place = { title: "Location", kind: "long", cell: (row) => text(row.location_id && locationName(row.location_id)) };
  const columns = [
    { title: "SKU", kind: "lead", cell: (row) => link(row) },
    { title: "Name", kind: "long", cell: (row) => nameOf(row.variant_id) },
    ...(filter.location_id === "" ? [place] : []),
    { title: "On hand", kind: "number amount", cell: onHand },
    { title: "Last change", cell: (row) => (row.quantity === null ? "never" : instant(row.updated_at)) },
    { title: "Last count", cell: (row) => instant(row.counted_at) },
  ];
  return table(counted(rows.length, "stock item"), columns, sorted, empty);
}

const onHand = (row) =>
  row.quantity === null ? "none yet" : h("span", { class: row.quantity < 0 ? "negative" : null }, quantity(row.quantity));

const link = (row) =>
  row.quantity === null
    ? text(row.sku, row.variant_id)
    : h("a", { href: `#history?${new URLSearchParams({ variant: row.variant_id, location: row.location_id })}` }, text(row.sku, row.variant_id));

const nameOf = (id) => nameIn(h("span", { "data-variant": id }));

function nameIn(element) {
  show(element, text(variant(element.dataset.variant)?.name));
  return element;
}
