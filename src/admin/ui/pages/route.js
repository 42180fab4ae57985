// One route: why is its score what it is, what has it been through, and what may an operator do about it?

import { band, bullet, TERMS } from "../figure.js";
import { chart } from "../chart.js";
import { eventList } from "../events.js";
import { ms, number, percent, perSecond, score } from "../format.js";
import { follow } from "../history.js";
import { h, named, refill } from "../dom.js";
import { get } from "../api.js";
import { live } from "../live.js";
import { empty, failed, loading, panel } from "../say.js";
import { badge, MEANING, STATES } from "../states.js";
import { actions, ceilings } from "../steering.js";

const COSTS = TERMS.filter(([key]) => key !== "affinity").map(([key, label, colour]) => ({ key: key === "utilisation" ? "utilisation_ms" : key, label, colour }));

export function route({ part: name, span }) {
  const charts = [
    chart({ title: "Expected cost by term", note: "of a typical request; the lower the better", series: COSTS, form: ms, stacked: true, height: 190 }),
    chart({ title: "Score", note: "1 is the best of its peers", series: [{ key: "score", label: "score", colour: 1 }], form: score, most: 1.02, height: 190 }),
    chart({ title: "First token: predicted and observed", series: [{ key: "ttft_ms", label: "observed", colour: 1 }, { key: "predicted_ms", label: "predicted", colour: 2, dash: true }], form: ms }),
    chart({ title: "Traffic", note: "share of its pool against the weight", series: [{ key: "share", label: "share", colour: 1, kind: "area" }, { key: "weight_share", label: "weight", colour: 8, dash: true }], form: percent, most: 1.02 }),
    chart({ title: "Requests per minute", note: "ceiling and what it leaves", series: [{ key: "limit_rpm", label: "ceiling", colour: 5, dash: true }, { key: "headroom_rpm", label: "headroom", colour: 3 }], form: number, step: true }),
    chart({ title: "Errors and use", series: [{ key: "error_rate", label: "errors", colour: 5 }, { key: "utilisation", label: "in use", colour: 3, dash: true }], form: percent }),
  ];
  const timeline = h("div", { style: { "min-height": "88px" } }, loading());
  const facts = h("div", {}, factsOf({ state: "unknown" }));
  const known = h("div", {}, loading());
  const happened = h("div", {}, loading());
  const act = actions(name, null, () => refresh());
  const mine = new AbortController();

  function draw(columns) {
    for (const one of charts) one.set(columns);
    const states = columns.series.state;
    refill(timeline, states?.length ? band(columns.at_us, states) : empty("No states are known of this time."));
  }

  function drawTick() {
    const now = live.tick?.routes.find((one) => one.route === name);
    if (!live.tick) return;
    if (!now) return refill(facts, empty("There is no route of this name.", "It may have left the configuration."));
    act.draw(now);
    refill(facts, factsOf(now));
  }

  async function refresh() {
    try {
      const all = await get("/api/routes", mine.signal);
      const found = all.routes.find((one) => one.route === name);
      refill(known, found ? ceilings(name, found.now.ceilings ?? [], refresh) : empty("There is no route of this name."));
    } catch (error) {
      if (error.name !== "AbortError") refill(known, failed(error, refresh));
    }
    try {
      const found = await get(`/api/events?order=desc&limit=50&route=${encodeURIComponent(name)}`, mine.signal);
      refill(happened, eventList(found.events, 50));
    } catch (error) {
      if (error.name !== "AbortError") refill(happened, failed(error, refresh));
    }
  }

  const stopHistory = follow({
    of: name,
    span,
    figures: (tick) => figures(tick.routes.find((one) => one.route === name)),
    draw,
    absent: (error) => refill(timeline, failed(error)),
  });
  const off = live.on((kind) => kind === "tick" && drawTick());
  drawTick();
  refresh();

  return {
    title: "Route",
    windowed: true,
    node: h(
      "div",
      { class: "stack" },
      h("p", { class: "crumbs" }, h("a", { href: "#/routes" }, "Routes"), " / ", named(name)),
      h("section", { class: "panel", "aria-label": "Now", style: { "min-height": "176px" } }, facts, h("div", { style: { "margin-top": "14px" } }, act.node)),
      panel("States", MEANING[live.tick?.routes.find((one) => one.route === name)?.state] ?? null, timeline),
      h("div", { class: "grid even" }, charts.map((one) => h("div", { class: "w6" }, one.node))),
      h("div", { class: "grid" }, h("div", { class: "w6" }, panel("Ceilings", "what it may take, and who says so", known)), h("div", { class: "w6" }, panel("Its events", null, happened))),
    ),
    stop() {
      off();
      stopHistory();
      mine.abort();
      for (const one of charts) one.stop();
    },
  };
}

// What a tick says of the route, by the names that its history uses.
function figures(now) {
  if (!now) return null;
  const terms = now.terms_ms ?? {};
  const { rps, share, weight_share, inflight, error_rate, utilisation } = now;
  return { score: now.score, state: STATES.indexOf(now.state), rps, share, weight_share, inflight, error_rate, utilisation, latency: terms.latency, drift: terms.drift, utilisation_ms: terms.utilisation, failure: terms.failure, price: terms.price, ttft_ms: now.ttft_p50_ms };
}

function factsOf(now) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  return h(
    "dl",
    { class: "facts" },
    fact("State", [badge(now.state), now.steered ? h("span", { class: "pill info" }, now.steered) : null]),
    fact("Score", score(now.score)),
    fact("Share | weight", [bullet(now.share, now.weight_share), h("span", { class: "note" }, `${percent(now.share)} | ${percent(now.weight_share)}`)]),
    fact("Rate", perSecond(now.rps)),
    fact("In flight", number(now.inflight)),
    fact("First token", ms(now.ttft_p50_ms)),
    fact("Errors", percent(now.error_rate)),
    fact("In use", percent(now.utilisation)),
    fact("Provider", named(now.provider)),
    fact("Model", named(now.model)),
    fact("Key", named(now.key)),
    fact("Used by", named((now.models ?? []).join(", ") || "–")),
  );
}
