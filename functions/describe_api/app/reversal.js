// Taking changes back: nothing is reversed before it was confirmed, and nothing twice.

import { post } from "./api.js";
import { announce, field, h, problem, show } from "./dom.js";
import { sent } from "./keys.js";

/** Reverse one change, or with `group` all that were made with it. */
export function reverse(id, reason, { group = false } = {}) {
  const path = group ? `adjustments/groups/${id}/reversal` : `adjustments/${id}/reversal`;
  return sent(`reversal.${id}`, { reason }, (body, key) => post(path, body, key));
}

/**
 * Ask once more. `act(reason, says)` does it, and may say meanwhile how far it is; the dialog closes when that is done,
 * and stays with the error message where it fails.
 */
export function confirmed({ title, about, action, act }) {
  const reason = h("input", { required: true, maxlength: "500", value: "Booked by mistake" });
  const says = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "submit" }, action);
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await act(reason.value, says);
      dialog.close();
      announce("Reversed.");
    } catch (error) {
      button.disabled = false;
      show(says, problem(error));
    }
  };
  const dialog = h(
    "dialog",
    { "aria-labelledby": "reversal-title", onclose: () => dialog.remove() },
    h(
      "form",
      { onsubmit: submit },
      h("h2", { id: "reversal-title" }, title),
      h("p", {}, about),
      h("p", {}, "Nothing is erased: a change with the opposite sign is added to the ledger."),
      field("Reason", reason),
      says,
      h("div", { class: "actions" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"), button),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  reason.select();
}
