// One request's life: where did its time go, why did it go where it went, and what was said?

import { decisionView } from "../decision.js";
import { ending } from "./requests.js";
import { get } from "../api.js";
import { count, dollars, instant, ms, percent, us, words } from "../format.js";
import { h, named } from "../dom.js";
import { empty, loading, panel, renew, time } from "../say.js";
import { table } from "../table.js";
import { terms, termLegend } from "../figure.js";

export function request({ part: id }) {
  const box = h("div", { class: "stack" }, loading());
  const mine = new AbortController();
  renew(box, () => get(`/api/requests/${encodeURIComponent(id)}`, mine.signal), (found) => lifeOf(found));
  return {
    title: "Request",
    node: h("div", { class: "stack" }, h("p", { class: "crumbs" }, h("a", { href: "#/requests" }, "Requests"), " / ", named(id)), box),
    stop: () => mine.abort(),
  };
}

function lifeOf(found) {
  return [
    panel(null, null, facts(found)),
    panel("Its life", `${ms(found.took_ms)} from its head to the last byte`, waterfall(found)),
    panel("Attempts", null, attempts(found.legs ?? [])),
    decisions(found),
    content(found.content),
  ];
}

function facts(row) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  return h(
    "dl",
    { class: "facts" },
    fact("Ending", [ending(row), " ", row.error ? named(words(row.error)) : null]),
    fact("Status", row.status ? String(row.status) : "left before"),
    fact("When", time(row.at_us, instant)),
    fact("Took", ms(row.took_ms)),
    fact("First token", ms(row.ttft_ms)),
    fact("Gateway's own time", us(row.overhead_us)),
    fact("Model", named(row.model ?? row.asked)),
    fact("Workflow", named(row.workflow ?? "–")),
    fact("Key, team, customer", named([row.key, row.team, row.customer].filter(Boolean).join(", ") || "–")),
    fact("Route", row.route ? h("a", { href: `#/routes/${encodeURIComponent(row.route)}` }, named(row.route)) : "–"),
    fact("Tokens in, cached, out", `${count(row.tokens_in)}, ${count(row.tokens_cached)}, ${count(row.tokens_out)}`),
    fact("Cost", dollars(row.cost)),
    fact("Saved", dollars(row.saved)),
    fact("Cache", words(row.cache || "not asked")),
    fact("Asked as", words([row.surface, row.endpoint, row.stream ? "stream" : null].filter(Boolean).join(", "))),
    fact("Session", named(row.session ?? "–")),
    fact("Trace", h("span", { class: "mono" }, named(row.trace_id ?? "–"))),
    fact("Id", h("span", { class: "mono" }, named(row.id))),
  );
}

const PHASES = [
  ["connect", "connecting and sending", 8],
  ["wait", "waiting for the first token", 2],
  ["answer", "answering", 3],
];

function waterfall(row) {
  const whole = Math.max(row.took_ms, 0.001, ...(row.legs ?? []).map((leg) => leg.began_ms + leg.took_ms));
  const piece = (from, to, look, label) => h("i", { class: look, title: `${label}: ${ms(to - from)}`, style: { left: `${(100 * from) / whole}%`, width: `${(100 * Math.max(0, to - from)) / whole}%` } });
  const lines = [];
  const own = row.overhead_us / 1_000;
  lines.push(h("div", { class: "leg" }, h("span", {}, "Gateway itself"), h("div", { class: "track", role: "img", "aria-label": `The gateway's own time: ${us(row.overhead_us)}` }, piece(0, own, "k7", "own time")), h("span", { class: "num" }, us(row.overhead_us))));
  let ended = null;
  for (const leg of row.legs ?? []) {
    const end = leg.began_ms + leg.took_ms;
    const sent = leg.sent_ms === null || leg.sent_ms === undefined ? null : leg.began_ms + leg.sent_ms;
    const first = leg.ttft_ms === null || leg.ttft_ms === undefined ? null : leg.began_ms + leg.ttft_ms;
    const waited = first ?? end;
    const parts = [
      ended !== null && leg.began_ms > ended ? piece(ended, leg.began_ms, "wait", "back-off before it") : null,
      piece(leg.began_ms, sent ?? waited, "k8", "connecting and sending"),
      sent === null ? null : piece(sent, waited, "k2", first === null ? "waiting" : "waiting for the first token"),
      first === null ? null : piece(first, end, leg.outcome === "success" ? "k3" : "k5", "answering"),
    ];
    const text = `${leg.route}: ${words(leg.outcome)} after ${ms(leg.took_ms)}, begun after ${ms(leg.began_ms)}`;
    lines.push(h("div", { class: "leg" }, h("span", {}, named(leg.route), h("span", { class: "note", style: { display: "block" } }, `${words(leg.outcome)}${leg.status ? `, ${leg.status}` : ""}`)), h("div", { class: "track", role: "img", "aria-label": text }, parts), h("span", { class: "num" }, ms(leg.took_ms))));
    ended = end;
  }
  if (!row.legs?.length) lines.push(h("p", { class: "note" }, row.cache && row.cache !== "miss" ? "It was answered from the cache: nothing was sent to a provider." : "Nothing was sent to a provider."));
  const legend = h("ul", { class: "legend", style: { "margin-top": "10px" } }, PHASES.map(([, label, colour]) => h("li", {}, h("i", { class: `key area k${colour}` }), label)), h("li", {}, h("i", { class: "key area k7" }), "gateway"), h("li", {}, h("i", { class: "key dash k8" }), "back-off"));
  return h("div", {}, h("div", { class: "fall" }, lines), h("div", { class: "band-times" }, h("span", {}, "0"), h("span", {}, ms(whole))), legend);
}

