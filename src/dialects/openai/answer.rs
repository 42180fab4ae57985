//! What is a whole answer in OpenAI's dialect?
//!
//! # Invariants
//! - An answer without a finish reason, or with one that means nothing here, is malformed: `stop` is never invented.
//! - What is written is the full envelope, also where a field is null: the official clients rely on it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::meeting::{Frame, Malformed};
use super::message::{
    Content, Extra, RawCall, RawFunction, WrittenCall, WrittenExtra, lenient, mint_call_id, object,
};
use super::thoughts::{self, Thoughts};
use super::tokens::{RawUsage, WrittenUsage};
use crate::chat::{Answer, Media, Part, Source, Stop};

/// Reads a provider's answer; of several choices only the first.
///
/// # Errors
/// [`Malformed`] when it is not a complete chat completion.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let raw: RawAnswer = object(body)?;
    if raw.error.is_some() {
        return Err(Malformed::new("an error object stands for the answer"));
    }
    let choice = raw.choices.into_iter().next();
    let choice = choice.ok_or_else(|| Malformed::new("the answer has no choices"))?;
    let reason = choice.finish_reason.filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| Malformed::new("the answer has no finish reason"))?;
    let id = raw.id.unwrap_or_default();
    let parts = choice.message.read(&id)?;
    Ok(Answer {
        stop: with_calls(stop(&reason)?, has_calls(&parts)),
        id,
        model: raw.model.unwrap_or_default(),
        created: raw.created.unwrap_or_default(),
        parts,
        stop_text: None,
        usage: raw.usage.and_then(|usage| usage.read()),
        service_tier: raw.service_tier,
    })
}

/// Writes an answer for a client.
#[must_use]
pub fn write(answer: &Answer, frame: &Frame) -> Vec<u8> {
    let model = Some(answer.model.as_str()).filter(|model| !model.is_empty());
    let created = Some(answer.created).filter(|created| *created > 0);
    let written = WrittenAnswer {
        id: name(&answer.id, "chatcmpl-", frame),
        object: "chat.completion",
        created: created.unwrap_or(frame.created),
        model: model.unwrap_or(&frame.model),
        choices: [WrittenChoice {
            index: 0,
            message: WrittenMessage::from(answer.parts.as_slice()),
            logprobs: None,
            finish_reason: finish_reason(answer.stop, has_calls(&answer.parts)),
        }],
        usage: answer.usage.as_ref().map(WrittenUsage::from),
        service_tier: answer.service_tier.as_deref(),
    };
    serde_json::to_vec(&written).unwrap_or_default()
}

/// The stop that a finish reason names: OpenAI's, and the words of vendors who kept those of another dialect.
pub(super) fn stop(reason: &str) -> Result<Stop, Malformed> {
    Ok(match reason {
        "stop" | "eos" | "end_turn" => Stop::End,
        "stop_sequence" => Stop::Text,
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "tool_calls" | "function_call" | "tool_use" => Stop::Tools,
        "content_filter" | "refusal" => Stop::Filtered,
        _ => return Err(Malformed::new("the finish reason is unknown")),
    })
}

/// The stop of an answer that calls tools, or does not: with a forced tool OpenAI says `stop`.
pub(super) fn with_calls(stop: Stop, calls: bool) -> Stop {
    if calls && stop == Stop::End {
        Stop::Tools
    } else {
        stop
    }
}

/// The finish reason of a stop.
pub(super) fn finish_reason(stop: Stop, calls: bool) -> &'static str {
    match with_calls(stop, calls) {
        Stop::End | Stop::Text | Stop::Paused => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Filtered => "content_filter",
    }
}

/// An answer's id, with the prefix that clients expect.
pub(super) fn name(id: &str, prefix: &str, frame: &Frame) -> String {
    let id = if id.is_empty() { &frame.id } else { id };
    if id.starts_with(prefix) {
        return id.to_owned();
    }
    format!("{prefix}{id}")
}

fn has_calls(parts: &[Part]) -> bool {
    let call = |part: &Part| matches!(part, Part::ToolCall { .. });
    parts.iter().any(call)
}

