"""A provider that speaks three dialects and says what is hard to tell again: letters of every kind, text beside calls, arguments in pieces.

Usage: standin.py PORT. `GET /count` tells how many turns were asked of it.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "Grüße — 世界! \U0001f642\u200d\u2194\ufe0f \u2028 “naïve” \\n \"quoted\" \t<b>&amp;</b>\r\n e\u0301 \u0000 ש"
FORM = json.dumps({"sky_colour": "b\u2028lau \U0001f30c"}, ensure_ascii=False)
CALLS = [
    ("look_up", {"query": "Zürich \U0001f327 \"x\" \\ \n"}),
    ("look_up", {"query": "", "deep": {"list": [1, 2.5, None, True, {"é": []}]}}),
]
TURNS = []


def pieces(text, size=3):
    return [text[at : at + size] for at in range(0, len(text), size)]


def said(asked, heard, formed):
    """What is answered: text, and calls where tools are offered and nobody has answered them yet."""
    calls = CALLS if asked.get("tools") and not heard else []
    return (FORM if formed else TEXT), calls


def chat(asked, number):
    heard = asked["messages"][-1]["role"] == "tool"
    text, calls = said(asked, heard, "json_schema" in str(asked.get("response_format")))
    stop = "tool_calls" if calls else "stop"
    frame = {"id": f"chatcmpl-{number}", "created": 1_700_000_000, "model": "own-1", "system_fingerprint": "fp"}
    usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
    made = [
        {"id": f"call_{number}_{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for at, (name, arguments) in enumerate(calls)
    ]
    if not asked.get("stream"):
        message = {"role": "assistant", "content": text, "refusal": None} | ({"tool_calls": made} if made else {})
        choice = {"index": 0, "message": message, "finish_reason": stop, "logprobs": None}
        return frame | {"object": "chat.completion", "choices": [choice], "usage": usage}
    deltas = [{"role": "assistant", "content": ""}, *({"content": it} for it in pieces(text))]
    for at, call in enumerate(made):
        arguments = call["function"]["arguments"]
        deltas.append({"tool_calls": [call | {"index": at, "function": call["function"] | {"arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": at, "function": {"arguments": it}}]} for it in pieces(arguments)]
    ends = [{"index": 0, "delta": it, "finish_reason": None} for it in deltas]
    ends.append({"index": 0, "delta": {}, "finish_reason": stop})
    frame |= {"object": "chat.completion.chunk"}
    events = [(None, frame | {"choices": [it]}) for it in ends]
    if (asked.get("stream_options") or {}).get("include_usage"):
        events.append((None, frame | {"choices": [], "usage": usage}))
    return [*events, (None, "[DONE]")]


def messages(asked, number):
    last = asked["messages"][-1]["content"]
    heard = isinstance(last, list) and any(it["type"] == "tool_result" for it in last)
    text, calls = said(asked, heard, "json_schema" in str(asked.get("output_config")))
    stop = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    frame = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "own-1"}
    usage = {"input_tokens": 11, "output_tokens": 22, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    blocks = [{"type": "text", "text": text}]
    for at, (name, arguments) in enumerate(calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{number}_{at}", "name": name, "input": arguments})
    if not asked.get("stream"):
        return frame | stop | {"content": blocks, "usage": usage}
    begun = frame | {"content": [], "usage": usage | {"output_tokens": 1}, "stop_reason": None, "stop_sequence": None}
    events = [{"type": "message_start", "message": begun}]
    for at, block in enumerate(blocks):
        if block["type"] == "text":
            empty, deltas = {"text": ""}, [{"type": "text_delta", "text": it} for it in pieces(block["text"])]
        else:
            words = json.dumps(block["input"], ensure_ascii=False)
            empty, deltas = {"input": {}}, [{"type": "input_json_delta", "partial_json": it} for it in pieces(words)]
        events.append({"type": "content_block_start", "index": at, "content_block": block | empty})
        events += [{"type": "content_block_delta", "index": at, "delta": it} for it in deltas]
        events.append({"type": "content_block_stop", "index": at})
    events += [{"type": "message_delta", "delta": stop, "usage": {"output_tokens": 22}}, {"type": "message_stop"}]
    return [(it["type"], it) for it in events]


def generate(asked, number, streamed):
    heard = any("functionResponse" in it for it in asked["contents"][-1]["parts"])
    config = asked.get("generationConfig") or {}
    text, calls = said(asked, heard, config.get("responseMimeType") == "application/json")
    made = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in calls]
    frame = {"modelVersion": "own-1", "responseId": f"response-{number}"}
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 22, "totalTokenCount": 33}

    def answer(parts, **more):
        content = {"content": {"role": "model", "parts": parts}, "index": 0}
        return frame | {"candidates": [content | more], "usageMetadata": usage}

    if not streamed:
        return answer([{"text": text}, *made], finishReason="STOP")
    chunks = [answer([{"text": it}]) for it in pieces(text)] + [answer([it]) for it in made]
    return [(None, it) for it in [*chunks, answer([{"text": ""}], finishReason="STOP")]]


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer("application/json", json.dumps(len(TURNS)))

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        TURNS.append(self.path)
        number = len(TURNS)
        if self.path.endswith("/chat/completions"):
            told = chat(asked, number)
        elif self.path.endswith("/messages"):
            told = messages(asked, number)
        else:
            told = generate(asked, number, "streamGenerateContent" in self.path)
        if isinstance(told, dict):
            return self.answer("application/json", json.dumps(told))
        lines = []
        for at, (name, event) in enumerate(told):
            # Escaped and not, as providers differ in it.
            data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=at % 2 == 0)
            lines.append(f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n")
        self.answer("text/event-stream", "".join(lines))

    def answer(self, kind, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider).serve_forever()
