"""Puts load on a gateway, waits until two Prometheus servers have seen it, and asks them every query of dashboard and rules.

Usage: ask.py DATA_PORT ADMIN_PORT PLAIN_PORT NATIVE_PORT FOLDER
"""

import http.client
import json
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

data, admin, plain, native = (int(port) for port in sys.argv[1:5])
folder = sys.argv[5]

# Scrapes after which rates are known.
SCRAPES = 12

# What a run of some seconds has nothing of: parts of a query, and why.
MAY_BE_EMPTY = {
    "provider_hold_seconds": "no route is set aside",
    "cache_audit": "there is no semantic cache",
    "ALERT": "an alert that does not fire is empty",
}


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def wait_for(what, holds, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except (OSError, urllib.error.URLError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    sys.exit(f"{what} did not come within {seconds} s")


def query(port, text):
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": text})
    try:
        told = get(port, path)
    except urllib.error.HTTPError as error:
        told = json.load(error)
    if told["status"] != "success" or told.get("warnings"):
        sys.exit(f"{text}: {told}")
    return told["data"]["result"]


def ask(model, stream, number):
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": f"Question {number % 7}."}]}
    send("/v1/chat/completions", body, number)


def send(path, body, number):
    headers = {"content-type": "application/json", "authorization": "Bearer a-key-for-the-run"}
    if number % 5 == 0:
        headers |= {"x-stainless-retry-count": "1", "x-stainless-lang": "python"}
    request = urllib.request.Request(f"http://127.0.0.1:{data}{path}", json.dumps(body).encode(), headers)
    try:
        urllib.request.urlopen(request, timeout=20).read()
    except (urllib.error.HTTPError, http.client.HTTPException, OSError):
        pass  # Some of them are to fail.


over = threading.Event()


def load(first):
    number = first
    while not over.is_set():
        for model in ("chat", "kept", "failing", "cut", "nobody"):
            ask(model, number % 2 == 0, number)
        if number % 8 == 0:
            send("/v1/images/generations", {"model": "draw", "prompt": "a cat"}, number)
        number += 1
        time.sleep(0.02)


wait_for("the gateway", lambda: get(admin, "/health")["status"] == "ok")
loaders = [threading.Thread(target=load, args=(start,), daemon=True) for start in range(3)]
for loader in loaders:
    loader.start()
for port in (plain, native):
    wait_for("Prometheus", lambda: query(port, "up == 1"))
    wait_for("scrapes", lambda: float(query(port, "count_over_time(up[1m])")[0]["value"][1]) >= SCRAPES)

for port in (plain, native):
    (target,) = get(port, "/api/v1/targets")["data"]["activeTargets"]
    if target["health"] != "up" or target["lastError"]:
        sys.exit(f"the target is not well: {target}")
    if not query(port, "min_over_time(up[1m]) == 1"):
        # The first scrape may have come before the gateway listened.
        print("note: a scrape came before the gateway listened")

with open(f"{folder}/trimtab.json") as file:
    board = json.load(file)
asked = [(target["expr"], panel["title"]) for panel in board["panels"] for target in panel.get("targets", [])]
wait_for("the evaluation of every rule", lambda: all(
    rule["health"] != "unknown" for group in get(plain, "/api/v1/rules")["data"]["groups"] for rule in group["rules"]))
rules = [rule for group in get(plain, "/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
for rule in rules:
    if rule["health"] != "ok" or rule.get("lastError"):
        sys.exit(f"a rule is not well: {rule}")
asked += [(rule["query"], "ALERT" if rule["type"] == "alerting" else rule["name"]) for rule in rules]
asked += [(variable["definition"], "variable") for variable in board["templating"]["list"] if "definition" in variable]

empty = []
for text, where in asked:
    text = re.sub(r"label_values\((.*), (\w+)\)", r"count by (\2) (\1)", text)
    text = text.replace("$__rate_interval", "10s").replace("$model", ".*").replace("$route", ".*")
    if not query(plain, text) and not any(part in text or part == where for part in MAY_BE_EMPTY):
        empty.append(f"{where}: {text}")
if empty:
    sys.exit("these have no data:\n" + "\n".join(empty))
print(f"queries: {len(asked)} answered without an error, {len(rules)} rules among them")

samples = query(plain, "scrape_samples_scraped")[0]["value"][1]
seconds = query(plain, "scrape_duration_seconds")[0]["value"][1]
print(f"scrape: {samples} samples in {float(seconds) * 1000:.1f} ms")

# The native buckets say what the classic ones say, but finer.
of_both = [
    float(query(port, text)[0]["value"][1])
    for port, text in (
        (native, "histogram_quantile(0.5, sum(router_request_duration_seconds))"),
        (plain, "histogram_quantile(0.5, sum by (le) (router_request_duration_seconds_bucket))"),
    )
]
if not 0.5 < of_both[0] / of_both[1] < 2:
    sys.exit(f"native and classic medians differ: {of_both}")
print(f"native histograms: median {of_both[0]:.4f} s, of classic buckets {of_both[1]:.4f} s")

over.set()
for loader in loaders:
    loader.join(timeout=25)


def balanced():
    total = {name: float((query(plain, f"sum({name})") or [{"value": [0, 0]}])[0]["value"][1]) for name in (
        "router_requests_started_total", "router_requests_total", "router_requests_retired_total", "router_inflight_requests")}
    started, *rest = total.values()
    return started > 100 and started == sum(rest) and rest[-1] == 0


wait_for("a balance of requests begun and ended", balanced)
print("balance: every request that began has ended")
