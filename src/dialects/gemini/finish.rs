//! Why did a candidate end, in Gemini's words and in ours?
//!
//! # Invariants
//! - A reason that is not known is an error and never passes for a complete answer.

use super::super::meeting::Malformed;
use crate::chat::Stop;

/// What a `finishReason` means; `None` while there is none.
///
/// # Errors
/// [`Malformed`] when the candidate failed, or ended for a reason that is not known.
pub(super) fn read(reason: &str) -> Result<Option<Stop>, Malformed> {
    Ok(Some(match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => return Ok(None),
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER"
        | "MODEL_ARMOR" => Stop::Filtered,
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(Malformed::new(format!("the model ended with {shown}")));
        }
    }))
}

/// Gemini's word; tool calls have none of their own.
pub(super) const fn name(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Text | Stop::Tools | Stop::Paused => "STOP",
        Stop::Length => "MAX_TOKENS",
        Stop::Filtered => "SAFETY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_no_ends() {
        for failed in [
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE",
            "MALFORMED_RESPONSE",
            "OTHER",
            "NO_IMAGE",
            "SOMETHING_NEW",
        ] {
            assert!(read(failed).unwrap_err().0.contains(failed));
        }
        for stop in [Stop::End, Stop::Length, Stop::Filtered] {
            assert_eq!(read(name(stop)), Ok(Some(stop)));
        }
        assert_eq!(read(""), Ok(None));
    }
}
