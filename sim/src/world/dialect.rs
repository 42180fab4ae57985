//! What a response tells about limits, as it looks after the gateway has read it.
//!
//! Each vendor tells other things in other roundings; this file skips the text and gives the numbers that reading it yields.
//! `tests/conformance.rs` compares them with what the gateway reads from the stand-in providers' real headers and bodies.
//!
//! # Invariants
//! - What a vendor does not tell is not told.
//! - A told wait is never shorter than the real one.

use scoring::ceiling::{Dimension, LimitReport, LimitSource, Reading};
use scoring::time::Span;

use super::limits::{BUCKETS, DAILY, Level, Refusal};
use crate::scenario::Dialect;

const MINUTE: Span = Span::from_secs(60);
const DAY: Span = Span::from_secs(86_400);

/// A wait, unless it is so long that the gateway does not believe it: above a day.
pub(crate) fn believed(wait: Span) -> Option<Span> {
    (wait <= DAY).then_some(wait)
}

/// What the headers of any response tell; `now_us` is the wall clock, for vendors that tell instants.
pub(crate) fn headers(
    dialect: Dialect,
    levels: &[Option<Level>; BUCKETS],
    now_us: u64,
) -> Option<LimitReport> {
    let reading = |bucket: usize, reset: &dyn Fn(Span) -> Span| {
        levels[bucket].map(|it| Reading {
            limit: Some(it.limit.floor()),
            remaining: Some(it.remaining),
            reset: Some(reset(it.reset)),
            ..Reading::default()
        })
    };
    let report = match dialect {
        Dialect::OpenAi => LimitReport {
            requests: reading(0, &millis_up),
            tokens: reading(1, &millis_up),
            ..LimitReport::default()
        },
        Dialect::Groq => LimitReport {
            requests: reading(DAILY, &millis_up).map(|it| Reading {
                window: Some(DAY),
                ..it
            }),
            tokens: reading(1, &millis_up),
            ..LimitReport::default()
        },
        Dialect::Azure => LimitReport {
            requests: reading(0, &seconds_up),
            tokens: reading(1, &seconds_up),
            ..LimitReport::default()
        },
        Dialect::Anthropic => {
            let until = |reset: Span| instant_up(now_us, reset);
            LimitReport {
                requests: reading(0, &until),
                tokens: reading(1, &until),
                input_tokens: reading(2, &until),
                output_tokens: reading(3, &until),
                ..LimitReport::default()
            }
        }
        Dialect::AzureUnknown | Dialect::Gemini | Dialect::Bedrock | Dialect::Silent => {
            return None;
        }
    };
    let any = report.requests.is_some()
        || report.tokens.is_some()
        || report.input_tokens.is_some()
        || report.output_tokens.is_some();
    any.then_some(report)
}

/// What the body of a refusal tells.
pub(crate) fn body(dialect: Dialect, refusal: &Refusal) -> Option<LimitReport> {
    let window = if refusal.bucket == DAILY { DAY } else { MINUTE };
    let (dimension, reading) = match dialect {
        Dialect::OpenAi | Dialect::Groq => (
            refusal.dimension(),
            Reading {
                limit: Some(refusal.limit.round_ties_even()),
                used: Some(refusal.used.round_ties_even()),
                requested: Some(refusal.requested.round_ties_even()),
                reset: believed(millis_up(refusal.wait)),
                window: Some(window),
                ..Reading::default()
            },
        ),
        Dialect::Azure | Dialect::AzureUnknown => {
            let dimension = match refusal.bucket {
                0 | DAILY => Dimension::Requests,
                _ => Dimension::Tokens,
            };
            let reading = Reading {
                reset: Some(believed(seconds_up(refusal.wait))?),
                window: Some(MINUTE),
                ..Reading::default()
            };
            (dimension, reading)
        }
        Dialect::Anthropic => (
            refusal.dimension(),
            Reading {
                limit: Some(refusal.limit.round_ties_even()),
                window: Some(window),
                ..Reading::default()
            },
        ),
        Dialect::Gemini => {
            let (dimension, window) = match refusal.bucket {
                0 => (Dimension::Requests, MINUTE),
                DAILY => (Dimension::Requests, DAY),
                _ => (Dimension::InputTokens, MINUTE),
            };
            let reading = Reading {
                limit: Some(refusal.limit.round_ties_even()),
                reset: retry_after(dialect, refusal.wait),
                window: Some(window),
                ..Reading::default()
            };
            (dimension, reading)
        }
        Dialect::Bedrock | Dialect::Silent => return None,
    };
    let mut report = LimitReport {
        refused: Some(dimension),
        source: LimitSource::Body,
        ..LimitReport::default()
    };
    match dimension {
        Dimension::Requests => report.requests = Some(reading),
        Dimension::InputTokens => report.input_tokens = Some(reading),
        Dimension::OutputTokens => report.output_tokens = Some(reading),
        Dimension::Tokens | Dimension::Concurrency => report.tokens = Some(reading),
    }
    Some(report)
}

