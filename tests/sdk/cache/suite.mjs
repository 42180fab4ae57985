// What suite.py asks of the SDKs for Python, asked of those for Node: whoever asks first, whatever asks next gets the same.
// Anthropic's and Google's take part where they are installed.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import OpenAI from "openai";

const gateway = process.env.TRIMTAB_GATEWAY ?? "http://127.0.0.1:8080";
const apiKey = "gateway-token";
const system = "Be brief — “très bref”. 🙂";
const most = 3000;
const parameters = {
  type: "object", properties: { query: { type: "string" } }, required: ["query"], additionalProperties: false,
};
const described = { name: "look_up", description: "Looks up." };
const client = "the cache, Node";
const columns = { "odd-chat": "chat", "odd-anthropic": "anthropic", "odd-google": "google" };

// What the gateway says of the cache, whatever an SDK hands out.
const statuses = [];
const plainFetch = globalThis.fetch;
const heard = async (...asked) => {
  const response = await plainFetch(...asked);
  statuses.push(response.headers.get("x-cache-status"));
  return response;
};
globalThis.fetch = heard;

const optional = async (name) => {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    return null;
  }
};

const openai = new OpenAI({ baseURL: `${gateway}/v1`, apiKey, maxRetries: 0, fetch: heard });
const chat = {
  asked: (model, words, tools) => ({
    model, max_completion_tokens: most,
    messages: [{ role: "system", content: system }, { role: "user", content: words }],
    ...(tools && { tools: [{ type: "function", function: { ...described, parameters } }], tool_choice: "required" }),
  }),
  read: (answer) => {
    const [{ message, finish_reason: stop }] = answer.choices;
    const calls = (message.tool_calls ?? []).map((it) => [it.function.name, JSON.parse(it.function.arguments)]);
    return { core: { text: message.content ?? "", calls, stop: stop === "tool_calls" ? "tools" : stop }, all: answer };
  },
};
const responses = {
  asked: (model, words, tools) => ({
    model, max_output_tokens: most, instructions: system, input: [{ role: "user", content: words }],
    ...(tools && { tools: [{ type: "function", ...described, parameters }], tool_choice: "required" }),
  }),
  read: (answer) => {
    assert.equal(answer.status, "completed");
    const calls = answer.output.filter((it) => it.type === "function_call");
    const core = {
      text: answer.output_text,
      calls: calls.map((it) => [it.name, JSON.parse(it.arguments)]),
      stop: calls.length ? "tools" : "stop",
    };
    return { core, all: answer };
  },
};
const manners = {
  "chat": async (...it) => chat.read(await openai.chat.completions.create(chat.asked(...it))),
  "chat, streamed": async (...it) =>
    chat.read(await openai.chat.completions.stream(chat.asked(...it)).finalChatCompletion()),
  "responses": async (...it) => responses.read(await openai.responses.create(responses.asked(...it))),
  "responses, streamed": async (...it) =>
    responses.read(await openai.responses.stream(responses.asked(...it)).finalResponse()),
};

const anthropic = await optional("@anthropic-ai/sdk");
if (anthropic) {
  const api = new anthropic.default({ baseURL: gateway, apiKey, maxRetries: 0, fetch: heard });
  const asked = (model, words, tools) => ({
    model, max_tokens: most, system, messages: [{ role: "user", content: words }],
    ...(tools && { tools: [{ ...described, input_schema: parameters }], tool_choice: { type: "any" } }),
  });
  const read = (answer) => {
    const text = answer.content.filter((it) => it.type === "text").map((it) => it.text).join("");
    const calls = answer.content.filter((it) => it.type === "tool_use").map((it) => [it.name, it.input]);
    return { core: { text, calls, stop: answer.stop_reason === "tool_use" ? "tools" : "stop" }, all: answer };
  };
  manners.messages = async (...it) => read(await api.messages.create(asked(...it)));
  manners["messages, streamed"] = async (...it) => read(await api.messages.stream(asked(...it)).finalMessage());
}

const google = await optional("@google/genai");
if (google) {
  const api = new google.GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl: gateway } });
  const asked = (model, words, tools) => ({
    model, contents: words,
    config: {
      systemInstruction: system, maxOutputTokens: most,
      ...(tools && {
        tools: [{ functionDeclarations: [{ ...described, parametersJsonSchema: parameters }] }],
        toolConfig: { functionCallingConfig: { mode: "ANY" } },
      }),
    },
  });
  const read = (answers) => {
    const parts = answers.flatMap((it) => it.candidates?.[0]?.content?.parts ?? []);
    const text = parts.filter((it) => it.text && !it.thought).map((it) => it.text).join("");
    const calls = parts.filter((it) => it.functionCall).map((it) => [it.functionCall.name, it.functionCall.args]);
    assert.equal(answers.at(-1).candidates[0].finishReason, "STOP");
    const all = answers.map(({ sdkHttpResponse: _, ...answer }) => answer);
    return { core: { text, calls, stop: calls.length ? "tools" : "stop" }, all };
  };
  manners.generate = async (...it) => read([await api.models.generateContent(asked(...it))]);
  manners["generate, streamed"] = async (...it) => {
    const answers = [];
    for await (const answer of await api.models.generateContentStream(asked(...it))) answers.push(answer);
    return read(answers);
  };
}

let [passed, failed, number] = [0, 0, 0];
const row = async (name, on, check) => {
  let detail = "";
  try {
    await check();
    passed += 1;
  } catch (error) {
    failed += 1;
    detail = String(error.stack ?? error).slice(0, 800);
    console.log(`FAIL ${client}: ${name} on ${on}: ${detail}`);
  }
  if (process.env.TRIMTAB_RESULTS) {
    const outcome = detail ? "fail" : "pass";
    const line = { client, row: name, on: columns[on] ?? on, outcome, detail };
    appendFileSync(process.env.TRIMTAB_RESULTS, `${JSON.stringify(line)}\n`);
  }
};
const ask = async (manner, status, ...asked) => {
  statuses.length = 0;
  const answer = await manners[manner](...asked);
  assert.deepEqual(statuses, [status]);
  return { ...answer, all: JSON.parse(JSON.stringify(answer.all)) };
};

const every = ["openai", "anthropic", "google", "odd-chat", "odd-anthropic", "odd-google"];
const short = ["openai", "odd-google"];
for (const on of process.env.TRIMTAB_SHORT ? short : every) {
  for (const tools of [false, true]) {
    for (const first of Object.keys(manners)) {
      const name = `${tools ? "a call" : "text"}, first asked by ${first}`;
      if (!`${client}/${name}/${on}`.includes(process.env.TRIMTAB_ONLY ?? "")) continue;
      number += 1;
      const words = `${number}: “Grüße” 🙂 \\ "x" \n e\u0301, Node`;
      let told;
      await row(name, on, async () => {
        told = await ask(first, "MISS", on, words, tools);
        assert.equal(told.core.calls.length > 0, tools);
      });
      if (!told) continue;
      for (const manner of Object.keys(manners)) {
        await row(`${name}, then by ${manner}`, on, async () => {
          const again = await ask(manner, "HIT", on, words, tools);
          assert.deepEqual(again.core, told.core);
          if (manner === first) assert.deepEqual(again.all, told.all);
        });
      }
    }
  }
}
console.log(`${client}: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
