// Runs each row twice, at a stand-in itself and at the gateway, and holds what the client saw against each other.
// It is python/harness.py in another language; see there.

import { appendFileSync, readFileSync } from "node:fs";

const GATEWAY = process.env.TRIMTAB_GATEWAY ?? "http://127.0.0.1:8080";
const STANDINS = process.env.TRIMTAB_STANDINS ?? "http://127.0.0.1:8090";
const RESULTS = process.env.TRIMTAB_RESULTS;
const ONLY = process.env.TRIMTAB_ONLY ?? "";

export const DIALECTS = ["openai", "chat", "azure", "anthropic", "google", "vertex", "bedrock", "cohere"];
export const SHOWN = ["anthropic", "bedrock"];
export const THINKERS = [...SHOWN, "google", "vertex"];
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const QUERY = { type: "object", properties: { query: { type: "string" } }, required: ["query"] };
export const SCHEMA = {
  type: "object",
  properties: { sky_colour: { type: "string" } },
  required: ["sky_colour"],
  additionalProperties: false,
};

const FAULTS = {
  own: "own",
  limited: "fault-429",
  spent: "fault-429-quota",
  broken: "fault-500",
  long: "fault-context-length",
  cut: "fault-cut-20",
  clean: "fault-cut-clean-20",
  absent: "no-such-model",
};
/** Those that tell a spent account from a limit of a moment. */
const SPENDERS = ["openai", "chat", "azure", "anthropic"];
/** Upstream turns where an earlier row may have found out already that the route is at its limits. */
const ONCE = [0, 1];
const THOUGHTS = 4;

export const version = (name) => {
  const path = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path)).version;
};

/** Retries of the client's own are left out where they would only wait for a limit. */
export const patience = (kind) => (kind === "limited" ? { maxRetries: 0 } : {});

export class Side {
  constructor(name, base, key, dialect) {
    Object.assign(this, { name, base, key, dialect });
  }
  model(kind = "own") {
    if (this.name === "direct") return FAULTS[kind];
    return kind === "absent" ? "no-such-model" : `${kind}-${this.dialect}`;
  }
  withKey(key) {
    return new Side(this.name, this.base, key, this.dialect);
  }
}

export class Wrong extends Error {}

const call = async (path) => (await fetch(STANDINS + path)).json();
export const attempts = (since) => call(`/mock/attempts?since=${since}`);
export const last = async () => (await call("/mock/state")).attempts;
export const request = (seq) => call(`/mock/request?seq=${seq}`);

async function observe(row, side) {
  try {
    return await row(side);
  } catch (error) {
    if (error instanceof Wrong) throw error;
    const status = error.status ?? error.statusCode ?? error.response?.status ?? null;
    const name = error.constructor?.name ?? error.name;
    return { error: name, status, said: String(error.message ?? error).slice(0, 300) };
  }
}

/** Arguments of a tool as what they say, since whitespace says nothing. */
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "string" || !value.startsWith("{")) return value;
  try {
    return JSON.stringify(JSON.parse(value));
  } catch {
    return value;
  }
};
const same = (a, b) => JSON.stringify(plain(a) ?? null) === JSON.stringify(plain(b) ?? null);
const brief = (value) => (JSON.stringify(value) ?? "undefined").slice(0, 300);

/** The rows of one client; `home` is the stand-in that speaks its dialect. */
export class Suite {
  constructor(client, home) {
    Object.assign(this, { client, home, failed: 0 });
  }
  direct() {
    return new Side("direct", `${STANDINS}/${this.home}`, "stand-in-key", this.home);
  }
  gateway(dialect) {
    return new Side("gateway", GATEWAY, "gateway-token", dialect);
  }

  tell(row, on, outcome, detail = "") {
    if (outcome === "fail") {
      this.failed += 1;
      console.log(`FAIL ${this.client}: ${row} on ${on}: ${detail}`);
    }
    if (RESULTS) appendFileSync(RESULTS, `${JSON.stringify({ client: this.client, row, on, outcome, detail })}\n`);
  }

