//! What happens in a stream of ConverseStream?
//!
//! The stream's frames come from [`frames`](super::frames): an event's name is the frame's, and of an exception the data is
//! the error object that [`error::normalise`](super::error::normalise) made.
//!
//! # Invariants
//! - The memory of a reader does not grow with the stream.
//! - Events that are not known are passed over; exceptions of any name are errors.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::lenient::{Lenient, Tier};
use super::super::meeting::{Malformed, Mark};
use super::super::seen::{self, Service};
use super::wire;
use crate::chat::{Event, Maker, Signature};

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// How many tools have been called.
    calls: u32,
    /// The block of the call that is being told, and its place among calls.
    open: Option<(u64, u32)>,
    /// In which class it was served, once that is told.
    service: Option<Service>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart<'a> {
    #[serde(default)]
    content_block_index: u64,
    #[serde(borrow, default)]
    start: Start<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow, default)]
    tool_use: Option<ToolStart<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolStart<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta<'a> {
    #[serde(default)]
    content_block_index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_use: Option<ToolDelta<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
struct ToolDelta<'a> {
    #[serde(borrow, default)]
    input: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop<'a> {
    #[serde(borrow)]
    stop_reason: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    usage: Option<wire::Usage<'a>>,
    #[serde(default, rename = "serviceTier")]
    service_tier: Lenient<Served>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Served {
    #[serde(rename = "type")]
    kind: Tier,
}

impl Reader {
    /// Reads an event; `name` is the frame's, `data` its payload.
    ///
    /// # Errors
    /// [`Malformed`] when the event is not what its name says, or tells that the model failed.
    pub fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        match name.unwrap_or_default() {
            b"messageStart" => events.push(Event::Start {
                id: String::new(),
                model: String::new(),
            }),
            b"contentBlockStart" => {
                let block: BlockStart<'_> = serde_json::from_slice(data)?;
                if let Some(call) = block.start.tool_use {
                    events.push(self.call(block.content_block_index, call));
                }
            }
            b"contentBlockDelta" => {
                let block: BlockDelta<'_> = serde_json::from_slice(data)?;
                self.delta(block.content_block_index, block.delta, events)?;
            }
            b"contentBlockStop" => self.open = None,
            b"messageStop" => {
                let end: MessageStop<'_> = serde_json::from_slice(data)?;
                events.push(Event::Finish {
                    stop: wire::stop(&end.stop_reason)?,
                    stop_text: None,
                });
            }
            b"metadata" => {
                let metadata: Metadata<'_> = serde_json::from_slice(data)?;
                self.service = metadata.service_tier.0.kind.0.or(self.service);
                if let Some(usage) = metadata.usage {
                    events.push(Event::Usage(usage.read()));
                }
                return Ok(Mark::Done);
            }
            _ if is_error(data) => return Ok(Mark::Error),
            _ => {}
        }
        Ok(Mark::More)
    }

    /// What was used so far besides what events tell.
    #[must_use]
    pub fn beside(&self) -> seen::Usage {
        seen::Usage {
            service: self.service,
            ..seen::Usage::default()
        }
    }

    fn call(&mut self, block: u64, call: ToolStart<'_>) -> Event {
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        self.open = Some((block, index));
        Event::ToolStart {
            index,
            id: call.tool_use_id.into_owned(),
            name: call.name.into_owned(),
            signature: None,
        }
    }

    fn delta(
        &self,
        block: u64,
        delta: Delta<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        if let Some(text) = delta.text {
            events.push(Event::Text(text.into_owned()));
        }
        if let Some(tool) = delta.tool_use {
            let index = match self.open {
                Some((open, index)) if open == block => index,
                _ => return Err(Malformed::new("arguments of a tool that was not called")),
            };
            if !tool.input.is_empty() {
                events.push(Event::ToolArguments {
                    index,
                    json: tool.input.into_owned(),
                });
            }
        }
        if let Some(reasoning) = delta.reasoning_content {
            let signed = |text: Cow<'_, str>| Signature::new(Maker::Anthropic, text);
            let text = reasoning.text.filter(|text| !text.is_empty());
            let signature = reasoning.signature.filter(|text| !text.is_empty());
            events.extend(text.map(|text| Event::Thinking(text.into_owned())));
            events.extend(signature.map(|text| Event::Signed(signed(text))));
            let redacted = reasoning.redacted_content;
            events.extend(redacted.map(|text| Event::Redacted(signed(text))));
        }
        Ok(())
    }
}

