//! How do one dimension's header values become a [`Reading`]?
//!
//! The vendors' files find the values; this one decides which of them are believed.
//!
//! # Invariants
//! - The first value of a repeated header counts.
//! - The rules on zero and negative numbers of the parent module hold for every vendor.

use scoring::ceiling::{Dimension, LimitReport, LimitSource, Reading};
use scoring::time::Span;

/// The longest reset that is believed: 31 days, the longest quota window that is sold.
///
/// A longer one is an instant in some other unit, and would make a limit look like it never refills.
pub const LONGEST_RESET: Span = Span::from_secs(31 * 86_400);

/// Digits that a count may have: above 15 an `f64` no longer holds every integer.
const DIGITS: usize = 15;

/// What a limit counts, as far as any provider tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Requests,
    Tokens,
    InputTokens,
    OutputTokens,
}

impl Counted {
    /// Scoring's name for it.
    fn dimension(self) -> Dimension {
        match self {
            Self::Requests => Dimension::Requests,
            Self::Tokens => Dimension::Tokens,
            Self::InputTokens => Dimension::InputTokens,
            Self::OutputTokens => Dimension::OutputTokens,
        }
    }
}

/// Which of a limit's values it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Limit,
    Remaining,
    Reset,
}

/// One dimension's header values as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written<'a> {
    limit: Option<&'a [u8]>,
    remaining: Option<&'a [u8]>,
    reset: Option<&'a [u8]>,
}

/// All dimensions' header values as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'a>([Written<'a>; 4]);

impl<'a> Values<'a> {
    /// Keeps a value unless that part has been seen.
    pub(super) fn keep(&mut self, (counted, part): (Counted, Part), value: &'a [u8]) {
        let written = &mut self.0[counted as usize];
        let slot = match part {
            Part::Limit => &mut written.limit,
            Part::Remaining => &mut written.remaining,
            Part::Reset => &mut written.reset,
        };
        slot.get_or_insert(value);
    }

    /// The report, if anything in it can be believed; `reset` reads this vendor's resets.
    pub(super) fn report(&self, reset: impl Fn(&[u8]) -> Option<Span>) -> Option<LimitReport> {
        let of = |counted: Counted| self.0[counted as usize].reading(&reset);
        filled(LimitReport {
            requests: of(Counted::Requests),
            tokens: of(Counted::Tokens),
            input_tokens: of(Counted::InputTokens),
            output_tokens: of(Counted::OutputTokens),
            refused: None,
            source: LimitSource::Header,
        })
    }
}

impl Written<'_> {
    fn reading(&self, reset: &impl Fn(&[u8]) -> Option<Span>) -> Option<Reading> {
        let limit = match self.limit {
            Some(text) => Some(count(text).filter(|&limit| limit > 0.0)?),
            None => None,
        };
        let remaining = self.remaining.and_then(count);
        let remaining = remaining.filter(|&left| left > 0.0 || limit.is_some());
        if limit.is_none() && remaining.is_none() {
            return None;
        }
        let reset = self.reset.and_then(reset);
        Some(Reading {
            limit,
            remaining,
            reset: reset.filter(|&reset| reset <= LONGEST_RESET),
            ..Reading::default()
        })
    }
}

/// The report, unless it holds no reading.
pub(super) fn filled(report: LimitReport) -> Option<LimitReport> {
    let any = report.requests.is_some()
        || report.tokens.is_some()
        || report.input_tokens.is_some()
        || report.output_tokens.is_some();
    any.then_some(report)
}

/// What a refusal says that blames one dimension, with its reading if there is one.
pub(super) fn refusal(counted: Counted, reading: Option<Reading>) -> LimitReport {
    let mut report = LimitReport {
        refused: Some(counted.dimension()),
        source: LimitSource::Body,
        ..LimitReport::default()
    };
    *place(&mut report, counted) = reading;
    report
}

/// The place of a dimension in a report.
pub(super) fn place(report: &mut LimitReport, counted: Counted) -> &mut Option<Reading> {
    match counted {
        Counted::Requests => &mut report.requests,
        Counted::Tokens => &mut report.tokens,
        Counted::InputTokens => &mut report.input_tokens,
        Counted::OutputTokens => &mut report.output_tokens,
    }
}

/// A count without a sign; a fraction is dropped, and commas between digits are skipped.
pub(super) fn count(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let (mut value, mut digits) = (0_u64, 0);
    let mut rest = text.iter();
    for byte in rest.by_ref() {
        match byte {
            b'0'..=b'9' if digits < DIGITS => {
                value = value * 10 + u64::from(byte - b'0');
                digits += 1;
            }
            b',' if digits > 0 => {}
            b'.' if digits > 0 => break,
            _ => return None,
        }
    }
    let fraction = rest.as_slice().iter().all(u8::is_ascii_digit);
    (digits > 0 && fraction).then_some(value as f64)
}
