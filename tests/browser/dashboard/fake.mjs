// An admin listener without a gateway: the API's answers from a made-up world, and the dashboard's own files.
//
// Files come from a real listener (`origin`), so that its headers are what is tested, or from the source folder while the page is being made.
// By hand: node fake.mjs [--port 9191] [--routes 64] [--hostile] [--token T] [--ledger no]

import { createServer, request as ask } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { dirname, join, normalize } from "node:path";
import { chance, figuresOf, gatewayAt, history, makeRoutes, scored, stateOf, times, US } from "./world.mjs";
import { hostile } from "./hostile.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const TOP = join(HERE, "../../..");
const TYPES = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", svg: "image/svg+xml" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

export function start({ port = 0, origin = null, routes: many = 10, evil = false, token = null, ledger = true, now = () => Date.now() / 1_000 } = {}) {
  const names = evil ? hostile() : [];
  const routes = makeRoutes(evil ? 64 : many, names);
  if (evil) for (const route of routes) Object.assign(route, { model: names[64 + (route.at % 60)], key: names[124 + (route.at % 60)], models: [names[64 + (route.at % 60)]] });
  const world = { names, routes, evil, token, ledger, now, streams: new Set(), drained: new Set(), actions: [], seen: [], reloads: 2 };
  const server = createServer((incoming, outgoing) => {
    answer(world, origin, incoming, outgoing).catch((error) => {
      outgoing.writeHead(500).end(String(error.stack));
    });
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () =>
      resolve({
        world,
        url: `http://127.0.0.1:${server.address().port}`,
        cut: () => world.streams.forEach((one) => one.destroy()),
        stop: () => (server.closeAllConnections(), server.close()),
      }),
    );
  });
}

async function answer(world, origin, incoming, outgoing) {
  const url = new URL(incoming.url, "http://x");
  const path = url.pathname;
  world.seen.push(incoming.url);
  if (!path.startsWith("/api/") && path !== "/metrics" && path !== "/health") return origin ? pass(origin, incoming, outgoing) : file(path, outgoing);
  if (world.token && incoming.headers.authorization !== `Bearer ${world.token}`) return refuse(outgoing, 401, "unauthorized", "send the admin token as `Authorization: Bearer …`");
  if (path === "/metrics") return text(outgoing, metrics(world));
  if (path === "/health") return json(outgoing, { status: "ok" });
  if (path === "/api/live") return stream(world, outgoing);
  let body = "";
  for await (const piece of incoming) body += piece;
  if (incoming.method !== "GET") return change(world, incoming.method, path, url.searchParams, body ? JSON.parse(body) : {}, outgoing);
  if (!world.ledger && /^\/api\/(budgets|usage|config\/diff|requests)/.test(path)) return refuse(outgoing, 503, "unavailable", "no ledger is kept: add [governance] to the configuration file and start again");
  const made = reads(world, path, url.searchParams);
  if (made) json(outgoing, made);
  else refuse(outgoing, 404, "not_found", "there is nothing here");
}

function reads(world, path, query) {
  const { routes, now } = world;
  const t = now();
  if (path === "/api/history") return history(routes, query.get("of"), query.get("window") ?? "15m", t);
  if (path === "/api/history/routes") {
    const { step, all } = times(query.get("window"), t);
    return { window: query.get("window"), step_s: step, at_us: all.map((at) => at * US), routes: {} };
  }
  if (path === "/api/events") return { events: events(world, query.get("route")).slice(0, Number(query.get("limit") ?? 100)), next: null };
  if (path === "/api/models") return { models: models(world) };
  if (path === "/api/routes") return { routes: routes.map((route) => shownRoute(world, route)) };
  if (path === "/api/requests") return search(world, query);
  if (path.startsWith("/api/requests/")) return life(world, decodeURIComponent(path.slice(14)));
  if (path === "/api/budgets") return { data: budgets(world), next: null };
  if (path === "/api/usage") return usage(world, query.get("group"));
  if (path === "/api/cache") return { entries: 18_240, bytes: 71_303_168, room_bytes: 268_435_456, questions: 4_211, dropped_jobs: 0, not_written: 0, on_disk: true };
  if (path === "/api/cache/audit") return { data: audits(world) };
  if (path === "/api/shadow") return { models: shadows(world) };
  if (path === "/api/config") return settings(world);
  if (path === "/api/config/pending") return { changed: [{ path: "scoring.draw.band", running: "1.15", file: "1.25" }, { path: `models.${name(world, 90, "gpt-4o-mini")}.routes[1].weight`, running: 0.3, file: 0.2 }], problems: [] };
  if (path === "/api/config/diff") return { data: tenants(world), next: null };
  if (path === "/api/openapi.json") return { openapi: "3.1.0" };
  return null;
}

