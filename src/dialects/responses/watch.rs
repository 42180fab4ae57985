//! What does an event of a response's stream mean, and may the client see it?
//!
//! An event's `type` decides nearly everything; only what ends a response is looked into.
//!
//! # Invariants
//! - Every event's data is JSON, or it is dropped.
//! - Nothing is allocated for an event but the first with a response's id and the last.
//! - Frames that tell only that a response or an item has begun are no content: until there is some, another route may still answer.

use serde::Deserialize;
use serde::de::Error;
use serde_json::value::RawValue;

use super::super::lenient::Tier;
use super::super::seen::{Seen, Summary, Usage};
use super::super::spent::Spent;
use super::super::tap::Look;
use crate::stream::sse::Event;

/// The end marker of another dialect, which some vendors send here too.
const FOREIGN_DONE: &[u8] = b"[DONE]";

/// Longest response id that is remembered, bytes; OpenAI's have 53.
const MAX_ID: usize = 256;

/// Watches a response's stream.
#[derive(Debug, Default)]
pub struct Watch {
    id: Option<Box<str>>,
    next: u64,
}

impl Watch {
    /// Nothing: the last event is the end.
    pub const CLOSING: &'static [u8] = b"";

    /// A watch on a stream that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The response's id, once it was told.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The `sequence_number` for whatever comes next.
    #[must_use]
    pub const fn next_sequence_number(&self) -> u64 {
        self.next
    }

    /// Understands one event.
    pub fn look(&mut self, event: &Event<'_>, data: &[u8]) -> Look {
        if data.trim_ascii() == FOREIGN_DONE {
            return Look::Drop(Seen::default());
        }
        let Ok(glance) = glance(data) else {
            return Look::Bad;
        };
        let told = glance
            .sequence_number
            .and_then(|raw| raw.get().parse().ok());
        self.next = told.unwrap_or(self.next).saturating_add(1);
        if self.id.is_none() {
            self.id = glance.response.and_then(id_of);
        }
        let name = event.name().and_then(|name| std::str::from_utf8(name).ok());
        Look::Keep(glance.seen(name))
    }
}

/// The few fields that tell what an event is.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

fn glance(data: &[u8]) -> Result<Glance<'_>, serde_json::Error> {
    object(data).and_then(serde_json::from_slice)
}

/// The bytes, if an object begins there: a list would do for a struct.
fn object(data: &[u8]) -> Result<&[u8], serde_json::Error> {
    if data.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde_json::Error::custom("not an object"));
    }
    Ok(data)
}

impl Glance<'_> {
    fn seen(&self, name: Option<&str>) -> Seen {
        let kind = word(self.kind).or(name).unwrap_or_default();
        let content = Seen {
            content: true,
            choices: 1,
            ..Seen::default()
        };
        match kind {
            "error" | "response.failed" => Seen {
                error: true,
                ..Seen::default()
            },
            "response.completed" | "response.incomplete" => Seen {
                finished: true,
                done: true,
                choices: 1,
                usage: self.response.and_then(usage_of),
                ..Seen::default()
            },
            "response.output_item.added" | "response.output_item.done"
                if self.item.is_some_and(holds_content) =>
            {
                content
            }
            "response.image_generation_call.partial_image" => content,
            _ if kind.ends_with(".delta") => content,
            // Why without its type: vendors send bare error objects in the middle of any stream.
            _ => Seen {
                error: kind.is_empty() && is_filled(self.error),
                ..Seen::default()
            },
        }
    }
}

/// A string without escapes, as it is written.
fn word(raw: Option<&RawValue>) -> Option<&str> {
    raw?.get().strip_prefix('"')?.strip_suffix('"')
}

/// Whether a value holds anything: not null, not an empty string, list or object.
fn is_filled(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "\"\"" | "[]" | "{}"))
}

