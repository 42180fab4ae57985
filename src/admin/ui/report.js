// A replay report as `trimtab replay --json` writes it, checked before anything is drawn of it.

// Largest report, scenarios and policies: far above what a suite writes.
const MOST = 5_000;

export function check(report) {
  const must = (holds, what) => {
    if (!holds) throw new Error(`this is no replay report: ${what}`);
  };
  must(report && typeof report === "object" && !Array.isArray(report), "it is no object");
  must(Array.isArray(report.scenarios), "it has no scenarios");
  must(report.scenarios.length > 0 && report.scenarios.length <= MOST, "its scenarios are none or too many");
  const scenarios = report.scenarios.map((one) => {
    must(typeof one?.name === "string" && Array.isArray(one.policies), "a scenario has no name or policies");
    const policies = one.policies.map((policy) => {
      must(typeof policy?.policy === "string" && policy.metrics && typeof policy.metrics === "object", `${one.name}: a policy has no name or metrics`);
      return { ...policy, series: sound(policy.series) ? policy.series : null };
    });
    return { ...one, policies, question: String(one.question ?? ""), bars: Array.isArray(one.bars) ? one.bars : [], incident: Array.isArray(one.incident) ? one.incident : null };
  });
  return {
    version: String(report.version ?? "unknown"),
    seeds: Array.isArray(report.seeds) ? report.seeds : [],
    subject: String(report.subject ?? ""),
    holds: report.holds === true,
    pack: Array.isArray(report.pack) ? report.pack : [],
    scenarios,
  };
}

function sound(series) {
  return Boolean(series) && Array.isArray(series.p50) && Array.isArray(series.p99) && Array.isArray(series.routes) && series.step_s > 0;
}

// A policy's mean of a metric in a scenario; null where it does not apply.
export function value(scenario, policy, metric) {
  const mean = scenario.policies.find((one) => one.policy === policy)?.metrics[metric]?.mean;
  return typeof mean === "number" ? mean : null;
}
