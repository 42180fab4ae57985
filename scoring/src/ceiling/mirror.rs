//! How much of a limit is used, and when will the next request fit?
//!
//! A provider's limit is a bucket that refills continuously; this file keeps our copy of it as a GCRA.
//! One integer, the *theoretical arrival time* (`tat`), says when the bucket will be full again, so a charge is one addition and the passing of time is no write at all.
//! A bucket of rate `r` and depth `d` seconds admits at most `r · (d + s)` units in any `s` seconds.
//! A cap of 1.2× the rate over a slice of `s` seconds is therefore nothing but a depth of `0.2 · s`: minute limits and the 1 s and 10 s slices of some providers need one mirror, not three.
//!
//! # Invariants
//! - Pure: state, rule and instant in, state out. Units are requests or tokens; instants are nanoseconds so that one token of a large limit is not rounded away.
//! - `used` is 0 for a full bucket and passes 1 only when more was charged than the bucket holds.
//! - A request larger than the bucket is admitted when the bucket is (nearly) full, never refused for ever.
//! - `wait` is exact: after it, and not a millisecond earlier, `used` is at most `full`, the share from which a route is used last (0..=1, default 0.95).

use crate::float::smaller;
use crate::time::{Span, Time};

/// Largest part of the usable bucket that one request is counted as (0..1).
///
/// Without it a request larger than the bucket would never fit; the provider admits it when its bucket is full or refuses it by itself.
const LARGEST_SHARE: f32 = 0.9;

/// A rate and a depth, packed into one word; zero means "no ceiling".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rule {
    /// Nanoseconds of refill per unit, > 0; 0 = no ceiling.
    pub(crate) interval: f32,
    /// How long an empty bucket takes to fill, in nanoseconds, > 0.
    pub(crate) depth: f32,
}

impl Rule {
    /// No ceiling.
    pub(super) const NONE: Self = Self {
        interval: 0.0,
        depth: 0.0,
    };

    /// A bucket refilled by `rate` units per second that takes `depth` to fill; no ceiling if the rate is not positive.
    pub(super) fn new(rate: f64, depth: Span) -> Self {
        if !(rate > 0.0 && rate.is_finite()) {
            return Self::NONE;
        }
        let interval = (1e9 / rate) as f32;
        Self {
            interval: interval.max(f32::MIN_POSITIVE),
            depth: ((depth.as_micros() as f64) * 1e3).max(1.0) as f32,
        }
    }

    /// The rule in one word.
    pub(super) fn pack(self) -> u64 {
        (u64::from(self.interval.to_bits()) << 32) | u64::from(self.depth.to_bits())
    }

    /// The rule that `word` holds.
    #[inline(always)]
    pub(super) fn unpack(word: u64) -> Self {
        Self {
            interval: f32::from_bits((word >> 32) as u32),
            depth: f32::from_bits(word as u32),
        }
    }

    /// Whether there is no ceiling.
    pub(super) fn is_none(self) -> bool {
        self.interval <= 0.0
    }

    /// Units per second; 0 without a ceiling.
    pub(super) fn rate(self) -> f64 {
        if self.is_none() {
            0.0
        } else {
            1e9 / f64::from(self.interval)
        }
    }

    /// Units that a full bucket holds; 0 without a ceiling.
    pub(super) fn burst(self) -> f64 {
        if self.is_none() {
            0.0
        } else {
            f64::from(self.depth) / f64::from(self.interval)
        }
    }

    /// How long an empty bucket takes to fill.
    pub(super) fn depth(self) -> Span {
        Span::from_micros((f64::from(self.depth) / 1e3) as u64)
    }

    /// The state after `units` were taken at `now`.
    pub(super) fn charged(self, tat: u64, units: f64, now: Time) -> u64 {
        tat.max(nanos(now)).saturating_add(self.refill(units))
    }

    /// The state after `units` were given back.
    pub(super) fn refunded(self, tat: u64, units: f64) -> u64 {
        tat.saturating_sub(self.refill(units))
    }

    /// The state in which `level` units are left at `at`; a negative level is a debt.
    pub(super) fn at_level(self, level: f64, at: Time) -> u64 {
        let debt = f64::from(self.depth) - level * f64::from(self.interval);
        nanos(at).saturating_add_signed(debt as i64)
    }

    /// The state in which a request of `units` just fits at `at`, using the bucket to `full`.
    pub(super) fn at_room(self, units: f32, full: f32, at: Time) -> u64 {
        let room = (full * self.depth - self.share(units, full)).max(0.0);
        nanos(at).saturating_add(room as u64)
    }

    /// Units left at `now`; negative is a debt.
    pub(super) fn level(self, tat: u64, now: Time) -> f64 {
        if self.is_none() {
            return f64::INFINITY;
        }
        let debt = tat.saturating_sub(nanos(now)) as f64;
        (f64::from(self.depth) - debt) / f64::from(self.interval)
    }

    /// Share of the bucket in use if `units` more were taken at `now`: 0 = full bucket, 1 = empty.
    #[cfg(test)]
    pub(super) fn used(self, tat: u64, units: f32, full: f32, now: Time) -> f32 {
        Fill::of(self, tat, now).used(units, full)
    }

