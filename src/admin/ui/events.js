// What has changed and what was learned, newest first, each in a sentence with what it rests on.

import { h, named } from "./dom.js";
import { ago, words } from "./format.js";
import { empty, time } from "./say.js";

const TONES = { state: "info", ceiling: "", hold: "warn", weights: "warn", config: "", operator: "good" };

export function eventList(events, most) {
  if (events.length === 0) return empty("Nothing has happened yet.", "State changes, learned ceilings, holds and operator actions appear here.");
  return h("ol", { class: "list" }, events.slice(0, most).map(item));
}

function item(event) {
  return h(
    "li",
    {},
    time(event.at_us),
    h("span", { class: "what" }, named(event.what), " ", h("span", { class: "note" }, ago(event.at_us)), evidence(event.evidence)),
    h("span", { class: `pill ${TONES[event.kind] ?? ""}` }, words(event.kind)),
  );
}

function evidence(found) {
  const told = evidenceText(found);
  return told ? h("details", { class: "note" }, h("summary", {}, "what it rests on"), named(told)) : null;
}

// What an event rests on in one line; empty where it says nothing.
function evidenceText(found) {
  const told = Object.entries(found ?? {}).filter(([, value]) => value !== null);
  return told.map(([name, value]) => `${words(name)} ${name.endsWith("_us") ? new Date(value / 1_000).toLocaleTimeString() : plain(value)}`).join(" · ");
}

function plain(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(3)));
  if (Array.isArray(value)) return value.map(plain).join(", ");
  return typeof value === "object" && value !== null ? Object.entries(value).map(([name, part]) => `${words(name)} ${plain(part)}`).join(", ") : String(value);
}
