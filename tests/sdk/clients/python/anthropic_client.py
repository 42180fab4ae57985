"""anthropic for Python, in whichever version is installed: messages, count of tokens, the list of models."""

import anthropic
from harness import CITY, DIALECTS, ONCE, PIXEL, SCHEMA, SPENDERS, THINKERS, Suite, Wrong, carries, finish, patience, request

ASK = [{"role": "user", "content": "Say hello."}]
TOOL = {"name": "look_up", "description": "Looks up.", "input_schema": CITY}
FORCED = {"type": "tool", "name": "look_up"}
HIDDEN = ("thinking", "redacted_thinking")  # the second carries Google's signature of a call
THINK = {"type": "enabled", "budget_tokens": 1024}


def client(side, **more):
    return anthropic.Anthropic(base_url=side.base, api_key=side.key, timeout=30, **more)


def read(answer):
    usage = answer.usage
    blocks = answer.content
    return {
        "text": "".join(it.text for it in blocks if it.type == "text"),
        "stop": answer.stop_reason,
        "tools": [(it.name, it.input) for it in blocks if it.type == "tool_use"],
        "types": [type(answer).__name__, answer.type, answer.role] + [type(it).__name__ for it in blocks if it.type not in HIDDEN],
        "thought": any(it.type == "thinking" for it in blocks),
        "signed": all(it.signature for it in blocks if it.type == "thinking"),
        "usage": usage.model_dump(exclude_none=True),
        "tokens": (usage.input_tokens, usage.output_tokens),
    }


def whole(side, kind="own", messages=None, max_tokens=2048, **more):
    with client(side, **patience(kind)) as api:
        return read(api.messages.create(model=side.model(kind), max_tokens=max_tokens, messages=messages or ASK, **more))


def stream(side, kind="own", messages=None, **more):
    """By the helper, which puts the message together."""
    with client(side, max_retries=0) as api, api.messages.stream(
        model=side.model(kind), max_tokens=2048, messages=messages or ASK, **more
    ) as events:
        kinds = {event.type for event in events}
        seen = read(events.get_final_message())
    return seen | {"events": sorted(kinds - {"thinking", "signature", "ping"})}


def raw(side, kind="own", **more):
    """The events as they come."""
    text, stop, kinds, usage = "", None, set(), None
    with client(side, max_retries=0) as api:
        for event in api.messages.create(model=side.model(kind), max_tokens=2048, messages=ASK, stream=True, **more):
            kinds.add(event.type)
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text += event.delta.text
            if event.type == "message_delta":
                stop, usage = event.delta.stop_reason, event.usage
    return {
        "text": text,
        "stop": stop,
        "types": sorted(kinds - {"ping"}),
        "output": usage.output_tokens,
    }


def result(side):
    messages = [{"role": "user", "content": "Look it up."}]
    with client(side) as api:
        first = api.messages.create(
            model=side.model(), max_tokens=99, messages=messages, tools=[TOOL], tool_choice=FORCED
        )
        call = next(it for it in first.content if it.type == "tool_use")
        messages += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "clear"}]},
        ]
        second = api.messages.create(model=side.model(), max_tokens=99, messages=messages, tools=[TOOL])
    return {"text": second.content[0].text, "stop": second.stop_reason}


def thought_and_tool(side):
    """Thoughts go back with the call that they led to."""
    messages = [{"role": "user", "content": "Use the tool."}]
    more = {"tools": [TOOL], "thinking": THINK, "max_tokens": 2048}
    with client(side) as api:
        first = api.messages.create(model=side.model(), messages=messages, **more)
        call = next(it for it in first.content if it.type == "tool_use")
        messages += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "clear"}]},
            {"role": "user", "content": "Well?"},
        ]
        second = api.messages.create(model=side.model(), messages=messages, **more)
    return {"text": second.content[-1].text, "stop": second.stop_reason}


def image(side):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    return whole(side, messages=[{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]}])


def structured(side):
    return whole(side, extra_body={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}})