/// The wait that a refusal tells.
pub(crate) fn retry_after(dialect: Dialect, wait: Span) -> Option<Span> {
    let told = match dialect {
        Dialect::OpenAi | Dialect::Azure | Dialect::AzureUnknown | Dialect::Gemini => {
            millis_up(wait)
        }
        Dialect::Anthropic | Dialect::Groq => seconds_up(wait),
        Dialect::Bedrock | Dialect::Silent => return None,
    };
    believed(told)
}

fn millis_up(span: Span) -> Span {
    Span::from_millis(span.as_micros().div_ceil(1_000))
}

fn seconds_up(span: Span) -> Span {
    Span::from_secs(span.as_micros().div_ceil(1_000_000))
}

/// The time left until an instant that is written to the second.
fn instant_up(now_us: u64, reset: Span) -> Span {
    let instant = (now_us + reset.as_micros()).div_ceil(1_000_000) * 1_000_000;
    Span::from_micros(instant - now_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bucket: usize) -> Refusal {
        Refusal {
            bucket,
            limit: 250_000.0,
            used: 250_000.0,
            requested: 149_514.0,
            wait: Span::from_micros(35_883_360),
        }
    }

    #[test]
    fn each_vendor_tells_what_it_tells() {
        let level = Some(Level {
            limit: 5_000.0,
            remaining: 4_999.0,
            reset: Span::from_micros(11_500),
        });
        let levels = [level, None, level, None, level];
        let told = |dialect| headers(dialect, &levels, 1_500_000);
        let openai = told(Dialect::OpenAi).unwrap();
        assert_eq!(openai.requests.unwrap().reset, Some(Span::from_millis(12)));
        assert!(openai.input_tokens.is_none());
        let anthropic = told(Dialect::Anthropic).unwrap().input_tokens.unwrap();
        assert_eq!(anthropic.reset, Some(Span::from_millis(500)));
        let groq = told(Dialect::Groq).unwrap().requests.unwrap();
        assert_eq!(groq.window, Some(DAY));
        for silent in [Dialect::AzureUnknown, Dialect::Gemini, Dialect::Silent] {
            assert!(told(silent).is_none());
        }
    }

    #[test]
    fn refusals_name_their_dimension_where_the_vendor_does() {
        let openai = body(Dialect::OpenAi, &refusal(1)).unwrap();
        assert_eq!(openai.refused, Some(Dimension::Tokens));
        assert_eq!(openai.tokens.unwrap().used, Some(250_000.0));
        let gemini = body(Dialect::Gemini, &refusal(1)).unwrap();
        assert_eq!(gemini.refused, Some(Dimension::InputTokens));
        assert_eq!(body(Dialect::Bedrock, &refusal(1)), None);
    }

    #[test]
    fn waits_round_up_as_each_vendor_rounds() {
        for (dialect, expected) in [
            (Dialect::OpenAi, Some(35_884)),
            (Dialect::Groq, Some(36_000)),
            (Dialect::Gemini, Some(35_884)),
            (Dialect::Silent, None),
        ] {
            let told = retry_after(dialect, refusal(1).wait);
            assert_eq!(told, expected.map(Span::from_millis), "{dialect:?}");
        }
    }

    #[test]
    fn broken_numbers_are_told_whole_and_absurd_waits_not_at_all() {
        let sliced = Refusal {
            limit: 360.0 / 7.0,
            used: 2.5,
            wait: Span::from_secs(86_401),
            ..refusal(0)
        };
        let told = |dialect| body(dialect, &sliced).and_then(|it| it.requests);
        let openai = told(Dialect::OpenAi).unwrap();
        assert_eq!((openai.limit, openai.used), (Some(51.0), Some(2.0)));
        assert_eq!(openai.reset, None);
        assert_eq!(told(Dialect::Anthropic).unwrap().limit, Some(51.0));
        assert_eq!(told(Dialect::Azure), None);
        assert_eq!(retry_after(Dialect::Groq, sliced.wait), None);
    }
}
