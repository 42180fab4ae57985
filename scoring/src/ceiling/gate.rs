//! Until when is the route closed, and why?
//!
//! One word holds an instant and a reason, so that the selector reads both at once and nobody sees the one without the other.
//!
//! # Invariants
//! - A hold is never shortened: of two, the later end wins with its reason.
//! - The instant is rounded up to a whole tick (16 ms), so a hold never ends early.

use crate::time::{Span, TICK_SHIFT, Time};

/// Bits of the reason, below the tick.
const REASON_BITS: u32 = 4;

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
        .index();
    if tick <= word >> REASON_BITS {
        word
    } else {
        (tick << REASON_BITS) | reason as u64
    }
}

/// The end of the hold, if `now` is before it.
#[inline]
pub(super) fn open_hold(word: u64, now: Time) -> Option<Time> {
    let until = Time::from_micros((word >> REASON_BITS) << TICK_SHIFT);
    (until > now).then_some(until)
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
