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
  return told ? h("span", { class: "note", style: { display: "block" } }, named(told)) : null;
}

// What an event rests on in one line; empty where it says nothing.
export function evidenceText(found) {
  return Object.entries(found ?? {}).map(([name, value]) => `${words(name)} ${plain(value)}`).join(" · ");
}

function plain(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(3)));
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
