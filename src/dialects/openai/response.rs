//! What does an answer say? Usage, content, the end, or an error, told from the bytes as they pass.
//!
//! # Invariants
//! - Numbers that no honest provider sends (negative, or above [`ABSURD_TOKENS`](super::super::seen::ABSURD_TOKENS)) are read as absent.
//! - Nothing is allocated for an event.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::lenient::{Lenient, Number, Seconds, Tier, drain_map, drain_seq};
use super::super::seen::{Seen, Summary, Usage};
use super::super::spent::Spent;

/// Reads an event's data.
///
/// # Errors
/// `serde_json`'s, when the bytes are not a JSON object of a known shape.
pub fn read(json: &[u8]) -> Result<Seen, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    let raw: RawAnswer = serde_json::from_slice(json)?;
    Ok(Seen {
        content: raw.choices.content,
        finished: raw.choices.finished,
        choices: raw.choices.count,
        usage: raw.usage.map(Usage::from),
        service: raw.service_tier.0,
        error: raw.error.0,
        done: false,
    })
}

/// Reads a whole answer: all of it must be JSON, only usage and error are looked into, and how many pictures there are.
///
/// # Errors
/// `serde_json`'s, when the bytes are not one JSON object.
pub fn read_whole(json: &[u8]) -> Result<Summary, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    let raw: RawSummary = serde_json::from_slice(json)?;
    Ok(Summary {
        usage: raw.usage(),
        error: raw.error.0,
    })
}

/// What a `usage` object of pictures says.
#[must_use]
pub fn picture_usage(usage: Option<&serde_json::Value>, pictures: u32) -> Usage {
    let spent = usage.and_then(|usage| Spent::deserialize(usage).ok());
    spent.map(Usage::from).unwrap_or_default().drawn(pictures)
}

#[derive(Deserialize)]
struct RawSummary {
    #[serde(default)]
    usage: Option<Spent>,
    #[serde(default)]
    service_tier: Tier,
    #[serde(default)]
    data: Pictures,
    /// Of a verbose transcription.
    #[serde(default)]
    duration: Seconds,
    #[serde(default)]
    meta: Lenient<Meta>,
    #[serde(default)]
    error: Filled,
}

/// What rerankers add.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    billed_units: Lenient<Units>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Units {
    search_units: Number,
    input_tokens: Number,
}

impl RawSummary {
    fn usage(&self) -> Option<Usage> {
        let units = &self.meta.0.billed_units.0;
        let beside = Usage {
            input: units.input_tokens.count(),
            millis: self.duration.millis(),
            queries: units.search_units.count(),
            service: self.service_tier.0,
            ..Usage::default()
        };
        let told = self.usage.map(Usage::from).unwrap_or_default();
        let usage = told.after(beside).drawn(self.data.0);
        (self.usage.is_some() || usage != Usage::default()).then_some(usage)
    }
}

#[derive(Deserialize)]
struct RawAnswer {
    #[serde(default)]
    choices: Choices,
    #[serde(default)]
    usage: Option<Spent>,
    #[serde(default)]
    service_tier: Tier,
    #[serde(default)]
    error: Filled,
}

