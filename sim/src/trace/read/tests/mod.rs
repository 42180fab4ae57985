//! Do the readers read what they should, and survive what they should not?

mod formats;
mod odd;
mod recorded;

use super::*;

/// A file's text as a trace.
fn from_text(text: &str, format: Format) -> Read {
    from_source("file", text.as_bytes(), format).unwrap_or_else(|error| panic!("{error}"))
}

/// Arrivals in ms.
fn times(read: &Read) -> Vec<u64> {
    let requests = read.trace.requests.iter();
    requests.map(|it| it.at.as_micros() / 1_000).collect()
}

/// Input and output of each request.
fn lengths(read: &Read) -> Vec<(u32, u32)> {
    let requests = read.trace.requests.iter();
    requests.map(|it| (it.input, it.output)).collect()
}

/// Place and reason of each malformed line.
fn places(read: &Read) -> Vec<(u64, u64, &str)> {
    let lines = read.malformed.iter();
    lines
        .map(|it| (it.line, it.column, it.reason.as_str()))
        .collect()
}
