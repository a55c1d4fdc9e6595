// Units lost and found by reason, in a period.

import { get } from "./api.js";
import { activeLocations } from "./catalog.js";
import { bars } from "./charts.js";
import { counted, field, h, problem, quantity, select, show, signed, table, text } from "./dom.js";

export const title = "Reasons";
const DAY_MS = 86_400_000;

export async function render(asked) {
  const locations = await activeLocations();
  const place = select([["", "All locations"], ...locations.map((each) => [each.location_id, each.name])], asked.get("location"));
  const from = h("input", { type: "date", required: true, value: asked.get("from") ?? day(new Date(Date.now() - 30 * DAY_MS)) });
  const to = h("input", { type: "date", required: true, value: asked.get("to") ?? day(new Date()) });
  const results = h("div", { "aria-live": "polite" });
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    history.replaceState(null, "", `#reasons?${new URLSearchParams({ location: place.value, from: from.value, to: to.value })}`);
    try {
      const period = { from: startOf(from.value, 0), to: startOf(to.value, 1), location_id: place.value };
      await summed(period, (report) => mine === turn && show(results, report), () => mine === turn);
    } catch (error) {
      if (mine === turn) show(results, problem(error));
    }
  };
  for (const each of [place, from, to]) each.addEventListener("change", update);
  update();
  return [
    h("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, field("Location", place), field("From", from), field("To (included)", to)),
    results,
  ];
}

/** A day as the browser's own calendar has it. */
const day = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

/** The instant when a day begins here, some days later. */
function startOf(value, days) {
  const [year, month, date] = value.split("-").map(Number);
  return new Date(year, month - 1, date + days).toISOString();
}

/** A report looks at some rows at a time: go on until all are counted, and show the sums so far. */
async function summed(period, shown, wanted) {
  let cursor = null;
  do {
    const report = await get("reports/adjustment-reasons", { ...period, cursor });
    if (!wanted()) return;
    shown(drawn(report));
    cursor = report.next_cursor;
  } while (cursor !== null);
}

function drawn(report) {
  const rows = report.data
    .map((each) => ({ ...each, label: each.reason_code ?? "no reason code", out: each.units_out - each.reversed_out, in: each.units_in - each.reversed_in }))
    .sort((one, other) => Math.max(other.out, other.in) - Math.max(one.out, one.in));
  const columns = [
    { title: "Reason", kind: "lead", cell: (row) => text(row.label) },
    { title: "Changes", kind: "number", cell: (row) => quantity(row.adjustments) },
    { title: "Units in", kind: "number", cell: (row) => quantity(row.units_in) },
    { title: "Units out", kind: "number", cell: (row) => quantity(row.units_out) },
    { title: "In, reversed", kind: "number", cell: (row) => quantity(row.reversed_in) },
    { title: "Out, reversed", kind: "number", cell: (row) => quantity(row.reversed_out) },
    { title: "Net", kind: "number amount", cell: (row) => signed(row.in - row.out) },
  ];
  const state = report.complete ? `${counted(report.rows, "row")} counted.` : `${counted(report.rows, "row")} counted so far …`;
  return h(
    "div",
    {},
    h("p", {}, state, " Bars show what is left after reversals."),
    rows.length === 0 ? null : bars(rows.map((row) => ({ label: row.label, out: Math.max(0, row.out), in: Math.max(0, row.in) }))),
    table("Units by reason", columns, rows, "Nothing was adjusted in this period."),
  );
}
