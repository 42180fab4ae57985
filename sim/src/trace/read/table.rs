//! How is a line of a CSV file read?
//!
//! Quotes do not span lines here: one stray quote would take the rest of the file with it, and none of the traces has a comma inside a field.
//! A pair of quotes around a field is taken off.
//!
//! # Invariants
//! - Each line stands for itself: what is wrong with one changes no other.

use std::io;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::clipped::Clipped;
use super::gather::{Flaw, Gather};
use super::{Format, TraceError};

/// A CSV file: its lines as records.
#[derive(Debug)]
pub(super) struct Table<R> {
    reader: csv::Reader<Clipped<R>>,
    record: ByteRecord,
    /// Whether `record` was looked at as a header and is a data line still to be given.
    ahead: bool,
}

impl<R: io::Read> Table<R> {
    /// Reads from `source`.
    pub(super) fn new(source: R) -> Self {
        let mut builder = ReaderBuilder::new();
        let builder = builder
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            .terminator(Terminator::Any(b'\n'));
        Self {
            reader: builder.from_reader(Clipped::new(source)),
            record: ByteRecord::new(),
            ahead: false,
        }
    }

    /// The positions of `names` in the header; in their own order where the first line holds none of them and is data.
    ///
    /// # Errors
    /// When the file cannot be read or one of the first `needed` names is missing.
    pub(super) fn header<const N: usize>(
        &mut self,
        gather: &Gather,
        format: Format,
        (names, needed): ([&'static str; N], usize),
    ) -> Result<[Option<usize>; N], TraceError> {
        self.ahead = self.advance(gather)?;
        let fields = self.record.iter().map(bare);
        let fields: Vec<String> = fields
            .map(|it| String::from_utf8_lossy(it).to_ascii_lowercase())
            .collect();
        let find = |name: &str| {
            fields
                .iter()
                .position(|it| *it == name.to_ascii_lowercase())
        };
        let found = names.map(find);
        if found.iter().all(Option::is_none) {
            return Ok(std::array::from_fn(Some));
        }
        self.ahead = false;
        match found[..needed].iter().position(Option::is_none) {
            Some(missing) => Err(TraceError::Column {
                name: gather.name().to_owned(),
                format,
                column: names[missing],
            }),
            None => Ok(found),
        }
    }

    /// Whether the first line is data: there is no header.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// The next line that holds anything; its number is [`Row::line`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next(&mut self, gather: &Gather) -> Result<Option<Row<'_>>, TraceError> {
        let some = std::mem::take(&mut self.ahead) || self.advance(gather)?;
        Ok(some.then_some(Row {
            record: &self.record,
            // The reader stands behind the record's line end, which every line has; the record's own place is before the blank lines above it.
            line: self.reader.position().line().saturating_sub(1),
        }))
    }

    fn advance(&mut self, gather: &Gather) -> Result<bool, TraceError> {
        loop {
            let read = self.reader.read_byte_record(&mut self.record);
            match read.map_err(|error| TraceError::io(gather.name(), error.into()))? {
                false => return Ok(false),
                true if self.record.iter().all(|it| it.trim_ascii().is_empty()) => {}
                true => return Ok(true),
            }
        }
    }
}

/// A line of a CSV file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    record: &'a ByteRecord,
    line: u64,
}

impl<'a> Row<'a> {
    /// Its number, from 1.
    pub(super) fn line(self) -> u64 {
        self.line
    }

    /// How many fields it has.
    pub(super) fn fields(self) -> usize {
        self.record.len()
    }

    /// A flaw of the field at `index`.
    pub(super) fn flaw(self, index: usize, reason: impl Into<String>) -> Flaw {
        let before = self.record.iter().take(index).map(|it| it.len() as u64 + 1);
        Flaw {
            column: before.sum::<u64>() + 1,
            reason: reason.into(),
        }
    }

    /// The field at `index`; `None` where the file has no such column, the row ends before it, or nothing is in it.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub(super) fn text(self, index: Option<usize>) -> Result<Option<&'a str>, Flaw> {
        let Some((index, field)) = index.and_then(|it| Some((it, self.record.get(it)?))) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bare(field));
        let text = text.map_err(|_| self.flaw(index, "is not UTF-8"))?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// What `parse` makes of the field at `index`, which must be there.
    ///
    /// # Errors
    /// When it is missing or `parse` refuses it; the reason is told with the field.
    pub(super) fn get<T>(
        self,
        index: Option<usize>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Flaw> {
        let place = index.unwrap_or_default();
        let Some(text) = self.text(index)? else {
            return Err(self.flaw(place, format!("field {} is missing", place + 1)));
        };
        parse(text).map_err(|reason| {
            let short: String = text.chars().take(40).collect();
            self.flaw(place, format!("`{short}` {reason}"))
        })
    }
}

/// A field without the blanks and the quotes around it.
fn bare(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let inside = field
        .strip_prefix(b"\"")
        .and_then(|it| it.strip_suffix(b"\""));
    inside.unwrap_or(field).trim_ascii()
}

/// A number of tokens; `374.0`, as some programs write it, is one.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn count(text: &str) -> Result<u32, String> {
    if let Ok(count) = text.parse() {
        return Ok(count);
    }
    whole(decimal(text)?)
}

/// A float that is a number of tokens.
///
/// # Errors
/// What is wrong with the number.
pub(super) fn whole(value: f64) -> Result<u32, String> {
    if value < 0.0 {
        Err("is negative".to_owned())
    } else if value > f64::from(u32::MAX) {
        Err(format!("is above {}", u32::MAX))
    } else if value.fract() > 0.0 {
        Err("is no whole number".to_owned())
    } else {
        Ok(value as u32)
    }
}

/// A number that is not NaN.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn decimal(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if !value.is_nan() => Ok(value),
        _ => Err("is not a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_refused() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("374", Ok(374)),
            ("374.0", Ok(374)),
            ("4294967295", Ok(u32::MAX)),
            ("4294967296", Err("above")),
            ("1e300", Err("above")),
            ("inf", Err("above")),
            ("-1", Err("negative")),
            ("1.5", Err("whole")),
            ("NaN", Err("not a number")),
            ("", Err("not a number")),
            ("0x10", Err("not a number")),
        ] {
            match (count(text), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{text}"),
                (Err(reason), Err(word)) => assert!(reason.contains(word), "{text}: {reason}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn quotes_and_blanks_around_a_field_are_taken_off() {
        assert_eq!(bare(b" \" a \" "), b"a");
        assert_eq!(bare(b"\"a"), b"\"a");
        assert_eq!(bare(b"\""), b"\"");
        assert_eq!(bare(b""), b"");
    }
}
