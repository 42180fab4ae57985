//! What a search found, as a text to read.
//!
//! # Invariants
//! - Losses are told in percent of the clairvoyant's cost; less is better everywhere, and a gain is a loss that fell.

use std::fmt::Write as _;

use super::judge::{Bought, Change, Found, Row, Versus};
use super::written::value;

/// Scenarios told of those that lost and of those that won.
const TOLD: usize = 5;
/// A change of a scenario's loss, as a part, that is worth a line.
const WORTH: f64 = 0.000_05;

/// What was found.
#[must_use]
pub fn text(found: &Found) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{} candidates in {} runs; losses in % of the clairvoyant's cost: cost above it, and what missed bars cost\n",
        found.candidates, found.runs
    );
    let _ = writeln!(
        text,
        "{:44} {:>17} {:>17} {:>17}",
        "", "cost", "bars", "gain"
    );
    let seeds = |seeds: &[u64]| match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) => format!("seeds {first} to {last}"),
        _ => String::new(),
    };
    line(
        &mut text,
        &format!("searched, all changes ({})", seeds(&found.seeds.training)),
        &found.training,
    );
    line(
        &mut text,
        &format!("held out, all changes ({})", seeds(&found.seeds.held_out)),
        &found.held_out,
    );
    if !found.kept.is_empty() {
        line(
            &mut text,
            &format!("unseen, changes kept ({})", seeds(&found.seeds.unseen)),
            &found.unseen,
        );
    }
    let _ = writeln!(
        text,
        "{:44} {:>53.3}",
        "overfit: gain searched less gain held out",
        100.0 * found.overfit()
    );
    changes(&mut text, "kept", &found.kept);
    changes(
        &mut text,
        "put back, for they buy nothing on the held-out half",
        &found.put_back,
    );
    scenarios(&mut text, &found.scenarios);
    for flip in &found.flips {
        let told =
            |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |it| format!("{it:.5}"));
        let which = if flip.holds { "won" } else { "lost" };
        let _ = writeln!(
            text,
            "bar {which}: {} in {}, {} → {}",
            flip.metric,
            flip.scenario,
            told(flip.before),
            told(flip.after)
        );
    }
    let _ = writeln!(text, "\nverdict: {}", verdict(found));
    text
}

fn line(text: &mut String, name: &str, versus: &Versus) {
    let pair = |before: f64, after: f64| format!("{:.3} → {:.3}", 100.0 * before, 100.0 * after);
    let _ = writeln!(
        text,
        "{name:44} {:>17} {:>17} {:>17}",
        pair(versus.before.regret, versus.after.regret),
        pair(versus.before.penalty, versus.after.penalty),
        format!(
            "{:.3} ± {:.3}",
            100.0 * versus.gain.mean,
            100.0 * versus.gain.error
        ),
    );
}

fn changes(text: &mut String, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for change in changes {
        let bought = match change.bought {
            Bought::Gain(gain) => format!("{:.3} ± {:.3}", 100.0 * gain.mean, 100.0 * gain.error),
            Bought::Follows => "follows".to_owned(),
        };
        let pair = format!(
            "{} → {}",
            value(change, change.before),
            value(change, change.after)
        );
        let _ = writeln!(
            text,
            "  {:28} {:>24} {bought:>17}",
            change.name,
            pair.replace('"', "")
        );
    }
}

fn scenarios(text: &mut String, rows: &[Row]) {
    let lost = rows
        .iter()
        .filter(|it| it.versus.gain.mean < -WORTH)
        .take(TOLD);
    let won = rows
        .iter()
        .rev()
        .filter(|it| it.versus.gain.mean > WORTH)
        .take(TOLD);
    for (title, rows) in [
        ("scenarios that lose most", lost.collect::<Vec<_>>()),
        ("scenarios that win most", won.collect()),
    ] {
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title} (unseen seeds)");
        for row in rows {
            line(text, &format!("  {}", row.name), &row.versus);
        }
    }
}

fn verdict(found: &Found) -> String {
    let gain = found.unseen.gain;
    if found.better {
        let some = if found.kept.len() == 1 {
            "constant is"
        } else {
            "constants are"
        };
        return format!(
            "{} {some} better than before by {:.3} ± {:.3} % on seeds that nothing was chosen by",
            found.kept.len(),
            100.0 * gain.mean,
            100.0 * gain.error
        );
    }
    if found.kept.is_empty() {
        return "nothing beats the constants as they are".to_owned();
    }
    format!(
        "nothing beats the constants as they are: the changes kept gain {:.3} ± {:.3} % on seeds that nothing was chosen by, which chance explains",
        100.0 * gain.mean,
        100.0 * gain.error
    )
}

/// The same with every scenario, for programs.
#[must_use]
pub fn json(found: &Found) -> String {
    // Why: names are strings and numbers are finite or absent, so that nothing can be refused.
    let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
    text.push('\n');
    text
}
