//! Weighted sums of one quantity, from which a ratio and the variance of its difference follow at any time.
//!
//! Of each weight only its excess over 1 is summed, `v = w − 1`: where both policies choose alike every sum of `v` stays exactly 0, and little differences are not lost in large sums.
//!
//! # Invariants
//! - Sums only grow by what is added; each is one word, and two words may be from different instants.
//! - In double precision 10⁹ additions lose at most 10⁻⁷ of a sum.

use crate::cell::Word;

/// How many sums there are.
const SUMS: usize = 9;

/// Sums over requests with a quantity `y` and a weight `1 + v`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    /// Requests.
    pub(super) n: f64,
    pub(super) y: f64,
    pub(super) yy: f64,
    pub(super) v: f64,
    pub(super) vy: f64,
    pub(super) vyy: f64,
    pub(super) vv: f64,
    pub(super) vvy: f64,
    pub(super) vvyy: f64,
}

impl Moments {
    /// One request's part.
    pub(super) fn of(y: f64, v: f64) -> Self {
        Self {
            n: 1.0,
            y,
            yy: y * y,
            v,
            vy: v * y,
            vyy: v * y * y,
            vv: v * v,
            vvy: v * v * y,
            vvyy: v * v * y * y,
        }
    }

    const fn sums(self) -> [f64; SUMS] {
        [
            self.n, self.y, self.yy, self.v, self.vy, self.vyy, self.vv, self.vvy, self.vvyy,
        ]
    }

    const fn from_sums([n, y, yy, v, vy, vyy, vv, vvy, vvyy]: [f64; SUMS]) -> Self {
        Self {
            n,
            y,
            yy,
            v,
            vy,
            vyy,
            vv,
            vvy,
            vvyy,
        }
    }

    /// The sum of the weights.
    pub(super) fn weights(&self) -> f64 {
        self.n + self.v
    }

    /// The sum of their squares.
    pub(super) fn squares(&self) -> f64 {
        self.n + 2.0 * self.v + self.vv
    }
}

/// A sum in double precision that several threads add to.
#[derive(Debug)]
pub(super) struct Sum(Word);

impl Default for Sum {
    fn default() -> Self {
        Self(Word::new(0.0_f64.to_bits()))
    }
}

impl Sum {
    /// Adds; false if others were faster too often, and nothing was added.
    pub(super) fn add(&self, amount: f64) -> bool {
        let next = |bits| (f64::from_bits(bits) + amount).to_bits();
        amount.abs() <= 0.0 || self.0.update(next).is_some()
    }

    pub(super) fn read(&self) -> f64 {
        f64::from_bits(self.0.load())
    }
}

/// [`Moments`] that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Shared([Sum; SUMS]);

impl Shared {
    /// Adds one request; tells how many of its sums were given up.
    pub(super) fn add(&self, part: Moments) -> u64 {
        let sums = self.0.iter().zip(part.sums());
        sums.map(|(sum, amount)| u64::from(!sum.add(amount))).sum()
    }

    pub(super) fn read(&self) -> Moments {
        Moments::from_sums(core::array::from_fn(|index| self.0[index].read()))
    }
}
