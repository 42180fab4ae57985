//! How do OpenAI, and those that took over its names, tell their limits?
//!
//! Headers are `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, formerly also `…-tokens_usage_based`.
//! A refusal's body says "on tokens per min (TPM): Limit L, Used U, Requested R. Please try again in T."
//!
//! # Invariants
//! - A reset is a Go duration or a plain number of seconds, so that Azure's integers need no table of their own.

use http::HeaderMap;
use scoring::ceiling::{LimitReport, Reading};
use scoring::time::Span;

use super::phrase::{self, DAY};
use super::reading::{Counted, Part, Values, refusal};
use crate::dialects::retry_after;

/// What every limit header begins with.
const PREFIX: &str = "x-ratelimit-";

/// The limits in `x-ratelimit-*`.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<LimitReport> {
    let mut values = Values::default();
    for (name, value) in headers {
        if let Some(slot) = name.as_str().strip_prefix(PREFIX).and_then(slot) {
            values.keep(slot, value.as_bytes());
        }
    }
    values.report(reset)
}

/// The report with its requests counted per day, as Groq does under the same names.
pub(super) fn per_day_requests(mut report: LimitReport) -> Option<LimitReport> {
    if let Some(requests) = &mut report.requests {
        requests.window = Some(DAY);
    }
    Some(report)
}

/// Which value a header holds, by what follows the prefix.
fn slot(rest: &str) -> Option<(Counted, Part)> {
    let (part, rest) = if let Some(rest) = rest.strip_prefix("limit-") {
        (Part::Limit, rest)
    } else if let Some(rest) = rest.strip_prefix("remaining-") {
        (Part::Remaining, rest)
    } else {
        (Part::Reset, rest.strip_prefix("reset-")?)
    };
    let counted = match rest {
        "requests" => Counted::Requests,
        "tokens" | "tokens_usage_based" => Counted::Tokens,
        _ => return None,
    };
    Some((counted, part))
}

/// A reset as any of them writes it.
fn reset(text: &[u8]) -> Option<Span> {
    let text = text.trim_ascii();
    retry_after::go_span(text).or_else(|| retry_after::plain_secs(text))
}

/// The limit that a refusal's message blames: the first whose size is said, else the first named.
pub(super) fn from_body(body: &[u8]) -> Option<LimitReport> {
    let mut blamed = None;
    for quota in phrase::quotas(body).filter(|quota| quota.before.ends_with(b" on ")) {
        let named = |label: &[u8]| phrase::labelled(quota.after, label);
        if let Some(limit) = named(b"Limit").filter(|&limit| limit > 0.0) {
            let reading = Reading {
                limit: Some(limit),
                remaining: None,
                used: named(b"Used").or_else(|| named(b"Current")),
                requested: named(b"Requested"),
                reset: retry_after::from_body(quota.after),
                window: Some(quota.window),
            };
            return Some(refusal(quota.counted, Some(reading)));
        }
        blamed.get_or_insert(quota.counted);
    }
    Some(refusal(blamed?, None))
}
