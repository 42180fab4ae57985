"""The manners in which an SDK for Python asks for one conversation, and what it makes of the answer.

Every manner asks for the same: one instruction, the words, the same limits and tools, each with the SDK's strictest helper.
"""

import json
import os
from dataclasses import dataclass, field

import anthropic
import httpx2
import openai
from google import genai
from google.genai import types
from openai.lib.streaming.chat import ChatCompletionStreamState
from pydantic import BaseModel

GATEWAY = os.environ.get("TRIMTAB_GATEWAY", "http://127.0.0.1:8080")
TOKEN = "gateway-token"
SYSTEM = "Be brief — “très bref”. \U0001f642"
MOST = 3_000
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"], "additionalProperties": False}
ENDS = {"stop": "end", "end_turn": "end", "completed": "end", "STOP": "end", "tool_calls": "tools", "tool_use": "tools"}
RESULT = "clear, 20 °C"
MORE = "Go on. \u00e9"


class Sky(BaseModel):
    sky_colour: str


@dataclass
class Talk:
    """What is asked, whatever the dialect."""

    words: str
    tools: bool = False
    strict: bool = False
    formed: bool = False
    budget: int | None = None
    effort: str | None = None


@dataclass
class Heard:
    """What a client heard: what every dialect tells, and all of it as the SDK has it."""

    status: str
    text: str
    calls: list
    stop: str
    thought: str
    tokens: tuple | None
    all: object
    answer: object = field(repr=False, default=None)

    def core(self):
        """What must be the same in every manner."""
        return {"text": self.text, "calls": self.calls, "stop": self.stop, "thought": self.thought}


class Listener:
    """Hears what the gateway says of the cache: SDKs hand out headers in too many ways, or not at all."""

    def __init__(self):
        self.statuses = []
        self.hooks = {"event_hooks": {"response": [lambda it: self.statuses.append(it.headers.get("x-cache-status"))]}}

    def client(self):
        return httpx2.Client(**self.hooks, timeout=30)

    def take(self):
        """The status of the one response since the last one was taken."""
        statuses, self.statuses[:] = list(self.statuses), []
        return statuses[0] if len(statuses) == 1 else f"{len(statuses)} responses: {statuses}"


def plain(value):
    return json.loads(value) if isinstance(value, str) else value


