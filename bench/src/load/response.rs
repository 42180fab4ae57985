//! Is this response complete and right?
//!
//! An incremental reader of one HTTP/1.1 response, framed by Content-Length or by chunks.
//! Bodies are checked and counted, never kept: an event is what ends in an empty line, and a stream is right when its last event is `[DONE]`.
//!
//! # Invariants
//! - Splitting the bytes anywhere changes nothing.
//! - Bytes after the end of the response are an error, since requests are not pipelined.

use memchr::memchr_iter;
use memchr::memmem;

/// The last event of a chat stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Bytes of response head accepted; every server measured here sends less than 1 KiB.
const MAX_HEAD: usize = 16 * 1024;

/// What is wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The status is not 200.
    Status(String),
    /// The bytes are no HTTP/1.1 response, or have none of the two framings.
    Framing(&'static str),
    /// Bytes came after the end.
    Surplus,
    /// A stream ended without `[DONE]` or with fewer events than were sent.
    Truncated {
        /// Events seen.
        events: usize,
    },
}

/// Where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Counted(usize),
    Size(usize),
    SizeEnd(usize),
    Data(usize),
    DataEnd(u8),
    Last(u8),
    Complete,
}

/// One response while it arrives.
#[derive(Debug)]
pub struct Response {
    state: State,
    head: Vec<u8>,
    tail: Vec<u8>,
    events: usize,
    newline: bool,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            state: State::Head,
            head: Vec::with_capacity(1_024),
            tail: Vec::with_capacity(2 * DONE.len()),
            events: 0,
            newline: false,
        }
    }
}

impl Response {
    /// Makes ready for the next response, keeping the buffers.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.head.clear();
        self.tail.clear();
        self.events = 0;
        self.newline = false;
    }

    /// Whether the response is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether the head has this line; every head has an empty one.
    #[must_use]
    pub fn has_line(&self, line: &str) -> bool {
        line.is_empty() || memmem::find(&self.head, line.as_bytes()).is_some()
    }

    /// Events seen so far.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Wrong`] if they make the response wrong; the connection is of no more use then.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Wrong> {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Head => self.feed_head(bytes)?,
                State::Counted(left) | State::Data(left) => self.feed_data(bytes, left),
                State::Size(size) => {
                    self.state = size_step(size, first)?;
                    rest
                }
                State::SizeEnd(0) => self.expect(first, b'\n', State::Last(b'\r'), rest)?,
                State::SizeEnd(size) => self.expect(first, b'\n', State::Data(size), rest)?,
                State::DataEnd(b'\r') => self.expect(first, b'\r', State::DataEnd(b'\n'), rest)?,
                State::DataEnd(_) => self.expect(first, b'\n', State::Size(0), rest)?,
                State::Last(b'\r') => self.expect(first, b'\r', State::Last(b'\n'), rest)?,
                State::Last(_) => self.expect(first, b'\n', State::Complete, rest)?,
                State::Complete => return Err(Wrong::Surplus),
            };
        }
        Ok(())
    }

    /// Checks a complete stream: at least `least` events, the last one `[DONE]`.
    ///
    /// # Errors
    /// [`Wrong::Truncated`] otherwise.
    pub fn check_stream(&self, least: usize) -> Result<(), Wrong> {
        if self.events >= least && self.tail.ends_with(DONE) {
            return Ok(());
        }
        Err(Wrong::Truncated {
            events: self.events,
        })
    }

    fn expect<'a>(
        &mut self,
        found: u8,
        wanted: u8,
        next: State,
        rest: &'a [u8],
    ) -> Result<&'a [u8], Wrong> {
        if found != wanted {
            return Err(Wrong::Framing("a chunk does not end in CRLF"));
        }
        self.state = next;
        Ok(rest)
    }

    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Wrong> {
        let seen = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head[seen.saturating_sub(3)..], b"\r\n\r\n") else {
            let fits = self.head.len() <= MAX_HEAD;
            return if fits {
                Ok(&[])
            } else {
                Err(Wrong::Framing("the head is too long"))
            };
        };
        let end = seen.saturating_sub(3) + end + 4;
        self.state = framing(&self.head[..end])?;
        Ok(&bytes[end - seen..])
    }

    fn feed_data<'a>(&mut self, bytes: &'a [u8], left: usize) -> &'a [u8] {
        let (data, rest) = bytes.split_at(bytes.len().min(left));
        self.count_events(data);
        let left = left - data.len();
        self.state = match (self.state, left) {
            (State::Counted(_), 0) => State::Complete,
            (State::Counted(_), left) => State::Counted(left),
            (_, 0) => State::DataEnd(b'\r'),
            (_, left) => State::Data(left),
        };
        rest
    }

    fn count_events(&mut self, data: &[u8]) {
        for at in memchr_iter(b'\n', data) {
            let before = if at == 0 {
                self.newline
            } else {
                data[at - 1] == b'\n'
            };
            self.events += usize::from(before);
        }
        self.newline = data.last() == Some(&b'\n');
        let kept = data.len().min(DONE.len());
        self.tail.extend_from_slice(&data[data.len() - kept..]);
        let surplus = self.tail.len().saturating_sub(DONE.len());
        self.tail.drain(..surplus);
    }
}

