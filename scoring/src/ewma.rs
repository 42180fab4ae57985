//! How much of the past still counts: decayed counts of attempts and failures, and a decayed mean with its scale, each in one word.
//!
//! Counts decay by `e^(−Δ/τ)` in numerator and denominator alike, so their ratio is an exact, rate-independent average.
//! A decayed *mean of booleans* would give every sample of a burst almost no weight, and an outage could hide in the burst; linkerd left such a mean for that reason.
//!
//! # Invariants
//! - Reading projects to `now` and never writes.
//! - Counts decay only when at least one unit of ticks has passed; within it they only add, so that rounding never sticks.
//! - A sample older than the word's tick adds without decaying and leaves the tick alone.
//! - Saturation halves both counts, so the rate survives.
//! - Rounding is unbiased: the fraction is carried by a low-discrepancy dither of the tick.

use crate::float::{nearest, smaller, whole};
use crate::time::{Span, TICK_SHIFT, Tick};

/// Bits of the tick in a word: wraps after 4.7 h, which the sweep keeps far away.
pub(crate) const TICK_BITS: u32 = 20;
/// Mask of [`TICK_BITS`].
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
/// Bits of each count, Q14.8: up to 16 383 effective attempts, as 5 000/s over 3 s needs.
const COUNT_BITS: u32 = 22;
/// Mask of [`COUNT_BITS`].
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// One attempt in Q14.8.
const ONE: f32 = 256.0;
/// Ages from this many units up leave nothing: e⁻²² of a 3 s count, e⁻¹⁸ of a 60 s one.
const AGES: u32 = 64 * 64;

/// The factor `e^(−age/τ)` for every age, from two tables of 64.
#[derive(Debug)]
pub(crate) struct Decay {
    fine: [f32; 64],
    coarse: [f32; 64],
    shift: u32,
    /// Units per tick, in 2⁻⁸: a product is cheaper than a shift by a variable.
    per_tick: u32,
}

impl Decay {
    /// A decay of time constant `tau` in units of `2^shift` ticks.
    pub(crate) fn new(tau: Span, shift: u32) -> Self {
        let unit = (1u64 << (TICK_SHIFT + shift)) as f64 / tau.as_micros().max(1) as f64;
        Self {
            fine: core::array::from_fn(|i| (-(i as f64) * unit).exp() as f32),
            coarse: core::array::from_fn(|i| (-(i as f64) * 64.0 * unit).exp() as f32),
            shift,
            per_tick: 256 >> shift,
        }
    }

    /// The factor after `age` ticks, rounded down to whole units; 1 down to 0.
    #[inline]
    pub(crate) fn factor(&self, age: u32) -> f32 {
        let units = age >> self.shift;
        if units >= AGES {
            return 0.0;
        }
        self.fine[(units % 64) as usize] * self.coarse[(units / 64) as usize]
    }

    /// The factor since the 20-bit tick `stored`; 1 if it is newer than `now`.
    #[inline(always)]
    pub(crate) fn left(&self, stored: u64, now: Tick) -> f32 {
        let ahead = (now.index().wrapping_sub(stored) & TICK_MASK) as u32;
        let units = (ahead * self.per_tick) >> 8;
        if units < AGES {
            return self.fine[(units % 64) as usize] * self.coarse[(units / 64) as usize];
        }
        age(stored, now).map_or(1.0, |_| 0.0)
    }
}

/// Ticks from a stored 20-bit tick to `now`; `None` if the stored one is newer.
#[inline]
pub(crate) fn age(stored: u64, now: Tick) -> Option<u32> {
    let ahead = now.index().wrapping_sub(stored) & TICK_MASK;
    (ahead < 1 << (TICK_BITS - 1)).then_some(ahead as u32)
}

/// A number in 0..1 that is spread evenly over successive ticks: the golden ratio's multiples.
pub(crate) fn dither(tick: u64, salt: u64) -> f32 {
    let hash = tick.wrapping_add(salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 40) as f32 / (1u64 << 24) as f32
}

/// Decayed attempts and failures; failures may exceed attempts because some weigh more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Effective attempts; 0..16 384.
    pub(crate) attempts: f32,
    /// Effective failures; 0..16 384.
    pub(crate) failures: f32,
}

impl Counts {
    /// The failure rate with `prior` worth `weight` attempts; 0..=1.
    #[inline]
    pub(crate) fn rate(self, weight: f32, prior: f32) -> f32 {
        ((self.failures + weight * prior) / (self.attempts + weight)).clamp(0.0, 1.0)
    }

