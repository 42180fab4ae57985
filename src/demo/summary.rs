//! What did the run show?
//!
//! # Invariants
//! - Every figure was measured in the run.
//! - A request without a complete answer is lost, by whichever name its failure goes.

use std::fmt;

use scoring::time::Span;

use super::scene::{clock_face, grouped, latency, percent};
use super::script::{CAST, Phase, SICK, Story};
use super::tally::{Count, Side, SideTally, Tally};
use super::twin::RETRIES;

/// Width of the table's first column.
const LABEL: usize = 44;

/// Width of each side's column.
const COLUMN: usize = 16;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Summary {
    story: Story,
    ended: Span,
    sides: [SideTally; 2],
}

impl Summary {
    /// Sums a tally up that ended at `ended`.
    pub(super) fn new(story: Story, ended: Span, tally: &Tally) -> Self {
        Self {
            story,
            ended,
            sides: Side::BOTH.map(|side| tally.side(side).clone()),
        }
    }

    /// Requests to which the gateway gave no complete answer.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let total = self.sides[Side::Adaptive as usize].total();
        total.requests - total.complete
    }

    /// Writes one line: a label and what both sides have to say.
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        label: &str,
        value: impl Fn(&SideTally) -> String,
    ) -> fmt::Result {
        let [adaptive, fixed] = self.sides.each_ref().map(value);
        writeln!(f, "  {label:<LABEL$}{adaptive:>COLUMN$}{fixed:>COLUMN$}")
    }

    /// Writes the lines of one stretch of time.
    fn stretch(
        &self,
        f: &mut fmt::Formatter<'_>,
        count: impl Fn(&SideTally) -> Count,
    ) -> fmt::Result {
        self.line(f, "requests", |side| grouped(count(side).requests))?;
        self.line(f, "success", |side| percent(count(side).success(), 2))?;
        self.line(f, "success at the first attempt", |side| {
            percent(count(side).first_success(), 2)
        })?;
        for (label, share) in [
            ("latency p50", 0.5),
            ("latency p95", 0.95),
            ("latency p99", 0.99),
        ] {
            self.line(f, label, |side| {
                latency(count(side).latency.percentile(share))
            })?;
        }
        self.line(f, "extra attempts", |side| grouped(count(side).extra))
    }

    fn incident(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sick = CAST[SICK].name;
        let span = |phase| clock_face(self.story.start(phase));
        let worst = self.story.severity(self.story.start(Phase::Bad));
        let (from, to) = (span(Phase::Degrading), span(Phase::Recovered));
        let (latency, errors) = (worst.latency, 100.0 * worst.errors);
        writeln!(
            f,
            "\n The incident: {sick}, latency up to x{latency:.0} and errors up to {errors:.0} %, {from} to {to}"
        )?;
        self.stretch(f, SideTally::incident)?;
        self.line(f, &format!("attempts on {sick}"), |side| {
            grouped(side.sick_attempts())
        })?;
        let after = |span: Option<Span>, or: &str| {
            span.map_or_else(
                || or.to_owned(),
                |span| format!("{:.1} s", span.as_secs_f64()),
            )
        };
        self.line(
            f,
            &format!("{sick} below half of its share after"),
            |side| after(side.shift.away, "never"),
        )?;
        self.line(f, &format!("{sick} well again, above half after"), |side| {
            let or = if side.shift.away.is_some() {
                "not yet"
            } else {
                "–"
            };
            after(side.shift.back, or)
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (adaptive, fixed) = ("Trimtab", "static weights");
        let retries = format!("+ {RETRIES} retries");
        writeln!(
            f,
            "\n{:<width$}{adaptive:>COLUMN$}{fixed:>COLUMN$}",
            "",
            width = LABEL + 2
        )?;
        writeln!(
            f,
            "{:<width$}{retries:>COLUMN$}",
            "",
            width = LABEL + COLUMN + 2
        )?;
        writeln!(f, " The whole run, {}", clock_face(self.ended))?;
        self.stretch(f, SideTally::total)?;
        self.line(f, "without a complete answer", |side| {
            let total = side.total();
            grouped(total.requests - total.complete)
        })?;
        if self.ended > self.story.start(Phase::Degrading) {
            self.incident(f)?;
        }
        let lost = self.lost();
        if lost > 0 {
            return writeln!(f, "\n The gateway lost {} requests.", grouped(lost));
        }
        writeln!(f, "\n The gateway lost no request.")
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::ROUTES;
    use super::super::tally::{Ending, Sample};
    use super::*;

    fn tally(ending: Ending) -> Tally {
        let mut tally = Tally::new(Story::new(1.0), Span::from_secs(5));
        for second in 0..180 {
            let due = Span::from_secs(second);
            let begun = [20 * second, 10 * second, 10 * second];
            tally.turn(due, [begun; 2]);
            for side in Side::BOTH {
                let struck = side == Side::Static || second == 90;
                tally.add(Sample {
                    side,
                    due,
                    ended: due.plus(Span::from_millis(400)),
                    ending: if second == 90 {
                        ending
                    } else {
                        Ending::Complete
                    },
                    attempts: if struck { 2 } else { 1 },
                    route: Some(second as usize % ROUTES),
                });
            }
        }
        tally
    }

    #[test]
    fn a_refusal_is_a_loss_too() {
        for (ending, lost) in [
            (Ending::Complete, 0),
            (Ending::Refused, 1),
            (Ending::Lost, 1),
        ] {
            let summary = Summary::new(Story::new(1.0), Span::from_secs(180), &tally(ending));
            assert_eq!(summary.lost(), lost, "{ending:?}");
        }
    }

    #[test]
    fn the_table_names_both_sides_and_the_incident() {
        let summary = Summary::new(Story::new(1.0), Span::from_secs(180), &tally(Ending::Lost));
        let text = summary.to_string();
        for line in [
            "success 99.44 % 99.44 %",
            "success at the first attempt 99.44 % 0.00 %",
            "attempts on alder 1,500 1,500",
            "alder below half of its share after never never",
            "The gateway lost 1 requests.",
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed(&text).contains(line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn a_run_cut_short_says_nothing_of_the_incident() {
        let summary = Summary::new(
            Story::new(1.0),
            Span::from_secs(20),
            &tally(Ending::Complete),
        );
        assert!(!summary.to_string().contains("incident"));
    }
}
