// Does the official OpenAI SDK for Node work against the gateway, unchanged but for its base URL?
// The gateway's address comes from OPENAI_BASE_URL, as any user of the SDK would set it.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const chat = process.env.TRIMTAB_CHAT_MODEL ?? "gpt-4o-mini";
const embedding = process.env.TRIMTAB_EMBEDDING_MODEL ?? "text-embedding-3-small";
const client = new OpenAI({ timeout: 30_000 });
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Say hello." },
];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const callWeather = {
  model: chat,
  messages: [{ role: "user", content: "What is the weather in Delft?" }],
  tools: [weather],
  tool_choice: { type: "function", function: { name: "get_weather" } },
};

test("chat: one answer with usage", async () => {
  const answer = await client.chat.completions.create({ model: chat, messages });
  assert.equal(answer.object, "chat.completion");
  assert.ok(answer.choices[0].message.content);
  assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
});

test("chat: the response says how it was served", async () => {
  const { data, response } = await client.chat.completions
    .create({ model: chat, messages })
    .withResponse();
  assert.ok(response.headers.get("x-trimtab-request-id"));
  assert.ok(response.headers.get("x-trimtab-route"));
  assert.ok(Number(response.headers.get("x-trimtab-attempts")) >= 1);
  assert.ok(data.choices[0].message.content);
});

test("streaming: chunks add up", async () => {
  const stream = await client.chat.completions.create({
    model: chat,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let [text, finish, usage, chunks] = ["", null, null, 0];
  for await (const chunk of stream) {
    chunks += 1;
    assert.equal(chunk.object, "chat.completion.chunk");
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? "";
      finish = choice.finish_reason ?? finish;
    }
  }
  assert.ok(text);
  assert.ok(chunks > 2);
  assert.ok(["stop", "length"].includes(finish));
  assert.ok(usage.completion_tokens > 0);
});

test("streaming: leaving early leaves the client usable", async () => {
  const stream = await client.chat.completions.create({ model: chat, messages, stream: true });
  for await (const _ of stream) break;
  const answer = await client.chat.completions.create({ model: chat, messages });
  assert.ok(answer.choices[0].message.content);
});

test("streaming: the runner's final message", async () => {
  const runner = client.chat.completions.stream({ model: chat, messages });
  assert.ok(await runner.finalContent());
});

test("streaming: many at once", async () => {
  const one = async () => {
    const stream = await client.chat.completions.create({ model: chat, messages, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    return text;
  };
  const texts = await Promise.all(Array.from({ length: 16 }, one));
  assert.ok(texts.every(Boolean));
});

test("tools: a call and its result", async () => {
  const { message } = (await client.chat.completions.create(callWeather)).choices[0];
  const [call] = message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.equal(typeof JSON.parse(call.function.arguments), "object");
  const answer = await client.chat.completions.create({
    model: chat,
    messages: [
      ...callWeather.messages,
      message,
      { role: "tool", tool_call_id: call.id, content: '{"sky": "clear"}' },
    ],
    tools: [weather],
  });
  assert.equal(answer.choices[0].message.role, "assistant");
});

test("tools: a call in pieces", async () => {
  let [name, args] = ["", ""];
  const stream = await client.chat.completions.create({ ...callWeather, stream: true });
  for await (const chunk of stream) {
    for (const piece of chunk.choices[0]?.delta.tool_calls ?? []) {
      name += piece.function?.name ?? "";
      args += piece.function?.arguments ?? "";
    }
  }
  assert.equal(name, "get_weather");
  assert.equal(typeof JSON.parse(args), "object");
});

test("embeddings: one text and several", async () => {
  const one = await client.embeddings.create({ model: embedding, input: "a rudder on a rudder" });
  assert.equal(typeof one.data[0].embedding[0], "number");
  const several = await client.embeddings.create({
    model: embedding,
    input: ["one", "two", "three"],
    encoding_format: "float",
  });
  assert.deepEqual(several.data.map((item) => item.index), [0, 1, 2]);
});

test("models: the list, one, and one that is not there", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(chat) && names.includes(embedding));
  assert.equal((await client.models.retrieve(chat)).id, chat);
  await assert.rejects(client.models.retrieve("no-such-model"), (error) => {
    return error instanceof OpenAI.NotFoundError && error.code === "model_not_found";
  });
});

test("errors: an unknown model is a NotFoundError", async () => {
  await assert.rejects(
    client.chat.completions.create({ model: "no-such-model", messages }),
    (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
  );
});

test("errors: a body without a model is a BadRequestError", async () => {
  await assert.rejects(client.chat.completions.create({ messages }), OpenAI.BadRequestError);
});

test("errors: a path that is not there is a NotFoundError", async () => {
  await assert.rejects(client.get("/no-such-path"), OpenAI.NotFoundError);
});
