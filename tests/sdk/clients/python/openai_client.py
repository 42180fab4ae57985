"""openai for Python: chat completions, responses, embeddings, the list of models."""

from functools import partial

import openai
from harness import CITY, DIALECTS, ONCE, PIXEL, SCHEMA, SHOWN, SPENDERS, THINKERS, Suite, Wrong, carries, finish, patience

ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": CITY}}
FORCED = {"type": "function", "function": {"name": "look_up"}}
IMAGE = f"data:image/png;base64,{PIXEL}"


def client(side, **more):
    return openai.OpenAI(base_url=f"{side.base}/v1", api_key=side.key, timeout=30, **more)


def chat(side, kind="own", messages=None, **more):
    """One answer of chat completions, whole."""
    with client(side, **patience(kind)) as api:
        answer = api.chat.completions.create(model=side.model(kind), messages=messages or ASK, **more)
    choice, usage = answer.choices[0], answer.usage
    return {
        "text": choice.message.content,
        "stop": choice.finish_reason,
        "tools": [(it.function.name, it.function.arguments) for it in choice.message.tool_calls or []],
        "types": [type(answer).__name__, type(choice.message).__name__, choice.message.role, answer.object],
        "usage": usage.model_dump(exclude_none=True) if usage else None,
        "tokens": usage and (usage.prompt_tokens, usage.completion_tokens),
        "thought": bool(getattr(choice.message, "reasoning_content", None)),
    }


def stream(side, kind="own", messages=None, usage=True, **more):
    """One answer of chat completions, streamed."""
    if usage:
        more["stream_options"] = {"include_usage": True}
    text, stop, calls, told, types, thought = "", None, {}, None, set(), ""
    with client(side, max_retries=0) as api:
        for chunk in api.chat.completions.create(
            model=side.model(kind), messages=messages or ASK, stream=True, **more
        ):
            types.add((type(chunk).__name__, chunk.object or "chat.completion.chunk"))  # Azure's first has none
            told = chunk.usage or told
            for choice in chunk.choices:
                text += choice.delta.content or ""
                thought += getattr(choice.delta, "reasoning_content", None) or ""
                stop = choice.finish_reason or stop
                for piece in choice.delta.tool_calls or []:
                    call = calls.setdefault(piece.index, [None, "", ""])
                    call[0] = piece.id or call[0]
                    call[1] += piece.function.name or ""
                    call[2] += piece.function.arguments or ""
    return {
        "text": text,
        "stop": stop,
        "tools": [tuple(call[1:]) for call in calls.values()],
        "types": sorted(types),
        "usage": told.model_dump(exclude_none=True) if told else None,
        "tokens": told and (told.prompt_tokens, told.completion_tokens),
        "thought": bool(thought),
    }


def helper(side):
    """The stream helper, which insists on more than the raw stream."""
    with client(side) as api, api.chat.completions.stream(
        model=side.model(), messages=ASK, tools=[TOOL | {"function": TOOL["function"] | {"strict": True}}], tool_choice=FORCED
    ) as events:
        for _ in events:
            pass
        final = events.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    return {"name": call.function.name, "arguments": call.function.arguments, "stop": final.choices[0].finish_reason}


def result(side):
    """A call, and the turn that brings its result."""
    messages = ASK + [{"role": "user", "content": "Look it up."}]
    with client(side) as api:
        first = api.chat.completions.create(model=side.model(), messages=messages, tools=[TOOL], tool_choice=FORCED)
        message = first.choices[0].message
        call = message.tool_calls[0]
        messages += [
            message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'},
        ]
        second = api.chat.completions.create(model=side.model(), messages=messages, tools=[TOOL])
    return {"text": second.choices[0].message.content, "stop": second.choices[0].finish_reason}


def structured(side):
    form = {"type": "json_schema", "json_schema": {"name": "sky", "strict": True, "schema": SCHEMA}}
    return {"text": chat(side, response_format=form)["text"]}


def image(side):
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    return chat(side, messages=[{"role": "user", "content": parts}])


def embeddings(side, **more):
    with client(side) as api:
        answer = api.embeddings.create(model=side.model(), input=["one", "two"], **more)
    return {
        "indices": [it.index for it in answer.data],
        "dimensions": [len(it.embedding) for it in answer.data],
        "numbers": [round(it.embedding[0], 4) for it in answer.data],
        "usage": answer.usage.model_dump(exclude_none=True),
    }


def shape(seen, _, __):
    if seen.get("indices") != [0, 1] or not seen["dimensions"][0]:
        raise Wrong(f"no two vectors: {seen}")


def models(side):
    with client(side) as api:
        names = [it.id for it in api.models.list()]
        one = api.models.retrieve(side.model())
    return {"has": side.model() in names, "object": one.object, "type": type(one).__name__}


def respond(side, kind="own", ask="Say hello.", **more):
    """One answer of the Responses API, whole."""
    with client(side, **patience(kind)) as api:
        answer = api.responses.create(model=side.model(kind), input=ask, **more)
    usage = answer.usage
    calls = [it for it in answer.output if it.type == "function_call"]
    return {
        "text": answer.output_text,
        "stop": answer.status,
        "tools": [(it.name, it.arguments) for it in calls],
        "types": [it.type for it in answer.output if it.type != "reasoning"],
        "thought": any(it.type == "reasoning" for it in answer.output),
        "usage": usage.model_dump(exclude_none=True),
        "tokens": (usage.input_tokens, usage.output_tokens),
    }


