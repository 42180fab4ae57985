//! What does a provider stream, event by event, as it arrives?
//!
//! Every provider tells the same answer in its own words: thoughts, a paragraph and a call of a tool.
//! Sizes and envelopes are those of the vendors' current APIs, an event to a chunk, as they come over a wire.
//!
//! # Invariants
//! - The streams are written here and not by the gateway, so that it reads what it did not write.

use serde_json::{Value, json};

/// Who streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// OpenAI's chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's content.
    Gemini,
    /// Bedrock's Converse, in Amazon's binary frames.
    Bedrock,
    /// Cohere's chat.
    Cohere,
}

/// What the answer's thoughts are.
const THOUGHTS: &str = "The tab stands off by four degrees, so the linkage comes first.";

/// What the answer says.
const TEXT: &str = "Yes, you can do it at sea if it stays this calm. Centre the wheel, note the angle, \
    then turn the linkage by half a turn at a time and let the boat run for a minute after each.";

/// The arguments of the call, in pieces.
const ARGUMENTS: [&str; 4] = [
    "{\"instrument\": ",
    "\"clinometer\", ",
    "\"place\": \"rudder\", ",
    "\"seconds\": 60}",
];

/// One step of the answer.
enum Step<'a> {
    Start,
    Thought(&'a str),
    Text(&'a str),
    Call,
    Argument(&'a str),
    End,
}

/// A stream, in the chunks in which it arrives; each is one event.
#[must_use]
pub fn stream(provider: Provider) -> Vec<Vec<u8>> {
    let mut steps = vec![Step::Start];
    steps.extend(THOUGHTS.split_inclusive(' ').map(Step::Thought));
    steps.extend(TEXT.split_inclusive(' ').map(Step::Text));
    steps.push(Step::Call);
    steps.extend(ARGUMENTS.into_iter().map(Step::Argument));
    steps.push(Step::End);
    let events = match provider {
        Provider::OpenAi => openai(&steps),
        Provider::Anthropic => anthropic(&steps),
        Provider::Gemini => gemini(&steps),
        Provider::Bedrock => bedrock(&steps),
        Provider::Cohere => cohere(&steps),
    };
    let mut chunks: Vec<Vec<u8>> = events
        .iter()
        .map(|(name, data)| match provider {
            Provider::OpenAi | Provider::Gemini => format!("data: {data}\n\n").into_bytes(),
            Provider::Anthropic | Provider::Cohere => {
                format!("event: {name}\ndata: {data}\n\n").into_bytes()
            }
            Provider::Bedrock => frame(name, data.to_string().as_bytes()),
        })
        .collect();
    if provider == Provider::OpenAi {
        chunks.push(b"data: [DONE]\n\n".to_vec());
    }
    chunks
}

type Events = Vec<(&'static str, Value)>;

fn openai(steps: &[Step<'_>]) -> Events {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({"id": "chatcmpl-bench0123456789", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "bench-model", "service_tier": "default", "system_fingerprint": "fp_bench", "usage": null,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]})
    };
    let mut events: Events = Vec::new();
    for step in steps {
        events.push((
            "",
            match step {
                Step::Start => chunk(
                    json!({"role": "assistant", "content": "", "refusal": null}),
                    None,
                ),
                Step::Thought(text) => chunk(json!({"reasoning_content": text}), None),
                Step::Text(text) => chunk(json!({"content": text}), None),
                Step::Call => chunk(
                    json!({"tool_calls": [{"index": 0, "id": "call_bench", "type": "function",
                "function": {"name": "measure", "arguments": ""}}]}),
                    None,
                ),
                Step::Argument(json) => chunk(
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": json}}]}),
                    None,
                ),
                Step::End => chunk(json!({}), Some("tool_calls")),
            },
        ));
    }
    let mut usage = chunk(json!({}), None);
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": 210, "completion_tokens": 60, "total_tokens": 270,
        "prompt_tokens_details": {"cached_tokens": 128}, "completion_tokens_details": {"reasoning_tokens": 12}});
    events.push(("", usage));
    events
}

/// An event that says in `type` what it is, and is called so by the stream.
fn typed(kind: &'static str, mut rest: Value) -> (&'static str, Value) {
    rest["type"] = json!(kind);
    (kind, rest)
}

fn anthropic(steps: &[Step<'_>]) -> Events {
    let delta = |index: u32, delta: Value| {
        let data = json!({"index": index, "delta": delta});
        typed("content_block_delta", data)
    };
    let block = |index: u32, block: Value| {
        let data = json!({"index": index, "content_block": block});
        typed("content_block_start", data)
    };
    let stop = |index: u32| typed("content_block_stop", json!({"index": index}));
    let mut events: Events = Vec::new();
    let mut talking = false;
    for step in steps {
        match step {
            Step::Start => {
                let thoughts = json!({"type": "thinking", "thinking": "", "signature": ""});
                events.extend([anthropic_start(), block(0, thoughts)]);
            }
            Step::Thought(text) => {
                let thought = json!({"type": "thinking_delta", "thinking": text});
                events.push(delta(0, thought));
            }
            Step::Text(text) => {
                if !std::mem::replace(&mut talking, true) {
                    let signature = "c2lnbmF0dXJl".repeat(25);
                    let signed = json!({"type": "signature_delta", "signature": signature});
                    let words = json!({"type": "text", "text": ""});
                    events.extend([delta(0, signed), stop(0), block(1, words)]);
                }
                events.push(delta(1, json!({"type": "text_delta", "text": text})));
            }
            Step::Call => {
                let call = json!({"type": "tool_use", "id": "toolu_bench", "name": "measure", "input": {}});
                events.extend([stop(1), block(2, call)]);
            }
            Step::Argument(json) => {
                let input = json!({"type": "input_json_delta", "partial_json": json});
                events.push(delta(2, input));
            }
            Step::End => {
                let delta = json!({"stop_reason": "tool_use", "stop_sequence": null});
                let ending = json!({"delta": delta, "usage": {"output_tokens": 60}});
                let (ending, end) = (
                    typed("message_delta", ending),
                    typed("message_stop", json!({})),
                );
                events.extend([stop(2), ending, end]);
            }
        }
    }
    events
}

fn anthropic_start() -> (&'static str, Value) {
    let usage = json!({"input_tokens": 82, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 128, "output_tokens": 1, "service_tier": "standard"});
    let message = json!({"id": "msg_bench0123456789", "type": "message", "role": "assistant",
        "model": "bench-model", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage});
    typed("message_start", json!({"message": message}))
}

fn gemini(steps: &[Step<'_>]) -> Events {
    let event = |part: Value, finish: Option<&str>| {
        let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
        if let Some(reason) = finish {
            candidate["finishReason"] = json!(reason);
        }
        let usage = json!({"promptTokenCount": 210, "candidatesTokenCount": 48, "totalTokenCount": 270,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 210}], "thoughtsTokenCount": 12});
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "bench-model",
            "responseId": "bench0123456789"})
    };
    let mut events: Events = Vec::new();
    for step in steps {
        events.push((
            "",
            match step {
                Step::Thought(text) => event(json!({"text": text, "thought": true}), None),
                Step::Text(text) => event(json!({"text": text}), None),
                Step::Call => {
                    let arguments: Value =
                        serde_json::from_str(&ARGUMENTS.concat()).unwrap_or_default();
                    event(
                        json!({"functionCall": {"name": "measure", "args": arguments}}),
                        None,
                    )
                }
                Step::End => event(json!({"text": ""}), Some("STOP")),
                // A call comes whole, and nothing comes before the first words.
                Step::Start | Step::Argument(_) => continue,
            },
        ));
    }
    events
}

