// How does every route stand, and does the traffic follow the operator's weights?

import { bullet, spark, terms, termLegend } from "../figure.js";
import { ms, number, percent, perSecond, score, seconds, words } from "../format.js";
import { h, named, refill, say } from "../dom.js";
import { get } from "../api.js";
import { live } from "../live.js";
import { loading, panel, renew, still } from "../say.js";
import { badge, rank } from "../states.js";
import { table } from "../table.js";

const MODELS_MS = 15_000;

export function routes({ query }) {
  let text = query.get("q") ?? "";
  const sparks = new Map();
  const search = h("input", { type: "search", placeholder: "Filter by route, model, state…", "aria-label": "Filter routes", "data-search": true, value: text, on: { input: () => ((text = search.value), (resort = true), draw()) } });
  const counted = h("span", { class: "note" }, "– routes");
  const box = h("div", {}, loading("Waiting for the first figures…"));
  const models = h("div", {}, loading());
  const byModel = modelTable();
  const weightPanel = panel("Weights by model", "share of the last 15 minutes against your weights", models);
  weightPanel.hidden = true;

  const rows = table({
    caption: "Routes",
    nothing: "No route matches.",
    sort: { by: "rps", down: true },
    key: (row) => row.route,
    columns: [
      { key: "route", label: "Route", look: "name", still: true, value: (row) => row.route, cell: (row) => h("a", { href: `#/routes/${encodeURIComponent(row.route)}` }, named(row.route)) },
      { key: "state", label: "State", value: (row) => rank(row.state), cell: (row) => [badge(row.state), row.steered ? h("span", { class: "pill info" }, row.steered) : null, row.hold ? h("span", { class: "pill warn", title: words(row.hold.reason) }, `hold ${seconds(row.hold.seconds_left)}`) : null] },
      { key: "score", label: "Score", number: true, value: (row) => row.score, cell: (row) => score(row.score) },
      { key: "curve", label: "2 min", look: "roomy", cell: (row) => curve(row.route) },
      { key: "share", label: "Share | weight", wide: true, value: (row) => row.share, cell: (row) => h("span", { class: "beside" }, bullet(row.share, row.weight_share), h("span", { class: "num" }, percent(row.share))) },
      { key: "rps", label: "Rate", number: true, value: (row) => row.rps, cell: (row) => perSecond(row.rps) },
      { key: "inflight", label: "In flight", number: true, value: (row) => row.inflight, cell: (row) => number(row.inflight) },
      { key: "ttft", label: "First token", number: true, value: (row) => row.ttft_p50_ms, cell: (row) => ms(row.ttft_p50_ms) },
      { key: "errors", label: "Errors", number: true, value: (row) => row.error_rate, cell: (row) => h("span", { class: row.error_rate > 0.05 ? "pill bad" : "" }, percent(row.error_rate)) },
      { key: "utilisation", label: "In use", number: true, value: (row) => row.utilisation, cell: (row) => percent(row.utilisation) },
      { key: "terms", label: "Expected cost", wide: true, value: (row) => total(row), cell: (row) => terms(row.terms_ms, scale) },
    ],
  });
  let scale = 1;
  let resort = true;

  function curve(name) {
    let found = sparks.get(name);
    if (!found) {
      found = spark();
      found.node.setAttribute("width", "56");
      found.node.setAttribute("height", "22");
      sparks.set(name, found);
    }
    found.set(live.scores.get(name) ?? [], 1);
    return found.node;
  }

  function draw() {
    if (!live.tick && live.absent) refill(box, still());
    if (!live.tick) return;
    const all = live.tick.routes;
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((row) => {
      const about = [row.route, row.provider, row.model, row.key, row.region, row.state, row.steered, ...(row.models ?? [])].join(" ").toLowerCase();
      return wanted.every((one) => about.includes(one));
    });
    scale = Math.max(...all.map(total), 1);
    say(counted, found.length === all.length ? `${all.length} routes` : `${found.length} of ${all.length}`);
    rows.set(found, { settled: !resort });
    resort = false;
    if (!box.contains(rows.node)) refill(box, rows.node);
    // Why: what stands below a table that is not there yet would jump.
    weightPanel.hidden = false;
  }

  async function weights() {
    await renew(models, () => get("/api/models"), (found) => {
      byModel.set(found.models);
      return byModel.node;
    });
  }

  const off = live.on((kind) => (kind === "tick" || (kind === "status" && !live.tick)) && draw());
  const timer = setInterval(() => document.hidden || weights(), MODELS_MS);
  draw();
  weights();

  return {
    title: "Routes",
    windowed: false,
    node: h(
      "div",
      { class: "stack" },
      h("section", { class: "panel flush", style: { "min-height": "320px" }, "aria-label": "All routes" }, h("header", {}, h("div", { style: { width: "min(300px, 100%)" } }, search), counted, h("span", { class: "note push" }, termLegend())), box),
      weightPanel,
    ),
    stop() {
      off();
      clearInterval(timer);
    },
  };
}

function total(row) {
  return Object.values(row.terms_ms ?? {}).reduce((sum, value) => sum + Math.max(0, value ?? 0), 0);
}

function modelTable() {
  return table({
    caption: "Weights by model",
    nothing: "No model is configured.",
    key: (row) => row.model,
    columns: [
      { key: "model", label: "Model", value: (row) => row.model, cell: (row) => [named(row.model), row.workflow ? h("span", { class: "sub" }, "workflow") : null] },
      {
        key: "honoured",
        label: "Weights",
        value: (row) => String(row.honoured),
        cell: (row) => h("span", { class: `pill ${row.honoured === null ? "" : row.honoured ? "good" : "warn"}` }, row.honoured === null ? "no traffic" : row.honoured ? "honoured" : "overruled"),
      },
      { key: "why", label: "Why", wide: true, cell: (row) => named(row.why ?? "–") },
      { key: "routes", label: "Routes", wide: true, cell: (row) => h("div", { class: "strip", style: { "min-width": "240px" } }, row.routes.map((one) => h("a", { href: `#/routes/${encodeURIComponent(one.route)}` }, named(one.route), bullet(one.share, one.weight_share), h("span", { class: "num small" }, percent(one.share))))) },
      { key: "fallbacks", label: "Fallbacks", wide: true, cell: (row) => named(row.fallbacks?.join(", ") || "–") },
    ],
  });
}
