//! Where does one message end and the next begin?
//!
//! A state machine over the client's bytes: head lines up to the blank one, then a body by length or by chunks, then the next head.
//! It must draw the same boundaries as hyper for every message that both accept, which the differential tests check.
//!
//! # Invariants
//! - [`Follower::follow`] takes at least one byte of what it is given unless it has ended.
//! - A blank line ends a head whether or not its LF has a CR, as in hyper, so that an offending head is passed on whole and nothing after it.

use memchr::memchr;

use super::chunks::{Chunks, Progress};
use super::head::{Body, Head};
use super::violation::Violation;

/// Bytes of an unfinished line that are kept once a head is refused: enough to tell a blank line from others.
const BLANK: usize = 2;

/// Follows the messages of one connection.
#[derive(Debug)]
pub(super) struct Follower {
    phase: Phase,
    head: Head,
    /// The beginning of a line whose end has not been read.
    line: Vec<u8>,
    /// Heads completed.
    heads: u64,
    /// Bytes that one line may have.
    longest: usize,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// In or before a head.
    Head,
    /// In a body of which so many bytes are left, at least 1.
    Length(u64),
    /// In a chunked body.
    Chunked(Chunks),
    /// Past the last byte that may be handed on.
    Ended(Ending),
}

/// Why nothing more is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A head was refused.
    Refused,
    /// A chunked body is malformed, within a request already passed on.
    Broken,
}

impl Follower {
    /// A follower at the start of a connection whose lines may have `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            phase: Phase::Head,
            head: Head::default(),
            line: Vec::new(),
            heads: 0,
            longest,
        }
    }

    /// Whether, and why, nothing more is to be handed on.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// The number of the offending request and what is wrong with it.
    pub(super) fn refusal(&self) -> Option<(u64, Violation)> {
        Some((self.heads, self.head.violation()?))
    }

    /// Heads completed without a violation.
    #[cfg(test)]
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Follows freshly read bytes and returns how many of them may be handed on.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match &mut self.phase {
                Phase::Head => self.follow_head(rest),
                Phase::Length(left) => {
                    let here = (*left).min(rest.len() as u64);
                    *left -= here;
                    if *left == 0 {
                        self.phase = Phase::Head;
                    }
                    here as usize
                }
                Phase::Chunked(chunks) => {
                    let (used, progress) = chunks.follow(rest);
                    match progress {
                        Progress::Inside => {}
                        Progress::Done => self.phase = Phase::Head,
                        Progress::Broken => self.phase = Phase::Ended(Ending::Broken),
                    }
                    used
                }
                Phase::Ended(_) => break,
            };
        }
        at
    }

    /// Follows a head up to its end or the end of the bytes; returns how many it took.
    fn follow_head(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(length) = memchr(b'\n', &bytes[at..]) {
            let line = &bytes[at..at + length];
            at += length + 1;
            let ended = if self.line.is_empty() {
                if line.len() > self.longest {
                    self.head.refuse(Violation::HeadTooLarge);
                }
                self.head.line(line)
            } else {
                self.keep(line);
                let whole = std::mem::take(&mut self.line);
                self.head.line(&whole)
            };
            if ended {
                self.end_head();
                return at;
            }
        }
        self.keep(&bytes[at..]);
        bytes.len()
    }

    /// Adds to the unfinished line, within its bound.
    fn keep(&mut self, part: &[u8]) {
        if self.line.len() + part.len() > self.longest {
            self.head.refuse(Violation::HeadTooLarge);
        }
        if self.head.violation().is_some() {
            self.line.truncate(BLANK);
            let room = BLANK - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(room)]);
        } else {
            self.line.extend_from_slice(part);
        }
    }

    /// Turns from a completed head to its body.
    fn end_head(&mut self) {
        let Ok(body) = self.head.body() else {
            self.phase = Phase::Ended(Ending::Refused);
            return;
        };
        self.heads += 1;
        self.head = Head::default();
        self.phase = match body {
            Body::Length(0) => Phase::Head,
            Body::Length(length) => Phase::Length(length),
            Body::Chunked => Phase::Chunked(Chunks::default()),
        };
    }
}
