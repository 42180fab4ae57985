//! What does an answer say? Usage, content, the end, or an error, told from the bytes as they pass.
//!
//! # Invariants
//! - Numbers that no honest provider sends (negative, or above [`ABSURD_TOKENS`]) are read as absent.
//! - Nothing is allocated for an event.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::seen::{ABSURD_TOKENS, Seen, Summary, Usage};

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
        error: raw.error.0,
        done: false,
    })
}

/// Reads a whole answer: all of it must be JSON, only usage and error are looked into.
///
/// # Errors
/// `serde_json`'s, when the bytes are not one JSON object.
pub fn read_whole(json: &[u8]) -> Result<Summary, serde_json::Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    let raw: RawSummary = serde_json::from_slice(json)?;
    Ok(Summary {
        usage: raw.usage.map(Usage::from),
        error: raw.error.0,
    })
}

#[derive(Deserialize)]
struct RawSummary {
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Filled,
}

#[derive(Deserialize)]
struct RawAnswer {
    #[serde(default)]
    choices: Choices,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Filled,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    completion_tokens: Number,
    #[serde(default)]
    prompt_tokens_details: Option<RawDetails>,
}

#[derive(Deserialize)]
struct RawDetails {
    #[serde(default)]
    cached_tokens: Number,
}

impl From<RawUsage> for Usage {
    fn from(raw: RawUsage) -> Self {
        Self {
            input: raw.prompt_tokens.0,
            cached: raw
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens.0),
            output: raw.completion_tokens.0,
        }
    }
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

/// A token count, if it is an honest one.
#[derive(Default)]
struct Number(Option<u32>);
struct NumberVisitor;
glance!(Number, NumberVisitor);

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token count")
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Number, E> {
        self.visit_f64(value as f64)
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Number, E> {
        self.visit_f64(value as f64)
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Number, E> {
        let honest = (0.0..=ABSURD_TOKENS).contains(&value);
        Ok(Number(honest.then_some(value as u32)))
    }
    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number(None))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Number, E> {
        Ok(Number(None))
    }
    fn visit_str<E>(self, _: &str) -> Result<Number, E> {
        Ok(Number(None))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Number, A::Error> {
        drain_seq(seq).map(|_| Number(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Number, A::Error> {
        drain_map(map).map(|_| Number(None))
    }
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

fn drain_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<u32, A::Error> {
    let mut count = 0;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<u32, A::Error> {
    let mut count = 0;
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
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
                }),
                ..Seen::default()
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
