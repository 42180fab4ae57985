//! How an attempt ended, and what each ending changes.
//!
//! An attempt's end is a value, not an error: a closed list, and one table that says what each member does to health, ceilings, the parent and retries.
//! Nobody else in the crate matches on an [`Outcome`] to decide how much it hurts.
//!
//! # Invariants
//! - Every attempt ends in exactly one outcome.
//! - An outcome that is the client's fault or the client's wish never hurts a route.
//! - Our own quota running out feeds the ceiling and never health.

/// The way one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A 2xx answer that was complete.
    Success,
    /// 429 of our own quota: feeds the ceiling, not health.
    RateLimited,
    /// 429, 503 or 529 that says "overloaded" or "high demand": the provider's capacity, so health.
    Overloaded,
    /// 500, 502, 504, a malformed or absurd body, HTML with status 200.
    ServerError,
    /// A clock ran out before the first byte or token.
    TimedOut,
    /// Connecting, TLS or DNS failed; also charged to the parent.
    Unreachable,
    /// The connection was lost before any response byte.
    Disconnected,
    /// The answer broke off after its first content byte.
    Truncated,
    /// 401, 403, no quota or a spend limit: the key is held.
    KeyRejected,
    /// 404 for the model, or 400 "unsupported here": the route cannot serve this model for now.
    Unsupported,
    /// The client's fault, any other 4xx, a content filter: neutral.
    Rejected,
    /// The client left: neutral.
    Canceled,
}

/// Where the next attempt may go after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// Nothing to retry: it succeeded, the client left, or another route would say the same.
    Stop,
    /// The same route may succeed a moment later; another route may too.
    Same,
    /// Another route, at once; this one would fail again.
    Elsewhere,
}

/// What an outcome changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Failures added to the error counts; 0..=2.
    pub error_weight: f32,
    /// Multiplier of the failure step of the circuit's CUSUM; 0..=2.
    pub cusum_weight: f32,
    /// Whether the attempt counts in the denominator of the error rate.
    pub counts_attempt: bool,
    /// Whether it is a refusal that teaches the ceilings.
    pub feeds_ceiling: bool,
    /// Whether the failure is also charged to the provider and region.
    pub blames_parent: bool,
    /// Where the next attempt may go.
    pub retry: RetryClass,
}

impl Effect {
    /// Neither success nor failure.
    const NEUTRAL: Self = Self {
        error_weight: 0.0,
        cusum_weight: 0.0,
        counts_attempt: false,
        feeds_ceiling: false,
        blames_parent: false,
        retry: RetryClass::Stop,
    };

    const fn failure(error_weight: f32, cusum_weight: f32, retry: RetryClass) -> Self {
        Self {
            error_weight,
            cusum_weight,
            counts_attempt: true,
            retry,
            ..Self::NEUTRAL
        }
    }
}

impl Outcome {
    /// How many outcomes there are.
    pub const COUNT: usize = 12;

    /// Every outcome, in the order of its [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [
        Self::Success,
        Self::RateLimited,
        Self::Overloaded,
        Self::ServerError,
        Self::TimedOut,
        Self::Unreachable,
        Self::Disconnected,
        Self::Truncated,
        Self::KeyRejected,
        Self::Unsupported,
        Self::Rejected,
        Self::Canceled,
    ];

    /// Position in [`ALL`](Self::ALL) and in every array of counters; 0..12.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What this outcome changes.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::Success => Effect {
                counts_attempt: true,
                ..Effect::NEUTRAL
            },
            Self::RateLimited => Effect {
                feeds_ceiling: true,
                retry: RetryClass::Elsewhere,
                ..Effect::NEUTRAL
            },
            Self::Overloaded | Self::ServerError | Self::Disconnected => {
                Effect::failure(1.0, 1.0, RetryClass::Same)
            }
            Self::TimedOut => Effect::failure(1.5, 1.5, RetryClass::Elsewhere),
            Self::Unreachable => Effect {
                blames_parent: true,
                ..Effect::failure(1.0, 1.5, RetryClass::Elsewhere)
            },
            Self::Truncated => Effect::failure(2.0, 2.0, RetryClass::Stop),
            Self::KeyRejected | Self::Unsupported => Effect {
                retry: RetryClass::Elsewhere,
                ..Effect::NEUTRAL
            },
            Self::Rejected | Self::Canceled => Effect::NEUTRAL,
        }
    }

    /// The name used in metrics, logs and traces; lower snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Disconnected => "disconnected",
            Self::Truncated => "truncated",
            Self::KeyRejected => "key_rejected",
            Self::Unsupported => "unsupported",
            Self::Rejected => "rejected",
            Self::Canceled => "canceled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_position() {
        for (position, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), position, "{}", outcome.name());
        }
    }

    #[test]
    fn neutral_outcomes_touch_nothing() {
        for outcome in [Outcome::Rejected, Outcome::Canceled] {
            assert_eq!(outcome.effect(), Effect::NEUTRAL, "{}", outcome.name());
        }
    }

    #[test]
    fn own_quota_is_not_health() {
        let effect = Outcome::RateLimited.effect();
        assert!(effect.feeds_ceiling && !effect.counts_attempt);
        assert!(effect.error_weight.abs() < f32::EPSILON);
    }

    #[test]
    fn only_our_own_quota_feeds_the_ceiling() {
        let feeding: Vec<_> = Outcome::ALL
            .into_iter()
            .filter(|o| o.effect().feeds_ceiling)
            .collect();
        assert_eq!(feeding, [Outcome::RateLimited]);
    }

    #[test]
    fn every_failure_moves_counts_and_circuit_together() {
        for outcome in Outcome::ALL {
            let effect = outcome.effect();
            assert_eq!(
                effect.error_weight > 0.0,
                effect.cusum_weight > 0.0,
                "{}",
                outcome.name()
            );
            assert!(
                effect.error_weight <= 0.0 || effect.counts_attempt,
                "{}",
                outcome.name()
            );
        }
    }
}
