// What is spent of every budget, will it last, and who used what?

import { bar } from "../figure.js";
import { count, dollars, instant, micros, percent, seconds, words } from "../format.js";
import { get, query } from "../api.js";
import { h, named } from "../dom.js";
import { chart } from "../chart.js";
import { loading, panel, renew, show, time } from "../say.js";
import { table } from "../table.js";

const AGAIN_MS = 10_000;
const NANO = 1e9;
// A span shorter than this part of its window says too little of how it goes on.
const LEAST_PART = 0.02;

const GROUPS = [
  ["key", "Key"],
  ["team", "Team"],
  ["customer", "Customer"],
  ["model", "Model"],
  ["provider", "Provider"],
  ["route", "Route"],
];

export function budgets() {
  let group = "key";
  const list = h("div", { style: { "min-height": "180px" } }, loading());
  const usage = h("div", { style: { "min-height": "240px" } }, loading());
  const mine = new AbortController();
  const days = chart({ title: "Spent by day", note: "the last 30 days, by UTC", series: [{ key: "spent", label: "spent", colour: 1 }], form: dollars, bars: true, height: 190 });

  const loadBudgets = () => get("/api/budgets?limit=1000", mine.signal);
  const loadUsage = () => get(`/api/usage${query({ group, limit: 50 })}`, mine.signal);

  async function loadDays() {
    try {
      const found = await get(`/api/usage${query({ group: "day", limit: 40 })}`, mine.signal);
      const rows = found.data.filter((row) => row.group[0]).sort((one, other) => one.group[0].localeCompare(other.group[0]));
      days.set({ at_us: rows.map((row) => Date.parse(row.group[0]) * 1_000), series: { spent: rows.map((row) => row.charged_nano_dollars / NANO) } });
    } catch {
      // The panels beside it say why there is nothing.
    }
  }

  const buttons = GROUPS.map(([name, label]) =>
    h("button", { type: "button", "aria-pressed": String(name === group), on: { click: (event) => {
      group = name;
      for (const one of buttons) one.setAttribute("aria-pressed", String(one === event.currentTarget));
      show(usage, loadUsage, usageTable);
    } } }, label),
  );

  // Why hidden: what stands below a table that is not there yet would jump.
  const below = h("div", { class: "grid" }, h("div", { class: "w7" }, h("section", { class: "panel", "aria-label": "Used by" }, h("header", {}, h("h2", {}, "Used in 30 days"), h("div", { class: "switch push", role: "group", "aria-label": "Group by" }, buttons)), usage)), h("div", { class: "w5" }, days.node));
  below.hidden = true;
  const rows = budgetTable();
  const drawBudgets = (page) => {
    rows.set(page.data);
    return rows.node;
  };
  show(list, loadBudgets, drawBudgets).then(() => (below.hidden = false));
  show(usage, loadUsage, usageTable);
  loadDays();
  const timer = setInterval(() => document.hidden || document.querySelector("dialog[open]") || renew(list, loadBudgets, drawBudgets), AGAIN_MS);

  return {
    title: "Budgets",
    node: h(
      "div",
      { class: "stack" },
      panel("Budgets", "spent, reserved by what is in flight, and when it ends at this pace", list),
      below,
    ),
    stop() {
      mine.abort();
      clearInterval(timer);
      days.stop();
    },
  };
}

// When a budget ends at the pace of its window so far: µs since 1970, or null where that cannot be told or lies beyond the window.
export function projected(budget, nowUs) {
  const [start, end] = [micros(budget.window_start), micros(budget.window_end)];
  const gone = nowUs - start;
  const taken = budget.spent + budget.reserved;
  if (!(taken > 0) || !(gone > LEAST_PART * (end - start))) return null;
  if (taken >= budget.limit) return nowUs;
  const at = nowUs + ((budget.limit - taken) * gone) / taken;
  return at < end ? at : null;
}

