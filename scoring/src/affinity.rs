//! What is the route that served a session last worth to the session's next request?
//!
//! Providers keep what they computed of a prompt for some minutes, so a prompt that begins as the last one did costs less time and money where the last one went.
//! Its worth is in the currency of everything else, so a session stays with its route as long as that costs no more than a draw would, and not a millisecond longer.
//!
//! # Invariants
//! - What is saved is less than what the route would cost without it: a cost stays positive.
//! - A memory older than [`LIFETIME`], or of a prompt below [`LEAST_TOKENS`], is worth nothing.

use crate::float::smaller;
use crate::route::Ask;
use crate::select::{Mode, Pick};
use crate::time::Span;

/// How long a provider is taken to keep a prompt: 5 min, Anthropic's default, renewed by each use; OpenAI keeps one for 5 to 10 min.
///
/// Longer would hold sessions to routes that have forgotten them, shorter would scatter people who read before they answer.
pub const LIFETIME: Span = Span::from_secs(300);

/// Tokens below which no prompt is kept: 1024 at OpenAI and for most of Anthropic's models.
pub const LEAST_TOKENS: u32 = 1_024;

/// The candidate that served a request's session last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Its index in the pool.
    pub candidate: usize,
    /// Input tokens that it probably still keeps.
    pub cached_tokens: u32,
}

/// Input tokens that are probably still kept, of a prompt of `now_tokens` now that had `then_tokens` when it was last served, `age` ago.
///
/// A session's prompts grow at their end, so the shorter one is what both begin with.
#[must_use]
pub fn cached_tokens(then_tokens: u32, now_tokens: u32, age: Span) -> u32 {
    let shared = then_tokens.min(now_tokens);
    if shared < LEAST_TOKENS || age > LIFETIME {
        return 0;
    }
    shared
}

/// Whether a session moves to the route that was picked for its request, if that answers: a visit to learn moves none that has a home.
#[must_use]
pub const fn moves(ask: &Ask, pick: &Pick) -> bool {
    ask.affinity.is_none() || !matches!(pick.mode, Mode::Explored | Mode::Probe)
}

/// What the time of an answer depends on, for the part of it that a kept prompt saves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Warmth {
    /// Input tokens kept.
    pub(crate) tokens: f32,
    /// Extra time to first token per input token (`b`), in µs.
    pub(crate) per_input_us: f32,
    /// Factor of the present drift; > 0.
    pub(crate) drift: f32,
    /// Chance that an attempt fails; 0..=1.
    pub(crate) failure: f32,
    /// What the tokens cost less when they are kept, in ms.
    pub(crate) price_ms: f32,
}

/// What kept tokens save, in ms: the time to first token of their input when the attempt succeeds, and their price; `part` of it counts.
///
/// A route that is slower than its model saves no more than its model says: being slow makes no route attractive.
pub(crate) fn saved_ms(warmth: &Warmth, part: f32) -> f32 {
    let time_ms = warmth.per_input_us * warmth.tokens * 1e-3 * smaller(warmth.drift, 1.0);
    part * ((1.0 - warmth.failure) * time_ms + warmth.price_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_for_a_while() {
        for (then, now, seconds, expected) in [
            (8_000, 9_000, 10, 8_000),
            (9_000, 8_000, 10, 8_000),
            (8_000, 9_000, 300, 8_000),
            (8_000, 9_000, 301, 0),
            (1_023, 9_000, 1, 0),
            (9_000, 1_023, 1, 0),
            (1_024, 1_024, 1, 1_024),
            (0, 9_000, 1, 0),
        ] {
            let cached = cached_tokens(then, now, Span::from_secs(seconds));
            assert_eq!(cached, expected, "{then} {now} {seconds}");
        }
    }

    #[test]
    fn saving_is_time_on_success_and_money() {
        let warm = Warmth {
            tokens: 10_000.0,
            per_input_us: 40.0,
            drift: 1.0,
            failure: 0.0,
            price_ms: 0.0,
        };
        let check = |warmth: Warmth, part: f32, expected: f32| {
            let saved = saved_ms(&warmth, part);
            assert!((saved - expected).abs() < 1e-3, "{warmth:?}: {saved}");
        };
        check(warm, 1.0, 400.0);
        check(warm, 0.5, 200.0);
        check(warm, 0.0, 0.0);
        check(
            Warmth {
                tokens: 0.0,
                ..warm
            },
            1.0,
            0.0,
        );
        check(Warmth { drift: 0.5, ..warm }, 1.0, 200.0);
        // Being slow makes no route attractive.
        check(Warmth { drift: 3.0, ..warm }, 1.0, 400.0);
        check(
            Warmth {
                failure: 0.25,
                ..warm
            },
            1.0,
            300.0,
        );
        // A failed attempt reads no input, but which one fails is not known when the price is compared.
        let priced = Warmth {
            price_ms: 30.0,
            failure: 0.25,
            ..warm
        };
        check(priced, 1.0, 330.0);
    }
}
