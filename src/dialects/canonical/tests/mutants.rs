//! Does a change anywhere in a request make it another one?

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::super::{Sameness, read};
use super::corpus::{CARRIED, WRITTEN};
use crate::dialects::format::Endpoint;

type Key = (Vec<u8>, Option<String>);

fn key(endpoint: Endpoint, json: &str) -> Option<(Key, Sameness)> {
    let canonical = read(endpoint, json.as_bytes(), false).ok()?;
    Some(((canonical.frame, canonical.text), canonical.sameness))
}

/// Words that mean something somewhere: a text may be exchanged for another that is as good.
const WORDS: [&str; 24] = [
    "auto",
    "none",
    "required",
    "any",
    "user",
    "assistant",
    "system",
    "developer",
    "model",
    "tool",
    "text",
    "low",
    "high",
    "AUTO",
    "NONE",
    "ANY",
    "omitted",
    "function",
    "disabled",
    "adaptive",
    "application/json",
    "wav",
    "input_text",
    "STRING",
];

/// What may come of a value by one change in it, and where.
fn mutants(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push((path.to_owned(), json!(!flag))),
        Value::Number(number) => {
            let more = match number.as_i64() {
                Some(whole) => json!(whole + 1),
                None => json!(number.as_f64().unwrap() + 0.125),
            };
            out.push((path.to_owned(), more));
        }
        Value::String(text) => {
            out.push((path.to_owned(), json!(format!("{text}x"))));
            out.push((path.to_owned(), json!(format!(" {text}"))));
            let others = WORDS.iter().filter(|word| *word != text);
            out.extend(others.map(|word| (path.to_owned(), json!(word))));
            out.push((path.to_owned(), json!(7)));
        }
        Value::Array(list) => {
            for at in 0..list.len() {
                let mut changed = list.clone();
                let item = changed.remove(at);
                out.push((format!("{path}[{at}] less"), Value::Array(changed.clone())));
                changed.insert(0, item.clone());
                if changed != *list {
                    out.push((format!("{path}[{at}] first"), Value::Array(changed)));
                }
                let mut doubled = list.clone();
                doubled.insert(at, item);
                out.push((format!("{path}[{at}] twice"), Value::Array(doubled)));
                let mut inner = Vec::new();
                mutants(&list[at], &format!("{path}[{at}]"), &mut inner);
                out.extend(inner.into_iter().map(|(path, mutant)| {
                    let mut changed = list.clone();
                    changed[at] = mutant;
                    (path, Value::Array(changed))
                }));
            }
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("zz_new".to_owned(), json!(1));
            out.push((format!("{path}.zz_new"), Value::Object(more)));
            for (name, field) in fields {
                let mut less = fields.clone();
                less.remove(name);
                out.push((format!("{path}.{name} less"), Value::Object(less)));
                let mut inner = Vec::new();
                mutants(field, &format!("{path}.{name}"), &mut inner);
                out.extend(inner.into_iter().map(|(path, mutant)| {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), mutant);
                    (path, Value::Object(changed))
                }));
            }
        }
    }
}

/// Changes that change nothing, by what stands there: what a field says when it is absent.
fn is_idle(path: &str, before: &Value) -> bool {
    let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
    // Absent, they say the same.
    let usual = [
        ".n less",
        "odalities less",
        "odalities[0] less",
        "odalities[0] twice",
        ".candidateCount less",
        ".responseLogprobs less",
        ".verbosity less",
        ".truncation less",
        ".annotations less",
        ".type less",
        ".role less",
        ".content less",
        ".description less",
    ];
    let usual = ends(&usual) && {
        let kind = before.pointer(&pointer(path.trim_end_matches(" less")));
        let kind = kind.unwrap_or(&Value::Null);
        path.contains("odalities[")
            || kind.is_null()
            || [
                json!(1),
                json!(false),
                json!("medium"),
                json!("disabled"),
                json!([]),
            ]
            .contains(kind)
            || [json!(["text"]), json!(["TEXT"])].contains(kind)
            || (ends(&[".type less"])
                && [json!("message"), json!("custom"), json!("function")].contains(kind))
            || (ends(&[".role less"]) && *kind == json!("user"))
    };
    // The answer belongs to the only call that is open.
    let told = path.ends_with(".functionResponse.id less");
    usual || told || path.ends_with("schema.name less")
}

/// The name of a call, which only its answer repeats.
fn is_name(path: &str) -> bool {
    let ends = [".id", ".call_id", ".tool_use_id", ".tool_call_id"];
    ends.iter().any(|end| path.ends_with(end))
}

/// `.a.b[0]` as `/a/b/0`.
fn pointer(path: &str) -> String {
    path.replace('[', "/").replace(']', "").replace('.', "/")
}

/// Exchanging one word for another that says the same.
fn is_synonym(path: &str, before: &Value, after: &Value) -> bool {
    let was = before.pointer(&pointer(path)).and_then(Value::as_str);
    let value = after.pointer(&pointer(path)).cloned();
    let value = value.as_ref().and_then(Value::as_str).unwrap_or_default();
    // A part's kind, by whoever writes it; whose turn a function's answer is.
    (path.ends_with(".type") && ["text", "input_text", "output_text"].contains(&value))
        || (path.ends_with(".role") && ["user", "tool", "function"].contains(&value))
        || ([".mode", ".thinking_level", "odalities[0]"]
            .iter()
            .any(|end| path.ends_with(end))
            && was.is_some_and(|was| was.eq_ignore_ascii_case(value)))
        || (path.ends_with(".arguments") && value.starts_with(' '))
        || (path.ends_with(".type") && value == "STRING")
        || (path.ends_with(".tool_choice") && value == "any")
}

