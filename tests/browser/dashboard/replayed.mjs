// A small report as `trimtab replay --json` writes it, with names that are given.

export function replayed(names = ["s03-creep", "s04-outage"], policies = ["adaptive", "static", "p2c-peak-ewma", "oracle-weights"]) {
  const curve = (length, make) => Array.from({ length }, (_, at) => make(at));
  const steps = 120;
  const bad = (at) => (at > 40 && at < 80 ? 1 : 0);
  const route = (name, at) => ({ name, picks: curve(steps, (step) => (at === 0 && bad(step) ? 3 : 40)), failures: curve(steps, (step) => (at === 0 ? bad(step) : 0)), refused: curve(steps, () => 0), score: curve(steps, (step) => (at === 0 && bad(step) ? 0.3 : 1)), state: curve(steps, () => 0), truth: curve(steps, () => 1) });
  const series = { step_s: 5, routes: [route("a", 0), route("b", 1), route("c", 2)], p50: curve(steps, () => 1.1), p99: curve(steps, (step) => 1.6 + 0.3 * bad(step)), arrived: curve(steps, () => 120), lost: curve(steps, () => 0), shed: curve(steps, () => 0), why: [] };
  const policy = (name, at, scenario) => ({ policy: name, metrics: { regret: { mean: 0.002 + 0.07 * at * (1 + scenario), half: 0.001, seeds: [0.002] }, cost_ms: { mean: 1_900 + 140 * at, seeds: [1] }, success: { mean: 1 - 0.004 * at, seeds: [1] } }, ...(at < 2 ? { series } : {}) });
  return {
    version: "0.9.0", seeds: [1, 2, 3], subject: policies[0], holds: true, pack: [],
    scenarios: names.map((name, scenario) => ({ name, question: `Does a route that goes bad in ${name} lose its traffic?`, policies: policies.map((one, at) => policy(one, at, scenario)), bars: [{ goal: "G3", metric: "first_attempt_incident", at_least: 0.99, at_most: null, value: 0.996, holds: true, note: "" }], incident: [200, 400] })),
  };
}
