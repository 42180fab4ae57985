// Which policy does better on a replay, and what would the shadow policy do? A report is read in the browser and goes nowhere.

import { chart } from "../chart.js";
import { bullet } from "../figure.js";
import { get } from "../api.js";
import { count, exact, ms, number, percent } from "../format.js";
import { h, named, refill } from "../dom.js";
import { check, value } from "../report.js";
import { loading, panel, show } from "../say.js";
import { table } from "../table.js";

const METRICS = [
  { key: "regret", label: "Regret", form: percent, better: "low", note: "mean cost above the clairvoyant's" },
  { key: "cost_ms", label: "Cost", form: ms, better: "low", note: "of a request: time, failures and money" },
  { key: "success", label: "Success", form: percent, better: "high", note: "requests that somebody answered" },
  { key: "first_attempt", label: "First attempt", form: percent, better: "high", note: "answered at the first attempt" },
];

// A report stays open while other pages are looked at.
let kept = null;

export function simulator() {
  const box = h("div", { class: "stack" });
  const shadow = h("div", { style: { "min-height": "120px" } }, loading());
  const wrong = h("p", { class: "notice bad", role: "alert", hidden: true });
  const input = h("input", { type: "file", accept: ".json,application/json", "aria-label": "Replay report", hidden: true, on: { change: chosen } });
  const zone = h(
    "div",
    { class: "drop", on: { dragover: over, dragleave: () => zone.classList.remove("over"), drop: dropped } },
    h("strong", {}, "Open a replay report"),
    h("span", { class: "muted small" }, "Drop the file here, or choose it. It is read in this browser only."),
    h("button", { class: "btn primary", type: "button", "data-search": true, on: { click: () => input.click() } }, "Choose a file…"),
    h("code", { class: "muted" }, "trimtab replay --suite --json report.json"),
    input,
  );
  let charts = [];

  function over(event) {
    event.preventDefault();
    zone.classList.add("over");
  }

  function dropped(event) {
    event.preventDefault();
    zone.classList.remove("over");
    read(event.dataTransfer.files[0]);
  }

  // Emptied at once, so that the same file can be opened again after it was written anew.
  function chosen() {
    const [file] = input.files;
    input.value = "";
    read(file);
  }

  async function read(file) {
    if (!file) return;
    wrong.hidden = true;
    try {
      kept = { name: file.name, report: check(JSON.parse(await file.text())) };
      draw();
    } catch (error) {
      refill(wrong, `${file.name}: ${error instanceof SyntaxError ? "this is no JSON" : error.message}`);
      wrong.hidden = false;
    }
  }

  function stopCharts() {
    for (const one of charts) one.stop();
    charts = [];
  }

  function draw() {
    stopCharts();
    if (!kept) return;
    refill(box, reportView(kept, (made) => {
      stopCharts();
      charts = made;
    }));
  }

  draw();
  show(shadow, () => get("/api/shadow"), shadowView);
  return { title: "Simulator", node: h("div", { class: "stack" }, zone, wrong, box, panel("Shadow policy", "what other constants would choose for the traffic of now", shadow)), stop: stopCharts };
}

function reportView({ name, report }, keep) {
  let metric = METRICS.find((one) => report.scenarios.some((scenario) => scenario.policies.some((policy) => policy.metrics[one.key]))) ?? METRICS[0];
  let open = report.scenarios.find((one) => one.policies.some((policy) => policy.series)) ?? report.scenarios[0];
  const grid = h("div");
  const detail = h("div", { class: "stack" });
  const note = h("span", { class: "note" });
  const there = METRICS.filter((one) => report.scenarios.some((scenario) => scenario.policies.some((policy) => policy.metrics[one.key])));
  const buttons = there.map((one) => h("button", { type: "button", "aria-pressed": String(one === metric), on: { click: (event) => {
    metric = one;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
    drawGrid();
  } } }, one.label));

  function drawGrid() {
    refill(note, metric.note);
    refill(grid, heat(report, metric, open, (scenario) => {
      open = scenario;
      drawGrid();
      drawDetail();
    }));
  }

  function drawDetail() {
    const made = scenarioView(open, report.subject);
    keep(made.charts);
    refill(detail, made.node);
  }

  drawGrid();
  if (open) drawDetail();
  const missed = report.scenarios.flatMap((one) => one.bars).concat(report.pack).filter((one) => !one.holds).length;
  const verdict = report.holds ? h("p", { class: "notice good" }, "Every bar holds.") : h("p", { class: "notice bad" }, `${count(missed)} bars fall short.`);
  return h(
    "div",
    { class: "stack" },
    h("section", { class: "panel", "aria-label": "Report" }, h("header", {}, h("h2", {}, named(name)), h("span", { class: "note" }, named(`version ${report.version}, seeds ${report.seeds.join(", ")}, ${count(report.scenarios.length)} scenarios`))), verdict),
    h("section", { class: "panel flush", "aria-label": "Policies compared" }, h("header", {}, h("h2", {}, "Policies compared"), note, h("div", { class: "switch push", role: "group", "aria-label": "Metric" }, buttons)), grid),
    detail,
  );
}

