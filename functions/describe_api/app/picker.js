// Choosing a variant by SKU or name.

import { readVariants, search, variantOfSku } from "./catalog.js";
import { announce, h, problem, show, text } from "./dom.js";

const SHOWN = 8;

/**
 * A field to search variants with, and the matches below it. `chosen(variant)` is called with each choice.
 *
 * A SKU that is typed whole, or read by a scanner that ends it with Enter, is chosen at once.
 */
export function picker(label, chosen) {
  const input = h("input", { type: "search", autocomplete: "off", spellcheck: "false", placeholder: "SKU or name" });
  const matches = h("ul", { class: "matches" });
  const pick = (variant) => {
    input.value = "";
    show(matches);
    chosen(variant);
  };
  const list = () => {
    const wanted = input.value.trim();
    const found = wanted === "" ? [] : search(wanted, SHOWN);
    show(matches, found.map((each) => h("li", {}, h("button", { type: "button", class: "match", onclick: () => pick(each) }, text(each.sku), " ", h("span", {}, text(each.name, ""))))));
    if (wanted !== "") announce(found.length === 0 ? "No match." : `${found.length} matches.`);
  };
  const enter = async (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    const wanted = input.value.trim();
    if (wanted === "") return;
    try {
      const found = (await variantOfSku(wanted)) ?? search(wanted, 1)[0];
      if (found) pick(found);
      else show(matches, h("li", {}, problem({ message: `There is no variant “${wanted}”.` })));
    } catch (error) {
      show(matches, h("li", {}, problem(error)));
    }
  };
  input.addEventListener("input", list);
  input.addEventListener("keydown", enter);
  readVariants().then(list, (error) => show(matches, h("li", {}, problem(error))));
  return h("div", { class: "picker" }, h("label", {}, label, input), matches);
}
