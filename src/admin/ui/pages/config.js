// What is in force, where does it come from, and what would a reload change?

import { ask, get, send } from "../api.js";
import { asked } from "../dialog.js";
import { ago, count, instant, words } from "../format.js";
import { h, named, refill, say } from "../dom.js";
import { empty, loading, panel, renew, time } from "../say.js";
import { live } from "../live.js";
import { table } from "../table.js";

// Time that a reload is given before its outcome is read.
const RELOAD_MS = 700;

export function config({ query }) {
  let text = query.get("q") ?? "";
  let own = false;
  const mine = new AbortController();
  const settings = h("div", { style: { "min-height": "420px" } }, loading());
  const about = h("div", { style: { "min-height": "62px" } }, loading());
  const pending = h("div", { style: { "min-height": "72px" } }, loading());
  const tenants = h("div", { style: { "min-height": "72px" } }, loading());
  const outcome = h("p", { class: "log small muted", role: "status", "aria-live": "polite" });
  const counted = h("span", { class: "note" }, "–");
  const search = h("input", { type: "search", placeholder: "Filter settings…", "aria-label": "Filter settings", "data-search": true, value: text, on: { input: () => ((text = search.value), draw()) } });
  const only = h("input", { type: "checkbox", on: { change: () => ((own = only.checked), draw()) } });
  let all = null;

  const rows = table({
    caption: "Settings",
    nothing: "No setting matches.",
    key: (row) => row.path,
    columns: [
      { key: "path", label: "Setting", still: true, value: (row) => row.path, cell: (row) => h("code", {}, named(row.path)) },
      { key: "value", label: "Value", wide: true, cell: (row) => h("code", {}, named(plain(row.value))) },
      { key: "source", label: "From", value: (row) => row.source, cell: (row) => h("span", { class: `pill ${row.source === "file" ? "info" : ""}` }, words(row.source)) },
    ],
  });

  function draw() {
    if (!all) return;
    const wanted = text.toLowerCase();
    const found = all.settings.filter((row) => (!own || row.source === "file") && `${row.path} ${plain(row.value)}`.toLowerCase().includes(wanted));
    say(counted, `${count(found.length)} of ${count(all.settings.length)}`);
    rows.set(found);
  }

  async function load() {
    await renew(settings, async () => (all = await get("/api/config", mine.signal)), () => {
      draw();
      return rows.node;
    });
    refill(about, all ? aboutView(all) : empty("Nothing is known of the configuration file."));
    await renew(pending, () => get("/api/config/pending", mine.signal), pendingView);
    await renew(tenants, () => get("/api/config/diff?limit=1000", mine.signal), tenantView);
    waits.hidden = true;
    content.hidden = false;
  }

  async function reload() {
    const before = all?.reloads;
    const given = await asked({ title: "Read the configuration anew?", text: "Requests in flight keep what they began with; what was learned of routes stays. If the file has a mistake everything stays as it is.", action: "Reload", act: () => send("POST", "/api/config/reload", {}) });
    if (!given) return;
    say(outcome, "Reading…");
    await new Promise((done) => setTimeout(done, RELOAD_MS));
    await load();
    const after = all?.reloads;
    if (!after || !before) say(outcome, "Asked for; its outcome is not known.");
    else if (after.ok > before.ok) say(outcome, "Done: the file is in force.");
    else if (after.refused > before.refused) say(outcome, `Refused, nothing has changed: ${after.last_error ?? "no reason given"}`);
    else say(outcome, "Asked for; it is not done yet.");
  }

  const running = h("dl", { class: "facts", style: { "min-height": "62px" } });
  const drawRunning = () => refill(running, fact("Version", named(live.hello?.version ?? "–")), fact("Running since", live.hello ? time(live.hello.started_us, instant) : "–"));
  const below = [
    h("section", { class: "panel flush", "aria-label": "Settings" }, h("header", {}, h("h2", {}, "Settings in force"), h("div", { style: { width: "min(260px, 100%)" } }, search), h("label", { class: "row small" }, only, "only what the file says"), h("span", { class: "push" }, counted)), settings),
    panel("Customers, teams and keys", "from the file and made here", tenants),
  ];
  const aside = () =>
    h(
      "div",
      { class: "grid even" },
      h("div", { class: "w4" }, h("section", { class: "panel", "aria-label": "File" }, h("header", {}, h("h2", {}, "File"), h("button", { class: "btn push", type: "button", on: { click: reload } }, "Reload…")), about, outcome)),
      h("div", { class: "w4" }, panel("What a reload would change", null, pending)),
      h("div", { class: "w4" }, panel("This gateway", null, running, h("ul", { class: "row small", style: { "margin-top": "10px" } }, link("/metrics", "Metrics"), link("/api/openapi.json", "OpenAPI document"), link("/health", "Health")))),
    );
  // Why all at once: what stands below something that is not there yet would jump.
  const waits = loading();
  const content = h("div", { class: "stack", hidden: true }, aside(), below);
  const off = live.on((kind) => kind === "hello" && drawRunning());
  drawRunning();
  load();
  return {
    title: "Config",
    node: h("div", { class: "stack" }, waits, content),
    stop() {
      off();
      mine.abort();
    },
  };
}

