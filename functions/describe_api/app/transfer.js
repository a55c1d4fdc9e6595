// Goods that move from one location to another: both sides are booked at once, or neither.

import { get, post } from "./api.js";
import { activeLocations, locationName, readVariants, variant } from "./catalog.js";
import { announce, field, h, problem, quantity, select, show, table, text } from "./dom.js";
import { kept, sent } from "./keys.js";
import { picker } from "./picker.js";

export const title = "Transfer";
const FORM = "transfer";
const LINES_MAX = 24;

export async function render() {
  const [locations] = await Promise.all([activeLocations(), readVariants().catch(() => null)]);
  if (locations.length < 2) return h("p", { class: "empty" }, "A transfer needs two locations.");
  const waiting = kept(FORM)?.body;
  const options = locations.map((each) => [each.location_id, each.name]);
  const from = select(options, waiting?.from_location_id ?? options[0][0]);
  const to = select(options, waiting?.to_location_id ?? options[1][0]);
  const reason = h("input", { required: true, maxlength: "500", value: waiting?.reason ?? "Moved" });
  const onHand = new Map();
  const lines = new Map((waiting?.lines ?? []).map((each) => [each.variant_id, each.quantity]));
  const list = h("div", {});
  const says = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "submit" });
  const update = () => {
    const again = kept(FORM) !== null;
    show(list, table("To move", columns(lines, onHand, update), [...lines.keys()], "No line yet: find a variant above."));
    button.textContent = again ? "Send again" : "Transfer";
    button.disabled = !again && (lines.size === 0 || lines.size > LINES_MAX || from.value === to.value);
  };
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const body = {
      from_location_id: from.value,
      to_location_id: to.value,
      reason: reason.value,
      lines: [...lines].map(([id, moved]) => ({ variant_id: id, quantity: moved })),
    };
    try {
      const answer = await sent(FORM, body, (kept, key) => post("transfers", kept, key));
      lines.clear();
      onHand.clear();
      show(says, done(answer.data));
      announce("Transferred.");
    } catch (error) {
      show(says, refused(error, body));
    }
    update();
  };
  const look = async (id) => {
    const place = from.value;
    const found = await get("levels", { variant_id: id, location_id: place }).catch(() => null);
    if (found === null || place !== from.value) return;
    onHand.set(id, found.data[0]?.quantity ?? 0);
    for (const each of list.querySelectorAll(`[data-on-hand="${id}"]`)) show(each, shownOnHand(onHand, id));
  };
  from.addEventListener("change", () => {
    onHand.clear();
    update();
    for (const id of lines.keys()) look(id);
  });
  to.addEventListener("change", update);
  const pick = picker("Find a variant", (chosen) => {
    if (!lines.has(chosen.variant_id)) lines.set(chosen.variant_id, 1);
    update();
    look(chosen.variant_id);
    list.querySelector(`[data-line="${chosen.variant_id}"]`).select();
  });
  update();
  for (const id of lines.keys()) look(id);
  return [
    h("form", { onsubmit: submit }, h("div", { class: "filters" }, field("From", from), field("To", to), field("Reason", reason)), pick, list, h("div", { class: "actions" }, button)),
    says,
  ];
}

const shownOnHand = (onHand, id) => (onHand.has(id) ? quantity(onHand.get(id)) : "…");

function columns(lines, onHand, update) {
  const amount = (id) => {
    const input = h("input", { type: "number", min: "1", max: "1000000000", step: "1", required: true, class: "short", "data-line": id, "aria-label": `Units of ${variant(id)?.sku ?? id}`, value: lines.get(id) });
    input.addEventListener("input", () => input.validity.valid && lines.set(id, Number(input.value)));
    return input;
  };
  const remove = (id) => {
    lines.delete(id);
    update();
  };
  return [
    { title: "SKU", kind: "lead", cell: (id) => text(variant(id)?.sku, id) },
    { title: "Name", kind: "long", cell: (id) => text(variant(id)?.name) },
    { title: "On hand there", kind: "number", cell: (id) => h("span", { "data-on-hand": id }, shownOnHand(onHand, id)) },
    { title: "Units", kind: "number amount", cell: amount },
    { title: "", cell: (id) => h("button", { type: "button", class: "quiet", onclick: () => remove(id), "aria-label": `Remove ${variant(id)?.sku ?? id}` }, "Remove") },
  ];
}

function done(rows) {
  const taken = rows.filter((row) => row.delta < 0);
  const columns = [
    { title: "SKU", kind: "lead", cell: (row) => text(variant(row.variant_id)?.sku, row.variant_id) },
    { title: "Moved", kind: "number amount", cell: (row) => quantity(-row.delta) },
    { title: `Left at ${locationName(taken[0]?.location_id)}`, kind: "number", cell: (row) => quantity(row.quantity_after) },
  ];
  return table("Transferred", columns, taken, "");
}

function refused(error, body) {
  const line = body.lines[error.detail?.line];
  const which = line ? `${variant(line.variant_id)?.sku ?? line.variant_id}: ` : "";
  return problem({ message: which + error.message });
}