const name = (world, at, usual) => (world.evil ? world.names[at % world.names.length] : usual);

function stream(world, outgoing) {
  outgoing.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  outgoing.write(`event: hello\ndata: ${JSON.stringify({ version: "0.9.0", started_us: (world.now() - 93_600) * US, now_us: world.now() * US, step_s: 1 })}\n\n`);
  world.streams.add(outgoing);
  let told = world.now();
  const tick = () => {
    const t = Math.floor(world.now());
    const fresh = events(world).filter((one) => one.at_us > told * US && one.at_us <= t * US);
    told = t;
    outgoing.write(`event: tick\ndata: ${JSON.stringify({ at_us: t * US, gateway: gatewayAt(world.routes, t), routes: ticked(world, t), events: fresh })}\n\n`);
  };
  tick();
  const timer = setInterval(tick, 1_000);
  outgoing.on("close", () => (clearInterval(timer), world.streams.delete(outgoing)));
}

function ticked(world, t) {
  return scored(world.routes, t).map((one, at) => {
    const { route, provider, model, key, region, models: used } = world.routes[at];
    const steered = world.drained.has(route) ? "drained" : one.steered;
    return { route, provider, model, key, region, models: used, state: one.state, score: one.score, rps: one.rps, share: one.share, weight_share: one.weight_share, inflight: one.inflight, ttft_p50_ms: one.ttft_p50_ms, error_rate: one.error_rate, utilisation: one.utilisation, hold: one.hold, steered, terms_ms: one.terms_ms };
  });
}

// The changes of the last hour, newest first, each at an instant of its own.
function events(world, wanted = null) {
  const { routes, now } = world;
  const t = Math.floor(now());
  const found = [];
  let id = t * 10;
  const add = (at, kind, route, what, evidence = {}) => found.push({ id: id--, at_us: at * US, kind, route, what, evidence });
  const creeping = routes[1].route;
  let state = stateOf(routes[1], t);
  for (let at = t; at > t - 3_600 && found.length < 60; at -= 4) {
    const before = stateOf(routes[1], at - 4);
    if (before !== state && state !== "probing" && before !== "probing") add(at, "state", creeping, `${creeping} went from ${before} to ${state}`, { drift: 1.7, error_fast: 0.18, error_slow: 0.06, samples: 212 });
    if (before !== "probing" && state !== "probing") state = before;
    else if (before !== "probing") state = before;
    if (at % 1_100 < 4) add(at, "ceiling", routes[4].route, `a ceiling of 1,180 requests/min was learned for ${routes[4].route}`, { dimension: "rpm", limit: 1_180, refusals: 3 });
    if (at % 700 < 4) add(at, "hold", routes[6].route, `${routes[6].route} waits 45 s: its provider has refused for quota`, { retry_after_s: 45 });
  }
  add(t - 2_400, "operator", routes[8].route, `${routes[8].route} was drained: ${name(world, 150, "vendor maintenance until noon")}`, { who: "admin.token" });
  add(t - 2_900, "weights", null, "traffic of gpt-4o-mini does not follow the weights", { wanted: 0.3, got: 0.11 });
  add(t - 5_000, "config", null, "the configuration was read anew: 3 settings changed", {});
  found.sort((one, other) => other.at_us - one.at_us);
  found.forEach((one, at) => (one.id = Math.floor(one.at_us / US) * 10 + (at % 10)));
  return wanted ? found.filter((one) => one.route === wanted) : found;
}

