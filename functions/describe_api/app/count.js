// A count sheet: what was counted at one location, sent as one batch in which each line is settled on its own.

import { messageOf, pages, post, serviceTime } from "./api.js";
import { activeLocations, compare, readVariants, variant } from "./catalog.js";
import { announce, counted, field, h, instant, problem, quantity, select, show, signed, table, text } from "./dom.js";
import { kept, sent } from "./keys.js";
import { picker } from "./picker.js";
import { confirmed, reverse } from "./reversal.js";

export const title = "Count";
const LINES_MAX = 500;
const REPEATS = 5;
const PAUSE_MS = 1_000;
const SHEET = "inventory.sheet.";

export async function render(asked) {
  const locations = await activeLocations();
  const begin = asked.get("location") ?? locations.find((each) => each.default)?.location_id ?? locations[0]?.location_id;
  if (begin === undefined) return h("p", { class: "empty" }, "This business has no location yet.");
  const place = select(locations.map((each) => [each.location_id, each.name]), begin);
  const sheet = h("div", {});
  let turn = 0;
  const open = async (message = null) => {
    const mine = (turn += 1);
    const shown = (...content) => mine === turn && show(sheet, ...content);
    history.replaceState(null, "", `#count?${new URLSearchParams({ location: place.value })}`);
    try {
      await draw(shown, place.value, message, open);
    } catch (error) {
      shown(problem(error));
    }
  };
  place.addEventListener("change", () => open());
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

async function draw(shown, locationId, message, again) {
  shown(h("p", { class: "empty" }, "One moment …"));
  await readVariants();
  const levels = new Map();
  for await (const page of pages("levels", { location_id: locationId, limit: 100 })) {
    for (const each of page) levels.set(each.variant_id, each);
    shown(h("p", { class: "empty" }, `${counted(levels.size, "stock item")} read …`));
  }
  const entries = load(locationId);
  const form = `count.${locationId}`;
  const says = h("div", { "aria-live": "polite" }, message);
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
      const results = await book(form, locationId, entries);
      for (const each of results.filter(isBooked)) {
        const onHand = body.querySelector(`[data-line="${each.asked.variant_id}"] [data-title="On hand"]`);
        onHand?.replaceChildren(quantity(each.adjustment.quantity_after));
      }
      show(says, outcome(results, again));
    } catch (error) {
      show(says, problem(error), error.unsettled ? h("p", {}, "Nothing is lost: “Send again” repeats the same request, and no line is booked twice.") : null);
    }
    changed();
    says.scrollIntoView();
    for (const each of body.querySelectorAll("[data-line]")) each.querySelector("input").value = entries[each.dataset.line]?.counted ?? "";
  };
  const skuOf = (id) => variant(id)?.sku ?? levels.get(id)?.sku ?? id;
  const ids = [...new Set([...levels.keys(), ...Object.keys(entries)])];
  for (const id of ids.sort((one, other) => compare(skuOf(one), skuOf(other)))) add(id, false);
  changed();
  shown(
    h("p", {}, "Type what you counted, and leave empty what you did not count. What is sold while you count stays sold: each number counts as of the moment when you typed it."),
    picker("Find or add a variant", (chosen) => add(chosen.variant_id, true)),
    h(
      "form",
      { onsubmit: submit },
      h("table", { class: "sheet" }, h("caption", {}, "Count sheet"), h("thead", {}, h("tr", {}, ["SKU", "Name", "On hand", "Counted"].map((each) => h("th", { scope: "col", class: each === "On hand" ? "number" : null }, each)))), body),
      h("div", { class: "actions sticky" }, button),
    ),
    says,
  );
}

function line(id, level, entries, changed) {
  const sku = variant(id)?.sku ?? level?.sku ?? id;
  const input = h("input", { type: "number", min: "0", max: "9007199254740991", step: "1", inputmode: "numeric", class: "short", "aria-label": `Counted of ${sku}`, value: entries[id]?.counted ?? "" });
  input.addEventListener("input", () => {
    if (input.value === "" || !input.validity.valid) delete entries[id];
    else entries[id] = { counted: Number(input.value), at: serviceTime() };
    changed();
  });
  input.addEventListener("keydown", onward);
  return h(
    "tr",
    { "data-line": id },
    h("td", { "data-title": "SKU", class: "lead" }, text(sku)),
    h("td", { "data-title": "Name", class: "long" }, text(variant(id)?.name)),
    h("td", { "data-title": "On hand", class: "number" }, level ? quantity(level.quantity) : "–"),
    h("td", { "data-title": "Counted", class: "amount" }, input),
  );
}

