//! Answers in Bedrock's words: Converse whole, and streamed in Amazon's binary event stream.
//!
//! # Invariants
//! - A text block is opened by its first delta, a tool's by an event of its own, as Bedrock does.

use bytes::Bytes;
use serde_json::{Value, json};

use super::anthropic;
use super::ask::{Ask, Choice, Extra, Measured, clamp};
use super::door::Door;
use super::endpoint::Endpoint;
use super::frames;
use super::narration::Narration;
use super::plan::{Plan, THOUGHTS, quoted};

/// Stands where Bedrock pads an event so that its length does not give its text away.
const PADDING: &str = "abcdefghijk";

/// The stream of an answer.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
}

/// Reads a request to converse, or for the count of one's tokens.
pub(super) fn ask(door: &Door<'_>, mut body: Value) -> Ask {
    if door.endpoint == Endpoint::ConverseCount {
        body = body["input"]["converse"].take();
    }
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    let contents = messages.iter().map(|it| Measured::of(&it["content"]));
    let measured = Measured::sum(contents.chain([Measured::of(&body["system"])]));
    let last = messages.last().filter(|it| it["role"] == "assistant");
    let thinking = &body["additionalModelRequestFields"]["thinking"]["type"];
    Ask {
        endpoint: door.endpoint,
        model: door.named.as_deref().unwrap_or_default().to_owned(),
        stream: door.stream,
        max_tokens: body["inferenceConfig"]["maxTokens"].as_u64().map(clamp),
        input_tokens: measured.tokens(),
        user: body["requestMetadata"]["user"]
            .as_str()
            .map(ToOwned::to_owned),
        prefill: last.map(|it| Measured::of(&it["content"]).prefix()),
        tool: tool(&body["toolConfig"], messages),
        thinks: matches!(thinking.as_str(), Some("enabled" | "adaptive")),
        extra: Extra::Body(body),
        ..Ask::default()
    }
}

/// The count of a conversation's tokens.
pub(super) fn count(plan: &Plan) -> String {
    json!({"inputTokens": plan.ask.input_tokens}).to_string()
}

fn tool(config: &Value, messages: &[Value]) -> Option<String> {
    let first = config["tools"][0]["toolSpec"]["name"].as_str()?.to_owned();
    let choice = &config["toolChoice"];
    let choice = if choice["any"].is_object() {
        Choice::Any
    } else if let Some(name) = choice["tool"]["name"].as_str() {
        Choice::Named(name.to_owned())
    } else {
        Choice::Auto
    };
    let last = messages.iter().rfind(|it| it["role"] == "user");
    let says_tool = last.is_some_and(|it| Measured::of(&it["content"]).says_tool);
    choice.tool(first, says_tool)
}

/// An answer as a whole.
pub(super) fn whole(plan: &Plan) -> String {
    let mut blocks = Vec::new();
    if plan.thinks() {
        let thought = json!({"text": THOUGHTS.concat(), "signature": anthropic::signature(plan)});
        blocks.push(json!({"reasoningContent": {"reasoningText": thought}}));
    }
    let text = plan.text();
    blocks.push(match &plan.ask.tool {
        Some(tool) => {
            let input: Value = serde_json::from_str(&text).unwrap_or_default();
            json!({"toolUse": {"toolUseId": tool_id(plan), "name": tool, "input": input}})
        }
        None => json!({"text": text}),
    });
    let mut body = json!({
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": stop_reason(plan),
        "metrics": {"latencyMs": 1},
    });
    if let Some(usage) = usage(plan) {
        body["usage"] = usage;
    }
    body.to_string()
}

fn tool_id(plan: &Plan) -> String {
    format!("tooluse_mock{:016x}", plan.id)
}

fn stop_reason(plan: &Plan) -> &'static str {
    match (&plan.ask.tool, plan.cut_short) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn usage(plan: &Plan) -> Option<Value> {
    let (input, output) = plan.counts()?;
    let output = output + plan.thought_tokens();
    Some(json!({
        "inputTokens": input,
        "outputTokens": output,
        "totalTokens": input + output,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }))
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// Number of the block that the answer itself is in.
    fn index(&self) -> u32 {
        u32::from(self.plan.thinks())
    }
}

fn delta(index: u32, delta: &str) -> Bytes {
    let payload =
        format!("{{\"contentBlockIndex\":{index},\"delta\":{{{delta}}},\"p\":\"{PADDING}\"}}");
    frames::event("contentBlockDelta", &payload)
}

fn stop(index: u32) -> Bytes {
    let payload = format!("{{\"contentBlockIndex\":{index},\"p\":\"{PADDING}\"}}");
    frames::event("contentBlockStop", &payload)
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        let start = format!("{{\"p\":\"{PADDING}\",\"role\":\"assistant\"}}");
        let mut events = vec![frames::event("messageStart", &start)];
        if self.plan.thinks() {
            events.extend(THOUGHTS.iter().map(|thought| {
                delta(
                    0,
                    &format!("\"reasoningContent\":{{\"text\":\"{thought}\"}}"),
                )
            }));
            let signature = anthropic::signature(&self.plan);
            events.push(delta(
                0,
                &format!("\"reasoningContent\":{{\"signature\":\"{signature}\"}}"),
            ));
            events.push(stop(0));
        }
        if let Some(tool) = &self.plan.ask.tool {
            let payload = format!(
                "{{\"contentBlockIndex\":{},\"p\":\"{PADDING}\",\"start\":{{\"toolUse\":{{\"name\":{},\
                 \"toolUseId\":\"{}\"}}}}}}",
                self.index(),
                quoted(tool),
                tool_id(&self.plan)
            );
            events.push(frames::event("contentBlockStart", &payload));
        }
        events
    }

    fn token(&mut self, number: u32) -> Bytes {
        let piece = self.plan.escaped_piece(number);
        if self.plan.ask.tool.is_some() {
            delta(
                self.index(),
                &format!("\"toolUse\":{{\"input\":\"{piece}\"}}"),
            )
        } else {
            delta(self.index(), &format!("\"text\":\"{piece}\""))
        }
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let reason = stop_reason(&self.plan);
        let payload = format!("{{\"p\":\"{PADDING}\",\"stopReason\":\"{reason}\"}}");
        let mut metadata = json!({"metrics": {"latencyMs": 1}, "p": PADDING});
        if let Some(usage) = usage(&self.plan) {
            metadata["usage"] = usage;
        }
        vec![
            stop(self.index()),
            frames::event("messageStop", &payload),
            frames::event("metadata", &metadata.to_string()),
        ]
    }

    fn last(&mut self) -> Option<Bytes> {
        None
    }

    fn garbled(&mut self) -> Bytes {
        frames::event("contentBlockDelta", "{\"contentBlockIndex\":0,\"del")
    }

    fn error(&mut self) -> Bytes {
        frames::exception(
            "modelStreamErrorException",
            "{\"message\":\"The model returned an error while streaming. Try your request again.\"}",
        )
    }

    /// An event of a kind that no client knows, which each must skip, since Bedrock has no sign of life.
    fn ping(&mut self) -> Bytes {
        frames::event("ping", "{}")
    }
}