fn bedrock(steps: &[Step<'_>]) -> Events {
    let delta = |index: u32, delta: Value| {
        let data = json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefghijklmnop"});
        ("contentBlockDelta", data)
    };
    let stop = |index: u32| ("contentBlockStop", json!({"contentBlockIndex": index}));
    let mut events: Events = Vec::new();
    let mut talking = false;
    for step in steps {
        match step {
            Step::Start => events.push(("messageStart", json!({"role": "assistant"}))),
            Step::Thought(text) => {
                events.push(delta(0, json!({"reasoningContent": {"text": text}})));
            }
            Step::Text(text) => {
                if !std::mem::replace(&mut talking, true) {
                    events.push(stop(0));
                }
                events.push(delta(1, json!({"text": text})));
            }
            Step::Call => {
                events.push(stop(1));
                let start = json!({"toolUse": {"toolUseId": "tooluse_bench", "name": "measure"}});
                events.push((
                    "contentBlockStart",
                    json!({"contentBlockIndex": 2, "start": start}),
                ));
            }
            Step::Argument(json) => {
                events.push(delta(2, json!({"toolUse": {"input": json}})));
            }
            Step::End => {
                events.push(stop(2));
                events.push(("messageStop", json!({"stopReason": "tool_use"})));
                let usage = json!({"inputTokens": 210, "outputTokens": 60, "totalTokens": 270});
                events.push((
                    "metadata",
                    json!({"usage": usage, "metrics": {"latencyMs": 900}}),
                ));
            }
        }
    }
    events
}

fn cohere(steps: &[Step<'_>]) -> Events {
    let content = |kind, index: u32, content: Value| {
        typed(
            kind,
            json!({"index": index, "delta": {"message": {"content": content}}}),
        )
    };
    let call = |kind, call: Value| {
        typed(
            kind,
            json!({"index": 0, "delta": {"message": {"tool_calls": call}}}),
        )
    };
    let mut events: Events = Vec::new();
    let mut talking = false;
    for step in steps {
        match step {
            Step::Start => {
                let message = json!({"role": "assistant", "content": [], "tool_plan": "",
                    "tool_calls": [], "citations": []});
                let mut start = typed("message-start", json!({"delta": {"message": message}}));
                start.1["id"] = json!("bench-0123456789");
                events.push(start);
                events.push(content(
                    "content-start",
                    0,
                    json!({"type": "thinking", "thinking": ""}),
                ));
            }
            Step::Thought(text) => {
                events.push(content("content-delta", 0, json!({"thinking": text})));
            }
            Step::Text(text) => {
                if !std::mem::replace(&mut talking, true) {
                    events.push(typed("content-end", json!({"index": 0})));
                    events.push(content(
                        "content-start",
                        1,
                        json!({"type": "text", "text": ""}),
                    ));
                }
                events.push(content("content-delta", 1, json!({"text": text})));
            }
            Step::Call => {
                events.push(typed("content-end", json!({"index": 1})));
                let function = json!({"name": "measure", "arguments": ""});
                let begun =
                    json!({"id": "measure_bench", "type": "function", "function": function});
                events.push(call("tool-call-start", begun));
            }
            Step::Argument(json) => {
                events.push(call(
                    "tool-call-delta",
                    json!({"function": {"arguments": json}}),
                ));
            }
            Step::End => {
                events.push(typed("tool-call-end", json!({"index": 0})));
                let units = json!({"input_tokens": 210, "output_tokens": 60});
                let usage = json!({"billed_units": units, "tokens": units});
                let delta = json!({"finish_reason": "TOOL_CALL", "usage": usage});
                events.push(typed("message-end", json!({"delta": delta})));
            }
        }
    }
    events
}

/// A frame of Amazon's event stream: lengths, headers, payload, and a checksum after each part.
fn frame(event: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    let values = [
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    for (name, value) in values {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let word = |length: usize| u32::try_from(length).unwrap_or_default().to_be_bytes();
    let mut frame = Vec::new();
    frame.extend_from_slice(&word(16 + headers.len() + payload.len()));
    frame.extend_from_slice(&word(headers.len()));
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}
