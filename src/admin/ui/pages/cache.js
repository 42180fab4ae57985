// How much does the cache answer and save, how often is it wrong, and what is to be forgotten?

import { ask, get, query, send } from "../api.js";
import { asked } from "../dialog.js";
import { bar, tile } from "../figure.js";
import { bytes, count, dollars, number, percent, score, words } from "../format.js";
import { chart } from "../chart.js";
import { Columns } from "../columns.js";
import { follow } from "../history.js";
import { h, named, say } from "../dom.js";
import { loading, panel, renew, show } from "../say.js";
import { table } from "../table.js";

const AGAIN_MS = 5_000;
// Rates need a second reading; it comes early, so that the chart is not empty for long.
const SOON_MS = 1_200;
const LAYERS = [
  { key: "hit", label: "exact", colour: 3 },
  { key: "semantic", label: "semantic", colour: 1 },
  { key: "coalesced", label: "waited for the same", colour: 4 },
  { key: "miss", label: "miss", colour: 8 },
];

export function cache({ span }) {
  const tiles = { hits: tile("Hits since the start", percent), saved: tile("Saved per hour", dollars), entries: tile("Entries", count), bytes: tile("In memory", bytes) };
  const charts = [
    chart({ title: "Hit ratio", series: [{ key: "cache_hit_ratio", label: "hits of those that asked", colour: 3, kind: "area" }], form: percent, most: 1.02, height: 176 }),
    chart({ title: "Saved", note: "per hour", series: [{ key: "saved_per_hour", label: "saved", colour: 1, kind: "area" }], form: dollars, height: 176 }),
    chart({ title: "By layer", note: "per second, while open", series: LAYERS, form: number, stacked: true, height: 176 }),
  ];
  const layers = new Columns(720);
  const byLayer = h("div", { style: { "min-height": "150px" } }, loading());
  const audits = h("div", { style: { "min-height": "196px" } }, loading());
  const about = h("p", { class: "note", role: "status" });
  const outcome = h("p", { class: "log small muted", role: "status", "aria-live": "polite" });
  const mine = new AbortController();
  let before = null;

  async function refresh() {
    try {
      const kept = await get("/api/cache", mine.signal);
      tiles.entries.set(kept.entries, [], { next: `${count(kept.questions)} questions` });
      tiles.bytes.set(kept.bytes, [], { next: `of ${bytes(kept.room_bytes)}` });
      const lost = [kept.dropped_jobs ? `${count(kept.dropped_jobs)} jobs dropped` : null, kept.not_written ? `${count(kept.not_written)} not written` : null];
      say(about, [kept.on_disk ? "Kept on disk, too." : "Kept in memory only.", ...lost].filter(Boolean).join(" "));
    } catch (error) {
      if (error.name !== "AbortError") say(about, error.message);
    }
    await renew(byLayer, async () => counts(await (await ask("/metrics", { signal: mine.signal })).text()), layerTable);
  }

  function layerTable(found) {
    const at = Date.now() * 1_000;
    if (before) {
      const gone = (at - before.at) / 1e6;
      layers.push(at, Object.fromEntries(LAYERS.map(({ key }) => [key, Math.max(0, (found[key] - before.found[key]) / gone)])));
      charts[2].set(layers);
    }
    before = { at, found };
    const all = LAYERS.reduce((sum, { key }) => sum + found[key], 0);
    tiles.hits.set(all ? 1 - found.miss / all : null, [], { next: `${number(all)} asked` });
    const rows = table({
      caption: "By layer",
      key: (row) => row.key,
      columns: [
        { key: "layer", label: "Layer", cell: (row) => row.label },
        { key: "bar", label: "", wide: true, cell: (row) => bar(all ? found[row.key] / all : 0) },
        { key: "share", label: "Share", number: true, cell: (row) => percent(all ? found[row.key] / all : null) },
        { key: "count", label: "Requests", number: true, cell: (row) => number(found[row.key]) },
      ],
    });
    rows.set(LAYERS);
    return rows.node;
  }

  async function forget(by, label) {
    const given = await asked({
      title: by === "all" ? "Forget every kept answer?" : `Forget answers by ${label}?`,
      text: "They are asked afresh the next time; this cannot be undone.",
      fields: by === "all" ? [] : [{ name: "name", label, required: true }],
      action: "Forget",
      danger: true,
      act: async (values) => {
        const done = await send("DELETE", `/api/cache/entries${query(by === "all" ? { all: "true" } : { [by]: values.name })}`);
        say(outcome, `${count(done.forgotten)} forgotten${done.waits_for_disk ? "; the disk follows" : ""}.`);
      },
    });
    if (given) refresh();
  }

  const stopHistory = follow({
    of: "gateway",
    span,
    figures: (tick) => tick.gateway,
    draw(columns) {
      charts[0].set(columns);
      charts[1].set(columns);
      tiles.saved.set(columns.recent("saved_per_hour", 5), columns.series.saved_per_hour);
    },
    absent: (error) => say(about, error.message),
  });
  refresh();
  const soon = setTimeout(refresh, SOON_MS);
  const timer = setInterval(() => document.hidden || refresh(), AGAIN_MS);
  const button = (by, label) => h("button", { class: `btn ${by === "all" ? "danger" : ""}`, type: "button", on: { click: () => forget(by, label) } }, by === "all" ? "Everything…" : `By ${label.toLowerCase()}…`);

  // Why hidden: what stands below a table that is not there yet would jump.
  const below = h(
    "div",
    { class: "grid even", hidden: true },
    h("div", { class: "w6" }, panel("By layer, since the start", null, byLayer)),
    h("div", { class: "w6" }, panel("Forget answers", null, h("div", { class: "row" }, button("tag", "Tag"), button("model", "Model"), button("key", "Key"), button("request", "Request id"), button("all", "")), outcome, about)),
  );
  show(audits, () => get("/api/cache/audit", mine.signal), auditTable).then(() => (below.hidden = false));

  return {
    title: "Cache",
    windowed: true,
    node: h(
      "div",
      { class: "stack" },
      h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.node)),
      h("div", { class: "grid even" }, charts.map((one) => h("div", { class: "w4" }, one.node))),
      panel("How often is a semantic hit wrong?", "audited against fresh answers; 95 % intervals; | what you allow", audits),
      below,
    ),
    stop() {
      mine.abort();
      stopHistory();
      clearTimeout(soon);
      clearInterval(timer);
      for (const one of charts) one.stop();
    },
  };
}

