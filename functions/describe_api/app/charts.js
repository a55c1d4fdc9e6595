// Two plain charts: a step chart of a quantity, and bars to both sides of a line.

import { h, quantity, show, signed, svg } from "./dom.js";

const PHONE = matchMedia("(max-width: 600px)");
const WIDE = { width: 1080, height: 300, left: 64, mark: 6 };
const NARROW = { width: 360, height: 220, left: 44, mark: 6 };
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 34;

/**
 * The quantity on hand over time, as steps; each row is a mark with a title.
 *
 * `rows` are adjustments, oldest first. A click or Enter on a mark calls `chosen(row)`.
 */
export function steps(rows, chosen) {
  const drawing = h("div", {});
  const draw = () => show(drawing, drawn(rows, chosen, PHONE.matches ? NARROW : WIDE));
  draw();
  const redraw = () => (drawing.isConnected ? draw() : PHONE.removeEventListener("change", redraw));
  PHONE.addEventListener("change", redraw);
  return h(
    "figure",
    { class: "chart" },
    drawing,
    h("figcaption", {}, "Each mark is a change: point at it for its reason, or choose it to find it in the list."),
  );
}

function drawn(rows, chosen, { width, height, left, mark }) {
  const times = rows.map((row) => Date.parse(row.created_at));
  const before = rows[0].quantity_after - rows[0].delta;
  const levels = [before, ...rows.map((row) => row.quantity_after), 0];
  const x = scale(times[0], times.at(-1), left + 8, width - RIGHT - 8);
  const y = scale(Math.min(...levels), Math.max(...levels), height - BOTTOM, TOP);
  let path = `M${left},${y(before)}`;
  rows.forEach((row, place) => (path += `H${x(times[place])}V${y(row.quantity_after)}`));
  path += `H${width - RIGHT}`;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Quantity on hand over time, one mark for each change" },
    ticks(Math.min(...levels), Math.max(...levels)).map((value) => [
      svg("line", { x1: left, x2: width - RIGHT, y1: y(value), y2: y(value), class: value === 0 ? "zero" : "grid" }),
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, quantity(value)),
    ]),
    svg("path", { d: path, class: "steps", "aria-hidden": "true" }),
    rows.map((row, place) => marked(row, x(times[place]), y(row.quantity_after), mark, chosen)),
    dates(times[0], times.at(-1), left, width - RIGHT, height - 10),
  );
}

function marked(row, x, y, radius, chosen) {
  const when = new Date(row.created_at).toLocaleString();
  const label = `${when}: ${signed(row.delta)}, then ${quantity(row.quantity_after)}. ${row.correction_reason}`;
  const kind = row.kind === "count" ? "count" : row.delta < 0 ? "out" : "in";
  const listen = {
    onclick: () => chosen(row),
    onkeydown: (event) => event.key === "Enter" && chosen(row),
  };
  return svg(
    "circle",
    { cx: x, cy: y, r: radius, class: `mark ${kind}`, tabindex: 0, role: "button", "aria-label": label, ...listen },
    svg("title", {}, label),
  );
}

function dates(first, last, left, right, y) {
  const shown = (time) => new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
  const begin = svg("text", { x: left, y }, shown(first));
  return shown(first) === shown(last) ? [begin] : [begin, svg("text", { x: right, y, "text-anchor": "end" }, shown(last))];
}

/** Units lost to the left and found to the right of a line, for each reason: `{label, out, in}`. */
export function bars(rows) {
  const most = Math.max(1, ...rows.flatMap((row) => [row.in, row.out]));
  const bar = (value, kind) => {
    const length = (value / most) * 100;
    return svg(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { x: kind === "out" ? 100 - length : 0, y: 0, width: length, height: 10, class: kind }),
    );
  };
  return h(
    "figure",
    { class: "chart bars", role: "img", "aria-label": "Units lost and found by reason; the table below has the figures" },
    rows.map((row) =>
      h(
        "div",
        { class: "bar" },
        h("bdi", { class: "label" }, row.label),
        h("span", { class: "number" }, row.out ? `−${quantity(row.out)}` : ""),
        bar(row.out, "out"),
        bar(row.in, "in"),
        h("span", {}, row.in ? `+${quantity(row.in)}` : ""),
      ),
    ),
  );
}

/** A linear scale; where all values are one, it lies in the middle. */
function scale(least, most, from, to) {
  return (value) => (least === most ? (from + to) / 2 : from + ((value - least) / (most - least)) * (to - from));
}

/** Some round numbers from the least to the most. */
function ticks(least, most) {
  const rough = Math.max(1, (most - least) / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most; value += step) found.push(value);
  return found;
}
