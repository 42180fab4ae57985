// @anthropic-ai/sdk: messages, count of tokens, the list of models.

import Anthropic from "@anthropic-ai/sdk";
import {
  DIALECTS, PIXEL, QUERY, Suite, THINKERS, carries, failures, finish, patience, thinks, version,
} from "./harness.mjs";

const messages = [{ role: "user", content: "Say hello." }];
const tool = { name: "look_up", description: "Looks up.", input_schema: QUERY };
const forced = { tools: [tool], tool_choice: { type: "tool", name: "look_up" } };
const think = { thinking: { type: "enabled", budget_tokens: 1024 } };
const client = (side, more) =>
  new Anthropic({ baseURL: side.base, apiKey: side.key, timeout: 30_000, ...more });
const asked = (side, kind, more) => ({ model: side.model(kind), max_tokens: 2048, messages, ...more });

const read = (answer) => ({
  text: answer.content.filter((it) => it.type === "text").map((it) => it.text).join(""),
  stop: answer.stop_reason,
  tools: answer.content.filter((it) => it.type === "tool_use").map((it) => [it.name, JSON.stringify(it.input)]),
  // A redacted_thinking carries Google's signature of a call.
  types: answer.content.map((it) => it.type).filter((it) => !it.endsWith("thinking")),
  thought: answer.content.some((it) => it.type === "thinking"),
  signed: answer.content.every((it) => it.type !== "thinking" || it.signature),
  usage: answer.usage,
  tokens: [answer.usage.input_tokens, answer.usage.output_tokens],
});
const whole = async (side, kind = "own", more = {}) =>
  read(await client(side, patience(kind)).messages.create(asked(side, kind, more)));
const stream = async (side, kind = "own", more = {}) =>
  read(await client(side, { maxRetries: 0 }).messages.stream(asked(side, kind, more)).finalMessage());

const result = async (side) => {
  const api = client(side);
  const first = await api.messages.create(asked(side, "own", forced));
  const call = first.content.find((it) => it.type === "tool_use");
  const back = [
    { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "clear" }] },
  ];
  const more = { tools: [tool], messages: [...messages, ...back] };
  const second = await api.messages.create(asked(side, "own", more));
  return { text: second.content[0].text, stop: second.stop_reason };
};
const count = async (side) => {
  const counted = await client(side).messages.countTokens({ model: side.model(), messages });
  return { count: counted.input_tokens };
};
const models = async (side) => {
  const names = [];
  for await (const model of client(side).models.list({ limit: 1000 })) names.push(model.id);
  const one = await client(side).models.retrieve(side.model());
  return { has: names.includes(side.model()), type: one.type };
};

const on = DIALECTS;
const keys = ["text", "stop", "tools", "types"];
const source = { type: "base64", media_type: "image/png", data: PIXEL };
const parts = [{ type: "image", source }, { type: "text", text: "What is it?" }];
const image = { messages: [{ role: "user", content: parts }] };

const suite = new Suite(`@anthropic-ai/sdk ${version("@anthropic-ai/sdk")}`, "anthropic");
await suite.row("whole", whole, { on, keys });
await suite.row("stream", stream, { on, keys });
await suite.row("tools", (side) => whole(side, "own", forced), { on, keys });
await suite.row("tools, streamed", (side) => stream(side, "own", forced), { on, keys });
await suite.row("result of a tool", result, { on, turns: 2 });
await suite.row("image", (side) => whole(side, "own", image), { on, keys, check: carries(PIXEL) });
await suite.row("thinking", (side) => whole(side, "own", think), { on, keys, check: thinks(THINKERS) });
await suite.row("thinking, streamed", (side) => stream(side, "own", think), { on, keys, check: thinks(THINKERS) });
await suite.row("count", count);
await suite.row("models", models, { turns: 0 });
await failures(suite, whole, stream);
finish(suite);
