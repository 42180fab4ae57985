//! How does a report read in a terminal?
//!
//! What to do comes first, then the tables that say why.
//!
//! # Invariants
//! - No line of a table is wider than 80 columns, and no name breaks a line.
//! - What is empty or could not be read is said in words.

use std::fmt::{self, Display, Formatter};

use super::advice::Urgency;
use super::columns::{Side, count, fit, money, percent, table, width};
use super::consequence::Consequence;
use super::drift::{Drift, Trend};
use super::estimate::Estimate;
use super::record::Skipped;
use super::report::{Band, Report, Row, Worst, date};
use super::sample::DAY;

/// Columns of a page.
const PAGE: usize = 80;

/// Columns that a workflow's name may take in a table.
const NAME: usize = 16;

/// Columns that an entry's name may take.
const ENTRY: usize = 20;

/// Workflows that a page shows; the JSON has all.
const SHOWN: usize = 20;

/// Sentences of advice that a page shows.
const SENTENCES: usize = 5;

/// Messages about what could not be read that a page shows.
const PROBLEMS: usize = 5;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Semantic cache audit, {} to {} (UTC)\n",
            self.from, self.to
        )?;
        self.problems(f)?;
        if self.workflows.is_empty() {
            return self.empty(f);
        }
        self.advice(f)?;
        self.tables(f)?;
        self.skipped(f)?;
        let error = match self.accuracy {
            Some(accuracy) => format!(
                "The comparison's own error is taken off (sensitivity {:.3}, specificity {:.3}).",
                accuracy.sensitivity, accuracy.specificity
            ),
            None => "The comparison's own error is not known and not taken off.".to_owned(),
        };
        let legend = "From: the similarity from which on it serves, and by how much that moved.";
        paragraph(f, &format!("Share: {}. {error} {legend}", self.method))
    }
}

impl Report {
    fn problems(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(PROBLEMS) {
            paragraph(f, &format!("Not all could be read: {problem}."))?;
        }
        let more = self.problems.len().saturating_sub(PROBLEMS);
        if more > 0 {
            writeln!(f, "And {more} more of that kind.")?;
        }
        if self.later > 0 {
            let sentence = format!(
                "{} records are dated after {} and not in these figures; see to the clock.",
                self.later, self.to
            );
            paragraph(f, &sentence)?;
        }
        if self.later > 0 || !self.problems.is_empty() {
            writeln!(f)?;
        }
        Ok(())
    }

    fn empty(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sentence = if self.records == 0 {
            "There are no audit records. They are written once a workflow serves semantic hits and its audited share is above zero.".to_owned()
        } else {
            format!(
                "There are no audit records of these days; {} are of other days.",
                self.records
            )
        };
        paragraph(f, &sentence)
    }

    fn advice(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for advice in self.advice.iter().take(SENTENCES) {
            let mark = match advice.urgency {
                Urgency::Act => "! ",
                Urgency::Look => "? ",
                Urgency::Leave => "  ",
            };
            paragraph(f, &format!("{mark}{}", advice.sentence))?;
        }
        let more = self.advice.len().saturating_sub(SENTENCES);
        if more > 0 {
            writeln!(f, "  And {more} less pressing; --json has them.")?;
        }
        writeln!(f)
    }

    /// What was drawn and not audited, since the estimate can only suppose that it is like the rest.
    fn skipped(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let zero = Skipped::default();
        let sum = |sum: Skipped, row: &Row| sum.plus(row.skipped);
        let skipped = self.workflows.iter().fold(zero, sum);
        let audited: u64 = self.workflows.iter().map(|row| row.audited).sum();
        if skipped == zero {
            return Ok(());
        }
        let sentence = format!(
            "Of {} drawn hits {} were not audited (rate {}, budget {}, no answer {}, not written {}); shares hold for them as far as they are like the others.",
            count(audited.saturating_add(skipped.total())),
            count(skipped.total()),
            count(skipped.rate),
            count(skipped.budget),
            count(skipped.failed),
            count(skipped.unwritten),
        );
        paragraph(f, &sentence)?;
        writeln!(f)
    }

