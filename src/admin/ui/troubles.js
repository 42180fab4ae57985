// What is wrong now, in words: from the last tick, the events and the budgets.

import { ago, dollars, ms, percent, plural, seconds, words } from "./format.js";
import { word } from "./states.js";

// A budget is nearly spent from here on.
const NEARLY = 0.85;

// Each: { subject, what, why, tone, state, href }, the worst first.
export function troubles(tick, events, budgets) {
  return [...ofTheGateway(tick.gateway), ...tick.routes.flatMap((route) => ofRoute(route, events)), ...budgets.flatMap(ofBudget)];
}

function ofTheGateway(gateway) {
  const found = [];
  const { success, dropped, internal, shed, retry_budget_left: retries } = gateway;
  if (success !== null && success !== undefined && success < 0.99) {
    found.push({ subject: "Requests", what: `${percent(1 - success)} of them fail.`, tone: success < 0.95 ? "bad" : "warn", href: "#/requests?ending=upstream_error" });
  }
  if (internal > 0) found.push({ subject: "The gateway", what: "fails on requests itself.", tone: "bad", href: "#/requests?ending=internal" });
  if (shed > 0) found.push({ subject: "Requests", what: `are refused for want of room: ${shed.toFixed(1)}/s.`, tone: "warn", href: "#/requests?ending=shed" });
  if (retries !== null && retries !== undefined && retries < 1) found.push({ subject: "Retries", what: "are used up: failed attempts are not tried again for now.", tone: "warn" });
  for (const [what, many] of Object.entries(dropped ?? {})) {
    if (many > 0) found.push({ subject: words(what), what: `were dropped since the start: ${plural(many, "piece")}.`, why: "Something that keeps or sends them is too slow.", tone: "warn" });
  }
  return found;
}

function ofRoute(route, events) {
  const href = `#/routes/${encodeURIComponent(route.route)}`;
  const latest = (kind) => events.find((event) => event.kind === kind && event.route === route.route);
  const found = [];
  if (route.state !== "healthy") {
    const event = latest("state");
    const since = event ? ` since ${ago(event.at_us).replace(" ago", "")}` : "";
    found.push({ subject: route.route, what: `${route.state === "key_held" ? "has its key held" : `is ${word(route.state)}`}${since}.`, why: because(event, route) ?? reason(route), state: route.state, tone: "bad", href });
  }
  if (route.hold) found.push({ subject: route.route, what: `waits ${seconds(route.hold.seconds_left)} more: ${words(route.hold.reason)}.`, tone: "warn", href });
  if (route.steered) found.push({ subject: route.route, what: `is ${route.steered} by an operator.`, why: latest("operator")?.what, tone: "info", href });
  return found;
}

// What the event says of it, without the names that stand above.
function because(event, route) {
  const said = event?.what.replace(`${route.route}: `, "").replace(/^\w+ -> \w+: /, "");
  return said ? `${said[0].toUpperCase()}${said.slice(1)}.` : null;
}

// What weighs most in a route's cost beside its usual latency.
function reason(route) {
  const terms = route.terms_ms ?? {};
  const parts = [
    ["drift", "it is slower than usual"],
    ["failure", "it fails"],
    ["utilisation", "it is nearly full"],
  ].filter(([key]) => terms[key] > 0);
  const [key, text] = parts.sort((one, other) => terms[other[0]] - terms[one[0]])[0] ?? [];
  return key ? `Mostly because ${text}: ${ms(terms[key])} of its expected cost.` : null;
}

function ofBudget(budget) {
  if (!(budget.limit > 0)) return [];
  const share = (budget.spent + budget.reserved) / budget.limit;
  if (share < NEARLY) return [];
  const what = share >= 1 ? `has spent its budget of ${dollars(budget.limit)}.` : `has spent ${percent(share)} of ${dollars(budget.limit)}.`;
  const until = budget.window_end ? `The window ends ${ago(Date.parse(budget.window_end) * 1_000)}.` : null;
  return [{ subject: `${words(budget.tier)} ${budget.name}`, what, why: until, tone: share >= 1 && budget.hard ? "bad" : "warn", href: "#/budgets" }];
}
