// Who moved most in a period, and which variants moved most.

import { pages } from "./api.js";
import { readReasons, readVariants, reasonName, variant } from "./catalog.js";
import { counted, h, problem, quantity, show, table, text } from "./dom.js";
import { period } from "./period.js";

export const title = "Who and what moved most";
const ROWS_MAX = 5_000;
const SHOWN = 20;

export async function render(asked) {
  const only = { reason: asked.get("reason"), by: asked.get("by") };
  const results = h("div", { "aria-live": "polite" });
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    const address = { ...chosen.remembered(), ...given(only) };
    history.replaceState(null, "", addressed(address));
    show(results, h("p", { class: "empty" }, "One moment …"));
    try {
      await summed(chosen.asked(), only, (sums) => mine === turn && show(results, drawn(sums, address)));
    } catch (error) {
      if (mine === turn) show(results, problem(error));
    }
  };
  const [chosen] = await Promise.all([period(asked, update), readReasons(), readVariants().catch(() => null)]);
  update();
  return [h("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, chosen.fields), results];
}

const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
const addressed = (address) => `#moved?${new URLSearchParams(address)}`;

/** Sum the period's changes, newest first; a change that was reversed, and its reversal, moved nothing. */
async function summed({ from, to, location_id }, { reason, by }, shown) {
  const query = { created_from: from, created_to: to, location_id, reason_code: reason, created_by: by, limit: 100 };
  const sums = { variants: new Map(), people: new Map(), rows: 0, complete: false };
  for await (const page of pages("adjustments", query)) {
    for (const row of page) {
      sums.rows += 1;
      if (row.kind === "reversal" || row.reversed_by || (reason === "" && row.reason_code !== null)) continue;
      add(sums.variants, row.variant_id, row.delta, row.sku);
      add(sums.people, row.created_by, row.delta);
    }
    if (shown(sums) === false) return;
    if (sums.rows >= ROWS_MAX) return;
  }
  sums.complete = true;
  // A variant may have been registered since the page was opened.
  if ([...sums.variants.keys()].some((id) => variant(id) === undefined)) await readVariants({ since_ms: 0 }).catch(() => null);
  shown(sums);
}

function add(sums, id, delta, sku = null) {
  const sum = sums.get(id) ?? { id, sku, changes: 0, in: 0, out: 0 };
  sum.changes += 1;
  if (delta > 0) sum.in += delta;
  else sum.out -= delta;
  sums.set(id, sum);
}

const most = (sums) =>
  [...sums.values()].sort((one, other) => other.in + other.out - one.in - one.out || other.changes - one.changes).slice(0, SHOWN);

function drawn(sums, address) {
  const figures = [
    { title: "Changes", kind: "number", cell: (row) => quantity(row.changes) },
    { title: "Units in", kind: "number", cell: (row) => quantity(row.in) },
    { title: "Units out", kind: "number", cell: (row) => quantity(row.out) },
    { title: "Units moved", kind: "number amount", cell: (row) => quantity(row.in + row.out) },
  ];
  const skuOf = (row) => variant(row.id)?.sku ?? row.sku ?? row.id;
  const stock = (row) => `#stock?${new URLSearchParams({ location: address.location, search: skuOf(row) })}`;
  const variants = [
    { title: "SKU", kind: "lead", cell: (row) => h("a", { href: stock(row) }, text(skuOf(row))) },
    { title: "Name", kind: "long", cell: (row) => text(variant(row.id)?.name) },
    ...figures,
  ];
  const people = [
    { title: "By", kind: "lead", cell: (row) => h("a", { href: addressed({ ...address, by: row.id }) }, text(row.id)) },
    ...figures,
  ];
  return [
    filters(address),
    h("p", {}, state(sums), " Changes that were reversed are left out; a transfer is out at one location and in at the other."),
    table(top("person or program", sums.people, "people and programs"), people, most(sums.people), "Nothing moved in this period."),
    sums.variants.size === 0 ? null : table(top("variant", sums.variants), variants, most(sums.variants), ""),
  ];
}

function state(sums) {
  if (sums.complete) return `${counted(sums.rows, "change")} in this period.`;
  return sums.rows >= ROWS_MAX ? `The newest ${counted(sums.rows, "change")} only: choose a shorter period.` : `${counted(sums.rows, "change")} so far …`;
}

const top = (noun, sums, several = `${noun}s`) =>
  sums.size > SHOWN ? `The first ${SHOWN} of ${quantity(sums.size)} ${several}` : `${quantity(sums.size)} ${sums.size === 1 ? noun : several}`;

/** Which changes alone are summed, each with a way to see all again. */
function filters(address) {
  const one = (name, shown) => {
    if (!(name in address)) return null;
    const { [name]: _, ...others } = address;
    return h("p", {}, shown, " ", h("a", { href: addressed(others) }, "Show all"));
  };
  return [
    one("reason", ["Only for the reason: ", h("strong", {}, text(reasonName(address.reason || null))), "."]),
    one("by", ["Only changed by: ", h("strong", {}, text(address.by)), "."]),
  ];
}
