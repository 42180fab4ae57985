//! Which questions were recorded, and which of them have the same answer?
//!
//! Lines of JSON with `text` and one of `answer` and `label`, or CSV with a head line and these columns; lines whose answers or labels are the same text have the same answer.
//!
//! # Invariants
//! - A line that is not understood ends the reading, with its place.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Largest file, bytes: a year of a busy workflow's questions.
const LARGEST: u64 = 1 << 30;

/// A recorded question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The line it stands in, from 1.
    pub(super) line: usize,
    pub(super) text: String,
    /// Those with the same answer have the same number.
    pub(super) answer: u64,
}

/// Why questions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is too large.
    #[error("{0} is larger than 1 GiB: cut it into pieces")]
    TooLarge(PathBuf),
    /// A line.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// There is nothing in it.
    #[error("{0} holds no question")]
    Empty(PathBuf),
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "question", alias = "query", alias = "prompt")]
    text: String,
    #[serde(alias = "category", alias = "intent")]
    label: Option<String>,
    answer: Option<String>,
}

/// Reads the questions of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Asked>, TraceError> {
    let unreadable = |source| TraceError::Unreadable {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(TraceError::TooLarge(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let is_csv = path
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("csv"));
    let rows = if is_csv {
        csv_rows(path, &text)
    } else {
        json_rows(path, &text)
    };
    let mut answers: HashMap<String, u64> = HashMap::new();
    let mut asked = Vec::new();
    for (line, row) in rows? {
        let Some(answer) = row.label.or(row.answer) else {
            return Err(TraceError::Line {
                path: path.to_owned(),
                line,
                why: "neither `answer` nor `label` says which questions have the same answer"
                    .to_owned(),
            });
        };
        let next = answers.len() as u64;
        asked.push(Asked {
            line,
            text: row.text,
            answer: *answers.entry(answer).or_insert(next),
        });
    }
    if asked.is_empty() {
        return Err(TraceError::Empty(path.to_owned()));
    }
    Ok(asked)
}

fn json_rows(path: &Path, text: &str) -> Result<Vec<(usize, Row)>, TraceError> {
    let lines = text.lines().enumerate();
    let written = lines.filter(|(_, line)| !line.trim().is_empty());
    written
        .map(|(index, line)| {
            let row = serde_json::from_str(line).map_err(|why| TraceError::Line {
                path: path.to_owned(),
                line: index + 1,
                why: why.to_string(),
            })?;
            Ok((index + 1, row))
        })
        .collect()
}

fn csv_rows(path: &Path, text: &str) -> Result<Vec<(usize, Row)>, TraceError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let heads = reader.headers().cloned();
    let failed = |why: csv::Error| {
        let line = why.position().map_or(1, |at| at.line());
        TraceError::Line {
            path: path.to_owned(),
            line: usize::try_from(line).unwrap_or(usize::MAX),
            why: why.to_string(),
        }
    };
    let heads = heads.map_err(failed)?;
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(1, |at| at.line());
        let row = record.deserialize(Some(&heads)).map_err(failed)?;
        rows.push((usize::try_from(line).unwrap_or(usize::MAX), row));
    }
    Ok(rows)
}
