//! How are the rounds' figures kept, compared and shown?
//!
//! Every figure is a list with one value per round; what is shown is its median.
//! Differences and ratios are taken within a round first, so that both sides saw the same machine.
//!
//! # Invariants
//! - A figure that was not measured is shown as `–`, never as zero.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::samples::median;

/// Names one figure: what was run, on what, and which number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    case: String,
    subject: String,
    figure: String,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Figures {
    rounds: BTreeMap<Key, Vec<f64>>,
}

impl Figures {
    /// Adds one round's value.
    pub fn add(&mut self, case: &str, subject: &str, figure: &str, value: f64) {
        self.rounds
            .entry(key(case, subject, figure))
            .or_default()
            .push(value);
    }

    /// The values by round; empty if never measured.
    #[must_use]
    pub fn rounds(&self, case: &str, subject: &str, figure: &str) -> &[f64] {
        self.rounds
            .get(&key(case, subject, figure))
            .map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds; NaN if never measured.
    #[must_use]
    pub fn median(&self, case: &str, subject: &str, figure: &str) -> f64 {
        median(self.rounds(case, subject, figure))
    }

    /// The median of `with(subject, base)` taken round by round; NaN if either was never measured.
    #[must_use]
    pub fn compare(
        &self,
        [case, figure]: [&str; 2],
        [subject, base]: [&str; 2],
        with: impl Fn(f64, f64) -> f64,
    ) -> f64 {
        let (left, right) = (
            self.rounds(case, subject, figure),
            self.rounds(case, base, figure),
        );
        let pairs: Vec<f64> = left
            .iter()
            .zip(right)
            .map(|(&left, &right)| with(left, right))
            .collect();
        median(&pairs)
    }

    /// What the subject adds to `direct`, the median of the rounds' differences; NaN if either was never measured.
    #[must_use]
    pub fn added(&self, case: &str, subject: &str, figure: &str) -> f64 {
        self.compare([case, figure], [subject, "direct"], |left, right| {
            left - right
        })
    }

    /// All values, for other programs: `{case: {subject: {figure: {median, rounds}}}}`.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let mut all = serde_json::json!({});
        for (key, rounds) in &self.rounds {
            all[&key.case][&key.subject][&key.figure] =
                serde_json::json!({ "median": median(rounds), "rounds": rounds });
        }
        all
    }
}

fn key(case: &str, subject: &str, figure: &str) -> Key {
    Key {
        case: case.to_owned(),
        subject: subject.to_owned(),
        figure: figure.to_owned(),
    }
}

/// One promise: what was measured, its bound, and on which side of it is right.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is about.
    pub name: &'static str,
    /// The measured value, NaN if there is none.
    pub value: f64,
    /// The bound.
    pub bound: Bound,
    /// Unit, for the reader.
    pub unit: &'static str,
}

/// The side of a bound that is right.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Bar {
    /// Whether the value was measured and is on the right side.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.value <= bound,
            Bound::AtLeast(bound) => self.value >= bound,
        }
    }

    /// A row: name, value, bound, verdict.
    fn row(&self) -> Vec<String> {
        let bound = match self.bound {
            Bound::AtMost(bound) => format!("≤ {}", number(bound)),
            Bound::AtLeast(bound) => format!("≥ {}", number(bound)),
        };
        let verdict = match (self.value.is_nan(), self.holds()) {
            (true, _) => "not measured",
            (false, true) => "holds",
            (false, false) => "MISSED",
        };
        let value = format!("{} {}", number(self.value), self.unit);
        vec![self.name.to_owned(), value, bound, verdict.to_owned()]
    }
}

/// The bars as a table.
#[must_use]
pub fn bars(bars: &[Bar]) -> String {
    let rows: Vec<Vec<String>> = bars.iter().map(Bar::row).collect();
    table(&["bar", "measured", "bound", ""], &rows)
}

/// A number with as many digits as matter; `–` for NaN.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "–".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A table with aligned columns, the first to the left and the others to the right.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head)
            .chain(rows)
            .filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let written = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_made_within_a_round() {
        let mut figures = Figures::default();
        for (left, right) in [(10.0, 1.0), (30.0, 20.0), (50.0, 40.0)] {
            figures.add("case", "a", "cpu", left);
            figures.add("case", "b", "cpu", right);
        }
        let added = figures.compare(["case", "cpu"], ["a", "b"], |left, right| left - right);
        assert_eq!(added.to_bits(), 10.0_f64.to_bits());
        assert!(
            figures
                .compare(["case", "cpu"], ["a", "c"], f64::max)
                .is_nan()
        );
        assert_eq!(figures.json()["case"]["a"]["cpu"]["median"], 30.0);
    }

    #[test]
    fn a_bar_that_was_not_measured_does_not_hold() {
        let bar = |value, bound| Bar {
            name: "x",
            value,
            bound,
            unit: "µs",
        };
        assert!(bar(1.0, Bound::AtMost(1.0)).holds());
        assert!(!bar(1.1, Bound::AtMost(1.0)).holds());
        assert!(!bar(0.9, Bound::AtLeast(1.0)).holds());
        assert!(!bar(f64::NAN, Bound::AtMost(1.0)).holds());
        assert!(!bar(f64::NAN, Bound::AtLeast(1.0)).holds());
        assert!(bars(&[bar(f64::NAN, Bound::AtMost(1.0))]).contains("not measured"));
    }
}
