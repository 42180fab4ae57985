//! What the gateway makes of a response that came straight from a stand-in: the same dialects, the same clocks.
//!
//! # Invariants
//! - Nothing of the stand-ins' own code is asked; only bytes and their times.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use scoring::Outcome;
use scoring::ceiling::LimitReport;
use scoring::time::Span;
use sim::scenario::Clocks;
use trimtab::clock;
use trimtab::dialects::classify;
use trimtab::dialects::limits::LimitDialect;
use trimtab::dialects::openai::splice::UsageChunk;
use trimtab::dialects::openai::{response, watch};
use trimtab::dialects::tap::{Tap, Watch};
use trimtab::dialects::{limits, retry_after};

use crate::support::{Answer, Ended};

/// What befell an attempt, in the terms of the simulator's `Fate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) first: Option<Span>,
    pub(crate) end: Span,
    pub(crate) head: Option<Span>,
    pub(crate) retry_after: Option<Span>,
    pub(crate) told: Option<LimitReport>,
    pub(crate) refused: Option<LimitReport>,
    pub(crate) output: u32,
}

/// How a response is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    pub(crate) dialect: LimitDialect,
    pub(crate) clocks: Clocks,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
}

impl Reader {
    /// Reads what came, or how and after how long nothing did.
    pub(crate) fn read(&self, got: Result<Answer, Ended>, took: Duration) -> Seen {
        let Ok(answer) = got else {
            return self.headless(took.into());
        };
        let head: Span = answer.arrivals[0].1.into();
        if head > self.clocks.head {
            return self.headless(head);
        }
        let headers = header_map(&answer);
        let mut seen = Seen {
            head: Some(head),
            told: limits::from_headers(self.dialect, &headers, clock::unix()),
            ..bare(Outcome::Success, answer.took.into())
        };
        if answer.status != 200 {
            let status = StatusCode::from_u16(answer.status).unwrap();
            seen.outcome = classify::refusal(status, &answer.body).outcome;
            seen.retry_after = retry_after::from_headers(&headers, clock::unix())
                .or_else(|| retry_after::from_body(&answer.body));
            if seen.outcome == Outcome::RateLimited {
                seen.refused = limits::from_body(self.dialect, &answer.body);
            }
        } else if self.stream && answer.is_stream() {
            self.streamed(&mut seen, &answer);
        } else {
            self.whole(&mut seen, &answer);
        }
        seen
    }

    fn headless(&self, took: Span) -> Seen {
        if took > self.clocks.head {
            bare(Outcome::TimedOut, self.clocks.head)
        } else {
            bare(Outcome::Disconnected, took)
        }
    }

    fn whole(&self, seen: &mut Seen, answer: &Answer) {
        let body = answer.arrivals.iter().find(|(upto, _)| *upto > 0);
        let late = seen.head.unwrap().plus(self.clocks.first_token);
        if body.is_none_or(|(_, at)| Span::from(*at) > late) {
            (seen.outcome, seen.end) = (Outcome::TimedOut, late);
        } else if answer.ended != Ended::Whole {
            seen.outcome = Outcome::Disconnected;
        } else {
            match response::read_whole(&answer.body) {
                Ok(summary) if !self.stream => {
                    seen.output = summary.usage.and_then(|it| it.output).unwrap_or(0);
                }
                _ => seen.outcome = Outcome::ServerError,
            }
        }
    }

    fn streamed(&self, seen: &mut Seen, answer: &Answer) {
        let mut tap = Tap::new(Watch::Chat(watch::Watch::new(UsageChunk::Expected)));
        let (mut from, mut progress) = (0, seen.head.unwrap());
        for &(upto, at) in &answer.arrivals {
            let at = Span::from(at);
            let (patience, outcome) = match seen.first {
                None => (self.clocks.first_token, Outcome::TimedOut),
                Some(_) => (self.clocks.between_tokens, Outcome::Truncated),
            };
            if at > progress.plus(patience) {
                (seen.outcome, seen.end) = (outcome, progress.plus(patience));
                seen.output = tap.progress.output_tokens();
                return;
            }
            let passed = tap.pass(Bytes::copy_from_slice(&answer.body[from..upto]));
            from = upto;
            if passed.unwrap().content {
                seen.first.get_or_insert(at);
                progress = at;
            }
            if tap.progress.done {
                seen.end = at;
                break;
            }
        }
        seen.output = tap.progress.output_tokens();
        if !tap.progress.done && !tap.progress.finished {
            seen.outcome = match seen.first {
                None => Outcome::Disconnected,
                Some(_) => Outcome::Truncated,
            };
        }
    }
}

fn bare(outcome: Outcome, end: Span) -> Seen {
    Seen {
        outcome,
        first: None,
        end,
        head: None,
        retry_after: None,
        told: None,
        refused: None,
        output: 0,
    }
}

fn header_map(answer: &Answer) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    answer.headers.iter().map(pair).collect()
}
