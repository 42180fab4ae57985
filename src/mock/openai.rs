//! Answers in OpenAI's words: whole bodies and the single events of streams.
//!
//! Bodies are written by hand rather than through a JSON tree: they are all constant but for a few fields.
//!
//! # Invariants
//! - The events of a stream add up to the whole body of the same plan.
//! - The first event carries the role; `id` and `name` of a tool call appear once; `index` always.

use std::fmt::Write as _;

use bytes::Bytes;

use super::azure;
use super::endpoint::Endpoint;
use super::narration::Narration;
use super::plan::{Plan, Usage, Words, push_escaped};
use super::tongue::Tongue;

/// What stands before each field of a whole body's first level.
const INDENT: &str = "\n  ";

/// What follows the content of a whole message.
const MESSAGE_TAIL: &str = "\",\n        \"refusal\": null,\n        \"annotations\": []\n      }";

/// The version of the configuration that every answer claims to come from.
const FINGERPRINT: &str = "fp_mock44709d6fcb";

/// Bytes of a whole answer besides its words.
const ENVELOPE_BYTES: usize = 900;

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");
const BAD_JSON: Bytes = Bytes::from_static(
    b"data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"del\n\n",
);
const ERROR: Bytes = Bytes::from_static(
    b"data: {\"error\":{\"message\":\"The server had an error while processing your request.\",\
      \"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
);

/// The stream of a chat or text completion.
#[derive(Debug)]
pub(super) struct Chunks {
    plan: Plan,
    /// What every event begins with.
    head: String,
}

impl Chunks {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        let head = plan.event_head();
        Self { plan, head }
    }
}

impl Narration for Chunks {
    fn opening(&mut self) -> Vec<Bytes> {
        let filter = (self.plan.tongue == Tongue::Azure).then(|| azure::first_event().into());
        let role = self.plan.role_event(&self.head);
        filter.into_iter().chain(role).collect()
    }

    fn token(&mut self, number: u32) -> Bytes {
        self.plan.token_event(&self.head, number)
    }

    fn closing(&mut self) -> Vec<Bytes> {
        let finish = self.plan.finish_event(&self.head);
        std::iter::once(finish)
            .chain(self.plan.usage_event(&self.head))
            .collect()
    }

    fn last(&mut self) -> Option<Bytes> {
        Some(DONE)
    }

    fn garbled(&mut self) -> Bytes {
        BAD_JSON
    }

    fn error(&mut self) -> Bytes {
        ERROR
    }
}

