// Elements without HTML text: whatever a name or a reason contains, it stays text.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Properties that begin with `on` are listeners, `data`/`aria-…`/others are attributes; null and false
 * leave an attribute out. Children are elements, texts, or lists of them.
 */
export function h(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** Make an SVG element. */
export function svg(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined));
  return element;
}

/** A text of somebody else's: its own direction of writing does not disturb what stands around it. */
export function text(value, missing = "–") {
  return value === null || value === undefined || value === "" ? missing : h("bdi", {}, String(value));
}

/** A labelled field. The label stands above it. */
export function field(label, input, hint = null) {
  const id = (input.id ||= `f${(field.count = (field.count ?? 0) + 1)}`);
  const described = hint === null ? null : h("small", { id: `${id}-hint` }, hint);
  if (described) input.setAttribute("aria-describedby", described.id);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, described);
}

/** A choice: `options` are pairs of value and text. */
export function select(options, chosen, properties = {}) {
  const element = h("select", properties, options.map(([value, shown]) => h("option", { value }, shown)));
  element.value = chosen ?? "";
  if (element.selectedIndex === -1) element.selectedIndex = 0;
  return element;
}

/** Replace everything in an element. */
export function show(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((each) => each !== null && each !== undefined));
}

/**
 * A table. `columns` are `{title, kind?, cell(row)}`; the kinds are `number`, `long` for text that may break anywhere, and
 * `lead` and `amount`: below 600 px each row becomes a card, with these two in its first line.
 */
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  const classOf = (column) => column.kind ?? null;
  return h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: classOf(column) }, column.title)))),
    h(
      "tbody",
      {},
      rows.map((row) =>
        h(
          "tr",
          {},
          columns.map((column) => h("td", { "data-title": column.title, class: classOf(column) }, column.cell(row))),
        ),
      ),
    ),
  );
}

/** Say something to everybody, also to those who do not look at the screen. */
export function announce(message) {
  document.getElementById("status").textContent = message;
}

/** An error message beside what it is about. */
export function problem(error) {
  return h("p", { class: "problem", role: "alert" }, error.message ?? String(error));
}

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const number = new Intl.NumberFormat();

/** An instant of the API in the reader's own time zone; its title is the instant as the API wrote it. */
export function instant(value) {
  if (value === null || value === undefined) return "–";
  return h("time", { datetime: value, title: value }, dateTime.format(new Date(value)));
}

/** `1 row`, `2 rows`. */
export const counted = (value, noun) => `${number.format(value)} ${noun}${value === 1 ? "" : "s"}`;

export const quantity = (value) => number.format(value).replace("-", "−");
export const signed = (value) => (value > 0 ? `+${quantity(value)}` : quantity(value));
