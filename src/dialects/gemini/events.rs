//! What happens in a Gemini stream, and how is a stream written in its events?
//!
//! Every event is a whole answer that holds the next parts; usage is cumulative, and the last event has the reason to finish.
//!
//! # Invariants
//! - A function call is written whole, in one event, when its arguments are complete.
//! - The end is written once, with usage, by [`Writer::end`]; a stream that was not finished gets none.

use super::super::meeting::{Frame, Malformed, Mark};
use super::super::seen;
use super::answer::{RawAnswer, WrittenAnswer, WrittenCandidate, either};
use super::finish;
use super::ids::Ids;
use super::usage::Written as WrittenUsage;
use super::wire;
use super::written::WrittenPart;
use crate::chat::{Event, Part, Signature, Stop, Usage};

/// Reads a provider's stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// Ids for calls, once the stream has begun.
    ids: Option<Ids>,
    calls: u32,
    finished: bool,
    /// What was used so far besides what events tell.
    beside: seen::Usage,
}

impl Reader {
    /// Reads one event, appending what it means to `out`.
    ///
    /// # Errors
    /// [`Malformed`] when it is not an event of this dialect, or says that the model failed.
    pub fn read(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<Mark, Malformed> {
        let raw: RawAnswer = wire::object(data)?;
        if raw.error.filled {
            return Ok(Mark::Error);
        }
        let blocked = raw.is_blocked();
        if self.ids.is_none() {
            let id = raw.response_id.unwrap_or_default();
            self.ids = Some(Ids::of_answer(&id));
            out.push(Event::Start {
                id,
                model: raw.model_version.unwrap_or_default(),
            });
        }
        let candidate = raw.candidates.unwrap_or_default().into_iter().next();
        let candidate = candidate.unwrap_or_default();
        let mut parts = Vec::new();
        let ids = self.ids.get_or_insert_default();
        for part in candidate.content.unwrap_or_default().parts.0 {
            part.read(ids, &mut parts, &mut Vec::new());
        }
        for part in parts {
            self.tell(part, out)?;
        }
        let stop = finish::read(&candidate.finish_reason.unwrap_or_default())?;
        let stop = stop.or(blocked.then_some(Stop::Filtered));
        if let Some(counts) = raw.usage_metadata {
            let beside = seen::Usage::from(counts).beside_text();
            self.beside = beside.after(self.beside);
            out.push(Event::Usage(counts.buckets()));
        }
        if let Some(stop) = stop.filter(|_| !self.finished) {
            self.finished = true;
            let calls = stop == Stop::End && self.calls > 0;
            out.push(Event::Finish {
                stop: if calls { Stop::Tools } else { stop },
                stop_text: None,
            });
        }
        Ok(if self.finished {
            Mark::Done
        } else {
            Mark::More
        })
    }

    /// What was used so far besides what events tell.
    #[must_use]
    pub const fn beside(&self) -> seen::Usage {
        self.beside
    }

    fn tell(&mut self, part: Part, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match part {
            Part::Text { text, .. } => out.push(Event::Text(text)),
            Part::Thinking { text, signature } => {
                if !text.is_empty() {
                    out.push(Event::Thinking(text));
                }
                out.extend(signature.map(Event::Signed));
            }
            Part::Redacted(signature) => out.push(Event::Redacted(signature)),
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                let index = self.calls;
                self.calls = self.calls.saturating_add(1);
                out.push(Event::ToolStart {
                    index,
                    id,
                    name,
                    signature,
                });
                if !arguments.is_empty() {
                    out.push(Event::ToolArguments {
                        index,
                        json: arguments,
                    });
                }
            }
            _ => return Err(Malformed::new("media in a stream cannot be carried over")),
        }
        Ok(())
    }
}

/// A call whose arguments are still coming.
#[derive(Clone, Debug)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
    signature: Option<Signature>,
}

/// Writes a stream for a client.
#[derive(Clone, Debug)]
pub struct Writer {
    id: String,
    model: String,
    calls: Vec<Call>,
    /// Whether a call was written.
    called: bool,
    usage: Option<Usage>,
    stop: Option<Stop>,
}

