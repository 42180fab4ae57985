//! Where does one frame of an AWS event stream end, and what is in it?
//!
//! A frame is: its length and the headers' length (both 32 bits, the highest byte first), a CRC of these, headers, payload, and a CRC of all before it.
//! Source: the Smithy description of `application/vnd.amazon.eventstream`.
//!
//! # Invariants
//! - Splitting the bytes anywhere changes nothing.
//! - Nothing is taken from a frame whose checksums are wrong, and nothing after it.
//! - At most one frame that is not complete is held, and none is longer than [`MAX_FRAME`].

use bytes::{Buf, Bytes, BytesMut};

use super::error;

/// The longest frame that is accepted, in bytes: as much as the longest event of a stream in text.
///
/// AWS allows 24 MB; deltas of an answer are some hundred bytes, and what is longer than this is no answer.
pub const MAX_FRAME: usize = crate::stream::sse::MAX_EVENT;

/// Two lengths and their checksum.
const PRELUDE: usize = 12;

/// What a frame has besides headers and payload: the prelude and the last checksum.
const AROUND: usize = PRELUDE + 4;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The event's name; of an exception or an error its type.
    pub event: String,
    /// What it is.
    pub kind: Kind,
    /// JSON. Of an exception or an error it is an object as [`error::normalise`] writes it.
    pub payload: Bytes,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Part of the answer.
    Event,
    /// An error that the operation knows.
    Exception,
    /// Any other error.
    Error,
}

/// Why the bytes are no event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A frame is longer than [`MAX_FRAME`].
    #[error("a frame of the event stream is too long")]
    TooLong,
    /// A checksum is wrong.
    #[error("a checksum of the event stream is wrong")]
    Checksum,
    /// Lengths or headers contradict each other.
    #[error("a frame of the event stream is malformed")]
    Malformed,
}

/// Takes an event stream apart.
#[derive(Debug, Default)]
pub struct Frames {
    held: BytesMut,
    broken: Option<Broken>,
}

impl Frames {
    /// Takes the next bytes, and gives the frames that they complete.
    ///
    /// # Errors
    /// [`Broken`] when they are no event stream; every later call fails in the same way.
    pub fn push(&mut self, chunk: Bytes) -> Result<Vec<Frame>, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        self.held.extend_from_slice(&chunk);
        let mut frames = Vec::new();
        loop {
            match self.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return Ok(frames),
                Err(broken) => {
                    self.held = BytesMut::new();
                    self.broken = Some(broken);
                    // What came whole before the break still counts; the next call tells of the break.
                    return if frames.is_empty() {
                        Err(broken)
                    } else {
                        Ok(frames)
                    };
                }
            }
        }
    }

    /// Whether the stream may end here: nothing of a frame is held, and nothing was broken.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.held.is_empty() && self.broken.is_none()
    }

    fn next(&mut self) -> Result<Option<Frame>, Broken> {
        let Some(mut prelude) = self.held.get(..PRELUDE) else {
            return Ok(None);
        };
        let checked = crc32fast::hash(prelude.get(..8).unwrap_or_default());
        let (total, headers) = (prelude.get_u32() as usize, prelude.get_u32() as usize);
        if prelude.get_u32() != checked {
            return Err(Broken::Checksum);
        }
        if total > MAX_FRAME {
            return Err(Broken::TooLong);
        }
        if total < AROUND || headers > total - AROUND {
            return Err(Broken::Malformed);
        }
        let Some(frame) = self.held.get(..total) else {
            return Ok(None);
        };
        let (content, mut sum) = frame.split_at(total - 4);
        if sum.get_u32() != crc32fast::hash(content) {
            return Err(Broken::Checksum);
        }
        let mut frame = self.held.split_to(total).freeze();
        frame.truncate(total - 4);
        frame.advance(PRELUDE);
        let headers = frame.split_to(headers);
        understood(&Headers::read(&headers)?, frame).map(Some)
    }
}

/// The headers that matter.
#[derive(Debug, Default)]
struct Headers<'a> {
    message_type: &'a str,
    event_type: &'a str,
    exception_type: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

impl<'a> Headers<'a> {
    fn read(mut bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut headers = Self::default();
        while !bytes.is_empty() {
            let length = usize::from(bytes.try_get_u8().map_err(|_| Broken::Malformed)?);
            let name = take(&mut bytes, length)?;
            let kind = bytes.try_get_u8().map_err(|_| Broken::Malformed)?;
            let length = match kind {
                0 | 1 => 0,
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                6 | 7 => usize::from(bytes.try_get_u16().map_err(|_| Broken::Malformed)?),
                9 => 16,
                _ => return Err(Broken::Malformed),
            };
            let value = take(&mut bytes, length)?;
            let slot = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            if kind == 7 {
                *slot = std::str::from_utf8(value).map_err(|_| Broken::Malformed)?;
            }
        }
        Ok(headers)
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Broken> {
    let (head, rest) = bytes.split_at_checked(length).ok_or(Broken::Malformed)?;
    *bytes = rest;
    Ok(head)
}

fn understood(headers: &Headers<'_>, payload: Bytes) -> Result<Frame, Broken> {
    let (event, kind, payload) = match headers.message_type {
        "event" => (headers.event_type, Kind::Event, payload),
        "exception" => (
            headers.exception_type,
            Kind::Exception,
            error::normalise(Some(headers.exception_type), None, &payload),
        ),
        "error" => (
            headers.error_code,
            Kind::Error,
            error::object(headers.error_code, headers.error_message),
        ),
        _ => return Err(Broken::Malformed),
    };
    Ok(Frame {
        event: event.to_owned(),
        kind,
        payload,
    })
}

#[cfg(test)]
#[path = "frames/tests.rs"]
mod tests;
