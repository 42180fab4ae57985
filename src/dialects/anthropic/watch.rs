//! What does an event of a message's stream mean?
//!
//! # Invariants
//! - Every event goes on to the client but those that are no JSON objects: also those that are new.
//! - Nothing is allocated for an event, and only what its type calls for is looked into.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::seen::{Seen, Summary};
use super::super::tap::Look;
use super::usage::Told;
use crate::stream::sse::Event;

/// Watches the stream of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// What was used so far: the beginning tells the input, the end the output and sometimes the input anew.
    told: Told,
}

/// An event's fields, not looked into.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// What a block, a delta or a message says of itself.
#[derive(Default, Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

impl<'a> Inner<'a> {
    fn of(raw: Option<&'a RawValue>) -> Self {
        let inner = raw.map(|raw| serde_json::from_str(raw.get()));
        inner.and_then(Result::ok).unwrap_or_default()
    }

    fn kind(&self) -> &'a str {
        text(self.kind)
    }
}

/// The text of a string without escapes, which no type has.
fn text(raw: Option<&RawValue>) -> &str {
    let quoted = raw.map(RawValue::get).unwrap_or_default();
    let text = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    text.unwrap_or_default()
}

impl Watch {
    /// The end marker's event, as the gateway writes it when a provider has forgotten it.
    pub const CLOSING: &'static [u8] =
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    /// A watch on a stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Understands one event.
    pub fn look(&mut self, _event: &Event<'_>, data: &[u8]) -> Look {
        let Ok(glance) = object::<Glance<'_>>(data) else {
            return Look::Bad;
        };
        let mut seen = Seen {
            choices: 1,
            ..Seen::default()
        };
        match text(glance.kind) {
            "content_block_delta" => {
                seen.content = Inner::of(glance.delta).kind() != "signature_delta";
            }
            // What comes whole in its beginning, or cannot be asked for again once it has begun.
            "content_block_start" => {
                let kind = Inner::of(glance.content_block).kind();
                seen.content = !matches!(kind, "text" | "thinking");
            }
            "message_start" => {
                let told = Inner::of(glance.message).usage.map(Told::beginning);
                self.tell(told, &mut seen);
            }
            "message_delta" => {
                seen.finished = Inner::of(glance.delta).stop_reason.is_some();
                self.tell(glance.usage.map(Told::read), &mut seen);
            }
            "message_stop" => seen.done = true,
            "error" => seen.error = true,
            // An error in another dialect's words, which clients would pass over in silence.
            "" => seen.error = glance.error.is_some(),
            _ => {}
        }
        Look::Keep(seen)
    }

    fn tell(&mut self, told: Option<Told>, seen: &mut Seen) {
        if let Some(told) = told {
            self.told = told.after(self.told);
            seen.usage = Some(self.told.sums());
        }
    }
}

/// Reads one JSON object; a list is none, though serde takes one for a struct.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    serde_json::from_slice(json)
}

/// Reads a whole answer: all of it must be JSON, only usage and error are looked into.
///
/// # Errors
/// `serde_json`'s, when the bytes are not one JSON object.
pub fn read_whole(json: &[u8]) -> Result<Summary, serde_json::Error> {
    let whole = object::<Glance<'_>>(json)?;
    let error = whole.error.map(RawValue::get);
    Ok(Summary {
        usage: whole.usage.map(|usage| Told::read(usage).sums()),
        error: text(whole.kind) == "error" || !matches!(error, None | Some("\"\"" | "{}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::seen::Usage;
    use super::*;
    use crate::stream::sse;

    fn look(watch: &mut Watch, json: &str) -> Look {
        let text = format!("data: {json}\n\n");
        let event = sse::events(text.as_bytes()).next().unwrap();
        watch.look(&event, json.as_bytes())
    }

    fn seen(watch: &mut Watch, json: &str) -> Seen {
        match look(watch, json) {
            Look::Keep(seen) => seen,
            other => panic!("{other:?} for {json}"),
        }
    }

    const NOTHING: Seen = Seen {
        content: false,
        finished: false,
        choices: 1,
        usage: None,
        service: None,
        error: false,
        done: false,
    };

    #[test]
    fn events_are_told_apart() {
        let nothing = NOTHING;
        let content = Seen {
            content: true,
            ..nothing
        };
        let error = Seen {
            error: true,
            ..nothing
        };
        let done = Seen {
            done: true,
            ..nothing
        };
        let cases = [
            (r#"{"type":"ping"}"#, nothing),
            (
                r#"{"type":"new","delta":"x","message":3,"usage":[],"error":0}"#,
                nothing,
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                nothing,
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
                nothing,
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t"}}"#,
                content,
            ),
            (
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
                content,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\"type\":\"error\""}}"#,
                content,
            ),
            (
                r#"{"delta":{"text":"w","type":"text_delta"},"index":0, "type" : "content_block_delta"}"#,
                content,
            ),
            (
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
                nothing,
            ),
            (r#"{"type":"content_block_stop","index":0}"#, nothing),
            (
                r#"{"type":"message_delta","delta":{"stop_reason":null}}"#,
                nothing,
            ),
            (r#"{"type":"message_stop"}"#, done),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
                error,
            ),
            (r#"{"error":{"message":"x"}}"#, error),
        ];
        for (json, expected) in cases {
            assert_eq!(seen(&mut Watch::new(), json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_dropped() {
        let all = [
            "",
            "{",
            "[]",
            "[\"error\"]",
            "[DONE]",
            "{\"type\":\"ping\"} x",
        ];
        for bad in all {
            assert!(matches!(look(&mut Watch::new(), bad), Look::Bad), "{bad}");
        }
    }

    #[test]
    fn usage_adds_up_over_the_stream() {
        let mut watch = Watch::new();
        let usage = |input, output| {
            Some(Usage {
                input: Some(input),
                cached: Some(4),
                output,
                ..Usage::default()
            })
        };
        let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}"#;
        assert_eq!(
            seen(&mut watch, start).usage,
            usage(7, None),
            "the beginning's output is no answer's"
        );
        let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":5,"output_tokens":9}}"#;
        let end = seen(&mut watch, delta);
        assert!(end.finished);
        assert_eq!(
            end.usage,
            usage(9, Some(9)),
            "cached input is not forgotten"
        );
    }

    #[test]
    fn whole_answers_are_summed_up() {
        let whole = br#"{"type":"message","content":[{"type":"text","text":"w"}],"usage":{"input_tokens":1,"output_tokens":2}}"#;
        let summary = read_whole(whole).unwrap();
        assert_eq!(summary.usage.unwrap().output, Some(2));
        assert!(!summary.error);
        for (json, error) in [
            (
                r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
                true,
            ),
            (r#"{"error":{"message":"x"}}"#, true),
            (r#"{"type":"message","error":null}"#, false),
        ] {
            assert_eq!(read_whole(json.as_bytes()).unwrap().error, error, "{json}");
        }
        for bad in ["", "[]", "<html>", "{", "{} x"] {
            assert!(read_whole(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
