//! What a provider says about its limits, in one shape for all dialects.
//!
//! The gateway's dialects parse header names, Go durations and error texts; here a reading is already `(limit, remaining or used, reset)` of one dimension.
//! The length of the window is rarely said, but it follows from how long the used part takes to refill: `window = reset · limit / used`.
//! That is how a limit per day is told from one per minute although both headers have the same name.
//!
//! # Invariants
//! - Non-positive and non-finite limits are no information; neither are negative remainders.
//! - A window that was not said is believed only if it is one of the few that exist; anything else means "per minute".

use crate::time::Span;

/// What a ceiling limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Requests per window.
    Requests,
    /// Input and output tokens together, per window.
    Tokens,
    /// Input tokens per window.
    InputTokens,
    /// Output tokens per window.
    OutputTokens,
    /// Requests in flight at once.
    Concurrency,
}

impl Dimension {
    /// Every dimension, in the order of [`Dimension::index`].
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::Concurrency,
    ];

    /// Position in [`Dimension::ALL`], 0..=4.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name used in metrics and explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Concurrency => "concurrency",
        }
    }
}

/// Where a provider said something about its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LimitSource {
    /// Response headers.
    #[default]
    Header,
    /// The body of a refusal.
    Body,
}

/// What a provider says about one dimension; everything is optional.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Units per window; believed if > 0.
    pub limit: Option<f64>,
    /// Units left when the request was counted; believed if ≥ 0.
    pub remaining: Option<f64>,
    /// Units used when the request was counted; taken if `remaining` is missing.
    pub used: Option<f64>,
    /// Units that the refused request was counted as.
    pub requested: Option<f64>,
    /// Time until the used part is refilled; with `requested`, until the request would fit.
    pub reset: Option<Span>,
    /// Length of the window where the provider says it.
    pub window: Option<Span>,
}

/// Everything that one response says about limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimitReport {
    /// Requests per window.
    pub requests: Option<Reading>,
    /// Tokens per window.
    pub tokens: Option<Reading>,
    /// Input tokens per window.
    pub input_tokens: Option<Reading>,
    /// Output tokens per window.
    pub output_tokens: Option<Reading>,
    /// The dimension that a refusal blames, where it names one.
    pub refused: Option<Dimension>,
    /// Where the readings were found.
    pub source: LimitSource,
}

impl LimitReport {
    /// The reading of `dimension`; `None` for concurrency, which no provider reports.
    #[must_use]
    pub const fn reading(&self, dimension: Dimension) -> Option<&Reading> {
        match dimension {
            Dimension::Requests => self.requests.as_ref(),
            Dimension::Tokens => self.tokens.as_ref(),
            Dimension::InputTokens => self.input_tokens.as_ref(),
            Dimension::OutputTokens => self.output_tokens.as_ref(),
            Dimension::Concurrency => None,
        }
    }
}

/// The window that is meant when nothing says otherwise: every provider's default unit is the minute.
pub(super) const MINUTE: Span = Span::from_secs(60);

/// From this window on a limit is a quota to be waited out, not a rate to be paced: one hour.
///
/// Pacing a daily quota evenly would hold traffic back all morning for nothing.
pub(super) const QUOTA_WINDOW: Span = Span::from_secs(3_600);

/// Windows that providers use, in seconds.
const WINDOWS: [f64; 5] = [1.0, 10.0, 60.0, 3_600.0, 86_400.0];

/// How far an inferred window may be from a real one, as a ratio: beyond it the reset is of a fixed window and says nothing.
const WINDOW_TOLERANCE: f64 = 0.1;

impl Reading {
    /// The limit, if it is one.
    pub(super) fn positive_limit(&self) -> Option<f64> {
        self.limit.filter(|limit| *limit > 0.0 && limit.is_finite())
    }

    /// Units left, from `remaining` or from `limit - used`.
    pub(super) fn left(&self) -> Option<f64> {
        let from_used = || Some((self.positive_limit()? - self.used?).max(0.0));
        self.remaining
            .or_else(from_used)
            .filter(|left| *left >= 0.0 && left.is_finite())
    }