impl Writer {
    /// A stream that has not begun.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self {
            id: frame.id,
            model: frame.model,
            calls: Vec::new(),
            called: false,
            usage: None,
            stop: None,
        }
    }

    /// Writes one step.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.id = either(id, &self.id).to_owned();
                self.model = either(model, &self.model).to_owned();
            }
            Event::Text(text) | Event::Refusal(text) => {
                self.content(WrittenPart::text(text), out);
            }
            Event::Thinking(text) => self.content(WrittenPart::thought(text, None), out),
            Event::Signed(signature) => {
                self.content(WrittenPart::thought("", Some(signature)), out);
            }
            Event::Redacted(signature) => self.content(WrittenPart::redacted(signature), out),
            Event::ToolStart {
                index,
                id,
                name,
                signature,
            } => self.calls.push(Call {
                index: *index,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                signature: signature.clone(),
            }),
            Event::ToolArguments { index, json } => {
                let mut open = self.calls.iter_mut().rev();
                if let Some(call) = open.find(|call| call.index == *index) {
                    call.arguments.push_str(json);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { stop, .. } => self.stop = Some(*stop),
        }
    }

    /// Writes the end, if the stream has been finished.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let Some(stop) = self.stop.take() else {
            return;
        };
        self.complete_calls(out);
        self.event(WrittenPart::text(""), Some(stop), out);
    }

    fn content(&mut self, part: WrittenPart<'_>, out: &mut Vec<u8>) {
        self.complete_calls(out);
        self.event(part, None, out);
    }

    /// Writes the calls that are open. Why not one by one: calls side by side may take turns with their arguments.
    fn complete_calls(&mut self, out: &mut Vec<u8>) {
        for call in std::mem::take(&mut self.calls) {
            let part = WrittenPart::call(Some(&call.id), &call.name, &call.arguments);
            let mut part = part.with_signature(call.signature.as_ref());
            if !std::mem::replace(&mut self.called, true) {
                part.keep_skipped();
            }
            self.event(part, None, out);
        }
    }

    fn event(&self, part: WrittenPart<'_>, stop: Option<Stop>, out: &mut Vec<u8>) {
        let usage = self.usage.as_ref().filter(|_| stop.is_some());
        let written = WrittenAnswer {
            candidates: [WrittenCandidate::new(vec![part], stop)],
            usage_metadata: usage.map(WrittenUsage::from),
            model_version: &self.model,
            response_id: &self.id,
        };
        out.extend_from_slice(b"data: ");
        // Strings and numbers always serialise, and a vector takes all.
        let _ = serde_json::to_writer(&mut *out, &written);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Maker, fold};
    use crate::stream::sse;
    use serde_json::{Value, json};

    fn event(parts: Value, rest: Value) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        let mut whole = json!({"responseId": "R", "modelVersion": "m",
            "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}});
        if let Some(reason) = rest.get("finishReason") {
            candidate["finishReason"] = reason.clone();
        }
        whole["candidates"] = json!([candidate]);
        whole
    }

    fn read_all(stream: &[Value]) -> (Vec<Event>, Vec<Mark>) {
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        let marks = stream.iter().map(|event| {
            let data = event.to_string();
            reader.read(None, data.as_bytes(), &mut out).unwrap()
        });
        let marks = marks.collect();
        (out, marks)
    }

    #[test]
    fn a_stream_is_read_step_by_step() {
        let signed = |text: &str| Signature::new(Maker::Google, text);
        let (events, marks) = read_all(&[
            event(
                json!([{"text": "hm", "thought": true, "thoughtSignature": "c2ln"}]),
                json!({}),
            ),
            event(
                json!([{"text": "w"}, {"functionCall": {"name": "f", "args": {"b": 1}}, "thoughtSignature": "Y2FsbA=="}]),
                json!({}),
            ),
            event(json!([{"functionCall": {"name": "g"}}]), json!({})),
            event(json!([{"text": ""}]), json!({"finishReason": "STOP"})),
            event(json!([{"text": ""}]), json!({"finishReason": "STOP"})),
        ]);
        let usage = Event::Usage(Usage {
            input: 4,
            output: 2,
            ..Usage::default()
        });
        let start = |index, id: &str, name: &str, signature| Event::ToolStart {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            signature,
        };
        let expected = [
            Event::Start {
                id: "R".to_owned(),
                model: "m".to_owned(),
            },
            Event::Thinking("hm".to_owned()),
            Event::Signed(signed("c2ln")),
            usage.clone(),
            Event::Text("w".to_owned()),
            start(0, "call_R_0", "f", Some(signed("Y2FsbA=="))),
            Event::ToolArguments {
                index: 0,
                json: "{\"b\":1}".to_owned(),
            },
            usage.clone(),
            start(1, "call_R_1", "g", None),
            usage.clone(),
            usage.clone(),
            Event::Finish {
                stop: Stop::Tools,
                stop_text: None,
            },
            usage,
        ];
        assert_eq!(events, expected);
        use Mark::{Done, More};
        assert_eq!(marks, [More, More, More, Done, Done]);
    }

    #[test]
    fn failures_do_not_pass_for_ends() {
        let mut out = Vec::new();
        let failed = event(
            json!([]),
            json!({"finishReason": "MALFORMED_FUNCTION_CALL"}),
        );
        let read = Reader::default().read(None, failed.to_string().as_bytes(), &mut out);
        assert!(read.is_err());
        let error = br#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
        let mut out = Vec::new();
        assert_eq!(
            Reader::default().read(None, error, &mut out),
            Ok(Mark::Error)
        );
        assert!(out.is_empty());
        let blocked = br#"{"promptFeedback":{"blockReason":"SAFETY"}}"#;
        assert_eq!(
            Reader::default().read(None, blocked, &mut out),
            Ok(Mark::Done)
        );
        assert_eq!(fold(&out).stop, Stop::Filtered);
        for bad in [&b"{"[..], b"[]", b"", b"{\"candidates\":[1]}"] {
            assert!(Reader::default().read(None, bad, &mut out).is_err());
        }
    }

    fn write_all(events: &[Event]) -> Vec<u8> {
        let mut writer = Writer::new(Frame {
            id: "f".to_owned(),
            model: "asked".to_owned(),
            ..Frame::default()
        });
        let mut out = Vec::new();
        for event in events {
            writer.write(event, &mut out);
        }
        writer.end(&mut out);
        out
    }

    fn call(index: u32, id: &str) -> Event {
        Event::ToolStart {
            index,
            id: id.to_owned(),
            name: "f".to_owned(),
            signature: None,
        }
    }

    fn arguments(index: u32, json: &str) -> Event {
        Event::ToolArguments {
            index,
            json: json.to_owned(),
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let events = [
            Event::Start {
                id: "a".to_owned(),
                model: "m".to_owned(),
            },
            Event::Thinking("h".to_owned()),
            Event::Signed(Signature::new(Maker::Anthropic, "sig")),
            Event::Redacted(Signature::new(Maker::Anthropic, "secret")),
            Event::Text("w".to_owned()),
            call(0, "c0"),
            arguments(0, "{\"a\":\n"),
            call(1, "c1"),
            arguments(1, "{}"),
            arguments(0, "1}"),
            Event::Finish {
                stop: Stop::Tools,
                stop_text: None,
            },
            Event::Usage(Usage {
                input: 1,
                output: 2,
                ..Usage::default()
            }),
        ];
        let written = write_all(&events);
        let (mut reader, mut back) = (Reader::default(), Vec::new());
        let mut marks = Vec::new();
        for event in sse::events(&written) {
            assert_eq!(event.data_lines, 1);
            marks.push(
                reader
                    .read(event.name(), event.data.unwrap(), &mut back)
                    .unwrap(),
            );
        }
        assert_eq!(marks.pop(), Some(Mark::Done));
        assert!(marks.into_iter().all(|mark| mark == Mark::More));
        let mut expected = fold(&events);
        for part in &mut expected.parts {
            if let Part::ToolCall { arguments, .. } = part {
                *arguments = arguments.replace('\n', " ");
            }
        }
        assert_eq!(fold(&back), expected);
    }

    #[test]
    fn the_end_comes_once_with_usage_and_only_if_finished() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let broken = text(write_all(&[Event::Text("w".to_owned())]));
        assert_eq!(broken.matches("data: ").count(), 1);
        assert!(!broken.contains("finishReason"));
        let whole = text(write_all(&[
            Event::Usage(Usage::default()),
            Event::Finish {
                stop: Stop::Length,
                stop_text: None,
            },
        ]));
        assert_eq!(whole.matches("MAX_TOKENS").count(), 1);
        assert!(whole.contains("\"usageMetadata\":{\"promptTokenCount\":0"));
        assert!(whole.contains("\"responseId\":\"f\"") && whole.contains("\"asked\""));
        assert!(whole.ends_with("\r\n\r\n"));
    }
}
