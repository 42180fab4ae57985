"""Does the official Anthropic SDK for Python work against the gateway, on a model that another dialect serves?

Every SDK on every dialect is tests/sdk/all; this is the short form of it.
"""

import os
import unittest

import anthropic

MODEL = os.environ.get("TRIMTAB_CHAT_MODEL", "gpt-4o-mini")
BASE = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
ASK = {"model": MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": "Say hello."}]}
TOOL = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Messages(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=BASE, api_key=os.environ["OPENAI_API_KEY"], timeout=30)

    def tearDown(self):
        self.client.close()

    def test_one_answer(self):
        answer = self.client.messages.create(**ASK)
        self.assertEqual((answer.type, answer.role, answer.content[0].type), ("message", "assistant", "text"))
        self.assertIn(answer.stop_reason, ("end_turn", "max_tokens"))
        self.assertTrue(answer.content[0].text)
        self.assertGreater(answer.usage.input_tokens, 0)
        self.assertGreater(answer.usage.output_tokens, 0)

    def test_a_stream(self):
        with self.client.messages.stream(**ASK) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, final.content[0].text)
        self.assertGreater(final.usage.output_tokens, 0)

    def test_a_call_and_its_result(self):
        forced = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "get_weather"}}
        with self.client.messages.stream(**ASK, **forced) as stream:
            first = stream.get_final_message()
        call = next(block for block in first.content if block.type == "tool_use")
        self.assertEqual((call.name, first.stop_reason), ("get_weather", "tool_use"))
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "clear"}
        turns = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        answer = self.client.messages.create(**ASK | {"messages": ASK["messages"] + turns}, tools=[TOOL])
        self.assertEqual(answer.role, "assistant")

    def test_the_list_of_models(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list()])

    def test_an_unknown_model(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.client.messages.create(**ASK | {"model": "no-such-model"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