/// Whether an item holds something that the user can see or a tool can use.
fn holds_content(item: &RawValue) -> bool {
    #[derive(Default, Deserialize)]
    struct Item<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
        #[serde(borrow, default)]
        summary: Option<&'a RawValue>,
        #[serde(borrow, default)]
        encrypted_content: Option<&'a RawValue>,
    }
    let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else {
        return false;
    };
    match word(item.kind) {
        Some("message") => is_filled(item.content),
        Some("reasoning") => [item.content, item.summary, item.encrypted_content]
            .into_iter()
            .any(is_filled),
        Some(_) => true,
        None => false,
    }
}

fn usage_of(response: &RawValue) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        usage: Option<Spent>,
        #[serde(default)]
        service_tier: Tier,
    }
    let response: Response = serde_json::from_str(response.get()).ok()?;
    let service = response.service_tier.0;
    response.usage.map(|usage| Usage {
        service,
        ..usage.into()
    })
}

fn id_of(response: &RawValue) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
    }
    let response: Response<'_> = serde_json::from_str(response.get()).ok()?;
    // An escaped one is not what a client repeats, and no provider writes any.
    let plain = |id: &&str| !id.is_empty() && id.len() <= MAX_ID && !id.contains('\\');
    let id = word(response.id).filter(plain);
    id.map(Box::from)
}

/// What a whole response says besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// What was used, and whether it is an error object or a response that has failed.
    pub summary: Summary,
    /// The response's id: later requests may refer to it, and only where it was made.
    pub id: Option<Box<str>>,
}

