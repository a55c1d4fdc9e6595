// One variant at one location: how its quantity came about, and whether its books are whole.

import { get, pages } from "./api.js";
import { problemIn } from "./chain.js";
import { activeLocations, compare, locationName, readReasons, readVariants, reasonName, variant } from "./catalog.js";
import { steps } from "./charts.js";
import { counted, h, instant, problem, quantity, show, signed, table, text } from "./dom.js";
import { confirmed, reverse } from "./reversal.js";

export const title = "History";
const PAGE = 100;

export async function render(asked) {
  const item = { variant_id: asked.get("variant"), location_id: asked.get("location") };
  const [page, levels] = await Promise.all([
    get("adjustments", { ...item, limit: PAGE }),
    get("levels", { variant_id: item.variant_id }),
    activeLocations(),
    readVariants().catch(() => null),
    readReasons(),
  ]);
  const known = variant(item.variant_id);
  const level = levels.data.find((each) => each.location_id === item.location_id);
  const others = levels.data.filter((each) => each !== level);
  const heading = h(
    "div",
    { class: "heading" },
    h("p", { class: "what" }, text(known?.name ?? level?.sku, item.variant_id), " ", h("span", { class: "sku" }, text(known?.sku ?? level?.sku, ""))),
    h("p", {}, text(locationName(item.location_id)), ": ", h("strong", { class: "on-hand" }, level ? quantity(level.quantity) : "–"), " on hand"),
  );
  return [heading, others.length === 0 ? null : elsewhere(others), proof(item), rows(page)];
}

/** The same variant's other locations. */
function elsewhere(levels) {
  const link = (each) => h("a", { href: `#history?${new URLSearchParams({ variant: each.variant_id, location: each.location_id })}` }, text(locationName(each.location_id)));
  const sorted = levels.toSorted((one, other) => compare(locationName(one.location_id), locationName(other.location_id)));
  return h("p", {}, "Also at ", sorted.map((each, place) => [place === 0 ? null : ", ", link(each), `: ${quantity(each.quantity)}`]));
}

function rows(page) {
  const found = [...page.data];
  const content = h("div", {});
  const update = (next) => {
    const oldestFirst = found.toReversed();
    show(
      content,
      found.length === 0 ? null : steps(oldestFirst, (row) => go(row)),
      ledger(found),
      next === null ? null : more(next),
    );
  };
  const more = (cursor) => {
    const button = h("button", { type: "button", onclick: async () => {
      button.disabled = true;
      try {
        const following = await get("adjustments", { ...item, limit: PAGE, cursor });
        found.push(...following.data);
        update(following.next_cursor);
      } catch (error) {
        button.disabled = false;
        content.append(problem(error));
      }
    } }, "Show older changes");
    return button;
  };
  const asked = new URLSearchParams(location.hash.split("?")[1]);
  const item = { variant_id: asked.get("variant"), location_id: asked.get("location") };
  update(page.next_cursor);
  return content;
}

function go(row) {
  const element = document.getElementById(`row-${row.id}`);
  element.scrollIntoView({ block: "center" });
  element.focus();
}

function ledger(found) {
  const columns = [
    { title: "No.", kind: "number", cell: (row) => h("span", { id: `row-${row.id}`, tabindex: -1, class: "row-number" }, quantity(row.sequence)) },
    { title: "When", kind: "lead", cell: (row) => instant(row.created_at) },
    { title: "Change", kind: "number amount", cell: (row) => h("span", { class: row.delta < 0 ? "negative" : "positive" }, signed(row.delta)) },
    { title: "After", kind: "number", cell: (row) => quantity(row.quantity_after) },
    { title: "Why", kind: "long", cell: why },
    { title: "By", kind: "long", cell: (row) => text(row.created_by) },
    { title: "Reverse", cell: reversal },
  ];
  return table(`${counted(found.length, "change")}, newest first`, columns, found, "It was never adjusted here.");
}

function why(row) {
  const tags = [row.kind === "adjustment" ? null : row.kind, row.reason_code && reasonName(row.reason_code), row.reference]
    .filter((each) => each !== null && each !== undefined)
    .filter((each, place, all) => all.findIndex((one) => one.toLowerCase() === each.toLowerCase()) === place)
    .map((each) => h("span", { class: "tag" }, text(each)));
  const count = row.counted_quantity === null ? null : h("span", { class: "tag" }, `counted ${quantity(row.counted_quantity)}`);
  return h("div", {}, h("div", {}, text(row.correction_reason)), count, tags);
}

function reversal(row) {
  if (row.reversed_by) return h("span", { class: "tag" }, "reversed");
  if (row.delta === 0) return "–";
  return h("button", { type: "button", class: "quiet", onclick: () => confirmReversal(row) }, "Reverse …");
}

/** A row of a group takes the whole group with it. */
function confirmReversal(row) {
  const group = row.group_size > 1;
  confirmed({
    title: "Reverse this change?",
    about: group
      ? `It is one of ${row.group_size} changes that were made together (a batch or a transfer). All of them are reversed.`
      : [signed(row.delta), " of ", instant(row.created_at), ": ", text(row.correction_reason)],
    action: group ? `Reverse all ${row.group_size} changes` : "Reverse",
    act: async (reason) => {
      await reverse(group ? row.group_id : row.id, reason, { group });
      dispatchEvent(new Event("hashchange"));
    },
  });
}

/** The tick: this browser reads every row and computes the chain of hashes itself. */
function proof(item) {
  const says = h("p", { class: "proof", role: "status" });
  const button = h("button", { type: "button", onclick: async () => {
    button.disabled = true;
    try {
      show(says, ...(await verdict(item, (rows) => show(says, `${counted(rows, "row")} read …`))));
    } catch (error) {
      show(says, problem(error));
    }
    button.disabled = false;
  } }, "Prove it");
  return h("div", { class: "prover" }, button, says);
}

async function verdict(item, progress) {
  if (!crypto.subtle) return [problem({ message: "This browser computes hashes only on pages that came over HTTPS." })];
  // What is to be proved is read first: rows that are added meanwhile come after it.
  const stated = await get(`levels/${item.variant_id}/${item.location_id}/proof`);
  const newestFirst = [];
  for await (const page of pages("adjustments", { ...item, include: "chain", limit: PAGE })) {
    newestFirst.push(...page.map((row) => row.chain));
    progress(newestFirst.length);
  }
  const rows = newestFirst.reverse();
  const wrong = await problemIn(rows);
  if (wrong !== null) return [h("span", { class: "cross" }, "✗ "), wrong];
  if (rows.length < stated.sequence) return [problem({ message: "The newest rows can't be listed yet. Try again in a moment." })];
  const last = rows[stated.sequence - 1];
  if (last && (last.hash !== stated.head_hash || last.quantity_after !== stated.quantity)) {
    return [h("span", { class: "cross" }, "✗ "), "The rows do not lead to the quantity that the service states."];
  }
  const text = ` ${counted(stated.sequence, "row")}, computed by this browser: none is missing, none was altered, and they add up to ${quantity(stated.quantity)}.`;
  return [h("span", { class: "tick" }, "✓"), text, h("br", {}), h("small", {}, "Head hash ", h("code", {}, stated.head_hash))];
}
