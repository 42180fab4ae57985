//! Answers in Anthropic's words: messages whole and streamed, counts of tokens, models.
//!
//! Keys stand in the order in which Anthropic writes them, since clients exist that look before they parse.
//!
//! # Invariants
//! - Blocks are numbered from 0 without a gap, and one is closed before the next is opened.
//! - A thought comes before the text and bears a signature that [`is_own_signature`] knows again.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::ask::{Ask, Choice, Extra, Measured, clamp};
use super::dates;
use super::endpoint::Endpoint;
use super::narration::Narration;
use super::plan::{Plan, THOUGHTS, quoted};

/// What every signature begins with; any stand-in that speaks Anthropic takes another's, as Anthropic's accounts do.
const SIGNATURE: &str = "mockEqQBCkYIBhgCKkA";

/// A sign of life, which comes early in every stream.
const PING: Bytes = Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");

/// The stream of a message.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
}

/// Reads a request for a message or for a count of its tokens.
pub(super) fn ask(endpoint: Endpoint, body: Value) -> Ask {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    let contents = messages.iter().map(|it| Measured::of(&it["content"]));
    let measured = Measured::sum(contents.chain([Measured::of(&body["system"])]));
    let last = messages.last().filter(|it| it["role"] == "assistant");
    let thinking = body["thinking"]["type"].as_str();
    Ask {
        endpoint,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"].as_bool().unwrap_or(false),
        max_tokens: body["max_tokens"].as_u64().map(clamp),
        input_tokens: measured.tokens(),
        user: body["metadata"]["user_id"].as_str().map(ToOwned::to_owned),
        prefill: last.map(|it| Measured::of(&it["content"]).prefix()),
        tool: tool(&body, messages),
        thinks: matches!(thinking, Some("enabled" | "adaptive")),
        extra: Extra::Body(body),
        ..Ask::default()
    }
}

fn tool(body: &Value, messages: &[Value]) -> Option<String> {
    let first = body["tools"][0]["name"].as_str()?.to_owned();
    let choice = match body["tool_choice"]["type"].as_str() {
        Some("any") => Choice::Any,
        Some("none") => Choice::None,
        Some("tool") => body["tool_choice"]["name"]
            .as_str()
            .map_or(Choice::Any, |name| Choice::Named(name.to_owned())),
        _ => Choice::Auto,
    };
    let last = messages.iter().rfind(|it| it["role"] == "user");
    let says_tool = last.is_some_and(|it| Measured::of(&it["content"]).says_tool);
    choice.tool(first, says_tool)
}

/// Whether a signature is one that a stand-in made.
pub(super) fn is_own_signature(signature: &str) -> bool {
    signature.starts_with(SIGNATURE)
}

/// The signature of an answer's thought.
pub(super) fn signature(plan: &Plan) -> String {
    format!("{SIGNATURE}{:016x}==", plan.id)
}

/// A message as a whole.
pub(super) fn whole(plan: &Plan) -> String {
    let mut blocks = Vec::new();
    if plan.thinks() {
        blocks.push(format!(
            "{{\"type\":\"thinking\",\"thinking\":\"{}\",\"signature\":\"{}\"}}",
            THOUGHTS.concat(),
            signature(plan)
        ));
    }
    let text = plan.text();
    blocks.push(match &plan.ask.tool {
        Some(tool) => format!(
            "{{\"type\":\"tool_use\",\"id\":\"{}\",\"name\":{},\"input\":{text}}}",
            tool_id(plan),
            quoted(tool)
        ),
        None => format!("{{\"type\":\"text\",\"text\":{}}}", quoted(&text)),
    });
    let usage = usage(plan).map_or(String::new(), |it| format!(",\"usage\":{it}"));
    format!(
        "{{\"id\":\"{}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{},\"content\":[{}],\
         \"stop_reason\":\"{}\",\"stop_sequence\":null{usage}}}",
        message_id(plan),
        quoted(&plan.ask.model),
        blocks.join(","),
        stop_reason(plan),
    )
}

/// The count of a message's tokens.
pub(super) fn count(plan: &Plan) -> String {
    format!("{{\"input_tokens\":{}}}", plan.ask.input_tokens)
}

/// The list of models; `unix` is when they came.
pub(super) fn model_list(models: &[String], unix: Duration) -> String {
    let data: Vec<Value> = models.iter().map(|it| model_json(it, unix)).collect();
    serde_json::json!({
        "data": data,
        "has_more": false,
        "first_id": models.first(),
        "last_id": models.last(),
    })
    .to_string()
}

