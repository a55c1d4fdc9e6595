// A count sheet: what was counted at one location, sent as one batch in which each line is settled on its own.

import { messageOf, pages, post, serviceTime } from "./api.js";
import { activeLocations, readVariants, variant } from "./catalog.js";
import { announce, counted, field, h, instant, problem, quantity, select, show, signed, table, text } from "./dom.js";
import { kept, sent } from "./keys.js";
import { picker } from "./picker.js";

export const title = "Count";
const LINES_MAX = 500;
const SHEET = "inventory.sheet.";

export async function render(asked) {
  const locations = await activeLocations();
  const begin = asked.get("location") ?? locations.find((each) => each.default)?.location_id ?? locations[0]?.location_id;
  if (begin === undefined) return h("p", { class: "empty" }, "This business has no location yet.");
  const place = select(locations.map((each) => [each.location_id, each.name]), begin);
  const sheet = h("div", {});
  const open = async () => {
    history.replaceState(null, "", `#count?${new URLSearchParams({ location: place.value })}`);
    try {
      await draw(sheet, place.value);
    } catch (error) {
      show(sheet, problem(error));
    }
  };
  place.addEventListener("change", open);
  open();
  return [h("div", { class: "filters" }, field("Location", place)), sheet];
}

/** What was typed so far at a location, by variant: `{counted, at}`; it survives a reload of the page. */
function load(locationId) {
  return JSON.parse(sessionStorage.getItem(SHEET + locationId) ?? "{}");
}

function store(locationId, entries) {
  sessionStorage.setItem(SHEET + locationId, JSON.stringify(entries));
}

async function draw(sheet, locationId) {
  show(sheet, h("p", { class: "empty" }, "One moment …"));
  await readVariants();
  const levels = new Map();
  for await (const page of pages("levels", { location_id: locationId, limit: 100 })) {
    for (const each of page) levels.set(each.variant_id, each);
  }
  const entries = load(locationId);
  const form = `count.${locationId}`;
  const says = h("div", { "aria-live": "polite" });
  const body = h("tbody", {});
  const button = h("button", { type: "submit" }, "Book these counts");
  const known = new Set();
  const add = (id, focus) => {
    if (!known.has(id)) {
      known.add(id);
      body.append(line(id, levels.get(id), entries, changed));
    }
    if (focus) body.querySelector(`[data-line="${id}"] input`).focus();
  };
  const changed = () => {
    store(locationId, entries);
    const filled = Object.keys(entries).length;
    button.disabled = kept(form) === null && (filled === 0 || filled > LINES_MAX);
    button.textContent = kept(form) !== null ? "Send again" : filled > LINES_MAX ? `At most ${LINES_MAX} at once` : `Book ${counted(filled, "count")}`;
  };
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await book(form, locationId, entries, says);
    } catch (error) {
      show(says, problem(error), error.unsettled ? h("p", {}, "Nothing is lost: “Send again” repeats the same request, and no line is booked twice.") : null);
    }
    changed();
    for (const each of body.querySelectorAll("[data-line]")) each.querySelector("input").value = entries[each.dataset.line]?.counted ?? "";
  };
  for (const id of levels.keys()) add(id, false);
  for (const id of Object.keys(entries)) add(id, false);
  changed();
  show(
    sheet,
    h("p", {}, "Type what you counted, and leave empty what you did not count. What is sold while you count stays sold: each number counts as of the moment when you typed it."),
    picker("Find or add a variant", (chosen) => add(chosen.variant_id, true)),
    h(
      "form",
      { onsubmit: submit },
      h("table", { class: "sheet" }, h("caption", {}, "Count sheet"), h("thead", {}, h("tr", {}, ["SKU", "Name", "On hand", "Counted"].map((each) => h("th", { scope: "col" }, each)))), body),
      h("div", { class: "actions sticky" }, button),
    ),
    says,
  );
}

function line(id, level, entries, changed) {
  const sku = variant(id)?.sku ?? level?.sku ?? id;
  const input = h("input", { type: "number", min: "0", step: "1", inputmode: "numeric", class: "short", "aria-label": `Counted of ${sku}`, value: entries[id]?.counted ?? "" });
  input.addEventListener("input", () => {
    if (input.value === "" || !input.validity.valid) delete entries[id];
    else entries[id] = { counted: Number(input.value), at: serviceTime() };
    changed();
  });
  return h(
    "tr",
    { "data-line": id },
    h("td", { "data-title": "SKU", class: "lead" }, text(sku)),
    h("td", { "data-title": "Name", class: "long" }, text(variant(id)?.name)),
    h("td", { "data-title": "On hand", class: "number" }, level ? quantity(level.quantity) : "–"),
    h("td", { "data-title": "Counted", class: "amount" }, input),
  );
}

/** Send the sheet; what was settled leaves it, what was refused stays with its message. */
async function book(form, locationId, entries, says) {
  const lines = Object.entries(entries).map(([id, entry]) => ({ variant_id: id, location_id: locationId, counted_quantity: entry.counted, counted_at: entry.at }));
  let asked = lines;
  const answer = await sent(form, { mode: "each", lines }, async (body, key) => {
    asked = body.lines;
    const found = await post("adjustments/batch", body, key);
    const unsettled = found.data.filter((each) => each.status >= 500);
    if (unsettled.length > 0) throw unsettledLines(unsettled.length, found.data.length);
    return found;
  });
  const results = answer.data.map((each) => ({ ...each, asked: asked[each.line] }));
  for (const each of results) if (each.status === 201 && entries[each.asked.variant_id]?.at === each.asked.counted_at) delete entries[each.asked.variant_id];
  const booked = results.filter((each) => each.status === 201).length;
  announce(`${booked} of ${results.length} counts booked.`);
  show(says, outcome(results, booked));
}

function unsettledLines(count, all) {
  const error = new Error(`${count} of ${all} lines are not settled yet.`);
  error.unsettled = true;
  return error;
}

function outcome(results, booked) {
  const columns = [
    { title: "SKU", kind: "lead", cell: (row) => text(variant(row.asked.variant_id)?.sku, row.asked.variant_id) },
    { title: "Counted", kind: "number", cell: (row) => quantity(row.asked.counted_quantity) },
    { title: "Difference", kind: "number amount", cell: (row) => (row.status === 201 ? signed(row.adjustment.delta) : "–") },
    { title: "On hand now", kind: "number", cell: (row) => (row.status === 201 ? quantity(row.adjustment.quantity_after) : "–") },
    { title: "Result", kind: "long", cell: (row) => (row.status === 201 ? "booked" : h("span", { class: "negative" }, messageOf(row.error, row.status))) },
    { title: "Counted at", cell: (row) => instant(row.asked.counted_at) },
  ];
  return table(`${booked} of ${results.length} counts booked`, columns, results, "");
}
