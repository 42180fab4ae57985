//! How does the Responses API count tokens?
//!
//! Its totals include: `input_tokens` what was read from and written to the cache, `output_tokens` the reasoning.
//!
//! # Invariants
//! - Totals that no honest provider sends (negative, above [`ABSURD_TOKENS`](super::super::seen::ABSURD_TOKENS), no numbers) make all usage absent.
//! - A part is never larger than its total.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::counts::{self, InputDetails, OutputDetails, count, part};
use crate::chat::Usage;

/// Usage as providers write it, whatever that may be.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawUsage {
    #[serde(default)]
    input_tokens: Value,
    #[serde(default)]
    output_tokens: Value,
    #[serde(default)]
    input_tokens_details: Value,
    #[serde(default)]
    output_tokens_details: Value,
}

impl RawUsage {
    /// The counts, in disjoint buckets.
    pub(super) fn read(&self) -> Option<Usage> {
        let input = count(&self.input_tokens)?;
        let output = count(&self.output_tokens)?;
        let cached = part(&self.input_tokens_details, "cached_tokens");
        let reasoning = part(&self.output_tokens_details, "reasoning_tokens")
            .unwrap_or_default()
            .min(output);
        Some(Usage {
            output: output - reasoning,
            reasoning,
            ..counts::input(input, cached, &self.input_tokens_details)
        })
    }
}

/// Usage as OpenAI writes it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct WrittenUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

impl From<&Usage> for WrittenUsage {
    fn from(usage: &Usage) -> Self {
        let (input, output) = (usage.total_input(), usage.total_output());
        Self {
            input_tokens: input,
            input_tokens_details: usage.into(),
            output_tokens: output,
            output_tokens_details: usage.into(),
            total_tokens: input.saturating_add(output),
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
        let usage = |input, cache_read, cache_write, output, reasoning| {
            Some(Usage {
                input,
                cache_read,
                cache_write,
                cache_write_1h: 0,
                output,
                reasoning,
            })
        };
        let cases = [
            (
                r#"{"input_tokens":10,"output_tokens":5}"#,
                usage(10, 0, 0, 5, 0),
            ),
            (
                r#"{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"output_tokens_details":{"reasoning_tokens":2}}"#,
                usage(3, 4, 3, 3, 2),
            ),
            (
                r#"{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"cached_tokens":99},"output_tokens_details":{"reasoning_tokens":99}}"#,
                usage(0, 10, 0, 0, 5),
            ),
            (r#"{"input_tokens":-1,"output_tokens":5}"#, None),
            (r#"{"input_tokens":1e18,"output_tokens":5}"#, None),
            (r#"{"input_tokens":"7","output_tokens":5}"#, None),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json), expected, "{json}");
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
            r#"{"input_tokens":6,"input_tokens_details":{"cached_tokens":2,"cache_write_tokens":3},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":15}"#
        );
        assert_eq!(read(&json), Some(usage));
    }
}
