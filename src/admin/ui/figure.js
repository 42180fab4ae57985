// Small figures: curves in tiles, bars, bands of states and the terms of a cost.

import { h, say, svg } from "./dom.js";
import { clock, ms, percent } from "./format.js";
import { badge, known, STATES, word } from "./states.js";

// A curve without axes; it has the size of its box.
export function spark() {
  const under = svg("path", { class: "under" });
  const line = svg("path", { class: "over" });
  const node = svg("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, under, line);
  return {
    node,
    set(values, highest = null) {
      const shown = thinned(values, 120);
      const top = highest ?? Math.max(1e-9, ...shown.filter((value) => value !== null));
      let path = "";
      let open = false;
      let first = null;
      let last = null;
      shown.forEach((value, at) => {
        if (value === null) return (open = false);
        const x = (100 * at) / Math.max(1, shown.length - 1);
        path += `${open ? "L" : "M"}${x.toFixed(1)} ${(28 - (25 * Math.min(value, top)) / top).toFixed(1)}`;
        open = true;
        first ??= x;
        last = x;
      });
      line.setAttribute("d", path);
      under.setAttribute("d", path && !path.slice(1).includes("M") ? `${path}L${last.toFixed(1)} 30L${first.toFixed(1)} 30Z` : "");
    },
  };
}

// At most so many values, each the mean of those that it stands for.
function thinned(values, most) {
  if (values.length <= most) return values;
  const each = values.length / most;
  return Array.from({ length: most }, (_, at) => {
    const part = values.slice(Math.floor(at * each), Math.floor((at + 1) * each)).filter((value) => value !== null);
    return part.length ? part.reduce((sum, value) => sum + value, 0) / part.length : null;
  });
}

export function tile(label, form) {
  const value = h("dd", { class: "value" }, "–");
  const beside = h("dd", { class: "next" });
  const curve = spark();
  const node = h("dl", { class: "tile" }, h("dt", {}, label), value, beside, curve.node);
  return {
    node,
    set(now, values, { tone = "", next = "", highest = null } = {}) {
      say(value, form(now));
      say(beside, next);
      node.className = `tile ${tone}`;
      curve.set(values ?? [], highest);
    },
  };
}

// A share of one, and what is added to it soon.
export function bar(share, more = 0, tone = "") {
  const part = Math.max(0, Math.min(1, share ?? 0));
  const rest = Math.max(0, Math.min(1 - part, more));
  return h(
    "div",
    { class: `bar ${tone}`, "aria-hidden": "true" },
    h("i", { style: { width: `${100 * part}%` } }),
    rest ? h("i", { class: "more", style: { left: `${100 * part}%`, width: `${100 * rest}%` } }) : null,
  );
}

// What a route gets, with a mark where the operator's weight is.
export function bullet(share, weight) {
  const text = `${percent(share)} of the traffic; weight ${percent(weight)}`;
  return h(
    "div",
    { class: "bullet", role: "img", "aria-label": text, title: text },
    h("i", { style: { width: `${100 * Math.min(1, share ?? 0)}%` } }),
    weight === null || weight === undefined ? null : h("u", { style: { left: `${100 * weight}%` } }),
  );
}

export const TERMS = [
  ["latency", "usual latency", 1],
  ["drift", "slower than usual", 2],
  ["utilisation", "nearly full", 3],
  ["failure", "failures", 5],
  ["price", "price", 4],
  ["affinity", "session", 7],
];

// The terms of a cost side by side, on a scale that is common to those compared.
export function terms(costs, scale) {
  const parts = TERMS.map(([key, label, number]) => [label, number, costs?.[key] ?? 0]).filter(([, , value]) => value > 0);
  const text = parts.map(([label, , value]) => `${label} ${ms(value)}`).join(", ");
  return h(
    "div",
    { class: "terms", role: "img", "aria-label": text, title: text },
    parts.map(([, number, value]) => h("i", { class: `k${number}`, style: { width: `${(100 * value) / Math.max(scale, 1e-9)}%` } })),
  );
}

export function termLegend(withSession = false) {
  const shown = TERMS.filter(([key]) => withSession || key !== "affinity");
  return h("ul", { class: "legend" }, shown.map(([, label, number]) => h("li", {}, h("i", { class: `key area k${number}` }), label)));
}

// The states of a route over time as a band, with words below for those that occur.
export function band(times, numbers) {
  const runs = [];
  numbers.forEach((number, at) => {
    const state = number === null ? "unknown" : (STATES[number] ?? "unknown");
    const last = runs.at(-1);
    if (last?.state === state) last.end = at + 1;
    else runs.push({ state, begin: at, end: at + 1 });
  });
  const whole = Math.max(1, numbers.length);
  const rects = runs.map((run) =>
    svg("rect", { x: run.begin, y: 0, width: run.end - run.begin, height: 10, class: `s-${known(run.state)}` }, svg("title", {}, `${word(run.state)} from ${clock(times[run.begin])} to ${clock(times[Math.min(run.end, times.length - 1)])}`)),
  );
  const occurring = [...new Set(runs.map((run) => run.state))].filter((state) => state !== "unknown");
  const said = occurring.map((state) => word(state)).join(", ") || "nothing known";
  return h(
    "div",
    {},
    svg("svg", { class: "band", viewBox: `0 0 ${whole} 10`, preserveAspectRatio: "none", role: "img", "aria-label": `States over time: ${said}` }, rects),
    h("div", { class: "band-times" }, h("span", {}, clock(times[0])), h("span", {}, clock(times.at(-1)))),
    h("ul", { class: "legend" }, occurring.map((state) => h("li", {}, badge(state)))),
  );
}