function budgetTable() {
  return table({
    caption: "Budgets",
    nothing: "No budget is set: give one to a customer, team, key or provider.",
    key: (row) => `${row.tier}/${row.name}/${row.provider ?? ""}`,
    sort: { by: "share", down: true },
    columns: [
      { key: "name", label: "Whose", value: (row) => row.name, cell: (row) => [named(row.name), h("span", { class: "sub" }, named(row.provider ? `${words(row.tier)}, at ${row.provider}` : words(row.tier)))] },
      { key: "share", label: "Spent", wide: true, number: true, value: share, cell: (row) => h("div", { class: "stack", style: { gap: "4px", "min-width": "150px" } }, bar(row.limit ? row.spent / row.limit : 0, row.limit ? row.reserved / row.limit : 0, share(row) >= 1 ? "bad" : share(row) >= 0.85 ? "warn" : ""), h("span", { class: "note" }, `${percent(share(row))}, ${share(row) >= 1 ? "used up" : share(row) >= 0.85 ? "nearly spent" : "in order"}`)) },
      { key: "spent", label: "Spent", number: true, value: (row) => row.spent, cell: (row) => dollars(row.spent) },
      { key: "reserved", label: "Reserved", number: true, value: (row) => row.reserved, cell: (row) => dollars(row.reserved) },
      { key: "left", label: "Left", number: true, value: (row) => row.left, cell: (row) => dollars(row.left) },
      { key: "limit", label: "Limit", number: true, value: (row) => row.limit, cell: (row) => [dollars(row.limit), h("span", { class: "sub" }, `per ${row.period}, ${row.hard ? "hard" : "soft"}`)] },
      { key: "window", label: "Window ends", value: (row) => row.window_end, cell: (row) => [time(micros(row.window_end), instant), h("span", { class: "sub" }, named([row.style, row.zone].filter(Boolean).join(", ")))] },
      { key: "ends", label: "At this pace", value: (row) => projected(row, Date.now() * 1_000), cell: (row) => ends(row, Date.now() * 1_000) },
    ],
  });
}

const share = (row) => (row.limit > 0 ? (row.spent + row.reserved) / row.limit : 0);

function ends(row, nowUs) {
  if (row.opens_at) return h("span", { class: "pill bad" }, `opens in ${seconds((micros(row.opens_at) - nowUs) / 1e6)}`);
  const at = projected(row, nowUs);
  if (at === null) return row.spent > 0 ? h("span", { class: "pill good" }, "lasts") : "nothing spent";
  return h("span", { class: "pill warn", title: instant(at) }, `ends in ${seconds((at - nowUs) / 1e6)}`);
}

function usageTable(page) {
  const most = Math.max(1, ...page.data.map((row) => row.charged_nano_dollars));
  const rows = table({
    caption: "Used",
    nothing: "Nothing was used.",
    key: (row) => JSON.stringify(row.group),
    sort: { by: "charged", down: true },
    columns: [
      { key: "group", label: "Who", value: (row) => row.group.join(" "), cell: (row) => named(row.group.map((one) => one ?? "none").join(", ")) },
      { key: "bar", label: "", wide: true, cell: (row) => bar(row.charged_nano_dollars / most) },
      { key: "charged", label: "Charged", number: true, value: (row) => row.charged_nano_dollars, cell: (row) => dollars(row.charged_nano_dollars / NANO) },
      { key: "attempts", label: "Attempts", number: true, value: (row) => row.attempts, cell: (row) => count(row.attempts) },
      { key: "failed", label: "Failed", number: true, value: (row) => row.failed / Math.max(1, row.attempts), cell: (row) => percent(row.failed / Math.max(1, row.attempts)) },
      { key: "tokens", label: "Tokens in → out", number: true, value: (row) => row.input + row.cached + row.output, cell: (row) => `${count(row.input + row.cached)} → ${count(row.output + row.reasoning)}` },
    ],
  });
  rows.set(page.data);
  return rows.node;
}
