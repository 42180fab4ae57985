//! How does Gemini tell its limits?
//!
//! Only when it refuses: `error.details` holds a `QuotaFailure` with its violations and a `RetryInfo` with the wait.
//! A violation's `quotaId`, such as `GenerateRequestsPerMinutePerProjectPerModel-FreeTier`, names the dimension and window, and its `quotaValue` is the limit.
//!
//! # Invariants
//! - Where two violations are about one counted, the longer window counts: it is the one that still binds when the shorter has passed.
//! - A `quotaValue` of zero means no access and is no limit to learn.

use memchr::memmem;
use scoring::ceiling::{Dimension, LimitReport, LimitSource, Reading};
use scoring::time::Span;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::phrase::{DAY, MINUTE};
use super::reading::{Counted, count, filled, place};
use crate::dialects::retry_after::{self, SEARCHED};

/// The part of a refusal that is read.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Error<'a>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(borrow, default)]
    details: Vec<&'a RawValue>,
}

/// A detail of the kind `QuotaFailure`; other kinds lack the field.
#[derive(Deserialize)]
struct QuotaFailure<'a> {
    #[serde(borrow)]
    violations: Vec<Violation<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Violation<'a> {
    #[serde(borrow)]
    quota_id: Option<&'a RawValue>,
    #[serde(borrow)]
    quota_value: Option<&'a RawValue>,
}

/// The limits that a refusal's violations name.
pub(super) fn from_body(body: &[u8]) -> Option<LimitReport> {
    let body = &body[..body.len().min(SEARCHED)];
    let refusal = if body.trim_ascii_start().first() == Some(&b'[') {
        let refusals: Vec<Refusal<'_>> = serde_json::from_slice(body).ok()?;
        refusals.into_iter().next()?
    } else {
        serde_json::from_slice(body).ok()?
    };
    let reset = retry_after::from_body(body);
    let mut report = LimitReport {
        source: LimitSource::Body,
        ..LimitReport::default()
    };
    for detail in refusal.error.details {
        let Ok(failure) = serde_json::from_str::<QuotaFailure<'_>>(detail.get()) else {
            continue;
        };
        for violation in &failure.violations {
            keep(&mut report, violation, reset);
        }
    }
    report.refused = blamed(&report);
    filled(report)
}

/// The dimension whose window is the longest, requests first among equals.
fn blamed(report: &LimitReport) -> Option<Dimension> {
    let told = Dimension::ALL.into_iter().rev();
    let windows = told.filter_map(|dimension| Some((report.reading(dimension)?.window, dimension)));
    windows
        .max_by_key(|(window, _)| *window)
        .map(|(_, dimension)| dimension)
}

/// Adds what a violation says to the report.
fn keep(report: &mut LimitReport, violation: &Violation<'_>, reset: Option<Span>) {
    let quota = violation.quota_id.and_then(|id| quota(id.get().as_bytes()));
    let limit = violation.quota_value.and_then(|value| {
        let text = value.get().trim_matches('"');
        count(text.as_bytes()).filter(|&limit| limit > 0.0)
    });
    let (Some((counted, window)), Some(limit)) = (quota, limit) else {
        return;
    };
    let slot = place(report, counted);
    if slot.is_none_or(|kept| kept.window < window) {
        *slot = Some(Reading {
            limit: Some(limit),
            reset,
            window,
            ..Reading::default()
        });
    }
}

/// The dimension and window that a quota's name holds.
fn quota(id: &[u8]) -> Option<(Counted, Option<Span>)> {
    let holds = |part: &[u8]| memmem::find(id, part).is_some();
    let counted = if holds(b"InputToken") {
        Counted::InputTokens
    } else if holds(b"OutputToken") {
        Counted::OutputTokens
    } else if holds(b"Token") {
        Counted::Tokens
    } else if holds(b"Request") {
        Counted::Requests
    } else {
        return None;
    };
    let window = if holds(b"PerMinute") {
        Some(MINUTE)
    } else if holds(b"PerDay") {
        Some(DAY)
    } else {
        None
    };
    Some((counted, window))
}
