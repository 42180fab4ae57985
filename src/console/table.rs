//! How are rows shown to people?
//!
//! # Invariants
//! - A cell stays in its line: control characters are left out.
//! - Numbers are set to the right, the last column is not padded.

use std::fmt::Write as _;

use crate::config::Nano;

/// Where a column's cells are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table with a head line.
pub(super) fn table(heads: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let cells = |row: &Vec<String>| -> Vec<String> { row.iter().map(|cell| clean(cell)).collect() };
    let mut lines: Vec<Vec<String>> = vec![heads.iter().map(|(head, _)| (*head).into()).collect()];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| {
        let widths = lines
            .iter()
            .filter_map(|line| Some(line.get(column)?.chars().count()));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for ((cell, width), (_, side)) in line.iter().zip(&widths).zip(heads) {
            // Writing into a string cannot fail.
            let _ = match side {
                Side::Left => write!(row, "{cell:<width$}  "),
                Side::Right => write!(row, "{cell:>width$}  "),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// A text without control characters.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// Dollars as people write them.
pub(super) fn dollars(dollars: f64) -> String {
    match Nano::from_dollars(dollars.abs()) {
        Some(amount) if dollars < 0.0 => format!("-{amount}"),
        Some(amount) => amount.to_string(),
        None => format!("${dollars:.2}"),
    }
}

/// Nano-dollars as people write them, to a hundredth of a cent.
pub(super) fn nano(nano: i64) -> String {
    /// Nano-dollars in the least that is shown.
    const LEAST: u64 = 100_000;
    let sign = if nano < 0 { "-" } else { "" };
    let units = nano.unsigned_abs().div_ceil(LEAST);
    format!("{sign}${}.{:04}", units / 10_000, units % 10_000)
}

/// An instant as people read it, to the minute.
pub(super) fn instant(text: &str) -> String {
    match (text.get(..16), text.ends_with('Z')) {
        (Some(minute), true) => format!("{}Z", minute.replace('T', " ")),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_their_heads() {
        let heads = [
            ("NAME", Side::Left),
            ("COST", Side::Right),
            ("NOTE", Side::Left),
        ];
        let rows = [
            vec!["é\u{1b}[31m".to_owned(), "1".to_owned(), String::new()],
            vec!["longer".to_owned(), "1000".to_owned(), "x\ny".to_owned()],
        ];
        let expected = "NAME    COST  NOTE\né[31m      1\nlonger  1000  xy\n";
        assert_eq!(table(&heads, &rows), expected);
    }

    #[test]
    fn money_and_times() {
        for (amount, shown) in [
            (0, "$0.0000"),
            (1, "$0.0001"),
            (12_345_678_901, "$12.3457"),
            (-5_000_000_000, "-$5.0000"),
        ] {
            assert_eq!(nano(amount), shown);
        }
        assert_eq!(
            (dollars(10.5).as_str(), dollars(-0.25).as_str()),
            ("$10.50", "-$0.25")
        );
        assert_eq!(dollars(1e12), "$1000000000000.00");
        assert_eq!(instant("2026-01-31T08:05:09Z"), "2026-01-31 08:05Z");
        assert_eq!(instant("soon"), "soon");
    }
}
