//! The report as data for other programs; `docs/REPLAY.md` describes it.
//!
//! # Invariants
//! - The same report gives the same bytes.

use super::Report;

/// The report as indented JSON with a line's end at its end.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "every key is a string and a number that JSON cannot write becomes null, so nothing can fail"
)]
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}
