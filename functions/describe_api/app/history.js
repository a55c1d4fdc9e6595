// One variant at one location: how its quantity came about, and whether its books are whole.

import { get, pages, post } from "./api.js";
import { problemIn } from "./chain.js";
import { activeLocations, locationName, readVariants, variant } from "./catalog.js";
import { steps } from "./charts.js";
import { announce, counted, field, h, instant, problem, quantity, show, signed, table, text } from "./dom.js";
import { sent } from "./keys.js";

export const title = "History";
const PAGE = 100;

export async function render(asked) {
  const item = { variant_id: asked.get("variant"), location_id: asked.get("location") };
  const [, , page, levels] = await Promise.all([
    activeLocations(),
    readVariants().catch(() => null),
    get("adjustments", { ...item, limit: PAGE }),
    get("levels", item),
  ]);
  const known = variant(item.variant_id);
  const level = levels.data[0];
  const heading = h(
    "div",
    { class: "heading" },
    h("p", { class: "what" }, text(known?.name ?? level?.sku, item.variant_id), " ", h("span", { class: "sku" }, text(known?.sku ?? level?.sku, ""))),
    h("p", {}, text(locationName(item.location_id)), ": ", h("strong", { class: "on-hand" }, level ? quantity(level.quantity) : "–"), " on hand"),
  );
  return [heading, proof(item), rows(page)];
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
  const tags = [row.kind === "adjustment" ? null : row.kind, row.reason_code, row.reference]
    .filter((each) => each !== null && each !== undefined)
    .map((each) => h("span", { class: "tag" }, text(each)));
  const count = row.counted_quantity === null ? null : h("span", { class: "tag" }, `counted ${quantity(row.counted_quantity)}`);
  return h("div", {}, h("div", {}, text(row.correction_reason)), count, tags);
}

function reversal(row) {
  if (row.reversed_by) return h("span", { class: "tag" }, "reversed");
  if (row.delta === 0) return "–";
  return h("button", { type: "button", class: "quiet", onclick: () => confirmReversal(row) }, "Reverse …");
}

/** Ask once more before anything is taken back; a row of a group takes the whole group with it. */
function confirmReversal(row) {
  const whole = row.group_size > 1;
  const path = whole ? `adjustments/groups/${row.group_id}/reversal` : `adjustments/${row.id}/reversal`;
  const reason = h("input", { required: true, maxlength: "500", value: "Booked by mistake" });
  const says = h("div", {});
  const button = h("button", { type: "submit" }, whole ? `Reverse all ${row.group_size} changes` : "Reverse");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await sent(`reversal.${whole ? row.group_id : row.id}`, { reason: reason.value }, (body, key) => post(path, body, key));
      dialog.close();
      announce("Reversed.");
      dispatchEvent(new Event("hashchange"));
    } catch (error) {
      button.disabled = false;
      show(says, problem(error));
    }
  };
  const dialog = h(
    "dialog",
    { "aria-labelledby": "reversal-title", onclose: () => dialog.remove() },
    h(
      "form",
      { onsubmit: submit },
      h("h2", { id: "reversal-title" }, "Reverse this change?"),
      h("p", {}, whole
        ? `It is one of ${row.group_size} changes that were made together (a batch or a transfer). All of them are reversed.`
        : [signed(row.delta), " of ", instant(row.created_at), ": ", text(row.correction_reason)]),
      h("p", {}, "The change stays in the ledger; a new one with the opposite sign is added."),
      field("Reason", reason),
      says,
      h("div", { class: "actions" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"), button),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  reason.select();
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
