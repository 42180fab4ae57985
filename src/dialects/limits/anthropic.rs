//! How does Anthropic tell its limits?
//!
//! Headers are `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, resets being RFC 3339 instants.
//! A refusal's body says "… rate limit of 30,000 input tokens per minute …".
//!
//! # Invariants
//! - An instant that has passed is a reset of zero, so that a clock that runs ahead of theirs loses nothing else.

use std::time::Duration;

use http::HeaderMap;
use scoring::ceiling::{LimitReport, Reading};

use super::phrase;
use super::reading::{Counted, Part, Values, refusal};
use super::rfc3339;

/// What every limit header begins with.
const PREFIX: &str = "anthropic-ratelimit-";

/// The limits in `anthropic-ratelimit-*`.
pub(super) fn from_headers(headers: &HeaderMap, unix_now: Duration) -> Option<LimitReport> {
    let mut values = Values::default();
    for (name, value) in headers {
        if let Some(slot) = name.as_str().strip_prefix(PREFIX).and_then(slot) {
            values.keep(slot, value.as_bytes());
        }
    }
    values.report(|text| Some(rfc3339::since_epoch(text)?.saturating_sub(unix_now).into()))
}

/// Which value a header holds, by what follows the prefix.
fn slot(rest: &str) -> Option<(Counted, Part)> {
    let (counted, part) = rest.rsplit_once('-')?;
    let part = match part {
        "limit" => Part::Limit,
        "remaining" => Part::Remaining,
        "reset" => Part::Reset,
        _ => return None,
    };
    let counted = match counted {
        "requests" => Counted::Requests,
        "tokens" => Counted::Tokens,
        "input-tokens" => Counted::InputTokens,
        "output-tokens" => Counted::OutputTokens,
        _ => return None,
    };
    Some((counted, part))
}

/// The limit that a refusal's message blames.
pub(super) fn from_body(body: &[u8]) -> Option<LimitReport> {
    phrase::quotas(body).find_map(|quota| {
        let limit = phrase::trailing(quota.before).filter(|&limit| limit > 0.0)?;
        let reading = Reading {
            limit: Some(limit),
            window: Some(quota.window),
            ..Reading::default()
        };
        Some(refusal(quota.counted, Some(reading)))
    })
}
