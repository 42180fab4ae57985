//! What the providers saw: every attempt, when it began and how it ended.
//!
//! It is the second witness of a test: the client says what it got, the ledger says what that cost.
//! An attempt is written when its request has been read and amended when it ends, so one in silence shows too.
//!
//! # Invariants
//! - Sequence numbers rise by one and are never used again, not even after a clear.
//! - At most [`CAPACITY`] attempts are kept; the oldest go first.
//! - What an attempt came to is in the totals once it has ended, however many came after it.
//! - Whole requests are kept for at most [`REQUESTS`] attempts and some [`REQUEST_BYTES`]; the oldest lose theirs first.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use scoring::time::Span;
use serde::{Serialize, Serializer};

use super::bill::Billed;
use super::catalogue::Fault;

/// Attempts kept: more than a test makes between two looks, and some 4 MB at most.
pub const CAPACITY: usize = 16_384;

/// Attempts whose whole request is kept: more than a test looks at, and few enough to load nobody's memory.
pub const REQUESTS: usize = 1_024;

/// Bytes of bodies that are kept; the last request is kept whole in any case.
pub const REQUEST_BYTES: usize = 32 << 20;

/// Bytes above which a body is shared with the connection's buffer and not copied out of it.
const COPIED: usize = 64 << 10;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query, as they were sent.
    pub target: Box<str>,
    /// Every header, with credentials.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

/// One attempt, as the provider saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Number of the attempt, from 1, rising by one.
    pub seq: u64,
    /// When its request had been read, in microseconds since the mock was made.
    pub at_us: u64,
    /// When it ended, in microseconds since the mock was made; 0 while it lasts.
    pub ended_us: u64,
    /// Name of the provider.
    #[serde(serialize_with = "as_text")]
    pub provider: Rc<str>,
    /// The model asked for.
    pub model: Box<str>,
    /// Last four characters of the API key; empty if there was none.
    pub key: Box<str>,
    /// What was asked for, such as `chat/completions` or `models:generateContent`.
    pub path: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Estimated input tokens.
    pub input_tokens: u32,
    /// Output tokens handed to the connection so far.
    pub output_tokens: u32,
    /// What the client is billed for so far.
    pub billed: Billed,
    /// Status sent; 0 if none was.
    pub status: u16,
    /// How it ended.
    pub end: End,
    /// The fault that struck it, if one did.
    pub fault: Option<Fault>,
    /// The `x-mock-tag` header, or the body's `user`; empty if there was neither.
    pub tag: Box<str>,
    /// The request itself, while it is kept.
    #[serde(skip)]
    pub received: Option<Rc<Received>>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It still lasts.
    Open,
    /// The answer was complete.
    Completed,
    /// It was refused with an error status.
    Refused,
    /// A fault ended or spoiled it.
    Faulted,
    /// The client left first.
    ClientLeft,
    /// The client left first and the provider worked to the end all the same.
    AnsweredNobody,
}

/// What all attempts of one kind came to that have ended, since the mock was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Name of the provider.
    #[serde(serialize_with = "as_text")]
    pub provider: Rc<str>,
    /// What was asked for, as in [`Attempt::path`].
    pub path: &'static str,
    /// How they ended.
    pub end: End,
    /// How many they are.
    pub attempts: u64,
    /// Their input tokens.
    pub input_tokens: u64,
    /// Their output tokens.
    pub output_tokens: u64,
}

/// The bounded list of attempts, and what those that have ended came to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    kept: VecDeque<Attempt>,
    /// One for each kind there was: as many as providers have endpoints and ends.
    totals: Vec<Total>,
    last: u64,
    /// Number of the oldest attempt that may have its request.
    oldest_received: u64,
    received: usize,
    received_bytes: usize,
}

impl Received {
    /// A request whose body is copied unless it is large, so that a small one does not hold a connection's buffer.
    pub(super) fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Rc<Self> {
        let body = if body.len() < COPIED {
            Bytes::copy_from_slice(&body)
        } else {
            body
        };
        Rc::new(Self {
            method,
            target: target.into(),
            headers,
            body,
        })
    }

    /// A header's value, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Attempt {
    /// An attempt at `provider` that begins at `age`, of which nothing else is known yet.
    pub(super) fn begun(provider: &Rc<str>, path: &'static str, age: Span) -> Self {
        Self {
            seq: 0,
            at_us: age.as_micros(),
            ended_us: 0,
            provider: Rc::clone(provider),
            model: Box::default(),
            key: Box::default(),
            path,
            stream: false,
            input_tokens: 0,
            output_tokens: 0,
            billed: Billed::default(),
            status: 0,
            end: End::Open,
            fault: None,
            tag: Box::default(),
            received: None,
        }
    }
}

impl Ledger {
    /// Writes an attempt and returns its number, which replaces whatever `seq` it came with.
    pub(super) fn open(&mut self, mut attempt: Attempt) -> u64 {
        self.last += 1;
        attempt.seq = self.last;
        if self.kept.len() == CAPACITY {
            let request = self.kept.pop_front().and_then(|it| it.received);
            self.forget_request(request.as_deref());
        }
        if let Some(received) = &attempt.received {
            self.received += 1;
            self.received_bytes += received.body.len();
        }
        self.kept.push_back(attempt);
        self.thin();
        self.last
    }

