// A chart over time, drawn only while it can be seen, with a legend that tells the values under the pointer or else the latest.

import { h, say } from "./dom.js";
import { clock, number, seconds } from "./format.js";
import { colour, onTheme } from "./theme.js";

const DAY_S = 86_400;

// `elapsed` times count from the beginning of a run, and `shade` marks a stretch of them, in seconds.
// Series: { key, label, colour, kind: "line" | "area", dash }. Stacked ones are drawn on top of each other and told one by one.
export function chart({ title, note, series, form, height = 168, stacked = false, most = null, step = false, bars = false, elapsed = false, shade = null }) {
  const values = series.map(() => h("b", {}, "–"));
  const at = h("li", { class: "at" });
  const legend = h(
    "ul",
    { class: series.length > 3 ? "legend many" : "legend" },
    series.map((one, index) => h("li", {}, h("i", { class: `key ${swatch(one, stacked || bars)} k${one.colour}` }), one.label, " ", values[index])),
    at,
  );
  const plot = h("div", { class: "plot", style: { height: `${height}px` }, role: "img", "aria-label": `${title}: chart` });
  const node = h(
    "section",
    { class: "panel chart" },
    h("header", {}, h("h2", {}, title), note ? h("span", { class: "note" }, note) : null),
    plot,
    legend,
  );

  let data = null;
  let drawn = null;
  let seen = false;
  let stale = false;

  function draw() {
    stale = true;
    if (!seen || !data) return;
    stale = false;
    const width = plot.clientWidth;
    if (width === 0) return;
    const shown = stacked ? stack(data) : data;
    // A single instant has no curve yet.
    if (shown[0].length < 2) return tell(null);
    if (drawn) drawn.setData(shown);
    else drawn = new uPlot(options(width), shown, plot);
    tell(null);
  }

  function tell(index) {
    const last = data[0].length - 1;
    const here = index ?? last;
    series.forEach((_, number) => say(values[number], form(data[number + 1][here] ?? null)));
    say(at, index === null || here < 0 ? "" : bars ? day(data[0][here]) : elapsed ? `${number(data[0][here])} s` : clock(data[0][here] * 1e6));
  }

  function options(width) {
    const axis = { stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width,
      height,
      padding: [8, 6, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false } },
      scales: { x: elapsed ? { time: false } : bars ? { range: (_, low, high) => [low - DAY_S / 2, high + DAY_S / 2] } : {}, y: { range: (_, low, high) => [0, most ?? (high > 0 ? high * 1.08 : 1)] } },
      axes: [
        { ...axis, size: 26, space: 64, values: (u, marks) => marks.map((mark) => (elapsed ? seconds(mark) : hour(mark, u))) },
        { ...axis, size: 58, space: 34, values: (_, marks) => marks.map((mark) => form(mark)) },
      ],
      series: [{}, ...series.map((one, index) => line(one, index))],
      bands: stacked ? series.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [],
      hooks: { drawClear: shade ? [shaded] : [], setCursor: [(u) => data && tell(u.cursor.idx ?? null)] },
    };
  }

  function shaded(u) {
    const [from, to] = shade.map((one) => u.valToPos(one, "x", true));
    u.ctx.save();
    u.ctx.fillStyle = colour("c5") + "1c";
    u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
    u.ctx.restore();
  }

  function line(one) {
    const stroke = colour(`c${one.colour}`);
    const filled = stacked || bars || one.kind === "area";
    return {
      stroke,
      width: stacked ? 1 : 1.6,
      dash: one.dash ? [5, 4] : undefined,
      fill: filled ? stroke + (stacked || bars ? "c8" : "22") : undefined,
      paths: bars ? uPlot.paths.bars({ size: [0.7, 48] }) : step ? uPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: false },
      spanGaps: false,
    };
  }

  const sight = new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    if (seen && stale) draw();
  }, { rootMargin: "120px" });
  sight.observe(node);
  const size = new ResizeObserver(() => {
    const width = plot.clientWidth;
    if (drawn && width > 0 && width !== drawn.width) drawn.setSize({ width, height });
    else if (!drawn && stale) draw();
  });
  size.observe(plot);
  const themed = onTheme(() => {
    drawn?.destroy();
    drawn = null;
    draw();
  });

  return {
    node,
    // Takes columns as the API gives them.
    set(columns) {
      const times = columns.at_us.map((one) => one / 1e6);
      const missing = times.map(() => null);
      data = [times, ...series.map((one) => columns.series[one.key] ?? missing)];
      draw();
    },
    stop() {
      sight.disconnect();
      size.disconnect();
      themed();
      drawn?.destroy();
    },
  };
}

function swatch(one, filled) {
  if (filled || one.kind === "area") return "area";
  return one.dash ? "dash" : "";
}

// Each on top of those before; nothing where no figure is known at all.
function stack(data) {
  const out = [data[0]];
  let before = null;
  for (const values of data.slice(1)) {
    const sums = values.map((value, index) => {
      const under = before?.[index] ?? null;
      return value === null || value === undefined ? under : value + (under ?? 0);
    });
    out.push(sums);
    before = sums;
  }
  return out;
}

// A day without its year; days of the API are days of UTC.
const day = (seconds) => new Date(seconds * 1_000).toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" });

function hour(mark, u) {
  const { min, max } = u.scales.x;
  if (max - min > 3 * DAY_S) return day(mark);
  const at = new Date(mark * 1_000);
  const two = (value) => String(value).padStart(2, "0");
  const text = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return max - min < 240 ? `${text}:${two(at.getSeconds())}` : text;
}
