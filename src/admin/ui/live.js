// What the gateway says each second, read as a stream for as long as somebody looks.
//
// A stream that breaks off is opened again after 1, 2, 4 … 30 s; a hidden tab reads nothing.

import { ask, get, Refused } from "./api.js";
import { Columns } from "./columns.js";

const KEPT_S = 900;
const LONGEST_WAIT_S = 30;
// A stream that says nothing for this long is taken for dead.
const SILENCE_MS = 8_000;
const EVENTS_KEPT = 200;

const listeners = new Set();

export const live = {
  hello: null,
  tick: null,
  gateway: new Columns(KEPT_S),
  // Scores of the last minutes by route, for the small curves.
  scores: new Map(),
  events: [],
  status: { is: "idle", text: "" },
  // Whether the gateway has no such stream.
  absent: false,
  on(act) {
    listeners.add(act);
    return () => listeners.delete(act);
  },
};

let reading = null;
let timer = null;
let failures = 0;

function tell(kind) {
  for (const act of listeners) act(kind);
}

function say(is, text) {
  live.status = { is, text };
  tell("status");
}

export function connect() {
  disconnect();
  if (document.hidden) return;
  const mine = new AbortController();
  reading = mine;
  if (failures === 0) say("waiting", "connecting…");
  read(mine).catch((error) => {
    if (reading !== mine) return;
    reading = null;
    if (error instanceof Refused && error.status === 401) return say("waiting", "sign in to see figures");
    again(error);
  });
}

export function disconnect() {
  clearTimeout(timer);
  reading?.abort();
  reading = null;
}

function again(error) {
  failures += 1;
  let wait = Math.min(LONGEST_WAIT_S, 2 ** (failures - 1));
  const absent = error instanceof Refused && error.status === 404;
  if (absent) wait = LONGEST_WAIT_S;
  live.absent = absent;
  const count = () => {
    say("waiting", absent ? "no live figures here" : `reconnecting in ${wait} s…`);
    if (wait <= 0) return connect();
    wait -= 1;
    timer = setTimeout(count, 1_000);
  };
  count();
}

async function read(mine) {
  const response = await ask("/api/live", { signal: mine.signal });
  await backfill(mine.signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const silence = setTimeout(() => reader.cancel("silent").catch(() => {}), SILENCE_MS);
    const { value, done } = await reader.read();
    clearTimeout(silence);
    if (done || reading !== mine) throw new Refused(0, "ended", "The stream has ended.");
    rest += value.replaceAll("\r", "");
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      take(rest.slice(0, end));
      rest = rest.slice(end + 2);
    }
  }
}

// What was before the stream; a gateway without a history begins empty.
async function backfill(signal) {
  const [history, events] = await Promise.allSettled([
    get("/api/history?of=gateway&window=15m", signal),
    get("/api/events?order=desc&limit=100", signal),
  ]);
  if (history.status === "fulfilled") live.gateway.load(history.value);
  if (events.status === "fulfilled") live.events = events.value.events.slice().sort((one, other) => other.id - one.id);
}

function take(block) {
  let kind = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length === 0) return;
  const value = JSON.parse(data.join("\n"));
  if (kind === "hello") {
    live.hello = value;
    tell("hello");
  } else if (kind === "tick") {
    note(value);
  }
}

function note(tick) {
  failures = 0;
  live.absent = false;
  live.tick = tick;
  live.gateway.push(tick.at_us, tick.gateway);
  const there = new Set();
  for (const route of tick.routes) {
    there.add(route.route);
    const kept = live.scores.get(route.route) ?? [];
    kept.push(route.score);
    if (kept.length > 120) kept.shift();
    live.scores.set(route.route, kept);
  }
  for (const route of live.scores.keys()) if (!there.has(route)) live.scores.delete(route);
  for (const event of tick.events ?? []) {
    if (!live.events.some((one) => one.id === event.id)) live.events.unshift(event);
  }
  live.events.length = Math.min(live.events.length, EVENTS_KEPT);
  if (live.status.is !== "live") say("live", "live");
  tell("tick");
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    disconnect();
    say("idle", "paused while hidden");
  } else {
    connect();
  }
});
