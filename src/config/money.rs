//! How much is it?
//!
//! Money is counted in whole nano-dollars, so that sums are exact whatever their order.
//!
//! # Invariants
//! - No amount exceeds [`Nano::MAX`]; arithmetic saturates there and at zero.

use std::fmt;

/// Nano-dollars in a dollar.
const PER_DOLLAR: u64 = 1_000_000_000;

/// An amount of money, nano-dollars; 0 to [`Nano::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nano(u64);

impl Nano {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest amount, about 4.5 million dollars: 52 bits, so that an amount and twelve bits that tell its window fit into one word.
    pub const MAX: Self = Self((1 << 52) - 1);

    /// An amount of nano-dollars, at most [`Nano::MAX`].
    #[must_use]
    pub const fn new(nano: u64) -> Self {
        if nano > Self::MAX.0 {
            Self::MAX
        } else {
            Self(nano)
        }
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// An amount given in dollars, to the nearest nano-dollar; none if it is negative, not a number or more than [`Nano::MAX`].
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let nano = (dollars * PER_DOLLAR as f64).round();
        (nano >= 0.0 && nano <= Self::MAX.0 as f64).then_some(Self(nano as u64))
    }

    /// The amount in dollars, for people.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PER_DOLLAR as f64
    }

    /// The sum, at most [`Nano::MAX`].
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Nano {
    /// In dollars, with as many digits as it has, two at least.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / PER_DOLLAR, self.0 % PER_DOLLAR);
        let digits = format!("{rest:09}");
        let digits = digits.trim_end_matches('0');
        write!(f, "${dollars}.{digits:0<2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_shown_to_the_nano() {
        for (dollars, nano, shown) in [
            (0.0, 0, "$0.00"),
            (1.0, 1_000_000_000, "$1.00"),
            (0.1, 100_000_000, "$0.10"),
            (12.345, 12_345_000_000, "$12.345"),
            (0.000_000_001, 1, "$0.000000001"),
        ] {
            let amount = Nano::from_dollars(dollars).unwrap();
            assert_eq!((amount.get(), &*amount.to_string()), (nano, shown));
        }
        for bad in [-0.01, f64::NAN, f64::INFINITY, 4.6e6] {
            assert_eq!(Nano::from_dollars(bad), None, "{bad}");
        }
    }

    #[test]
    fn sums_stay_in_range() {
        assert_eq!(Nano::MAX.plus(Nano::new(1)), Nano::MAX);
        assert_eq!(Nano::new(1).less(Nano::new(2)), Nano::ZERO);
        assert_eq!(Nano::new(u64::MAX), Nano::MAX);
    }
}