    /// Whether [`lower_bound`](Self::lower_bound) is above `limit`, without its root and quotients.
    #[inline(always)]
    pub(crate) fn exceeds(self, limit: f32, sigmas: f32) -> bool {
        let failures = smaller(self.failures, self.attempts);
        let over = failures - limit * self.attempts;
        let spread = sigmas * sigmas * failures * (self.attempts - failures);
        (over > 0.0) & (over * over * self.attempts > spread)
    }

    /// A lower confidence bound of the bare rate, `sigmas` standard errors down; 0 without attempts.
    pub(crate) fn lower_bound(self, sigmas: f32) -> f32 {
        if self.failures <= 0.0 || self.attempts <= 0.0 {
            return 0.0;
        }
        let rate = (self.failures / self.attempts).min(1.0);
        (rate - sigmas * (rate * (1.0 - rate) / self.attempts).sqrt()).max(0.0)
    }
}

fn pack(tick: u64, attempts: f32, failures: f32) -> u64 {
    // Why signed: it converts in one instruction; more than 2³⁰ never comes.
    let count = |x: f32| (x as i32).max(0) as u64;
    let (mut n, mut e) = (count(attempts), count(failures));
    while n > COUNT_MASK || e > COUNT_MASK {
        n >>= 1;
        e >>= 1;
    }
    (tick & TICK_MASK) << (2 * COUNT_BITS) | n << COUNT_BITS | e
}

#[inline]
fn raw(word: u64) -> (u64, f32, f32) {
    // Why the detour: a signed 32-bit integer converts in one instruction.
    let float = |bits: u64| (bits & COUNT_MASK) as i32 as f32;
    (
        word >> (2 * COUNT_BITS),
        float(word >> COUNT_BITS),
        float(word),
    )
}

fn is_empty(word: u64) -> bool {
    word & ((1 << (2 * COUNT_BITS)) - 1) == 0
}

/// Counts as they stand in a word, and what is left of them.
///
/// Apart from [`Counts`], so that the selector converts and scales several routes by one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Q14.8.
    pub(crate) attempts: i32,
    /// Q14.8.
    pub(crate) failures: i32,
    /// Part left at the instant of reading; 0..=1.
    pub(crate) factor: f32,
}

impl Stored {
    /// What `word` holds at `now`.
    #[inline(always)]
    pub(crate) fn at(word: u64, now: Tick, decay: &Decay) -> Self {
        Self {
            attempts: (word >> COUNT_BITS & COUNT_MASK) as i32,
            failures: (word & COUNT_MASK) as i32,
            factor: decay.left(word >> (2 * COUNT_BITS), now),
        }
    }

    #[inline(always)]
    pub(crate) fn counts(self) -> Counts {
        let scale = self.factor * (1.0 / ONE);
        Counts {
            attempts: self.attempts as f32 * scale,
            failures: self.failures as f32 * scale,
        }
    }
}

/// The counts in `word` as they stand at `now`.
#[inline(always)]
pub(crate) fn read(word: u64, now: Tick, decay: &Decay) -> Counts {
    Stored::at(word, now, decay).counts()
}

/// `word` with `attempts` and `failures` added at `now`; either may be negative to take back what was counted.
pub(crate) fn add(word: u64, now: Tick, attempts: f32, failures: f32, decay: &Decay) -> u64 {
    let (mut tick, mut n, mut e) = raw(word);
    if is_empty(word) {
        tick = now.index();
    }
    let units = age(tick, now).map_or(0, |age| age >> decay.shift);
    if units > 0 {
        let passed = units << decay.shift;
        let factor = decay.factor(passed);
        tick = tick.wrapping_add(u64::from(passed));
        n = n * factor + dither(tick, 0);
        e = e * factor + dither(tick, 1 << 20);
    }
    pack(
        tick,
        whole(n) + nearest(attempts * ONE),
        whole(e) + nearest(failures * ONE),
    )
}

/// `word` with both counts scaled by `keep`, undated by it: it weighs less.
pub(crate) fn scale(word: u64, keep: f32) -> u64 {
    let (tick, n, e) = raw(word);
    pack(tick, nearest(n * keep), nearest(e * keep))
}

/// `word` with its failures scaled by `keep`: they are forgiven, the attempts stay.
pub(crate) fn forgive(word: u64, keep: f32) -> u64 {
    let (tick, n, e) = raw(word);
    pack(tick, n, nearest(e * keep))
}

/// `word` brought up to `now` if it is so old that its tick could become ambiguous.
pub(crate) fn refresh(word: u64, now: Tick, decay: &Decay) -> u64 {
    let old = age(raw(word).0, now).is_none_or(|age| age > STALE_TICKS);
    if old && !is_empty(word) {
        add(word, now, 0.0, 0.0, decay)
    } else {
        word
    }
}

