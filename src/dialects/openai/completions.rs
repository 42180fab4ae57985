//! How does a client that still speaks the legacy completions meet a provider?
//!
//! A prompt becomes what the user says, and the answer's words the completion; providers are never asked in this form.
//! What only makes sense with the model's raw text (`suffix`, `echo`, `best_of`, tokens as a prompt, several prompts) is a loss
//! of meaning.
//!
//! # Invariants
//! - The model's thoughts and tool calls are no part of a completion.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::meeting::{Frame, Malformed};
use super::answer::{finish_reason, name};
use super::events::event;
use super::message::object;
use super::request::{RawStop, choices_of};
use super::tokens::WrittenUsage;
use crate::chat::{Answer, Event, Message, Part, Request, Role, Sampling, Usage};

/// Reads a client's request.
///
/// # Errors
/// [`Malformed`] when it is not a request for a completion.
pub fn read(body: &[u8]) -> Result<Request, Malformed> {
    let raw: RawRequest = object(body)?;
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let biased = raw
        .logit_bias
        .as_object()
        .is_some_and(|map| !map.is_empty());
    let fields = [
        ("prompt", raw.prompt.text.is_none()),
        ("suffix", filled(&raw.suffix)),
        ("echo", raw.echo == Some(true)),
        ("best_of", raw.best_of.is_some_and(|best| best > 1)),
        ("logit_bias", biased),
    ];
    let unknown = fields.into_iter().filter(|(_, asked)| *asked);
    let unknown = unknown.map(|(name, _)| name).collect();
    Ok(Request {
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::text(raw.prompt.text.unwrap_or_default())],
        }],
        max_tokens: raw.max_tokens,
        sampling: Sampling {
            temperature: raw.temperature,
            top_p: raw.top_p,
            top_k: None,
            frequency_penalty: raw.frequency_penalty,
            presence_penalty: raw.presence_penalty,
            seed: raw.seed,
            choices: choices_of(raw.n),
            logprobs: raw.logprobs,
        },
        stop: raw.stop.map(RawStop::read).unwrap_or_default(),
        user: raw.user,
        stream: raw.stream.unwrap_or_default(),
        unknown,
        ..Request::default()
    })
}

/// Writes an answer for a client.
#[must_use]
pub fn write(answer: &Answer, frame: &Frame) -> Vec<u8> {
    let words = answer.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    let text: String = words.collect();
    let model = Some(answer.model.as_str()).filter(|model| !model.is_empty());
    let created = Some(answer.created).filter(|created| *created > 0);
    let written = Written {
        id: &name(&answer.id, "cmpl-", frame),
        object: "text_completion",
        created: created.unwrap_or(frame.created),
        model: model.unwrap_or(&frame.model),
        choices: &[Choice {
            text: &text,
            index: 0,
            logprobs: None,
            finish_reason: Some(finish_reason(answer.stop, false)),
        }],
        usage: Some(answer.usage.as_ref().map(WrittenUsage::from)),
    };
    serde_json::to_vec(&written).unwrap_or_default()
}

/// Writes a stream, event by event.
#[derive(Clone, Debug)]
pub struct Writer {
    frame: Frame,
    id: String,
    model: String,
    usage: Option<Usage>,
    finished: bool,
}

impl Writer {
    /// A writer of a stream that has not begun.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self {
            id: name("", "cmpl-", &frame),
            model: frame.model.clone(),
            frame,
            usage: None,
            finished: false,
        }
    }

    /// Writes what an event says.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.id = name(id, "cmpl-", &self.frame);
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
            }
            Event::Text(text) | Event::Refusal(text) => self.send(text, None, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { stop, .. } if !self.finished => {
                self.finished = true;
                self.send("", Some(finish_reason(*stop, false)), out);
            }
            _ => {}
        }
    }

    /// Writes what is due when the provider's stream has ended: nothing if it was not complete.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.finished {
            return;
        }
        if let Some(usage) = self.usage.take().filter(|_| self.frame.usage_asked) {
            let usage = Some(WrittenUsage::from(&usage));
            event(&self.written(&[], Some(usage)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn send(&self, text: &str, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice {
            text,
            index: 0,
            logprobs: None,
            finish_reason,
        };
        let usage = self.frame.usage_asked.then_some(None);
        event(&self.written(&[choice], usage), out);
    }

    fn written<'a>(
        &'a self,
        choices: &'a [Choice<'a>],
        usage: Option<Option<WrittenUsage>>,
    ) -> Written<'a> {
        Written {
            id: &self.id,
            object: "text_completion",
            created: self.frame.created,
            model: &self.model,
            choices,
            usage,
        }
    }
}

