//! What do a whole answer and a stream of Converse have in common?
//!
//! # Invariants
//! - A reason to stop that is unknown is none: an answer that may be cut short never looks complete.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::meeting::Malformed;
use super::super::seen::ABSURD_TOKENS;
use crate::chat::{self, Stop};

/// Token counts; `inputTokens` leaves out what was read from or written to the cache.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Usage<'a> {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    cache_read_input_tokens: Option<f64>,
    cache_write_input_tokens: Option<f64>,
    #[serde(borrow)]
    cache_details: Option<Vec<CacheDetail<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail<'a> {
    #[serde(borrow, default)]
    ttl: Cow<'a, str>,
    #[serde(default)]
    input_tokens: Option<f64>,
}

impl Usage<'_> {
    pub(super) fn read(&self) -> chat::Usage {
        let details = self.cache_details.iter().flatten();
        let hour: u64 = details
            .filter(|detail| detail.ttl == "1h")
            .map(|detail| count(detail.input_tokens))
            .fold(0, u64::saturating_add);
        let written = count(self.cache_write_input_tokens);
        chat::Usage {
            input: count(self.input_tokens),
            cache_read: count(self.cache_read_input_tokens),
            cache_write: written.saturating_sub(hour),
            cache_write_1h: hour.min(written),
            output: count(self.output_tokens),
            reasoning: 0,
        }
    }
}

/// A count of tokens; 0 if it is absent or absurd.
pub(super) fn count(tokens: Option<f64>) -> u64 {
    match tokens {
        Some(count) if (0.0..=ABSURD_TOKENS).contains(&count) => count as u64,
        _ => 0,
    }
}

/// Why the model stopped.
///
/// # Errors
/// [`Malformed`] for reasons that are failures of the model, and for unknown ones.
pub(super) fn stop(reason: &str) -> Result<Stop, Malformed> {
    Ok(match reason {
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Text,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        "guardrail_intervened" | "content_filtered" | "refusal" => Stop::Filtered,
        "pause_turn" => Stop::Paused,
        "malformed_model_output" | "malformed_tool_use" => {
            return Err(Malformed::new("the model's output was malformed"));
        }
        _ => return Err(Malformed::new("the model stopped for an unknown reason")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_into_disjoint_buckets() {
        let read = |json: &str| serde_json::from_str::<Usage<'_>>(json).unwrap().read();
        let all = read(
            r#"{"inputTokens":5,"outputTokens":7,"totalTokens":42,"cacheReadInputTokens":10,"cacheWriteInputTokens":20,
                "cacheDetails":[{"ttl":"1h","inputTokens":15},{"ttl":"5m","inputTokens":5}]}"#,
        );
        assert_eq!((all.input, all.output), (5, 7));
        assert_eq!(
            (all.cache_read, all.cache_write, all.cache_write_1h),
            (10, 5, 15)
        );
        assert_eq!((all.total_input(), all.total_output()), (35, 7));
        assert_eq!(read("{}"), chat::Usage::default());
        let odd = read(
            r#"{"inputTokens":-1,"outputTokens":1e300,"cacheDetails":[{"ttl":"1h","inputTokens":9}]}"#,
        );
        assert_eq!(odd, chat::Usage::default());
    }

    #[test]
    fn an_unknown_reason_to_stop_is_no_end() {
        assert_eq!(stop("end_turn"), Ok(Stop::End));
        assert_eq!(stop("guardrail_intervened"), Ok(Stop::Filtered));
        assert!(stop("malformed_tool_use").is_err());
        assert!(stop("tired").is_err());
    }
}
