//! The constants found, as the gateway reads them.
//!
//! # Invariants
//! - The text is a `[scoring]` section and nothing else: valid by itself, and behind any configuration that has none.
//! - A value reads back as the value that was measured.

use std::fmt::Write as _;

use scoring::tuning::Unit;

use super::judge::{Bought, Change, Found};

/// The section to write; without any constant if nothing is better.
#[must_use]
pub fn section(found: &Found) -> String {
    let mut text = head(found);
    let mut group = "";
    for change in found.changes() {
        let Some((own, field)) = change.name.split_once('.') else {
            continue;
        };
        if own != group {
            group = own;
            // Writing into a string cannot fail.
            let _ = writeln!(text, "\n[scoring.{group}]");
        }
        let bought = match change.bought {
            Bought::Gain(gain) => format!(
                "bought {:.3} ± {:.3} % on the held-out half",
                100.0 * gain.mean,
                100.0 * gain.error
            ),
            Bought::Follows => "another constant above needs it to be no less".to_owned(),
        };
        let before = value(change, change.before);
        let _ = writeln!(text, "# {} before; {bought}.", before.trim_matches('"'));
        let _ = writeln!(text, "{field} = {}", value(change, change.after));
    }
    text
}

fn head(found: &Found) -> String {
    let mut text = String::from("# Constants found by `tune`.\n");
    let seeds = |seeds: &[u64]| match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    let _ = writeln!(
        text,
        "# Searched on seeds {}, each change judged on {}, all together on {}.",
        seeds(&found.seeds.training),
        seeds(&found.seeds.held_out),
        seeds(&found.seeds.unseen),
    );
    if found.better {
        let _ = writeln!(
            text,
            "# Cost above the clairvoyant's, with what missed bars cost: {:.3} % before, {:.3} % with these.",
            100.0 * found.unseen.before.total(),
            100.0 * found.unseen.after.total(),
        );
    } else {
        text.push_str("# Nothing beats the constants as they are; none is changed.\n");
    }
    text
}

/// A value as it is written.
pub(super) fn value(change: &Change, value: f64) -> String {
    match change.unit {
        Unit::Seconds => format!("\"{value}s\""),
        Unit::Number => format!("{:?}", value as f32),
        Unit::Count => format!("{value:.0}"),
    }
}