/// The state after one byte of a chunk's size line.
fn size_step(size: usize, byte: u8) -> Result<State, Wrong> {
    if byte == b'\r' {
        return Ok(State::SizeEnd(size));
    }
    let digit = char::from(byte)
        .to_digit(16)
        .and_then(|digit| usize::try_from(digit).ok());
    let grown = size
        .checked_mul(16)
        .zip(digit)
        .and_then(|(size, digit)| size.checked_add(digit));
    grown
        .map(State::Size)
        .ok_or(Wrong::Framing("a chunk's size is no hexadecimal number"))
}

/// How the body after `head` is framed.
fn framing(head: &[u8]) -> Result<State, Wrong> {
    if !head.starts_with(b"HTTP/1.1 200") {
        let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        return Err(Wrong::Status(String::from_utf8_lossy(line).into_owned()));
    }
    for line in head.split(|&byte| byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
            return match length {
                Some(0) => Ok(State::Complete),
                Some(length) => Ok(State::Counted(length)),
                None => Err(Wrong::Framing("Content-Length is no number")),
            };
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let chunked = value.eq_ignore_ascii_case(b"chunked");
            let wrong = Wrong::Framing("Transfer-Encoding is not chunked");
            return if chunked {
                Ok(State::Size(0))
            } else {
                Err(wrong)
            };
        }
    }
    Err(Wrong::Framing("neither Content-Length nor chunked"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        9\r\ndata: 1\n\n\r\n17\r\ndata: 2\n\ndata: [DONE]\n\n\r\n0\r\n\r\n";

    fn read(bytes: &[u8], step: usize) -> Result<Response, Wrong> {
        let mut response = Response::default();
        for piece in bytes.chunks(step) {
            response.feed(piece)?;
        }
        Ok(response)
    }

    #[test]
    fn splitting_a_stream_anywhere_changes_nothing() {
        for step in 1..=STREAM.len() {
            let response = read(STREAM, step).unwrap();
            assert!(response.is_complete(), "in steps of {step}");
            assert_eq!((response.events(), response.check_stream(3)), (3, Ok(())));
        }
    }

    #[test]
    fn splitting_a_counted_body_anywhere_changes_nothing() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello";
        for step in 1..=bytes.len() {
            assert!(
                read(bytes, step).unwrap().is_complete(),
                "in steps of {step}"
            );
            assert!(!read(&bytes[..bytes.len() - 1], step).unwrap().is_complete());
        }
    }

    #[test]
    fn wrong_responses_are_refused() {
        let status = Wrong::Status("HTTP/1.1 503 Service Unavailable".to_owned());
        let refused = read(
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            99,
        );
        assert_eq!(refused.unwrap_err(), status);
        let surplus = read(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", 99);
        assert_eq!(surplus.unwrap_err(), Wrong::Surplus);
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n", 99).is_err());
        let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        assert!(read(chunk, 99).is_err());
    }

    #[test]
    fn a_stream_without_its_end_is_truncated() {
        let cut =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n";
        let response = read(cut, 99).unwrap();
        assert!(response.is_complete());
        assert_eq!(
            response.check_stream(1),
            Err(Wrong::Truncated { events: 1 })
        );
        assert!(read(STREAM, 99).unwrap().check_stream(4).is_err());
    }

    #[test]
    fn a_reset_reader_reads_again() {
        let mut response = read(STREAM, 7).unwrap();
        response.reset();
        response.feed(STREAM).unwrap();
        assert!(response.is_complete());
        assert_eq!(response.events(), 3);
    }
}
