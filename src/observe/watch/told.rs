//! How is a history written? As JSON, a column a series.
//!
//! # Invariants
//! - All columns of an answer have the length of its times; a figure that is not there is null.

use std::fmt::Write as _;
use std::sync::Arc;

use super::history::{Table, Window};
use super::tick::rounded;

/// One thing's history; `base_us` is when its steps begin to count.
pub(super) fn history(
    of: &str,
    window: Window,
    table: &Table,
    (base_us, names): (u64, &[&str]),
) -> String {
    let mut text = String::with_capacity(64 + table.steps.len() * (17 + 6 * names.len()));
    text.push_str("{\"of\":");
    text.push_str(&quoted(of));
    text.push(',');
    head(&mut text, window, (&table.steps, base_us));
    text.push_str(",\"series\":");
    series(&mut text, names, &aligned(table, &table.steps));
    text.push('}');
    text
}

/// The history of several routes over the steps of all.
pub(super) fn histories(
    window: Window,
    tables: &[(Arc<str>, Table)],
    (base_us, names): (u64, &[&str]),
) -> String {
    let mut steps: Vec<u64> = tables.iter().flat_map(|(_, it)| it.steps.clone()).collect();
    steps.sort_unstable();
    steps.dedup();
    // Why: a route that is gone has steps older than the window.
    let last = steps.last().copied().unwrap_or(0);
    let from = (last + 1).saturating_sub(window.rows() as u64);
    steps.retain(|&step| step >= from);
    let mut text = String::from("{");
    head(&mut text, window, (&steps, base_us));
    text.push_str(",\"routes\":{");
    for (index, (name, table)) in tables.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        series(&mut text, names, &aligned(table, &steps));
    }
    text.push_str("}}");
    text
}

fn head(text: &mut String, window: Window, (steps, base_us): (&[u64], u64)) {
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "\"window\":\"{}\",\"step_s\":{},\"at_us\":[",
        window.name(),
        window.step()
    );
    for (index, step) in steps.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let at = base_us + step * window.step() * 1_000_000;
        let _ = write!(text, "{comma}{at}");
    }
    text.push(']');
}

/// The columns over other steps, both ascending.
fn aligned(table: &Table, steps: &[u64]) -> Vec<Vec<f32>> {
    if table.steps == steps {
        return table.columns.clone();
    }
    let column = |column: &Vec<f32>| {
        let figure = |step: &u64| {
            let at = table.steps.binary_search(step);
            at.map_or(f32::NAN, |at| column[at])
        };
        steps.iter().map(figure).collect()
    };
    table.columns.iter().map(column).collect()
}

fn series(text: &mut String, names: &[&str], columns: &[Vec<f32>]) {
    text.push('{');
    for (index, (name, column)) in names.iter().zip(columns).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\"{name}\":[");
        for (index, value) in column.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = match value.is_finite() {
                true => write!(text, "{comma}{}", rounded(f64::from(*value))),
                false => write!(text, "{comma}null"),
            };
        }
        text.push(']');
    }
    text.push('}');
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
