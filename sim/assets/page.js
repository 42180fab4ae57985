// The page: verdict, bars, regrets and a section for each scenario, which draws its curves when it is opened.
//
// Fragments: `#s02` opens a scenario, `#why=s02/600` its decision at 600 s, `#all` every scenario.
// A name may be cut short as long as it stands for one scenario.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const scenarios = [];
let redrawing = 0;

const known = (it) => it !== null && it !== undefined;
const decimals = (metric) => (data.metrics[metric] ? data.metrics[metric].decimals : 3);
const figure = (metric, value) => value.toFixed(decimals(metric)).replace(/^-(0(\.0*)?)$/, "$1");

function pill(holds) {
  return el("span", { class: `pill ${holds ? "good" : "bad"}` }, holds ? "holds" : "missed");
}

function verdict() {
  const { held, all } = data.count;
  const seeds = data.seeds.length === 1 ? `seed ${data.seeds[0]}` : `seeds ${data.seeds.join(", ")}`;
  const standing = all === 0 ? "fair" : data.holds ? "good" : "bad";
  const part = el("span");
  part.style.width = `${all ? (100 * held) / all : 0}%`;
  return el("header", { class: "top" },
    el("p", { class: "brand" }, "Trimtab ", el("span", {}, "replay")),
    el("h1", { class: standing }, data.verdict),
    el("div", { class: "meter", "aria-hidden": "true" }, part),
    el("p", { class: "facts" }, `version ${data.version} · ${seeds} · bars for ${data.subject} · ${data.scenarios.length} ${data.scenarios.length === 1 ? "scenario" : "scenarios"}`));
}

// Bars; inside a scenario its name is not repeated.
function barList(bars, inside) {
  const items = bars.map((bar) => el("li", {},
    pill(bar.holds),
    el("b", {}, bar.goal),
    inside ? null : bar.scenario === null ? el("span", { class: "place" }, "whole pack") : el("a", { class: "place", href: fragment(bar.scenario) }, bar.scenario),
    el("span", { class: "metric", title: data.metrics[bar.metric] ? data.metrics[bar.metric].what : undefined }, bar.metric),
    el("span", { class: "number" }, `${bar.value} `, el("small", {}, `bar ${bar.bar}`)),
    el("span", { class: "note" }, bar.note)));
  return el("ul", { class: `bars ${inside ? "inside-bars" : ""}` }, ...items);
}

function goals() {
  const names = [...new Set(data.bars.map((bar) => bar.goal))];
  const tiles = names.map((goal) => {
    const bars = data.bars.filter((bar) => bar.goal === goal);
    const held = bars.filter((bar) => bar.holds).length;
    return el("li", { class: held === bars.length ? "good" : "bad" }, el("b", {}, goal), ` ${held}/${bars.length}`);
  });
  return el("ul", { class: "goals", "aria-label": "Bars that hold, by goal" }, ...tiles);
}

function barsSection() {
  if (data.bars.length === 0) return null;
  const missed = data.bars.filter((bar) => !bar.holds);
  const held = data.bars.filter((bar) => bar.holds);
  return el("section", { "aria-label": "Bars" },
    el("h2", {}, "Bars"),
    goals(),
    missed.length ? barList(missed, false) : null,
    held.length ? el("details", { open: held.length <= 12 }, el("summary", {}, `${held.length} that ${held.length === 1 ? "holds" : "hold"}`), barList(held, false)) : null);
}

// What a recording tells of each policy, beside what its simulation says.
function productionSection() {
  const { production } = data;
  if (!production) return null;
  const ms = (value) => el("td", { class: "number" }, known(value) ? value.toFixed(1) : "–");
  const range = (it) => el("td", { class: "number" }, it.mean_ms.toFixed(1), el("small", {}, ` ±${((it.high_ms - it.low_ms) / 2).toFixed(1)}`));
  const whole = (value) => el("td", { class: "number" }, value.toFixed(0));
  const head = ["doubly robust", "IPS", "IPS, plain", "simulated", "worth"].map((it) => el("th", { scope: "col" }, it));
  const dash = () => el("td", { class: "number" }, "–");
  const recorded = el("tr", { class: "sum" }, el("th", { scope: "row" }, "(recorded)"), ms(production.logged_ms), dash(), dash(), dash(), whole(production.judged));
  const rows = production.policies.filter((it) => it.estimate).map(({ policy, estimate: it }) => el("tr", { class: policy === data.subject ? "subject" : "baseline" },
    el("th", { scope: "row" }, policy), range(it.doubly_robust), range(it.ips), range(it.ips_plain), ms(it.simulated_ms), whole(it.effective)));
  const refused = production.policies.filter((it) => it.refusal).map((it) => el("li", {}, el("b", {}, it.policy), " ", el("span", { class: "note" }, `no estimate: ${it.refusal}`)));
  return el("section", { "aria-label": "From production" },
    el("h2", {}, "From production"),
    el("p", { class: "hint" }, `Mean cost of the ${production.judged} recorded requests, had the policy chosen their first routes, in ms with 95 % intervals. Worth: so many requests of the policy's own.`),
    el("div", { class: "scroll" }, el("table", { class: "metrics" }, el("thead", {}, el("tr", {}, el("td"), ...head)), el("tbody", {}, recorded, ...rows))),
    refused.length ? el("ul", {}, ...refused) : null,
    ...production.notes.map((it) => el("p", { class: "hint" }, it)));
}

