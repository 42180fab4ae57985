//! How do rows of anything fit eighty columns?
//!
//! The same shape as the console's tables, which stand above this room and cannot be asked.
//!
//! # Invariants
//! - A cell stays in its line and in its column: what is not seen is left out, what is too long ends in `…`.
//! - Numbers are set to the right, the last column is not padded.

use std::fmt::Write as _;

use super::plain::is_unseen;

/// Where a column's cells are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table with a head line.
pub(super) fn table(heads: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let mut lines: Vec<Vec<String>> = vec![heads.iter().map(|(head, _)| (*head).into()).collect()];
    lines.extend(rows.iter().cloned());
    let widest = |column: usize| {
        let widths = lines
            .iter()
            .filter_map(|line| Some(width(line.get(column)?)));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(widest).collect();
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for ((cell, wide), (_, side)) in line.iter().zip(&widths).zip(heads) {
            let gap = " ".repeat(wide.saturating_sub(width(cell)));
            // Writing into a string cannot fail.
            let _ = match side {
                Side::Left => write!(row, "{cell}{gap}  "),
                Side::Right => write!(row, "{gap}{cell}  "),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// A text without what is not seen, in at most so many columns.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let seen = |letter: &char| {
        !letter.is_control() && !is_unseen(*letter) && !matches!(letter, '\u{2028}' | '\u{2029}')
    };
    let clean: String = text.chars().filter(seen).collect();
    if width(&clean) <= columns {
        return clean;
    }
    let mut kept = String::new();
    let mut left = columns.saturating_sub(1);
    for letter in clean.chars() {
        let wide = columns_of(letter);
        if wide > left {
            break;
        }
        left -= wide;
        kept.push(letter);
    }
    kept.push('…');
    kept
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// How many columns a letter takes: none if it is put on the one before, two in the scripts of East Asia and for pictures.
const fn columns_of(letter: char) -> usize {
    match letter {
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3ffff}' => 2,
        _ => 1,
    }
}

/// A share in percent, `-` if there is none.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "-".to_owned(),
        Some(share) if share >= 0.1 => format!("{:.0}%", share * 100.0),
        Some(share) => format!("{:.1}%", share * 100.0),
    }
}

/// Whole numbers, short from a hundred thousand on.
pub(super) fn count(number: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    if number < 100_000 {
        return number.to_string();
    }
    let unit = UNITS.iter().find(|(unit, _)| number >= *unit);
    unit.map_or_else(String::new, |(unit, letter)| {
        format!("{}{letter}", number / unit)
    })
}

/// Nano-dollars as people write them: to a hundredth of a cent, from a hundred dollars on to the cent, from a million on in short.
pub(super) fn money(nano: u64) -> String {
    if nano >= 1_000_000_000_000_000 {
        return format!("${}", count(nano / 1_000_000_000));
    }
    let (least, digits) = if nano < 100_000_000_000 {
        (100_000, 4)
    } else {
        (10_000_000, 2)
    };
    let per_dollar = 1_000_000_000 / least;
    let units = nano.div_ceil(least);
    format!("${}.{:0digits$}", units / per_dollar, units % per_dollar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_in_their_columns() {
        for (text, columns, expected) in [
            ("plain", 8, "plain"),
            ("rather long", 8, "rather …"),
            ("a\n\u{1b}[31mb\u{202e}\u{2028}c", 8, "a[31mbc"),
            ("日本語の名前", 8, "日本語…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("", 3, ""),
        ] {
            let found = fit(text, columns);
            assert_eq!(found, expected);
            assert!(width(&found) <= columns);
        }
        let rows = [
            vec!["日本".to_owned(), "1".to_owned()],
            vec!["x".to_owned(), "10".to_owned()],
        ];
        let heads = [("NAME", Side::Left), ("N", Side::Right)];
        assert_eq!(table(&heads, &rows), "NAME   N\n日本   1\nx     10\n");
    }

    #[test]
    fn numbers_are_short() {
        for (number, shown) in [
            (0, "0"),
            (99_999, "99999"),
            (123_456, "123k"),
            (u64::MAX, "18446744073G"),
        ] {
            assert_eq!(count(number), shown);
        }
        for (nano, shown) in [
            (0, "$0.0000"),
            (1, "$0.0001"),
            (99_000_000_000, "$99.0000"),
            (100_000_000_000, "$100.00"),
            (u64::MAX, "$18G"),
        ] {
            assert_eq!(money(nano), shown);
        }
        let shares = [None, Some(0.0), Some(0.0123), Some(0.1), Some(1.0)].map(percent);
        assert_eq!(shares, ["-", "0.0%", "1.2%", "10%", "100%"]);
    }
}
