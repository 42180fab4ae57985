// Curves over time: one chart is one question about one policy, with the incident shaded and one instant marked.
//
// Legends are ours and not uPlot's: they show the values where the pointer is, else at the marked instant, and stacked shares as what they are.
"use strict";

const CHART_HEIGHT = 170;
const AXIS_WIDTH = 46;
const ROUTE_COLOURS = 8;
// Beyond this ratio a linear axis hides everything but the peak.
const LOG_FROM = 30;

// An element with attributes and children; text is only ever set as text.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((it) => it !== null && it !== undefined));
  return node;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const routeColour = (at) => (at < ROUTE_COLOURS ? css(`--route-${at}`) : `hsl(${(at * 137.5) % 360} 45% 55%)`);

// Seconds as `mm:ss` or `h:mm:ss`.
function clock(seconds) {
  const whole = Math.round(seconds);
  const two = (it) => String(it).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// A column of a series: one value a step, whether it was written so or once for all.
const unpack = (column, steps) => (Array.isArray(column) ? column : new Array(steps).fill(column));

// The end of each step, in seconds.
const times = (series) => Array.from({ length: series.steps }, (_, at) => (at + 1) * series.step);

const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(value < 0.1 && value > 0 ? 1 : 0)} %`);
const plain = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(3))));

// What is plotted of a policy: for each chart its title, how its values read, and its curves.
// `stacked` curves are given as they are; they are summed where they are drawn.
function plots(series) {
  const column = (it) => unpack(it, series.steps);
  const routes = series.routes.map((route, at) => ({ name: route.name, colour: () => routeColour(at), ...route }));
  const picks = routes.map((route) => column(route.picks));
  const total = picks.length ? picks[0].map((_, step) => picks.reduce((sum, it) => sum + it[step], 0)) : [];
  const share = (values) => values.map((value, step) => (total[step] > 0 ? value / total[step] : null));
  const perSecond = (values) => values.map((value) => value / series.step);
  const summed = (part) => perSecond(routes.map((route) => column(route[part])).reduce((sum, it) => sum.map((value, step) => value + it[step]), new Array(series.steps).fill(0)));
  const latency = (it) => column(it).map((value) => (value > 0 ? value : null));
  const curve = (label, colour, values, more) => ({ label, colour: () => css(colour), values, ...more });
  return [
    {
      key: "share", title: "First attempts by route", unit: "share", format: percent, stacked: true, top: 1,
      curves: routes.map((route, at) => ({ label: route.name, colour: route.colour, values: share(picks[at]) })),
    },
    {
      key: "score", title: "Score by route", unit: "dashed: the truth", format: plain, top: 1.05,
      curves: routes.flatMap((route) => [
        { label: route.name, colour: route.colour, values: column(route.score) },
        { label: `${route.name} really`, colour: route.colour, values: column(route.truth).map((it) => (it > 0 ? 1 / it : null)), dash: [4, 4], quiet: true },
      ]),
    },
    {
      key: "latency", title: "Latency", unit: "× of the best route in health", format: plain, log: true,
      curves: [curve("p50", "--calm", latency(series.p50)), curve("p99", "--loud", latency(series.p99))],
    },
    {
      key: "trouble", title: "Trouble", unit: "a second", format: plain, stepped: true,
      curves: [
        curve("failed attempts", "--failed", summed("failures")),
        curve("429s", "--refused", summed("refused")),
        curve("lost", "--lost", perSecond(column(series.lost))),
        curve("shed", "--shed", perSecond(column(series.shed))),
      ],
    },
  ];
}

// Smallest and largest value of the curves of some plots.
function extent(list) {
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of list.flatMap((plot) => plot.curves)) {
    for (const value of values) {
      if (value === null || !Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? { low, high } : { low: 0, high: 1 };
}

// The y range of a plot that shares its scale with `list`.
function range(plot, list) {
  const { low, high } = extent(list);
  if (plot.top) return { low: 0, high: plot.top, log: false };
  if (plot.log && low > 0 && high / low > LOG_FROM) return { low: low / 1.2, high: high * 1.2, log: true };
  return { low: 0, high: high > 0 ? high * 1.08 : 1, log: false };
}

// What is drawn of a plot: stacked curves are summed, the tallest first so that the lower ones cover it.
function drawn(plot) {
  if (!plot.stacked) return plot.curves.map((curve) => ({ ...curve, points: curve.values }));
  let below = null;
  const layers = plot.curves.map((curve) => {
    below = curve.values.map((value, step) => (value === null ? null : value + (below ? below[step] || 0 : 0)));
    return { ...curve, points: below, filled: true };
  });
  return layers.reverse();
}

// The legend: a swatch, a name and the value of each curve.
function legend(plot) {
  const outputs = plot.curves.map(() => el("output", {}, ""));
  const items = plot.curves.map((curve, at) => {
    if (curve.quiet) return null;
    const swatch = el("i", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = curve.colour();
    return el("li", {}, swatch, `${curve.label} `, outputs[at]);
  });
  const show = (step) => plot.curves.forEach((curve, at) => {
    outputs[at].textContent = step === null ? "" : plot.format(curve.values[step]);
  });
  return { node: el("ul", { class: "legend" }, ...items), show };
}

function axis(plot, more) {
  return { stroke: css("--muted"), font: "11px system-ui, sans-serif", grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, ...more };
}

// Shades the time in which something is wrong; over filled curves, where the shade is lost, its ends are dashed as well.
function shade(incident, ends) {
  return (u) => {
    if (!incident) return;
    const { left, top, width, height } = u.bbox;
    const [from, until] = incident.map((at) => Math.min(Math.max(u.valToPos(at, "x", true), left), left + width));
    u.ctx.save();
    u.ctx.fillStyle = css("--shade");
    u.ctx.fillRect(from, top, until - from, height);
    if (ends) {
      u.ctx.strokeStyle = css("--surface");
      u.ctx.lineWidth = 2 * devicePixelRatio;
      u.ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
      u.ctx.beginPath();
      for (const at of [from, until]) {
        u.ctx.moveTo(at, top);
        u.ctx.lineTo(at, top + height);
      }
      u.ctx.stroke();
    }
    u.ctx.restore();
  };
}

function options(plot, context, hooks) {
  const { scale, incident, key, width } = context;
  const paths = plot.stepped ? { paths: uPlot.paths.stepped({ align: -1 }) } : {};
  const curves = drawn(plot).map((curve) => ({
    label: curve.label, stroke: curve.filled ? css("--surface") : curve.colour(), width: curve.filled ? 1 : curve.quiet ? 1 : 1.75,
    fill: curve.filled ? curve.colour() : undefined, dash: curve.dash, points: { show: false }, ...paths,
  }));
  const ticks = (_, values) => values.map((it) => (it === null ? "" : plot.format === percent ? `${Math.round(100 * it)} %` : plain(it)));
  return {
    width, height: CHART_HEIGHT, legend: { show: false },
    scales: { x: { time: false }, y: { distr: scale.log ? 3 : 1, range: [scale.low, scale.high] } },
    axes: [
      axis(plot, { values: (_, values) => values.map(clock), size: 24, gap: 4, space: 70, incrs: [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400] }),
      axis(plot, { values: ticks, size: AXIS_WIDTH, gap: 4, space: 34 }),
    ],
    series: [{}, ...curves],
    cursor: { sync: { key, setSeries: false, scales: ["x", null] }, y: false, points: { show: false } },
    hooks,
  };
}

// Draws one plot into `host`.
// Returns `mark(step)`, which shows an instant, and `destroy()`.
function chart(host, plot, context) {
  const labels = legend(plot);
  const title = el("h5", {}, plot.title, " ", el("small", {}, plot.unit));
  const canvas = el("div", { class: "plot", role: "img", "aria-label": `${plot.title}, ${context.policy}` });
  host.append(el("header", {}, title, el("span", { class: "of" }, context.policy)), labels.node, canvas);
  const line = el("div", { class: "instant", hidden: true });
  let marked = null;
  const place = (u) => {
    const left = marked === null ? -1 : u.valToPos(context.times[marked], "x");
    line.hidden = left < 0 || left > u.over.clientWidth;
    line.style.transform = `translateX(${left}px)`;
  };
  const hooks = {
    drawClear: plot.stacked ? [] : [shade(context.incident, false)],
    draw: plot.stacked ? [shade(context.incident, true), place] : [place],
    setCursor: [(u) => labels.show(u.cursor.idx ?? marked)],
    ready: [(u) => {
      u.over.append(line);
      u.over.addEventListener("click", () => context.pick(u.cursor.idx));
    }],
  };
  const data = [context.times, ...drawn(plot).map((curve) => curve.points)];
  const u = new uPlot(options(plot, { ...context, width: canvas.clientWidth || 300 }, hooks), data, canvas);
  const resized = new ResizeObserver(() => {
    if (canvas.clientWidth > 0 && canvas.clientWidth !== u.width) u.setSize({ width: canvas.clientWidth, height: CHART_HEIGHT });
  });
  resized.observe(canvas);
  return {
    mark(step) {
      marked = step;
      labels.show(step);
      place(u);
    },
    destroy() {
      resized.disconnect();
      u.destroy();
      host.replaceChildren();
    },
  };
}