function attempts(legs) {
  const scale = Math.max(1, ...legs.map((leg) => sum(leg.terms_ms)));
  const rows = table({
    caption: "Attempts",
    nothing: "Nothing was sent to a provider.",
    key: (row) => row.at,
    columns: [
      { key: "at", label: "#", cell: (row) => String(row.at + 1) },
      { key: "route", label: "Route", wide: true, cell: (row) => [named(row.route), h("span", { class: "sub" }, named(row.upstream_model))] },
      { key: "mode", label: "Chosen", cell: (row) => words(row.mode) },
      { key: "p", label: "Chance", number: true, cell: (row) => percent(row.propensity) },
      { key: "terms", label: "Terms of its cost", wide: true, cell: (row) => terms(row.terms_ms, scale) },
      { key: "outcome", label: "Outcome", cell: (row) => h("span", { class: `pill ${row.outcome === "success" ? "good" : "bad"}` }, words(row.outcome)) },
      { key: "first", label: "First token", number: true, cell: (row) => ms(row.ttft_ms) },
      { key: "took", label: "Took", number: true, cell: (row) => ms(row.took_ms) },
      { key: "tokens", label: "Tokens", number: true, cell: (row) => `${count(row.tokens_in)} → ${count(row.tokens_out)}` },
      { key: "cost", label: "Cost", number: true, cell: (row) => dollars(row.cost) },
    ],
  });
  rows.set(legs.map((leg, at) => ({ ...leg, at })));
  return h("div", {}, rows.node, h("div", { style: { "margin-top": "8px" } }, termLegend()));
}

const sum = (costs) => Object.values(costs ?? {}).reduce((all, one) => all + Math.max(0, one ?? 0), 0);

function decisions(found) {
  const list = found.decisions ?? [];
  if (!list.length) return panel("Why it went there", null, empty("This decision was not kept.", "Only a drawn share of decisions is; the terms of each attempt are above. Send x-trimtab-explain to have one kept."));
  return list.map((one, at) => panel(list.length > 1 ? `Why it went there: choice ${at + 1}` : "Why it went there", null, decisionView(one)));
}

function content(kept) {
  if (!kept) return panel("What was said", null, empty("Content is not kept.", "It is kept only where [requests] and the key allow it."));
  return panel("What was said", kept.cut ? "cut where it was too long" : null, h("div", { class: "grid" }, h("div", { class: "w6" }, h("h3", {}, "Request"), h("pre", { class: "text" }, named(pretty(kept.request)))), h("div", { class: "w6" }, h("h3", {}, "Answer"), h("pre", { class: "text" }, named(pretty(kept.response))))));
}

function pretty(text) {
  if (text === null || text === undefined) return "–";
  try {
    return typeof text === "string" ? JSON.stringify(JSON.parse(text), null, 2) : JSON.stringify(text, null, 2);
  } catch {
    return text;
  }
}
