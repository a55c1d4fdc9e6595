// The business's locations and variants, read once in a session of the page.

import { get, pages } from "./api.js";

let locations = null;
let reading = null;
let readAt = 0;
let reasons = null;
const variants = new Map();
const order = new Intl.Collator(undefined, { numeric: true });

/** Compare two texts as people sort them: `SIZE 9` comes before `SIZE 10`. */
export const compare = (one, other) => order.compare(one ?? "", other ?? "");

/** The active locations, the default one first, then by name: `{location_id, name, default}`. */
export async function activeLocations() {
  if (locations === null) {
    const found = await all("locations");
    locations = found.sort((one, other) => other.default - one.default || compare(one.name, other.name));
  }
  return locations.filter((each) => each.active);
}

async function all(path) {
  const found = [];
  for await (const page of pages(path)) found.push(...page);
  return found;
}

/** Read the names of reason codes; without them their codes are shown. */
export async function readReasons() {
  reasons ??= await all("reasons").catch(() => null);
}

/** The name of a reason code. */
export const reasonName = (code) =>
  code === null ? "No reason code" : (reasons?.find((each) => each.reason_code === code)?.name ?? code);

/** The name of a location, or its id where it has none. */
export const locationName = (id) => locations?.find((each) => each.location_id === id)?.name ?? id;

/** Read the variants, which search needs, unless they were read a while ago; more calls wait for the first one. */
export function readVariants({ since_ms = Infinity } = {}) {
  if (reading === null || Date.now() - readAt > since_ms) {
    readAt = Date.now();
    reading = readAll().catch((error) => {
      reading = null;
      throw error;
    });
  }
  return reading;
}

async function readAll() {
  for await (const page of pages("variants")) for (const each of page) variants.set(each.variant_id, each);
}

/** A variant by its id, as far as it was read. */
export const variant = (id) => variants.get(id);

/** Read one variant by its SKU: null where there is none. */
export async function variantOfSku(sku) {
  const { data } = await get("variants", { sku });
  const found = data.find((each) => each.active) ?? null;
  if (found) variants.set(found.variant_id, found);
  return found;
}

/** The first active variants whose SKU or name contains a text, however it is written in capitals and accents. */
export function search(wanted, limit) {
  const folded = fold(wanted);
  const found = [];
  for (const each of variants.values()) {
    if (each.active && (fold(each.sku ?? "").includes(folded) || fold(each.name ?? "").includes(folded))) {
      found.push(each);
      if (found.length === limit) break;
    }
  }
  return found;
}

// Capitals first: they make one text of `ß` and `ss`.
const fold = (value) => value.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase();

// Another business may be looked at.
addEventListener("signed-out", () => {
  locations = null;
  reading = null;
  reasons = null;
  variants.clear();
});
