// Requests that are kept, with their keys, until their outcome is known: a reload or a second click repeats the request
// that is under way, and never makes another one of it.

const PREFIX = "inventory.request.";

/** The kept request of a form: `{key, body}`, or null. */
export const kept = (form) => JSON.parse(sessionStorage.getItem(PREFIX + form) ?? "null");

/** Keep a request under a new key, unless one is kept: then that is the one to send. */
export function keep(form, body) {
  const known = kept(form);
  if (known !== null) return known;
  const request = { key: crypto.randomUUID(), body };
  sessionStorage.setItem(PREFIX + form, JSON.stringify(request));
  return request;
}

/** The outcome is known. */
export const settle = (form) => sessionStorage.removeItem(PREFIX + form);

/**
 * Send a form's request, again where it is kept from before. What is refused for good is settled too; where the outcome
 * is unknown the request stays kept, and the error is thrown. A refusal of the token says nothing of earlier attempts.
 */
export async function sent(form, body, send) {
  const again = kept(form) !== null;
  const request = keep(form, body);
  try {
    const answer = await send(request.body, request.key);
    settle(form);
    return answer;
  } catch (error) {
    if (!error.unsettled && !(error.early && (again || error.repeated))) settle(form);
    throw error;
  }
}
