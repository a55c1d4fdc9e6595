// The API as this page uses it. Token and business live in the tab's session storage, and go nowhere but to this API.

const BASE = new URL("inventory/", document.baseURI);
const SESSION = "inventory.session";
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
}

let session = JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
let clockAhead_ms = 0;

export const signedIn = () => session !== null;
export const businessId = () => session.business;

export function signIn(token, business) {
  session = { token, business };
  sessionStorage.setItem(SESSION, JSON.stringify(session));
}

/** Forget the token, and all that this tab keeps of the business. */
export function signOut() {
  session = null;
  sessionStorage.clear();
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
      if (!(error instanceof ApiError) || !error.unsettled || attempt === REPEATS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

async function request(method, path, { query = {}, body, key }) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  const headers = { Authorization: `Bearer ${session.token}`, "x-business-id": session.business };
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
