// The hash chain of a stock item, computed here: whoever sees the tick need not take the service's word for it.

const GENESIS = "0".repeat(64);
const FORM_1 = [
  "business_id", "created_at", "created_by", "delta", "expected_quantity", "form", "id", "location_defaulted",
  "location_id", "previous_hash", "quantity_after", "reason", "reason_code", "reference", "reverses", "sequence",
  "variant_id",
];
const FORM_2 = [
  ...FORM_1, "counted_at", "counted_quantity", "group_id", "group_line", "group_size", "kind", "occurred_at", "sku",
].sort();
const MEMBERS = { 1: FORM_1, 2: FORM_2 };

/**
 * Check all rows of one stock item, oldest first: each is a row's canonical form and its hash, as the list has it in the
 * member `chain`. The answer is what does not fit, or null.
 */
export async function problemIn(rows) {
  let end = { sequence: 0, quantity_after: 0, hash: GENESIS };
  for (const row of rows) {
    const problem = await problemOf(row, end);
    if (problem !== null) return `Row ${end.sequence + 1}: ${problem}`;
    end = row;
  }
  return null;
}

async function problemOf(row, end) {
  if (row.sequence !== end.sequence + 1) return "a row is missing or out of order.";
  if (row.quantity_after !== end.quantity_after + row.delta) return "the quantity does not follow from the row before.";
  if (row.previous_hash !== end.hash) return "it does not follow the row before.";
  if (!(row.form in MEMBERS)) return "its form is unknown to this page.";
  if ((await sha256(canonical(row))) !== row.hash) return "it was altered: its hash is another one.";
  return null;
}

/** The canonical form: JSON, ASCII only, keys sorted, no white space. */
export function canonical(row) {
  return `{${MEMBERS[row.form].map((name) => `"${name}":${ascii(row[name])}`).join(",")}}`;
}

const ascii = (value) =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
