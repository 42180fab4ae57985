"""litellm's SDK: its openai/ over OpenAI's dialect, its anthropic/ and gemini/ over theirs, written by litellm itself."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from importlib.metadata import version  # noqa: E402

import litellm  # noqa: E402
from harness import CITY, DIALECTS, ONCE, PIXEL, Suite, Wrong, carries, finish, patience  # noqa: E402

litellm.suppress_debug_info = True
litellm.telemetry = False
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": CITY}}
FORCED = {"type": "function", "function": {"name": "look_up"}}


class Rows:
    def __init__(self, prefix, path):
        self.prefix, self.path = prefix, path

    def ask(self, side, kind="own", messages=None, **more):
        return litellm.completion(
            model=f"{self.prefix}/{side.model(kind)}",
            api_base=side.base + self.path,
            api_key=side.key,
            messages=messages or ASK,
            timeout=30,
            max_tokens=99,
            **patience(kind),
            **more,
        )

    def read(self, answer):
        message, usage = answer.choices[0].message, answer.usage
        return {
            "text": message.content or "",
            "tools": [(it.function.name, it.function.arguments) for it in message.tool_calls or []],
            "stop": answer.choices[0].finish_reason,
            "tokens": (usage.prompt_tokens, usage.completion_tokens),
        }

    def whole(self, side, *args, **more):
        return self.read(self.ask(side, *args, **more))

    def stream(self, side, kind="own", **more):
        chunks = list(self.ask(side, kind, stream=True, num_retries=0, stream_options={"include_usage": True}, **more))
        return self.read(litellm.stream_chunk_builder(chunks, messages=ASK))

    def result(self, side):
        first = self.ask(side, tools=[TOOL], tool_choice=FORCED).choices[0].message
        back = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "clear"}
        return self.whole(side, messages=ASK + [first.model_dump(exclude_none=True), back], tools=[TOOL])

    def image(self, side):
        url = {"url": f"data:image/png;base64,{PIXEL}"}
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
        return self.whole(side, messages=[{"role": "user", "content": parts}])


def embeddings(side):
    answer = litellm.embedding(
        model=f"openai/{side.model()}", api_base=f"{side.base}/v1", api_key=side.key, input=["one", "two"]
    )
    return {"count": len(answer.data), "dimensions": len(answer.data[0]["embedding"])}


def two(seen, _, __):
    if seen.get("count") != 2:
        raise Wrong(f"no two vectors: {seen}")


CROSS = {"text", "stop", "tools"}


def everything(suite, rows):
    row, everyone = suite.row, DIALECTS
    row("whole", rows.whole, everyone, same=CROSS)
    row("stream", rows.stream, everyone, same=CROSS)
    row("tools", lambda side: rows.whole(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("tools, streamed", lambda side: rows.stream(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("result of a tool", rows.result, everyone, same=CROSS, turns=2)
    row("image", rows.image, everyone, same=CROSS, check=carries(PIXEL))
    row("cut", lambda side: rows.stream(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: rows.stream(side, "clean"), everyone, same=set(), errs=True)
    row("wrong key", lambda side: rows.whole(side.with_key("wrong")), turns=0, errs=True)
    row("unknown model", lambda side: rows.whole(side, "absent"), turns=0, errs=True)
    row("400", lambda side: rows.whole(side, "long"), everyone, same={"status"}, errs=True)
    row("429", lambda side: rows.whole(side, "limited"), everyone, same={"status"}, turns=ONCE, errs=True)
    row("500", lambda side: rows.whole(side, "broken"), everyone, same=set(), errs=True)


if __name__ == "__main__":
    own = Suite(f"litellm {version('litellm')}, openai/", "openai")
    everything(own, Rows("openai", "/v1"))
    own.row("embeddings", embeddings, ["openai", "azure", "google", "cohere"], same=set(), check=two)
    other = Suite(f"litellm {version('litellm')}, anthropic/", "anthropic")
    everything(other, Rows("anthropic", ""))
    finish(own, other)