impl Plan {
    /// The whole body, indented as OpenAI's is.
    pub(super) fn whole(&self, words: &mut Words) -> Bytes {
        let mut out = String::with_capacity(ENVELOPE_BYTES + 8 * self.output as usize);
        self.open(&mut out, "chat.completion", INDENT);
        out.push_str("\n  \"choices\": [\n    {\n      \"index\": 0,\n      ");
        match (self.is_text(), &self.ask.tool) {
            (true, _) => {
                out.push_str("\"text\": \"");
                self.append_text(words, &mut out);
                out.push('"');
            }
            (false, None) => {
                out.push_str(
                    "\"message\": {\n        \"role\": \"assistant\",\n        \"content\": \"",
                );
                self.append_text(words, &mut out);
                out.push_str(MESSAGE_TAIL);
            }
            (false, Some(_)) => {
                out.push_str(
                    "\"message\": {\n        \"role\": \"assistant\",\n        \"content\": null,\n        ",
                );
                self.tool_call(&mut out, &self.text());
                out.push_str(&MESSAGE_TAIL[1..]);
            }
        }
        let reason = self.finish_reason();
        let filter = if self.tongue == Tongue::Azure {
            format!(",\n      {}", azure::choice_filter())
        } else {
            String::new()
        };
        let _ = write!(
            out,
            ",\n      \"logprobs\": null,\n      \"finish_reason\": \"{reason}\"{filter}\n    }}\n  ],"
        );
        if self.tongue == Tongue::Azure {
            let _ = write!(out, "\n  {},", azure::prompt_filter());
        }
        if self.usage != Usage::Missing {
            out.push_str("\n  \"usage\": ");
            self.usage(&mut out, "\n    ");
            out.push(',');
        }
        out.push_str("\n  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"");
        out.push_str(FINGERPRINT);
        out.push_str("\"\n}\n");
        Bytes::from(out)
    }

    /// The part that every event of the stream begins with.
    pub(super) fn event_head(&self) -> String {
        let mut out = String::from("data: ");
        self.open(&mut out, "chat.completion.chunk", "");
        out.push_str("\"service_tier\":\"default\",\"system_fingerprint\":\"");
        out.push_str(FINGERPRINT);
        out.push_str("\",\"choices\":[");
        out
    }

    /// The first event, with the role; a text completion has none.
    pub(super) fn role_event(&self, head: &str) -> Option<Bytes> {
        if self.is_text() {
            return None;
        }
        let mut delta = String::from("{\"role\":\"assistant\",");
        if self.ask.tool.is_some() {
            delta.push_str("\"content\":null,");
            self.tool_call(&mut delta, "");
        } else {
            delta.push_str("\"content\":\"\",\"refusal\":null");
        }
        delta.push('}');
        Some(self.event(head, &delta, "null"))
    }

    /// The event of output token `number`, from 1.
    pub(super) fn token_event(&self, head: &str, number: u32) -> Bytes {
        let mut delta = String::with_capacity(80);
        if self.ask.tool.is_some() {
            delta.push_str("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"");
            delta.push_str(&self.escaped_piece(number));
            delta.push_str("\"}}]}");
        } else {
            delta.push_str(if !self.is_text() {
                "{\"content\":\""
            } else {
                "\"text\":\""
            });
            self.append_piece(number, &mut delta);
            delta.push_str(if !self.is_text() { "\"}" } else { "\"" });
        }
        self.event(head, &delta, "null")
    }

    /// The event with the finish reason.
    pub(super) fn finish_event(&self, head: &str) -> Bytes {
        let reason = format!("\"{}\"", self.finish_reason());
        let delta = if !self.is_text() {
            "{}"
        } else {
            "\"text\":\"\""
        };
        self.event(head, delta, &reason)
    }

    /// The event with the usage, where it was asked for.
    pub(super) fn usage_event(&self, head: &str) -> Option<Bytes> {
        if !self.ask.include_usage || self.usage == Usage::Missing {
            return None;
        }
        let mut out = String::with_capacity(head.len() + 320);
        out.push_str(head);
        out.push_str("],\"usage\":");
        self.usage(&mut out, "");
        out.push_str("}\n\n");
        Some(Bytes::from(out))
    }

    fn is_text(&self) -> bool {
        self.ask.endpoint == Endpoint::Text
    }

    fn event(&self, head: &str, delta: &str, finish: &str) -> Bytes {
        let mut out = String::with_capacity(head.len() + delta.len() + 128);
        out.push_str(head);
        out.push_str("{\"index\":0,");
        if !self.is_text() {
            out.push_str("\"delta\":");
        }
        out.push_str(delta);
        out.push_str(",\"logprobs\":null,\"finish_reason\":");
        out.push_str(finish);
        if self.tongue == Tongue::Azure {
            out.push(',');
            out.push_str(&azure::choice_filter());
        }
        out.push_str("}],");
        if self.ask.include_usage {
            out.push_str("\"usage\":null,");
        }
        let _ = out.pop();
        out.push_str("}\n\n");
        Bytes::from(out)
    }

    /// Opens the body or event: id, object, time and model, each after `gap`.
    fn open(&self, out: &mut String, chat_object: &str, gap: &str) {
        let (prefix, object) = if self.is_text() {
            ("cmpl-mock", "text_completion")
        } else {
            ("chatcmpl-mock", chat_object)
        };
        let Self { id, created, .. } = self;
        let _ = write!(
            out,
            "{{{gap}\"id\":\"{prefix}{id:016x}\",{gap}\"object\":\"{object}\",{gap}\"created\":{created},{gap}\"model\":\""
        );
        push_escaped(out, &self.ask.model);
        out.push_str("\",");
    }

    fn tool_call(&self, out: &mut String, arguments: &str) {
        let _ = write!(
            out,
            "\"tool_calls\":[{{\"index\":0,\"id\":\"call_mock{:016x}\",\"type\":\"function\",\"function\":{{\"name\":\"",
            self.id
        );
        push_escaped(out, self.ask.tool.as_deref().unwrap_or_default());
        out.push_str("\",\"arguments\":\"");
        push_escaped(out, arguments);
        out.push_str("\"}}]");
    }

    fn finish_reason(&self) -> &'static str {
        match (&self.ask.tool, self.cut_short) {
            (Some(_), _) => "tool_calls",
            (None, true) => "length",
            (None, false) => "stop",
        }
    }

    /// Writes the usage, each count after `gap`.
    fn usage(&self, out: &mut String, gap: &str) {
        let (input, output) = self.counts().unwrap_or_default();
        let total = input + output;
        let _ = write!(
            out,
            "{{{gap}\"prompt_tokens\":{input},{gap}\"completion_tokens\":{output},{gap}\"total_tokens\":{total},\
             {gap}\"prompt_tokens_details\":{{{gap}\"cached_tokens\":0,{gap}\"audio_tokens\":0}},\
             {gap}\"completion_tokens_details\":{{{gap}\"reasoning_tokens\":0,{gap}\"audio_tokens\":0,\
             {gap}\"accepted_prediction_tokens\":0,{gap}\"rejected_prediction_tokens\":0}}}}"
        );
    }
}

/// The list of models.
pub(super) fn model_list(models: &[String], created: u64) -> String {
    let data: Vec<_> = models
        .iter()
        .map(|model| model_json(model, created))
        .collect();
    serde_json::json!({"object": "list", "data": data}).to_string()
}

/// One model.
pub(super) fn model_json(model: &str, created: u64) -> serde_json::Value {
    serde_json::json!({"id": model, "object": "model", "created": created, "owned_by": "mock"})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::super::ask::Ask;
    use super::*;

    fn plan() -> Plan {
        Plan {
            ask: Ask {
                model: "m\"1".to_owned(),
                input_tokens: 7,
                include_usage: true,
                ..Ask::default()
            },
            id: 1,
            created: 1_700_000_000,
            output: 50,
            ..Plan::default()
        }
    }

    fn parse(event: &Bytes) -> Value {
        let text = std::str::from_utf8(event).unwrap();
        serde_json::from_str(
            text.strip_prefix("data: ")
                .unwrap()
                .strip_suffix("\n\n")
                .unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn a_whole_answer_is_about_a_kilobyte_of_valid_json() {
        let bytes = plan().whole(&mut Words::default());
        assert!((900..1_100).contains(&bytes.len()), "{}", bytes.len());
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let content = body["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(content.starts_with("w1 w2 w3 ") && content.ends_with(" w50"));
        assert_eq!(body["model"], "m\"1");
        assert_eq!(body["usage"]["total_tokens"], 57);
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn events_are_about_280_bytes_and_add_up() {
        let plan = plan();
        let head = plan.event_head();
        let event = plan.token_event(&head, 12);
        assert!((270..290).contains(&event.len()), "{}", event.len());
        assert_eq!(
            parse(&event)["choices"][0]["delta"],
            json!({"content": " w12"})
        );
        assert_eq!(parse(&event)["usage"], Value::Null);
        assert_eq!(
            parse(&plan.role_event(&head).unwrap())["choices"][0]["delta"]["role"],
            "assistant"
        );
        assert_eq!(
            parse(&plan.finish_event(&head))["choices"][0]["finish_reason"],
            "stop"
        );
        let usage = parse(&plan.usage_event(&head).unwrap());
        assert_eq!(
            (
                usage["choices"].clone(),
                usage["usage"]["completion_tokens"].clone()
            ),
            (json!([]), json!(50))
        );
    }

    #[test]
    fn a_tool_call_streams_the_arguments_of_the_whole() {
        let mut plan = Plan {
            output: Plan::tool_tokens(3),
            ..plan()
        };
        plan.ask.tool = Some("find".to_owned());
        let body: Value = serde_json::from_slice(&plan.whole(&mut Words::default())).unwrap();
        let whole = body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(whole, r#"{"query":"w1 w2 w3"}"#);
        let head = plan.event_head();
        let first = parse(&plan.role_event(&head).unwrap());
        assert_eq!(
            first["choices"][0]["delta"]["tool_calls"][0]["function"]["name"],
            "find"
        );
        let pieces = (1..=plan.output).map(|number| {
            let event = parse(&plan.token_event(&head, number));
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        assert_eq!(pieces.collect::<String>(), whole);
        assert_eq!(
            parse(&plan.finish_event(&head))["choices"][0]["finish_reason"],
            "tool_calls"
        );
    }

    #[test]
    fn text_completions_have_their_own_shape() {
        let mut plan = Plan {
            output: 3,
            cut_short: true,
            ..plan()
        };
        plan.ask.endpoint = Endpoint::Text;
        let body: Value = serde_json::from_slice(&plan.whole(&mut Words::default())).unwrap();
        assert_eq!(
            (body["object"].as_str(), body["choices"][0]["text"].as_str()),
            (Some("text_completion"), Some("w1 w2 w3"))
        );
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        let head = plan.event_head();
        assert_eq!(
            parse(&plan.token_event(&head, 2))["choices"][0]["text"],
            " w2"
        );
        assert!(plan.role_event(&head).is_none());
    }
}