/// One model.
pub(super) fn model_json(model: &str, unix: Duration) -> Value {
    let created = dates::rfc3339(unix);
    serde_json::json!({"type": "model", "id": model, "display_name": model, "created_at": created})
}

fn message_id(plan: &Plan) -> String {
    format!("msg_01mock{:016x}", plan.id)
}

fn tool_id(plan: &Plan) -> String {
    format!("toolu_01mock{:016x}", plan.id)
}

fn stop_reason(plan: &Plan) -> &'static str {
    match (&plan.ask.tool, plan.cut_short) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

/// Input and output tokens, thoughts included.
fn counts(plan: &Plan) -> Option<(i64, i64)> {
    let (input, output) = plan.counts()?;
    Some((input, output + plan.thought_tokens()))
}

fn usage(plan: &Plan) -> Option<String> {
    let (input, output) = counts(plan)?;
    Some(usage_of(input, output))
}

fn usage_of(input: i64, output: i64) -> String {
    format!(
        "{{\"input_tokens\":{input},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\
         \"cache_creation\":{{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0}},\
         \"output_tokens\":{output},\"service_tier\":\"standard\"}}"
    )
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

    fn message_start(&self) -> Bytes {
        let usage = counts(&self.plan).map_or(String::new(), |(input, _)| {
            format!(",\"usage\":{}", usage_of(input, 1))
        });
        let id = message_id(&self.plan);
        let model = quoted(&self.plan.ask.model);
        event(
            "message_start",
            &format!(
                "\"message\":{{\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{model},\
                 \"content\":[],\"stop_reason\":null,\"stop_sequence\":null{usage}}}"
            ),
        )
    }

    fn thought(&self) -> Vec<Bytes> {
        let delta = |delta: &str| {
            event(
                "content_block_delta",
                &format!("\"index\":0,\"delta\":{{{delta}}}"),
            )
        };
        let mut events = vec![event(
            "content_block_start",
            "\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
        )];
        events.extend(THOUGHTS.iter().map(|thought| {
            delta(&format!(
                "\"type\":\"thinking_delta\",\"thinking\":\"{thought}\""
            ))
        }));
        events.push(delta(&format!(
            "\"type\":\"signature_delta\",\"signature\":\"{}\"",
            signature(&self.plan)
        )));
        events.push(event("content_block_stop", "\"index\":0"));
        events
    }

    fn block_start(&self) -> Bytes {
        let block = match &self.plan.ask.tool {
            Some(tool) => format!(
                "{{\"type\":\"tool_use\",\"id\":\"{}\",\"name\":{},\"input\":{{}}}}",
                tool_id(&self.plan),
                quoted(tool)
            ),
            None => "{\"type\":\"text\",\"text\":\"\"}".to_owned(),
        };
        let index = self.index();
        event(
            "content_block_start",
            &format!("\"index\":{index},\"content_block\":{block}"),
        )
    }
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        let mut events = vec![self.message_start()];
        if self.plan.thinks() {
            events.extend(self.thought());
        }
        events.push(self.block_start());
        events.insert(2, PING);
        events
    }

    fn token(&mut self, number: u32) -> Bytes {
        let piece = self.plan.escaped_piece(number);
        let delta = if self.plan.ask.tool.is_some() {
            format!("\"type\":\"input_json_delta\",\"partial_json\":\"{piece}\"")
        } else {
            format!("\"type\":\"text_delta\",\"text\":\"{piece}\"")
        };
        let index = self.index();
        event(
            "content_block_delta",
            &format!("\"index\":{index},\"delta\":{{{delta}}}"),
        )
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let usage = usage(&self.plan).map_or(String::new(), |it| format!(",\"usage\":{it}"));
        let reason = stop_reason(&self.plan);
        vec![
            event("content_block_stop", &format!("\"index\":{}", self.index())),
            event(
                "message_delta",
                &format!(
                    "\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}}{usage}"
                ),
            ),
        ]
    }

    fn last(&mut self) -> Option<Bytes> {
        Some(Bytes::from_static(
            b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ))
    }

    fn garbled(&mut self) -> Bytes {
        Bytes::from_static(
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"del\n\n",
        )
    }

    fn error(&mut self) -> Bytes {
        let id = self.plan.voice().request_id();
        event(
            "error",
            &format!(
                "\"error\":{{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}},\
                 \"request_id\":\"{id}\""
            ),
        )
    }

    fn ping(&mut self) -> Bytes {
        PING
    }
}

fn event(name: &str, fields: &str) -> Bytes {
    format!("event: {name}\ndata: {{\"type\":\"{name}\",{fields}}}\n\n").into()
}
