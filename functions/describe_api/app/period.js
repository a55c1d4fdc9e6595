// The filters of what is summed: a period of whole days, in the reader's own calendar, and a location.

import { activeLocations } from "./catalog.js";
import { field, h, select } from "./dom.js";

const PERIODS = [
  ["month", "This month"],
  ["last-month", "Last month"],
  ["week", "Last 7 days"],
  ["days", "Last 30 days"],
  ["own", "From … to …"],
];

/**
 * The fields, and what they say: `asked()` for the API, `remembered()` for the page's address. `changed` is called after
 * each change.
 */
export async function period(given, changed) {
  const locations = await activeLocations();
  const place = select([["", "All locations"], ...locations.map((each) => [each.location_id, each.name])], given.get("location"));
  const [first, last] = daysOf("days");
  const from = h("input", { type: "date", required: true, value: given.get("from") ?? first });
  const to = h("input", { type: "date", required: true, value: given.get("to") ?? last });
  const named = PERIODS.find(([name]) => daysOf(name)?.join() === `${from.value},${to.value}`)?.[0];
  const which = select(PERIODS, named ?? "own");
  which.addEventListener("change", () => {
    const days = daysOf(which.value);
    if (days === null) return from.focus();
    [from.value, to.value] = days;
    changed();
  });
  for (const each of [from, to]) each.addEventListener("change", () => {
    which.value = "own";
    if (from.value !== "" && to.value !== "") changed();
  });
  place.addEventListener("change", changed);
  return {
    fields: [field("Period", which), field("From", from), field("To (included)", to), field("Location", place)],
    asked: () => ({ from: startOf(from.value, 0), to: startOf(to.value, 1), location_id: place.value }),
    remembered: () => ({ location: place.value, from: from.value, to: to.value }),
  };
}

/** The first and the last day of a period that has a name. */
function daysOf(name) {
  const now = new Date();
  const date = (month, day) => new Date(now.getFullYear(), now.getMonth() + month, day);
  const today = now.getDate();
  const days = { month: [date(0, 1), now], "last-month": [date(-1, 1), date(0, 0)], week: [date(0, today - 6), now], days: [date(0, today - 29), now] };
  return days[name]?.map(written) ?? null;
}

const written = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

/** The instant when a day begins here, some days later. */
function startOf(value, days) {
  const [year, month, date] = value.split("-").map(Number);
  return new Date(year, month - 1, date + days).toISOString();
}
