"""google-genai for Python: content, counts, embeddings, the list of models, over v1 and v1beta."""

from importlib.metadata import version

from google import genai
from google.genai import types
from harness import CITY, DIALECTS, ONCE, PIXEL, SCHEMA, THINKERS, Suite, Wrong, carries, finish

import base64

TOOL = types.Tool(
    function_declarations=[types.FunctionDeclaration(name="look_up", description="Looks up.", parameters_json_schema=CITY)]
)
FORCED = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
KEPT = []
THINK = types.ThinkingConfig(thinking_budget=1024, include_thoughts=True)


def client(side, api_version=None):
    options = types.HttpOptions(base_url=side.base, timeout=30_000, api_version=api_version)
    made = genai.Client(api_key=side.key, http_options=options, vertexai=False)
    KEPT.append(made)  # a client that nobody holds is closed, even in the middle of a call
    return made


def read(parts, answers):
    last = answers[-1]
    usage = next((it.usage_metadata for it in reversed(answers) if it.usage_metadata), None)
    return {
        "text": "".join(it.text for it in parts if it.text and not it.thought),
        "thought": any(it.thought for it in parts),
        "tools": [(it.function_call.name, it.function_call.args) for it in parts if it.function_call],
        "stop": str(last.candidates[0].finish_reason),
        "types": [type(last).__name__],
        "usage": usage and usage.model_dump(exclude_none=True, mode="json"),
        "tokens": usage and (usage.prompt_token_count, (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)),
    }


def whole(side, kind="own", contents="Say hello.", api_version=None, **config):
    answer = client(side, api_version).models.generate_content(
        model=side.model(kind), contents=contents, config=types.GenerateContentConfig(**config)
    )
    return read(answer.candidates[0].content.parts, [answer])


def stream(side, kind="own", contents="Say hello.", api_version=None, **config):
    parts, answers = [], []
    for answer in client(side, api_version).models.generate_content_stream(
        model=side.model(kind), contents=contents, config=types.GenerateContentConfig(**config)
    ):
        answers.append(answer)
        for candidate in answer.candidates or []:
            parts += (candidate.content and candidate.content.parts) or []
    return read(parts, answers)


def result(side):
    api = client(side)
    contents = [types.Content(role="user", parts=[types.Part(text="Look it up.")])]
    config = types.GenerateContentConfig(
        tools=[TOOL], tool_config=FORCED, automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    first = api.models.generate_content(model=side.model(), contents=contents, config=config)
    call = first.candidates[0].content.parts[-1].function_call
    reply = types.FunctionResponse(id=call.id, name=call.name, response={"sky": "clear"})
    contents += [first.candidates[0].content, types.Content(role="user", parts=[types.Part(function_response=reply)])]
    plain = types.GenerateContentConfig(tools=[TOOL])
    second = api.models.generate_content(model=side.model(), contents=contents, config=plain)
    return {"text": second.text, "stop": str(second.candidates[0].finish_reason)}


def image(side):
    part = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    return whole(side, contents=[part, "What is it?"])


def structured(side):
    return whole(side, response_mime_type="application/json", response_json_schema=SCHEMA)


def count(side):
    return {"input": client(side).models.count_tokens(model=side.model(), contents="Say hello.").total_tokens}


def counted(seen, made, _):
    """Tokens are counted by whoever has the model, in its own words."""
    if seen.get("input") != made[-1]["input_tokens"]:
        raise Wrong(f"told {seen}, counted {made[-1]}")


def estimated(seen, _, __):
    """Where the provider does not count, the gateway tells about how many there are."""
    if not 1 <= (seen.get("input") or 0) <= 100:
        raise Wrong(f"no estimate: {seen}")


def embeddings(side):
    answer = client(side).models.embed_content(model=side.model(), contents=["one", "two"])
    return {"dimensions": [len(it.values) for it in answer.embeddings], "numbers": [round(it.values[0], 4) for it in answer.embeddings]}


def two(seen, _, __):
    if len(seen.get("dimensions", [])) != 2:
        raise Wrong(f"no two vectors: {seen}")


def models(side, api_version=None):
    api = client(side, api_version)
    names = [it.name for it in api.models.list()]
    return {"has": f"models/{side.model()}" in names, "some": bool(names)}


def listed(seen, _, __):
    if not seen.get("has"):
        raise Wrong(f"the model is not in the list: {seen}")


def thinks(seen, _, dialect):
    if dialect in THINKERS and not seen.get("thought"):
        raise Wrong(f"the thoughts are lost: {seen}")


CROSS = {"text", "stop", "tools", "types"}


def everything(suite):
    row, everyone = suite.row, DIALECTS
    forced = {"tools": [TOOL], "tool_config": FORCED}
    row("whole", whole, everyone, same=CROSS)
    row("stream", stream, everyone, same=CROSS)
    row("whole, v1beta", lambda side: whole(side, api_version="v1beta"))
    row("stream, v1beta", lambda side: stream(side, api_version="v1beta"))
    row("tools", lambda side: whole(side, **forced), everyone, same=CROSS)
    row("tools, streamed", lambda side: stream(side, **forced), everyone, same=CROSS)
    row("result of a tool", result, everyone, turns=2)
    row("length", lambda side: whole(side, max_output_tokens=5), everyone, same=CROSS)
    row("system", lambda side: whole(side, system_instruction="Be brief."), everyone, same=CROSS, check=carries("Be brief."))
    row("image", image, everyone, same=CROSS, check=carries(PIXEL[:40]))
    row("structured", structured, everyone, same=CROSS, check=carries("sky_colour"))
    row("thinking", lambda side: whole(side, thinking_config=THINK), everyone, same=CROSS, check=thinks)
    row("thinking, streamed", lambda side: stream(side, thinking_config=THINK), everyone, same=CROSS, check=thinks)
    row("cut", lambda side: stream(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: stream(side, "clean"), everyone, same=set(), errs=True)
    row("count", count)
    row("count elsewhere", count, ["openai", "anthropic"], same=set(), check=counted)
    row("count, estimated", count, ["chat", "cohere"], turns=0, same=set(), check=estimated)
    row("embeddings", embeddings)
    row("embeddings elsewhere", embeddings, ["openai", "azure", "cohere"], same=set(), check=two)
    row("models", models, turns=0, same=set(), check=listed)
    row("models, v1beta", lambda side: models(side, "v1beta"), turns=0, check=listed)
    row("wrong key", lambda side: whole(side.with_key("wrong")), turns=0, same=set(), errs=True)
    row("unknown model", lambda side: whole(side, "absent"), turns=0, errs=True)
    row("400", lambda side: whole(side, "long"), everyone, same={"error", "status"}, errs=True)
    row("429", lambda side: whole(side, "limited"), everyone, same={"error", "status"}, turns=ONCE, errs=True)
    row("500", lambda side: whole(side, "broken"), everyone, same={"error"}, errs=True)


if __name__ == "__main__":
    content = Suite(f"google-genai-python {version('google-genai')}", "google")
    everything(content)
    finish(content)
