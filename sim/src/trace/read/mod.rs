//! What does a file of recorded traffic say?
//!
//! One reader per format, each turning lines into entries; one gatherer that counts, sorts and keeps them; `docs/TRACES.md` has the formats.
//!
//! # Invariants
//! - A malformed line is counted and told with its place, never dropped in silence and never fatal by itself.
//! - A file of which more than half is malformed, or that holds no request, is refused.
//! - No bytes, however odd, make a reader panic or take more memory than its bounds.
//! - What is read is a function of the bytes, the format and the [`Part`].

mod access;
mod azure;
mod burst;
mod clipped;
mod error;
mod format;
mod gather;
mod json;
mod mooncake;
mod recording;
mod servegen;
mod table;
mod when;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;

use scoring::time::Span;

use super::{Trace, warp};
use gather::Gather;

pub use azure::TOKENS_PER_IMAGE;
pub use error::{Malformed, Note, TraceError};
pub use format::Format;
pub use recording::{write, write_line};

/// Bytes of a file's beginning that are looked at to tell its format.
const BYTES_SNIFFED: u64 = 64 << 10;

/// A trace as it was read, and what was wrong with its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The requests.
    pub trace: Trace,
    /// The format, as told or as found.
    pub format: Format,
    /// The first malformed lines; at most 20.
    pub malformed: Vec<Malformed>,
    /// How many lines are malformed.
    pub malformed_count: u64,
    /// Lines that hold data: without headers and blank ones, with malformed ones.
    pub lines: u64,
    /// What was done to the data that a reader of results should know.
    pub notes: Vec<Note>,
}

/// Which part of a trace is wanted, and the seed where a format has to be drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// From when on, since the trace's beginning; default zero.
    pub from: Span,
    /// Until when, since the trace's beginning; `None` for its end.
    pub until: Option<Span>,
    /// Seed for the formats that tell rates instead of requests (ServeGen); default 0.
    pub seed: u64,
}

/// Reads the trace at `path`, in `format` or in the one that its first lines show.
///
/// # Errors
/// Whatever keeps the file from being a trace; see [`TraceError`].
pub fn read(path: &Path, format: Option<Format>) -> Result<Read, TraceError> {
    read_part(path, format, &Part::default())
}

/// Reads a part of the trace at `path`; what it keeps begins at zero.
///
/// # Errors
/// Whatever keeps the file from being a trace; see [`TraceError`].
pub fn read_part(path: &Path, format: Option<Format>, part: &Part) -> Result<Read, TraceError> {
    let name = path.display().to_string();
    let format = match format.or_else(|| Format::of_path(path)) {
        Some(format) => format,
        None => sniffed(path, &name)?,
    };
    // Its windows are cut before anything is drawn from them: two weeks of a large model are billions of requests.
    if format == Format::ServeGen {
        return servegen::read(path, part)?.finish(format);
    }
    let file = File::open(path).map_err(|error| TraceError::io(&name, error))?;
    let mut read = from_source(&name, file, format)?;
    if *part != Part::default() {
        let until = part.until.unwrap_or(Span::from_micros(u64::MAX));
        read.trace = warp::part(&read.trace, part.from, until);
        if read.trace.requests.is_empty() {
            return Err(TraceError::Empty {
                name,
                first: read.malformed,
            });
        }
    }
    Ok(read)
}

/// Reads a trace of one file's bytes; `name` is what messages call it.
fn from_source(name: &str, source: impl io::Read, format: Format) -> Result<Read, TraceError> {
    let mut gather = Gather::new(name);
    match format {
        Format::Azure => azure::read(source, &mut gather, azure::Columns::Text)?,
        Format::AzureMultimodal => azure::read(source, &mut gather, azure::Columns::Images)?,
        Format::BurstGpt => burst::read(source, &mut gather)?,
        Format::Mooncake => mooncake::read(source, &mut gather)?,
        Format::AccessLog => access::read(source, &mut gather)?,
        Format::Recording => recording::read(source, &mut gather)?,
        // Two files make a client; one alone tells no lengths.
        Format::ServeGen => servegen::read_client((source, &[]), &mut gather, &Part::default())?,
    }
    gather.finish(format)
}

fn sniffed(path: &Path, name: &str) -> Result<Format, TraceError> {
    use io::Read;
    let failed = |error| TraceError::io(name, error);
    let mut head = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(BYTES_SNIFFED)
        .read_to_end(&mut head)
        .map_err(failed)?;
    if head.trim_ascii().is_empty() {
        return Err(TraceError::Empty {
            name: name.to_owned(),
            first: Vec::new(),
        });
    }
    Format::sniff(&head).ok_or_else(|| TraceError::Unknown {
        name: name.to_owned(),
        is_gzip: head.starts_with(b"\x1F\x8B"),
    })
}
