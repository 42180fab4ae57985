// Asks the API, with the operator's token where one is needed. The token lives as long as the tab.

const KEPT_AS = "trimtab-token";

let whenUnknown = () => {};

// What to do when the gateway does not know us.
export function onUnknown(act) {
  whenUnknown = act;
}

export function keepToken(token) {
  if (token) sessionStorage.setItem(KEPT_AS, token);
  else sessionStorage.removeItem(KEPT_AS);
}

export const hasToken = () => sessionStorage.getItem(KEPT_AS) !== null;

// Why something was not answered.
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  // The gateway is without a ledger, or is older than the page.
  get isAbsent() {
    return this.status === 404 || (this.status === 503 && this.message.startsWith("no "));
  }
}

export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(KEPT_AS);
  if (token) headers.set("authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable", "The gateway cannot be reached.");
  }
  if (response.ok) return response;
  if (response.status === 401) whenUnknown();
  let told = {};
  try {
    told = (await response.json()).error ?? {};
  } catch {
    // An answer without a reason is told by its status.
  }
  throw new Refused(response.status, told.code ?? "error", told.message ?? `The gateway answered ${response.status}.`);
}

export async function get(path, signal) {
  return (await ask(path, { signal })).json();
}

export async function send(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "content-type": "application/json" };
  }
  const response = await ask(path, options);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

// A query out of what is set.
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(set).toString();
  return text ? `?${text}` : "";
}