function models(world) {
  const pools = [...new Set(world.routes.map((one) => one.pool))];
  const t = world.now();
  return pools.map((pool, at) => {
    const peers = world.routes.filter((one) => one.pool === pool).slice(0, 8);
    const rows = peers.map((one) => ({ route: one.route, weight: one.weight, ...pick(figuresOf(world.routes, one, t), ["weight_share", "share"]) }));
    const honoured = rows.every((one) => Math.abs(one.share - one.weight_share) < 0.05);
    return { model: name(world, 64 + at, pool), workflow: at === 3, routes: rows, fallbacks: at === 0 ? ["claude-sonnet"] : [], honoured, why: honoured ? "every route is within its band, so the draw follows the weights" : `${rows.find((one) => one.share < one.weight_share - 0.05)?.route ?? rows[0].route} costs more than the band allows` };
  });
}

const pick = (of, keys) => Object.fromEntries(keys.map((key) => [key, of[key]]));

function shownRoute(world, route) {
  const one = figuresOf(world.routes, route, world.now());
  const ceiling = (dimension, source, limit) => ({ dimension, source, limit, headroom: limit * (1 - one.utilisation), utilisation: one.utilisation });
  return { ...pick(route, ["route", "provider", "model", "key", "region"]), now: { state: one.state, wait_ms: null, share: 1, failure: one.error_rate, inflight: one.inflight, dispatched: 91_223, latency: {}, ceilings: [ceiling("requests_per_minute", route.at % 2 ? "header" : "learned", one.limit_rpm), ceiling("tokens_per_minute", "configured", one.limit_tpm)] } };
}

const ALL = 640;

function row(world, at) {
  const { routes } = world;
  const began = world.base ??= world.now();
  const newest = Math.floor((world.now() - began) * 1.5) + ALL;
  const number = newest - at;
  const seed = number * 7 + 1;
  const when = world.now() - at / 1.5 - chance(seed) * 0.4;
  const route = routes[Math.floor(chance(seed, 1) * routes.length)];
  const luck = chance(seed, 2);
  const ending = luck < 0.93 ? "ok" : luck < 0.96 ? "client_error" : luck < 0.98 ? "upstream_error" : luck < 0.99 ? "client_gone" : "shed";
  const cached = ending === "ok" && chance(seed, 3) < 0.28;
  const attempts = cached || ending === "shed" ? 0 : chance(seed, 4) < 0.12 || ending === "upstream_error" ? 2 : 1;
  const took = cached ? 3 + 4 * chance(seed, 5) : 500 + 4_200 * chance(seed, 5) ** 2;
  const input = Math.floor(200 + 2_400 * chance(seed, 6));
  const output = ending === "ok" ? Math.floor(30 + 700 * chance(seed, 7)) : 0;
  return {
    number: number.toString(16).padStart(16, "0"),
    id: world.evil ? name(world, number, "") : `req-${(number * 2_654_435_761 >>> 0).toString(16).padStart(8, "0")}${(number * 40_503 >>> 0).toString(16).padStart(8, "0")}`,
    at_us: when * US, took_ms: took, overhead_us: 80 + 220 * chance(seed, 8), ttft_ms: ending === "ok" && !cached ? took * 0.22 : null,
    endpoint: "chat", surface: "openai", model: ending === "client_error" && world.evil ? null : route.models[0], asked: name(world, number + 1, null), workflow: at % 9 === 0 ? name(world, 70, "support-triage") : null,
    stream: true, key: name(world, 124 + number % 60, ["checkout", "search", "support-bot", "batch-eval"][number % 4]), team: ["shop", "data"][number % 2], customer: "acme", session: null,
    status: { ok: 200, client_error: 400, upstream_error: 502, shed: 503, client_gone: 0 }[ending], ending, error: ending === "ok" ? null : { client_error: "bad_request", upstream_error: "upstream_timeout", shed: "saturated", client_gone: "client_gone" }[ending],
    route: attempts ? route.route : null, attempts, tokens_in: input, tokens_out: output, tokens_cached: Math.floor(input * 0.3), cost: cached ? 0 : (input * 0.15 + output * 0.6) / 1e6 * 10, saved: cached ? 0.0041 : 0, cache: cached ? (chance(seed, 9) < 0.4 ? "semantic" : "hit") : "miss",
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", explained: number % 3 !== 0, content: true,
  };
}

