//! What does a provider say about its rate limits?
//!
//! Vendors use different names, units and places; all of it becomes one [`LimitReport`] of plain numbers.
//! Headers come on success too, so [`from_headers`] runs on every response: one pass over the header map, no look-up, no allocation.
//! Bodies are read only when a request was refused.
//!
//! A reading's `reset` is the time until the limit is whole again when a header says it, and the wait until the refused request would have fitted when a body does.
//! A body's report also names the dimension that it blames.
//!
//! # Invariants
//! - No input panics; what cannot be read is left out, and a report that would be empty is `None`.
//! - A limit that is zero, negative or unreadable hides its whole counted: some providers send −1 or 0 for "not told".
//! - A remaining count of zero is believed only beside a positive limit.
//! - Numbers are finite and not negative; resets are at most [`LONGEST_RESET`].

mod anthropic;
mod azure;
mod gemini;
mod openai;
mod phrase;
mod reading;
mod rfc3339;

use std::time::Duration;

use http::HeaderMap;
use scoring::ceiling::LimitReport;

pub use self::reading::LONGEST_RESET;
pub use crate::config::LimitDialect;

/// The limits that a response's headers tell; `unix_now` is the wall clock since the Unix epoch.
#[must_use]
pub fn from_headers(
    dialect: LimitDialect,
    headers: &HeaderMap,
    unix_now: Duration,
) -> Option<LimitReport> {
    match dialect {
        LimitDialect::OpenAi | LimitDialect::Azure => openai::from_headers(headers),
        LimitDialect::Groq => openai::per_day_requests(openai::from_headers(headers)?),
        LimitDialect::Anthropic => anthropic::from_headers(headers, unix_now),
        LimitDialect::Gemini | LimitDialect::None => None,
    }
}

/// The limits that the body of a refusal tells.
#[must_use]
pub fn from_body(dialect: LimitDialect, body: &[u8]) -> Option<LimitReport> {
    match dialect {
        LimitDialect::OpenAi | LimitDialect::Groq => openai::from_body(body),
        LimitDialect::Azure => openai::from_body(body).or_else(|| azure::from_body(body)),
        LimitDialect::Anthropic => anthropic::from_body(body),
        LimitDialect::Gemini => gemini::from_body(body),
        LimitDialect::None => None,
    }
}

#[cfg(test)]
mod tests;
