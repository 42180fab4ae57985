//! Do two documents hold the same values?
//!
//! Keys have no order, numbers are compared by value and to the last digit (`1`, `1.0` and `10e-1` are one number, and two that differ in their thirtieth digit are two), strings by their wording.
//! A difference is named by its path; where all that differs are sentences, the document alone cannot say whether it matters.
//!
//! # Invariants
//! - `difference(a, a)` is nothing, and who is left and who is right changes nothing but the path that is named.
//! - Nesting beyond [`DEPTH`] is no document, so that a hostile answer cannot exhaust the stack.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::plain::{is_unseen, plain};

/// How deep a document may nest.
const DEPTH: usize = 64;

/// From how many words on a string is a sentence, whose wording may differ where its meaning does not.
const SENTENCE: usize = 4;

/// Bytes of a path that are kept.
const PATH: usize = 200;

/// Digits of an exponent that are read; beyond, two numbers are compared as they are written.
const EXPONENT: usize = 9;

/// A JSON object or array.
#[derive(Debug)]
pub(super) struct Document(Node);

/// Where two documents differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In keys, numbers, lengths, kinds or names: at this path.
    Value(String),
    /// In the wording of sentences only: first at this path.
    Wording(String),
}

#[derive(Debug)]
enum Node {
    Object(BTreeMap<String, Self>),
    Array(Vec<Self>),
    Text(String),
    Number(Number),
    /// `true`, `false` or `null`.
    Word(String),
}

/// A number as its digits without leading and trailing zeros, and the power of ten of the last one.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    negative: bool,
    digits: String,
    power: i64,
}

impl Document {
    /// Reads an object or an array, with or without a fence of code around it; nothing else is a document.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = unfenced(text.trim()).trim();
        if !text.starts_with(['{', '[']) {
            return None;
        }
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Some(Self(Node::read(raw, DEPTH)?))
    }

    /// The first difference that counts, or else the first one in wording.
    pub(super) fn difference(&self, other: &Self) -> Option<Difference> {
        let mut found = None;
        compare(&self.0, &other.0, &mut "$".to_owned(), &mut found);
        found
    }
}

/// A text without the fence around it.
fn unfenced(text: &str) -> &str {
    let inside = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    match inside.and_then(|inside| inside.split_once('\n')) {
        Some((_language, body)) => body,
        None => text,
    }
}

