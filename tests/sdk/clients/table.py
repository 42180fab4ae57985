"""Prints the results of tests/sdk/all as a table: clients by dialects that served them."""

import collections
import json
import sys

COLUMNS = ["openai", "chat", "azure", "anthropic", "google", "vertex", "bedrock", "cohere", "replicate", "fal"]


def main():
    counts = collections.defaultdict(collections.Counter)
    totals, skipped = collections.Counter(), []
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            outcome = line["outcome"]
            totals[outcome] += 1
            if outcome == "skipped":
                skipped.append(f"skipped: {line['client']}: {line['detail']}")
            counts[line["client"]][line["on"], outcome] += 1
    used = [it for it in COLUMNS if any((it, "pass") in of or (it, "fail") in of for of in counts.values())]
    print("| client | " + " | ".join(used) + " |")
    print("| --- |" + " ---: |" * len(used))
    for client, of in counts.items():
        cells = []
        for column in used:
            passed, failed = of[column, "pass"], of[column, "fail"]
            run = passed + failed
            cells.append(("skipped" if of[column, "skipped"] else "") if not run else f"{passed}/{run}")
        print(f"| {client} | " + " | ".join(cells) + " |")
    print("\n".join(["", *skipped, f"{totals['pass']} passed, {totals['fail']} failed, {totals['skipped']} skipped"]))
    return 1 if totals["fail"] or not totals["pass"] else 0


sys.exit(main())
