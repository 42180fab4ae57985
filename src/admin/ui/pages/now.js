// How is it going right now, and is anything wrong?

import { chart } from "../chart.js";
import { eventList } from "../events.js";
import { bullet, tile } from "../figure.js";
import { dollars, ms, number, percent, perSecond, score, us } from "../format.js";
import { follow } from "../history.js";
import { h, named, refill, say } from "../dom.js";
import { get } from "../api.js";
import { live } from "../live.js";
import { empty, loading, panel, still } from "../say.js";
import { rank, shape, word } from "../states.js";
import { troubles } from "../troubles.js";

export const ENDINGS = [
  { key: "ok", label: "ok", colour: 3 },
  { key: "client_error", label: "client error", colour: 8 },
  { key: "upstream_error", label: "upstream error", colour: 5 },
  { key: "shed", label: "shed", colour: 2 },
  { key: "client_gone", label: "client gone", colour: 4 },
  { key: "internal", label: "internal", colour: 7 },
];

// How often budgets are read for what is nearly spent.
const BUDGETS_MS = 15_000;

export function now({ span }) {
  const tiles = {
    rps: tile("Requests", perSecond),
    success: tile("Success", percent),
    ttft_p95_ms: tile("First token, p95", ms),
    duration_p95_ms: tile("Duration, p95", ms),
    overhead_p99_us: tile("Own overhead, p99", us),
    spend_per_hour: tile("Spend per hour", dollars),
    saved_per_hour: tile("Saved per hour", dollars),
    cache_hit_ratio: tile("Cache hits", percent),
  };
  const charts = [
    chart({ title: "Requests by ending", note: "per second", series: ENDINGS, form: number, stacked: true, height: 176 }),
    chart({ title: "Duration", series: [{ key: "duration_p50_ms", label: "p50", colour: 1 }, { key: "duration_p95_ms", label: "p95", colour: 2 }, { key: "duration_p99_ms", label: "p99", colour: 5, dash: true }], form: ms, height: 176 }),
    chart({ title: "First token", series: [{ key: "ttft_p50_ms", label: "p50", colour: 1 }, { key: "ttft_p95_ms", label: "p95", colour: 2 }], form: ms, height: 150 }),
    chart({ title: "Money", note: "per hour", series: [{ key: "spend_per_hour", label: "spent", colour: 1, kind: "area" }, { key: "saved_per_hour", label: "saved by the cache", colour: 3, dash: true }], form: dollars, height: 150 }),
  ];
  const wrong = h("div", {}, loading("Waiting for the first figures…"));
  const wrongNote = h("span", { class: "note" });
  const strip = h("div", {}, loading());
  const happened = h("div", {}, loading());
  const absent = h("p", { class: "notice warn", hidden: true });
  let spent = [];

  function draw(columns) {
    absent.hidden = true;
    for (const one of charts) one.set(columns);
    const last = (name) => columns.recent(name, span === "15m" ? 5 : 1);
    for (const [name, one] of Object.entries(tiles)) {
      const highest = name === "success" || name === "cache_hit_ratio" ? 1 : null;
      one.set(last(name), columns.series[name], { highest, ...beside(name, last) });
    }
  }

  function beside(name, last) {
    if (name === "success") {
      const share = last(name);
      return { tone: share === null ? "" : share < 0.95 ? "bad" : share < 0.99 ? "warn" : "" };
    }
    if (name === "rps") return { next: `${number(last("inflight"))} in flight` };
    if (name === "ttft_p95_ms") return { next: `p50 ${ms(last("ttft_p50_ms"))}` };
    if (name === "duration_p95_ms") return { next: `p50 ${ms(last("duration_p50_ms"))}` };
    if (name === "overhead_p99_us") return { next: `p50 ${us(last("overhead_p50_us"))}` };
    return {};
  }

  function drawTick() {
    if (!live.tick && live.absent) for (const box of [wrong, strip, happened]) refill(box, still());
    if (!live.tick) return;
    const found = troubles(live.tick, live.events, spent);
    say(wrongNote, found.length ? `${found.length} to look at` : "");
    refill(wrong, found.length ? h("ul", { class: "list" }, found.map(trouble)) : h("div", { class: "fine" }, shape("healthy"), h("strong", {}, "Nothing is wrong."), "Every route is in use, no budget is nearly spent, nothing is dropped."));
    refill(strip, stripOf(live.tick.routes));
    refill(happened, eventList(live.events, 8));
  }

  async function money() {
    try {
      spent = (await get("/api/budgets?limit=1000")).data;
      drawTick();
    } catch {
      // Without a ledger there are no budgets to be spent.
    }
  }

  const stopHistory = follow({
    of: "gateway",
    span,
    figures: (tick) => tick.gateway,
    draw,
    absent: (error) => {
      refill(absent, `There is no history to show: ${error.message}`);
      absent.hidden = false;
    },
  });
  const off = live.on((kind) => (kind === "tick" || (kind === "status" && !live.tick)) && drawTick());
  const timer = setInterval(() => document.hidden || money(), BUDGETS_MS);
  money();
  drawTick();

  return {
    title: "Now",
    windowed: true,
    node: h(
      "div",
      { class: "stack" },
      h("div", { class: "tiles" }, Object.values(tiles).map((one) => one.node)),
      h(
        "div",
        { class: "grid" },
        h("div", { class: "w8 stack" }, h("div", { class: "grid even" }, charts.map((one) => h("div", { class: "w6" }, one.node))), panel("Latest events", null, h("div", { style: { "min-height": "280px" } }, happened))),
        h(
          "div",
          { class: "w4 stack first" },
          h("section", { class: "panel wrong", "aria-label": "What is wrong now" }, h("header", {}, h("h2", {}, "What is wrong now"), wrongNote), wrong),
          panel("Routes", "share | weight, score", strip),
        ),
      ),
      absent,
    ),
    stop() {
      off();
      stopHistory();
      clearInterval(timer);
      for (const one of charts) one.stop();
    },
  };
}

function trouble(one) {
  const mark = shape(one.state ?? { bad: "open", warn: "degraded" }[one.tone] ?? "recovering");
  const subject = one.href ? h("a", { href: one.href }, named(one.subject)) : h("strong", {}, named(one.subject));
  return h("li", {}, mark, h("span", { class: "what" }, subject, " ", named(one.what), one.why ? h("span", { class: "note", style: { display: "block" } }, named(one.why)) : null));
}

function stripOf(routes) {
  if (routes.length === 0) return empty("No route is configured.");
  const ordered = [...routes].sort((one, other) => rank(one.state) - rank(other.state) || other.rps - one.rps);
  const shown = ordered.slice(0, 14);
  const more = ordered.length - shown.length;
  return h(
    "div",
    { class: "strip tall" },
    shown.map((route) =>
      h(
        "a",
        { href: `#/routes/${encodeURIComponent(route.route)}` },
        h("span", { class: "name" }, shape(route.state), named(route.route)),
        h("span", { class: "num small" }, score(route.score)),
        bullet(route.share, route.weight_share),
        h("span", { class: "num note" }, route.steered ?? (route.state === "healthy" ? percent(route.share) : word(route.state))),
      ),
    ),
    more > 0 ? h("a", { href: "#/routes" }, `${more} more…`) : null,
  );
}
