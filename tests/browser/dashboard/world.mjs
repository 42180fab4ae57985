// A gateway's figures out of thin air: functions of time alone, so that history and live figures agree.
//
// One provider creeps and recovers every ten minutes, one route is set aside, one waits for its quota, one is drained.

export const US = 1e6;

// The same fraction for the same numbers.
export function chance(...seeds) {
  let state = 2_166_136_261;
  for (const seed of seeds) {
    state ^= Math.floor(seed) >>> 0;
    state = Math.imul(state, 16_777_619);
    state ^= state >>> 13;
    state = Math.imul(state, 2_246_822_507);
  }
  return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32;
}

const KINDS = [
  ["openai/gpt-4o-mini/main@us-east", "gpt-4o-mini", 0.5, 420],
  ["azure/gpt-4o-mini/prod@westeurope", "gpt-4o-mini", 0.3, 480],
  ["openrouter/gpt-4o-mini/shared", "gpt-4o-mini", 0.2, 610],
  ["anthropic/claude-sonnet/main", "claude-sonnet", 0.6, 700],
  ["bedrock/claude-sonnet/prod@eu-central-1", "claude-sonnet", 0.4, 760],
  ["vertex/gemini-flash/main@us-central1", "gemini-flash", 0.7, 310],
  ["gemini/gemini-flash/free", "gemini-flash", 0.3, 350],
  ["groq/llama-70b/main", "llama-70b", 0.5, 120],
  ["together/llama-70b/main", "llama-70b", 0.3, 240],
  ["local/llama-70b/rack-2", "llama-70b", 0.2, 180],
];

export function makeRoutes(many, names = []) {
  return Array.from({ length: many }, (_, at) => {
    const [base, pool, weight, first] = KINDS[at % KINDS.length];
    const route = names[at] ?? (at < KINDS.length ? base : `${base}-${Math.floor(at / KINDS.length)}`);
    const [provider, model, rest = ""] = base.split("/");
    const [key, region = ""] = rest.split("@");
    return { at, route, provider, model, key, region, models: [pool], pool, weight, first, kind: at % KINDS.length };
  });
}

// How far gone the creeping provider is at a time: 0 well, 1 worst.
function trouble(t) {
  const phase = (t % 600) / 600;
  return phase < 0.35 ? 0 : phase < 0.6 ? (phase - 0.35) / 0.25 : phase < 0.75 ? 1 : phase < 0.85 ? (0.85 - phase) / 0.1 : 0;
}

function wave(t, at) {
  return 1 + 0.25 * Math.sin(t / 97 + at) + 0.12 * Math.sin(t / 13 + 2 * at);
}

const STATES = ["healthy", "degraded", "open", "probing", "recovering", "key_held", "unsupported"];

export function stateOf(route, t) {
  if (route.kind === 1) {
    const bad = trouble(t);
    const phase = (t % 600) / 600;
    return bad === 0 ? "healthy" : phase > 0.75 ? "recovering" : bad > 0.95 ? (t % 20 < 4 ? "probing" : "open") : bad > 0.3 ? "degraded" : "healthy";
  }
  return route.kind === 9 ? "key_held" : "healthy";
}

function pulled(route, t) {
  if (route.kind === 8) return 0;
  const state = stateOf(route, t);
  return { healthy: 1, degraded: 0.35, open: 0, probing: 0.01, recovering: 0.5, key_held: 0, unsupported: 0 }[state] * route.weight;
}

export function figuresOf(routes, route, t) {
  const peers = routes.filter((one) => one.pool === route.pool);
  const all = peers.reduce((sum, one) => sum + pulled(one, t), 0);
  const share = all ? pulled(route, t) / all : 0;
  const weights = peers.reduce((sum, one) => sum + one.weight, 0);
  const poolRate = 18 * wave(t, route.pool.length) * Math.max(1, peers.length / 3);
  const bad = route.kind === 1 ? trouble(t) : 0;
  const noise = 0.98 + 0.04 * chance(route.at, t / 6);
  const rps = poolRate * share * noise;
  const latency = route.first * 2.1;
  const drift = latency * 1.8 * bad;
  const utilisation = Math.min(0.97, (0.32 + 0.3 * chance(route.at, 7)) * wave(t, route.at));
  const failure = bad * 900 + 8 * chance(route.at, t, 3);
  const used = Math.max(0, utilisation - 0.6) * 400;
  const price = 30 * route.weight;
  const cost = latency + drift + failure + used + price;
  const state = stateOf(route, t);
  const limit = 600 + 600 * (route.at % 4);
  return {
    state,
    cost,
    rps,
    share,
    weight_share: route.weight / weights,
    inflight: Math.round(rps * (latency + drift) / 1_000),
    ttft_p50_ms: rps > 0.05 ? route.first * (1 + 1.7 * bad) * noise : null,
    ttft_ms: rps > 0.05 ? route.first * (1 + 1.7 * bad) * noise * 1.1 : null,
    predicted_ms: rps > 0.05 ? route.first * 1.08 : null,
    tpot_ms: 12 + route.at,
    error_rate: Math.min(1, bad * 0.22 + 0.004 * chance(route.at, t, 5)),
    utilisation,
    limit_rpm: limit,
    limit_tpm: limit * 900,
    headroom_rpm: limit * (1 - utilisation),
    headroom_tpm: limit * 900 * (1 - utilisation),
    terms_ms: { latency, drift, utilisation: used, failure, price },
    hold: route.kind === 6 && t % 90 < 45 ? { reason: "rate_limited", seconds_left: Math.ceil(45 - (t % 90)) } : null,
    steered: route.kind === 8 ? "drained" : null,
  };
}