    /// Forgets the oldest requests until those that are kept are within their bounds.
    fn thin(&mut self) {
        while self.received > 1
            && (self.received > REQUESTS || self.received_bytes > REQUEST_BYTES)
            && self.oldest_received < self.last
        {
            let oldest = self.oldest_received;
            self.oldest_received += 1;
            let request = self.get_mut(oldest).and_then(|it| it.received.take());
            self.forget_request(request.as_deref());
        }
    }

    fn forget_request(&mut self, request: Option<&Received>) {
        if let Some(request) = request {
            self.received -= 1;
            self.received_bytes -= request.body.len();
        }
    }

    /// The attempt numbered `seq`, while it is kept.
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Attempt> {
        let first = self.kept.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.kept.get_mut(index)
    }

    /// The attempts after number `since`, oldest first.
    pub(super) fn since(&self, since: u64) -> impl Iterator<Item = &Attempt> {
        let first = self.kept.front().map_or(0, |it| it.seq);
        let skip =
            usize::try_from(since.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip)
    }

    /// Adds an attempt that has ended to the totals, whether or not it is still kept.
    pub(super) fn count(&mut self, attempt: &Total) {
        let same = |it: &&mut Total| {
            it.end == attempt.end && it.path == attempt.path && it.provider == attempt.provider
        };
        match self.totals.iter_mut().find(same) {
            Some(total) => {
                total.attempts += attempt.attempts;
                total.input_tokens += attempt.input_tokens;
                total.output_tokens += attempt.output_tokens;
            }
            None => self.totals.push(attempt.clone()),
        }
    }

    /// What the attempts that have ended came to, by provider, path and end.
    pub(super) fn totals(&self) -> &[Total] {
        &self.totals
    }

    /// Forgets every attempt, but neither the count of them nor the totals.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        (self.received, self.received_bytes) = (0, 0);
        self.oldest_received = self.last;
    }

    /// Number of the last attempt; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }
}

/// Writes a shared text as a plain one.
fn as_text<S: Serializer>(text: &Rc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn attempt() -> Attempt {
        Attempt::begun(&"alpha".into(), "chat/completions", Span::ZERO)
    }

    #[test]
    fn numbers_rise_and_survive_a_clear() {
        let mut ledger = Ledger::default();
        assert_eq!((ledger.open(attempt()), ledger.open(attempt())), (1, 2));
        assert_eq!(ledger.since(1).map(|it| it.seq).collect::<Vec<_>>(), [2]);
        ledger.clear();
        assert!(ledger.get_mut(2).is_none());
        assert_eq!(ledger.open(attempt()), 3);
        assert_eq!(ledger.since(0).map(|it| it.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(ledger.get_mut(3).unwrap().seq, 3);
    }

    #[test]
    fn the_oldest_go_first() {
        let mut ledger = Ledger::default();
        for _ in 0..CAPACITY + 5 {
            ledger.open(attempt());
        }
        assert_eq!(ledger.since(0).count(), CAPACITY);
        assert_eq!(ledger.since(0).next().unwrap().seq, 6);
        assert!(ledger.get_mut(5).is_none());
    }

    #[test]
    fn totals_outlive_attempts() {
        let total = |end, output_tokens| Total {
            provider: "alpha".into(),
            path: "chat/completions",
            end,
            attempts: 1,
            input_tokens: 2,
            output_tokens,
        };
        let mut ledger = Ledger::default();
        ledger.count(&total(End::Completed, 5));
        ledger.count(&total(End::ClientLeft, 7));
        ledger.clear();
        ledger.count(&total(End::Completed, 6));
        let both = Total {
            attempts: 2,
            input_tokens: 4,
            ..total(End::Completed, 11)
        };
        assert_eq!(ledger.totals(), [both, total(End::ClientLeft, 7)]);
    }

    #[test]
    fn requests_are_kept_within_bounds() {
        let asked = |bytes: usize| Attempt {
            received: Some(Received::new(
                Method::POST,
                "/",
                HeaderMap::new(),
                Bytes::from(vec![0; bytes]),
            )),
            ..attempt()
        };
        let kept = |ledger: &Ledger| ledger.since(0).filter(|it| it.received.is_some()).count();
        let mut ledger = Ledger::default();
        for _ in 0..REQUESTS + 5 {
            ledger.open(asked(10));
        }
        assert_eq!(kept(&ledger), REQUESTS);
        ledger.open(asked(REQUEST_BYTES - 25));
        assert_eq!(kept(&ledger), 3);
        ledger.open(asked(REQUEST_BYTES + 1));
        assert_eq!(kept(&ledger), 1);
        assert!(ledger.since(0).last().unwrap().received.is_some());
        ledger.clear();
        ledger.open(asked(10));
        assert_eq!((kept(&ledger), ledger.received_bytes), (1, 10));
    }
}