class Chat:
    name, streamed, usage = "chat", False, False

    def __init__(self):
        self.heard = Listener()
        self.api = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=TOKEN, max_retries=0, http_client=self.heard.client())

    def begin(self, model, talk):
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": talk.words}]
        asked = {"model": model, "messages": messages, "max_completion_tokens": MOST}
        if talk.tools:
            function = {"name": "look_up", "description": "Looks up.", "parameters": QUERY}
            function |= {"strict": True} if talk.strict else {}
            asked |= {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
        if talk.formed:
            asked |= {"response_format": Sky}
        if talk.effort:
            asked |= {"reasoning_effort": talk.effort}
        return asked

    def ask(self, asked):
        if not self.streamed:
            call = self.api.chat.completions.parse if "response_format" in asked else self.api.chat.completions.create
            return self.read(call(**asked))
        more = {"stream_options": {"include_usage": True}} if self.usage else {}
        tools = asked.get("tools")
        if tools and "strict" not in tools[0]["function"]:
            # The helper takes strict tools only; its accumulator takes all.
            state = ChatCompletionStreamState()
            for chunk in self.api.chat.completions.create(**asked, **more, stream=True):
                state.handle_chunk(chunk)
            return self.read(state.get_final_completion())
        with self.api.chat.completions.stream(**asked, **more) as events:
            for _ in events:
                pass
        return self.read(events.get_final_completion())

    def read(self, answer):
        (choice,) = answer.choices
        message, usage = choice.message, answer.usage
        assert message.role == "assistant" and answer.object == "chat.completion"
        calls = [(it.function.name, plain(it.function.arguments)) for it in message.tool_calls or []]
        assert all(it.id for it in message.tool_calls or [])
        tokens = usage and (usage.prompt_tokens, usage.completion_tokens)
        thought = getattr(message, "reasoning_content", None) or ""
        return Heard(
            self.heard.take(), message.content or "", calls, ENDS[choice.finish_reason], thought, tokens, answer.model_dump(), answer
        )

    def go_on(self, asked, answer):
        message = answer.choices[0].message
        said = [{"role": "tool", "tool_call_id": it.id, "content": RESULT} for it in message.tool_calls or []]
        said = said or [{"role": "user", "content": MORE}]
        choice = {"tool_choice": "auto"} if "tools" in asked else {}
        return asked | {"messages": [*asked["messages"], message, *said]} | choice


class ChatStream(Chat):
    name, streamed = "chat, streamed", True


class ChatUsage(Chat):
    name, streamed, usage = "chat, streamed with usage", True, True


class Responses(Chat):
    name = "responses"

    def begin(self, model, talk):
        asked = {"model": model, "instructions": SYSTEM, "input": [{"role": "user", "content": talk.words}]}
        asked |= {"max_output_tokens": MOST}
        if talk.tools:
            tool = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": QUERY}
            tool |= {"strict": True} if talk.strict else {}
            asked |= {"tools": [tool], "tool_choice": "required"}
        if talk.formed:
            asked |= {"text_format": Sky}
        if talk.effort:
            asked |= {"reasoning": {"effort": talk.effort}}
        return asked

    def ask(self, asked):
        if not self.streamed:
            call = self.api.responses.parse if "text_format" in asked else self.api.responses.create
            return self.read(call(**asked))
        with self.api.responses.stream(**asked) as events:
            for _ in events:
                pass
        return self.read(events.get_final_response())

    def read(self, answer):
        assert answer.object == "response" and answer.status == "completed"
        calls = [(it.name, plain(it.arguments)) for it in answer.output if it.type == "function_call"]
        assert all(it.call_id for it in answer.output if it.type == "function_call")
        thoughts = [part.text for it in answer.output if it.type == "reasoning" for part in it.summary]
        usage = answer.usage
        return Heard(
            self.heard.take(), answer.output_text, calls, "tools" if calls else "end", "".join(thoughts),
            usage and (usage.input_tokens, usage.output_tokens), answer.model_dump(), answer,
        )  # fmt: skip

    def go_on(self, asked, answer):
        said = [
            {"type": "function_call_output", "call_id": it.call_id, "output": RESULT}
            for it in answer.output
            if it.type == "function_call"
        ]
        said = said or [{"role": "user", "content": MORE}]
        choice = {"tool_choice": "auto"} if "tools" in asked else {}
        return asked | {"input": [*asked["input"], *answer.output, *said]} | choice


class ResponsesStream(Responses):
    name, streamed = "responses, streamed", True


class Messages:
    name, streamed = "messages", False

    def __init__(self):
        self.heard = Listener()
        self.api = anthropic.Anthropic(base_url=GATEWAY, api_key=TOKEN, max_retries=0, http_client=self.heard.client())

    def begin(self, model, talk):
        asked = {"model": model, "system": SYSTEM, "messages": [{"role": "user", "content": talk.words}]}
        asked |= {"max_tokens": MOST}
        if talk.tools:
            tool = {"name": "look_up", "description": "Looks up.", "input_schema": QUERY}
            tool |= {"strict": True} if talk.strict else {}
            asked |= {"tools": [tool], "tool_choice": {"type": "any"}}
        if talk.formed:
            asked |= {"output_format": Sky}
        if talk.budget:
            asked |= {"thinking": {"type": "enabled", "budget_tokens": talk.budget}}
        return asked

    def ask(self, asked):
        if not self.streamed:
            call = self.api.messages.parse if "output_format" in asked else self.api.messages.create
            return self.read(call(**asked))
        with self.api.messages.stream(**asked) as events:
            text = "".join(events.text_stream)
            answer = events.get_final_message()
        heard = self.read(answer)
        assert text == heard.text
        return heard

    def read(self, answer):
        assert answer.type == "message" and answer.role == "assistant"
        calls = [(it.name, it.input) for it in answer.content if it.type == "tool_use"]
        assert all(it.id for it in answer.content if it.type == "tool_use")
        text = "".join(it.text for it in answer.content if it.type == "text")
        thought = "".join(it.thinking for it in answer.content if it.type == "thinking")
        tokens = (answer.usage.input_tokens, answer.usage.output_tokens)
        return Heard(self.heard.take(), text, calls, ENDS[answer.stop_reason], thought, tokens, answer.model_dump(), answer)

    def go_on(self, asked, answer):
        said = [
            {"type": "tool_result", "tool_use_id": it.id, "content": RESULT} for it in answer.content if it.type == "tool_use"
        ]
        turns = [{"role": "assistant", "content": answer.content}, {"role": "user", "content": said or MORE}]
        choice = {"tool_choice": {"type": "auto"}} if "tools" in asked else {}
        return asked | {"messages": asked["messages"] + turns} | choice


class MessagesStream(Messages):
    name, streamed = "messages, streamed", True


class Generate:
    name, streamed = "generate", False

    def __init__(self):
        self.heard = Listener()
        options = types.HttpOptions(base_url=GATEWAY, httpx_client=self.heard.client())
        self.api = genai.Client(api_key=TOKEN, http_options=options, vertexai=False)

    def begin(self, model, talk):
        config = {"system_instruction": SYSTEM, "max_output_tokens": MOST}
        if talk.tools:
            function = types.FunctionDeclaration(name="look_up", description="Looks up.", parameters_json_schema=QUERY)
            config |= {"tools": [types.Tool(function_declarations=[function])], "tool_config": self.choice("ANY")}
        if talk.formed:
            config |= {"response_mime_type": "application/json", "response_json_schema": Sky.model_json_schema()}
        if talk.budget:
            config |= {"thinking_config": types.ThinkingConfig(thinking_budget=talk.budget, include_thoughts=True)}
        if talk.effort:
            config |= {"thinking_config": types.ThinkingConfig(thinking_level=talk.effort)}
        return {"model": model, "contents": [types.UserContent(talk.words)], "config": config}

    def choice(self, mode):
        return types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode))

    def ask(self, asked):
        asked = asked | {"config": types.GenerateContentConfig(**asked["config"])}
        if not self.streamed:
            return self.read([self.api.models.generate_content(**asked)])
        return self.read(list(self.api.models.generate_content_stream(**asked)))

    def read(self, answers):
        last = answers[-1].candidates[0]
        parts = [part for it in answers for part in (it.candidates[0].content and it.candidates[0].content.parts) or []]
        calls = [(it.function_call.name, it.function_call.args) for it in parts if it.function_call]
        text = "".join(it.text for it in parts if it.text and not it.thought)
        thought = "".join(it.text for it in parts if it.text and it.thought)
        usage = answers[-1].usage_metadata
        tokens = (usage.prompt_token_count, (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0))
        stop = "tools" if calls else ENDS[last.finish_reason.name]
        dumps = [it.model_dump(mode="json", exclude={"sdk_http_response"}) for it in answers]
        return Heard(self.heard.take(), text, calls, stop, thought, tokens, dumps, answers)

    def go_on(self, asked, answers):
        """The contents of a stream are turns of their own, as the SDK's `chats` keeps them."""
        contents = [it.candidates[0].content for it in answers if it.candidates[0].content]
        if asked["model"] == "google":
            # This stand-in wants a call's result right behind the content with the call.
            parts = [part for it in contents for part in it.parts or [] if part.text != ""]
            contents = [types.Content(role="model", parts=parts)]
        calls = [part.function_call for it in contents for part in it.parts or [] if part.function_call]
        said = [
            types.Part(function_response=types.FunctionResponse(id=it.id, name=it.name, response={"result": RESULT}))
            for it in calls
        ]
        contents = [*asked["contents"], *contents, types.Content(role="user", parts=said or [types.Part(text=MORE)])]
        choice = {"tool_config": self.choice("AUTO")} if "tools" in asked["config"] else {}
        return asked | {"contents": contents, "config": asked["config"] | choice}


class GenerateStream(Generate):
    name, streamed = "generate, streamed", True


ALL = [Chat, ChatStream, ChatUsage, Responses, ResponsesStream, Messages, MessagesStream, Generate, GenerateStream]
