//! Why a model stopped, in Anthropic's words.
//!
//! # Invariants
//! - A reason that is not known is an error, never a success.

use super::super::meeting::Malformed;
use crate::chat::Stop;

/// Reads a stop reason.
pub(super) fn read(reason: &str) -> Result<Stop, Malformed> {
    Ok(match reason {
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Text,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        "refusal" => Stop::Filtered,
        // A pause after the conversation was summed up is one, too.
        "pause_turn" | "compaction" => Stop::Paused,
        _ => return Err(Malformed::new("the stop_reason is unknown")),
    })
}

/// Writes a stop reason; an answer that ends with calls wants them carried out, whatever its provider called it.
pub(super) const fn write(stop: Stop, called: Called) -> &'static str {
    match (stop, called) {
        (Stop::End, Called::Yes) | (Stop::Tools, _) => "tool_use",
        (Stop::End, Called::No) => "end_turn",
        (Stop::Text, _) => "stop_sequence",
        (Stop::Length, _) => "max_tokens",
        (Stop::Filtered, _) => "refusal",
        (Stop::Paused, _) => "pause_turn",
    }
}

/// Whether an answer calls tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Called {
    /// It calls none.
    #[default]
    No,
    /// It calls at least one.
    Yes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_survive() {
        for reason in [
            "end_turn",
            "stop_sequence",
            "max_tokens",
            "tool_use",
            "refusal",
            "pause_turn",
        ] {
            assert_eq!(write(read(reason).unwrap(), Called::No), reason);
        }
        assert_eq!(read("model_context_window_exceeded"), Ok(Stop::Length));
        assert!(read("new").is_err() && read("stop").is_err());
        assert_eq!(write(Stop::End, Called::Yes), "tool_use");
        assert_eq!(write(Stop::Length, Called::Yes), "max_tokens");
    }
}
