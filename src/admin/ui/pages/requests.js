// Which requests were there? A search over those that are kept, newest first, with those that end now.

import { get, query } from "../api.js";
import { count, dollars, ms, words } from "../format.js";
import { h, named, refill, say } from "../dom.js";
import { failed, loading, time } from "../say.js";
import { table } from "../table.js";

const PAGE = 100;
const TAIL_MS = 2_000;
// Rows on the page at most; older ones are found by a narrower search.
const MOST = 1_000;

const FIELDS = [
  { name: "q", label: "Id begins with", search: true },
  { name: "model", label: "Model" },
  { name: "route", label: "Route" },
  { name: "key", label: "Key" },
  { name: "ending", label: "Ending", of: ["ok", "client_error", "upstream_error", "shed", "client_gone", "internal"] },
  { name: "error", label: "Error" },
  { name: "cache", label: "Cache", of: ["hit", "semantic", "coalesced", "miss"] },
  { name: "min_ms", label: "At least ms", type: "number" },
  { name: "from", label: "From", type: "datetime-local" },
  { name: "to", label: "To", type: "datetime-local" },
];

export function requests({ query: asked }) {
  const inputs = new Map();
  const found = h("p", { class: "note", role: "status", "aria-live": "polite" });
  const box = h("div", {}, loading());
  const foot = h("div", { class: "tell" });
  const tail = h("input", { type: "checkbox", checked: true });
  let rows = [];
  let next = null;
  let asking = null;
  let loadingMore = false;

  const shown = table({
    caption: "Requests",
    nothing: "No request matches.",
    look: "fixed",
    // Why by place: a row that gets other figures moves nothing, one that is pushed down moves all below it.
    key: (row) => row.place,
    same: (row) => row.number,
    columns: [
      { key: "at", label: "When", cell: (row) => h("a", { href: `#/requests/${encodeURIComponent(row.number)}`, title: row.id }, time(row.at_us)) },
      { key: "id", label: "Id", look: "roomy", cell: (row) => h("span", { class: "mono" }, named(short(row.id), { title: row.id })) },
      { key: "model", label: "Model", cell: (row) => [named(row.model ?? row.asked), row.workflow ? h("span", { class: "sub" }, named(row.workflow)) : null] },
      { key: "key", label: "Key", cell: (row) => named(row.key) },
      { key: "route", label: "Route", look: "name", wide: true, cell: (row) => [named(row.route), row.attempts > 1 ? h("span", { class: "sub" }, `${row.attempts} attempts`) : null] },
      { key: "ending", label: "Ending", cell: (row) => [ending(row), row.error ? h("span", { class: "sub" }, named(words(row.error))) : null] },
      { key: "took", label: "Took", number: true, cell: (row) => ms(row.took_ms) },
      { key: "first", label: "First token", number: true, cell: (row) => ms(row.ttft_ms) },
      { key: "tokens", label: "Tokens", number: true, cell: (row) => `${count(row.tokens_in)} → ${count(row.tokens_out)}` },
      { key: "cost", label: "Cost", number: true, cell: (row) => (row.cache && row.saved > 0 ? h("span", { class: "pill good", title: "saved by the cache" }, `−${dollars(row.saved)}`) : dollars(row.cost)) },
    ],
  });

  function values() {
    const all = {};
    for (const [name, input] of inputs) all[name] = input.value.trim();
    for (const name of ["from", "to"]) if (all[name]) all[name] = new Date(all[name]).toISOString();
    return all;
  }

  async function search() {
    asking?.abort();
    asking = new AbortController();
    const mine = asking;
    history.replaceState(null, "", `#/requests${query(values())}`);
    try {
      const page = await get(`/api/requests${query({ ...values(), limit: PAGE })}`, mine.signal);
      rows = page.requests;
      next = page.next;
      refill(box, shown.node);
      draw(page);
    } catch (error) {
      if (error.name === "AbortError") return;
      refill(box, failed(error, search));
      refill(foot);
      say(found, "");
      tail.checked = false;
    }
  }

  function draw(page) {
    shown.set(rows.map((row, place) => ({ ...row, place })));
    say(found, `${rows.length} shown${page?.complete === false ? ", the search goes on further back" : ""}`);
    if (next && rows.length < MOST) refill(foot, h("button", { class: "btn", type: "button", on: { click: more } }, "Older requests"));
    else refill(foot, next ? "More are kept: narrow the search to see older ones." : rows.length ? "That is all that is kept." : "");
  }

  async function more() {
    if (!next || loadingMore || rows.length >= MOST) return;
    loadingMore = true;
    try {
      const page = await get(`/api/requests${query({ ...values(), limit: PAGE, before: next })}`, asking?.signal);
      rows = merged(rows, page.requests);
      next = page.next;
      draw(page);
    } catch (error) {
      if (error.name !== "AbortError") refill(foot, failed(error, more));
    }
    loadingMore = false;
  }

  // Those that ended since, on top; not while the reader is further down or has a row in hand.
  async function renew() {
    const busy = document.hidden || scrollY > 200 || loadingMore || box.matches(":hover") || box.contains(document.activeElement);
    if (!tail.checked || busy || !box.contains(shown.node)) return;
    try {
      const page = await get(`/api/requests${query({ ...values(), limit: PAGE })}`, asking?.signal);
      rows = merged(page.requests, rows).slice(0, MOST);
      draw(page);
    } catch (error) {
      if (error.name !== "AbortError") say(found, `not live: ${error.message}`);
    }
  }

  const form = h("form", { class: "filters", role: "search", on: { submit: (event) => (event.preventDefault(), search()) } }, FIELDS.map((field) => {
    const common = { name: field.name, value: asked.get(field.name) ?? "", autocomplete: "off", "data-search": field.search, on: { change: search } };
    const input = field.of ? h("select", { name: field.name, on: { change: search } }, h("option", { value: "" }, "any"), field.of.map((one) => h("option", { value: one }, words(one)))) : h("input", { type: field.type ?? "text", ...common });
    if (field.of) input.value = asked.get(field.name) ?? "";
    inputs.set(field.name, input);
    return h("label", { class: "field" }, field.label, input);
  }), h("button", { class: "btn", type: "button", on: { click: () => (clear(inputs), search()) } }, "Clear"), h("button", { class: "btn primary", type: "submit" }, "Search"));

  const sight = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && next && more(), { rootMargin: "300px" });
  sight.observe(foot);
  const timer = setInterval(renew, TAIL_MS);
  search();

  return {
    title: "Requests",
    node: h(
      "div",
      { class: "stack" },
      h("section", { class: "panel", "aria-label": "Search" }, form),
      h("section", { class: "panel flush", "aria-label": "Requests", style: { "min-height": "420px" } }, h("header", {}, h("label", { class: "row small", title: "Waits while the pointer is over the table" }, tail, "Live"), found), box, foot),
    ),
    stop() {
      clearInterval(timer);
      sight.disconnect();
      asking?.abort();
    },
  };
}

export function ending(row) {
  const tone = { ok: "good", upstream_error: "bad", internal: "bad", shed: "warn" }[row.ending] ?? "";
  return h("span", { class: `pill ${tone}`, title: `status ${row.status}` }, row.ending === "ok" && row.cache && row.cache !== "miss" ? `ok, ${row.cache}` : words(row.ending));
}

const short = (id) => (id.length > 24 ? `${id.slice(0, 22)}…` : id);

function merged(first, then) {
  const there = new Set(first.map((row) => row.number));
  return [...first, ...then.filter((row) => !there.has(row.number))];
}

function clear(inputs) {
  for (const input of inputs.values()) input.value = "";
}