/// Age from which the sweep touches a word: 268 s, far below the 2.4 h at which 20 bits turn ambiguous.
const STALE_TICKS: u32 = 1 << 14;

/// Ticks since the word's last sample; `u32::MAX` for an empty one.
pub(crate) fn staleness(word: u64, now: Tick) -> u32 {
    if is_empty(word) {
        u32::MAX
    } else {
        age(raw(word).0, now).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(index: u64) -> Tick {
        Tick::from_index(index)
    }

    fn fast() -> Decay {
        Decay::new(Span::from_secs(3), 0)
    }

    fn close(left: f32, right: f32, tolerance: f32) -> bool {
        (left - right).abs() <= tolerance
    }

    #[test]
    fn the_tables_agree_with_the_exponential() {
        let decay = fast();
        for age in [0u32, 1, 5, 63, 64, 100, 1_000, 4_095] {
            let exact = (-f64::from(age) * 16_384.0 / 3e6).exp() as f32;
            assert!(close(decay.factor(age), exact, 1e-6), "age {age}");
        }
        assert!(decay.factor(4_096) <= 0.0);
    }

    #[test]
    fn counts_decay_together_so_the_rate_stays() {
        let decay = fast();
        let mut word = 0;
        for i in 0..100 {
            word = add(
                word,
                tick(1_000),
                1.0,
                if i % 4 == 0 { 1.0 } else { 0.0 },
                &decay,
            );
        }
        let now = read(word, tick(1_000), &decay);
        let later = read(word, tick(1_183), &decay);
        assert!(close(now.attempts, 100.0, 0.01) && close(now.failures, 25.0, 0.01));
        assert!(close(later.attempts, 36.8, 0.2), "{later:?}");
        assert!(close(later.failures / later.attempts, 0.25, 1e-3));
    }

    #[test]
    fn an_older_sample_adds_and_never_decays() {
        let decay = fast();
        let word = add(0, tick(500), 10.0, 0.0, &decay);
        let word = add(word, tick(400), 1.0, 1.0, &decay);
        assert_eq!(raw(word).0, 500);
        let counts = read(word, tick(500), &decay);
        assert!(close(counts.attempts, 11.0, 1e-3) && close(counts.failures, 1.0, 1e-3));
    }

    #[test]
    fn saturation_keeps_the_rate() {
        let decay = fast();
        let mut word = 0;
        for _ in 0..40_000 {
            word = add(word, tick(7), 1.0, 0.5, &decay);
        }
        let counts = read(word, tick(7), &decay);
        assert!(counts.attempts <= 16_384.0);
        assert!(
            close(counts.failures / counts.attempts, 0.5, 1e-3),
            "{counts:?}"
        );
    }

    #[test]
    fn rounding_never_sticks() {
        for (tau, shift) in [(3, 0), (60, 4)] {
            let decay = Decay::new(Span::from_secs(tau), shift);
            let mut word = add(0, tick(100), 0.0, 20.0, &decay);
            for i in 0..60 * 61 * 10 {
                word = add(word, tick(100 + i), 0.1, 0.0, &decay);
            }
            let counts = read(word, tick(100 + 60 * 61 * 10), &decay);
            assert!(counts.failures < 0.05, "tau {tau}: {counts:?}");
            let expected = 0.1 * tau as f32 / 0.016_384;
            assert!(
                close(counts.attempts / expected, 1.0, 0.06),
                "tau {tau}: {counts:?} against {expected}"
            );
        }
    }

    #[test]
    fn a_tick_that_wrapped_is_still_ordered() {
        let decay = fast();
        let word = add(0, tick((1 << TICK_BITS) - 2), 8.0, 0.0, &decay);
        let counts = read(word, tick((1 << TICK_BITS) + 1), &decay);
        assert!(counts.attempts < 8.0 && counts.attempts > 7.8);
    }

    #[test]
    fn the_sweep_empties_what_is_old() {
        let decay = fast();
        let word = add(0, tick(10), 8.0, 1.0, &decay);
        assert_eq!(refresh(word, tick(20), &decay), word);
        let swept = refresh(word, tick(10 + (1 << 15)), &decay);
        let counts = read(swept, tick(10 + (1 << 15)), &decay);
        assert!(counts.attempts < 0.01 && counts.failures < 0.01);
    }

    #[test]
    fn the_lower_bound_needs_evidence() {
        let few = Counts {
            attempts: 10.0,
            failures: 1.0,
        };
        let many = Counts {
            attempts: 10_000.0,
            failures: 1_000.0,
        };
        assert!(few.lower_bound(1.0) < 0.01);
        assert!(close(many.lower_bound(1.0), 0.097, 1e-3));
    }
}
