//! Is a request's head unambiguous, and how long is its body?
//!
//! Each line is looked at once, as soon as it is complete; only four of them matter: the first, Host, Content-Length and Transfer-Encoding.
//! What no reader disagrees about is left to hyper: characters of names and values, header count, versions.
//!
//! # Invariants
//! - The first violation of a head stays; later lines are then only searched for the blank one.
//! - A header counts by its name up to the colon, as in hyper, which refuses blanks in between.

use super::target::{self, Target};
use super::violation::Violation;

/// Digits of a Content-Length: 19 always fit 64 bits.
const LENGTH_DIGITS: usize = 19;

/// What is known of the head being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Whether the request line has been read.
    begun: bool,
    /// Whether it says HTTP/1.0.
    old: bool,
    /// The authority of a target in absolute form.
    authority: Option<Box<[u8]>>,
    has_host: bool,
    length: Option<u64>,
    chunked: bool,
    violation: Option<Violation>,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// After so many bytes; 0 without a body.
    Length(u64),
    /// By its chunks.
    Chunked,
}

impl Head {
    /// What is wrong with the head so far.
    pub(super) fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// Records a violation unless there is one.
    pub(super) fn refuse(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// Takes a line without its LF; whether it ends the head.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        let line = if let Some(line) = line.strip_suffix(b"\r") {
            line
        } else {
            self.refuse(Violation::BareLineFeed);
            line
        };
        if line.is_empty() {
            return self.begun;
        }
        let first = !std::mem::replace(&mut self.begun, true);
        if self.violation.is_none() {
            let checked = if first {
                self.request_line(line)
            } else {
                self.field(line)
            };
            self.violation = checked.err();
        }
        false
    }

    /// How the completed head's body ends, or why the request is refused.
    pub(super) fn body(&mut self) -> Result<Body, Violation> {
        if !self.has_host && !self.old {
            self.refuse(Violation::MissingHost);
        }
        match self.violation {
            Some(violation) => Err(violation),
            None if self.chunked => Ok(Body::Chunked),
            None => Ok(Body::Length(self.length.unwrap_or(0))),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (method, rest) = split_at_space(line)?;
        let (target, version) = split_at_space(rest)?;
        self.old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Violation::RequestLine),
        };
        match method {
            b"CONNECT" | b"TRACE" => return Err(Violation::Method),
            _ => {}
        }
        match target::check(target)? {
            Target::Path => Ok(()),
            Target::Server if method == b"OPTIONS" => Ok(()),
            Target::Server => Err(Violation::Target),
            Target::Absolute(authority) => {
                self.authority = Some(authority.into());
                Ok(())
            }
        }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        match line[0] {
            b' ' | b'\t' => Err(Violation::FoldedLine),
            b'h' | b'H' => value(line, b"host").map_or(Ok(()), |host| self.host(host)),
            b'c' | b'C' => {
                value(line, b"content-length").map_or(Ok(()), |length| self.content_length(length))
            }
            b't' | b'T' => value(line, b"transfer-encoding")
                .map_or(Ok(()), |coding| self.transfer_encoding(coding)),
            _ => Ok(()),
        }
    }

    fn host(&mut self, host: &[u8]) -> Result<(), Violation> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(Violation::RepeatedHost);
        }
        if !target::is_authority(host) {
            return Err(Violation::InvalidHost);
        }
        match &self.authority {
            Some(authority) if !authority.eq_ignore_ascii_case(host) => {
                Err(Violation::HostMismatch)
            }
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, text: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::RepeatedLength);
        }
        if self.chunked {
            return Err(Violation::LengthAndEncoding);
        }
        let digits = text.iter().all(u8::is_ascii_digit);
        if text.is_empty() || text.len() > LENGTH_DIGITS || !digits {
            return Err(Violation::InvalidLength);
        }
        let value = |sum, byte: &u8| sum * 10 + u64::from(byte - b'0');
        self.length = Some(text.iter().fold(0, value));
        Ok(())
    }

    fn transfer_encoding(&mut self, coding: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::LengthAndEncoding);
        }
        if self.chunked || self.old || !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(Violation::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }
}

/// What stands before and after the first space.
fn split_at_space(text: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let at = memchr::memchr(b' ', text).filter(|&at| at > 0);
    let at = at.ok_or(Violation::RequestLine)?;
    Ok((&text[..at], &text[at + 1..]))
}

/// The value of a header line if it has this name, given in lower case; blanks around it removed.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let mut value = rest.strip_prefix(b":")?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Some(value)
}