#[derive(Deserialize)]
struct RawAnswer {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    model: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<u64>,
    #[serde(default)]
    choices: Vec<RawChoice>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<RawUsage>,
    #[serde(default, deserialize_with = "lenient")]
    service_tier: Option<String>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawChoice {
    message: RawMessage,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct RawMessage {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    reasoning: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<RawCall>>,
    #[serde(default)]
    function_call: Option<RawFunction>,
    #[serde(default, deserialize_with = "lenient")]
    extra_content: Extra,
}

impl RawMessage {
    fn read(self, answer: &str) -> Result<Vec<Part>, Malformed> {
        let thought = self.reasoning_content.or(self.reasoning);
        let carried = self.extra_content.carried();
        let mut parts = thoughts::scatter(thought.unwrap_or_default(), carried);
        parts.extend(self.content.spoken());
        let refusal = self.refusal.filter(|words| !words.is_empty());
        parts.extend(refusal.map(Part::Refusal));
        let legacy = self.function_call.map(|function| RawCall {
            function: Some(function),
            ..RawCall::default()
        });
        let calls = self.tool_calls.unwrap_or_default();
        for (index, call) in calls.into_iter().chain(legacy).enumerate() {
            let signature = call.extra_content.of_call();
            let function = call.function.unwrap_or_default();
            let name = function.name.filter(|name| !name.is_empty());
            let id = call.id.filter(|id| !id.is_empty());
            parts.push(Part::ToolCall {
                id: id.unwrap_or_else(|| mint_call_id(answer, index)),
                name: name.ok_or_else(|| Malformed::new("a tool call has no name"))?,
                arguments: function.arguments.0,
                signature,
            });
        }
        Ok(parts)
    }
}

#[derive(Serialize)]
struct WrittenAnswer<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [WrittenChoice<'a>; 1],
    usage: Option<WrittenUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenChoice<'a> {
    index: u32,
    message: WrittenMessage<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct WrittenMessage<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<WrittenImage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<WrittenExtra>,
}

/// A picture that the model made, as OpenRouter and LiteLLM hand it on.
#[derive(Serialize)]
struct WrittenImage {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: WrittenUrl,
}

#[derive(Serialize)]
struct WrittenUrl {
    url: String,
}

impl WrittenImage {
    fn of(media: &Media) -> Option<Self> {
        let url = match &media.source {
            Source::Base64(data) => format!("data:{};base64,{data}", media.mime),
            Source::Url(url) => url.clone(),
            Source::File(_) | Source::Text(_) => return None,
        };
        Some(Self {
            kind: "image_url",
            image_url: WrittenUrl { url },
        })
    }
}

impl<'a> From<&'a [Part]> for WrittenMessage<'a> {
    fn from(parts: &'a [Part]) -> Self {
        let (mut text, mut refusal) = (String::new(), String::new());
        let (mut calls, mut images) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text: more, .. } => text.push_str(more),
                Part::Refusal(words) => refusal.push_str(words),
                Part::Image(media) => images.extend(WrittenImage::of(media)),
                Part::ToolCall {
                    id,
                    name,
                    arguments,
                    signature,
                } => calls.push(WrittenCall {
                    extra_content: signature.as_ref().map(WrittenExtra::of_call),
                    ..WrittenCall::whole(id, name, arguments)
                }),
                Part::Thinking { .. } | Part::Redacted(_) => {}
                Part::Document(_) | Part::Audio(_) | Part::ToolResult { .. } => {}
            }
        }
        let silent = calls.is_empty() && refusal.is_empty();
        let filled = |text: String| (!text.is_empty()).then_some(text);
        let Thoughts {
            text: thoughts,
            signature,
        } = thoughts::gather(parts);
        Self {
            role: "assistant",
            content: (silent || !text.is_empty()).then_some(text),
            refusal: filled(refusal),
            reasoning_content: filled(thoughts),
            tool_calls: calls,
            images,
            extra_content: signature.map(|signature| WrittenExtra::Trimtab { signature }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Maker, Signature, Usage};

    fn frame() -> Frame {
        Frame {
            id: "0f".to_owned(),
            model: "asked".to_owned(),
            created: 9,
            ..Frame::default()
        }
    }

    fn message(fields: &str) -> String {
        format!(r#"{{"id":"x","choices":[{{"message":{{{fields}}},"finish_reason":"stop"}}]}}"#)
    }

    fn thinking(text: &str) -> Part {
        Part::Thinking {
            text: text.to_owned(),
            signature: None,
        }
    }

    fn call(id: &str, arguments: &str) -> Part {
        Part::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            signature: None,
        }
    }

    #[test]
    fn messages_of_every_vendor_are_read() {
        for (fields, parts) in [
            (r#""content":"hi""#, vec![Part::text("hi")]),
            (r#""content":null"#, vec![]),
            (
                r#""content":"hi","reasoning_content":"hm","reasoning_details":[1]"#,
                vec![thinking("hm"), Part::text("hi")],
            ),
            (
                r#""content":"hi","reasoning":"hm""#,
                vec![thinking("hm"), Part::text("hi")],
            ),
            (
                r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"},{"type":"odd"}]"#,
                vec![thinking("hm"), Part::text("hi")],
            ),
            (
                r#""content":"","refusal":"no""#,
                vec![Part::Refusal("no".to_owned())],
            ),
            (
                r#""tool_calls":[{"id":"a","function":{"name":"f","arguments":"{ }"}},{"function":{"name":"f","arguments":{"x":1}}}]"#,
                vec![call("a", "{ }"), call("call_x_1", r#"{"x":1}"#)],
            ),
            (
                r#""function_call":{"name":"f","arguments":null},"extra_content":7"#,
                vec![call("call_x_0", "")],
            ),
        ] {
            let answer = read(message(fields).as_bytes()).unwrap();
            assert_eq!(answer.parts, parts, "{fields}");
        }
    }

    #[test]
    fn finish_reasons_are_never_invented() {
        let finish = |reason: &str| {
            let json = format!(
                r#"{{"choices":[{{"message":{{"content":"hi"}},"finish_reason":{reason}}}]}}"#
            );
            read(json.as_bytes()).map(|answer| answer.stop).ok()
        };
        for (reason, stop) in [
            (r#""stop""#, Some(Stop::End)),
            (r#""end_turn""#, Some(Stop::End)),
            (r#""length""#, Some(Stop::Length)),
            (r#""tool_calls""#, Some(Stop::Tools)),
            (r#""content_filter""#, Some(Stop::Filtered)),
            ("null", None),
            (r#""""#, None),
            (r#""error""#, None),
            (r#""insufficient_system_resource""#, None),
        ] {
            assert_eq!(finish(reason), stop, "{reason}");
        }
        let forced = message(r#""tool_calls":[{"id":"a","function":{"name":"f"}}]"#);
        assert_eq!(read(forced.as_bytes()).unwrap().stop, Stop::Tools);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"error":{"message":"no"}}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"message":{"content":"hi"}}]}"#,
            r#"{"choices":[{"message":{"tool_calls":[{"id":"a"}]},"finish_reason":"stop"}]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_envelope_is_whole() {
        let json = write(&Answer::default(), &frame());
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"id":"chatcmpl-0f","object":"chat.completion","created":9,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#
        );
        let called = Answer {
            parts: vec![call("a", "")],
            ..Answer::default()
        };
        let json = String::from_utf8(write(&called, &frame())).unwrap();
        let expected = r#""content":null,"refusal":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls""#;
        assert!(json.contains(expected), "{json}");
    }

    #[test]
    fn an_answer_survives() {
        let signature = |maker| Some(Signature::new(maker, "s=="));
        let answer = Answer {
            id: "chatcmpl-1".to_owned(),
            model: "up".to_owned(),
            created: 5,
            parts: vec![
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: signature(Maker::Anthropic),
                },
                Part::Redacted(Signature::new(Maker::Anthropic, "r")),
                Part::text("hi"),
                Part::Refusal("no".to_owned()),
                Part::ToolCall {
                    id: "a".to_owned(),
                    name: "f".to_owned(),
                    arguments: r#"{"z":1, "a":2}"#.to_owned(),
                    signature: signature(Maker::Google),
                },
                Part::ToolCall {
                    id: "b".to_owned(),
                    name: "g".to_owned(),
                    arguments: "{}".to_owned(),
                    signature: signature(Maker::Anthropic),
                },
            ],
            stop: Stop::Tools,
            stop_text: None,
            usage: Some(Usage {
                input: 1,
                cache_read: 2,
                output: 3,
                reasoning: 4,
                ..Usage::default()
            }),
            service_tier: Some("flex".to_owned()),
        };
        assert_eq!(read(&write(&answer, &frame())).unwrap(), answer);
    }
}