function search(world, query) {
  const limit = Number(query.get("limit") ?? 100);
  const begin = Number(query.get("before") ?? 0);
  const rows = [];
  let at = begin;
  for (; at < ALL && rows.length < limit; at += 1) {
    const one = row(world, at);
    const has = (key, of = key) => !query.get(key) || String(one[of] ?? "").includes(query.get(key));
    if (["key", "model", "route", "ending", "error", "cache"].every((key) => has(key)) && (!query.get("q") || one.id.startsWith(query.get("q"))) && one.took_ms >= Number(query.get("min_ms") ?? 0)) rows.push(one);
  }
  return { requests: rows, next: at < ALL ? String(at) : null, scanned: at - begin, complete: at >= ALL };
}

function life(world, id) {
  for (let at = 0; at < ALL + 400; at += 1) {
    const one = row(world, at);
    if (one.number === id || one.id === id) return { ...one, ...legsOf(world, one) };
  }
  return null;
}

function legsOf(world, one) {
  const route = world.routes.find((it) => it.route === one.route);
  if (!route) return { legs: [], decisions: [], content: { request: "{\"model\":\"x\"}", response: "{}", cut: false } };
  const peers = [route, ...world.routes.filter((it) => it.pool === route.pool && it !== route).slice(0, 5)];
  const t = world.now();
  const figures = peers.map((it) => figuresOf(world.routes, it, t));
  const best = Math.min(...figures.map((it) => it.cost));
  const candidates = peers.map((it, at) => ({ route: it.route, gate: { open: "open", key_held: "held", recovering: "recovering" }[figures[at].state] ?? "cold", state: figures[at].state, terms_ms: { ...figures[at].terms_ms, affinity: 0 }, cost_ms: figures[at].cost, failure: figures[at].error_rate, utilisation: figures[at].utilisation, score: best / figures[at].cost, weight: it.weight, ramp: 1, taper: 1, in_band: figures[at].cost < best * 1.25, p: figures[at].share }));
  const leg = (it, began, took, outcome, status) => ({ route: it.route, provider: it.provider, upstream_model: it.model, key: it.key, region: it.region, mode: "normal", propensity: 0.63, score: 0.94, terms_ms: figuresOf(world.routes, it, t).terms_ms, began_ms: began, sent_ms: 38, ttft_ms: outcome === "success" ? took * 0.3 : null, took_ms: took, outcome, status, tokens_in: one.tokens_in, tokens_out: outcome === "success" ? one.tokens_out : 0, cost: outcome === "success" ? one.cost : 0 });
  const failed = one.ending === "upstream_error";
  const other = peers.find((it) => it !== route) ?? route;
  const legs = one.attempts === 2 ? [leg(other, 0.4, one.took_ms * 0.3, "server_error", 503), leg(route, one.took_ms * 0.36, one.took_ms * 0.63, failed ? "timed_out" : "success", failed ? 0 : 200)] : [leg(route, 0.4, one.took_ms - 0.6, one.ending === "client_error" ? "rejected" : "success", one.status)];
  const picked = { route: route.route, mode: "normal", p: candidates.find((it) => it.route === route.route).p, score: 0.94 };
  const said = name(world, 30, "My parcel says delivered but it is not here. What can I do?");
  return { legs, decisions: one.explained ? [{ picked, expected_output: 210, alternative_ms: 900, band_ratio: 1.25, candidates }] : [], content: { request: JSON.stringify({ model: one.model, messages: [{ role: "user", content: said }] }), response: JSON.stringify({ choices: [{ message: { role: "assistant", content: name(world, 31, "I am sorry about that. Let us look at the tracking together.") } }] }), cut: false } };
}

function budgets(world) {
  const now = world.now();
  const day = (share, limit, tier, of, more = {}) => ({ tier, name: of, provider: null, limit, spent: limit * share * 0.97, reserved: limit * share * 0.03, left: Math.max(0, limit * (1 - share)), period: "1d", style: "aligned", zone: "Europe/Berlin", hard: true, window_start: iso(now - 50_000), window_end: iso(now + 36_400), opens_at: null, ...more });
  return [
    day(0.46, 500, "customer", name(world, 10, "acme")),
    day(0.91, 120, "team", name(world, 11, "shop")),
    day(0.33, 200, "team", name(world, 12, "data"), { style: "rolling", zone: null, period: "7d" }),
    day(1.02, 25, "key", name(world, 13, "batch-eval"), { opens_at: iso(now + 5_400) }),
    day(0.62, 40, "key", name(world, 14, "checkout")),
    day(0.12, 60, "key", name(world, 15, "search"), { hard: false }),
    day(0.7, 2_000, "provider", "openai", { period: "30d", window_start: iso(now - 2_000_000), window_end: iso(now + 592_000) }),
  ];
}

