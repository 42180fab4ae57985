"""Runs each row twice, at a stand-in itself and at the gateway, and holds what the client saw against each other.

A row is a function that makes the client's calls and returns what it saw as a plain dictionary.
An exception is something seen too: its class and its status.
"""

import json
import os
import sys
import traceback
import urllib.request

GATEWAY = os.environ.get("TRIMTAB_GATEWAY", "http://127.0.0.1:8080")
STANDINS = os.environ.get("TRIMTAB_STANDINS", "http://127.0.0.1:8090")
RESULTS = os.environ.get("TRIMTAB_RESULTS")
ONLY = os.environ.get("TRIMTAB_ONLY", "")

DIALECTS = ["openai", "chat", "azure", "anthropic", "google", "vertex", "bedrock", "cohere"]
SPENDERS = ["openai", "chat", "azure", "anthropic"]  # those that tell a spent account from a limit of a moment
ONCE = (0, 1)  # upstream turns where an earlier row may have found out already that the route is at its limits
SHOWN = {"anthropic", "bedrock"}  # stand-ins whose thoughts are shown to whoever has them think
THINKERS = SHOWN | {"google", "vertex"}  # and those that show them where they are asked to
FAULTS = {
    "own": "own",
    "limited": "fault-429",
    "spent": "fault-429-quota",
    "broken": "fault-500",
    "long": "fault-context-length",
    "cut": "fault-cut-20",
    "clean": "fault-cut-clean-20",
    "absent": "no-such-model",
}

TOKEN = "gateway-token"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA = {
    "type": "object",
    "properties": {"sky_colour": {"type": "string"}},
    "required": ["sky_colour"],
    "additionalProperties": False,
}
CITY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


class Side:
    """Where a row is run: its base URL, its credential, and what its models are called there."""

    def __init__(self, name, base, key, dialect):
        self.name, self.base, self.key, self.dialect = name, base, key, dialect

    def model(self, kind="own"):
        if self.name == "direct":
            return FAULTS[kind]
        return "no-such-model" if kind == "absent" else f"{kind}-{self.dialect}"

    def with_key(self, key):
        return Side(self.name, self.base, key, self.dialect)


def patience(kind):
    """Retries of the client's own are left out where they would only wait for a limit."""
    return {"max_retries": 0} if kind == "limited" else {}


class Wrong(Exception):
    """What a row found wrong."""


def call(path):
    with urllib.request.urlopen(STANDINS + path, timeout=10) as response:
        return json.load(response)


def attempts(since):
    return call(f"/mock/attempts?since={since}")


def last():
    return call("/mock/state")["attempts"]


def request(seq):
    """The request of an attempt, as the stand-in received it."""
    return call(f"/mock/request?seq={seq}")


def observe(row, side):
    try:
        return row(side)
    except Wrong:
        raise
    except Exception as error:  # every class is something that a client's user may see
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        seen = {"error": type(error).__name__, "status": status if isinstance(status, int) else None}
        seen["said"] = str(error)[:300]
        return seen


class Suite:
    """The rows of one client; `home` is the stand-in that speaks its dialect."""

    def __init__(self, client, home):
        self.client, self.home, self.failed = client, home, 0

    def direct(self):
        return Side("direct", f"{STANDINS}/{self.home}", "stand-in-key", self.home)

    def gateway(self, dialect):
        return Side("gateway", GATEWAY, TOKEN, dialect)

    def tell(self, row, dialect, outcome, detail=""):
        line = {"client": self.client, "row": row, "on": dialect, "outcome": outcome, "detail": detail}
        self.failed += outcome == "fail"
        if outcome == "fail":
            print(f"FAIL {self.client}: {row} on {dialect}: {detail}", flush=True)
        if RESULTS:
            with open(RESULTS, "a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")

    def row(self, name, row, on=None, turns=1, check=None, same=None, errs=False):
        """Runs `row` at the home stand-in and through the gateway on each dialect of `on`.

        `turns` upstream turns are expected of the gateway. `same` names what must agree where another dialect serves;
        at home everything must, unless `same` is empty. `check` looks at what was seen and at the attempts.
        A row that `errs` must raise through the gateway; another must raise nowhere.
        """
        dialects = [self.home] if on is None else on
        wanted = [it for it in dialects if ONLY in f"{self.client}/{name}/{it}"]
        if not wanted:
            return
        direct = observe(row, self.direct())
        for dialect in wanted:
            before = last()
            try:
                seen = observe(row, self.gateway(dialect))
                made = attempts(before)
                if ("error" in seen) != errs:
                    raise Wrong(f"{'raised' if 'error' in seen else 'nothing was raised'}: {brief(seen)}")
                if "error" in direct and not errs:
                    raise Wrong(f"the stand-in itself made it raise: {brief(direct)}")
                self.judge(direct, seen, made, dialect, turns, same)
                if check:
                    check(seen, made, dialect)
                self.tell(name, dialect, "pass")
            except Wrong as wrong:
                self.tell(name, dialect, "fail", str(wrong))
            except Exception:
                self.tell(name, dialect, "fail", traceback.format_exc()[-600:])

    def judge(self, direct, seen, made, dialect, turns, same):
        if turns is not None and len(made) not in (turns if isinstance(turns, tuple) else (turns,)):
            raise Wrong(f"{len(made)} upstream turns instead of {turns}; seen {brief(seen)}")
        home = dialect == self.home and same != set()
        keys = set(direct) | set(seen) if home or same is None else same
        keys = keys - (NEVER if home else NEVER | {"usage", "tokens", "thought"})
        for key in sorted(keys):
            if plain(direct.get(key)) != plain(seen.get(key)):
                raise Wrong(
                    f"{key}: directly {brief(direct.get(key))}, through the gateway {brief(seen.get(key))}{said(seen)}"
                )
        if seen.get("tokens") and dialect != self.home:
            self.count(direct, seen, made)

    def count(self, direct, seen, made):
        """Usage that crossed dialects: the input that the stand-in counted, the output that the client's own has for the same words."""
        told = tuple(seen["tokens"])
        output = {made[-1]["output_tokens"], (direct.get("tokens") or (0, 0))[1]}
        output |= {count + THOUGHTS for count in output}
        if told[0] != made[-1]["input_tokens"] or told[1] not in output:
            raise Wrong(f"usage: told {told}, the stand-in counted {made[-1]['input_tokens']} and {sorted(output)}")

    def end(self):
        print(f"{self.client}: {f'{self.failed} failed' if self.failed else 'ok'}", flush=True)
        return self.failed


NEVER = {"said"}
THOUGHTS = 4


def plain(value):
    """Tuples as lists, and a tool's arguments as what they say, since whitespace says nothing."""
    if isinstance(value, (list, tuple)):
        return [plain(it) for it in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def said(seen):
    return f" ({seen['said']})" if "said" in seen else ""


def brief(value):
    text = json.dumps(value, default=str)
    return text if len(text) < 300 else text[:297] + "…"


def carries(*needles):
    """A check that the last upstream request holds every one of the texts."""

    def check(_, made, __):
        body = request(made[-1]["seq"])["body"]
        for needle in needles:
            if needle not in body:
                raise Wrong(f"the upstream request lacks {needle!r}: {body[:400]}")

    return check


def finish(*suites):
    sys.exit(1 if sum(suite.end() for suite in suites) else 0)
