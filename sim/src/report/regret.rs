//! What does each policy cost more than the clairvoyant that honours the weights?
//!
//! # Invariants
//! - A mean or worst is over every scenario that has an entry for ours; a policy that lacks one of them has none.

use serde::Serialize;

use super::choice::{self, Kind};
use super::{Report, figure};

/// The metric that is shown.
const REGRET: &str = "regret";

/// Scenarios by policies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Matrix<'a> {
    /// The policies, in the order shown.
    pub(super) policies: Vec<Named<'a>>,
    /// A row of each scenario in which some policy's regret is known.
    pub(super) rows: Vec<Row<'a>>,
    /// Each policy's mean.
    pub(super) mean: Vec<Option<f64>>,
    /// Each policy's largest.
    pub(super) worst: Vec<Option<f64>>,
}

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Named<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What it is.
    pub(super) kind: Kind,
}

/// A scenario's regrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row<'a> {
    /// The scenario.
    pub(super) scenario: &'a str,
    /// One of each policy; cost above the clairvoyant's as a part of it.
    pub(super) cells: Vec<Option<f64>>,
}

/// The regrets of a report.
pub(super) fn matrix(report: &Report) -> Matrix<'_> {
    let names = choice::policies(report);
    let mut rows = Vec::new();
    for outcome in &report.scenarios {
        let regret = |name: &&str| {
            let standing = outcome.policies.iter().find(|it| it.policy == **name)?;
            Some(standing.metrics.get(REGRET)?.mean)
        };
        let cells: Vec<Option<f64>> = names.iter().map(regret).collect();
        if cells.iter().any(Option::is_some) {
            rows.push(Row {
                scenario: &outcome.name,
                cells,
            });
        }
    }
    let columns = 0..names.len();
    let complete = |column| -> Option<Vec<f64>> {
        let ours = |row: &&Row<'_>| row.cells.first().is_some_and(Option::is_some);
        let counted = rows.iter().filter(ours);
        counted.map(|row| row.cells[column]).collect()
    };
    let summed = |fold: fn(&[f64]) -> f64| {
        let values = columns.clone().map(complete);
        values
            .map(|it| it.filter(|it| !it.is_empty()).map(|it| fold(&it)))
            .collect()
    };
    let named = |name| Named {
        name,
        kind: choice::kind(report, name),
    };
    Matrix {
        mean: summed(|it| it.iter().sum::<f64>() / it.len() as f64),
        worst: summed(|it| it.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        policies: names.iter().copied().map(named).collect(),
        rows,
    }
}

impl Matrix<'_> {
    /// Every row with its name, mean and worst at the end.
    pub(super) fn lines(&self) -> Vec<(&str, &[Option<f64>])> {
        let rows = self
            .rows
            .iter()
            .map(|it| (it.scenario, it.cells.as_slice()));
        let ends = [("mean", self.mean.as_slice()), ("worst", &self.worst)];
        rows.chain(ends).collect()
    }

    /// A row's cells in percent, and which of them is the best that is no oracle's; `-` where nothing is known.
    pub(super) fn percent(&self, cells: &[Option<f64>]) -> Vec<(String, bool)> {
        let competes = |(cell, policy): (&Option<f64>, &Named<'_>)| {
            cell.filter(|_| policy.kind != Kind::Oracle)
        };
        let competing: Vec<Option<f64>> = cells.iter().zip(&self.policies).map(competes).collect();
        let best = competing.iter().flatten().copied().min_by(f64::total_cmp);
        let best = best.map(percent);
        let written = |(cell, competing): (&Option<f64>, &Option<f64>)| match cell {
            Some(value) => {
                let text = percent(*value);
                let marked = competing.is_some() && best.as_ref() == Some(&text);
                (text, marked)
            }
            None => ("-".to_owned(), false),
        };
        cells.iter().zip(&competing).map(written).collect()
    }
}

fn percent(regret: f64) -> String {
    figure::fixed(regret * 100.0, 1)
}

/// The regrets as a Markdown table, in percent; the best of each row is bold, ours comes first and the oracles last.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let matrix = matrix(report);
    let names = matrix.policies.iter().map(|it| escaped(it.name));
    let mut text = String::new();
    push_line(&mut text, ["scenario".to_owned()].into_iter().chain(names));
    let rules = matrix.policies.iter().map(|_| "---:".to_owned());
    push_line(&mut text, ["---".to_owned()].into_iter().chain(rules));
    for (name, cells) in matrix.lines() {
        let cells = matrix.percent(cells).into_iter().map(|cell| match cell {
            (value, true) => format!("**{value}**"),
            (value, false) => value,
        });
        push_line(&mut text, [escaped(name)].into_iter().chain(cells));
    }
    text
}

fn push_line(text: &mut String, cells: impl Iterator<Item = String>) {
    for cell in cells {
        text.push_str("| ");
        text.push_str(&cell);
        text.push(' ');
    }
    text.push_str("|\n");
}

fn escaped(name: &str) -> String {
    name.replace('|', "\\|")
}
