// Why a typical request would go where it would, at one instant: in words, and term by term.
"use strict";

const TERMS = [
  ["model", "the model's latency", "its usual latency is higher"],
  ["drift", "slower or faster than usual", "it is slower than usual"],
  ["utilisation", "nearly full", "it is nearly full"],
  ["failure", "failures", "it fails"],
  ["price", "price", "it costs more"],
];

const GATES = {
  full: "a ceiling leaves no room for the request",
  blocked: "the provider asked us to wait",
  open: "its circuit is open",
  held: "its key was rejected",
  incapable: "it cannot serve this model",
  tried: "the request was already sent there",
};

const LABELS = {
  cold: "in use", recovering: "recovering", hot: "nearly full", full: "full", blocked: "told to wait", open: "circuit open",
  held: "key held", key_held: "key held", incapable: "cannot serve it", unsupported: "cannot serve it", tried: "already tried",
};

const LEADS = {
  explored: (names) => `goes to ${names} to refresh what is known of it`,
  probe: (names) => `goes to ${names} as the one probe of a route that is set aside`,
  hot: (names) => `goes to ${names}: every route is nearly full, and the least costly is used`,
  panic: (names) => `goes to ${names}: every route is set aside, and the one that fails least is tried`,
  none: () => "goes nowhere: no route can take it, and it would be refused locally",
};

// What is told at a step: the mode and each route's numbers, its gate and state as words.
function reasonsAt(series, step) {
  const { words, mode, routes } = series.why;
  const value = (column) => (Array.isArray(column) ? column[step] : column);
  return {
    mode: words[value(mode)],
    routes: routes.map((parts, at) => {
      const route = Object.fromEntries(Object.entries(parts).map(([name, column]) => [name, value(column)]));
      const total = TERMS.reduce((sum, [term]) => sum + route[term], 0);
      return { ...route, name: series.routes[at].name, gate: words[route.gate], state: words[route.state], total, colour: routeColour(at) };
    }),
  };
}

function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

