//! What do OpenAI's formats say was used, told without keeping the object?
//!
//! Chat completions speak of `prompt_tokens` and `completion_tokens`, everything younger of `input_tokens` and `output_tokens`; the parts are named alike.
//! Vendors differ, and their own figures tell: DeepSeek names cache hits at the top level, xAI leaves reasoning out of the completion,
//! and those who only embed or rank tell no more than `total_tokens`.
//!
//! # Invariants
//! - Counts that no honest provider sends are absent, and what is no count too.
//! - Nothing is allocated to read it.

use serde::Deserialize;

use super::lenient::{Lenient, Number, Seconds};
use super::seen::Usage;

/// A `usage` object, as it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spent {
    prompt_tokens: Number,
    completion_tokens: Number,
    input_tokens: Number,
    output_tokens: Number,
    total_tokens: Number,
    prompt_cache_hit_tokens: Number,
    prompt_tokens_details: Lenient<Parts>,
    input_tokens_details: Lenient<Parts>,
    /// As transcriptions name it.
    input_token_details: Lenient<Parts>,
    completion_tokens_details: Lenient<Parts>,
    output_tokens_details: Lenient<Parts>,
    output_token_details: Lenient<Parts>,
    /// Where a transcription is billed by its length.
    seconds: Seconds,
}

/// The parts of a total.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Parts {
    cached_tokens: Number,
    cache_write_tokens: Number,
    reasoning_tokens: Number,
    audio_tokens: Number,
    image_tokens: Number,
}

/// The first count that is told.
fn part(all: &[&Parts; 3], of: fn(&Parts) -> Number) -> Option<u32> {
    all.iter().find_map(|parts| of(parts).count())
}

impl Spent {
    fn input_parts(&self) -> [&Parts; 3] {
        [
            &self.prompt_tokens_details.0,
            &self.input_tokens_details.0,
            &self.input_token_details.0,
        ]
    }

    fn output_parts(&self) -> [&Parts; 3] {
        [
            &self.completion_tokens_details.0,
            &self.output_tokens_details.0,
            &self.output_token_details.0,
        ]
    }

    fn input(&self) -> Option<u32> {
        let told = self.prompt_tokens.count().or(self.input_tokens.count());
        let is_all = self.output().is_none();
        told.or_else(|| self.total_tokens.count().filter(|_| is_all))
    }

    fn output(&self) -> Option<u32> {
        self.completion_tokens
            .count()
            .or(self.output_tokens.count())
    }

    /// All output: of a chat's completion reasoning may not be a part, which only the figures tell.
    fn whole_output(&self, reasoning: u32) -> Option<u32> {
        let output = self.output()?;
        if self.completion_tokens.count().is_none() || reasoning == 0 {
            return Some(output);
        }
        let both = output.saturating_add(reasoning);
        let sum = self.input().unwrap_or(0).saturating_add(both);
        let beside = reasoning > output || self.total_tokens.count() == Some(sum);
        Some(if beside { both } else { output })
    }
}

