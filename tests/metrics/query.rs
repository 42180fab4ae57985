//! What does a `PromQL` query ask for? A reader of names and labels, not of what they mean.

use std::collections::BTreeSet;

/// Words that are no metrics although nothing follows them.
const KEYWORDS: &[&str] = &["and", "or", "unless", "bool", "offset", "inf", "nan"];

/// Words that a list of labels follows.
const LISTS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// What a query names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// Metrics, each with the labels that it is selected by.
    pub(super) metrics: Vec<(String, Vec<String>)>,
    /// Labels that are grouped or joined by.
    pub(super) grouped: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text,
    Sign(char),
}

fn tokens(query: &str) -> Vec<Token> {
    let letters: Vec<char> = query.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let begin = at;
        let letter = letters[at];
        at += 1;
        let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':' || it == '.';
        if letter == '"' || letter == '\'' {
            while at < letters.len() && letters[at] != letter {
                at += 1 + usize::from(letters[at] == '\\');
            }
            at += 1;
            found.push(Token::Text);
        } else if is_word(letter) {
            while at < letters.len() && is_word(letters[at]) {
                at += 1;
            }
            found.push(Token::Word(letters[begin..at].iter().collect()));
        } else if !letter.is_whitespace() {
            found.push(Token::Sign(letter));
        }
    }
    found
}

/// Reads a query.
pub(super) fn read(query: &str) -> Asked {
    let tokens = tokens(query);
    let mut asked = Asked::default();
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1);
        match &tokens[at] {
            Token::Sign('[') => {
                while at < tokens.len() && tokens[at] != Token::Sign(']') {
                    at += 1;
                }
            }
            Token::Sign('{') => {
                let mut labels = Vec::new();
                while at < tokens.len() && tokens[at] != Token::Sign('}') {
                    if let Token::Word(label) = &tokens[at] {
                        labels.push(label.clone());
                    }
                    at += 1;
                }
                if let Some((_, of)) = asked.metrics.last_mut() {
                    *of = labels;
                }
            }
            Token::Word(word) if LISTS.contains(&word.as_str()) => {
                let list = tokens[at + 1..].iter();
                let inside = list.take_while(|it| **it != Token::Sign(')'));
                let count = if next == Some(&Token::Sign('(')) {
                    inside.clone().count()
                } else {
                    0
                };
                asked
                    .grouped
                    .extend(inside.take(count).filter_map(|it| match it {
                        Token::Word(label) => Some(label.clone()),
                        _ => None,
                    }));
                at += count;
            }
            Token::Word(word) => {
                let is_number = word.starts_with(|it: char| it.is_ascii_digit() || it == '.');
                let is_call = next == Some(&Token::Sign('('));
                // An aggregation may have its list before its argument.
                let is_list =
                    matches!(next, Some(Token::Word(next)) if LISTS[..2].contains(&next.as_str()));
                if !is_number && !is_call && !is_list && !KEYWORDS.contains(&word.as_str()) {
                    asked.metrics.push((word.clone(), Vec::new()));
                }
            }
            _ => {}
        }
        at += 1;
    }
    asked
}

#[test]
fn names_and_labels_are_found() {
    let asked = read(
        "histogram_quantile(0.95, sum by (le, route) (rate(a_bucket{route=~\"x{y}\", b!=\"c\"}[5m]))) > 1e3\n  and on (job) up == 0 or 2 * c:d:e",
    );
    let labels = |labels: &[&str]| labels.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        asked.metrics,
        [
            ("a_bucket".to_owned(), labels(&["route", "b"])),
            ("up".to_owned(), labels(&[])),
            ("c:d:e".to_owned(), labels(&[])),
        ]
    );
    assert_eq!(
        asked.grouped.into_iter().collect::<Vec<_>>(),
        ["job", "le", "route"]
    );
}
