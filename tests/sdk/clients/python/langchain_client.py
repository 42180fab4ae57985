"""langchain-openai and langchain-anthropic: messages, tools, structured output, embeddings."""

from importlib.metadata import version

from harness import CITY, DIALECTS, ONCE, PIXEL, THINKERS, Suite, Wrong, carries, finish, patience
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

ASK = [SystemMessage("Be brief."), HumanMessage("Say hello.")]
TOOL = {"name": "look_up", "description": "Looks up.", "parameters": CITY}
SKY = {
    "title": "sky",
    "description": "The sky.",
    "type": "object",
    "properties": {"query": {"type": "string"}},
    "required": ["query"],
}


def openai_model(side, kind="own", **more):
    return ChatOpenAI(
        base_url=f"{side.base}/v1", api_key=side.key, model=side.model(kind), stream_usage=True, timeout=30, **more
    )


def anthropic_model(side, kind="own", **more):
    return ChatAnthropic(base_url=side.base, api_key=side.key, model=side.model(kind), timeout=30, max_tokens=2048, **more)


def read(message):
    usage = message.usage_metadata
    meta = message.response_metadata
    blocks = message.content if isinstance(message.content, list) else [{"type": "text", "text": message.content}]
    return {
        "text": "".join(it.get("text", "") for it in blocks if it["type"] == "text"),
        "tools": [(it["name"], it["args"]) for it in message.tool_calls],
        "stop": meta.get("finish_reason") or meta.get("stop_reason"),
        "thought": any(it["type"] == "thinking" for it in blocks),
        "usage": usage,
        "tokens": usage and (usage["input_tokens"], usage["output_tokens"]),
    }


class Rows:
    def __init__(self, make):
        self.make = make

    def whole(self, side, kind="own", messages=ASK, **more):
        return read(self.make(side, kind, **patience(kind), **more).invoke(messages))

    def stream(self, side, kind="own", messages=ASK, tools=False, **more):
        model = self.make(side, kind, max_retries=0, **more)
        if tools:
            model = model.bind_tools([TOOL], tool_choice="look_up")
        whole = None
        for chunk in model.stream(messages):
            whole = chunk if whole is None else whole + chunk
        return read(whole)

    def tools(self, side):
        return read(self.make(side).bind_tools([TOOL], tool_choice="look_up").invoke(ASK))

    def result(self, side):
        model = self.make(side)
        first = model.bind_tools([TOOL], tool_choice="look_up").invoke(ASK)
        back = ToolMessage("clear", tool_call_id=first.tool_calls[0]["id"])
        return read(model.bind_tools([TOOL]).invoke(ASK + [first, back]))

    def structured(self, side):
        found = self.make(side).with_structured_output(SKY, method="function_calling").invoke(ASK)
        return {"found": found}

    def image(self, side):
        parts = [
            {"type": "text", "text": "What is it?"},
            {"type": "image", "base64": PIXEL, "mime_type": "image/png"},
        ]
        return self.whole(side, messages=[HumanMessage(content=parts)])

    def batch(self, side):
        answers = self.make(side).batch([ASK, ASK, ASK])
        return {"texts": [read(it)["text"] for it in answers]}


def embeddings(side):
    vectors = OpenAIEmbeddings(
        base_url=f"{side.base}/v1", api_key=side.key, model=side.model(), check_embedding_ctx_length=False
    ).embed_documents(["one", "two"])
    return {"count": len(vectors), "dimensions": len(vectors[0]), "number": round(vectors[0][0], 4)}


def two(seen, _, __):
    if seen.get("count") != 2:
        raise Wrong(f"no two vectors: {seen}")


CROSS = {"text", "stop", "tools"}


def everything(suite, rows):
    row, everyone = suite.row, DIALECTS
    row("whole", rows.whole, everyone, same=CROSS)
    row("stream", rows.stream, everyone, same=CROSS)
    row("tools", rows.tools, everyone, same=CROSS)
    row("tools, streamed", lambda side: rows.stream(side, tools=True), everyone, same=CROSS)
    row("result of a tool", rows.result, everyone, same=CROSS, turns=2)
    row("structured", rows.structured, everyone)
    row("image", rows.image, everyone, same=CROSS, check=carries(PIXEL))
    row("batch", rows.batch, everyone, turns=3)
    row("cut", lambda side: rows.stream(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: rows.stream(side, "clean"), everyone, same=set(), errs=True)
    row("wrong key", lambda side: rows.whole(side.with_key("wrong")), turns=0, errs=True)
    row("unknown model", lambda side: rows.whole(side, "absent"), turns=0, errs=True)
    row("400", lambda side: rows.whole(side, "long"), everyone, same={"status"}, errs=True)
    row("429", lambda side: rows.whole(side, "limited"), everyone, same={"status"}, turns=ONCE, errs=True)
    row("500", lambda side: rows.whole(side, "broken"), everyone, same=set(), errs=True)


if __name__ == "__main__":
    over_openai = Suite(f"langchain-openai {version('langchain-openai')}", "openai")
    everything(over_openai, Rows(openai_model))
    over_openai.row("embeddings", embeddings, ["openai", "azure", "google", "cohere"], same=set(), check=two)
    over_anthropic = Suite(f"langchain-anthropic {version('langchain-anthropic')}", "anthropic")
    everything(over_anthropic, Rows(anthropic_model))
    think = {"thinking": {"type": "enabled", "budget_tokens": 1024}}

    def thinks(seen, _, dialect):
        if dialect in THINKERS and not seen.get("thought"):
            raise Wrong(f"the thoughts are lost: {seen}")

    rows = Rows(anthropic_model)
    over_anthropic.row("thinking", lambda side: rows.whole(side, **think), DIALECTS, same=CROSS, check=thinks)
    over_anthropic.row("thinking, streamed", lambda side: rows.stream(side, **think), DIALECTS, same=CROSS, check=thinks)
    finish(over_openai, over_anthropic)