impl From<Spent> for Usage {
    fn from(spent: Spent) -> Self {
        let (input, output) = (spent.input_parts(), spent.output_parts());
        let reasoning = part(&output, |it| it.reasoning_tokens);
        let cached = part(&input, |it| it.cached_tokens);
        let usage = Self {
            input: spent.input(),
            cached: cached.or(spent.prompt_cache_hit_tokens.count()),
            cache_write: part(&input, |it| it.cache_write_tokens),
            audio_input: part(&input, |it| it.audio_tokens),
            image_input: part(&input, |it| it.image_tokens),
            output: spent.whole_output(reasoning.unwrap_or(0)),
            reasoning,
            audio_output: part(&output, |it| it.audio_tokens),
            image_output: part(&output, |it| it.image_tokens),
            millis: spent.seconds.millis(),
            ..Self::default()
        };
        usage.apart()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Usage = Usage {
        input: None,
        cached: None,
        cache_write: None,
        cache_write_1h: None,
        audio_input: None,
        image_input: None,
        output: None,
        reasoning: None,
        audio_output: None,
        image_output: None,
        images: None,
        millis: None,
        characters: None,
        queries: None,
        service: None,
    };

    type Case = (&'static str, &'static str, Usage);

    const CONVERSATIONS: &[Case] = &[
        (
            "a chat with everything",
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"audio_tokens":20},"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":8,"accepted_prediction_tokens":3,"rejected_prediction_tokens":0}}"#,
            Usage {
                input: Some(100),
                cached: Some(40),
                cache_write: Some(10),
                audio_input: Some(20),
                output: Some(50),
                reasoning: Some(12),
                audio_output: Some(8),
                ..NONE
            },
        ),
        (
            "DeepSeek's",
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6,"prompt_tokens_details":null}"#,
            Usage {
                input: Some(10),
                cached: Some(4),
                output: Some(5),
                ..NONE
            },
        ),
        (
            "xAI's",
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            Usage {
                input: Some(10),
                output: Some(12),
                reasoning: Some(7),
                ..NONE
            },
        ),
        (
            "more reasoning than completion",
            r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            Usage {
                input: Some(10),
                output: Some(12),
                reasoning: Some(7),
                ..NONE
            },
        ),
        (
            "a response",
            r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":99},"total_tokens":14}"#,
            Usage {
                input: Some(9),
                cached: Some(4),
                output: Some(5),
                reasoning: Some(5),
                ..NONE
            },
        ),
        (
            "half of it",
            r#"{"input_tokens":null,"output_tokens":5,"input_tokens_details":null}"#,
            Usage {
                output: Some(5),
                ..NONE
            },
        ),
        (
            "cached sound",
            r#"{"prompt_tokens":10,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":6}}"#,
            Usage {
                input: Some(10),
                cached: Some(8),
                audio_input: Some(2),
                output: Some(0),
                ..NONE
            },
        ),
    ];

    const OTHERS: &[Case] = &[
        (
            "an embedding",
            r#"{"prompt_tokens":3,"total_tokens":3}"#,
            Usage {
                input: Some(3),
                ..NONE
            },
        ),
        (
            "an embedding of Voyage's",
            r#"{"total_tokens":8}"#,
            Usage {
                input: Some(8),
                ..NONE
            },
        ),
        (
            "a picture",
            r#"{"total_tokens":1100,"input_tokens":44,"output_tokens":1056,"input_tokens_details":{"text_tokens":14,"image_tokens":30}}"#,
            Usage {
                input: Some(44),
                image_input: Some(30),
                output: Some(1_056),
                ..NONE
            },
        ),
        (
            "a transcription by tokens",
            r#"{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}"#,
            Usage {
                input: Some(14),
                audio_input: Some(10),
                output: Some(45),
                ..NONE
            },
        ),
        (
            "a transcription by length",
            r#"{"type":"duration","seconds":9.5}"#,
            Usage {
                millis: Some(9_500),
                ..NONE
            },
        ),
        ("nothing", "{}", NONE),
    ];

    #[test]
    fn the_usage_of_every_vendor_is_read() {
        for (what, json, expected) in CONVERSATIONS.iter().chain(OTHERS) {
            let spent: Spent = serde_json::from_str(json).unwrap();
            assert_eq!(Usage::from(spent), *expected, "{what}");
        }
    }

    #[test]
    fn odd_counts_and_shapes_are_absent() {
        for odd in ["-1", "1e18", "null", "\"7\"", "[]", "[1]", "{}", "true"] {
            let json = format!(
                r#"{{"prompt_tokens":{odd},"completion_tokens":{odd},"total_tokens":{odd},"prompt_tokens_details":{odd},
                    "completion_tokens_details":{{"reasoning_tokens":{odd}}}}}"#
            );
            let spent: Spent = serde_json::from_str(&json).unwrap();
            assert_eq!(Usage::from(spent), Usage::default(), "{odd}");
        }
    }
}
