//! How does OpenAI count tokens?
//!
//! Its totals include: `prompt_tokens` what was read from and written to the cache, `completion_tokens` the reasoning.
//! Two vendors differ, and their own figures tell: DeepSeek names cache hits at the top level, and where reasoning is not part of
//! the completion (xAI), only prompt, completion and reasoning together make `total_tokens`.
//!
//! # Invariants
//! - Totals that no honest provider sends (negative, above [`ABSURD_TOKENS`](super::super::seen::ABSURD_TOKENS), no numbers) make all usage absent.
//! - A part is never larger than its total.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::counts::{self, InputDetails, OutputDetails, count, part};
use super::super::seen;
use crate::chat::Usage;

/// Usage as providers write it, whatever that may be.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawUsage {
    #[serde(default)]
    prompt_tokens: Value,
    #[serde(default)]
    completion_tokens: Value,
    #[serde(default)]
    total_tokens: Value,
    #[serde(default)]
    prompt_tokens_details: Value,
    #[serde(default)]
    completion_tokens_details: Value,
    #[serde(default)]
    prompt_cache_hit_tokens: Value,
}

impl RawUsage {
    /// The counts, in disjoint buckets.
    pub(super) fn read(&self) -> Option<Usage> {
        let prompt = count(&self.prompt_tokens)?;
        let completion = count(&self.completion_tokens)?;
        let cached = part(&self.prompt_tokens_details, "cached_tokens")
            .or_else(|| count(&self.prompt_cache_hit_tokens));
        let reasoning = part(&self.completion_tokens_details, "reasoning_tokens");
        let reasoning = reasoning.unwrap_or_default();
        let apart = count(&self.total_tokens) == Some(prompt + completion + reasoning);
        let (output, reasoning) = if reasoning > completion || apart {
            (completion, reasoning)
        } else {
            (completion - reasoning, reasoning)
        };
        Some(Usage {
            output,
            reasoning,
            ..counts::input(prompt, cached, &self.prompt_tokens_details)
        })
    }
}

impl RawUsage {
    /// What it says of sound and pictures.
    pub(super) fn beside(&self) -> seen::Usage {
        let count = |details: &Value, name: &str| {
            part(details, name).and_then(|count| u32::try_from(count).ok())
        };
        let input = &self.prompt_tokens_details;
        let output = &self.completion_tokens_details;
        seen::Usage {
            audio_input: count(input, "audio_tokens"),
            image_input: count(input, "image_tokens"),
            audio_output: count(output, "audio_tokens"),
            image_output: count(output, "image_tokens"),
            ..seen::Usage::default()
        }
    }
}

/// Usage as OpenAI writes it.
#[derive(Debug, Serialize)]
pub(super) struct WrittenUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: InputDetails,
    completion_tokens_details: OutputDetails,
}

impl From<&Usage> for WrittenUsage {
    fn from(usage: &Usage) -> Self {
        let (input, output) = (usage.total_input(), usage.total_output());
        Self {
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens: input.saturating_add(output),
            prompt_tokens_details: usage.into(),
            completion_tokens_details: usage.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<RawUsage>(json).unwrap().read()
    }

    #[test]
    fn buckets_are_disjoint() {
        let usage = |input, cache_read, cache_write, output, reasoning| Usage {
            input,
            cache_read,
            cache_write,
            cache_write_1h: 0,
            output,
            reasoning,
        };
        let cases = [
            (
                r#"{"prompt_tokens":10,"completion_tokens":5}"#,
                usage(10, 0, 0, 5, 0),
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#,
                usage(3, 4, 3, 3, 2),
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_tokens_details":null}"#,
                usage(6, 4, 0, 5, 0),
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#,
                usage(10, 0, 0, 5, 7),
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":99}}"#,
                usage(0, 10, 0, 5, 0),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json), Some(expected), "{json}");
        }
    }

    #[test]
    fn absurd_usage_is_absent() {
        for number in ["-1", "1e18", "1000000000000000000", "null", "\"7\"", "[]"] {
            let json = format!(r#"{{"prompt_tokens":{number},"completion_tokens":5}}"#);
            assert_eq!(read(&json), None, "{number}");
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let usage = Usage {
            input: 1,
            cache_read: 2,
            cache_write: 3,
            cache_write_1h: 0,
            output: 4,
            reasoning: 5,
        };
        let json = serde_json::to_string(&WrittenUsage::from(&usage)).unwrap();
        assert_eq!(
            json,
            r#"{"prompt_tokens":6,"completion_tokens":9,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":5}}"#
        );
        assert_eq!(read(&json), Some(usage));
    }
}
