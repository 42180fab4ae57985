//! What does an answer say? Usage, content, the end, or an error, told from the bytes as they pass.
//!
//! # Invariants
//! - Nothing is allocated for an event.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::seen::{Seen, Summary, Usage};
use super::usage::Counts;
use super::wire::{self, Glance};

/// Reads an event's data.
///
/// # Errors
/// `serde_json`'s, when the bytes are not a JSON object of a known shape.
pub fn read(json: &[u8]) -> Result<Seen, serde_json::Error> {
    let raw: RawAnswer = wire::object(json)?;
    let blocked = raw.prompt_feedback.unwrap_or_default().block_reason.filled;
    Ok(Seen {
        content: raw.candidates.content,
        finished: raw.candidates.finished || blocked,
        choices: raw.candidates.count,
        usage: raw.usage_metadata.map(Usage::from),
        service: None,
        error: raw.error.filled,
        done: false,
    })
}

/// Reads a whole answer: all of it must be JSON, only usage and error are looked into.
///
/// # Errors
/// `serde_json`'s, when the bytes are not one JSON object.
pub fn read_whole(json: &[u8]) -> Result<Summary, serde_json::Error> {
    let raw: RawSummary = wire::object(json)?;
    Ok(Summary {
        usage: raw.usage_metadata.map(Usage::from),
        error: raw.error.filled,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSummary {
    #[serde(default)]
    usage_metadata: Option<Counts>,
    #[serde(default)]
    error: Glance,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAnswer {
    #[serde(default)]
    candidates: Candidates,
    #[serde(default)]
    prompt_feedback: Option<RawFeedback>,
    #[serde(default)]
    usage_metadata: Option<Counts>,
    #[serde(default)]
    error: Glance,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFeedback {
    #[serde(default)]
    block_reason: Glance,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCandidate {
    #[serde(default)]
    content: Option<RawContent>,
    #[serde(default)]
    finish_reason: Glance,
}

#[derive(Deserialize)]
struct RawContent {
    #[serde(default)]
    parts: Parts,
}

/// Declares how a list is folded together without keeping its elements.
macro_rules! folded {
    ($type:ident, $visitor:ident, $element:ty, $fold:expr) => {
        struct $visitor;

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }

        impl<'de> Visitor<'de> for $visitor {
            type Value = $type;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<$type, E> {
                Ok($type::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<$type, A::Error> {
                let mut all = $type::default();
                while let Some(one) = seq.next_element::<$element>()? {
                    $fold(&mut all, one);
                }
                Ok(all)
            }
        }
    };
}

/// What the list of candidates holds, folded together.
#[derive(Default)]
struct Candidates {
    count: u32,
    content: bool,
    finished: bool,
}

folded!(
    Candidates,
    CandidatesVisitor,
    RawCandidate,
    |all: &mut Candidates, one: RawCandidate| {
        all.count += 1;
        all.content |= one.content.is_some_and(|content| content.parts.0);
        all.finished |= one.finish_reason.filled;
    }
);

/// Whether any part holds something.
#[derive(Default)]
struct Parts(bool);

folded!(
    Parts,
    PartsVisitor,
    RawPart,
    |all: &mut Parts, one: RawPart| all.0 |= one.0
);

/// Whether a part holds anything besides marks and signatures.
struct RawPart(bool);
struct RawPartVisitor;

impl<'de> Deserialize<'de> for RawPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawPartVisitor)
    }
}

impl<'de> Visitor<'de> for RawPartVisitor {
    type Value = RawPart;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPart, A::Error> {
        let mut content = false;
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Mark => drop(map.next_value::<IgnoredAny>()?),
                Key::Content => content |= map.next_value::<Glance>()?.filled,
            }
        }
        Ok(RawPart(content))
    }
}

enum Key {
    Mark,
    Content,
}
struct KeyVisitor;

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl Visitor<'_> for KeyVisitor {
    type Value = Key;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            "thought" | "thoughtSignature" | "partMetadata" | "videoMetadata" => Key::Mark,
            _ => Key::Content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let check = |json: &str, content: bool, finished: bool, choices: u32| {
            let expected = Seen {
                content,
                finished,
                choices,
                ..Seen::default()
            };
            assert_eq!(read(json.as_bytes()).unwrap(), expected, "{json}");
        };
        let one = |rest: &str| format!(r#"{{"candidates":[{{{rest}}}],"modelVersion":"m"}}"#);
        let part = |part: &str| one(&format!(r#""content":{{"parts":[{part}],"role":"model"}}"#));
        check(&part(r#"{"text":"w"}"#), true, false, 1);
        check(&part(r#"{"text":"h","thought":true}"#), true, false, 1);
        check(
            &part(r#"{"text":"","thoughtSignature":"c2ln"}"#),
            false,
            false,
            1,
        );
        check(&part(r#"{"thought":true}"#), false, false, 1);
        check(
            &part(r#"{"functionCall":{"name":"f","args":{}}}"#),
            true,
            false,
            1,
        );
        check(&part(r#"{"inlineData":{"data":"AA=="}}"#), true, false, 1);
        check(&one(r#""finishReason":"STOP","index":0"#), false, true, 1);
        check(
            &one(r#""content":null,"finishReason":null"#),
            false,
            false,
            1,
        );
        check(
            r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
            false,
            true,
            0,
        );
        check(
            r#"{"promptFeedback":{"safetyRatings":[]},"candidates":null}"#,
            false,
            false,
            0,
        );
    }

    #[test]
    fn usage_and_errors_are_told() {
        let usage = r#"{"usageMetadata":{"promptTokenCount":7,"cachedContentTokenCount":2,
            "candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":14,"x":[{}]}}"#;
        let expected = Usage {
            input: Some(7),
            cached: Some(2),
            output: Some(7),
            reasoning: Some(4),
            ..Usage::default()
        };
        assert_eq!(read(usage.as_bytes()).unwrap().usage, Some(expected));
        assert_eq!(read_whole(usage.as_bytes()).unwrap().usage, Some(expected));
        let error = br#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
        assert!(read(error).unwrap().error);
        assert!(read_whole(error).unwrap().error);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [
            "",
            "[]",
            "[{\"error\":{}}]",
            "<html>",
            "[DONE]",
            "{\"candidates\":",
            "{} x",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
            assert!(read_whole(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read(br#"{"candidates":[7]}"#).is_err());
    }
}