// Requests that asked the cache, by what it was to them, out of the exposition.
export function counts(text) {
  const found = { hit: 0, semantic: 0, coalesced: 0, miss: 0 };
  for (const line of text.split("\n")) {
    if (!/^\w*cache_requests_total\{/.test(line)) continue;
    const status = /status="(\w+)"/.exec(line)?.[1];
    if (Object.hasOwn(found, status ?? "")) found[status] += Number(/\}\s+([0-9.eE+]+)/.exec(line)?.[1] ?? 0);
  }
  return found;
}

function auditTable(page) {
  const rows = table({
    caption: "Audit",
    nothing: "No semantic hit was audited yet. It begins with layers = \"semantic\" in a model or workflow.",
    key: (row) => row.audit.workflow,
    columns: [
      { key: "workflow", label: "Workflow", value: (row) => row.audit.workflow, cell: (row) => named(row.audit.workflow) },
      { key: "state", label: "Policy", cell: (row) => h("span", { class: `pill ${{ proven: "good", trusted: "info", refusing: "bad" }[row.policy?.state] ?? ""}` }, words(row.policy?.state)) },
      { key: "interval", label: "Wrong hits", wide: true, value: (row) => row.audit.estimate.share, cell: (row) => interval(row.audit.estimate, row.policy?.max_error) },
      { key: "share", label: "Estimate", number: true, cell: (row) => [percent(row.audit.estimate.share), h("span", { class: "sub" }, `${percent(row.audit.estimate.low)} – ${percent(row.audit.estimate.high)}`)] },
      { key: "threshold", label: "Served from", number: true, value: (row) => row.audit.threshold, cell: (row) => [row.audit.threshold === null ? "nothing" : score(row.audit.threshold), h("span", { class: "sub" }, "similarity")] },
      { key: "audited", label: "Audited", number: true, value: (row) => row.audit.audited, cell: (row) => [count(row.audit.audited), h("span", { class: "sub" }, `of ${count(row.audit.hits)} hits`)] },
      { key: "saved", label: "Saved", number: true, value: (row) => row.audit.saved_nano, cell: (row) => [dollars(row.audit.saved_nano / 1e9), h("span", { class: "sub" }, `audits ${dollars(row.audit.spent_nano / 1e9)}`)] },
    ],
  });
  rows.set(page.data);
  return rows.node;
}

// An estimate as its interval, with a mark where the operator's bound is.
function interval(estimate, bound) {
  const most = Math.max(estimate.high, bound ?? 0, 0.001) * 1.15;
  const at = (value) => `${(100 * value) / most}%`;
  const text = `${percent(estimate.share)}, between ${percent(estimate.low)} and ${percent(estimate.high)}; at most ${percent(bound ?? null)} is allowed`;
  return h(
    "div",
    { class: "bullet", role: "img", "aria-label": text, title: text, style: { "min-width": "96px" } },
    h("i", { style: { left: at(estimate.low), width: at(estimate.high - estimate.low) } }),
    bound === undefined || bound === null ? null : h("u", { style: { left: at(bound) } }),
  );
}