const iso = (t) => new Date(t * 1_000).toISOString();

function usage(world, group) {
  const groups = group === "day" ? Array.from({ length: 30 }, (_, at) => iso(world.now() - at * 86_400).slice(0, 10)) : { key: ["checkout", "search", "support-bot", "batch-eval"], team: ["shop", "data"], customer: ["acme"], model: ["gpt-4o-mini", "claude-sonnet", "gemini-flash", "llama-70b"], provider: ["openai", "anthropic", "vertex", "groq"], route: world.routes.slice(0, 10).map((one) => one.route) }[group];
  const data = groups.map((one, at) => ({ group: [world.evil && group !== "day" ? name(world, 20 + at, one) : one], attempts: 41_000 - 5_000 * (at % 7), charged_nano_dollars: Math.round((60 + 30 * chance(at, 3) + (group === "day" ? 0 : 200 / (at + 1))) * 1e9), estimated: 12, canceled: 40, failed: 300, overrun: 0, from_cache: 9_000, input: 20_100_000, cached: 4_000_000, write_5m: 0, write_1h: 0, output: 5_300_000, reasoning: 220_000, units: 0 }));
  return { from: iso(world.now() - 2_592_000), to: iso(world.now()), group: [group], data, next: null };
}

function audits(world) {
  const one = (at, workflow, state, share, low, high, threshold, bound) => ({ audit: { workflow: name(world, 40 + at, workflow), hits: 8_120 - at * 2_000, audited: 610 - at * 150, same: 600 - at * 150, different: Math.round(share * 610), unsure: 3, skipped: {}, saved_nano: 61e9, spent_nano: 1.4e9, threshold, estimate: { settled: 607, share, low, high, unsure: 0.01, corrected: true } }, policy: { state, threshold, max_error: bound, estimate: { share, low, high }, alarms: 0 } });
  return [one(0, "support-triage", "proven", 0.008, 0.003, 0.016, 0.91, 0.02), one(1, "product-search", "trusted", 0.013, 0.004, 0.031, 0.93, 0.03), one(2, "legal-answers", "refusing", 0.06, 0.028, 0.11, null, 0.01)];
}

function shadows(world) {
  const estimate = (live, shadow, low, high) => ({ live, shadow, difference: shadow - live, low, high });
  const routes = world.routes.slice(0, 3).map((one, at) => ({ route: one.route, live_share: [0.52, 0.29, 0.19][at], shadow_share: [0.58, 0.22, 0.2][at] }));
  return [{ model: name(world, 55, "gpt-4o-mini"), constants: [{ name: "draw.band", live: 1.15, shadow: 1.25 }], sampled: 48_210, agreement: 0.94, clipped: 0.001, ess: 2_310, estimates: { success_rate: estimate(0.9961, 0.9965, -0.0004, 0.0012), cost_ms: estimate(1_312, 1_288, -61, 12), ttft_ms: { refused: "the recorded policy was certain of most choices" } }, routes }];
}

function settings(world) {
  const file = [["server.listen", "127.0.0.1:8080"], ["admin.listen", "127.0.0.1:9090"], ["admin.token", "***"], ["providers.openai.keys.main.secret", "***"], ["models.gpt-4o-mini.routes[0].weight", 0.5], ["governance.ledger", "data/ledger"], ["requests.keep", "14d"]];
  const usual = ["scoring.draw.band", "scoring.draw.explore", "scoring.health.window", "server.drain", "server.largest_body", "requests.content", "cache.memory", "otlp.batch", "request_log.rotate", "retry.budget", "retry.most", "timeouts.connect", "timeouts.first_token", "trace.sample"].map((path, at) => [path, [1.15, 0.01, "60s", "30s", "32 MiB", false, "256 MiB", 512, "1d", 0.2, 3, "2s", "30s", 0.01][at]]);
  const row = (source) => ([path, value]) => ({ path, value, source });
  if (world.evil) for (let at = 0; at < world.names.length; at += 1) file.push([`models.${at}.name`, world.names[at]]);
  return { file: "/etc/trimtab/config.toml", loaded_us: (world.now() - 4_000) * US, reloads: { ok: world.reloads, refused: 1, last_error: null }, settings: [...file.map(row("file")), ...usual.map(row("default"))] };
}

