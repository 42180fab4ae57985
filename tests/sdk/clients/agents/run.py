"""Runs each coding agent for one turn, with exactly the settings that `trimtab doctor` prints for it.

Usage: run.py BINARY CONFIGURATION TOOLS, where TOOLS holds agents/ and aider/ as they were installed.
An agent that is not installed is told as skipped.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
from harness import TOKEN, Suite, Wrong, attempts, brief, finish, last, request  # noqa: E402

BINARY, CONFIGURATION, TOOLS = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
WORDS = " ".join(f"w{number}" for number in range(1, 41))
LIMIT = 120
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


def settings(client, model):
    """What doctor prints for a client: the place and the text."""
    printed = subprocess.run(
        [BINARY, "doctor", client, "--config", CONFIGURATION, "--model", model, "--no-live"],
        capture_output=True, text=True, timeout=30, check=True, env=os.environ | {"TRIMTAB_TOKEN": TOKEN},
    ).stdout
    place, text = None, []
    for line in printed.splitlines():
        if line.startswith("In ") and line.endswith(":") and place is None:
            place = line[3:-1]
        elif place and line.startswith("    "):
            text.append(line[4:])
        elif place and text and line:
            break
        elif text:
            text.append("")
    return place, "\n".join(text).strip() + "\n"


class Agent:
    """How one agent is asked; `more` goes after what doctor has its user type."""

    def __init__(self, client, program, more, path, turns=1):
        self.client, self.program, self.more, self.path, self.turns = client, program, more, path, turns

    def found(self):
        for place in ("agents/node_modules/.bin", "aider/bin"):
            if (TOOLS / place / self.program).exists():
                return TOOLS / place / self.program
        return None

    def run(self, model):
        """Its exit code and what it printed, in a home of its own that holds nothing but doctor's settings."""
        with tempfile.TemporaryDirectory() as folder:
            home, work = pathlib.Path(folder, "home"), pathlib.Path(folder, "work")
            home.mkdir(), work.mkdir()
            place, text = settings(self.client, model)
            typed = f"{self.program}"
            if place == "the shell":
                *lines, typed = text.strip().splitlines()
                script = "\n".join(lines) + "\n"
            else:
                file = home / place[2:] if place.startswith("~/") else work / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                script = ""
            path = f"{self.found().parent}:{os.environ['PATH']}"
            environment = QUIET | {"HOME": str(home), "PATH": path, "TRIMTAB_TOKEN": TOKEN, "LANG": "C.UTF-8"}
            done = subprocess.run(
                ["bash", "-c", f"{script}{typed} {self.more}"],
                cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT,
            )
            return done.returncode, done.stdout + done.stderr

    def version(self):
        done = subprocess.run([self.found(), "--version"], capture_output=True, text=True, timeout=60)
        numbers = [it for it in (done.stdout + done.stderr).split() if it[:1].isdigit()]
        return numbers[0] if numbers else "?"


AGENTS = [
    Agent("claude-code", "claude", "-p 'Say hello.'", "messages"),
    Agent("codex", "codex", "exec --skip-git-repo-check --sandbox read-only 'Say hello.'", "responses"),
    # Its first turn has it write a title besides.
    Agent("opencode", "opencode", "run 'Say hello.'", "chat/completions", turns=2),
    Agent(
        "aider", "aider",
        "--message 'Say hello.' --no-git --yes --no-check-update --no-show-model-warnings --analytics-disable --no-detect-urls",
        "chat/completions",
    ),
]
DIALECTS = ["openai", "chat", "azure", "anthropic", "google", "vertex", "bedrock", "cohere"]


def turn(agent, suite, dialect):
    before = last()
    code, printed = agent.run(f"own-{dialect}")
    made = attempts(before)
    if code != 0 or WORDS not in " ".join(printed.split()):
        raise Wrong(f"exit code {code}: {printed[-500:]}")
    if len(made) != agent.turns:
        raise Wrong(f"{len(made)} upstream turns instead of {agent.turns}: {brief(made)}")
    for attempt in made:
        if attempt["provider"] != dialect or attempt["end"] != "completed" or not attempt["stream"]:
            raise Wrong(f"not one whole stream of {dialect}: {brief(attempt)}")
        if TOKEN in json.dumps(request(attempt["seq"])["headers"]):
            raise Wrong("the gateway's token went to the provider")
    if dialect == suite.home and made[-1]["path"] != agent.path:
        raise Wrong(f"asked at {made[-1]['path']} instead of {agent.path}")


def broken(agent, suite, dialect):
    """What cannot be served is told, and not asked without end."""
    before = last()
    code, printed = agent.run(f"long-{dialect}")
    made = attempts(before)
    if WORDS in printed or len(made) > 16:
        raise Wrong(f"exit code {code} after {len(made)} upstream turns: {printed[-300:]}")


def row(suite, name, test, agent, dialect):
    try:
        test(agent, suite, dialect)
        suite.tell(name, dialect, "pass")
    except Wrong as wrong:
        suite.tell(name, dialect, "fail", str(wrong))
    except subprocess.TimeoutExpired:
        suite.tell(name, dialect, "fail", f"did not end in {LIMIT} s")


def main():
    suites = []
    for agent in AGENTS:
        home = "anthropic" if agent.client == "claude-code" else "openai"
        if agent.found() is None:
            suite = Suite(agent.client, home)
            suite.tell("one turn", home, "skipped", "not installed")
            print(f"{agent.client}: skipped, not installed", flush=True)
            continue
        suite = Suite(f"{agent.client} {agent.version()}", home)
        for dialect in DIALECTS:
            row(suite, "one turn", turn, agent, dialect)
        row(suite, "a refusal", broken, agent, home)
        suites.append(suite)
    finish(*suites)


if __name__ == "__main__":
    main()
