// Figures of the chosen window: loaded once, then carried on by what is said each second, or read again where steps are longer.

import { get } from "./api.js";
import { Columns } from "./columns.js";
import { live } from "./live.js";

const AGAIN_MS = { "2h": 10_000, "24h": 60_000 };
const MOST = { "15m": 900, "2h": 720, "24h": 1_440 };

// Calls `draw(columns)` whenever there is something new; `figures(tick)` is what a tick says of the subject.
export function follow({ of, span, figures, draw, absent }) {
  const columns = new Columns(MOST[span]);
  const mine = new AbortController();
  let timer = null;

  async function load() {
    try {
      const history = await get(`/api/history?of=${encodeURIComponent(of)}&window=${span}`, mine.signal);
      columns.load(history);
      draw(columns);
    } catch (error) {
      if (error.name !== "AbortError") absent?.(error);
    }
  }

  load();
  if (AGAIN_MS[span]) timer = setInterval(() => document.hidden || load(), AGAIN_MS[span]);
  const off = live.on((kind) => {
    if (kind !== "tick" || span !== "15m") return;
    const found = figures(live.tick);
    if (!found) return;
    columns.push(live.tick.at_us, found);
    draw(columns);
  });
  return () => {
    off();
    clearInterval(timer);
    mine.abort();
  };
}