/** Enter leads to the next line: a sheet is only sent by its button. */
function onward(event) {
  if (event.key !== "Enter") return;
  event.preventDefault();
  const next = event.target.closest("tr").nextElementSibling?.querySelector("input");
  (next ?? event.target.form.querySelector("button")).focus();
}

/** Send the sheet; what was settled leaves it, what was refused stays with its message. */
async function book(form, locationId, entries) {
  const lines = Object.entries(entries).map(([id, entry]) => ({ variant_id: id, location_id: locationId, counted_quantity: entry.counted, counted_at: entry.at }));
  let asked = lines;
  const answer = await sent(form, { mode: "each", lines }, async (body, key) => {
    asked = body.lines;
    return settled(body, key);
  });
  const results = answer.data.map((each) => ({ ...each, asked: asked[each.line] }));
  for (const each of results.filter(isBooked)) if (entries[each.asked.variant_id]?.at === each.asked.counted_at) delete entries[each.asked.variant_id];
  return results;
}

const isBooked = (result) => result.status === 201;

/** The answer in which each line has its outcome: while some had no time, the same request goes on with them. */
async function settled(body, key) {
  for (let attempt = 1; ; attempt += 1) {
    const found = await post("adjustments/batch", body, key);
    const unsettled = found.data.filter((each) => each.status === 503);
    if (unsettled.length === 0) return found;
    if (attempt === REPEATS) throw unsettledLines(unsettled.length, found.data.length);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function unsettledLines(count, all) {
  const error = new Error(`${count} of ${all} lines are not settled yet.`);
  error.unsettled = true;
  return error;
}

function outcome(results, again) {
  const booked = results.filter(isBooked);
  const changes = booked.map((each) => each.adjustment).filter((each) => each.delta !== 0);
  const columns = [
    { title: "SKU", kind: "lead", cell: (row) => text(variant(row.asked.variant_id)?.sku, row.asked.variant_id) },
    { title: "Counted", kind: "number", cell: (row) => quantity(row.asked.counted_quantity) },
    { title: "Difference", kind: "number amount", cell: (row) => (isBooked(row) ? signed(row.adjustment.delta) : "–") },
    { title: "On hand now", kind: "number", cell: (row) => (isBooked(row) ? quantity(row.adjustment.quantity_after) : "–") },
    { title: "Result", kind: "long", cell: (row) => (isBooked(row) ? "booked" : h("span", { class: "negative" }, messageOf(row.error, row.status))) },
    { title: "Counted at", cell: (row) => instant(row.asked.counted_at) },
  ];
  const state = `${booked.length} of ${results.length} counts booked`;
  const differ = changes.length === 0 ? "all as expected" : `${quantity(changes.length)} not as expected`;
  announce(`${state}, ${differ}.`);
  const ordered = results.toSorted((one, other) => urgency(other) - urgency(one));
  return [h("p", {}, h("strong", {}, state), `, ${differ}. `), changes.length === 0 ? null : takeBack(changes, again), table("What was refused comes first, then differences", columns, ordered, "")];
}

/** What was refused has to be looked at first, then what was not as expected. */
const urgency = (result) => (!isBooked(result) ? 2 : result.adjustment.delta !== 0 ? 1 : 0);

/** A sheet that was booked by mistake: each count that changed something is reversed, the others changed nothing. */
function takeBack(changes, again) {
  const all = counted(changes.length, "correction");
  const act = async (reason, says) => {
    for (const [place, each] of changes.entries()) {
      show(says, `${place + 1} of ${changes.length} …`);
      await reverse(each.id, reason).catch((error) => {
        // So it is where this was interrupted and is done again.
        if (error.code !== "already_reversed") throw error;
      });
    }
    again(h("p", {}, `${all} of this sheet reversed.`));
  };
  const ask = () => confirmed({ title: `Reverse ${all} of this sheet?`, about: "The stock is again what it was without this sheet.", action: `Reverse ${all}`, act });
  return h("button", { type: "button", class: "quiet", onclick: ask }, "Reverse this sheet …");
}
