//! Where do good inputs come from?
//!
//! From `tests/golden`, from [`corpus`](crate::corpus), and from the unit tests beside each parser:
//! every raw string and `json!` body there that is JSON is a seed, so a dialect's new test widens its fuzzing by itself.
//!
//! # Invariants
//! - Seeds are in an order that depends on the tree alone.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// JSON values that stand in the sources under this folder, one a seed.
pub(crate) fn harvested(folder: &str) -> Vec<Vec<u8>> {
    let values = sources(folder).into_iter().flat_map(|text| literals(&text));
    let json = values.filter(|text| {
        matches!(
            serde_json::from_str(text),
            Ok(Value::Object(_) | Value::Array(_))
        )
    });
    json.map(String::into_bytes).collect()
}

/// The same values, each as the data of an event; one stream of them all for each source.
pub(crate) fn harvested_streams(folder: &str) -> Vec<Vec<u8>> {
    let stream = |text: String| {
        let mut out = Vec::new();
        for text in literals(&text) {
            let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(&text) else {
                continue;
            };
            if let Some(kind) = value["type"].as_str() {
                out.extend_from_slice(format!("event: {kind}\n").as_bytes());
            }
            out.extend_from_slice(format!("data: {value}\n\n").as_bytes());
        }
        out
    };
    let streams = sources(folder).into_iter().map(stream);
    streams
        .filter(|stream| !stream.is_empty() && stream.len() < 24 * 1024)
        .collect()
}

/// Texts that stand in the sources under this folder and are no JSON.
pub(crate) fn harvested_texts(folder: &str) -> Vec<Vec<u8>> {
    let values = sources(folder).into_iter().flat_map(|text| literals(&text));
    let plain =
        values.filter(|text| text.len() > 20 && serde_json::from_str::<Value>(text).is_err());
    plain.map(String::into_bytes).collect()
}

/// The golden files under this folder that end so.
pub(crate) fn golden(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    all(&format!("tests/golden/{folder}"), ending)
}

/// The files under this folder that end so.
pub(crate) fn all(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let files = files(folder);
    let wanted = files
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(ending));
    wanted.map(|path| std::fs::read(path).unwrap()).collect()
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn sources(folder: &str) -> Vec<String> {
    let files = files(folder);
    let sources = files
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "rs"));
    sources
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// Every file under a folder, or the file itself, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The raw strings and `json!` bodies of a source.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (mark, close) in [("r#\"", "\"#"), ("r##\"", "\"##")] {
        for piece in source.split(mark).skip(1) {
            if let Some((text, _)) = piece.split_once(close) {
                found.push(text.to_owned());
            }
        }
    }
    for piece in source.split("json!(").skip(1) {
        if let Some(end) = closing(piece) {
            found.push(piece[..end].to_owned());
        }
    }
    found
}

/// Where the parenthesis that was open before the text closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}
