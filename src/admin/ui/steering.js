// What an operator may do with a route: each asks first, takes a reason, and says what came of it.

import { asked } from "./dialog.js";
import { h, named, refill, say } from "./dom.js";
import { seconds } from "./format.js";
import { send } from "./api.js";
import { table } from "./table.js";
import { count, percent, words } from "./format.js";

const REASON = { name: "reason", label: "Reason, for the audit log", placeholder: "optional", maxlength: 200 };
const TIME = { name: "seconds", label: "For how many seconds; empty is until it is undone", type: "number", min: 1, max: 604800 };

// Buttons for what makes sense in the route's state; `done` is called after each.
export function actions(name, route, done) {
  const path = `/api/routes/${encodeURIComponent(name)}`;
  const outcome = h("p", { class: "log small muted", role: "status", "aria-live": "polite" });
  const button = (label, ask, danger) => h("button", { class: `btn ${danger ? "danger" : ""}`, type: "button", on: { click: () => act(ask) } }, label);

  async function act(ask) {
    const given = await asked({
      ...ask,
      act: (values) => send(ask.method, path + ask.path, ask.method === "DELETE" ? undefined : filled(values)),
    });
    if (!given) return;
    say(outcome, `Done: ${ask.past}.`);
    done();
  }

  const drain = { title: `Drain ${name}?`, text: "It gets no new requests; those in flight end.", fields: [{ ...TIME }, REASON], action: "Drain", danger: true, method: "POST", path: "/drain", past: "drained" };
  const undrain = { title: `Use ${name} again?`, text: "It comes back as its state and weight say.", action: "Undrain", method: "DELETE", path: "/drain", past: "in use again" };
  const pin = { title: `Pin ${name}?`, text: "All traffic of its models goes there as long as it can take it.", fields: [{ ...TIME, value: "600", label: "For how many seconds", required: true }, REASON], action: "Pin", danger: true, method: "POST", path: "/pin", past: "pinned" };
  const unpin = { title: `Unpin ${name}?`, text: "Traffic is spread by weights and scores again.", action: "Unpin", method: "DELETE", path: "/pin", past: "no longer pinned" };
  const release = { title: `Release the hold of ${name}?`, text: "It is tried again at once, though its provider has asked to wait.", fields: [REASON], action: "Release", method: "POST", path: "/release", past: "released" };

  const row = h("div", { class: "row" });
  function draw(now) {
    const wanted = `${now?.steered ?? ""}/${Boolean(now?.hold)}`;
    if (row.dataset.of === wanted) return;
    row.dataset.of = wanted;
    refill(
      row,
      now?.steered === "drained" ? button("Undrain", undrain) : button("Drain…", drain, true),
      now?.steered === "pinned" ? button("Unpin", unpin) : button("Pin for a time…", pin),
      now?.hold ? button(`Release hold (${seconds(now.hold.seconds_left)})…`, release) : null,
    );
  }
  draw(route);
  return { node: h("div", { class: "row" }, row, outcome), draw };
}

// The ceilings that are known, with their source, and a way to set or forget one.
export function ceilings(name, list, done) {
  const path = (dimension) => `/api/routes/${encodeURIComponent(name)}/ceilings/${encodeURIComponent(dimension)}`;
  const set = async (ceiling) => {
    const given = await asked({
      title: `Override the ceiling on ${ceiling.dimension}?`,
      text: `It is ${count(ceiling.limit)} now, ${words(ceiling.source)}.`,
      fields: [{ name: "limit", label: "Limit", type: "number", min: 1, required: true }, REASON],
      action: "Override",
      act: (values) => send("PUT", path(ceiling.dimension), { ...filled(values), limit: Number(values.limit) }),
    });
    if (given) done();
  };
  const forget = async (ceiling) => {
    const given = await asked({ title: `Forget the ceiling on ${ceiling.dimension}?`, text: "What the provider tells, or what is learned, holds again.", action: "Forget", danger: true, act: () => send("DELETE", path(ceiling.dimension)) });
    if (given) done();
  };
  const rows = table({
    caption: `Ceilings of ${name}`,
    nothing: "No ceiling is known: nothing was told or learned.",
    key: (row) => row.dimension,
    columns: [
      { key: "dimension", label: "Ceiling", value: (row) => row.dimension, cell: (row) => named(words(row.dimension)) },
      { key: "source", label: "Known from", cell: (row) => words(row.source) },
      { key: "limit", label: "Limit", number: true, value: (row) => row.limit, cell: (row) => count(row.limit) },
      { key: "headroom", label: "Headroom", number: true, value: (row) => row.headroom, cell: (row) => count(row.headroom) },
      { key: "utilisation", label: "In use", number: true, value: (row) => row.utilisation, cell: (row) => percent(row.utilisation) },
      {
        key: "act",
        label: "",
        wide: true,
        cell: (row) => h("span", { class: "row" }, h("button", { class: "btn", type: "button", on: { click: () => set(row) } }, "Override…"), row.source === "operator" ? h("button", { class: "btn danger", type: "button", on: { click: () => forget(row) } }, "Forget") : null),
      },
    ],
  });
  rows.set(list);
  return rows.node;
}

function filled(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "");
  return Object.fromEntries(given.map(([name, value]) => [name, name === "seconds" || name === "limit" ? Number(value) : value]));
}
