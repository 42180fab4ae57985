//! What `trimtab replay` prints: who did better, whether the bars hold, and the verdict as the last line.
//!
//! # Invariants
//! - Compact tables fit into [`COLUMNS`] characters if the names of policies do.
//! - A mark `*` stands at the best value of the policies that do not read the truth, and nowhere if all are equal.

use super::choice::{self, Kind};
use super::grid::{self, Column};
use super::regret::{self, Matrix};
use super::{Outcome, Report, Standing, Verdict, figure, verdict};

/// Characters of a line.
const COLUMNS: usize = 120;

/// Which metrics the tables have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// Those that matter most, as many as fit into 120 characters.
    #[default]
    Compact,
    /// Every one that some policy has, in as many blocks of 120 characters as that takes.
    Wide,
}

/// The report as text.
#[must_use]
pub fn table(report: &Report, width: Width) -> String {
    let mut text = String::new();
    for outcome in &report.scenarios {
        text.push_str(&format!("{}: {}\n\n", outcome.name, outcome.question));
        text.push_str(&standings(report, outcome, width));
        text.push('\n');
        if !outcome.bars.is_empty() {
            text.push_str(&bars(&outcome.bars));
            text.push('\n');
        }
    }
    let matrix = regret::matrix(report);
    if !matrix.rows.is_empty() {
        text.push_str("regret: mean cost above the clairvoyant that honours the weights, in %\n\n");
        text.push_str(&regrets(&matrix));
        text.push('\n');
    }
    if !report.pack.is_empty() {
        text.push_str("goals over the whole pack\n\n");
        text.push_str(&bars(&report.pack));
        text.push('\n');
    }
    text.push_str(&verdict::line(report));
    text.push('\n');
    text
}

/// One scenario's policies by metrics.
fn standings(report: &Report, outcome: &Outcome, width: Width) -> String {
    let rows = choice::standings(report, outcome);
    let names = rows.iter().map(|it| it.policy.clone()).collect();
    let names = Column::words("policy", names);
    let column = |name: &str| metric(report, &rows, name);
    match width {
        Width::Compact => {
            let mut fitting: Vec<(&str, Column)> = Vec::new();
            for name in choice::telling(outcome) {
                let new = column(name);
                let all = [&names, &new].into_iter();
                if grid::width(all.chain(fitting.iter().map(|it| &it.1))) <= COLUMNS {
                    fitting.push((name, new));
                }
            }
            let ordered = choice::in_order(|name| fitting.iter().any(|it| it.0 == name));
            let found = |name: &&str| fitting.iter().find(|it| it.0 == *name).map(|it| &it.1);
            let columns: Vec<&Column> = [&names]
                .into_iter()
                .chain(ordered.iter().filter_map(found))
                .collect();
            grid::side_by_side(&columns)
        }
        Width::Wide => {
            let metrics = choice::every(outcome).into_iter().map(column);
            let columns: Vec<Column> = [names].into_iter().chain(metrics).collect();
            grid::in_blocks(&columns, 1, COLUMNS)
        }
    }
}

/// A metric's column: value, confidence and mark, each below its like.
fn metric(report: &Report, rows: &[&Standing], name: &str) -> Column {
    let estimates: Vec<_> = rows.iter().map(|it| it.metrics.get(name)).collect();
    let competing: Vec<Option<f64>> = rows
        .iter()
        .zip(&estimates)
        .map(|(row, it)| {
            let competes = choice::kind(report, &row.policy) != Kind::Oracle;
            it.filter(|_| competes).map(|it| it.mean)
        })
        .collect();
    let best = choice::best(name, &competing);
    let texts: Vec<(String, String)> = estimates
        .iter()
        .map(|it| {
            it.map_or(("-".to_owned(), String::new()), |it| {
                figure::estimate(name, it)
            })
        })
        .collect();
    let widest = |part: fn(&(String, String)) -> &String| {
        let lengths = texts.iter().map(|it| part(it).chars().count());
        lengths.max().unwrap_or(0)
    };
    let (values, halves) = (widest(|it| &it.0), widest(|it| &it.1));
    let gap = if halves > 0 { " " } else { "" };
    let cells = texts
        .iter()
        .zip(&competing)
        .map(|((value, half), competes)| {
            let marked = competes.is_some() && best.as_ref() == Some(value);
            let mark = if marked { "*" } else { " " };
            format!("{value:>values$}{gap}{half:>halves$}{mark}")
        });
    Column::numbers(name, cells.collect())
}

/// Bars, a line each.
fn bars(verdicts: &[Verdict]) -> String {
    let bars: Vec<_> = verdicts
        .iter()
        .map(|it| verdict::in_words(it, None))
        .collect();
    let texts = |part: fn(&verdict::Bar<'_>) -> String| bars.iter().map(part).collect();
    let columns = [
        Column::words("goal", texts(|it| it.goal.to_owned())),
        Column::words("metric", texts(|it| it.metric.to_owned())),
        Column::words("bar", texts(|it| it.bar.clone())),
        Column::numbers("value", texts(|it| it.value.clone())),
        Column::words(
            "",
            texts(|it| if it.holds { "holds" } else { "MISSED" }.to_owned()),
        ),
        Column::words("", texts(|it| it.note.to_owned())),
    ];
    grid::side_by_side(&columns.each_ref())
}

/// Scenarios by policies; ours opens every block.
fn regrets(matrix: &Matrix<'_>) -> String {
    let lines = matrix.lines();
    let names = lines.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows: Vec<Vec<(String, bool)>> = lines
        .iter()
        .map(|(_, cells)| matrix.percent(cells))
        .collect();
    let policies = matrix.policies.iter().enumerate().map(|(at, policy)| {
        let cells = rows.iter().map(|row| {
            let (value, marked) = &row[at];
            format!("{value}{}", if *marked { "*" } else { " " })
        });
        Column::numbers(policy.name, cells.collect())
    });
    let columns: Vec<Column> = [Column::words("scenario", names)]
        .into_iter()
        .chain(policies)
        .collect();
    grid::in_blocks(&columns, 2, COLUMNS)
}