// How strongly a regret is coloured, in percent: 0 at none, most from 50 % on, by its logarithm between.
function heat(regret) {
  const share = Math.log1p(Math.max(regret, 0) * 100) / Math.log1p(50);
  return Math.round(Math.min(share, 1) * 78);
}

function regretRow(name, cells, scenario) {
  const { policies } = data.regret;
  const competing = cells.filter((cell, at) => known(cell) && policies[at].kind !== "oracle");
  const best = Math.min(...competing).toFixed(3);
  const row = el("tr", scenario ? { class: "leads", onclick: () => go(fragment(name)) } : { class: "sum" },
    el("th", { scope: "row" }, scenario ? el("a", { href: fragment(name) }, name) : name),
    ...cells.map((cell, at) => {
      const { kind } = policies[at];
      if (!known(cell)) return el("td", { class: kind }, "–");
      const td = el("td", { class: `${kind} ${kind !== "oracle" && cell.toFixed(3) === best ? "best" : ""}` }, (100 * cell).toFixed(1).replace(/^-0\.0$/, "0.0"));
      td.style.setProperty("--heat-part", `${heat(cell)}%`);
      return td;
    }));
  return row;
}

function regretSection() {
  const { policies, rows, mean, worst } = data.regret;
  if (rows.length === 0) return null;
  const head = el("tr", {}, el("td"), ...policies.map((it) => el("th", { scope: "col", class: it.kind }, it.name)));
  const body = rows.map((row) => regretRow(row.scenario, row.cells, true));
  const foot = [regretRow("mean", mean, false), regretRow("worst", worst, false)];
  return el("section", { "aria-label": "Regret" },
    el("h2", {}, "Regret"),
    el("p", { class: "hint" }, "Mean cost of a request above that of the clairvoyant that honours the operator's weights, in %. Less is better; the best of each row is bold. Oracles read the truth and stand apart."),
    el("div", { class: "scroll" }, el("table", { class: "heat" }, el("thead", {}, head), el("tbody", {}, ...body), el("tfoot", {}, ...foot))));
}

// The printed value of the best policy that is no oracle; nothing if all are equal.
function bestOf(scenario, metric) {
  const values = scenario.policies.filter((it) => it.kind !== "oracle" && it.metrics[metric]).map((it) => it.metrics[metric][0]).filter(known);
  if (values.length === 0 || !data.metrics[metric]) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((it) => figure(metric, it));
  return low === high ? null : data.metrics[metric].better === "less" ? low : high;
}

function metricCell(scenario, policy, metric) {
  const estimate = policy.metrics[metric];
  if (!estimate || !known(estimate[0])) return el("td", { class: "number" }, "–");
  const text = figure(metric, estimate[0]);
  const best = policy.kind !== "oracle" && bestOf(scenario, metric) === text;
  return el("td", { class: `number ${best ? "best" : ""}` }, text, known(estimate[1]) ? el("small", {}, ` ±${figure(metric, estimate[1])}`) : null);
}

const describe = (metric) => (data.metrics[metric] ? `${data.metrics[metric].what}${data.metrics[metric].unit ? `, in ${data.metrics[metric].unit}` : ""}` : "");

function metricsTable(scenario) {
  const words = (metric) => metric.split("_").flatMap((word, at) => (at ? [el("wbr"), `_${word}`] : [word]));
  const head = el("tr", {}, el("td"), ...scenario.telling.map((it) => el("th", { scope: "col", title: describe(it) }, ...words(it))));
  const rows = scenario.policies.map((policy) => el("tr", { class: policy.kind },
    el("th", { scope: "row" }, policy.name), ...scenario.telling.map((metric) => metricCell(scenario, policy, metric))));
  return el("div", { class: "scroll" }, el("table", { class: "metrics" }, el("thead", {}, head), el("tbody", {}, ...rows)));
}

