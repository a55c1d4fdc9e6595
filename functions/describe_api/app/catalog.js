// The business's locations and variants, read once in a session of the page.

import { get, pages } from "./api.js";

let locations = null;
let reading = null;
const variants = new Map();

/** The active locations: `{location_id, name, default}`. */
export async function activeLocations() {
  if (locations === null) {
    const found = [];
    for await (const page of pages("locations")) found.push(...page);
    locations = found;
  }
  return locations.filter((each) => each.active);
}

/** The name of a location, or its id where it has none. */
export const locationName = (id) => locations?.find((each) => each.location_id === id)?.name ?? id;

/** Read the variants, which search needs; more calls wait for the first one. */
export function readVariants() {
  reading ??= readAll().catch((error) => {
    reading = null;
    throw error;
  });
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

/** Forget everything: another business may be looked at. */
export function forget() {
  locations = null;
  reading = null;
  variants.clear();
}
