// The API as this page uses it. Token and business live in the tab's session storage, and go nowhere but to this API.

const BASE = new URL("inventory/", document.baseURI);
const SESSION = "inventory.session";
const LAST = "inventory.business";
const TIMEOUT_MS = 35_000;
const REPEATS = 4;

/** What the API answered other than asked, or that it did not answer. `code` is the API's, or `network`. */
export class ApiError extends Error {
  constructor(status, code, message, detail = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }

  /** Whether the outcome is unknown, so that the same request must be sent again under the same key. */
  get unsettled() {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }

  /** Whether it was refused before anybody looked at its key: an earlier attempt may have been applied all the same. */
  get early() {
    return this.status === 401 || this.status === 403;
  }
}

let clockAhead_ms = 0;

const session = () => JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
export const signedIn = () => session() !== null;

/** The business of this tab, also while its token is no longer valid; or null. */
export const businessId = () => sessionStorage.getItem(LAST);

/** Keep token and business, if the API takes them. What was typed for the same business before is still there. */
export async function signIn(token, business) {
  await request("GET", "locations", { query: { limit: 1 }, as: { token, business } });
  if (businessId() !== business) sessionStorage.clear();
  sessionStorage.setItem(LAST, business);
  sessionStorage.setItem(SESSION, JSON.stringify({ token, business }));
}

/** Forget the token, and all that this tab keeps of the business. */
export function signOut() {
  sessionStorage.clear();
  dispatchEvent(new CustomEvent("signed-out", { detail: null }));
}

/** The token is no longer valid: forget it alone, for what was typed can be sent with another one. */
function expire() {
  sessionStorage.removeItem(SESSION);
  const message = "The token is not valid, or no longer. Sign in again: what was not sent yet is kept in this tab.";
  dispatchEvent(new CustomEvent("signed-out", { detail: message }));
}

/** The service's time as far as this browser knows it, as an ISO 8601 instant. */
export const serviceTime = () => new Date(Date.now() + clockAhead_ms).toISOString();

export const get = (path, query = {}) => repeated(() => request("GET", path, { query }));

/** Send a change under its key. It is repeated as long as its outcome is unknown, and never applied twice. */
export const post = (path, body, key) => repeated(() => request("POST", path, { body, key }));

/** All pages of a list, one after the other, each as soon as it is there. */
export async function* pages(path, query = {}) {
  let cursor = null;
  do {
    const page = await get(path, { ...query, cursor });
    yield page.data;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

async function repeated(send) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      error.repeated = attempt > 1;
      if (!error.unsettled || attempt === REPEATS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

async function request(method, path, { query = {}, body, key, as = session() }) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  const headers = { Authorization: `Bearer ${as?.token}`, "x-business-id": as?.business };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const sent = { method, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) sent.body = JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, sent);
  } catch {
    throw new ApiError(0, "network", "The service can't be reached.");
  }
  if (response.status === 401 && as?.token === session()?.token) expire();
  return answer(response);
}

async function answer(response) {
  const date = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds only: a clock that is right to that is better than the header.
  const ahead_ms = Number.isNaN(date) ? 0 : date - Date.now();
  clockAhead_ms = Math.abs(ahead_ms) < 2_000 ? 0 : ahead_ms;
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  const detail = content?.detail ?? null;
  throw new ApiError(response.status, codeOf(detail), messageOf(detail, response.status), detail);
}

const codeOf = (detail) => (Array.isArray(detail) ? "invalid" : (detail?.code ?? "unexpected"));

/** What an error's `detail` says to people; also of one line of a batch. */
export function messageOf(detail, status) {
  if (Array.isArray(detail)) return detail.map((each) => `${each.loc.slice(1).join(" ")}: ${each.msg}`).join("; ");
  return detail?.message ?? `The service answered with status ${status}.`;
}
