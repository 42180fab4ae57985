//! What should an operator do about a workflow?
//!
//! One sentence each, by the interval's ends and not by the estimate: what is surely too much is acted upon, what is surely little is left alone, and in between more audits are asked for.
//!
//! # Invariants
//! - Every workflow with hits or audits gets exactly one sentence.
//! - Nothing is called fine on account of an estimate alone.

use serde::Serialize;

use super::columns::{fit, percent};
use super::drift::Trend;
use super::interval::interval;
use super::report::{Ask, Band, Row};

/// Unsure share from which on the comparison rather than the cache is at fault.
const UNSURE: f64 = 0.2;

/// Columns that a workflow's name may take in a sentence.
const NAME: usize = 40;

/// How pressing a sentence is, most pressing first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// More hits are wrong than is accepted, or than there were.
    Act,
    /// It cannot be told.
    Look,
    /// All is well.
    Leave,
}

/// What is to be done about a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// How pressing it is.
    pub urgency: Urgency,
    /// The workflow.
    pub workflow: String,
    /// The sentence.
    pub sentence: String,
}

/// What is to be done, most pressing first.
pub(super) fn advise(rows: &[Row], ask: &Ask) -> Vec<Advice> {
    let advice = |row: &Row| {
        let (urgency, sentence) = sentence(row, ask);
        Advice {
            urgency,
            workflow: row.workflow.clone(),
            sentence: format!("{}: {sentence}", fit(&row.workflow, NAME)),
        }
    };
    let mut all: Vec<Advice> = rows.iter().map(advice).collect();
    all.sort_by_key(|advice| advice.urgency);
    all
}

fn sentence(row: &Row, ask: &Ask) -> (Urgency, String) {
    let found = &row.estimate;
    let target = percent(Some(ask.target));
    if found.low > ask.target {
        let sentence = format!(
            "at least {} of its hits are wrong, {target} are accepted; {}.",
            percent(Some(found.low)),
            remedy(row, ask)
        );
        return (Urgency::Act, sentence);
    }
    if let Some(drift) = row.drift.filter(|drift| drift.trend == Trend::Alarm) {
        let sentence = format!(
            "wrong hits went up by {} points since the time before; look at its worst entries and at what changed.",
            percent(Some(drift.change)).trim_end_matches('%')
        );
        return (Urgency::Act, sentence);
    }
    if row.audited == 0 {
        return (Urgency::Look, unaudited(row));
    }
    if found.unsure > UNSURE {
        let sentence = format!(
            "of {} of its audits it cannot be told whether the answers agree; name a judge, or an embedder for answers.",
            percent(Some(found.unsure))
        );
        return (Urgency::Look, sentence);
    }
    if found.high > ask.target {
        return (Urgency::Look, more(row, ask));
    }
    let sentence = format!(
        "at most {} of its hits are wrong, {target} are accepted; leave it as it is.",
        percent(Some(found.high))
    );
    (Urgency::Leave, sentence)
}

/// Where the threshold should be.
fn remedy(row: &Row, ask: &Ask) -> String {
    let now = row.threshold.unwrap_or(0.0);
    // The highest bands that seem fine one by one; a threshold at the lowest of them serves these only.
    let seems_fine = |band: &&Band| {
        let share = band.estimate.share;
        share.is_some_and(|share| share <= ask.target)
    };
    let fine: Vec<&Band> = row.bands.iter().rev().take_while(seems_fine).collect();
    match fine.last().and_then(|band| band.from) {
        Some(from) if from > now => {
            let audited: u64 = fine.iter().map(|band| band.audited).sum();
            let wrong: u64 = fine.iter().map(|band| band.wrong).sum();
            format!(
                "raise its threshold to {from:.2}, from where on {wrong} of {audited} audited hits were wrong"
            )
        }
        _ => "no similarity is free of them, so let it learn without serving or turn it off"
            .to_owned(),
    }
}

fn unaudited(row: &Row) -> String {
    let skipped = row.skipped;
    let cause = if skipped.total() == 0 {
        "none was drawn; see whether its audited share is zero"
    } else if skipped.budget.max(skipped.rate) >= skipped.failed.max(skipped.unwritten) {
        "all that were drawn met the limits; raise the audit's budget or rate"
    } else {
        "all that were drawn failed; see the log for why"
    };
    format!("it had {} hits and none was audited: {cause}.", row.hits)
}

/// How many more audits would tell.
fn more(row: &Row, ask: &Ask) -> String {
    let found = &row.estimate;
    let (high, target) = (percent(Some(found.high)), percent(Some(ask.target)));
    let open = format!("up to {high} of its hits may be wrong, {target} are accepted");
    let share = found.share.unwrap_or(1.0);
    #[expect(clippy::cast_precision_loss, reason = "audits are far below 2^52")]
    let audited = row.audited as f64;
    let enough = (1..=10)
        .map(|power| audited * f64::from(1 << power))
        .find(|all| interval(share * all, *all).1 <= ask.target);
    match enough {
        Some(all) => format!("{open}; about {:.0} audits would tell.", all),
        None => format!(
            "{open}, and about {} seem to be; look at its worst entries.",
            percent(found.share)
        ),
    }
}
