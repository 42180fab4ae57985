//! Until when is the route closed, and why? And is it steered?
//!
//! One word holds an instant and a reason, so that the selector reads both at once and nobody sees the one without the other.
//! Two bits above the instant say that an operator may have drained or pinned the route: with one of them the word reads like a hold for ever, so that the selector, which looks closer at what is held, has nothing more to read of all others.
//!
//! # Invariants
//! - A hold is never shortened, but ended by an operator: of two, the later end wins with its reason.
//! - No hold changes the operator's bits, and they change no hold.
//! - The instant is rounded up to a whole tick (16 ms), so a hold never ends early.

use crate::time::{Span, TICK_SHIFT, Time};

/// Bits of the reason, below the tick.
const REASON_BITS: u32 = 4;

/// Bits of the tick: as many as leave room for two more in an instant of 64 bits; they wrap after 146 000 years.
const TICK_BITS: u32 = u64::BITS - TICK_SHIFT - 2;

/// Set where an operator may have drained the route.
pub(crate) const DRAINED: u64 = 1 << (REASON_BITS + TICK_BITS);

/// Set where an operator may have pinned the route.
pub(crate) const PINNED: u64 = DRAINED << 1;

/// Both.
const STEERED: u64 = DRAINED | PINNED;

/// Why a route is closed for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// The provider said how long to wait.
    RetryAfter,
    /// A quota of an hour or longer is used up.
    Quota,
    /// A fixed window is used up and its end is known.
    Window,
    /// A refusal without any number: a short pause to let the bucket refill.
    Pause,
}

impl HoldReason {
    /// The name used in metrics and explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::Quota => "quota",
            Self::Window => "window",
            Self::Pause => "pause",
        }
    }

    const fn unpack(bits: u64) -> Self {
        match bits {
            0 => Self::RetryAfter,
            1 => Self::Quota,
            2 => Self::Window,
            _ => Self::Pause,
        }
    }
}

/// The word after a hold until `until` was asked for.
pub(super) fn held(word: u64, until: Time, reason: HoldReason) -> u64 {
    let tick = until
        .plus(Span::from_micros((1 << TICK_SHIFT) - 1))
        .tick()
        .index()
        .min((1 << TICK_BITS) - 1);
    if tick <= ended_by(word) {
        word
    } else {
        (tick << REASON_BITS) | (word & STEERED) | reason as u64
    }
}

/// The tick at which the hold ends.
const fn ended_by(word: u64) -> u64 {
    (word & !STEERED) >> REASON_BITS
}

/// The word without any hold.
pub(super) const fn ended(word: u64) -> u64 {
    word & STEERED
}

/// The word with these of the operator's bits.
pub(super) const fn steered(word: u64, bits: u64) -> u64 {
    (word & !STEERED) | (bits & STEERED)
}

/// The operator's bits.
pub(super) const fn steering(word: u64) -> u64 {
    word & STEERED
}

/// The end of the hold, if `now` is before it.
#[inline]
pub(super) fn open_hold(word: u64, now: Time) -> Option<Time> {
    let until = Time::from_micros(ended_by(word) << TICK_SHIFT);
    (until > now).then_some(until)
}

/// Whether there is a hold, or one of the operator's bits.
#[inline(always)]
pub(super) fn is_aside(word: u64, now: Time) -> bool {
    Time::from_micros((word >> REASON_BITS) << TICK_SHIFT) > now
}

/// The reason of the latest hold.
pub(super) fn reason(word: u64) -> HoldReason {
    HoldReason::unpack(word & ((1 << REASON_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_wins() {
        let at = |ms: u64| Time::from_micros(ms * 1_000);
        let word = held(0, at(2_000), HoldReason::RetryAfter);
        let same = held(word, at(1_000), HoldReason::Pause);
        assert_eq!(same, word);
        let longer = held(word, at(9_000), HoldReason::Quota);
        assert_eq!(reason(longer), HoldReason::Quota);
        let until = open_hold(longer, at(8_999));
        assert!(until.is_some_and(|until| until >= at(9_000) && until < at(9_017)));
        assert_eq!(open_hold(longer, at(9_017)), None);
        assert_eq!(open_hold(0, Time::default()), None);
    }

    #[test]
    fn a_hold_and_the_operators_bits_leave_each_other_alone() {
        let until = Time::from_micros(9_000_000);
        for bits in [0, DRAINED, PINNED, STEERED] {
            let word = held(steered(0, bits), until, HoldReason::Pause);
            assert_eq!(word & STEERED, bits);
            assert_eq!(reason(word), HoldReason::Pause);
            for far in [1_000_000, 9_016_000, 9_020_000, u64::MAX >> 2] {
                let far = Time::from_micros(far);
                assert_eq!(
                    is_aside(word, far),
                    bits != 0 || open_hold(word, far).is_some(),
                    "{bits:x} {far:?}"
                );
            }
            let for_ever = held(word, Time::from_micros(u64::MAX), HoldReason::Quota);
            assert_eq!(for_ever & STEERED, bits);
            let end = open_hold(word, Time::default());
            assert_eq!(end, open_hold(steered(word, STEERED), Time::default()));
            assert_eq!(end, open_hold(steered(word, 0), Time::default()));
            assert_eq!(open_hold(ended(word), Time::default()), None);
            assert_eq!(ended(word) & STEERED, bits);
            let longer = until.plus(Span::from_secs(9));
            assert_eq!(held(word, longer, HoldReason::Quota) & STEERED, bits);
        }
    }

    #[test]
    fn every_reason_survives_packing() {
        for why in [
            HoldReason::RetryAfter,
            HoldReason::Quota,
            HoldReason::Window,
            HoldReason::Pause,
        ] {
            assert_eq!(
                reason(held(0, Time::from_micros(1), why)),
                why,
                "{}",
                why.name()
            );
        }
    }
}
