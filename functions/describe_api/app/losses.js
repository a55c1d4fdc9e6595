// Units lost and found by reason, in a period.

import { get } from "./api.js";
import { readReasons, reasonName } from "./catalog.js";
import { bars } from "./charts.js";
import { counted, h, problem, quantity, show, signed, table, text } from "./dom.js";
import { period } from "./period.js";

export const title = "Lost and found, by reason";

export async function render(asked) {
  const results = h("div", { "aria-live": "polite" });
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    const remembered = chosen.remembered();
    history.replaceState(null, "", `#losses?${new URLSearchParams(remembered)}`);
    show(results, h("p", { class: "empty" }, "One moment …"));
    try {
      await summed(chosen.asked(), (report) => mine === turn && show(results, drawn(report, remembered)), () => mine === turn);
    } catch (error) {
      if (mine === turn) show(results, problem(error));
    }
  };
  const [chosen] = await Promise.all([period(asked, update), readReasons()]);
  update();
  return [h("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, chosen.fields), results];
}

/** A report looks at some rows at a time: go on until all are counted, and show the sums so far. */
async function summed(asked, shown, wanted) {
  let cursor = null;
  do {
    const report = await get("reports/adjustment-reasons", { ...asked, cursor });
    if (!wanted()) return;
    shown(report);
    cursor = report.next_cursor;
  } while (cursor !== null);
}

function drawn(report, remembered) {
  const rows = report.data
    .map((each) => ({ ...each, label: reasonName(each.reason_code), out: each.units_out - each.reversed_out, in: each.units_in - each.reversed_in }))
    .sort((one, other) => other.out - one.out || other.in - one.in);
  if (rows.length === 0) return h("p", { class: "empty" }, "Nothing was changed in this period.");
  const link = (row) =>
    h("a", { href: `#moved?${new URLSearchParams({ ...remembered, reason: row.reason_code ?? "" })}` }, text(row.label));
  const columns = [
    { title: "Reason", kind: "lead", cell: link },
    { title: "Changes", kind: "number", cell: (row) => quantity(row.adjustments) },
    { title: "Units in", kind: "number", cell: (row) => quantity(row.units_in) },
    { title: "Units out", kind: "number", cell: (row) => quantity(row.units_out) },
    { title: "In, reversed", kind: "number", cell: (row) => quantity(row.reversed_in) },
    { title: "Out, reversed", kind: "number", cell: (row) => quantity(row.reversed_out) },
    { title: "Net", kind: "number amount", cell: (row) => h("span", { class: row.in < row.out ? "negative" : null }, signed(row.in - row.out)) },
  ];
  const state = report.complete ? `${counted(report.rows, "change")}.` : `${counted(report.rows, "change")} so far …`;
  return [
    h("p", {}, state, " Bars show units lost and found, without what was reversed; most losses come first. Choose a reason to see what moved for it."),
    bars(rows.map((row) => ({ label: row.label, out: Math.max(0, row.out), in: Math.max(0, row.in) }))),
    table("Units by reason", columns, rows, ""),
  ];
}