    /// The window's length: as said, or as the refill time of the used part shows; `None` if neither.
    pub(super) fn window(&self) -> Option<Span> {
        if self.window.is_some_and(|window| window > Span::ZERO) {
            return self.window;
        }
        let limit = self.positive_limit()?;
        let missing = match (self.used, self.requested) {
            (Some(used), Some(requested)) => used + requested - limit,
            _ => limit - self.left()?,
        };
        let reset = self.reset?.as_secs_f64();
        if missing <= 0.0 || reset <= 0.0 {
            return None;
        }
        let seen = reset * limit / missing;
        // A reset in whole seconds was rounded, so the true one may be up to a second shorter.
        let rounding = if reset.fract() < 1e-9 {
            limit / missing
        } else {
            0.0
        };
        let fits = |window: f64| {
            seen - rounding <= window * (1.0 + WINDOW_TOLERANCE)
                && seen >= window * (1.0 - WINDOW_TOLERANCE)
        };
        let mut fitting = WINDOWS.into_iter().filter(|window| fits(*window));
        match (fitting.next(), fitting.next()) {
            (Some(window), None) => Some(Span::from_secs_f64(window)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(limit: f64, remaining: f64, reset: f64) -> Reading {
        Reading {
            limit: Some(limit),
            remaining: Some(remaining),
            reset: Some(Span::from_secs_f64(reset)),
            ..Reading::default()
        }
    }

    #[test]
    fn the_window_follows_from_the_refill_time() {
        let cases = [
            (
                "12 ms for one of 5000",
                reading(5_000.0, 4_999.0, 0.012),
                Some(60),
            ),
            (
                "Groq's requests are per day",
                reading(14_400.0, 14_370.0, 179.56),
                Some(86_400),
            ),
            (
                "8.64 s for one of 10000",
                reading(10_000.0, 9_999.0, 8.64),
                Some(86_400),
            ),
            (
                "half of a minute's tokens",
                reading(150_000.0, 75_000.0, 30.1),
                Some(60),
            ),
            (
                "a full bucket says nothing",
                reading(5_000.0, 5_000.0, 0.0),
                None,
            ),
            (
                "a fixed window's reset says nothing",
                reading(1_000.0, 999.0, 45.0),
                None,
            ),
            (
                "whole seconds are rounded",
                reading(1_000.0, 100.0, 54.0),
                Some(60),
            ),
            (
                "non-positive limits say nothing",
                reading(-1.0, 0.0, 1.0),
                None,
            ),
        ];
        for (name, reading, seconds) in cases {
            assert_eq!(reading.window(), seconds.map(Span::from_secs), "{name}");
        }
    }

    #[test]
    fn a_refusal_tells_its_rate() {
        for (limit, used, requested, wait) in [
            (250_000.0, 250_000.0, 149_514.0, 35.883),
            (10_000.0, 8_782.0, 8_172.0, 41.724),
            (15_000.0, 11_972.0, 4_351.0, 5.29),
        ] {
            let body = Reading {
                limit: Some(limit),
                used: Some(used),
                requested: Some(requested),
                reset: Some(Span::from_secs_f64(wait)),
                ..Reading::default()
            };
            assert_eq!(body.window(), Some(Span::from_secs(60)));
            assert_eq!(body.left(), Some((limit - used).max(0.0)));
        }
    }

    #[test]
    fn odd_numbers_are_no_information() {
        let odd = Reading {
            limit: Some(0.0),
            remaining: Some(-1.0),
            ..Reading::default()
        };
        assert_eq!(odd.positive_limit(), None);
        assert_eq!(odd.left(), None);
        let nan = Reading {
            limit: Some(f64::NAN),
            remaining: Some(f64::INFINITY),
            ..Reading::default()
        };
        assert_eq!(nan.positive_limit(), None);
        assert_eq!(nan.left(), None);
    }

    #[test]
    fn indexes_follow_the_list() {
        for (index, dimension) in Dimension::ALL.into_iter().enumerate() {
            assert_eq!(dimension.index(), index);
        }
    }
}