// Scenarios by policies: the number, and a colour by how far it is from the best of its row.
function heat(report, metric, open, choose) {
  const policies = [...new Set(report.scenarios.flatMap((one) => one.policies.map((policy) => policy.policy)))].filter((name) => !name.startsWith("oracle"));
  policies.sort((one, other) => (other === report.subject) - (one === report.subject));
  const rows = report.scenarios.map((scenario) => {
    const figures = policies.map((name) => value(scenario, name, metric.key));
    const real = figures.filter((one) => one !== null);
    const best = metric.better === "low" ? Math.min(...real) : Math.max(...real);
    const cells = figures.map((figure, at) => {
      const off = figure === null ? 0 : Math.abs(figure - best) / Math.max(Math.abs(best), metric.form === percent ? 0.2 : 1e-9);
      const strength = Math.min(1, off) * 42;
      return h("td", { class: "cell", "data-label": policies[at], style: { background: strength > 1 ? `color-mix(in srgb, var(--c5) ${strength.toFixed(0)}%, var(--panel))` : "" } }, figure !== null && figure === best ? h("strong", {}, metric.form(figure)) : metric.form(figure));
    });
    return h("tr", { class: scenario === open ? "open" : null }, h("th", { scope: "row" }, h("button", { type: "button", "aria-pressed": String(scenario === open), title: scenario.question, on: { click: () => choose(scenario) } }, named(scenario.name))), cells);
  });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Policies compared" }, h("table", { class: "heat" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Scenario"), policies.map((name) => h("th", { scope: "col", class: "num" }, name === report.subject ? h("strong", {}, named(name)) : named(name))))), h("tbody", {}, rows)));
}

function scenarioView(scenario, subject) {
  const run = scenario.policies.find((one) => one.series && one.policy === subject) ?? scenario.policies.find((one) => one.series);
  const head = panel(scenario.name, scenario.incident ? `something is wrong from ${number(scenario.incident[0])} s to ${number(scenario.incident[1])} s` : "nothing is wrong", h("p", {}, named(scenario.question)), barList(scenario.bars));
  if (!run) return { node: h("div", { class: "stack" }, head, h("p", { class: "note" }, "This report has no curves: write it with --html as well, or with one scenario.")), charts: [] };
  const { series } = run;
  const times = series.p50.map((_, at) => at * series.step_s * 1e6);
  const colours = (index) => (index % 8) + 1;
  const routes = series.routes.slice(0, 8);
  const lines = routes.map((one, index) => ({ key: String(index), label: one.name, colour: colours(index) }));
  const of = (pick) => ({ at_us: times, series: Object.fromEntries(routes.map((one, index) => [String(index), pick(one)])) });
  const runOf = { elapsed: true, shade: scenario.incident };
  const made = [
    chart({ title: "First attempts by route", ...runOf, note: "per step", series: lines, form: number, stacked: true }),
    chart({ title: "Score by route", ...runOf, series: lines, form: number, most: 1.02 }),
    chart({ title: "Latency over the best in health", ...runOf, series: [{ key: "p50", label: "p50", colour: 1 }, { key: "p99", label: "p99", colour: 5, dash: true }], form: number }),
    chart({ title: "Failed attempts by route", ...runOf, series: lines, form: number, stacked: true }),
  ];
  made[0].set(of((one) => one.picks));
  made[1].set(of((one) => one.score));
  made[2].set({ at_us: times, series: { p50: series.p50, p99: series.p99 } });
  made[3].set(of((one) => one.failures));
  return { node: h("div", { class: "stack" }, head, h("p", { class: "note" }, "Curves of ", named(run.policy), "; times count from the beginning of the run."), h("div", { class: "grid even" }, made.map((one) => h("div", { class: "w6" }, one.node)))), charts: made };
}

function barList(bars) {
  if (bars.length === 0) return null;
  return h("ul", { class: "list" }, bars.map((one) => h("li", {}, h("span", { class: `pill ${one.holds ? "good" : "bad"}` }, one.holds ? "holds" : "missed"), h("span", { class: "what" }, named(`${one.goal}: ${one.metric} is ${exact(one.value)}`), h("span", { class: "note" }, named(` ${one.at_least === null ? "" : `at least ${exact(one.at_least)}`} ${one.at_most === null ? "" : `at most ${exact(one.at_most)}`} ${one.note}`))))));
}

function shadowView(found) {
  const rows = table({
    caption: "Shadow policy",
    nothing: "No shadow policy is configured.",
    key: (row) => row.model,
    columns: [
      { key: "model", label: "Model", value: (row) => row.model, cell: (row) => named(row.model) },
      { key: "constants", label: "Differs in", wide: true, cell: (row) => named(row.constants.map((one) => `${one.name} ${one.live} → ${one.shadow}`).join(", ") || "–") },
      { key: "agreement", label: "Agrees", number: true, value: (row) => row.agreement, cell: (row) => [percent(row.agreement), h("span", { class: "sub" }, `${count(row.sampled)} sampled`)] },
      { key: "cost", label: "Cost", wide: true, cell: (row) => difference(row.estimates?.cost_ms, ms) },
      { key: "first", label: "First token", wide: true, cell: (row) => difference(row.estimates?.ttft_ms, ms) },
      { key: "success", label: "Success", wide: true, cell: (row) => difference(row.estimates?.success_rate, percent) },
      { key: "routes", label: "Share: live and | shadow", wide: true, cell: (row) => h("div", { class: "strip", style: { "min-width": "200px" } }, row.routes.map((one) => h("a", { href: `#/routes/${encodeURIComponent(one.route)}` }, named(one.route), bullet(one.live_share, one.shadow_share), h("span", { class: "num small" }, percent(one.shadow_share))))) },
    ],
  });
  rows.set(found.models);
  return rows.node;
}

function difference(estimate, form) {
  if (!estimate) return "–";
  if (estimate.refused) return h("span", { class: "note" }, named(`not told: ${estimate.refused}`));
  return h("span", {}, `${form(estimate.live)} → ${form(estimate.shadow)}`, h("span", { class: "sub" }, `${form(estimate.difference)} (${form(estimate.low)} to ${form(estimate.high)})`));
}
