// What a page shows instead of figures: that they are on their way, that there are none, or why there can be none.

import { ago, clock, instant } from "./format.js";
import { h, refill, visible } from "./dom.js";
import { Refused } from "./api.js";

export const loading = (what = "Loading…") => h("div", { class: "tell", role: "status" }, what);

export function empty(what, more) {
  return h("div", { class: "tell" }, h("strong", {}, what), more ? h("span", {}, more) : null);
}

export const still = () => empty("This gateway gives no live figures.", "It is older than this page, or its stream is not offered.");

export function failed(error, retry) {
  if (error instanceof Refused && error.status === 401) return empty("Sign in to see this.");
  if (error instanceof Refused && error.status === 503 && error.message.startsWith("no ledger")) {
    return empty("Not available without a ledger.", "Add [governance] to the configuration file and start again: budgets, usage and tenants are kept there.");
  }
  if (error instanceof Refused && error.isAbsent) return empty("There is nothing of this here.", error.message);
  return h(
    "div",
    { class: "tell", role: "alert" },
    h("strong", {}, "This could not be read."),
    h("span", {}, error.message),
    retry ? h("button", { class: "btn", type: "button", on: { click: retry } }, "Try again") : null,
  );
}

// Shows what a promise gives, and in words what it does not.
export async function show(box, load, draw) {
  refill(box, loading());
  await renew(box, load, draw);
}

// The same without a word in between, where something is shown already.
export async function renew(box, load, draw) {
  try {
    const shown = draw(await load());
    if (box.firstChild !== shown || box.childNodes.length !== 1) refill(box, shown);
  } catch (error) {
    if (error.name === "AbortError") return;
    refill(box, failed(error, () => show(box, load, draw)));
  }
}

// An instant with how long ago it is.
export function time(atUs, form = clock) {
  if (atUs === null || atUs === undefined) return h("span", {}, "–");
  const iso = new Date(atUs / 1_000);
  return h("time", { datetime: Number.isNaN(iso.getTime()) ? null : iso.toISOString(), title: `${instant(atUs)}, ${ago(atUs)}` }, form(atUs));
}

export function panel(title, note, ...children) {
  const head = title ? h("header", {}, h("h2", {}, title), note ? h("span", { class: "note" }, note) : null) : null;
  return h("section", { class: "panel", "aria-label": title ? visible(title) : null }, head, ...children);
}
