// Two plain charts: a step chart of a quantity, and bars to both sides of a line.

import { h, quantity, signed, svg } from "./dom.js";

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 64;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 34;

/**
 * The quantity on hand over time, as steps; each row is a mark with a title.
 *
 * `rows` are adjustments, oldest first. A click or Enter on a mark calls `chosen(row)`.
 */
export function steps(rows, chosen) {
  const times = rows.map((row) => Date.parse(row.created_at));
  const before = rows[0].quantity_after - rows[0].delta;
  const levels = [before, ...rows.map((row) => row.quantity_after), 0];
  const x = scale(times[0], times.at(-1), LEFT + 8, WIDTH - RIGHT - 8);
  const y = scale(Math.min(...levels), Math.max(...levels), HEIGHT - BOTTOM, TOP + 6);
  let path = `M${LEFT},${y(before)}`;
  rows.forEach((row, place) => (path += `H${x(times[place])}V${y(row.quantity_after)}`));
  path += `H${WIDTH - RIGHT}`;
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "Quantity on hand over time, one mark for each change" },
      ticks(Math.min(...levels), Math.max(...levels)).map((value) => [
        svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: value === 0 ? "zero" : "grid" }),
        svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, quantity(value)),
      ]),
      svg("path", { d: path, class: "steps", "aria-hidden": "true" }),
      rows.map((row, place) => mark(row, x(times[place]), y(row.quantity_after), chosen)),
      dates(times[0], times.at(-1)),
    ),
    h("figcaption", {}, "Each mark is a change: point at it for its reason, or choose it to find it in the list."),
  );
}

function mark(row, x, y, chosen) {
  const when = new Date(row.created_at).toLocaleString();
  const label = `${when}: ${signed(row.delta)}, then ${quantity(row.quantity_after)}. ${row.correction_reason}`;
  const kind = row.kind === "count" ? "count" : row.delta < 0 ? "out" : "in";
  const listen = {
    onclick: () => chosen(row),
    onkeydown: (event) => event.key === "Enter" && chosen(row),
  };
  return svg(
    "circle",
    { cx: x, cy: y, r: 5, class: `mark ${kind}`, tabindex: 0, role: "button", "aria-label": label, ...listen },
    svg("title", {}, label),
  );
}

function dates(first, last) {
  const shown = (time) => new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
  const y = HEIGHT - 10;
  const begin = svg("text", { x: LEFT, y }, shown(first));
  return first === last ? [begin] : [begin, svg("text", { x: WIDTH - RIGHT, y, "text-anchor": "end" }, shown(last))];
}

/** Units lost to the left and found to the right of a line, for each reason: `{label, out, in}`. */
export function bars(rows) {
  const most = Math.max(1, ...rows.flatMap((row) => [row.in, row.out]));
  const height = 46;
  const middle = WIDTH / 2;
  const length = (value) => (value / most) * (middle - 90);
  return h(
    "figure",
    { class: "chart" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${rows.length * height + 4}`, role: "img", "aria-label": "Units lost and found by reason; the table below has the figures" },
      rows.map((row, place) => {
        const y = place * height;
        return [
          svg("text", { x: middle, y: y + 14, "text-anchor": "middle", class: "label" }, row.label),
          svg("rect", { x: middle - length(row.out), y: y + 20, width: length(row.out), height: 18, class: "out" }),
          svg("rect", { x: middle, y: y + 20, width: length(row.in), height: 18, class: "in" }),
          row.out ? svg("text", { x: middle - length(row.out) - 6, y: y + 34, "text-anchor": "end" }, `−${quantity(row.out)}`) : null,
          row.in ? svg("text", { x: middle + length(row.in) + 6, y: y + 34 }, `+${quantity(row.in)}`) : null,
          svg("line", { x1: middle, x2: middle, y1: y + 18, y2: y + 40, class: "zero" }),
        ];
      }),
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
