//! What does a provider's response say?
//!
//! # Invariants
//! - Items of tools that the provider ran itself are left out: what came of them stands in the words.

use serde::Deserialize;
use serde_json::Value;

use super::super::super::meeting::Malformed;
use super::super::item;
use super::super::names::wrap_input;
use super::super::request::items::{RawContent, thought};
use super::super::tokens::RawUsage;
use crate::chat::{Answer, Part, Stop, Usage};

/// Reads a provider's whole response.
///
/// # Errors
/// [`Malformed`] when it is no response, or one that has failed.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let raw: RawResponse = serde_json::from_slice(body)?;
    raw.read()
}

/// A response, whole or at the end of its stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct RawResponse {
    pub(in super::super) id: Option<String>,
    pub(in super::super) model: Option<String>,
    created_at: Value,
    status: Option<String>,
    output: Option<Vec<RawItem>>,
    incomplete_details: Option<RawIncomplete>,
    error: Value,
    usage: Option<RawUsage>,
    pub(in super::super) service_tier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawIncomplete {
    reason: Option<String>,
}

/// An item of whatever type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct RawItem {
    #[serde(rename = "type")]
    pub(in super::super) kind: String,
    pub(in super::super) id: Option<String>,
    pub(in super::super) call_id: Option<String>,
    pub(in super::super) name: Option<String>,
    pub(in super::super) arguments: Value,
    pub(in super::super) input: Value,
    content: Option<RawContent>,
    summary: Option<RawContent>,
    pub(in super::super) encrypted_content: Option<String>,
}

/// Why a response has failed, if it has.
fn refused(error: &Value) -> Option<Malformed> {
    if error.is_null() {
        return None;
    }
    let message = error.get("message").and_then(Value::as_str);
    let message = message.unwrap_or("the response has failed").to_owned();
    Some(Malformed::new(message))
}

impl RawResponse {
    /// What was used.
    pub(in super::super) fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().and_then(RawUsage::read)
    }

    pub(in super::super) fn read(self) -> Result<Answer, Malformed> {
        if let Some(refused) = refused(&self.error) {
            return Err(refused);
        }
        let usage = self.usage();
        let Some(output) = self.output else {
            return Err(Malformed::new("the response has no `output`"));
        };
        let mut parts = Vec::with_capacity(output.len());
        for item in output {
            item.read(&mut parts);
        }
        let called = parts
            .iter()
            .any(|part| matches!(part, Part::ToolCall { .. }));
        let reason = self.incomplete_details.and_then(|details| details.reason);
        Ok(Answer {
            id: self.id.unwrap_or_default(),
            model: self.model.unwrap_or_default(),
            created: self.created_at.as_f64().unwrap_or_default() as u64,
            stop: stop(self.status.as_deref(), reason.as_deref(), called)?,
            parts,
            stop_text: None,
            usage,
            service_tier: self.service_tier,
        })
    }
}

/// Why the model stopped.
fn stop(status: Option<&str>, reason: Option<&str>, called: bool) -> Result<Stop, Malformed> {
    match (status, reason) {
        (Some("failed"), _) => Err(Malformed::new("the response has failed")),
        (Some("cancelled"), _) => Err(Malformed::new("the response was cancelled")),
        (Some("queued" | "in_progress"), _) => Err(Malformed::new("the response is not complete")),
        (_, Some("content_filter")) => Ok(Stop::Filtered),
        (Some("incomplete"), _) | (_, Some(_)) => Ok(Stop::Length),
        _ if called => Ok(Stop::Tools),
        _ => Ok(Stop::End),
    }
}

impl RawItem {
    /// What it means, appended to `parts`.
    pub(in super::super) fn read(self, parts: &mut Vec<Part>) {
        match self.kind.as_str() {
            "message" => match self.content {
                Some(RawContent::Text(text)) if !text.is_empty() => parts.push(Part::text(text)),
                Some(RawContent::Parts(content)) => {
                    // What a model cannot say is left out.
                    let mut unknown = Vec::new();
                    let said = content
                        .into_iter()
                        .filter_map(|part| part.read(&mut unknown));
                    parts.extend(said);
                }
                _ => {}
            },
            "reasoning" => {
                let id = self.id.unwrap_or_default();
                let text = thought(self.summary, self.content);
                parts.extend(item::thoughts(&id, text, self.encrypted_content.as_deref()));
            }
            "function_call" | "custom_tool_call" => {
                let arguments = self.arguments();
                parts.push(Part::ToolCall {
                    id: self.call_id.or(self.id).unwrap_or_default(),
                    name: self.name.unwrap_or_default(),
                    arguments,
                    signature: None,
                });
            }
            _ => {}
        }
    }

    /// A call's arguments as the text of a JSON object.
    pub(in super::super) fn arguments(&self) -> String {
        if self.kind == "custom_tool_call" {
            return wrap_input(self.input.as_str().unwrap_or_default());
        }
        match &self.arguments {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Maker, Signature};

    #[test]
    fn a_response_is_read() {
        let body = br#"{"id":"resp_1","created_at":1.7e9,"model":"gpt-5","status":"completed","error":null,"incomplete_details":null,
            "output":[
              {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"enc"},
              {"type":"web_search_call","id":"ws_1","action":{"type":"search"}},
              {"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[]},{"type":"refusal","refusal":"no"}]},
              {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"x\": 1.0}"},
              {"type":"custom_tool_call","id":"ctc_1","call_id":"call_2","name":"p","input":"raw\n"},
              {"type":"new_item","content":5}],
            "usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":9},
            "service_tier":"default","new":{"x":1}}"#;
        let answer = read(body).unwrap();
        let call = |id: &str, name: &str, arguments: &str| Part::ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            signature: None,
        };
        assert_eq!(
            answer.parts,
            [
                Part::Thinking {
                    text: "a\n\nb".to_owned(),
                    signature: Some(Signature {
                        maker: Maker::OpenAi,
                        id: "rs_1".to_owned(),
                        text: "enc".to_owned()
                    })
                },
                Part::text("Hi"),
                Part::Refusal("no".to_owned()),
                call("call_1", "f", "{\"x\": 1.0}"),
                call("call_2", "p", "{\"input\":\"raw\\n\"}"),
            ]
        );
        assert_eq!((answer.stop, answer.created), (Stop::Tools, 1_700_000_000));
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read), (3, 2));
        assert_eq!((usage.output, usage.reasoning), (1, 3));
    }

    #[test]
    fn stops_are_told_apart() {
        let check = |fields: &str, expected: Result<Stop, &str>| {
            let read = read(format!("{{\"output\":[],{fields}}}").as_bytes());
            let read = read.map(|answer| answer.stop);
            assert_eq!(
                read,
                expected.map_err(|why| Malformed::new(why.to_owned())),
                "{fields}"
            );
        };
        check(r#""status":"completed""#, Ok(Stop::End));
        check(
            r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#,
            Ok(Stop::Length),
        );
        check(
            r#""status":"incomplete","incomplete_details":{"reason":"content_filter"}"#,
            Ok(Stop::Filtered),
        );
        check(
            r#""status":"failed","error":{"message":"boom"}"#,
            Err("boom"),
        );
        check(r#""status":"failed""#, Err("the response has failed"));
        check(r#""status":"queued""#, Err("the response is not complete"));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for bad in [
            "",
            "<html>",
            "{}",
            "[]",
            "{\"output\":3}",
            r#"{"choices":[]}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
