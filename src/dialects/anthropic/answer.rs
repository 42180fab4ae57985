//! A whole message: what a model answered.
//!
//! # Invariants
//! - An answer without a known stop reason is no answer.
//! - Blocks that only Anthropic's own clients understand, such as those of its hosted tools, are passed over.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::meeting::{Frame, Malformed};
use super::block::Block;
use super::stop::{self, Called};
use super::usage::{Told, Written};
use crate::chat::{Answer, Maker, Part, Signature, Stop, Usage};

/// The prefix of a message's id.
const ID: &str = "msg_";

/// A content block, as providers send it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) thinking: String,
    pub(super) signature: String,
    pub(super) data: String,
    pub(super) id: String,
    pub(super) name: String,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

impl<'a> Sent<'a> {
    /// Reads a block; one whose fields are unlike those of the known kinds is of a kind that is not known.
    pub(super) fn read(raw: &'a RawValue) -> Self {
        serde_json::from_str(raw.get()).unwrap_or_default()
    }

    /// A call's arguments; empty if there are none.
    pub(super) fn arguments(&self) -> &'a str {
        let text = self.input.map(RawValue::get).unwrap_or_default();
        let nothing = text
            .trim_matches(['{', '}', ' ', '\n', '\t', '\r'])
            .is_empty();
        if nothing || text == "null" { "" } else { text }
    }

    /// What the provider signed the thoughts with.
    pub(super) fn signature(&self) -> Option<Signature> {
        let signed = !self.signature.is_empty();
        signed.then(|| Signature::read(&self.signature, Maker::Anthropic))
    }

    fn part(self) -> Option<Part> {
        Some(match self.kind.as_str() {
            "text" => Part::text(self.text),
            "thinking" => Part::Thinking {
                signature: self.signature(),
                text: self.thinking,
            },
            "redacted_thinking" => Part::Redacted(Signature::read(&self.data, Maker::Anthropic)),
            "tool_use" => Part::ToolCall {
                arguments: self.arguments().to_owned(),
                id: self.id,
                name: self.name,
                signature: None,
            },
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    model: String,
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_sequence: Option<String>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Tier {
    #[serde(default)]
    service_tier: Option<String>,
}

/// Reads a message.
///
/// # Errors
/// [`Malformed`] where it is not one.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    let reason = message.stop_reason;
    let reason = reason.ok_or_else(|| Malformed::new("a message without a stop_reason"))?;
    let tier = message
        .usage
        .map(|usage| serde_json::from_str::<Tier>(usage.get()));
    let parts = message.content.into_iter().map(Sent::read);
    Ok(Answer {
        id: message.id,
        model: message.model,
        created: 0,
        parts: parts.filter_map(Sent::part).collect(),
        stop: stop::read(&reason)?,
        stop_text: message.stop_sequence,
        usage: message.usage.and_then(|usage| Told::read(usage).buckets()),
        service_tier: tier.and_then(Result::ok).and_then(|tier| tier.service_tier),
    })
}

#[derive(Serialize)]
struct WrittenMessage<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: WrittenUsage<'a>,
}

#[derive(Serialize)]
struct WrittenUsage<'a> {
    #[serde(flatten)]
    tokens: Written,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

/// Writes a message.
#[must_use]
pub fn write(answer: &Answer, frame: &Frame) -> Vec<u8> {
    let mut content = Vec::with_capacity(answer.parts.len());
    for part in &answer.parts {
        put(part, &mut content);
    }
    let mut calls = content.iter();
    let called = if calls.any(|block| matches!(block, Block::ToolUse { .. })) {
        Called::Yes
    } else {
        Called::No
    };
    let estimate = Usage {
        input: frame.input_estimate,
        ..Usage::default()
    };
    let message = WrittenMessage {
        id: id(&answer.id, frame),
        kind: "message",
        role: "assistant",
        model: model(&answer.model, frame),
        content,
        stop_reason: stop::write(answer.stop, called),
        stop_sequence: answer
            .stop_text
            .as_deref()
            .filter(|_| answer.stop == Stop::Text),
        usage: WrittenUsage {
            tokens: answer.usage.unwrap_or(estimate).into(),
            service_tier: answer.service_tier.as_deref(),
        },
    };
    // Strings, numbers and checked JSON always serialise.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// An id in Anthropic's form: the provider's own if it is one.
pub(super) fn id(own: &str, frame: &Frame) -> String {
    if own.starts_with(ID) {
        return own.to_owned();
    }
    format!("{ID}{}", frame.id)
}

/// The model that answered, or the one asked for where the provider does not say.
pub(super) fn model<'a>(own: &'a str, frame: &'a Frame) -> &'a str {
    if own.is_empty() { &frame.model } else { own }
}

fn put<'a>(part: &'a Part, content: &mut Vec<Block<'a>>) {
    match part {
        // Anthropic refuses empty texts when they come back.
        Part::Text { text, .. } | Part::Refusal(text) if text.is_empty() => {}
        Part::Text { text, .. } | Part::Refusal(text) => content.push(Block::text(text)),
        Part::Thinking { text, signature } => {
            content.push(Block::thinking(text, signature.as_ref()));
        }
        Part::Redacted(signature) => content.push(Block::redacted(signature)),
        Part::ToolCall {
            id,
            name,
            arguments,
            signature,
        } => {
            content.extend(signature.as_ref().map(Block::redacted));
            content.push(Block::call(id, name, arguments));
        }
        // No block of an answer holds these.
        Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(answer: &Answer) -> Value {
        let frame = Frame {
            id: "0a".into(),
            model: "alias".into(),
            input_estimate: 5,
            ..Frame::default()
        };
        serde_json::from_slice(&write(answer, &frame)).unwrap()
    }

    fn call(arguments: &str, signature: Option<Signature>) -> Part {
        Part::ToolCall {
            id: "t1".into(),
            name: "f".into(),
            arguments: arguments.into(),
            signature,
        }
    }

    #[test]
    fn messages_survive_a_round_trip() {
        let answer = Answer {
            id: "msg_1".into(),
            model: "claude".into(),
            parts: vec![
                Part::Thinking {
                    text: "hm".into(),
                    signature: Some(Signature::new(Maker::Anthropic, "sig")),
                },
                Part::Thinking {
                    text: String::new(),
                    signature: Some(Signature::new(Maker::OpenAi, "enc")),
                },
                Part::Redacted(Signature::new(Maker::Google, "enc")),
                Part::text("hello"),
                call(r#"{"b": 1.0, "a": 12345678901234567890123}"#, None),
                call("", None),
            ],
            stop: Stop::Tools,
            usage: Some(Usage {
                input: 1,
                cache_read: 2,
                cache_write: 3,
                cache_write_1h: 4,
                output: 5,
                reasoning: 6,
            }),
            service_tier: Some("standard".into()),
            ..Answer::default()
        };
        let bytes = write(&answer, &Frame::default());
        assert_eq!(read(&bytes).unwrap(), answer);
    }

    #[test]
    fn what_is_missing_is_made_up() {
        let value = written(&Answer {
            id: "chatcmpl-1".into(),
            parts: vec![Part::text(""), call("", None)],
            ..Answer::default()
        });
        assert_eq!(
            (&value["id"], &value["model"]),
            (&json!("msg_0a"), &json!("alias"))
        );
        assert_eq!(value["content"].as_array().unwrap().len(), 1);
        assert_eq!(value["content"][0]["input"], json!({}));
        assert_eq!(value["stop_reason"], "tool_use");
        assert_eq!(value["usage"]["input_tokens"], 5);
        assert_eq!(value["stop_sequence"], Value::Null);
    }

    #[test]
    fn a_calls_signature_goes_before_it() {
        let signature = Signature::new(Maker::Google, "c2ln");
        let value = written(&Answer {
            parts: vec![call("{\"a\":", Some(signature))],
            stop: Stop::Length,
            ..Answer::default()
        });
        assert_eq!(value["content"][0]["data"], "trimtab:google::c2ln");
        assert_eq!(
            value["content"][1]["input"],
            json!({"INVALID_JSON": "{\"a\":"})
        );
        assert_eq!(value["stop_reason"], "max_tokens");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [
            r#"{"content":[],"stop_reason":null}"#,
            r#"{"content":[],"stop_reason":"new"}"#,
            r#"{"stop_reason":"end_turn"}"#,
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
            "",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let hosted = r#"{"content":[{"type":"web_search_tool_result","content":[],"text":3},
            {"type":"text","text":"w","citations":null}],"stop_reason":"end_turn"}"#;
        assert_eq!(read(hosted.as_bytes()).unwrap().parts, [Part::text("w")]);
    }
}
