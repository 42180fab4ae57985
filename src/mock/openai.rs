//! Answers in OpenAI's words: whole bodies and the single events of streams.
//!
//! The text of an answer is numbered words, `w1 w2 w3 …`, one per token, so that a test sees at once what is missing.
//! Bodies are written by hand rather than through a JSON tree: they are all constant but for a few fields.
//!
//! # Invariants
//! - The events of a stream add up to the whole body of the same plan.
//! - The first event carries the role; `id` and `name` of a tool call appear once; `index` always.

use std::fmt::Write as _;

use bytes::Bytes;

/// Words whose text is kept ready; longer answers are written out each time.
const READY_WORDS: u32 = 8_192;

/// Words in a tool call's arguments at most.
const TOOL_WORDS: u32 = 8;

/// What stands before each field of a whole body's first level.
const INDENT: &str = "\n  ";

/// What follows the content of a whole message.
const MESSAGE_TAIL: &str = "\",\n        \"refusal\": null,\n        \"annotations\": []\n      }";

/// The version of the configuration that every answer claims to come from.
const FINGERPRINT: &str = "fp_mock44709d6fcb";

/// The usage of an answer that lies: 10^18, which summed twice still fits a signed word.
const HUGE_USAGE: i64 = 1_000_000_000_000_000_000;

/// Bytes of a whole answer besides its words.
const ENVELOPE_BYTES: usize = 900;

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Text,
}

/// What the usage says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    Honest,
    Missing,
    Negative,
    Huge,
}

/// Everything that an answer consists of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    /// Number that makes the answer's id.
    pub(super) id: u64,
    /// Unix time, in seconds.
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) input: u32,
    /// Output tokens: words, or pieces of a tool call's arguments.
    pub(super) output: u32,
    /// Whether `max_tokens` cut the answer.
    pub(super) cut_short: bool,
    /// The tool to call instead of answering in words.
    pub(super) tool: Option<String>,
    pub(super) include_usage: bool,
    pub(super) usage: Usage,
}

/// The numbered words, kept ready.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    ends: Vec<usize>,
}

impl Words {
    /// Appends the first `count` words to `out`.
    pub(super) fn append(&mut self, count: u32, out: &mut String) {
        while self.ends.len() < count.min(READY_WORDS) as usize {
            append_word(self.ends.len() as u32 + 1, &mut self.text);
            self.ends.push(self.text.len());
        }
        let ready = (count as usize).min(self.ends.len());
        if let Some(end) = ready.checked_sub(1).and_then(|last| self.ends.get(last)) {
            out.push_str(&self.text[..*end]);
        }
        for number in ready as u32 + 1..=count {
            append_word(number, out);
        }
    }
}

impl Plan {
    /// Output tokens of a tool call with so many tokens to spend: its words and the braces around them.
    pub(super) fn tool_tokens(allowed: u32) -> u32 {
        allowed.min(TOOL_WORDS) + 2
    }

