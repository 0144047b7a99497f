// The service's own API, with the token of this tab.

const VERSION = "api-version=2023-10-31";
const KEY = "twins-token";

/** An answer that is not 2xx. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Takes a token from the fragment of the address, where no server and no log sees it, and clears it away. */
export function takeTokenFromAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  sessionStorage.setItem(KEY, found);
  history.replaceState(null, "", location.pathname);
}

export const token = () => sessionStorage.getItem(KEY);
export const keepToken = value => sessionStorage.setItem(KEY, value);
export const forgetToken = () => sessionStorage.removeItem(KEY);

async function call(path, { body, headers = {}, signal } = {}) {
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token()}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal,
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new Refused(response.status, answer?.error?.message || answer?.message || `the service answered ${response.status}`);
}

/** Rows of a query, page by page, until there are `most`; and whether there are more. */
export async function query(text, most, signal) {
  const rows = [];
  let body = { query: text }, charge = 0;
  for (;;) {
    const size = String(Math.min(1000, most - rows.length));
    const response = await call(`/query?${VERSION}`, { body, headers: { "max-items-per-page": size }, signal });
    const page = await response.json();
    rows.push(...page.value);
    charge += Number(response.headers.get("query-charge")) || 0;
    if (!page.continuationToken) return { rows, more: false, charge };
    if (rows.length >= most) return { rows, more: true, charge };
    body = { continuationToken: page.continuationToken };
  }
}

/** All models, with their definitions. */
export async function models(signal) {
  const all = [];
  let path = `/models?includeModelDefinition=true&${VERSION}`;
  while (path) {
    const page = await (await call(path, { signal })).json();
    all.push(...page.value);
    if (!page.nextLink) return all;
    const next = new URL(page.nextLink);
    path = next.pathname + next.search;
  }
  return all;
}

export const count = async (source, signal) => (await query(`SELECT COUNT() FROM ${source}`, 1, signal)).rows[0].COUNT;