    /// How long until `units` more leave the bucket used by at most `full`.
    pub(super) fn wait(self, tat: u64, units: f32, full: f32, now: Time) -> Span {
        if self.is_none() {
            return Span::ZERO;
        }
        let room = (full * self.depth - self.share(units, full)).max(0.0);
        let debt = tat.saturating_sub(nanos(now));
        let short = debt as f64 - f64::from(room);
        if short <= 0.0 {
            Span::ZERO
        } else {
            Span::from_micros((short / 1e3) as u64 + 1)
        }
    }

    /// Refill time of one request, counted as at most [`LARGEST_SHARE`] of the usable bucket.
    #[inline(always)]
    fn share(self, units: f32, full: f32) -> f32 {
        smaller(units * self.interval, LARGEST_SHARE * full * self.depth)
    }

    /// Nanoseconds in which `units` flow in.
    fn refill(self, units: f64) -> u64 {
        (units * f64::from(self.interval)) as u64
    }
}

/// A rule and what is missing from its bucket.
///
/// Apart from [`Rule`], so that the selector computes several routes by one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fill {
    pub(crate) rule: Rule,
    /// Nanoseconds of refill missing; 0 upward.
    pub(crate) debt: f32,
}

impl Fill {
    /// The bucket of `rule` at `now`.
    #[inline(always)]
    pub(super) fn of(rule: Rule, tat: u64, now: Time) -> Self {
        // Why halved: a signed integer converts in one instruction, an unsigned one in ten.
        let debt = (tat.saturating_sub(nanos(now)) >> 1) as i64 as f32 * 2.0;
        Self { rule, debt }
    }

    /// Share of the bucket in use if `units` more were taken: 0 = full bucket, 1 = empty; 0 without a ceiling.
    #[inline(always)]
    pub(crate) fn used(self, units: f32, full: f32) -> f32 {
        let used = (self.debt + self.rule.share(units, full)) / self.rule.depth;
        if self.rule.interval > 0.0 { used } else { 0.0 }
    }
}

/// `at` in nanoseconds.
#[inline]
pub(super) const fn nanos(at: Time) -> u64 {
    at.as_micros().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: f32 = 0.95;
    const START: Time = Time::from_micros(1_000_000);

    #[test]
    fn a_word_holds_the_rule() {
        let rule = Rule::new(25.0, Span::from_secs(60));
        assert_eq!(Rule::unpack(rule.pack()), rule);
        assert!((rule.rate() - 25.0).abs() < 1e-3);
        assert!((rule.burst() - 1_500.0).abs() < 0.1);
        assert!(Rule::unpack(0).is_none());
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Rule::new(odd, Span::from_secs(1)).is_none(), "{odd}");
        }
    }

    #[test]
    fn charges_drain_and_time_refills() {
        let rule = Rule::new(10.0, Span::from_secs(10));
        let mut tat = 0;
        for _ in 0..50 {
            tat = rule.charged(tat, 1.0, START);
        }
        assert!((rule.used(tat, 0.0, FULL, START) - 0.5).abs() < 1e-3);
        assert!((rule.level(tat, START) - 50.0).abs() < 0.1);
        assert!(rule.used(tat, 0.0, FULL, START.plus(Span::from_secs(5))) < 1e-6);
        let back = rule.refunded(tat, 20.0);
        assert!((rule.level(back, START) - 70.0).abs() < 0.1);
        assert!((rule.level(rule.at_level(30.0, START), START) - 30.0).abs() < 0.1);
    }

    #[test]
    fn the_promised_wait_is_exact() {
        let rule = Rule::new(1_000.0, Span::from_secs(2));
        let tat = rule.at_level(100.0, START);
        let wait = rule.wait(tat, 300.0, FULL, START);
        let at = START.plus(wait);
        assert!(rule.used(tat, 300.0, FULL, at) <= FULL + 1e-4);
        assert!(rule.used(tat, 300.0, FULL, at.minus(Span::from_millis(1))) > FULL);
        assert_eq!(rule.wait(tat, 300.0, FULL, at), Span::ZERO);
    }

    #[test]
    fn a_request_larger_than_the_bucket_fits_when_it_is_full() {
        let rule = Rule::new(10.0, Span::from_secs(1));
        assert!(rule.used(0, 1_000.0, FULL, START) < FULL);
        let tat = rule.charged(0, 1_000.0, START);
        assert!((rule.wait(tat, 1_000.0, FULL, START).as_secs_f64() - 99.905).abs() < 0.01);
    }

    #[test]
    fn a_slice_cap_is_a_shallow_bucket() {
        let rule = Rule::new(100.0, Span::from_secs(2));
        let mut tat = 0;
        let mut admitted = 0;
        for step in 0..10_000_u64 {
            let now = START.plus(Span::from_millis(step));
            if rule.wait(tat, 1.0, FULL, now) == Span::ZERO {
                tat = rule.charged(tat, 1.0, now);
                admitted += 1;
            }
        }
        assert!(
            (1_150..=1_200).contains(&admitted),
            "1.2 times the rate in 10 s, got {admitted}"
        );
    }
}