const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));

// Why: these want the token as well, which a plain link cannot send.
function link(path, label) {
  const open = async () => {
    const text = await (await ask(path)).text();
    const where = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    window.open(where, "_blank", "noopener");
    setTimeout(() => URL.revokeObjectURL(where), 60_000);
  };
  return h("li", {}, h("button", { class: "btn", type: "button", on: { click: open } }, label));
}

function aboutView(all) {
  const { reloads } = all;
  return h(
    "div",
    {},
    h("dl", { class: "facts" }, fact("Path", h("code", {}, named(all.file ?? "none"))), fact("Loaded", h("span", {}, time(all.loaded_us, instant), h("span", { class: "note" }, ` ${ago(all.loaded_us)}`))), fact("Reloads", `${count(reloads?.ok)} done, ${count(reloads?.refused)} refused`)),
    reloads?.last_error ? h("p", { class: "notice bad" }, named(reloads.last_error)) : null,
  );
}

function pendingView(found) {
  if (found.problems?.length) return h("ul", { class: "list" }, found.problems.map((one) => h("li", {}, h("span", { class: "pill bad" }, "mistake"), named(typeof one === "string" ? one : [one.path ?? one.param, one.message, one.help].filter(Boolean).join(": ")))));
  if (!found.changed.length) return h("p", { class: "notice good" }, "Nothing: the file is what is running.");
  return h("ul", { class: "list" }, found.changed.map((one) => h("li", {}, h("span", { class: "what" }, h("code", {}, named(one.path)), h("span", { class: "note", style: { display: "block" } }, named(`${plain(one.running)} → ${plain(one.file)}`))))));
}

function tenantView(page) {
  const list = table({
    caption: "Tenants",
    nothing: "There is none.",
    key: (row) => `${row.kind}/${row.name}/${row.declared_at}`,
    columns: [
      { key: "name", label: "Name", value: (row) => row.name, cell: (row) => named(row.name) },
      { key: "kind", label: "Kind", value: (row) => row.kind, cell: (row) => words(row.kind) },
      { key: "declared_at", label: "From", value: (row) => row.declared_at, cell: (row) => words(row.declared_at) },
      { key: "state", label: "State", value: (row) => row.state, cell: (row) => h("span", { class: `pill ${{ live: "good", hidden: "warn", broken: "bad" }[row.state] ?? ""}` }, words(row.state)) },
      { key: "problem", label: "Why", wide: true, cell: (row) => named(row.problem ?? (row.differs_in?.length ? `differs in ${row.differs_in.join(", ")}` : "–")) },
    ],
  });
  list.set(page.data);
  return list.node;
}

function plain(value) {
  if (value === null || value === undefined) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
