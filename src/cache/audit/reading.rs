//! Which records are in a folder?
//!
//! Its files are read line by line, so that a report needs no memory for what it does not keep, and a gateway may write on meanwhile.
//!
//! # Invariants
//! - A line without an end is no record, whatever it holds; any other line that is none is counted and its file named.
//! - No more than a line is held, whatever is in the file.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::record::{LINE, Record};

/// How a record file's name ends.
const EXTENSION: &str = ".jsonl";

/// A file's day, since 1970, and its number on that day.
pub(super) type Name = (i64, u32);

/// What was read, apart from the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Files that were read.
    pub files: u64,
    /// Records that were read.
    pub records: u64,
    /// Lines that are no record of a known kind, an unfinished last one not counted.
    pub broken: u64,
    /// What could not be read, one sentence each.
    pub messages: Vec<String>,
}

/// Hands on all records of a folder, oldest file first; while a gateway writes there, too.
pub fn read(folder: &Path, mut each: impl FnMut(Record)) -> Reading {
    let mut reading = Reading::default();
    let names = match names(folder) {
        Ok(names) => names,
        Err(error) => {
            let message = format!("{} cannot be read: {error}", folder.display());
            reading.messages.push(message);
            return reading;
        }
    };
    for name in names {
        let path = folder.join(file_name(name));
        let before = reading.broken;
        match read_file(&path, &mut reading, &mut each) {
            Ok(()) => reading.files += 1,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                reading.messages.push(message);
            }
        }
        let broken = reading.broken - before;
        if broken > 0 {
            let message = format!("{}: {broken} lines are no records", path.display());
            reading.messages.push(message);
        }
    }
    reading
}

/// Reads a file line by line, holding no more than a line.
fn read_file(path: &Path, reading: &mut Reading, each: &mut impl FnMut(Record)) -> io::Result<()> {
    let mut file = io::BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let whole = next_line(&mut file, &mut line)?;
        match whole {
            Line::Whole => match Record::decode(&line) {
                Some(record) => {
                    reading.records += 1;
                    each(record);
                }
                None => reading.broken += 1,
            },
            Line::TooLong => reading.broken += 1,
            Line::None => return Ok(()),
        }
    }
}

/// How a line was read.
enum Line {
    /// It is there without its end.
    Whole,
    /// It is longer than a record can be, and was passed over.
    TooLong,
    /// There is no further line with an end.
    None,
}

fn next_line(file: &mut impl io::BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    let mut too_long = false;
    loop {
        let limit = (LINE + 1) as u64;
        let read = io::BufRead::read_until(&mut file.take(limit), b'\n', line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
        if (read as u64) < limit {
            return Ok(Line::None);
        }
        too_long = true;
        line.clear();
    }
}

/// The record files of a folder, oldest first.
pub(super) fn names(folder: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Some(name) = entry?.file_name().to_str().and_then(parse_name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A file's name.
pub(super) fn file_name((day, number): Name) -> String {
    let date = jiff::civil::date(1970, 1, 1);
    let date = date.saturating_add(jiff::Span::new().days(day.clamp(0, 2_900_000)));
    format!("{date}-{number:04}{EXTENSION}")
}

/// The day and number in a file's name; none if it is not just so.
fn parse_name(name: &str) -> Option<Name> {
    let stem = name.strip_suffix(EXTENSION)?;
    let (date, number) = (stem.get(..10)?, stem.get(10..)?.strip_prefix('-')?);
    let date: jiff::civil::Date = date.parse().ok()?;
    let since = date.since(jiff::civil::date(1970, 1, 1)).ok()?;
    let found = (i64::from(since.get_days()), number.parse().ok()?);
    (file_name(found) == name).then_some(found)
}