#[derive(Deserialize)]
struct RawRequest {
    prompt: Prompt,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    top_p: Option<f64>,
    #[serde(default)]
    frequency_penalty: Option<f64>,
    #[serde(default)]
    presence_penalty: Option<f64>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    best_of: Option<u32>,
    #[serde(default)]
    logprobs: Option<u32>,
    #[serde(default)]
    logit_bias: Value,
    #[serde(default)]
    echo: Option<bool>,
    #[serde(default)]
    suffix: Option<String>,
    #[serde(default)]
    stop: Option<RawStop>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// Null where it was asked for but is not due yet, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WrittenUsage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

/// A prompt, if it is one text; tokens and several texts are none.
struct Prompt {
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptVisitor)
    }
}

struct PromptVisitor;

impl<'de> Visitor<'de> for PromptVisitor {
    type Value = Prompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`prompt` as a text or a list")
    }

    fn visit_str<E>(self, text: &str) -> Result<Prompt, E> {
        let text = Some(text.to_owned());
        Ok(Prompt { text })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Prompt, A::Error> {
        let first = seq.next_element::<Value>()?;
        let mut more = 0_usize;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            more += 1;
        }
        let text = match first {
            Some(Value::String(text)) if more == 0 => Some(text),
            _ => None,
        };
        Ok(Prompt { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Loss, Losses, Stop};

    fn frame() -> Frame {
        Frame {
            id: "0f".to_owned(),
            model: "asked".to_owned(),
            created: 9,
            usage_asked: true,
            input_estimate: 0,
        }
    }

    #[test]
    fn one_prompt_is_what_the_user_says() {
        for prompt in [r#""Once""#, r#"["Once"]"#] {
            let body = format!(
                r#"{{"model":"m","prompt":{prompt},"max_tokens":5,"stop":"\n","n":1,"logprobs":2,"stream":true}}"#
            );
            let request = read(body.as_bytes()).unwrap();
            assert_eq!(request.messages[0].parts, [Part::text("Once")]);
            assert_eq!(request.stop, ["\n"]);
            assert_eq!(request.sampling.logprobs, Some(2));
            assert!(request.stream && request.unknown.is_empty());
        }
    }

    #[test]
    fn what_needs_raw_text_is_a_loss_of_meaning() {
        for (fields, name) in [
            (r#""prompt":["a","b"]"#, "prompt"),
            (r#""prompt":[1,2]"#, "prompt"),
            (r#""prompt":[[1]]"#, "prompt"),
            (r#""prompt":"a","suffix":"z""#, "suffix"),
            (r#""prompt":"a","echo":true"#, "echo"),
            (r#""prompt":"a","best_of":2"#, "best_of"),
            (r#""prompt":"a","logit_bias":{"50256":-100}"#, "logit_bias"),
        ] {
            let request = read(format!("{{{fields}}}").as_bytes()).unwrap();
            let mut losses = Losses::default();
            losses.add_unknown(&request.unknown);
            assert_eq!(losses.of_meaning(), Some(name));
            assert_eq!(Loss::of(name), Loss::Meaning);
        }
        let idle = br#"{"prompt":"a","suffix":"","echo":false,"best_of":1,"logit_bias":{}}"#;
        assert!(read(idle).unwrap().unknown.is_empty());
        let several = read(br#"{"prompt":"a","n":2}"#).unwrap();
        assert_eq!(several.sampling.choices, Some(2));
        assert!(read(b"{}").is_err() && read(br#"{"prompt":null}"#).is_err());
    }

    #[test]
    fn answers_are_text_completions() {
        let answer = Answer {
            id: "msg_1".to_owned(),
            parts: vec![
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: None,
                },
                Part::text("upon "),
                Part::text("a time"),
            ],
            stop: Stop::Length,
            ..Answer::default()
        };
        assert_eq!(
            String::from_utf8(write(&answer, &frame())).unwrap(),
            r#"{"id":"cmpl-msg_1","object":"text_completion","created":9,"model":"asked","choices":[{"text":"upon a time","index":0,"logprobs":null,"finish_reason":"length"}],"usage":null}"#
        );
    }

    #[test]
    fn streams_are_text_completions_too() {
        let mut writer = Writer::new(frame());
        let mut out = Vec::new();
        let events = [
            Event::Start {
                id: "x".to_owned(),
                model: "up".to_owned(),
            },
            Event::Thinking("hm".to_owned()),
            Event::Text("upon".to_owned()),
            Event::Finish {
                stop: Stop::Text,
                stop_text: Some("\n".to_owned()),
            },
            Event::Usage(Usage {
                input: 1,
                output: 2,
                ..Usage::default()
            }),
        ];
        for event in &events {
            writer.write(event, &mut out);
        }
        writer.end(&mut out);
        let head =
            r#"{"id":"cmpl-x","object":"text_completion","created":9,"model":"up","choices":["#;
        let usage = r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#;
        let expected = format!(
            "data: {head}{{\"text\":\"upon\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n\
             data: {head}{{\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\n\
             data: {head}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_stream_that_broke_off_gets_no_end_marker() {
        let mut writer = Writer::new(frame());
        let mut out = Vec::new();
        writer.write(&Event::Text("upon".to_owned()), &mut out);
        out.clear();
        writer.end(&mut out);
        assert!(out.is_empty());
    }
}
