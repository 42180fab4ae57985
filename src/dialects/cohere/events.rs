//! What happens in a stream of Cohere's chat?
//!
//! Every event says in `type` what it is; what it is called by the stream is the same and not needed.
//!
//! # Invariants
//! - The memory of a reader does not grow with the stream.
//! - Events that are not known, such as citations, are passed over.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::meeting::{Malformed, Mark};
use super::super::seen;
use super::wire;
use crate::chat::Event;

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// How many tools have been called; the last one is the one that is being told.
    calls: u32,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    /// An error object in place of an event.
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<wire::Usage>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Calls<'a>>,
}

/// What a message begins with is an empty list, what it goes on with an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    #[serde(borrow)]
    Piece(Piece<'a>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Calls<'a> {
    #[serde(borrow)]
    Call(Call<'a>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
}

impl Reader {
    /// Nothing: events tell all that was used.
    #[must_use]
    pub fn beside(&self) -> seen::Usage {
        seen::Usage::default()
    }

    /// Reads an event's data; its name is not needed.
    ///
    /// # Errors
    /// [`Malformed`] when the event is not what its type says, or tells that the model failed.
    pub fn read(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        if data == b"[DONE]" {
            return Ok(Mark::Done);
        }
        let data: Data<'_> = serde_json::from_slice(data)?;
        let delta = data.delta.unwrap_or_default();
        if data.error.is_some() || delta.error.is_some_and(|words| !words.is_empty()) {
            return Ok(Mark::Error);
        }
        let message = delta.message.unwrap_or_default();
        match &*data.kind {
            "message-start" => events.push(Event::Start {
                id: data.id.unwrap_or_default().into_owned(),
                model: String::new(),
            }),
            "content-start" | "content-delta" => {
                if let Some(Content::Piece(piece)) = message.content {
                    push(piece.thinking, Event::Thinking, events);
                    push(piece.text, Event::Text, events);
                }
            }
            "tool-plan-delta" => push(message.tool_plan, Event::Thinking, events),
            "tool-call-start" | "tool-call-delta" => {
                if let Some(Calls::Call(call)) = message.tool_calls {
                    self.call(call, events)?;
                }
            }
            "message-end" => {
                events.extend(delta.usage.map(|usage| Event::Usage(usage.read())));
                let reason = delta.finish_reason.unwrap_or_default();
                events.push(Event::Finish {
                    stop: wire::stop(&reason)?,
                    stop_text: None,
                });
                return Ok(Mark::Done);
            }
            _ => {}
        }
        Ok(Mark::More)
    }

    fn call(&mut self, call: Call<'_>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(name) = call.function.name {
            events.push(Event::ToolStart {
                index: self.calls,
                id: call.id.unwrap_or_default().into_owned(),
                name: name.into_owned(),
                signature: None,
            });
            self.calls = self.calls.saturating_add(1);
        }
        let json = call.function.arguments.filter(|json| !json.is_empty());
        if let Some(json) = json {
            let index = self.calls.checked_sub(1);
            let index =
                index.ok_or_else(|| Malformed::new("arguments of a tool that was not called"))?;
            events.push(Event::ToolArguments {
                index,
                json: json.into_owned(),
            });
        }
        Ok(())
    }
}

fn push(text: Option<Cow<'_, str>>, event: fn(String) -> Event, events: &mut Vec<Event>) {
    let text = text.filter(|text| !text.is_empty());
    events.extend(text.map(|text| event(text.into_owned())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Part, Stop, Usage, fold};

    fn run(stream: &[&str]) -> (Vec<Event>, Vec<Mark>) {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let marks = stream
            .iter()
            .map(|data| reader.read(None, data.as_bytes(), &mut events).unwrap())
            .collect();
        (events, marks)
    }

    #[test]
    fn words_are_read() {
        let (events, marks) = run(&[
            r#"{"id":"29f1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"h"}}}}"#,
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"m"}}}}"#,
            r#"{"type":"content-end","index":0}"#,
            r#"{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            r#"{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Hi"}}},"logprobs":{}}"#,
            r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1}}}}"#,
            r#"{"type":"content-end","index":1}"#,
            r#"{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS","usage":{"billed_units":{"input_tokens":3,"output_tokens":4}}}}"#,
        ]);
        let answer = fold(&events);
        let thought = Part::Thinking {
            text: "hm".to_owned(),
            signature: None,
        };
        assert_eq!(answer.parts, [thought, Part::text("Hi")]);
        assert_eq!((answer.id.as_str(), answer.stop), ("29f1", Stop::Length));
        let usage = Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        };
        assert_eq!(answer.usage, Some(usage));
        assert_eq!(marks.last(), Some(&Mark::Done));
        assert!(
            marks[..marks.len() - 1]
                .iter()
                .all(|mark| *mark == Mark::More)
        );
    }

    #[test]
    fn calls_are_read() {
        let (events, _) = run(&[
            r#"{"type":"message-start","id":"x"}"#,
            r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#,
            r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}"#,
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}"#,
            r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":": 1}"}}}}}"#,
            r#"{"type":"tool-call-end","index":0}"#,
            r#"{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"g_2","type":"function","function":{"name":"g","arguments":"{}"}}}}}"#,
            r#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}"#,
        ]);
        let call = |id: &str, name: &str, arguments: &str| Part::ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            signature: None,
        };
        assert_eq!(
            fold(&events).parts[1..],
            [call("f_1", "f", "{\"a\": 1}"), call("g_2", "g", "{}")]
        );
    }

    #[test]
    fn errors_are_noticed() {
        for error in [
            r#"{"type":"message-end","delta":{"error":"boom","finish_reason":"ERROR"}}"#,
            r#"{"error":{"message":"boom"}}"#,
        ] {
            assert_eq!(run(&[error]), (Vec::new(), vec![Mark::Error]));
        }
        for bad in [
            "",
            "[1",
            r#"{"type":"message-end","delta":{"finish_reason":"ERROR"}}"#,
            r#"{"type":"message-end"}"#,
            r#"{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}"#,
        ] {
            let read = Reader::default().read(None, bad.as_bytes(), &mut Vec::new());
            assert!(read.is_err(), "{bad}");
        }
    }
}
