"""Does every SDK take what the cache tells again, and does an answer that one dialect was given serve the others?

For every case and stand-in each manner asks first, for a conversation of its own, which is a miss;
then it asks again, and every other manner asks for the same: hits, from which the SDK makes the same answer.
So it goes with the next turn, for which each SDK sends back what it made of the answer.
"""

import json
import os
import sys
import traceback
import urllib.request

import manners
from manners import ALL, Talk

STANDINS = os.environ.get("TRIMTAB_STANDINS", "http://127.0.0.1:8090")
ODD = os.environ.get("TRIMTAB_ODD", "http://127.0.0.1:8070")
RESULTS = os.environ.get("TRIMTAB_RESULTS")
ONLY = os.environ.get("TRIMTAB_ONLY", "")
CLIENT = "the cache, Python"
OWN = ["openai", "anthropic", "google"]
SHORT = bool(os.environ.get("TRIMTAB_SHORT"))
EVERY = [*OWN, "odd-chat", "odd-anthropic", "odd-google"]
COLUMN = {"odd-chat": "chat", "odd-anthropic": "anthropic", "odd-google": "google"}

# What is asked, of whom, and by which manners if not by all.
CASES = {
    "text": ({}, EVERY, None),
    "a call": ({"tools": True}, EVERY, None),
    "a strict call": ({"tools": True, "strict": True}, EVERY, ("chat", "responses", "messages")),
    "a form": ({"formed": True}, EVERY[3:], ("chat", "responses")),
    "a form for messages": ({"formed": True}, EVERY[3:], ("messages",)),
    "thoughts": ({"budget": 1024}, ["anthropic", "google", "openai"], ("messages", "generate")),
    "effort": ({"effort": "low"}, OWN, ("chat", "responses", "generate")),
}


def short(every):
    """One stand-in of the gateway's own and one that is odd, or else the first."""
    return [it for it in every if it in ("openai", "odd-google")] if every is EVERY else every[:1]


class Wrong(Exception):
    """What was found wrong."""


def turns():
    """Turns that stand-ins were asked for."""
    with urllib.request.urlopen(f"{STANDINS}/mock/state", timeout=10) as own:
        with urllib.request.urlopen(f"{ODD}/count", timeout=10) as odd:
            return json.load(own)["attempts"] + json.load(odd)


def expect(what, wanted, seen):
    if wanted != seen:
        raise Wrong(f"{what}: {brief(wanted)} became {brief(seen)}")


def brief(value):
    text = json.dumps(value, default=str)
    return text if len(text) < 1500 else text[:1500] + "…"


def same(first, later, own):
    """Whether a later answer is the first one, told again."""
    expect("status", "HIT", later.status)
    expect("answer", first.core(), later.core())
    if own:
        expect("object", first.all, later.all)
    if first.tokens and later.tokens:
        expect("tokens", first.tokens, later.tokens)


class Suite:
    def __init__(self):
        self.manners = [manner() for manner in ALL]
        self.failed, self.passed, self.number = 0, 0, 0

    def tell(self, row, on, wrong):
        self.failed, self.passed = self.failed + bool(wrong), self.passed + (not wrong)
        if wrong:
            print(f"FAIL {CLIENT}: {row} on {on}: {wrong}", flush=True)
        if RESULTS:
            line = {"client": CLIENT, "row": row, "on": COLUMN.get(on, on), "outcome": "fail" if wrong else "pass", "detail": wrong}
            with open(RESULTS, "a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")

    def row(self, row, on, check):
        for manner in self.manners:
            manner.heard.statuses.clear()
        """What a check gives; none if it fails."""
        try:
            given = check()
            self.tell(row, on, "")
            return given
        except Wrong as wrong:
            self.tell(row, on, str(wrong))
        except Exception:
            self.tell(row, on, traceback.format_exc()[-700:])
        return None

    def case(self, case, on):
        fields, _, only = CASES[case]
        asking = [it for it in self.manners if not only or it.name.split(",")[0] in only]
        for first in asking:
            self.number += 1
            talk = Talk(f"{self.number}: \u201cGrüße\u201d \U0001f642 \\ \"x\" \n e\u0301 — {case}", **fields)
            self.pairs(f"{case}, first asked by {first.name}", on, talk, first, asking)

    def pairs(self, row, on, talk, first, asking):
        before = turns()
        def miss():
            heard = first.ask(first.begin(on, talk))
            expect("status", "MISS", heard.status)
            expect("calls or none", talk.tools, bool(heard.calls))
            return heard

        told = self.row(row, on, miss)
        if told is None:
            return
        later = {}
        for manner in asking:
            asked = manner.begin(on, talk)

            def hit():
                heard = manner.ask(asked)
                same(told, heard, manner is first)
                return asked, heard

            later[manner] = self.row(f"{row}, then by {manner.name}", on, hit)
        expected = 1
        if all(later.values()):
            expected += 1
            self.next_turn(row, on, talk, first, later)
        self.row(f"{row}, turns", on, lambda: expect("turns of stand-ins", expected, turns() - before))

    def next_turn(self, row, on, talk, first, later):
        """The next turn, each manner with what its own SDK made of the answer."""

        def go_on(manner):
            asked, heard = later[manner]
            return manner.ask(manner.go_on(asked, heard.answer))

        def miss():
            heard = go_on(first)
            expect("status", "MISS", heard.status)
            return heard

        told = self.row(f"{row}, next turn", on, miss)
        if told is None:
            return
        for manner in later:
            if talk.effort and on == "openai" and "responses" in (manner.name.split(",")[0], first.name.split(",")[0]):
                continue  # These thoughts are remembered by the provider alone, by their id, so that the next turn is not shared.
            check = lambda: same(told, go_on(manner), manner is first)
            self.row(f"{row}, next turn, then by {manner.name}", on, check)


def main():
    suite = Suite()
    for case, (_, every, _) in CASES.items():
        for on in short(every) if SHORT else every:
            if ONLY in f"{CLIENT}/{case}/{on}":
                suite.case(case, on)
    print(f"{CLIENT}: {suite.passed} passed, {suite.failed} failed", flush=True)
    return 1 if suite.failed or not (suite.passed or ONLY) else 0


sys.exit(main())
