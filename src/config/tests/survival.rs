//! Does anything that can be written make it panic?

use std::fs;

use proptest::prelude::*;

use super::super::Paint;
use super::super::load::parse_bytes;
use super::super::source::floor_boundary;
use super::{parse_with, repository};

/// Pieces that mean something to the format, to put anywhere.
const PIECES: [&str; 16] = [
    "[",
    "]",
    "{",
    "}",
    "=",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "#",
    "${",
    "$$",
    "é",
    "\u{1f980}",
    "\u{0}",
    "9e999",
];

fn reference() -> String {
    fs::read_to_string(repository("config.toml")).unwrap()
}

/// Renders whatever is wrong: rendering cuts the text at places that the parser told.
fn check(text: &str) {
    if let Err(report) = parse_with(text, &[]) {
        let _ = (report.render(Paint::Plain), report.json());
        assert!(!report.problems().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn garbage_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let file = std::path::Path::new("config.toml");
        if let Err(report) = parse_bytes(file, &bytes) {
            let _ = (report.render(Paint::Plain), report.json());
        }
    }

    #[test]
    fn garbage_text(text in "[ -~\\n\\té\\[\\]\\{\\}=\"]{0,200}") {
        check(&text);
    }

    #[test]
    fn the_reference_with_pieces_put_in(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len()), 1..4),
    ) {
        let mut text = reference();
        for (at, piece) in changes {
            let at = floor_boundary(&text, at.index(text.len()));
            text.insert_str(at, PIECES[piece]);
        }
        check(&text);
    }

    #[test]
    fn the_reference_with_a_part_cut_out(
        from in any::<prop::sample::Index>(),
        length in 0_usize..300,
    ) {
        let mut text = reference();
        let from = floor_boundary(&text, from.index(text.len()));
        let to = floor_boundary(&text, from + length);
        text.replace_range(from..to, "");
        check(&text);
    }

    #[test]
    fn the_reference_with_a_value_of_another_type(
        line in any::<prop::sample::Index>(),
        value in prop::sample::select(vec!["1", "-1", "1.5", "nan", "true", "\"x\"", "[]", "{}", "[{}]", "1979-05-27", "\"${X}\""]),
    ) {
        let text = reference();
        let assigned: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.split_once('=').is_some_and(|(key, value)| {
                !key.starts_with(['#', ' ']) && !value.trim().ends_with(['[', '{'])
            }))
            .map(|(index, _)| index)
            .collect();
        let changed = assigned[line.index(assigned.len())];
        let lines = text.lines().enumerate().map(|(index, line)| match line.split_once('=') {
            Some((key, _)) if index == changed => format!("{key}= {value}"),
            _ => line.to_owned(),
        });
        check(&lines.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn deep_nesting_is_refused() {
    check(&format!("x = {}", "[".repeat(100_000)));
    check(&format!("x = {}", "{a=".repeat(100_000)));
    check(&format!("[{}]", "a.".repeat(100_000)));
}