/// Whether the data is an error object; no event of an answer is one.
fn is_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Object {
        #[serde(rename = "error")]
        _error: serde::de::IgnoredAny,
    }
    serde_json::from_slice::<Object>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Part, Stop, Usage, fold};

    fn run(stream: &[(&str, &str)]) -> (Vec<Event>, Vec<Mark>) {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let marks = stream
            .iter()
            .map(|(name, data)| {
                let name = Some(name.as_bytes());
                reader.read(name, data.as_bytes(), &mut events).unwrap()
            })
            .collect();
        (events, marks)
    }

    const STREAM: &[(&str, &str)] = &[
        ("messageStart", r#"{"role":"assistant","p":"abc"}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s="}}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cg=="}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":2,"delta":{"text":"Hi"}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":2,"delta":{"citation":{}}}"#,
        ),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":""}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\": "}}}"#,
        ),
        (
            "contentBlockDelta",
            r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"1}"}}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}"#,
        ),
        ("contentBlockStop", r#"{"contentBlockIndex":4}"#),
        ("somethingNew", "{}"),
        ("messageStop", r#"{"stopReason":"tool_use"}"#),
        (
            "metadata",
            r#"{"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3},"metrics":{"latencyMs":1}}"#,
        ),
    ];

    #[test]
    fn the_class_of_service_is_told_beside() {
        let mut reader = Reader::default();
        let data = br#"{"usage":{"inputTokens":1,"outputTokens":2},"serviceTier":{"type":"flex"}}"#;
        let mark = reader.read(Some(b"metadata"), data, &mut Vec::new());
        assert_eq!(mark, Ok(Mark::Done));
        assert_eq!(reader.beside().service, Some(Service::Flex));
        let odd = br#"{"usage":{},"serviceTier":7}"#;
        let mark = Reader::default().read(Some(b"metadata"), odd, &mut Vec::new());
        assert_eq!(mark, Ok(Mark::Done));
    }

    #[test]
    fn a_stream_adds_up_to_its_answer() {
        let (events, marks) = run(STREAM);
        let answer = fold(&events);
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
                    text: "hm".to_owned(),
                    signature: Some(Signature::new(Maker::Anthropic, "s="))
                },
                Part::Redacted(Signature::new(Maker::Anthropic, "cg==")),
                Part::text("Hi"),
                call("t1", "f", "{\"a\": 1}"),
                call("t2", "g", ""),
            ]
        );
        assert_eq!(answer.stop, Stop::Tools);
        assert_eq!(
            answer.usage,
            Some(Usage {
                input: 1,
                output: 2,
                ..Usage::default()
            })
        );
        let (last, before) = marks.split_last().unwrap();
        assert_eq!(*last, Mark::Done);
        assert!(before.iter().all(|mark| *mark == Mark::More));
    }

    #[test]
    fn an_exception_is_an_error() {
        let (events, marks) = run(&[
            ("messageStart", "{}"),
            (
                "modelStreamErrorException",
                r#"{"error":{"type":"modelStreamErrorException","message":"x"}}"#,
            ),
        ]);
        assert_eq!((events.len(), marks[1]), (1, Mark::Error));
    }

    #[test]
    fn what_is_not_as_it_is_called_is_refused() {
        for (name, data) in [
            ("contentBlockDelta", "{}"),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"x"}}}"#,
            ),
            (
                "contentBlockStart",
                r#"{"contentBlockIndex":0,"start":{"toolUse":{}}}"#,
            ),
            ("messageStop", r#"{"stopReason":"malformed_model_output"}"#),
            ("messageStop", "{}"),
            ("metadata", "["),
        ] {
            let read =
                Reader::default().read(Some(name.as_bytes()), data.as_bytes(), &mut Vec::new());
            assert!(read.is_err(), "{name} {data}");
        }
    }
}