export function scored(routes, t) {
  const figures = routes.map((route) => figuresOf(routes, route, t));
  return figures.map((one, at) => {
    const peers = figures.filter((_, other) => routes[other].pool === routes[at].pool);
    return { ...one, score: Math.min(...peers.map((peer) => peer.cost)) / one.cost };
  });
}

export function gatewayAt(routes, t) {
  const figures = routes.map((route) => figuresOf(routes, route, t));
  const rps = figures.reduce((sum, one) => sum + one.rps, 0);
  const bad = trouble(t);
  const upstream = rps * (0.0006 + 0.012 * bad * chance(t, 11));
  const clientError = rps * 0.008 * wave(t, 3);
  const gone = rps * 0.004;
  const shed = bad > 0.9 ? rps * 0.004 : 0;
  const hit = 0.29 + 0.05 * Math.sin(t / 240);
  return {
    rps,
    inflight: figures.reduce((sum, one) => sum + one.inflight, 0),
    ok: rps - upstream - clientError - gone - shed,
    client_error: clientError,
    upstream_error: upstream,
    shed,
    client_gone: gone,
    internal: 0,
    success: 1 - (upstream + shed) / rps,
    duration_p50_ms: 1_150 * wave(t, 1) + 120 * bad,
    duration_p95_ms: 3_900 * wave(t, 1) + 2_400 * bad * chance(t / 40, 2),
    duration_p99_ms: 6_800 * wave(t, 1) + 4_200 * bad * chance(t / 40, 4),
    ttft_p50_ms: 360 * wave(t, 2) + 60 * bad,
    ttft_p95_ms: 890 * wave(t, 2) + 700 * bad * chance(t / 40, 6),
    overhead_p50_us: 92 + 20 * chance(t / 9, 8),
    overhead_p99_us: 310 + 130 * chance(t / 9, 9),
    tokens_in: rps * 840,
    tokens_out: rps * 210,
    spend_per_hour: rps * 0.62,
    saved_per_hour: rps * 0.62 * hit,
    cache_hit_ratio: hit,
    failovers: upstream * 4,
    retry_budget_left: 500 * (1 - 0.6 * bad),
    connections: 48,
    dropped: { records: 0, spans: 0, log_lines: 0 },
  };
}

const STEP = { "15m": [900, 1], "2h": [7_200, 10], "24h": [86_400, 60] };

export function times(window, now) {
  const [length, step] = STEP[window] ?? STEP["15m"];
  const end = Math.floor(now / step) * step;
  return { step, all: Array.from({ length: length / step }, (_, at) => end - length + (at + 1) * step) };
}

export function history(routes, of, window, now) {
  const { step, all } = times(window, now);
  const series = {};
  const add = (figures) => {
    for (const [name, value] of Object.entries(figures)) if (typeof value === "number" || value === null) (series[name] ??= []).push(value);
  };
  const route = routes.find((one) => one.route === of);
  for (const t of all) {
    if (of === "gateway") {
      add(gatewayAt(routes, t));
      continue;
    }
    if (!route) return null;
    const { terms_ms: terms, state, hold, steered, ttft_p50_ms: _, cost: __, ...rest } = scored(routes, t)[route.at];
    add({ ...rest, state: STATES.indexOf(state), latency: terms.latency, drift: terms.drift, utilisation_ms: terms.utilisation, failure: terms.failure, price: terms.price });
  }
  return { of, window, step_s: step, at_us: all.map((t) => t * US), series };
}
