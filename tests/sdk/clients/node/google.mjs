// @google/genai: content, counts, embeddings, the list of models.

import { GoogleGenAI } from "@google/genai";
import {
  DIALECTS, PIXEL, QUERY, SCHEMA, Suite, THINKERS, Wrong, carries, failures, finish, thinks, version,
} from "./harness.mjs";

const tool = { functionDeclarations: [{ name: "look_up", description: "Looks up.", parametersJsonSchema: QUERY }] };
const forced = { tools: [tool], toolConfig: { functionCallingConfig: { mode: "ANY" } } };
const client = (side, apiVersion) => {
  const httpOptions = { baseUrl: side.base, timeout: 30_000, ...(apiVersion && { apiVersion }) };
  return new GoogleGenAI({ apiKey: side.key, vertexai: false, httpOptions });
};

const read = (answers) => {
  const parts = answers.flatMap((it) => it.candidates?.[0]?.content?.parts ?? []);
  const usage = answers.findLast((it) => it.usageMetadata)?.usageMetadata;
  const calls = parts.filter((it) => it.functionCall).map((it) => it.functionCall);
  return {
    text: parts.filter((it) => it.text && !it.thought).map((it) => it.text).join(""),
    thought: parts.some((it) => it.thought),
    tools: calls.map((it) => [it.name, JSON.stringify(it.args)]),
    stop: answers.at(-1)?.candidates?.[0]?.finishReason,
    usage,
    tokens: usage && [usage.promptTokenCount, (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0)],
  };
};
const asked = (side, kind, config, contents = "Say hello.") => ({ model: side.model(kind), contents, config });
const whole = async (side, kind = "own", config = {}, contents = undefined) =>
  read([await client(side).models.generateContent(asked(side, kind, config, contents))]);
const stream = async (side, kind = "own", config = {}) => {
  const answers = [];
  const events = await client(side).models.generateContentStream(asked(side, kind, config));
  for await (const answer of events) answers.push(answer);
  return read(answers);
};
const result = async (side) => {
  const contents = [{ role: "user", parts: [{ text: "Look it up." }] }];
  const api = client(side);
  const first = await api.models.generateContent(asked(side, "own", forced, contents));
  const { content } = first.candidates[0];
  const { id, name } = content.parts.at(-1).functionCall;
  const functionResponse = { ...(id && { id }), name, response: { sky: "clear" } };
  const all = [...contents, content, { role: "user", parts: [{ functionResponse }] }];
  const second = await api.models.generateContent(asked(side, "own", { tools: [tool] }, all));
  return { text: second.text, stop: second.candidates[0].finishReason };
};
const count = async (side) => {
  const counted = await client(side).models.countTokens({ model: side.model(), contents: "Say hello." });
  return { count: counted.totalTokens };
};
const embeddings = async (side) => {
  const answer = await client(side).models.embedContent({ model: side.model(), contents: ["one", "two"] });
  const [first] = answer.embeddings;
  return { dimensions: answer.embeddings.map((it) => it.values.length), number: first.values[0].toFixed(4) };
};
const two = (seen) => {
  if (seen.dimensions?.length !== 2) throw new Wrong(`no two vectors: ${JSON.stringify(seen)}`);
};
const models = async (side, apiVersion) => {
  const names = [];
  for await (const model of await client(side, apiVersion).models.list()) names.push(model.name);
  return { has: names.includes(`models/${side.model()}`) };
};
const listed = (seen) => {
  if (!seen.has) throw new Wrong("the model is not in the list");
};

const on = DIALECTS;
const keys = ["text", "stop", "tools"];
const think = { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } };
const form = { responseMimeType: "application/json", responseJsonSchema: SCHEMA };
const image = [{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data: PIXEL } }, { text: "What is it?" }] }];

const suite = new Suite(`@google/genai ${version("@google/genai")}`, "google");
await suite.row("whole", whole, { on, keys });
await suite.row("stream", stream, { on, keys });
await suite.row("tools", (side) => whole(side, "own", forced), { on, keys });
await suite.row("tools, streamed", (side) => stream(side, "own", forced), { on, keys });
await suite.row("result of a tool", result, { on, turns: 2 });
await suite.row("image", (side) => whole(side, "own", {}, image), { on, keys, check: carries(PIXEL) });
await suite.row("structured", (side) => whole(side, "own", form), { on, keys, check: carries("sky_colour") });
await suite.row("thinking", (side) => whole(side, "own", think), { on, keys, check: thinks(THINKERS) });
await suite.row("thinking, streamed", (side) => stream(side, "own", think), { on, keys, check: thinks(THINKERS) });
await suite.row("count", count);
await suite.row("embeddings", embeddings);
await suite.row("embeddings elsewhere", embeddings, { on: ["openai", "azure", "cohere"], keys: [], check: two });
await suite.row("models", models, { turns: 0, keys: [], check: listed });
await suite.row("models, v1beta", (side) => models(side, "v1beta"), { turns: 0, check: listed });
await failures(suite, whole, stream, { keys: ["error"] });
finish(suite);