    /// The whole body, indented as OpenAI's is.
    pub(super) fn whole(&self, words: &mut Words) -> Bytes {
        let mut out = String::with_capacity(ENVELOPE_BYTES + 8 * self.output as usize);
        self.open(&mut out, "chat.completion", INDENT);
        out.push_str("\n  \"choices\": [\n    {\n      \"index\": 0,\n      ");
        match (self.shape, &self.tool) {
            (Shape::Text, _) => {
                out.push_str("\"text\": \"");
                words.append(self.output, &mut out);
                out.push('"');
            }
            (Shape::Chat, None) => {
                out.push_str(
                    "\"message\": {\n        \"role\": \"assistant\",\n        \"content\": \"",
                );
                words.append(self.output, &mut out);
                out.push_str(MESSAGE_TAIL);
            }
            (Shape::Chat, Some(_)) => {
                out.push_str(
                    "\"message\": {\n        \"role\": \"assistant\",\n        \"content\": null,\n        ",
                );
                let pieces = (1..=self.output).map(|piece| self.argument(piece));
                self.tool_call(&mut out, &pieces.collect::<String>());
                out.push_str(&MESSAGE_TAIL[1..]);
            }
        }
        let reason = self.finish_reason();
        let _ = write!(
            out,
            ",\n      \"logprobs\": null,\n      \"finish_reason\": \"{reason}\"\n    }}\n  ],"
        );
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
        if self.shape == Shape::Text {
            return None;
        }
        let mut delta = String::from("{\"role\":\"assistant\",");
        if self.tool.is_some() {
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
        if self.tool.is_some() {
            delta.push_str("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"");
            push_escaped(&mut delta, &self.argument(number));
            delta.push_str("\"}}]}");
        } else {
            delta.push_str(if self.shape == Shape::Chat {
                "{\"content\":\""
            } else {
                "\"text\":\""
            });
            append_word(number, &mut delta);
            delta.push_str(if self.shape == Shape::Chat {
                "\"}"
            } else {
                "\""
            });
        }
        self.event(head, &delta, "null")
    }

    /// The event with the finish reason.
    pub(super) fn finish_event(&self, head: &str) -> Bytes {
        let reason = format!("\"{}\"", self.finish_reason());
        let delta = if self.shape == Shape::Chat {
            "{}"
        } else {
            "\"text\":\"\""
        };
        self.event(head, delta, &reason)
    }

    /// The event with the usage, where it was asked for.
    pub(super) fn usage_event(&self, head: &str) -> Option<Bytes> {
        if !self.include_usage || self.usage == Usage::Missing {
            return None;
        }
        let mut out = String::with_capacity(head.len() + 320);
        out.push_str(head);
        out.push_str("],\"usage\":");
        self.usage(&mut out, "");
        out.push_str("}\n\n");
        Some(Bytes::from(out))
    }

    fn event(&self, head: &str, delta: &str, finish: &str) -> Bytes {
        let mut out = String::with_capacity(head.len() + delta.len() + 128);
        out.push_str(head);
        out.push_str("{\"index\":0,");
        if self.shape == Shape::Chat {
            out.push_str("\"delta\":");
        }
        out.push_str(delta);
        out.push_str(",\"logprobs\":null,\"finish_reason\":");
        out.push_str(finish);
        out.push_str("}],");
        if self.include_usage {
            out.push_str("\"usage\":null,");
        }
        let _ = out.pop();
        out.push_str("}\n\n");
        Bytes::from(out)
    }

    /// Opens the body or event: id, object, time and model, each after `gap`.
    fn open(&self, out: &mut String, chat_object: &str, gap: &str) {
        let (prefix, object) = match self.shape {
            Shape::Chat => ("chatcmpl-mock", chat_object),
            Shape::Text => ("cmpl-mock", "text_completion"),
        };
        let Self {
            id, created, model, ..
        } = self;
        let _ = write!(
            out,
            "{{{gap}\"id\":\"{prefix}{id:016x}\",{gap}\"object\":\"{object}\",{gap}\"created\":{created},{gap}\"model\":\""
        );
        push_escaped(out, model);
        out.push_str("\",");
    }

    fn tool_call(&self, out: &mut String, arguments: &str) {
        let _ = write!(
            out,
            "\"tool_calls\":[{{\"index\":0,\"id\":\"call_mock{:016x}\",\"type\":\"function\",\"function\":{{\"name\":\"",
            self.id
        );
        push_escaped(out, self.tool.as_deref().unwrap_or_default());
        out.push_str("\",\"arguments\":\"");
        push_escaped(out, arguments);
        out.push_str("\"}}]");
    }

    /// Piece `number` of a tool call's arguments, from 1: a brace, the words, a brace.
    fn argument(&self, number: u32) -> String {
        if number == 1 {
            return "{\"query\":\"".to_owned();
        }
        if number >= self.output {
            return "\"}".to_owned();
        }
        let mut word = String::new();
        append_word(number - 1, &mut word);
        word
    }

    fn finish_reason(&self) -> &'static str {
        match (&self.tool, self.cut_short) {
            (Some(_), _) => "tool_calls",
            (None, true) => "length",
            (None, false) => "stop",
        }
    }

    /// Writes the usage, each count after `gap`.
    fn usage(&self, out: &mut String, gap: &str) {
        let (input, output) = match self.usage {
            Usage::Honest | Usage::Missing => (i64::from(self.input), i64::from(self.output)),
            Usage::Negative => (-i64::from(self.input) - 1, -i64::from(self.output)),
            Usage::Huge => (HUGE_USAGE, HUGE_USAGE),
        };
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

/// Appends word `number`, with a space before all but the first.
fn append_word(number: u32, out: &mut String) {
    out.push_str(if number == 1 { "w" } else { " w" });
    let _ = write!(out, "{number}");
}

/// Appends `text` escaped for the inside of a JSON string.
fn push_escaped(out: &mut String, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        out.push_str(text);
        return;
    }
    let quoted = serde_json::Value::from(text).to_string();
    out.push_str(&quoted[1..quoted.len() - 1]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;

    fn plan() -> Plan {
        Plan {
            shape: Shape::Chat,
            id: 1,
            created: 1_700_000_000,
            model: "m\"1".to_owned(),
            input: 7,
            output: 50,
            cut_short: false,
            tool: None,
            include_usage: true,
            usage: Usage::Honest,
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
        let plan = Plan {
            tool: Some("find".to_owned()),
            output: Plan::tool_tokens(3),
            ..plan()
        };
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
        let plan = Plan {
            shape: Shape::Text,
            output: 3,
            cut_short: true,
            ..plan()
        };
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

    #[test]
    fn ready_and_written_out_words_agree() {
        let (mut ready, mut fresh) = (String::new(), String::new());
        Words::default().append(READY_WORDS + 3, &mut ready);
        (1..=READY_WORDS + 3).for_each(|number| append_word(number, &mut fresh));
        assert_eq!(ready, fresh);
    }
}
