//! May this tier ask now, or does it ask too fast?
//!
//! Requests and tokens in a minute are allowances that refill ([`Refill`]), requests at once are counted.
//! Input tokens are estimated when a request asks, and put right when it has ended; how many output tokens it will have nobody knows, so they are charged then, and who has none left is not let in.
//! Several tiers let a request in together or not at all: a first pass only reads and tells the longest wait, the second spends and gives back.
//!
//! # Invariants
//! - Nothing here locks, waits or allocates.
//! - A refusal spends nothing on any tier.
//! - Every request that was let in counts as in flight until its [`Passes`] are dropped.
//! - The wait of a refusal suffices for every limit of every tier, unless others are faster; only that for a place in flight is a guess.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use scoring::refill::Refill;
use scoring::time::{Span, Time};

use crate::config::RateLimits;

/// Tiers that one request asks: key, team, customer, the key at the provider, the provider.
pub const TIERS: usize = 5;

/// When to try again while too many are in flight: nobody knows, and this is about how long an answer takes.
const A_MOMENT: Span = Span::from_secs(1);

/// How fast one tier has asked; it is shared by all who ask for it.
#[derive(Debug, Default)]
pub struct Pace {
    requests: Refill,
    input: Refill,
    output: Refill,
    /// It guards nothing but itself, so no order with others is needed.
    in_flight: AtomicU32,
}

/// A tier that must let a request in.
#[derive(Clone, Debug)]
pub struct Tier {
    /// How fast it has asked.
    pub pace: Arc<Pace>,
    /// How fast it may ask.
    pub limits: RateLimits,
}

/// A kind of rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Requests in a minute.
    Requests,
    /// Input tokens in a minute.
    InputTokens,
    /// Output tokens in a minute.
    OutputTokens,
    /// Requests at once.
    Concurrency,
}

impl Rate {
    /// The limit of this kind, and what it counts, for messages.
    #[must_use]
    pub fn of(self, limits: RateLimits) -> (u32, &'static str) {
        let (limit, what) = match self {
            Self::Requests => (limits.requests_per_minute, "requests per minute"),
            Self::InputTokens => (limits.input_tokens_per_minute, "input tokens per minute"),
            Self::OutputTokens => (limits.output_tokens_per_minute, "output tokens per minute"),
            Self::Concurrency => (limits.concurrency, "requests at a time"),
        };
        (limit.unwrap_or(u32::MAX), what)
    }
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooFast {
    /// A limit is reached.
    #[error("tier {index} is at its limit of {rate:?}")]
    Limit {
        /// Which of the tiers.
        index: usize,
        /// Which of its limits.
        rate: Rate,
        /// When to try again.
        wait: Span,
    },
    /// More than [`TIERS`] tiers would have to let it in.
    #[error("{0} tiers would have to let one request in; at most {TIERS} can")]
    TooMany(usize),
}

impl TooFast {
    /// Which of the tiers it was.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Limit { index, .. } => index,
            Self::TooMany(_) => 0,
        }
    }
}

/// The right of one request to be in flight on every tier.
#[derive(Debug)]
#[must_use = "the request is no longer in flight when they are dropped"]
pub struct Passes {
    tiers: [Option<Tier>; TIERS],
    /// Input tokens that were charged.
    input: u64,
}

/// Lets a request of about `input` tokens in on every tier, or on none.
///
/// # Errors
/// [`TooFast`] with the limit that takes longest to wait for.
pub fn pass(tiers: &[Tier], input: u64, now: Time) -> Result<Passes, TooFast> {
    if tiers.len() > TIERS {
        return Err(TooFast::TooMany(tiers.len()));
    }
    let mut longest: Option<(usize, Reached)> = None;
    for (index, tier) in tiers.iter().enumerate() {
        if let Some(reached) = tier.pace.reached(tier.limits, input, now)
            && longest.is_none_or(|(_, other)| other.wait < reached.wait)
        {
            longest = Some((index, reached));
        }
    }
    if let Some((index, reached)) = longest {
        return Err(reached.at(index));
    }
    let mut passes = Passes {
        tiers: [const { None }; TIERS],
        input,
    };
    for (index, tier) in tiers.iter().enumerate() {
        if let Err(reached) = tier.pace.enter(tier.limits, input, now) {
            passes.unspend();
            return Err(reached.at(index));
        }
        passes.tiers[index] = Some(tier.clone());
    }
    Ok(passes)
}