def respond_in_pieces(side, kind="own", ask="Say hello.", **more):
    """One answer of the Responses API by its helper, which follows every item's life."""
    with client(side, max_retries=0) as api, api.responses.stream(
        model=side.model(kind), input=ask, **more
    ) as events:
        kinds = {event.type for event in events}
        answer = events.get_final_response()
    usage = answer.usage
    calls = [it for it in answer.output if it.type == "function_call"]
    return {
        "text": answer.output_text,
        "stop": answer.status,
        "tools": [(it.name, it.arguments) for it in calls],
        "types": sorted(it for it in kinds if "reasoning" not in it),
        "thought": any(it.type == "reasoning" for it in answer.output),
        "usage": usage.model_dump(exclude_none=True),
        "tokens": (usage.input_tokens, usage.output_tokens),
    }


FLAT = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": CITY, "strict": False}


def respond_result(side):
    ask = [{"role": "user", "content": "Look it up."}]
    with client(side) as api:
        first = api.responses.create(
            model=side.model(), input=ask, tools=[FLAT], tool_choice={"type": "function", "name": "look_up"}, store=False
        )
        call = next(it for it in first.output if it.type == "function_call")
        ask += [it.model_dump(exclude_none=True) for it in first.output]
        ask.append({"type": "function_call_output", "call_id": call.call_id, "output": '{"sky": "clear"}'})
        second = api.responses.create(model=side.model(), input=ask, tools=[FLAT], store=False)
    return {"text": second.output_text, "stop": second.status}


def shows(seen, _, dialect, thinkers=SHOWN):
    if dialect in thinkers and not seen.get("thought"):
        raise Wrong(f"the thoughts are lost: {seen}")


def wrong_key(side):
    return chat(side.with_key("wrong"))


CROSS = {"text", "stop", "tools", "types"}


def everything(suite):
    row, everyone = suite.row, DIALECTS
    row("whole", chat, everyone, same=CROSS)
    row("stream", stream, everyone, same=CROSS)
    row("stream, no usage asked", lambda side: stream(side, usage=False), everyone, same=CROSS | {"tokens"})
    row("tools", lambda side: chat(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("tools, streamed", lambda side: stream(side, tools=[TOOL], tool_choice=FORCED), everyone, same=CROSS)
    row("tools, by the helper", helper, everyone)
    row("result of a tool", result, everyone, turns=2)
    row("length", lambda side: chat(side, max_tokens=5), everyone, same=CROSS)
    row("image", image, everyone, same=CROSS, check=carries(PIXEL))
    row("structured", structured, everyone, check=carries("sky_colour"))
    row("thinking", lambda side: chat(side, reasoning_effort="high"), everyone, same=CROSS, check=shows)
    row("thinking, streamed", lambda side: stream(side, reasoning_effort="high"), everyone, same=CROSS, check=shows)
    row("cut", lambda side: stream(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: stream(side, "clean"), everyone, same=set(), errs=True)
    row("embeddings", embeddings, ["openai", "azure", "google", "vertex", "cohere"], same={"indices"}, check=shape)
    row("embeddings as numbers", lambda side: embeddings(side, encoding_format="float"), ["openai", "google", "cohere"], same={"indices"}, check=shape)
    row("models", models, turns=0)
    row("wrong key", wrong_key, turns=0, errs=True)
    row("unknown model", lambda side: chat(side, "absent"), turns=0, errs=True)
    row("400", lambda side: chat(side, "long"), everyone, same={"error", "status"}, errs=True)
    row("429", lambda side: chat(side, "limited"), everyone, same={"error", "status"}, turns=ONCE, errs=True)
    row("quota", lambda side: chat(side, "spent"), SPENDERS, same=set(), turns=ONCE, errs=True)
    row("500", lambda side: chat(side, "broken"), everyone, same={"error"}, errs=True)


def responses(suite):
    row, everyone = suite.row, DIALECTS
    thinks = partial(shows, thinkers=THINKERS)
    forced = {"type": "function", "name": "look_up"}
    row("whole", respond, everyone, same=CROSS)
    row("stream", respond_in_pieces, everyone, same=CROSS)
    row("tools", lambda side: respond(side, tools=[FLAT], tool_choice=forced), everyone, same=CROSS)
    row("tools, streamed", lambda side: respond_in_pieces(side, tools=[FLAT], tool_choice=forced), everyone, same=CROSS)
    row("result of a tool", respond_result, everyone, turns=2)
    row("thinking", lambda side: respond(side, reasoning={"effort": "high", "summary": "auto"}), everyone, same=CROSS, check=thinks)
    row("thinking, streamed", lambda side: respond_in_pieces(side, reasoning={"effort": "high", "summary": "auto"}), everyone, same=CROSS, check=thinks)
    row("cut", lambda side: respond_in_pieces(side, "cut"), everyone, same=set(), errs=True)
    row("cut cleanly", lambda side: respond_in_pieces(side, "clean"), everyone, same=set(), errs=True)
    row("429", lambda side: respond(side, "limited"), everyone, same={"error", "status"}, turns=ONCE, errs=True)
    row("400", lambda side: respond(side, "long"), everyone, same={"error", "status"}, errs=True)


if __name__ == "__main__":
    chats, replies = Suite(f"openai-python {openai.__version__}, chat", "openai"), Suite(f"openai-python {openai.__version__}, responses", "openai")
    everything(chats)
    responses(replies)
    finish(chats, replies)
