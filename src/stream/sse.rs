//! Where does one server-sent event end and the next begin?
//!
//! [`Splitter`] takes bytes as they arrive and gives back runs of *whole* events, as slices of what arrived wherever possible.
//! [`events`] walks such a run. Neither decodes: the bytes forwarded to a client are the provider's own.
//! Line ends may be LF, CRLF or CR, as the standard allows (WHATWG HTML, "Server-sent events", 9.2.5).
//!
//! # Invariants
//! - Concatenating all runs and the rest gives back the bytes put in.
//! - No more than [`MAX_EVENT`] bytes are held back.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// Largest single event, bytes. A provider's largest honest events (images in base64) stay below it.
pub const MAX_EVENT: usize = 8 * 1024 * 1024;

/// An event grew beyond [`MAX_EVENT`] without ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {MAX_EVENT} bytes")]
pub struct TooLarge;

/// Cuts a byte stream into runs of whole events.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The beginning of an event whose end has not arrived.
    partial: BytesMut,
}

impl Splitter {
    /// Takes the next bytes and returns all events that are now whole; empty when there is none.
    ///
    /// # Errors
    /// [`TooLarge`] when the unfinished event has outgrown its bound.
    pub fn push(&mut self, mut chunk: Bytes) -> Result<Bytes, TooLarge> {
        if self.partial.is_empty() {
            let end = whole_events(&chunk, 0);
            if end < chunk.len() {
                self.partial.extend_from_slice(&chunk[end..]);
                chunk.truncate(end);
            }
            return self.bounded(chunk);
        }
        // A boundary may straddle the seam by up to three bytes (CR LF CR LF).
        let seam = self.partial.len().saturating_sub(3);
        self.partial.extend_from_slice(&chunk);
        let end = whole_events(&self.partial, seam);
        // An empty slice would share the buffer, so that the next bytes could not be added in place.
        if end == 0 {
            return self.bounded(Bytes::new());
        }
        let whole = self.partial.split_to(end).freeze();
        self.bounded(whole)
    }

    /// The bytes of an unfinished event, at the end of the stream.
    pub fn rest(&mut self) -> Bytes {
        self.partial.split().freeze()
    }

    fn bounded(&self, whole: Bytes) -> Result<Bytes, TooLarge> {
        if self.partial.len() > MAX_EVENT {
            return Err(TooLarge);
        }
        Ok(whole)
    }
}

/// The offset behind the last whole event in `bytes`; looks for boundaries from `from` on.
fn whole_events(bytes: &[u8], from: usize) -> usize {
    // The common case first: the bytes end with an event.
    if bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n") {
        return bytes.len();
    }
    let mut end = 0;
    let mut at = from;
    while let Some(boundary) = next_boundary(bytes, at) {
        end = boundary;
        at = boundary;
    }
    end
}

/// The offset behind the first blank line at or after `from`.
fn next_boundary(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let line_end = at + memchr2(b'\n', b'\r', bytes.get(at..)?)?;
        let next = after_line_end(bytes, line_end)?;
        match bytes.get(next) {
            Some(b'\n' | b'\r') => return after_line_end(bytes, next),
            Some(_) => at = next,
            None => return None,
        }
    }
}

/// The offset behind the line end at `at`; `None` for a CR at the very end, which an LF may yet follow.
fn after_line_end(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes[at], bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) => None,
        _ => Some(at + 1),
    }
}

/// One event: its bytes with the blank line, and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event as it arrived, blank line included.
    pub raw: &'a [u8],
    /// What follows the first `data:`, without one leading space and the line end; `None` if there is no such line.
    pub data: Option<&'a [u8]>,
    /// How many `data:` lines there are; the field above is the whole data only when this is 1.
    pub data_lines: usize,
}

impl Event<'_> {
    /// The event's name, if its first line gives one, as every dialect with names does.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        let value = self.raw.strip_prefix(b"event:")?;
        let end = memchr2(b'\n', b'\r', value).unwrap_or(value.len());
        Some(value[..end].trim_ascii())
    }

    /// All data lines joined with LF, for the rare event that has more than one.
    #[must_use]
    pub fn joined(&self) -> Vec<u8> {
        let lines: Vec<&[u8]> = lines(self.raw).filter_map(data_of).collect();
        lines.join(&b'\n')
    }
}

