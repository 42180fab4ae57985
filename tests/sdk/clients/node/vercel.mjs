// The Vercel AI SDK over each of its providers that can be pointed here: text, streams, tools, objects, embeddings.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, streamText, tool } from "ai";
import { DIALECTS, PIXEL, QUERY, Suite, Wrong, carries, failures, finish, version } from "./harness.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
const lookUp = { look_up: tool({ description: "Looks up.", inputSchema: jsonSchema(QUERY) }) };
const forced = { tools: lookUp, toolChoice: { type: "tool", toolName: "look_up" } };

const read = async (answer) => {
  const [text, stop, calls, usage] = await Promise.all([answer.text, answer.finishReason, answer.toolCalls, answer.usage]);
  return {
    text,
    stop,
    tools: calls.map((it) => [it.toolName, JSON.stringify(it.input)]),
    tokens: [usage.inputTokens, usage.outputTokens],
  };
};

/** The rows over one provider; `make` gives a model of it. */
function rows(make) {
  const whole = async (side, kind = "own", more = {}) => {
    // This SDK repeats whatever x-should-retry says, seconds apart.
    const asked = { model: make(side, kind), maxOutputTokens: 2048, prompt: "Say hello.", maxRetries: 0, ...more };
    return read(await generateText(asked));
  };
  const stream = async (side, kind = "own", more = {}) => {
    const asked = { model: make(side, kind), maxOutputTokens: 2048, prompt: "Say hello.", maxRetries: 0, ...more };
    let broken = null;
    const answer = streamText({ ...asked, onError: ({ error }) => (broken = error) });
    await answer.consumeStream({ onError: (error) => (broken ??= error) });
    if (broken) throw broken;
    return read(answer);
  };
  const result = async (side) => {
    const asked = { model: make(side, "own"), maxOutputTokens: 2048 };
    const messages = [{ role: "user", content: "Look it up." }];
    const first = await generateText({ ...asked, messages, ...forced });
    const [{ toolCallId, toolName }] = first.toolCalls;
    const output = { type: "text", value: "clear" };
    const back = { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] };
    const turns = [...messages, ...first.response.messages, back];
    return read(await generateText({ ...asked, messages: turns, tools: lookUp }));
  };
  const image = async (side) => {
    const content = [{ type: "text", text: "What is it?" }, { type: "file", data: PIXEL, mediaType: "image/png" }];
    return whole(side, "own", { prompt: undefined, messages: [{ role: "user", content }] });
  };
  return { whole, stream, result, image };
}

const on = DIALECTS;
const keys = ["text", "stop", "tools"];

async function everything(suite, make) {
  const { whole, stream, result, image } = rows(make);
  await suite.row("whole", whole, { on, keys });
  await suite.row("stream", stream, { on, keys });
  await suite.row("tools", (side) => whole(side, "own", forced), { on, keys });
  await suite.row("tools, streamed", (side) => stream(side, "own", forced), { on, keys });
  await suite.row("result of a tool", result, { on, keys, turns: 2 });
  await suite.row("image", image, { on, keys, check: carries(PIXEL) });
  await failures(suite, whole, stream, { keys: ["error"] });
}

const openai = (side) => createOpenAI({ baseURL: `${side.base}/v1`, apiKey: side.key });
const anthropic = (side) => createAnthropic({ baseURL: `${side.base}/v1`, apiKey: side.key });
const google = (side) => createGoogleGenerativeAI({ baseURL: `${side.base}/v1beta`, apiKey: side.key });
const compatible = (side) =>
  createOpenAICompatible({ name: "trimtab", baseURL: `${side.base}/v1`, apiKey: side.key, includeUsage: true });

const embeddings = (make) => async (side) => {
  const { embeddings: vectors } = await embedMany({ model: make(side), values: ["one", "two"] });
  return { dimensions: vectors.map((it) => it.length), number: vectors[0][0].toFixed(4) };
};
const two = (seen) => {
  if (seen.dimensions?.length !== 2) throw new Wrong(`no two vectors: ${JSON.stringify(seen)}`);
};

const name = `ai ${version("ai")}`;
const suites = {
  [`${name}, openai, responses`]: ["openai", (side, kind) => openai(side)(side.model(kind))],
  [`${name}, openai, chat`]: ["openai", (side, kind) => openai(side).chat(side.model(kind))],
  [`${name}, openai-compatible`]: ["openai", (side, kind) => compatible(side)(side.model(kind))],
  [`${name}, anthropic`]: ["anthropic", (side, kind) => anthropic(side)(side.model(kind))],
  [`${name}, google`]: ["google", (side, kind) => google(side)(side.model(kind))],
};
const done = [];
for (const [client, [home, make]] of Object.entries(suites)) {
  const suite = new Suite(client, home);
  await everything(suite, make);
  done.push(suite);
}
await done[1].row("embeddings", embeddings((side) => openai(side).embedding(side.model())), {
  on: ["openai", "azure", "google", "cohere"],
  keys: [],
  check: two,
});
await done[4].row("embeddings", embeddings((side) => google(side).embedding(side.model())), {
  on: ["google", "openai"],
  keys: [],
  check: two,
});
finish(...done);