#[test]
fn whatever_is_changed_another_thing_is_asked() {
    let (mut tried, mut carried, mut odd) = (0, 0, Vec::new());
    for (endpoint, json) in CARRIED.iter().chain(WRITTEN) {
        let value: Value = serde_json::from_str(json).unwrap();
        let (original, _) = key(*endpoint, json).unwrap();
        let mut all = Vec::new();
        mutants(&value, "", &mut all);
        for (path, mutant) in all {
            tried += 1;
            let Some((changed, sameness)) = key(*endpoint, &mutant.to_string()) else {
                continue;
            };
            carried += u32::from(sameness == Sameness::Meaning);
            if changed == original && !is_idle(&path, &value) && !is_synonym(&path, &value, &mutant)
            {
                odd.push(format!("{endpoint:?} {path}"));
            }
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(tried > 5_000 && carried > 500, "{tried} {carried}");
}

/// The value without fields that say nothing, and Google's words in letters of one case.
fn bare(value: &Value) -> Value {
    let idle = [
        json!(null),
        json!([]),
        json!({}),
        json!(false),
        json!("medium"),
    ];
    match value {
        Value::Array(list) => list.iter().map(bare).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), bare(value)));
            Value::Object(fields.filter(|(_, value)| !idle.contains(value)).collect())
        }
        Value::String(word) if WORDS.contains(&word.as_str()) => json!(word.to_lowercase()),
        other => other.clone(),
    }
}

/// Not only each from the original: all that come of one request are told from each other.
#[test]
fn mutants_are_told_from_each_other() {
    let mut odd = Vec::new();
    for (endpoint, json) in CARRIED {
        let value: Value = serde_json::from_str(json).unwrap();
        let mut all = Vec::new();
        mutants(&value, "", &mut all);
        let mut seen: HashMap<Key, (String, Value)> = HashMap::new();
        for (path, mutant) in all {
            let same = is_idle(&path, &value) || is_synonym(&path, &value, &mutant);
            // The answers of tools that follow each other are one turn, however they are cut.
            if same || is_name(&path) || path.ends_with(" twice") {
                continue;
            }
            let Some((key, Sameness::Meaning)) = key(*endpoint, &mutant.to_string()) else {
                continue;
            };
            if let Some((other, same)) = seen.get(&key)
                && *same != bare(&mutant)
            {
                odd.push(format!("{endpoint:?}: {other} and {path}"));
            }
            seen.insert(key, (path, bare(&mutant)));
        }
        assert!(seen.len() > 3, "{endpoint:?}: {}", seen.len());
    }
    assert!(odd.is_empty(), "{odd:#?}");
}

/// Writes a value with its fields in any order, with space anywhere, and with letters escaped.
fn shuffled(value: &Value, rng: &mut StdRng, out: &mut String) {
    let space = |rng: &mut StdRng, out: &mut String| {
        let spaces = [" ", "\n", "\t", "\r\n", ""];
        out.push_str(spaces[rng.random_range(0..spaces.len())]);
    };
    space(rng, out);
    match value {
        Value::Array(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                shuffled(item, rng, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.shuffle(rng);
            out.push('{');
            for (at, (name, field)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                space(rng, out);
                escaped(name, rng, out);
                space(rng, out);
                out.push(':');
                shuffled(field, rng, out);
            }
            out.push('}');
        }
        Value::String(text) => escaped(text, rng, out),
        other => out.push_str(&other.to_string()),
    }
    space(rng, out);
}

fn escaped(text: &str, rng: &mut StdRng, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        if rng.random_range(0..8) == 0 || letter < ' ' || letter == '"' || letter == '\\' {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(letter);
        }
    }
    out.push('"');
}

#[test]
fn the_layout_never_counts() {
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(seed);
        for (endpoint, json) in CARRIED.iter().chain(WRITTEN) {
            let value: Value = serde_json::from_str(json).unwrap();
            let mut other = String::new();
            shuffled(&value, &mut rng, &mut other);
            let expected = key(*endpoint, json).unwrap();
            assert_eq!(
                key(*endpoint, &other),
                Some(expected),
                "seed {seed}: {other}"
            );
        }
    }
}

#[test]
fn the_corpus_is_what_it_says() {
    for (endpoint, json) in CARRIED {
        assert_eq!(key(*endpoint, json).unwrap().1, Sameness::Meaning, "{json}");
    }
    for (endpoint, json) in WRITTEN {
        assert_eq!(key(*endpoint, json).unwrap().1, Sameness::Letter, "{json}");
    }
}

/// Any bytes are read without a panic, and any that are cut off are refused.
#[test]
fn broken_requests_are_refused() {
    for (endpoint, json) in CARRIED.iter().chain(WRITTEN) {
        for end in 0..json.len() {
            let cut = &json.as_bytes()[..end];
            assert!(read(*endpoint, cut, false).is_err(), "{endpoint:?} {end}");
        }
    }
}