def count(side):
    with client(side) as api:
        return {"input": api.messages.count_tokens(model=side.model(), messages=ASK).input_tokens}


def counted(seen, made, _):
    """Tokens are counted by whoever has the model, in its own words."""
    if seen.get("input") != made[-1]["input_tokens"]:
        raise Wrong(f"told {seen}, counted {made[-1]}")


def estimated(seen, _, __):
    """Where the provider does not count, the gateway tells about how many there are."""
    if not 1 <= (seen.get("input") or 0) <= 100:
        raise Wrong(f"no estimate: {seen}")


def models(side):
    with client(side) as api:
        page = api.models.list(limit=1000)
        names = [it.id for it in page]
        one = api.models.retrieve(side.model())
    return {"has": side.model() in names, "type": type(one).__name__, "kind": one.type}


def thinks(seen, _, dialect):
    if dialect in THINKERS and not seen.get("thought"):
        raise Wrong(f"the thoughts are lost: {seen}")


def asks_as_asked(_, made, __):
    """The version goes on as this SDK sends it, and the credential is the account's."""
    headers = dict(request(made[-1]["seq"])["headers"])
    if "gateway-token" in str(headers):
        raise Wrong("the gateway's token went to the provider")
    expected = "2023-06-01" if anthropic.__version__.startswith(("0.", "1.")) else "2026-10-21"
    if headers.get("anthropic-version") != expected:
        raise Wrong(f"anthropic-version {headers.get('anthropic-version')} instead of {expected}")


CROSS = {"text", "stop", "tools", "types", "events"}


def everything(suite):
    row, everyone = suite.row, DIALECTS
    cached = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    row("whole", whole, everyone, same=CROSS)
    row("version", whole, check=asks_as_asked)
    row("stream", stream, everyone, same=CROSS)
    row("stream, raw", raw, everyone)
    row("tools", lambda side: whole(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("tools, streamed", lambda side: stream(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("result of a tool", result, everyone, turns=2)
    row("length", lambda side: whole(side, max_tokens=5), everyone, same=CROSS)
    row("system", lambda side: whole(side, system=cached), everyone, same=CROSS, check=carries("Be brief."))
    row("image", image, everyone, same=CROSS, check=carries(PIXEL))
    row("structured", structured, everyone, same=CROSS, check=carries("sky_colour"))
    row("thinking", lambda side: whole(side, thinking=THINK), everyone, same=CROSS, check=thinks)
    row("thinking, streamed", lambda side: stream(side, thinking=THINK), everyone, same=CROSS, check=thinks)
    row("thinking and a tool", thought_and_tool, everyone, turns=2)
    row("cut", lambda side: stream(side, "cut"), everyone, same=set(), errs=True)
    row("cut, raw", lambda side: raw(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: stream(side, "clean"), everyone, same=set(), errs=True)
    row("cut cleanly, raw", lambda side: raw(side, "clean"), everyone, same=set(), errs=True)
    row("count", count, ["anthropic"])
    row("count elsewhere", count, ["openai", "google"], same=set(), check=counted)
    row("count, estimated", count, ["chat", "cohere"], turns=0, same=set(), check=estimated)
    row("models", models, turns=0)
    row("wrong key", lambda side: whole(side.with_key("wrong")), turns=0, errs=True)
    row("unknown model", lambda side: whole(side, "absent"), turns=0, errs=True)
    row("400", lambda side: whole(side, "long"), everyone, same={"error", "status"}, errs=True)
    row("429", lambda side: whole(side, "limited"), everyone, same={"error", "status"}, turns=ONCE, errs=True)
    row("quota", lambda side: whole(side, "spent"), SPENDERS, same=set(), turns=ONCE, errs=True)
    row("500", lambda side: whole(side, "broken"), everyone, same={"error"}, errs=True)


if __name__ == "__main__":
    messages = Suite(f"anthropic-python {anthropic.__version__}", "anthropic")
    everything(messages)
    finish(messages)