function everyMetric(scenario) {
  const names = Object.keys(data.metrics).filter((it) => scenario.policies.some((policy) => policy.metrics[it]));
  const head = el("tr", {}, el("td"), ...scenario.policies.map((it) => el("th", { scope: "col" }, it.name)));
  const rows = names.map((metric) => el("tr", {},
    el("th", { scope: "row" }, metric, el("small", {}, describe(metric))), ...scenario.policies.map((policy) => metricCell(scenario, policy, metric))));
  return el("details", { class: "every" }, el("summary", {}, `Every metric (${names.length})`),
    el("div", { class: "scroll" }, el("table", { class: "metrics" }, el("thead", {}, head), el("tbody", {}, ...rows))));
}

// The policy that ours is shown beside at first: the cheapest that does not read the truth.
function rival(scenario) {
  const cost = (it) => (it.metrics.cost_ms && known(it.metrics.cost_ms[0]) ? it.metrics.cost_ms[0] : Infinity);
  const plotted = scenario.policies.filter((it) => it.series && it.kind === "baseline");
  return plotted.sort((a, b) => cost(a) - cost(b))[0] || scenario.policies.find((it) => it.series && it.kind !== "subject");
}

// The curves of a scenario, ours beside one other's.
class Curves {
  constructor(scenario, pick) {
    this.scenario = scenario;
    this.pick = pick;
    this.ours = scenario.policies.find((it) => it.kind === "subject" && it.series);
    this.other = rival(scenario);
    this.charts = [];
    this.step = null;
    this.grid = el("div", { class: "charts" });
    this.node = el("section", { class: "curves", "aria-label": "Over time" }, el("h4", {}, "Over time"), this.switcher(), this.grid);
  }

  switcher() {
    const others = this.scenario.policies.filter((it) => it.series && it.kind !== "subject");
    if (others.length === 0) return null;
    const choices = others.map((it) => el("option", { value: it.name, selected: it === this.other }, it.name));
    const select = el("select", { onchange: () => {
      this.other = others.find((it) => it.name === select.value);
      this.draw();
    } }, ...choices, this.ours ? el("option", { value: "" }, "nobody") : null);
    const beside = el("label", { class: "beside" }, this.ours ? `${this.ours.name} beside ` : "Policy ", select);
    const window = this.scenario.incident ? el("span", { class: "hint" }, el("i", { class: "swatch shade", "aria-hidden": "true" }), "something is wrong") : null;
    return el("div", { class: "switch" }, beside, window);
  }

  draw() {
    this.destroy();
    const shown = [this.ours, this.other].filter((it) => it);
    const sets = shown.map((policy) => plots(policy.series));
    this.grid.classList.toggle("single", shown.length === 1);
    for (const at of sets[0].keys()) {
      const alike = sets.map((set) => set[at]);
      shown.forEach((policy, side) => {
        const host = el("figure");
        this.grid.append(host);
        this.charts.push(chart(host, alike[side], {
          policy: policy.name, times: times(policy.series), scale: range(alike[side], alike), incident: this.scenario.incident,
          key: this.scenario.name, pick: this.pick,
        }));
      });
    }
    if (this.step !== null) this.mark(this.step);
    count();
  }

  mark(step) {
    this.step = step;
    this.charts.forEach((it) => it.mark(step));
  }

  destroy() {
    this.charts.forEach((it) => it.destroy());
    this.charts = [];
    this.grid.replaceChildren();
  }
}

// A scenario: its line is always there, the rest is made when it is opened.
class Section {
  constructor(scenario, at) {
    this.scenario = scenario;
    this.ours = scenario.policies.find((it) => it.kind === "subject");
    this.why = Boolean(this.ours && this.ours.series && this.ours.series.why);
    this.plotted = scenario.policies.some((it) => it.series);
    const seconds = this.why ? this.ours.series.steps * this.ours.series.step : undefined;
    this.body = el("div", { class: "inside" });
    this.node = el("details", { class: "scenario", id: `scenario-${at}`, "data-name": encodeURIComponent(scenario.name), "data-explained-s": seconds },
      this.summary(), this.body);
    this.node.addEventListener("toggle", () => (this.node.open ? this.open() : this.close()));
  }

