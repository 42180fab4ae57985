//! Instants and spans as plain integers, so that nothing in this crate reads a clock.
//!
//! A [`Time`] is microseconds since an epoch that the caller chooses (process start in the gateway, trace start in the simulator).
//! A [`Tick`] is the coarse form (2^14 µs = 16.384 ms) that fits beside other fields in a packed word.
//!
//! # Invariants
//! - Arithmetic saturates; an instant before another yields [`Span::ZERO`], never a wrap.
//! - `Time::from_micros(0)` is "before everything": callers start their clock above zero.

/// Microseconds since the caller's epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// [`Time`] in steps of 16.384 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

/// log2 of the microseconds in one tick: 2^14 µs = 16.384 ms.
///
/// Coarser would blur the 3 s error window's decay; finer would wrap 20 bits within an hour.
pub const TICK_SHIFT: u32 = 14;

impl Time {
    /// The instant `micros` µs after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The tick that this instant lies in.
    #[must_use]
    pub const fn tick(self) -> Tick {
        Tick(self.0 >> TICK_SHIFT)
    }

    /// Time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The instant `span` later.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The instant `span` earlier; the epoch if there is none.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` µs.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` ms.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` s.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// A span of `secs` s; zero if negative or not a number.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1e6) as u64)
    }

    /// Microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds, with a fraction.
    #[must_use]
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// Seconds, with a fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This span scaled by `factor`; zero if the factor is negative or not a number.
    #[must_use]
    pub fn mul_f64(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor) as u64)
    }

    /// The sum of two spans.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Tick {
    /// The tick numbered `index`.
    #[must_use]
    pub const fn from_index(index: u64) -> Self {
        Self(index)
    }

    /// Ticks since the epoch.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0
    }
}

impl From<Span> for core::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_micros(span.0)
    }
}

impl From<core::time::Duration> for Span {
    fn from(duration: core::time::Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let early = Time::from_micros(5);
        let late = Time::from_micros(9);
        assert_eq!(late.since(early), Span::from_micros(4));
        assert_eq!(early.since(late), Span::ZERO);
        assert_eq!(early.minus(Span::from_secs(1)), Time::default());
        assert_eq!(
            Time::from_micros(u64::MAX)
                .plus(Span::from_secs(1))
                .as_micros(),
            u64::MAX
        );
    }

    #[test]
    fn a_tick_is_16_384_micros() {
        assert_eq!(Time::from_micros(16_383).tick().index(), 0);
        assert_eq!(Time::from_micros(16_384).tick().index(), 1);
    }

    #[test]
    fn odd_floats_become_zero() {
        assert_eq!(Span::from_secs_f64(-1.0), Span::ZERO);
        assert_eq!(Span::from_secs_f64(f64::NAN), Span::ZERO);
    }
}