impl Passes {
    /// Replaces the input tokens that were charged by those there were, and charges the output tokens.
    ///
    /// Without it the estimate stays and no output is charged, as if nothing more were known.
    pub fn settle(self, input: u64, output: u64, now: Time) {
        for Tier { pace, limits } in self.tiers.iter().flatten() {
            if let Some(limit) = limits.input_tokens_per_minute {
                match input.checked_sub(self.input) {
                    Some(more) => pace.input.charge(more, limit, now),
                    None => pace.input.give_back(self.input - input, limit),
                }
            }
            if let Some(limit) = limits.output_tokens_per_minute {
                pace.output.charge(output, limit, now);
            }
        }
    }

    /// Gives back everything that was charged, where the request was never sent.
    pub fn unspend(self) {
        for Tier { pace, limits } in self.tiers.iter().flatten() {
            pace.give_back(*limits, self.input);
        }
    }
}

impl Drop for Passes {
    fn drop(&mut self) {
        for tier in self.tiers.iter().flatten() {
            tier.pace.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A limit of one tier that is reached.
#[derive(Clone, Copy, Debug)]
struct Reached {
    rate: Rate,
    wait: Span,
}

impl Reached {
    const CONCURRENCY: Self = Self {
        rate: Rate::Concurrency,
        wait: A_MOMENT,
    };

    const fn at(self, index: usize) -> TooFast {
        let Self { rate, wait } = self;
        TooFast::Limit { index, rate, wait }
    }
}

impl Pace {
    /// Requests that are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The limit that takes longest to wait for, if one is reached; it only reads.
    fn reached(&self, limits: RateLimits, input: u64, now: Time) -> Option<Reached> {
        let full = limits
            .concurrency
            .is_some_and(|most| self.in_flight() >= most);
        let waits = [
            (
                Rate::Requests,
                &self.requests,
                limits.requests_per_minute,
                1,
            ),
            (
                Rate::InputTokens,
                &self.input,
                limits.input_tokens_per_minute,
                input,
            ),
            (
                Rate::OutputTokens,
                &self.output,
                limits.output_tokens_per_minute,
                1,
            ),
        ];
        let waits = waits
            .into_iter()
            .filter_map(|(rate, refill, limit, amount)| {
                let wait = refill.wait(amount, limit?, now);
                (wait > Span::ZERO).then_some(Reached { rate, wait })
            });
        waits
            .chain(full.then_some(Reached::CONCURRENCY))
            .max_by_key(|reached| reached.wait)
    }

    /// Takes a place and spends, or does neither.
    fn enter(&self, limits: RateLimits, input: u64, now: Time) -> Result<(), Reached> {
        let most = limits.concurrency.unwrap_or(u32::MAX);
        let more = |count: u32| (count < most).then(|| count + 1);
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| Reached::CONCURRENCY)?;
        self.spend(limits, input, now).inspect_err(|_| {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        })
    }

    /// Spends a request and its input tokens, or neither.
    fn spend(&self, limits: RateLimits, input: u64, now: Time) -> Result<(), Reached> {
        let because = |rate| move |wait| Reached { rate, wait };
        if let Some(limit) = limits.output_tokens_per_minute {
            match self.output.wait(1, limit, now) {
                Span::ZERO => {}
                wait => return Err(because(Rate::OutputTokens)(wait)),
            }
        }
        if let Some(limit) = limits.requests_per_minute {
            let spent = self.requests.spend(1, limit, now);
            spent.map_err(because(Rate::Requests))?;
        }
        if let Some(limit) = limits.input_tokens_per_minute {
            let spent = self.input.spend(input, limit, now);
            spent.map_err(because(Rate::InputTokens)).inspect_err(|_| {
                if let Some(limit) = limits.requests_per_minute {
                    self.requests.give_back(1, limit);
                }
            })?;
        }
        Ok(())
    }

    /// Gives back what [`Pace::spend`] spent.
    fn give_back(&self, limits: RateLimits, input: u64) {
        if let Some(limit) = limits.requests_per_minute {
            self.requests.give_back(1, limit);
        }
        if let Some(limit) = limits.input_tokens_per_minute {
            self.input.give_back(input, limit);
        }
    }
}

#[cfg(test)]
mod tests;