function tenants(world) {
  return [["customer", "acme", "file", "live"], ["team", "shop", "file", "live"], ["key", "checkout", "api", "live"], ["key", "search", "api", "hidden"], ["key", "legacy", "api", "broken"]].map(([kind, of, declared_at, state], at) => ({ kind, name: name(world, 80 + at, of), declared_at, state, differs_in: state === "hidden" ? ["budget"] : [], problem: state === "broken" ? "its team is gone" : null }));
}

function metrics(world) {
  const t = world.now();
  const line = (status, rate) => `trimtab_router_cache_requests_total{model="gpt-4o-mini",status="${status}"} ${Math.floor(rate * (t - 1.7e9))}`;
  return ["# TYPE trimtab_router_cache_requests counter", line("hit", 9), line("semantic", 4), line("coalesced", 0.7), line("miss", 30), "# EOF", ""].join("\n");
}

function change(world, method, path, query, body, outgoing) {
  world.actions.push({ method, path, query: query.toString(), body });
  if (path === "/api/config/reload") {
    world.reloads += 1;
    outgoing.writeHead(202).end();
    return;
  }
  if (path.startsWith("/api/cache/entries")) return json(outgoing, { forgotten: 214, waits_for_disk: false });
  const [, , , name, act] = path.split("/");
  const route = world.routes.find((one) => one.route === decodeURIComponent(name ?? ""));
  if (!route) return refuse(outgoing, 404, "not_found", "there is no such route");
  if (act === "drain") method === "POST" ? world.drained.add(route.route) : world.drained.delete(route.route);
  json(outgoing, shownRoute(world, route));
}

function json(outgoing, value) {
  outgoing.writeHead(200, { "content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff" }).end(JSON.stringify(value));
}

function text(outgoing, value) {
  outgoing.writeHead(200, { "content-type": "text/plain" }).end(value);
}

function refuse(outgoing, status, code, message) {
  outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error: { code, message, param: null } }));
}

async function file(path, outgoing) {
  const vendored = /^\/ui\/vendor\/([\w.]+)$/.exec(path);
  const clean = normalize(path).replace(/^\/+(ui\/)?/, "");
  const where = vendored ? join(TOP, "sim/assets", vendored[1]) : join(TOP, "src/admin/ui", clean || "index.html");
  try {
    const bytes = await readFile(where);
    outgoing.writeHead(200, { "content-type": TYPES[where.split(".").pop()] ?? "text/plain", "content-security-policy": POLICY, "cache-control": "no-cache", "x-content-type-options": "nosniff" }).end(bytes);
  } catch {
    refuse(outgoing, 404, "not_found", "the dashboard has no such file");
  }
}

function pass(origin, incoming, outgoing) {
  return new Promise((resolve) => {
    const headers = { accept: incoming.headers.accept ?? "*/*", host: new URL(origin).host };
    const onward = ask(origin + incoming.url, { method: incoming.method, headers }, (response) => {
      outgoing.writeHead(response.statusCode, response.headers);
      response.pipe(outgoing).on("finish", resolve);
    });
    onward.on("error", (error) => (refuse(outgoing, 502, "error", error.message), resolve()));
    onward.end();
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (wanted, usual) => {
    const at = process.argv.indexOf(`--${wanted}`);
    return at < 0 ? usual : (process.argv[at + 1] ?? true);
  };
  const running = await start({ port: Number(option("port", 9191)), routes: Number(option("routes", 10)), evil: process.argv.includes("--hostile"), token: option("token", null), ledger: option("ledger", "yes") !== "no" });
  console.log(running.url);
}
