// openai for Node: chat completions, responses, embeddings, the list of models.

import OpenAI from "openai";
import {
  DIALECTS, PIXEL, QUERY, SCHEMA, SHOWN, Suite, THINKERS, Wrong, carries, failures, finish, patience, thinks, version,
} from "./harness.mjs";

const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Say hello." },
];
const tool = { type: "function", function: { name: "look_up", description: "Looks up.", parameters: QUERY } };
const forced = { tools: [tool], tool_choice: { type: "function", function: { name: "look_up" } } };
const client = (side, more) =>
  new OpenAI({ baseURL: `${side.base}/v1`, apiKey: side.key, timeout: 30_000, ...more });

const read = (message, stop, usage) => ({
  text: message.content ?? "",
  stop,
  tools: (message.tool_calls ?? []).map((it) => [it.function.name, it.function.arguments]),
  thought: Boolean(message.reasoning_content),
  usage,
  tokens: usage && [usage.prompt_tokens, usage.completion_tokens],
});

const whole = async (side, kind = "own", more = {}) => {
  const answer = await client(side, patience(kind)).chat.completions.create({ model: side.model(kind), messages, ...more });
  const [{ message, finish_reason }] = answer.choices;
  return { ...read(message, finish_reason, answer.usage), object: answer.object, role: message.role };
};

/** By the runner, which is stricter than the raw stream. */
const stream = async (side, kind = "own", more = {}) => {
  const runner = client(side, { maxRetries: 0 }).chat.completions.stream({
    model: side.model(kind),
    messages,
    stream_options: { include_usage: true },
    ...more,
  });
  const final = await runner.finalChatCompletion();
  const [{ message, finish_reason }] = final.choices;
  return read(message, finish_reason, final.usage);
};

const raw = async (side, kind = "own", more = {}) => {
  let [text, stop, usage, thought] = ["", null, null, ""];
  const chunks = await client(side, { maxRetries: 0 }).chat.completions.create({
    model: side.model(kind),
    messages,
    stream: true,
    ...more,
  });
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      text += choice.delta.content ?? "";
      thought += choice.delta.reasoning_content ?? "";
      stop = choice.finish_reason ?? stop;
    }
  }
  return { text, stop, told: Boolean(usage), thought: Boolean(thought) };
};

const result = async (side) => {
  const api = client(side);
  const first = await api.chat.completions.create({ model: side.model(), messages, ...forced });
  const { message } = first.choices[0];
  const back = { role: "tool", tool_call_id: message.tool_calls[0].id, content: '{"sky": "clear"}' };
  const asked = { model: side.model(), messages: [...messages, message, back], tools: [tool] };
  const second = await api.chat.completions.create(asked);
  return { text: second.choices[0].message.content, stop: second.choices[0].finish_reason };
};

const flat = { type: "function", name: "look_up", description: "Looks up.", parameters: QUERY, strict: false };
const readResponse = (answer) => ({
  text: answer.output_text,
  stop: answer.status,
  tools: answer.output.filter((it) => it.type === "function_call").map((it) => [it.name, it.arguments]),
  types: answer.output.map((it) => it.type).filter((it) => it !== "reasoning"),
  thought: answer.output.some((it) => it.type === "reasoning"),
  usage: answer.usage,
  tokens: [answer.usage.input_tokens, answer.usage.output_tokens],
});
const response = (side, kind, more) => ({ model: side.model(kind), input: "Say hello.", ...more });
const respond = async (side, kind = "own", more = {}) =>
  readResponse(await client(side, patience(kind)).responses.create(response(side, kind, more)));
const respondInPieces = async (side, kind = "own", more = {}) => {
  const events = client(side, { maxRetries: 0 }).responses.stream(response(side, kind, more));
  const final = await events.finalResponse();
  // This SDK returns a failed response like any other.
  if (final.status === "failed") throw new Error(final.error?.message);
  return readResponse(final);
};

const embeddings = async (side) => {
  const answer = await client(side).embeddings.create({ model: side.model(), input: ["one", "two"] });
  const [first] = answer.data;
  return {
    indices: answer.data.map((it) => it.index),
    dimensions: first.embedding.length,
    number: first.embedding[0].toFixed(4),
    usage: answer.usage,
  };
};
const two = (seen) => {
  if (seen.indices?.join() !== "0,1") throw new Wrong(`no two vectors: ${JSON.stringify(seen)}`);
};

const models = async (side) => {
  const names = [];
  for await (const model of client(side).models.list()) names.push(model.id);
  const one = await client(side).models.retrieve(side.model());
  return { has: names.includes(side.model()), object: one.object };
};

const on = DIALECTS;
const keys = ["text", "stop", "tools", "object", "role", "types"];
const url = `data:image/png;base64,${PIXEL}`;
const parts = [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url } }];
const image = { messages: [{ role: "user", content: parts }] };
const form = { response_format: { type: "json_schema", json_schema: { name: "sky", strict: true, schema: SCHEMA } } };
const effort = { reasoning_effort: "high" };

const chat = new Suite(`openai-node ${version("openai")}, chat`, "openai");
await chat.row("whole", whole, { on, keys });
await chat.row("stream", stream, { on, keys });
await chat.row("stream, no usage asked", raw, { on });
await chat.row("tools", (side) => whole(side, "own", forced), { on, keys });
await chat.row("tools, streamed", (side) => stream(side, "own", forced), { on, keys });
await chat.row("result of a tool", result, { on, turns: 2 });
await chat.row("length", (side) => whole(side, "own", { max_tokens: 5 }), { on, keys });
await chat.row("image", (side) => whole(side, "own", image), { on, keys, check: carries(PIXEL) });
await chat.row("structured", (side) => whole(side, "own", form), { on, keys, check: carries("sky_colour") });
await chat.row("thinking", (side) => whole(side, "own", effort), { on, keys, check: thinks(SHOWN) });
await chat.row("thinking, streamed", (side) => raw(side, "own", effort), {
  on,
  keys: ["text", "stop"],
  check: thinks(SHOWN),
});
await chat.row("embeddings", embeddings, {
  on: ["openai", "azure", "google", "vertex", "cohere"],
  keys: ["indices"],
  check: two,
});
await chat.row("models", models, { turns: 0 });
await failures(chat, whole, stream);

const replies = new Suite(`openai-node ${version("openai")}, responses`, "openai");
const call = { tools: [flat], tool_choice: { type: "function", name: "look_up" } };
const reasoning = { reasoning: { effort: "high", summary: "auto" } };
await replies.row("whole", respond, { on, keys });
await replies.row("stream", respondInPieces, { on, keys });
await replies.row("tools", (side) => respond(side, "own", call), { on, keys });
await replies.row("tools, streamed", (side) => respondInPieces(side, "own", call), { on, keys });
await replies.row("thinking", (side) => respond(side, "own", reasoning), { on, keys, check: thinks(THINKERS) });
await replies.row("thinking, streamed", (side) => respondInPieces(side, "own", reasoning), {
  on,
  keys,
  check: thinks(THINKERS),
});
await failures(replies, respond, respondInPieces);
finish(chat, replies);
