//! What do reports look like?
//!
//! Each `tests/golden/config/NAME.toml` is checked and its report compared with `NAME.txt`; with `UPDATE=1` in the environment the text files are written instead.

use std::fs;
use std::path::PathBuf;

use super::super::Paint;
use super::{parse_with, repository};

/// Variables that the golden files may name; every value must stay unseen.
const VARIABLES: [(&str, &str); 3] = [
    ("SET", "value-from-environment"),
    ("EMPTY", ""),
    ("BROKEN", "value-from-environment\n"),
];

/// Marks of credentials in the golden files; none may reach a report.
const UNSEEN: [&str; 2] = ["sk-", "value-from-environment"];

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(repository("tests/golden/config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn reports_are_as_recorded() {
    let update = std::env::var_os("UPDATE").is_some();
    let cases = cases();
    assert!(cases.len() >= 5, "{cases:?}");
    let mut wrong = Vec::new();
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let report = match parse_with(&text, &VARIABLES) {
            Ok(_) => panic!("{} is valid", case.display()),
            Err(report) => report,
        };
        let rendered = report.render(Paint::Plain);
        for shown in [&rendered, &report.render(Paint::Coloured), &report.json()] {
            for secret in UNSEEN {
                assert!(
                    !shown.contains(secret),
                    "{} shows {secret}:\n{shown}",
                    case.display()
                );
            }
        }
        let golden = case.with_extension("txt");
        if update {
            fs::write(&golden, &rendered).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != rendered {
            wrong.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "to accept, set UPDATE=1:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let text = fs::read_to_string(repository("tests/golden/config/ten_mistakes.toml")).unwrap();
    let report = parse_with(&text, &VARIABLES).unwrap_err();
    assert_eq!(report.problems().len(), 10, "{report}");
}

#[test]
fn json_has_the_same_problems() {
    let text = fs::read_to_string(repository("tests/golden/config/ten_mistakes.toml")).unwrap();
    let report = parse_with(&text, &VARIABLES).unwrap_err();
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 10);
    let place = report.place(&report.problems()[0]).unwrap();
    assert_eq!(json["file"], "config.toml");
    assert_eq!(problems[0]["line"], place.line);
    assert_eq!(problems[0]["column"], place.column);
    assert_eq!(problems[0]["message"], report.problems()[0].message);
}

#[test]
fn colours_are_asked_for() {
    let report = parse_with("x", &[]).unwrap_err();
    assert!(!report.render(Paint::Plain).contains('\u{1b}'));
    assert!(report.render(Paint::Coloured).contains('\u{1b}'));
}
