"""Does Google's Gen AI SDK for Python work against the gateway, on a model that another dialect serves?

Every SDK on every dialect is tests/sdk/all; this is the short form of it.
"""

import os
import unittest

from google import genai
from google.genai import errors, types

MODEL = os.environ.get("TRIMTAB_CHAT_MODEL", "gpt-4o-mini")
EMBEDDING = os.environ.get("TRIMTAB_EMBEDDING_MODEL", "text-embedding-3-small")
BASE = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather", description="The weather in a city.", parameters_json_schema=PARAMETERS
        )
    ]
)


class Content(unittest.TestCase):
    def setUp(self):
        options = types.HttpOptions(base_url=BASE, timeout=30_000)
        self.client = genai.Client(api_key=os.environ["OPENAI_API_KEY"], http_options=options, vertexai=False)

    def tearDown(self):
        self.client.close()

    def test_one_answer(self):
        answer = self.client.models.generate_content(model=MODEL, contents="Say hello.")
        self.assertTrue(answer.text)
        self.assertIn(answer.candidates[0].finish_reason.name, ("STOP", "MAX_TOKENS"))
        usage = answer.usage_metadata
        self.assertEqual(usage.total_token_count, usage.prompt_token_count + usage.candidates_token_count)

    def test_a_stream(self):
        answers = list(self.client.models.generate_content_stream(model=MODEL, contents="Say hello."))
        self.assertGreater(len(answers), 2)
        self.assertTrue("".join(answer.text or "" for answer in answers))
        self.assertGreater(answers[-1].usage_metadata.candidates_token_count, 0)

    def test_a_call(self):
        forced = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
        config = types.GenerateContentConfig(tools=[TOOL], tool_config=forced)
        answer = self.client.models.generate_content(model=MODEL, contents="Is it raining?", config=config)
        self.assertEqual(answer.function_calls[0].name, "get_weather")

    def test_embeddings(self):
        answer = self.client.models.embed_content(model=EMBEDDING, contents=["one", "two"])
        self.assertEqual(len(answer.embeddings), 2)

    def test_the_list_of_models(self):
        self.assertIn(f"models/{MODEL}", [model.name for model in self.client.models.list()])

    def test_an_unknown_model(self):
        with self.assertRaises(errors.ClientError) as caught:
            self.client.models.generate_content(model="no-such-model", contents="Say hello.")
        self.assertEqual(caught.exception.code, 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)