/// Walks the events of a run that [`Splitter::push`] returned, or of the rest.
pub fn events(run: &[u8]) -> impl Iterator<Item = Event<'_>> {
    let mut left = run;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let end = next_boundary(left, 0).unwrap_or(left.len());
        let (raw, rest) = left.split_at(end);
        left = rest;
        Some(parse(raw))
    })
}

fn parse(raw: &[u8]) -> Event<'_> {
    let mut data = None;
    let mut data_lines = 0;
    for line in lines(raw) {
        if let Some(value) = data_of(line) {
            data.get_or_insert(value);
            data_lines += 1;
        }
    }
    Event {
        raw,
        data,
        data_lines,
    }
}

fn data_of(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data:")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = raw;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let Some(end) = memchr2(b'\n', b'\r', left) else {
            return Some(std::mem::take(&mut left));
        };
        let line = &left[..end];
        left = &left[after_line_end(left, end).unwrap_or(left.len())..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_all(input: &[u8], cut: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for piece in [&input[..cut], &input[cut..]] {
            let whole = splitter.push(Bytes::copy_from_slice(piece)).unwrap();
            found.extend(events(&whole).map(|event| event.raw.to_vec()));
        }
        (found, splitter.rest().to_vec())
    }

    #[test]
    fn splitting_anywhere_changes_nothing() {
        for input in [
            &b"data: a\n\ndata: b\n\n: ping\n\ndata: [DONE]\n\n"[..],
            b"data: a\r\n\r\nevent: x\r\ndata: b\r\n\r\n",
            b"data: a\r\rdata: b\r\rrest",
            b"data: a\n\r\ndata: b\r\n\ntail",
        ] {
            let whole = run_all(input, input.len());
            assert!(whole.0.len() >= 2, "{input:?}");
            for cut in 0..input.len() {
                let mut split = run_all(input, cut);
                // A boundary that ends in CR cannot be told until the next byte.
                let joined: Vec<u8> = split.0.concat();
                split.1.splice(0..0, joined);
                assert_eq!(split.1, input, "cut at {cut} of {input:?}");
            }
            for cut in 0..input.len() {
                assert_eq!(run_all(input, cut).0, whole.0, "cut at {cut} of {input:?}");
            }
        }
    }

    /// Else the buffer could not grow in place, and a long event in small pieces would be copied with each of them.
    #[test]
    fn an_empty_run_holds_nothing_back() {
        const PIECES: usize = 8_192;
        let mut splitter = Splitter::default();
        let mut runs = Vec::with_capacity(PIECES);
        let memory = allocation_counter::measure(|| {
            for _ in 0..PIECES {
                runs.push(splitter.push(Bytes::from_static(b"a")).unwrap());
            }
        });
        assert!(runs.iter().all(Bytes::is_empty));
        let most = 8 * PIECES as u64;
        assert!(
            memory.bytes_total < most,
            "{} of {most}",
            memory.bytes_total
        );
    }

    #[test]
    fn data_is_found() {
        let check = |input: &str, data: Option<&str>, lines: usize| {
            let event = events(input.as_bytes()).next().unwrap();
            assert_eq!(event.data, data.map(str::as_bytes), "{input:?}");
            assert_eq!(event.data_lines, lines, "{input:?}");
        };
        check("data: {\"a\":1}\n\n", Some("{\"a\":1}"), 1);
        check("data:x\r\n\r\n", Some("x"), 1);
        check("data:  x\n\n", Some(" x"), 1);
        check("event: ping\ndata: x\nid: 3\n\n", Some("x"), 1);
        check(": comment\n\n", None, 0);
        check("data: a\ndata: b\n\n", Some("a"), 2);
        let two = events(b"data: a\ndata: b\n\n").next().unwrap();
        assert_eq!(two.joined(), b"a\nb");
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = Splitter::default();
        let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
        let mut refused = false;
        for _ in 0..10 {
            refused |= splitter.push(chunk.clone()).is_err();
        }
        assert!(refused);
    }
}
