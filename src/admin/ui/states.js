// What a route may be in: a word, a shape and a colour, so that none of them is needed to read the others.

import { h, svg } from "./dom.js";

// In the order of their numbers in the API.
export const STATES = ["healthy", "degraded", "open", "probing", "recovering", "key_held", "unsupported"];

const WORDS = {
  healthy: "healthy",
  degraded: "degraded",
  open: "set aside",
  probing: "probing",
  recovering: "recovering",
  key_held: "key held",
  unsupported: "unsupported",
  unknown: "not known",
};

export const MEANING = {
  healthy: "used as your weights say",
  degraded: "used, but clearly slower than it used to be",
  open: "set aside until probes succeed",
  probing: "set aside; probes are being sent, one at a time",
  recovering: "coming back with a part of its weight",
  key_held: "set aside because its key was rejected",
  unsupported: "set aside because it cannot serve this model",
};

const SHAPES = {
  healthy: "M6 1.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 1 1 0-9.6z",
  degraded: "M6 1l5.4 9.8H.6z",
  open: "M1.2 1.2h9.6v9.6H1.2z",
  probing: "M6 .4L11.6 6L6 11.6L.4 6z",
  recovering: "M6 1.2a4.8 4.8 0 0 1 0 9.6z M6 1.2a4.8 4.8 0 0 0 0 9.6v-1a3.8 3.8 0 0 1 0-7.6z",
  key_held: "M3.2 1h5.6L11.4 6L8.8 11H3.2L.6 6z",
  unsupported: "M2.6 1L6 4.4L9.4 1L11 2.6L7.6 6L11 9.4L9.4 11L6 7.6L2.6 11L1 9.4L4.4 6L1 2.6z",
};

export const word = (state) => WORDS[state] ?? String(state);

export const known = (state) => (Object.hasOwn(SHAPES, state) ? state : "unknown");

export function shape(state) {
  return svg("svg", { viewBox: "0 0 12 12", width: 11, height: 11, "aria-hidden": "true", class: `s-${known(state)}` }, svg("path", { d: SHAPES[known(state)] ?? SHAPES.healthy }));
}

export function badge(state) {
  return h("span", { class: "badge", title: MEANING[state] ?? null }, shape(state), word(state));
}

// How good it is to be in, for sorting: worst first.
export const rank = (state) => ["open", "key_held", "unsupported", "probing", "degraded", "recovering", "healthy"].indexOf(state);
