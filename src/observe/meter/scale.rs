//! Into which cell of a histogram does a value fall?
//!
//! A scale has the bounds that people write queries with, and between them those of Prometheus' native histograms of schema 2: four buckets to each doubling, 19 % apart.
//! The cells are cut at both kinds of bounds, so that both kinds of buckets are sums of whole cells and one count feeds both.
//!
//! # Invariants
//! - A bound is inclusive: a value falls into the first cell whose bound is not less.
//! - Every cell but the last lies in exactly one classic and one native bucket.

use std::sync::OnceLock;

/// Millionths of the unit in one unit.
pub(super) const MILLION: f64 = 1e6;

/// The schema of the native buckets: 2 to the power of it buckets for each doubling.
pub(super) const SCHEMA: i32 = 2;

/// Native buckets for each doubling.
const PER_DOUBLING: i32 = 1 << SCHEMA;

/// Entries of the table that finds a cell: 64 powers of two, each in eight parts.
const STARTS: usize = 64 * 8;

/// The bounds of a histogram.
#[derive(Debug)]
pub(crate) struct Scale {
    /// The classic bounds, millionths of the unit, ascending.
    classic: &'static [u64],
    /// The lowest and highest native bound, as powers of two of the unit.
    native: (i32, i32),
    cells: OnceLock<Cells>,
}

/// The cells of a scale.
#[derive(Debug)]
pub(super) struct Cells {
    /// Upper bounds, millionths; one cell more is for what exceeds the last.
    bounds: Box<[u64]>,
    /// For each cell its native bucket; none for what is taken as zero.
    native: Box<[Option<i32>]>,
    /// Where to begin to look, by a value's first four bits and its magnitude.
    starts: Box<[u8; STARTS]>,
}

impl Scale {
    /// A scale with classic bounds in millionths and native ones between two powers of two.
    pub(crate) const fn new(classic: &'static [u64], native: (i32, i32)) -> Self {
        Self {
            classic,
            native,
            cells: OnceLock::new(),
        }
    }

    pub(super) fn cells(&self) -> &Cells {
        self.cells.get_or_init(|| self.cut())
    }

    /// Cells, that of what exceeds the last bound included.
    pub(crate) fn len(&self) -> usize {
        self.cells().len()
    }

    /// Samples of one histogram in the text formats.
    pub(in crate::observe) const fn lines(&self) -> usize {
        self.classic.len() + 3
    }

    /// The classic bounds, in the unit.
    #[cfg(test)]
    pub(in crate::observe) fn bounds(&self) -> impl Iterator<Item = f64> {
        self.classic.iter().map(|bound| *bound as f64 / MILLION)
    }

    /// Millionths in the unit.
    pub(in crate::observe) fn unit(&self, millionths: u64) -> f64 {
        millionths as f64 / MILLION
    }

    /// The cell of a value in millionths.
    #[cfg(test)]
    pub(super) fn cell(&self, value: u64) -> usize {
        self.cells().find(value)
    }

