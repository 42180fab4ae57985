//! What do Cohere's whole answers and streams have in common?
//!
//! # Invariants
//! - What is billed counts as used, where Cohere tells it: its own preamble is in `tokens` only.

use serde::Deserialize;

use super::super::meeting::Malformed;
use super::super::seen::ABSURD_TOKENS;
use crate::chat::{self, Stop};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    billed_units: Option<Counts>,
    tokens: Option<Counts>,
    cached_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    search_units: Option<f64>,
}

/// What Cohere tells about a request besides its answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    billed_units: Option<Counts>,
    tokens: Option<Counts>,
}

impl Usage {
    pub(super) fn read(&self) -> chat::Usage {
        let sources = [&self.billed_units, &self.tokens];
        let first = |of: fn(&Counts) -> Option<u64>| {
            let mut told = sources.iter().filter_map(|counts| counts.as_ref());
            told.find_map(of).unwrap_or_default()
        };
        let input = first(|counts| count(counts.input_tokens));
        let cached = count(self.cached_tokens).unwrap_or_default().min(input);
        chat::Usage {
            input: input - cached,
            cache_read: cached,
            output: first(|counts| count(counts.output_tokens)),
            ..chat::Usage::default()
        }
    }
}

impl Meta {
    /// Input tokens, if they are told.
    pub(super) fn input_tokens(&self) -> Option<u64> {
        let told = self.billed_units.iter().chain(&self.tokens);
        told.filter_map(|counts| count(counts.input_tokens)).next()
    }

    /// What reranking is billed by, if it is told.
    pub(super) fn search_units(&self) -> Option<u64> {
        let units = self.billed_units.as_ref()?;
        count(units.search_units)
    }
}

/// A count; absent if it is absurd.
fn count(tokens: Option<f64>) -> Option<u64> {
    tokens
        .filter(|count| (0.0..=ABSURD_TOKENS).contains(count))
        .map(|count| count as u64)
}

/// Why the model stopped.
///
/// # Errors
/// [`Malformed`] for reasons that are failures, and for unknown ones.
pub(super) fn stop(reason: &str) -> Result<Stop, Malformed> {
    Ok(match reason {
        "COMPLETE" => Stop::End,
        "STOP_SEQUENCE" => Stop::Text,
        "MAX_TOKENS" | "ERROR_LIMIT" => Stop::Length,
        "TOOL_CALL" => Stop::Tools,
        "ERROR_TOXIC" => Stop::Filtered,
        "ERROR" | "TIMEOUT" => return Err(Malformed::new("the model could not finish its answer")),
        _ => return Err(Malformed::new("the model stopped for an unknown reason")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_billed_counts() {
        let read = |json: &str| serde_json::from_str::<Usage>(json).unwrap().read();
        let usage = read(
            r#"{"billed_units":{"input_tokens":21,"output_tokens":93},"tokens":{"input_tokens":186,"output_tokens":93},"cached_tokens":16}"#,
        );
        assert_eq!(
            (usage.input, usage.cache_read, usage.output, usage.reasoning),
            (5, 16, 93, 0)
        );
        let usage =
            read(r#"{"tokens":{"input_tokens":6.0,"output_tokens":2},"cached_tokens":100}"#);
        assert_eq!((usage.input, usage.cache_read, usage.output), (0, 6, 2));
        let usage = read(r#"{"billed_units":{"input_tokens":-1},"tokens":null}"#);
        assert_eq!(usage, chat::Usage::default());
    }

    #[test]
    fn failures_and_the_unknown_are_no_end() {
        assert_eq!(stop("TOOL_CALL"), Ok(Stop::Tools));
        for bad in ["ERROR", "TIMEOUT", "complete", ""] {
            assert!(stop(bad).is_err(), "{bad}");
        }
    }
}