/// Declares a type that is deserialised by looking at a value without keeping it.
macro_rules! glance {
    ($type:ty, $visitor:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

/// Whether a value holds anything: not null, not an empty string, list or object.
#[derive(Default)]
struct Filled(bool);
struct FilledVisitor;
glance!(Filled, FilledVisitor);

impl<'de> Visitor<'de> for FilledVisitor {
    type Value = Filled;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Filled, E> {
        Ok(Filled(value))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Filled, E> {
        Ok(Filled(true))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Filled, E> {
        Ok(Filled(true))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Filled, E> {
        Ok(Filled(true))
    }
    fn visit_str<E>(self, value: &str) -> Result<Filled, E> {
        Ok(Filled(!value.is_empty()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Filled, A::Error> {
        drain_seq(seq).map(|count| Filled(count > 0))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Filled, A::Error> {
        drain_map(map).map(|count| Filled(count > 0))
    }
}

/// What the list of choices holds, folded together.
#[derive(Default)]
struct Choices {
    count: u32,
    content: bool,
    finished: bool,
}
struct ChoicesVisitor;
glance!(Choices, ChoicesVisitor);

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }
    fn visit_unit<E>(self) -> Result<Choices, E> {
        Ok(Choices::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices, A::Error> {
        let mut all = Choices::default();
        while let Some(choice) = seq.next_element::<Choice>()? {
            all.count += 1;
            all.content |= choice.delta.0 || choice.message.0 || choice.text.0;
            all.finished |= choice.finish_reason.0;
        }
        Ok(all)
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Message,
    #[serde(default)]
    message: Message,
    #[serde(default)]
    text: Filled,
    #[serde(default)]
    finish_reason: Filled,
}

/// Whether a message or delta holds anything besides its role.
#[derive(Default)]
struct Message(bool);
struct MessageVisitor;
glance!(Message, MessageVisitor);

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }
    fn visit_unit<E>(self) -> Result<Message, E> {
        Ok(Message(false))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut content = false;
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Role => drop(map.next_value::<IgnoredAny>()?),
                Key::Other => content |= map.next_value::<Filled>()?.0,
            }
        }
        Ok(Message(content))
    }
}

enum Key {
    Role,
    Other,
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
        Ok(if name == "role" {
            Key::Role
        } else {
            Key::Other
        })
    }
}

/// How many pictures are in a list, whatever else it may hold.
#[derive(Default)]
struct Pictures(u32);
struct PicturesVisitor;
glance!(Pictures, PicturesVisitor);

impl<'de> Visitor<'de> for PicturesVisitor {
    type Value = Pictures;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_str<E>(self, _: &str) -> Result<Pictures, E> {
        Ok(Pictures(0))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pictures, A::Error> {
        let mut count = 0;
        while let Some(Lenient(picture)) = seq.next_element::<Lenient<Picture>>()? {
            count += u32::from(picture.b64_json.0 || picture.url.0);
        }
        Ok(Pictures(count))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Pictures, A::Error> {
        drain_map(map).map(|_| Pictures(0))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Picture {
    b64_json: Filled,
    url: Filled,
}

#[cfg(test)]
mod tests {
    use super::super::super::seen::Service;
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let check =
            |json: &str, expected: Seen| assert_eq!(read(json.as_bytes()).unwrap(), expected);
        let one = Seen {
            choices: 1,
            ..Seen::default()
        };
        check(
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            one,
        );
        check(
            r#"{"choices":[{"delta":{"content":"w1"}}],"usage":null}"#,
            Seen {
                content: true,
                ..one
            },
        );
        check(
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c"}]}}]}"#,
            Seen {
                content: true,
                ..one
            },
        );
        check(
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            Seen {
                finished: true,
                ..one
            },
        );
        check(
            r#"{"choices":[{"text":"w1"}]}"#,
            Seen {
                content: true,
                ..one
            },
        );
        check(
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":2}}}"#,
            Seen {
                usage: Some(Usage {
                    input: Some(3),
                    cached: Some(2),
                    output: Some(5),
                    ..Usage::default()
                }),
                ..Seen::default()
            },
        );
        check(
            r#"{"choices":[{"delta":{"content":"w1"}}],"service_tier":"flex"}"#,
            Seen {
                content: true,
                service: Some(Service::Flex),
                ..one
            },
        );
        check(
            r#"{"error":{"message":"boom"}}"#,
            Seen {
                error: true,
                ..Seen::default()
            },
        );
        check(r#"{"error":null,"choices":[]}"#, Seen::default());
    }

    #[test]
    fn whole_answers_are_summed_up() {
        let answer = r#"{"choices":[{"message":{"content":"w"}}],"usage":{"completion_tokens":5}}"#;
        let summary = read_whole(answer.as_bytes()).unwrap();
        assert_eq!(summary.usage.and_then(|usage| usage.output), Some(5));
        assert!(read_whole(br#"{"error":{"message":"no"}}"#).unwrap().error);
        for bad in [
            "",
            "[]",
            "<html>",
            r#"{"choices":[{"message":"#,
            r#"{"a":1} x"#,
        ] {
            assert!(read_whole(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn whatever_is_billed_is_told() {
        let none = Usage::default();
        let cases = [
            (
                r#"{"choices":[],"service_tier":"priority","usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
                Some(Usage {
                    input: Some(1),
                    output: Some(2),
                    service: Some(Service::Priority),
                    ..none
                }),
            ),
            (
                r#"{"created":1,"data":[{"b64_json":"AA=="},{"b64_json":"AA=="}],"usage":{"input_tokens":4,"output_tokens":2112,"total_tokens":2116,"input_tokens_details":{"text_tokens":4,"image_tokens":0}}}"#,
                Some(Usage {
                    input: Some(4),
                    image_input: Some(0),
                    output: Some(2_112),
                    image_output: Some(2_112),
                    images: Some(2),
                    ..none
                }),
            ),
            (
                r#"{"created":1,"data":[{"url":"https://x","revised_prompt":"p"},{"url":null},3,[]]}"#,
                Some(Usage {
                    images: Some(1),
                    ..none
                }),
            ),
            (
                r#"{"object":"list","data":[{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
                Some(Usage {
                    input: Some(3),
                    ..none
                }),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(
                read_whole(json.as_bytes()).unwrap().usage,
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_billed_otherwise_than_by_tokens_is_told() {
        let none = Usage::default();
        let cases = [
            (
                r#"{"task":"transcribe","duration":8.47,"text":"w"}"#,
                Some(Usage {
                    millis: Some(8_470),
                    ..none
                }),
            ),
            (
                r#"{"duration":"2","usage":{"type":"duration","seconds":3}}"#,
                Some(Usage {
                    millis: Some(3_000),
                    ..none
                }),
            ),
            (
                r#"{"results":[],"meta":{"billed_units":{"search_units":2,"input_tokens":7}}}"#,
                Some(Usage {
                    input: Some(7),
                    queries: Some(2),
                    ..none
                }),
            ),
            (
                r#"{"data":{},"meta":[],"duration":{},"service_tier":1}"#,
                None,
            ),
            (
                r#"{"data":"x","meta":"y","duration":"z","service_tier":"default"}"#,
                None,
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(
                read_whole(json.as_bytes()).unwrap().usage,
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn absurd_usage_is_absent() {
        for number in ["-1", "1e18", "1000000000000000000", "null", "\"7\"", "[]"] {
            let json = format!(r#"{{"usage":{{"prompt_tokens":{number},"completion_tokens":5}}}}"#);
            let usage = read(json.as_bytes()).unwrap().usage.unwrap();
            assert_eq!((usage.input, usage.output), (None, Some(5)), "{number}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            "<html>",
            "{\"choices\":[",
            "{\"choices\":3}",
            "nul",
            "[]",
            "[[]]",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