    fn tables(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use Side::{Left, Right};
        let shown = &self.workflows[..self.workflows.len().min(SHOWN)];
        let heads = [
            ("WORKFLOW", Left),
            ("HITS", Right),
            ("AUDITED", Right),
            ("WRONG", Right),
            ("UNSURE", Right),
            ("SHARE", Right),
            ("95 % INTERVAL", Left),
            ("DRIFT", Left),
        ];
        writeln!(
            f,
            "{}",
            table(&heads, &shown.iter().map(shares).collect::<Vec<_>>())
        )?;
        let heads = [
            ("WORKFLOW", Left),
            ("FROM", Right),
            ("MOVED", Right),
            ("RAISED", Right),
            ("EVICTED", Right),
            ("SKIPPED", Right),
            ("SPENT", Right),
            ("SAVED", Right),
        ];
        writeln!(
            f,
            "{}",
            table(&heads, &shown.iter().map(costs).collect::<Vec<_>>())
        )?;
        let more = self.workflows.len() - shown.len();
        if more > 0 {
            writeln!(
                f,
                "And {more} workflows with fewer hits; --json has them.\n"
            )?;
        }
        if !self.worst.is_empty() {
            let heads = [
                ("WRONG ENTRY", Left),
                ("WORKFLOW", Left),
                ("TIMES", Right),
                ("SIMILAR", Right),
                ("LAST", Left),
                ("NOW", Left),
            ];
            writeln!(
                f,
                "{}",
                table(&heads, &self.worst.iter().map(entry).collect::<Vec<_>>())
            )?;
        }
        if !self.bands.is_empty() {
            let heads = [
                ("SIMILARITY", Left),
                ("AUDITED", Right),
                ("WRONG", Right),
                ("SHARE", Right),
                ("95 % INTERVAL", Left),
            ];
            writeln!(
                f,
                "{}",
                table(&heads, &self.bands.iter().map(band).collect::<Vec<_>>())
            )?;
        }
        Ok(())
    }
}

/// A name, or a dash where nothing of it would be seen.
fn name(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    if fitted.trim().is_empty() {
        "-".to_owned()
    } else {
        fitted
    }
}

fn shares(row: &Row) -> Vec<String> {
    vec![
        name(&row.workflow, NAME),
        count(row.hits),
        count(row.audited),
        count(row.wrong),
        count(row.unsure),
        percent(row.estimate.share),
        between(&row.estimate),
        arrow(row.drift).to_owned(),
    ]
}

fn costs(row: &Row) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        name(&row.workflow, NAME),
        row.threshold.map_or_else(dash, |it| format!("{it:.3}")),
        row.moved.map_or_else(dash, |it| format!("{it:+.3}")),
        count(row.raised),
        count(row.evicted),
        count(row.skipped.total()),
        money(row.spent_nano),
        money(row.saved_nano),
    ]
}

fn entry(worst: &Worst) -> Vec<String> {
    let now = match worst.consequence {
        Consequence::Keep => "kept".to_owned(),
        Consequence::RaiseFloor(floor) => format!("from {floor:.3}"),
        Consequence::Evict => "evicted".to_owned(),
    };
    vec![
        name(&worst.entry, ENTRY),
        name(&worst.workflow, NAME),
        count(worst.wrong),
        format!("{:.3}", worst.similarity),
        date(worst.last.div_euclid(DAY)),
        now,
    ]
}

fn band(band: &Band) -> Vec<String> {
    let name = match (band.from, band.to) {
        (Some(from), Some(to)) => format!("{from:.2} - {to:.2}"),
        (Some(from), None) => format!("{from:.2} and above"),
        (None, Some(to)) => format!("below {to:.2}"),
        (None, None) => "all".to_owned(),
    };
    vec![
        name,
        count(band.audited),
        count(band.wrong),
        percent(band.estimate.share),
        between(&band.estimate),
    ]
}

fn between(estimate: &Estimate) -> String {
    format!(
        "{} - {}",
        percent(Some(estimate.low)),
        percent(Some(estimate.high))
    )
}

const fn arrow(drift: Option<Drift>) -> &'static str {
    match drift {
        None => "-",
        Some(drift) => match drift.trend {
            Trend::Alarm => "↑ !",
            Trend::Up => "↑",
            Trend::Level => "→",
            Trend::Down => "↓",
        },
    }
}

/// Writes a sentence in lines of a page; words that are longer stay whole.
fn paragraph(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let indent = if text.starts_with(['!', '?', ' ']) {
        "  "
    } else {
        ""
    };
    let mut line = fit(text.get(..indent.len()).unwrap_or(""), PAGE);
    let text = fit(text.get(indent.len()..).unwrap_or(text), usize::MAX);
    let mut used = 0;
    for word in text.split(' ') {
        if used > 0 && width(&line) + 1 + width(word) > PAGE {
            writeln!(f, "{}", line.trim_end())?;
            line = indent.to_owned();
            used = 0;
        }
        if used > 0 {
            line.push(' ');
        }
        line.push_str(word);
        used += 1;
    }
    writeln!(f, "{}", line.trim_end())
}
