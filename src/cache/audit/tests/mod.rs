//! Does the audit as a whole do what its parts promise?
//!
//! # Invariants
//! - Draws are seeded and seeds are printed; instants are handed in.

mod files;
mod pages;
mod population;

use super::compare::{Reason, Verdict};
use super::consequence::Consequence;
use super::record::{Audited, Count, Record, Skipped};

/// An audit of an entry at an instant.
fn audited(at: i64, workflow: &str, entry: &str, verdict: Verdict) -> Audited {
    Audited {
        at,
        workflow: workflow.to_owned(),
        entry: entry.to_owned(),
        request: "r-1".to_owned(),
        audit: "r-2".to_owned(),
        similarity: 0.95,
        threshold: 0.92,
        probability: 0.05,
        verdict,
        reason: Reason::Cosine,
        path: None,
        consequence: Consequence::Keep,
        cost_nano: 1_000_000,
        entry_age: 60,
        texts: None,
        left_out: None,
    }
}

fn audit(at: i64, workflow: &str, verdict: Verdict) -> Record {
    Record::Audit(Box::new(audited(at, workflow, "e-1", verdict)))
}

fn count(at: i64, workflow: &str, hits: u64, threshold: f64) -> Record {
    Record::Count(Count {
        at,
        workflow: workflow.to_owned(),
        hits,
        saved_nano: hits * 2_000_000,
        skipped: Skipped::default(),
        threshold: Some(threshold),
    })
}

/// Names that somebody might send to break a line, a table or a terminal.
fn hostile() -> Vec<String> {
    let pieces = [
        "\n",
        "\r\n",
        "\0",
        "\u{1b}[31m",
        "\u{1b}]0;x\u{7}",
        "\"",
        "\\",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{200d}",
        "\u{feff}",
        "\u{7f}",
        "\u{85}",
        "{\"kind\":\"count\"}",
        "\t",
        "|",
        "日本語",
        "👩‍👩‍👧",
        "e\u{301}",
        "</script>",
        "%s%n",
        "'; drop table",
        "../../etc",
        "\u{10ffff}",
    ];
    let mut names = vec![
        String::new(),
        "x".repeat(5_000),
        "語".repeat(3_000),
        " ".to_owned(),
    ];
    for (index, piece) in pieces.iter().enumerate() {
        for other in pieces.iter().cycle().skip(index).take(8) {
            names.push(format!("a{piece}b{other}c{index}"));
        }
    }
    names.truncate(200);
    assert_eq!(names.len(), 200);
    names
}