  summary() {
    const bars = data.bars.filter((it) => it.scenario === this.scenario.name);
    const held = bars.filter((it) => it.holds).length;
    const chip = bars.length ? el("span", { class: `pill ${held === bars.length ? "good" : "bad"}` }, held === bars.length ? "holds" : `${bars.length - held} of ${bars.length} missed`) : null;
    const regret = this.ours && this.ours.metrics.regret && known(this.ours.metrics.regret[0]) ? el("span", { class: "number" }, `regret ${(100 * this.ours.metrics.regret[0]).toFixed(1)} %`) : null;
    return el("summary", {}, el("h3", {}, this.scenario.name), el("span", { class: "question" }, this.scenario.question), el("span", { class: "end" }, regret, chip));
  }

  open() {
    this.node.open = true;
    if (this.body.childElementCount > 0) return;
    const bars = data.bars.filter((it) => it.scenario === this.scenario.name);
    this.body.append(...[metricsTable(this.scenario), everyMetric(this.scenario), bars.length ? barList(bars, true) : null].filter(known));
    if (!this.plotted) {
      this.body.append(el("p", { class: "hint" }, "What happened over time was not recorded."));
      return;
    }
    this.curves = new Curves(this.scenario, (step) => this.why && known(step) && this.explain(step, true));
    this.body.append(this.curves.node);
    if (this.why) {
      this.panel = whyPanel(this.scenario.name, this.ours.series, (step) => this.curves.mark(step), (step) => this.remember(step));
      this.body.append(this.panel.node);
    }
    this.curves.draw();
    if (this.why) this.explain(this.first(), false);
  }

  // The step shown at first: in the middle of what goes wrong.
  first() {
    const { incident } = this.scenario;
    return this.stepAt(incident ? (incident[0] + incident[1]) / 2 : 0);
  }

  stepAt(seconds) {
    const { step, steps } = this.ours.series;
    return Math.min(Math.max(Math.round(seconds / step) - 1, 0), steps - 1);
  }

  explain(step, remembered) {
    this.panel.show(step);
    if (remembered) this.remember(step);
  }

  // Keeps the instant in the page's address, so that it can be passed on.
  remember(step) {
    history.replaceState(null, "", `#why=${encodeURIComponent(this.scenario.name)}/${this.panel.ends[step]}`);
  }

  close() {
    if (this.curves) this.curves.destroy();
    this.curves = this.panel = undefined;
    this.body.replaceChildren();
    count();
  }

  redraw() {
    if (this.curves) this.curves.draw();
  }
}

const fragment = (name) => `#${encodeURIComponent(name)}`;

function named(text) {
  const name = decodeURIComponent(text);
  const names = scenarios.map((it) => it.scenario.name);
  const exact = names.indexOf(name);
  return scenarios[exact >= 0 ? exact : names.findIndex((it) => name !== "" && it.startsWith(name))];
}

// Goes where the address says; false if it says nothing that is here.
function follow(hash) {
  const text = hash.slice(1);
  if (text === "all") {
    scenarios.forEach((it) => it.open());
    return true;
  }
  const [, why, seconds] = /^why=(.*)\/([0-9.]+)$/.exec(text) || [];
  const section = named(why === undefined ? text : why);
  if (!section) return false;
  section.open();
  if (why !== undefined && section.why) {
    section.explain(section.stepAt(Number(seconds)), false);
    section.panel.node.scrollIntoView();
  } else {
    section.node.scrollIntoView();
  }
  return true;
}

function go(hash) {
  history.pushState(null, "", hash);
  follow(hash);
}

function count() {
  document.body.dataset.charts = document.querySelectorAll(".plot .uplot").length;
}

function redraw() {
  clearTimeout(redrawing);
  redrawing = setTimeout(() => scenarios.forEach((it) => it.redraw()), 0);
}

function start() {
  const page = document.getElementById("page");
  scenarios.push(...data.scenarios.map((it, at) => new Section(it, at)));
  const every = el("button", { type: "button", onclick: () => {
    const open = scenarios.some((it) => !it.node.open);
    scenarios.forEach((it) => (open ? it.open() : (it.node.open = false)));
  } }, "Open or close all");
  page.append(...[verdict(), barsSection(), regretSection(), productionSection(),
    el("section", { "aria-label": "Scenarios" }, el("div", { class: "row" }, el("h2", {}, "Scenarios"), every), ...scenarios.map((it) => it.node))].filter(known));
  if (!follow(location.hash)) {
    const first = scenarios.find((it) => it.plotted) || scenarios[0];
    if (first) first.open();
  }
  window.addEventListener("hashchange", () => follow(location.hash));
  document.addEventListener("click", (event) => {
    const link = event.target.closest ? event.target.closest("a[href^='#']") : null;
    if (!link) return;
    event.preventDefault();
    event.stopPropagation();
    go(link.getAttribute("href"));
  }, true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  count();
  document.body.dataset.ready = "true";
}

start();