    /// The classic buckets, cumulative: each bound in the unit and the count up to it; the count of all is not among them.
    pub(super) fn classic<'a>(
        &'a self,
        counts: &'a [u64],
    ) -> impl Iterator<Item = (f64, u64)> + 'a {
        let bounds = &self.cells().bounds;
        let mut seen = 0;
        let mut at = 0;
        self.classic.iter().map(move |bound| {
            while bounds.get(at).is_some_and(|cell| cell <= bound) {
                seen += counts.get(at).copied().unwrap_or(0);
                at += 1;
            }
            (*bound as f64 / MILLION, seen)
        })
    }

    /// The native buckets that have counted: each bucket's index and its count, ascending; and what counts as zero.
    pub(super) fn native(&self, counts: &[u64]) -> (Vec<(i32, u64)>, u64) {
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        let mut zero = 0;
        for (bucket, &count) in self.cells().native.iter().zip(counts) {
            match (bucket, buckets.last_mut()) {
                (_, _) if count == 0 => {}
                (None, _) => zero += count,
                (Some(index), Some((last, sum))) if last == index => *sum += count,
                (Some(index), _) => buckets.push((*index, count)),
            }
        }
        (buckets, zero)
    }

    /// The largest value that counts as zero, in the unit.
    pub(super) fn zero_threshold(&self) -> f64 {
        f64::from(self.native.0).exp2()
    }

    /// Cuts the cells. Why here: powers of two to a quarter are no constants.
    fn cut(&self) -> Cells {
        let (low, high) = (self.native.0 * PER_DOUBLING, self.native.1 * PER_DOUBLING);
        let natives: Vec<(i32, u64)> = (low..=high)
            .map(|index| {
                let bound = (f64::from(index) / f64::from(PER_DOUBLING)).exp2();
                // A whole value is at most the bound exactly if it is at most the bound's whole part.
                (index, (bound * MILLION).floor() as u64)
            })
            .collect();
        let mut bounds: Vec<u64> = self.classic.to_vec();
        bounds.extend(natives.iter().map(|(_, bound)| *bound));
        bounds.sort_unstable();
        bounds.dedup();
        let native = bounds
            .iter()
            .map(|bound| {
                let first = natives.iter().find(|(_, it)| bound <= it);
                let index = first.map_or(high + 1, |(index, _)| *index);
                (index > low).then_some(index)
            })
            .chain([Some(high + 1)])
            .collect();
        let mut starts = Box::new([0_u8; STARTS]);
        for (at, start) in starts.iter_mut().enumerate() {
            let least = least(at);
            let first = bounds.partition_point(|bound| *bound < least);
            *start = u8::try_from(first).unwrap_or(u8::MAX);
        }
        Cells {
            bounds: bounds.into(),
            native,
            starts,
        }
    }
}

impl Cells {
    /// Their upper bounds, millionths of the unit; one cell more is for what exceeds the last.
    pub(super) const fn bounds(&self) -> &[u64] {
        &self.bounds
    }

    /// How many there are, that of what exceeds the last bound included.
    pub(super) const fn len(&self) -> usize {
        self.bounds.len() + 1
    }

    /// The cell of a value in millionths.
    pub(super) fn find(&self, value: u64) -> usize {
        let mut at = usize::from(self.starts[key(value)]);
        while self.bounds.get(at).is_some_and(|bound| *bound < value) {
            at += 1;
        }
        at
    }
}

/// A value's magnitude and the three bits below its first.
const fn key(value: u64) -> usize {
    let value = if value == 0 { 1 } else { value };
    let zeros = value.leading_zeros();
    let top = (value << zeros) >> 60;
    ((63 - zeros) as usize) << 3 | (top as usize & 7)
}

/// The least value of a key.
const fn least(key: usize) -> u64 {
    let (magnitude, part) = (key >> 3, (key & 7) as u64);
    if magnitude >= 3 {
        (8 | part) << (magnitude - 3)
    } else {
        (8 | part) >> (3 - magnitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TIMES: Scale = Scale::new(&[1_000, 2_500, 600_000_000], (-10, 10));

    #[test]
    fn a_cell_is_the_first_whose_bound_is_not_less() {
        let bounds = &TIMES.cells().bounds;
        let mut values: Vec<u64> = bounds.iter().flat_map(|it| [it - 1, *it, it + 1]).collect();
        values.extend([0, 1, 2, 3, 7, u64::MAX]);
        for value in values {
            let plain = bounds.partition_point(|bound| *bound < value);
            assert_eq!(TIMES.cell(value), plain, "{value}");
        }
        assert!(TIMES.len() < usize::from(u8::MAX));
    }

    #[test]
    fn both_kinds_of_buckets_hold_what_they_should() {
        let values = [
            0,
            1_000,
            1_001,
            2_500,
            2_501,
            1_000_000,
            1_000_001,
            u64::MAX,
        ];
        let mut counts = vec![0; TIMES.len()];
        for value in values {
            counts[TIMES.cell(value)] += 1;
        }
        let classic: Vec<_> = TIMES.classic(&counts).collect();
        assert_eq!(classic, [(0.001, 2), (0.0025, 4), (600.0, 7)]);
        let (native, zero) = TIMES.native(&counts);
        assert_eq!(zero, 1);
        let plain = |value: u64| {
            let unit = value as f64 / MILLION;
            ((unit.log2() * f64::from(PER_DOUBLING)).ceil() as i32).min(41)
        };
        let mut expected = std::collections::BTreeMap::new();
        for value in &values[1..] {
            *expected.entry(plain(*value)).or_insert(0) += 1;
        }
        assert_eq!(native, expected.into_iter().collect::<Vec<_>>());
    }
}