/// Reads a whole response: all of it must be JSON, only id, usage, status and error are looked into.
///
/// # Errors
/// `serde_json`'s, when the bytes are not one JSON object.
pub fn read_whole(json: &[u8]) -> Result<Whole, serde_json::Error> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow, default)]
        status: Option<&'a RawValue>,
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let whole: &RawValue = serde_json::from_slice(object(json)?)?;
    let response: Response<'_> = serde_json::from_str(whole.get())?;
    Ok(Whole {
        summary: Summary {
            usage: usage_of(whole),
            error: is_filled(response.error) || word(response.status) == Some("failed"),
        },
        id: id_of(whole),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::seen::Service;
    use super::super::super::tap::{Tap, Watch as Watches};
    use super::*;
    use crate::stream::sse;
    use bytes::Bytes;

    fn look(watch: &mut Watch, run: &str) -> Look {
        let event = sse::events(run.as_bytes()).next().unwrap();
        watch.look(&event, event.data.unwrap())
    }

    fn seen(data: &str) -> Seen {
        match look(&mut Watch::new(), &format!("data: {data}\n\n")) {
            Look::Keep(seen) => seen,
            other => panic!("{other:?} for {data}"),
        }
    }

    #[test]
    fn content_is_told_from_lifecycle() {
        for data in [
            r#"{"type":"response.output_text.delta","delta":"w"}"#,
            r#"{"type":"response.refusal.delta","delta":"w"}"#,
            r#"{"type":"response.reasoning_summary_text.delta","delta":"w"}"#,
            r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
            r#"{"type":"response.something_new.delta"}"#,
            r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#,
            r#"{"type":"response.output_item.added","item":{"type":"web_search_call"}}"#,
            r#"{"type":"response.output_item.done","item":{"type":"reasoning","summary":[],"encrypted_content":"e"}}"#,
            r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"w"}]}}"#,
        ] {
            let seen = seen(data);
            assert!(seen.content && !seen.done && !seen.error, "{data}");
        }
        for data in [
            r#"{"type":"response.created","response":{"id":"resp_1","usage":null,"error":null}}"#,
            r#"{"type":"response.in_progress","response":{"id":"resp_1"}}"#,
            r#"{"type":"response.queued"}"#,
            r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
            r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#,
            r#"{"type":"response.output_item.added","item":3}"#,
            r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
            r#"{"type":"keepalive"}"#,
            r#"{"type":7}"#,
            r#"{"error":null}"#,
            "{}",
        ] {
            assert_eq!(seen(data), Seen::default(), "{data}");
        }
    }

    #[test]
    fn the_end_tells_its_usage() {
        let usage = r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"total_tokens":14}"#;
        for kind in ["completed", "incomplete"] {
            let seen = seen(&format!(
                r#"{{"type":"response.{kind}","response":{{"id":"r","service_tier":"flex","usage":{usage}}}}}"#
            ));
            assert!(seen.done && seen.finished && !seen.error && !seen.content);
            assert_eq!(
                seen.usage,
                Some(Usage {
                    input: Some(9),
                    cached: Some(4),
                    output: Some(5),
                    service: Some(Service::Flex),
                    ..Usage::default()
                })
            );
        }
        let without = seen(r#"{"type":"response.completed","response":{"usage":7}}"#);
        assert!(without.done && without.usage.is_none());
    }

    #[test]
    fn errors_are_errors() {
        for data in [
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error"}}}"#,
            r#"{"type":"error","message":"boom"}"#,
            r#"{"type":"error","error":{"message":"boom"}}"#,
            r#"{"error":{"message":"boom"}}"#,
        ] {
            assert!(seen(data).error, "{data}");
        }
        let named = look(
            &mut Watch::new(),
            "event: error\ndata: {\"message\":\"boom\"}\n\n",
        );
        assert!(matches!(named, Look::Keep(seen) if seen.error));
    }

    #[test]
    fn what_is_not_json_is_bad_and_a_foreign_end_is_dropped() {
        for data in [
            "<html>",
            "[]",
            "[1]",
            "{\"type\":",
            "{\"type\":\"a\"} x",
            "nul",
        ] {
            let found = look(&mut Watch::new(), &format!("data: {data}\n\n"));
            assert!(matches!(found, Look::Bad), "{data}");
        }
        let found = look(&mut Watch::new(), "data: [DONE]\n\n");
        assert!(matches!(found, Look::Drop(seen) if seen == Seen::default()));
    }

    #[test]
    fn id_and_place_are_remembered() {
        let mut watch = Watch::new();
        assert_eq!((watch.id(), watch.next_sequence_number()), (None, 0));
        look(
            &mut watch,
            "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"},\"sequence_number\":0}\n\n",
        );
        look(
            &mut watch,
            "data: {\"type\":\"x\",\"sequence_number\":4}\n\n",
        );
        assert_eq!(
            (watch.id(), watch.next_sequence_number()),
            (Some("resp_1"), 5)
        );
        look(&mut watch, "data: {\"type\":\"x\"}\n\n");
        assert_eq!(watch.next_sequence_number(), 6);
    }

    #[test]
    fn a_tap_passes_a_response_unchanged() {
        let run = Bytes::from_static(
            b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n\
              event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n\
              event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"output_tokens\":3}}}\n\n",
        );
        let mut tap = Tap::new(Watches::Responses(Watch::new()));
        let passed = tap.pass(run.clone()).unwrap();
        assert_eq!(passed.bytes.as_ptr(), run.as_ptr());
        assert_eq!(passed.bytes, run);
        assert!(passed.content && tap.progress.done && tap.closing().is_empty());
        assert_eq!(tap.progress.output_tokens(), 3);
    }

    #[test]
    fn a_whole_response_is_summed_up() {
        let whole = read_whole(
            br#"{"id":"resp_1","status":"completed","error":null,"output":[],"usage":{"input_tokens":1,"output_tokens":2}}"#,
        )
        .unwrap();
        assert_eq!(whole.id.as_deref(), Some("resp_1"));
        let escaped = read_whole(br#"{"id":"resp_\"1"}"#).unwrap();
        assert_eq!(escaped.id, None, "a client would not name it so");
        assert!(!whole.summary.error);
        assert_eq!(whole.summary.usage.and_then(|usage| usage.output), Some(2));
        for failed in [
            r#"{"id":"resp_1","status":"failed","error":null}"#,
            r#"{"error":{"message":"boom"}}"#,
        ] {
            assert!(read_whole(failed.as_bytes()).unwrap().summary.error);
        }
        for bad in ["", "[]", "<html>", "{\"id\":", "{} x"] {
            assert!(read_whole(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