impl Node {
    fn read(raw: &RawValue, depth: usize) -> Option<Self> {
        let text = raw.get();
        let deeper = depth.checked_sub(1)?;
        Some(match text.as_bytes().first()? {
            b'{' => {
                let entries: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
                let read = |(key, raw): (Cow<'_, str>, &RawValue)| {
                    Some((key.into_owned(), Self::read(raw, deeper)?))
                };
                Self::Object(entries.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let read = |raw: &RawValue| Self::read(raw, deeper);
                Self::Array(items.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'-' | b'0'..=b'9' => Self::Number(Number::read(text)),
            _ => Self::Word(text.to_owned()),
        })
    }
}

impl Number {
    /// Reads what JSON allows as a number.
    fn read(text: &str) -> Self {
        let (negative, rest) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        if digits.is_empty() {
            return Self {
                negative: false,
                digits: String::new(),
                power: 0,
            };
        }
        let kept = digits.trim_end_matches('0');
        let short = exponent.trim_start_matches(['+', '-', '0']).len() <= EXPONENT;
        let Some(exponent) = exponent.parse::<i64>().ok().filter(|_| short) else {
            return Self {
                negative,
                digits: rest.to_owned(),
                power: i64::MAX,
            };
        };
        let dropped = digits.len() - kept.len();
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            negative,
            digits: kept.to_owned(),
            power: exponent
                .saturating_sub(signed(fraction.len()))
                .saturating_add(signed(dropped)),
        }
    }
}

/// Compares two nodes; stops at the first difference in value and remembers the first one in wording.
fn compare(left: &Node, right: &Node, path: &mut String, found: &mut Option<Difference>) {
    let same = match (left, right) {
        (Node::Object(left), Node::Object(right)) => return objects(left, right, path, found),
        (Node::Array(left), Node::Array(right)) => return arrays(left, right, path, found),
        (Node::Text(left), Node::Text(right)) => return texts(left, right, path, found),
        (Node::Number(left), Node::Number(right)) => left == right,
        (Node::Word(left), Node::Word(right)) => left == right,
        _ => false,
    };
    if !same {
        *found = Some(Difference::Value(shown(path)));
    }
}

fn objects(
    left: &BTreeMap<String, Node>,
    right: &BTreeMap<String, Node>,
    path: &mut String,
    found: &mut Option<Difference>,
) {
    let length = path.len();
    let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for key in keys {
        path.push('.');
        path.push_str(key);
        match (left.get(key), right.get(key)) {
            (Some(left), Some(right)) => compare(left, right, path, found),
            _ => *found = Some(Difference::Value(shown(path))),
        }
        path.truncate(length);
        if matches!(found, Some(Difference::Value(_))) {
            return;
        }
    }
}

fn arrays(left: &[Node], right: &[Node], path: &mut String, found: &mut Option<Difference>) {
    if left.len() != right.len() {
        *found = Some(Difference::Value(shown(path)));
        return;
    }
    let length = path.len();
    for (index, (left, right)) in left.iter().zip(right).enumerate() {
        path.push_str(&format!("[{index}]"));
        compare(left, right, path, found);
        path.truncate(length);
        if matches!(found, Some(Difference::Value(_))) {
            return;
        }
    }
}

fn texts(left: &str, right: &str, path: &str, found: &mut Option<Difference>) {
    if left == right {
        return;
    }
    let (left, right) = (plain(left), plain(right));
    if left == right && !left.is_empty() {
        return;
    }
    let sentence = |text: &str| text.split(' ').count() >= SENTENCE;
    if !(sentence(&left) && sentence(&right)) {
        *found = Some(Difference::Value(shown(path)));
    } else if found.is_none() {
        *found = Some(Difference::Wording(shown(path)));
    }
}

/// A path that fits a line.
fn shown(path: &str) -> String {
    let clean: String = path
        .chars()
        .filter(|letter| !letter.is_control() && !is_unseen(*letter))
        .collect();
    match clean.char_indices().find(|(at, _)| *at >= PATH) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn check(left: &str, right: &str) -> Option<Difference> {
        let read = |text| Document::read(text).unwrap();
        read(left).difference(&read(right))
    }

    #[test]
    fn values_count_and_their_place_is_named() {
        let value = |path: &str| Some(Difference::Value(path.to_owned()));
        for (left, right, expected) in [
            (
                r#"{"a":1,"b":[2]}"#,
                "```json\n{\"b\":[2.0],\"a\":10e-1}\n```",
                None,
            ),
            ("[0]", "[-0.0e5]", None),
            ("[100]", "[1E2]", None),
            (
                "[12345678901234567890123]",
                "[12345678901234567890124]",
                value("$[0]"),
            ),
            ("[1e999999999999]", "[1e999999999998]", value("$[0]")),
            (
                r#"{"a":{"b":[1,{"c":"x"}]}}"#,
                r#"{"a":{"b":[1,{"c":"y"}]}}"#,
                value("$.a.b[1].c"),
            ),
            (r#"{"a":1}"#, r#"{"a":1,"z":null}"#, value("$.z")),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, value("$.a")),
            (r#"{"a":true}"#, r#"{"a":null}"#, value("$.a")),
            ("[1,2]", "[2,1]", value("$[0]")),
            ("[1]", "[1,2]", value("$")),
            (r#"{"a":"Paris"}"#, r#"{"a":"paris."}"#, None),
            (r#"{"a":"!"}"#, r#"{"a":"?"}"#, value("$.a")),
            (
                r#"{"\u001b[31m":1}"#,
                r#"{"\u001b[31m":2}"#,
                value("$.[31m"),
            ),
        ] {
            assert_eq!(check(left, right), expected, "{left} {right}");
            assert_eq!(check(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn sentences_alone_decide_nothing() {
        let left = r#"{"a":"a red shirt of wool","b":1}"#;
        let right = r#"{"a":"this is a red shirt","b":1}"#;
        assert_eq!(
            check(left, right),
            Some(Difference::Wording("$.a".to_owned()))
        );
        let right = right.replace("\"b\":1", "\"b\":2");
        assert_eq!(
            check(left, &right),
            Some(Difference::Value("$.b".to_owned()))
        );
    }

    #[test]
    fn what_is_no_document() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in [
            "", "5", "\"a\"", "{", "{}{}", "[1,]", "Sure: {}", "```\n", &deep,
        ] {
            assert!(
                Document::read(text).is_none(),
                "{}",
                &text[..text.len().min(20)]
            );
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            "[a-z]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,4}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same values, written otherwise: keys in reverse, spaces, numbers with an exponent.
    fn rewritten(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| {
                    format!("{} : {}", Value::from(key.clone()), rewritten(value))
                };
                let entries: Vec<String> = map.iter().rev().map(entry).collect();
                format!("{{ {} }}", entries.join(" ,\n"))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(rewritten).collect();
                format!("[ {} ]", items.join(" , "))
            }
            Value::Number(number) if number.is_i64() => format!("{number}00.0E-2"),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_document_equals_itself_however_it_is_written(value in documents()) {
            let value = json!({ "root": value });
            prop_assert_eq!(check(&value.to_string(), &rewritten(&value)), None);
        }

        #[test]
        fn documents_are_equal_if_their_values_are(left in documents(), right in documents()) {
            let (left, right) = (json!([left]), json!([right]));
            let found = check(&left.to_string(), &right.to_string());
            let back = check(&right.to_string(), &left.to_string());
            prop_assert_eq!(found.is_none(), back.is_none());
            // Small letters only, so wording is equality; whole floats may equal integers.
            let plain = |value: &Value| value.to_string().replace(".0", "");
            prop_assert_eq!(found.is_none(), plain(&left) == plain(&right));
        }

        #[test]
        fn anything_may_be_read(text in "[\\[\\]{}\",:0-9eE+.a \\\\-]{0,60}") {
            let _ = Document::read(&text);
        }
    }
}