  /**
   * Runs `row` at the home stand-in and through the gateway on each dialect of `on`.
   * `turns` upstream turns are expected of the gateway. `keys` names what must agree where another dialect serves; at home
   * everything must, unless `keys` is empty or `strict` names what must. A row that `errs` must raise, another must not.
   */
  async row(name, row, { on = [this.home], turns = 1, check, keys, strict, errs = false } = {}) {
    const wanted = on.filter((it) => `${this.client}/${name}/${it}`.includes(ONLY));
    if (!wanted.length) return;
    const direct = await observe(row, this.direct());
    for (const dialect of wanted) {
      const before = await last();
      try {
        const seen = await observe(row, this.gateway(dialect));
        const made = await attempts(before);
        if ("error" in seen !== errs) throw new Wrong(`${errs ? "nothing was raised" : "raised"}: ${brief(seen)}`);
        if ("error" in direct && !errs) throw new Wrong(`the stand-in itself made it raise: ${brief(direct)}`);
        this.judge(direct, seen, made, dialect, turns, keys, strict);
        await check?.(seen, made, dialect);
        this.tell(name, dialect, "pass");
      } catch (error) {
        this.tell(name, dialect, "fail", error instanceof Wrong ? error.message : error.stack.slice(0, 600));
      }
    }
  }

  judge(direct, seen, made, dialect, turns, keys, strict) {
    if (turns !== null && ![turns].flat().includes(made.length))
      throw new Wrong(`${made.length} upstream turns instead of ${turns}; seen ${brief(seen)}`);
    const home = dialect === this.home && keys?.length !== 0;
    const never = home ? ["said"] : ["said", "usage", "tokens", "thought"];
    const all = strict ? strict : home || !keys ? [...new Set([...Object.keys(direct), ...Object.keys(seen)])] : keys;
    for (const key of all.filter((it) => !never.includes(it)))
      if (!same(direct[key], seen[key])) {
        const [there, here] = [brief(direct[key]), brief(seen[key])];
        throw new Wrong(`${key}: directly ${there}, through the gateway ${here} ${seen.said ?? ""}`);
      }
    if (seen.tokens && dialect !== this.home) this.count(direct, seen, made);
  }

  count(direct, seen, made) {
    const output = [made.at(-1).output_tokens, direct.tokens?.[1] ?? 0];
    const allowed = [...output, ...output.map((it) => it + THOUGHTS)];
    if (seen.tokens[0] !== made.at(-1).input_tokens || !allowed.includes(seen.tokens[1]))
      throw new Wrong(`usage: told ${seen.tokens}, the stand-in counted ${made.at(-1).input_tokens} and ${allowed}`);
  }

  end() {
    console.log(`${this.client}: ${this.failed ? `${this.failed} failed` : "ok"}`);
    return this.failed;
  }
}

/** A check that the last upstream request holds the text. */
export const carries = (needle) => async (_, made) => {
  const { body } = await request(made.at(-1).seq);
  if (!body.includes(needle)) throw new Wrong(`the upstream request lacks ${needle}: ${body.slice(0, 400)}`);
};

export const thinks = (thinkers) => (seen, _, dialect) => {
  if (thinkers.includes(dialect) && !seen.thought) throw new Wrong(`the thoughts are lost: ${brief(seen)}`);
};

/** The rows of errors and of broken streams, which every client has. */
export async function failures(suite, whole, stream, { keys = ["error", "status"] } = {}) {
  const on = DIALECTS;
  const errs = true;
  await suite.row("cut", (side) => stream(side, "cut"), { on, keys: [], errs });
  await suite.row("cut cleanly", (side) => stream(side, "clean"), { on, keys: [], errs });
  await suite.row("wrong key", (side) => whole(side.withKey("wrong")), { turns: 0, strict: keys, errs });
  await suite.row("unknown model", (side) => whole(side, "absent"), { turns: 0, errs });
  await suite.row("400", (side) => whole(side, "long"), { on, keys, errs });
  await suite.row("429", (side) => whole(side, "limited"), { on, keys, turns: ONCE, errs });
  await suite.row("quota", (side) => whole(side, "spent"), { on: SPENDERS, keys: [], turns: ONCE, errs });
  await suite.row("500", (side) => whole(side, "broken"), { on, keys: ["error"], errs });
}

export const finish = (...suites) => {
  const failed = suites.map((it) => it.end()).reduce((sum, it) => sum + it, 0);
  process.exit(failed ? 1 : 0);
};
