"""Does the official OpenAI SDK for Python work against the gateway, unchanged but for its base URL?

The gateway's address comes from OPENAI_BASE_URL, as any user of the SDK would set it.
"""

import asyncio
import json
import os
import unittest

import openai

CHAT = os.environ.get("TRIMTAB_CHAT_MODEL", "gpt-4o-mini")
EMBEDDING = os.environ.get("TRIMTAB_EMBEDDING_MODEL", "text-embedding-3-small")
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
CALL_WEATHER = {"type": "function", "function": {"name": "get_weather"}}


class Suite(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(timeout=30)

    def tearDown(self):
        self.client.close()


class Chat(Suite):
    def test_one_answer(self):
        answer = self.client.chat.completions.create(model=CHAT, messages=ASK)
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertTrue(answer.choices[0].message.content)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        usage = answer.usage
        self.assertGreater(usage.prompt_tokens, 0)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_the_response_says_how_it_was_served(self):
        raw = self.client.chat.completions.with_raw_response.create(model=CHAT, messages=ASK)
        self.assertTrue(raw.headers["x-trimtab-request-id"])
        self.assertTrue(raw.headers["x-trimtab-route"])
        self.assertGreaterEqual(int(raw.headers["x-trimtab-attempts"]), 1)
        self.assertTrue(raw.parse().choices[0].message.content)

    def test_unknown_parameters_and_odd_text_pass_through(self):
        messages = [{"role": "user", "content": "“naïve” \u2028 \U0001f642 \\ \" \n end"}]
        answer = self.client.chat.completions.create(
            model=CHAT,
            messages=messages,
            temperature=0.2,
            seed=7,
            max_completion_tokens=64,
            extra_body={"x_unknown": {"nested": [1, None]}},
        )
        self.assertTrue(answer.choices[0].message.content)


class Streaming(Suite):
    def test_chunks_add_up(self):
        stream = self.client.chat.completions.create(
            model=CHAT, messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        text, finish, usage, chunks = "", None, None, 0
        for chunk in stream:
            chunks += 1
            self.assertEqual(chunk.object, "chat.completion.chunk")
            if chunk.usage is not None:
                usage = chunk.usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
        self.assertTrue(text)
        self.assertGreater(chunks, 2)
        self.assertIn(finish, ("stop", "length"))
        self.assertGreater(usage.completion_tokens, 0)

    def test_leaving_early_leaves_the_client_usable(self):
        with self.client.chat.completions.create(model=CHAT, messages=ASK, stream=True) as stream:
            next(iter(stream))
        answer = self.client.chat.completions.create(model=CHAT, messages=ASK)
        self.assertTrue(answer.choices[0].message.content)

    def test_the_stream_helper(self):
        with self.client.chat.completions.stream(model=CHAT, messages=ASK) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        self.assertTrue(final.choices[0].message.content)

    def test_many_at_once(self):
        async def one(client):
            stream = await client.chat.completions.create(model=CHAT, messages=ASK, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

        async def all_of_them():
            async with openai.AsyncOpenAI(timeout=30) as client:
                return await asyncio.gather(*(one(client) for _ in range(16)))

        self.assertTrue(all(asyncio.run(all_of_them())))


class Tools(Suite):
    def ask(self, **more):
        return self.client.chat.completions.create(
            model=CHAT,
            messages=[{"role": "user", "content": "What is the weather in Delft?"}],
            tools=[WEATHER],
            tool_choice=CALL_WEATHER,
            **more,
        )

    def test_a_call_and_its_result(self):
        message = self.ask().choices[0].message
        call = message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertIsInstance(json.loads(call.function.arguments), dict)
        self.assertTrue(call.id)
        answer = self.client.chat.completions.create(
            model=CHAT,
            messages=[
                {"role": "user", "content": "What is the weather in Delft?"},
                message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'},
            ],
            tools=[WEATHER],
        )
        self.assertEqual(answer.choices[0].message.role, "assistant")

    def test_a_call_in_pieces(self):
        name, arguments, finish = "", "", None
        for chunk in self.ask(stream=True):
            for choice in chunk.choices:
                finish = choice.finish_reason or finish
                for piece in choice.delta.tool_calls or []:
                    name += piece.function.name or ""
                    arguments += piece.function.arguments or ""
        self.assertEqual(name, "get_weather")
        self.assertIsInstance(json.loads(arguments), dict)
        self.assertIn(finish, ("tool_calls", "stop"))


class Embeddings(Suite):
    def test_one_text(self):
        answer = self.client.embeddings.create(model=EMBEDDING, input="a rudder on a rudder")
        self.assertGreater(len(answer.data[0].embedding), 1)
        self.assertIsInstance(answer.data[0].embedding[0], float)
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_several_texts_as_plain_numbers(self):
        answer = self.client.embeddings.create(
            model=EMBEDDING, input=["one", "two", "three"], encoding_format="float"
        )
        self.assertEqual([item.index for item in answer.data], [0, 1, 2])


class Models(Suite):
    def test_the_list_holds_what_can_be_asked_for(self):
        names = [model.id for model in self.client.models.list()]
        self.assertIn(CHAT, names)
        self.assertIn(EMBEDDING, names)

    def test_one_model(self):
        model = self.client.models.retrieve(CHAT)
        self.assertEqual((model.id, model.object), (CHAT, "model"))

    def test_a_model_that_is_not_there(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("no-such-model")
        self.assertEqual(caught.exception.code, "model_not_found")


class Errors(Suite):
    def test_an_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.chat.completions.create(model="no-such-model", messages=ASK)
        self.assertEqual(caught.exception.code, "model_not_found")
        self.assertIn("no-such-model", caught.exception.message)

    def test_an_unknown_model_for_embeddings(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model="no-such-model", input="x")

    def test_a_body_that_is_no_json(self):
        with self.assertRaises(openai.BadRequestError):
            self.client.post(
                "/chat/completions",
                cast_to=object,
                content=b'{"model": ',
                options={"headers": {"content-type": "application/json"}},
            )

    def test_a_body_without_a_model(self):
        with self.assertRaises(openai.BadRequestError):
            self.client.post("/chat/completions", cast_to=object, body={"messages": ASK})

    def test_a_path_that_is_not_there(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.get("/no-such-path", cast_to=object)


if __name__ == "__main__":
    unittest.main(verbosity=2)