const ms = (value) => `${Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;

// The decision in one sentence.
function lead(reasons, at) {
  const drawn = reasons.routes.filter((it) => it.propensity > 0).map((it) => it.name);
  const names = listed(drawn) || "no route";
  const told = LEADS[reasons.mode];
  const rest = told ? told(names) : drawn.length > 1 ? `is drawn by weight from ${names}` : `goes to ${names}`;
  return `At ${clock(at)} a typical request ${rest}.`;
}

// What makes `route` dearer than `best`: the term with the largest difference.
function because(route, best) {
  const [term, , words] = TERMS.reduce((most, it) => (route[it[0]] - best[it[0]] > route[most[0]] - best[most[0]] ? it : most));
  if (term === "failure") return `it fails ${percent(route.fails)} of the time`;
  if (term === "drift" && route.drift < -best.drift) return `${best.name} is faster than usual (${ms(-best.drift)})`;
  if (term === "utilisation") return `it is nearly full (${percent(route.used)} of a ceiling in use)`;
  return `${words} (${ms(route[term] - best[term])} more)`;
}

// A route's part in one sentence.
function sentence(route, best) {
  const gets = route.propensity > 0 ? `gets ${percent(route.propensity)}` : "gets nothing";
  if (GATES[route.gate]) return `${route.name} ${gets}: ${GATES[route.gate]}.`;
  if (route.gate === "hot") return `${route.name} ${gets}: it is nearly full (${percent(route.used)} of a ceiling in use) and is used last.`;
  const dearer = best && best.total > 0 ? route.total / best.total - 1 : 0;
  const cost = route === best ? "is the cheapest" : dearer < 0.005 ? "costs as much as the best" : `is ${percent(dearer)} dearer than the best because ${because(route, best)}`;
  const ramp = route.part < 0.995 ? `, with ${percent(route.part)} of its weight` : "";
  const band = route.in_band ? (route === best ? "" : "; that is close enough") : "; too much to take part";
  return `${route.name} ${cost}${band}. It ${gets}${ramp}.`;
}

function words(reasons, at) {
  const inUse = reasons.routes.filter((it) => !GATES[it.gate]);
  const best = inUse.length ? inUse.reduce((least, it) => (it.total < least.total ? it : least)) : null;
  return [lead(reasons, at), ...reasons.routes.map((route) => sentence(route, best))];
}

// Cost terms laid end to end; what drift takes off shortens the model's part.
function bar(route, most) {
  const saved = Math.min(route.drift, 0);
  const segments = TERMS.map(([term]) => {
    const length = term === "model" ? route.model + saved : Math.max(route[term], 0);
    const segment = el("span", { class: `term term-${term}` });
    segment.style.width = `${(100 * Math.max(length, 0)) / most}%`;
    return segment;
  });
  const told = TERMS.filter(([term]) => Math.abs(route[term]) >= 0.05).map(([term]) => `${term} ${ms(route[term])}`).join(", ");
  return el("div", { class: "cost" },
    el("div", { class: "bar", role: "img", "aria-label": told, title: told }, ...segments),
    el("span", { class: "terms" }, told));
}

function routeRow(route, most) {
  const swatch = el("i", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = route.colour;
  const number = (text, label) => el("td", { class: "number", "data-label": label }, text);
  const standing = GATES[route.gate] ? "bad" : route.gate === "cold" ? "good" : "fair";
  return el("tr", {},
    el("th", { scope: "row" }, swatch, route.name),
    el("td", { "data-label": "gate" }, el("span", { class: `pill ${standing}` }, LABELS[route.gate] || route.gate)),
    el("td", { "data-label": "state" }, LABELS[route.state] || route.state),
    el("td", { class: "wide", "data-label": "cost" }, bar(route, most)),
    number(ms(route.total), "total"),
    number(percent(route.fails), "fails"),
    number(percent(route.used), "in use"),
    number(route.score.toFixed(2), "score"),
    number(plain(route.weight), "weight"),
    number(percent(route.part), "part"),
    el("td", { "data-label": "band" }, route.in_band ? "in" : "out"),
    number(percent(route.propensity), "chance"));
}

const HEADINGS = [
  ["route", ""], ["gate", "what keeps regular traffic from it"], ["state", "of its circuit"], ["expected cost", "term by term, in ms"],
  ["total", "expected cost"], ["fails", "chance that an attempt fails"], ["in use", "largest share in use of any ceiling"], ["score", "best cost over its own"],
  ["weight", "the operator's"], ["part", "of its weight that is left by ramp and taper"], ["band", "whether it is close enough to the best"], ["chance", "of being picked"],
];

// The panel: a slider over the steps, sentences, and a row for each route.
// `moved(step)` is called whenever the instant changes, `settled(step)` once it stays.
function whyPanel(name, series, moved, settled) {
  const ends = times(series);
  const most = Math.max(...[0, 1, 2, 3].map((quarter) => Math.floor((quarter * (series.steps - 1)) / 3)).flatMap((step) => reasonsAt(series, step).routes.map((it) => it.total)), 1);
  const slider = el("input", { type: "range", min: 0, max: series.steps - 1, step: 1, value: 0, "aria-label": `Instant of the decision in ${name}` });
  const shown = el("output", { class: "time" });
  const list = el("ul", { class: "why-words", "aria-live": "polite" });
  const body = el("tbody");
  const keys = TERMS.map(([term, what]) => el("li", {}, el("i", { class: `swatch term-${term}`, "aria-hidden": "true" }), `${term}: ${what}`));
  const show = (step) => {
    const at = ends[step];
    const reasons = reasonsAt(series, step);
    const longest = Math.max(most, ...reasons.routes.map((it) => it.total));
    slider.value = step;
    slider.setAttribute("aria-valuetext", clock(at));
    shown.textContent = clock(at);
    list.replaceChildren(...words(reasons, at).map((it) => el("li", {}, it)));
    list.dataset.at = at;
    body.replaceChildren(...reasons.routes.map((route) => routeRow(route, longest)));
    moved(step);
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  slider.addEventListener("change", () => settled(Number(slider.value)));
  const head = el("tr", {}, ...HEADINGS.map(([title, what]) => el("th", { scope: "col", title: what }, title)));
  const node = el("section", { class: "why", "aria-label": "Why" },
    el("h4", {}, "Why"),
    el("p", { class: "hint" }, "Move the slider, or click into a curve, to see the decision at that instant."),
    el("div", { class: "slide" }, slider, shown),
    list,
    el("div", { class: "scroll" }, el("table", { class: "reasons" }, el("thead", {}, head), body)),
    el("ul", { class: "legend" }, ...keys));
  return { node, show, ends };
}
