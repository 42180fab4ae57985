// Why a request went where it went: a sentence, and every candidate with what kept it back and what it would have cost.

import { h, named } from "./dom.js";
import { ms, percent, plural, score } from "./format.js";
import { badge } from "./states.js";
import { table } from "./table.js";
import { termLegend, terms } from "./figure.js";

const GATES = {
  cold: "nothing",
  recovering: "comes back with a part of its weight",
  hot: "nearly full, used last",
  full: "a ceiling leaves no room",
  blocked: "its provider asked us to wait",
  open: "its circuit is open",
  held: "its key was rejected",
  incapable: "it cannot serve this model",
  tried: "this request was already sent there",
};

const MODES = {
  normal: "was drawn by weight",
  followed: "has served this session last and costs no more than a draw would",
  explored: "was chosen to refresh what is known of it",
  probe: "got the one probe that a route set aside may have",
  hot: "is nearly full, but no other was better",
  panic: "fails least of those that are all set aside",
};

// The decision in sentences.
export function sentence(decision) {
  const { picked, candidates } = decision;
  if (picked.shed) return `It was refused: ${picked.shed}. It may come again in ${ms(picked.retry_after_ms)}.`;
  if (picked.exhausted) return "Nothing was left to choose: every route had been tried.";
  const others = candidates.filter((one) => one.route !== picked.route);
  const peers = others.filter((one) => one.in_band).length;
  const among = picked.mode === "normal" ? (peers ? ` among ${plural(peers + 1, "route")} that cost about the same` : ", being clearly the best") : "";
  const chance = picked.p < 1 ? ` Its chance was ${percent(picked.p)}.` : " No other had a chance.";
  const best = candidates.find((one) => one.route === picked.route);
  const cost = best ? ` A request like this was expected to cost ${ms(best.cost_ms)} there${others.length ? `, and ${ms(cheapest(others))} at the cheapest other` : ""}.` : "";
  return `${picked.route} ${MODES[picked.mode] ?? picked.mode}${among}.${chance}${cost}`;
}

const cheapest = (others) => Math.min(...others.map((one) => one.cost_ms));

// What kept each of the others back.
function kept(one, picked) {
  if (one.route === picked.route) return "picked";
  if (one.gate !== "cold") return GATES[one.gate] ?? one.gate;
  if (!one.in_band) return "costs more than the band allows";
  return "was not drawn this time";
}

export function decisionView(decision) {
  const { candidates, picked } = decision;
  const scale = Math.max(1, ...candidates.map((one) => one.cost_ms ?? 0));
  const rows = table({
    caption: "Candidates",
    key: (row) => row.route,
    sort: { by: "cost", down: false },
    columns: [
      { key: "route", label: "Candidate", value: (row) => row.route, cell: (row) => [row.route === picked.route ? h("strong", {}, named(row.route)) : named(row.route)] },
      { key: "state", label: "State", value: (row) => row.state, cell: (row) => badge(row.state) },
      { key: "why", label: "Kept back by", wide: true, value: (row) => kept(row, picked), cell: (row) => h("span", { class: row.route === picked.route ? "pill good" : "" }, kept(row, picked)) },
      { key: "terms", label: "Terms of its cost", wide: true, cell: (row) => terms(row.terms_ms, scale) },
      { key: "cost", label: "Cost", number: true, value: (row) => row.cost_ms, cell: (row) => ms(row.cost_ms) },
      { key: "score", label: "Score", number: true, value: (row) => row.score, cell: (row) => score(row.score) },
      { key: "weight", label: "Weight", number: true, value: (row) => row.weight, cell: (row) => score(row.weight) },
      { key: "p", label: "Chance", number: true, value: (row) => row.p, cell: (row) => percent(row.p) },
    ],
  });
  rows.set(candidates);
  return h("div", { class: "stack" }, h("p", { class: "notice" }, h("span", {}, named(sentence(decision)))), rows.node, termLegend(true));
}
