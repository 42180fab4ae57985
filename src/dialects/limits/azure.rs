//! What does Azure say when it refuses in its own words?
//!
//! "Requests to … have exceeded token rate limit of your current … tier. Please retry after 26 seconds."
//! It names the limit but not its size, so only the wait is told.
//!
//! # Invariants
//! - "Experiencing high demand" and "temporarily unable" are the provider's lack of capacity, and no report.

use memchr::memmem;
use scoring::ceiling::{LimitReport, Reading};

use super::phrase::MINUTE;
use super::reading::{Counted, refusal};
use crate::dialects::retry_after::{self, SEARCHED};

/// The limits as the messages name them.
const NAMES: [(&[u8], Counted); 3] = [
    (b"token rate limit", Counted::Tokens),
    (b"call rate limit", Counted::Requests),
    (b"request rate limit", Counted::Requests),
];

/// The wait that a refusal tells for the limit that it names.
pub(super) fn from_body(body: &[u8]) -> Option<LimitReport> {
    let body = &body[..body.len().min(SEARCHED)];
    let named = |name| memmem::find(body, name).is_some();
    let (_, counted) = NAMES.into_iter().find(|&(name, _)| named(name))?;
    let reading = Reading {
        reset: Some(retry_after::from_body(body)?),
        window: Some(MINUTE),
        ..Reading::default()
    };
    Some(refusal(counted, Some(reading)))
}
