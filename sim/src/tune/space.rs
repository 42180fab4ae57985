//! From a candidate to constants: coordinates between 0 and 1, around the constants as they are.
//!
//! # Invariants
//! - Every point gives a tuning that passes its check.
//! - Values are rounded before they are tried, so that what is written is what was measured.

use scoring::tuning::{self, Constant, Tuning, Unit, constants};

use super::ranges::Scale::{Linear, Log};
use super::ranges::{SEARCHED, Scale, Searched};

/// What a candidate changes: a coordinate in 0..=1 for each constant changed, `None` for one that stays as it is.
pub(super) type Point = Vec<Option<f64>>;

/// The constants that are searched, around a starting point.
#[derive(Clone, Debug)]
pub(super) struct Space {
    axes: Vec<Axis>,
    base: Tuning,
}

#[derive(Clone, Copy, Debug)]
struct Axis {
    constant: &'static Constant,
    low: f64,
    high: f64,
    scale: Scale,
}

impl Space {
    /// All that is searched, around `base`; a range that does not hold the base's value is widened to it.
    #[must_use]
    pub(super) fn new(base: &Tuning) -> Self {
        let axis = |it: &Searched| {
            let constant = tuning::constant(it.name)?;
            let value = (constant.get)(base);
            // Why: a factor of zero leads nowhere, so that a value of zero counts as the smallest tried.
            let widest = if it.scale == Log && value <= 0.0 {
                it.low
            } else {
                value
            };
            Some(Axis {
                constant,
                low: it.low.min(widest),
                high: it.high.max(widest),
                scale: it.scale,
            })
        };
        Self {
            axes: SEARCHED.iter().filter_map(axis).collect(),
            base: *base,
        }
    }

    /// Where the base lies.
    #[must_use]
    pub(super) fn home(&self) -> Vec<f64> {
        let coordinate = |axis: &Axis| axis.coordinate((axis.constant.get)(&self.base));
        self.axes.iter().map(coordinate).collect()
    }

    /// The constants of `point`.
    ///
    /// One that is below the least that another allows is raised to it.
    #[must_use]
    pub(super) fn tuning(&self, point: &Point) -> Tuning {
        let mut tuning = self.base;
        for (axis, coordinate) in self.axes.iter().zip(point) {
            if let Some(coordinate) = coordinate {
                (axis.constant.set)(&mut tuning, axis.value(*coordinate));
            }
        }
        for constant in constants() {
            let least = (constant.least)(&tuning);
            if (constant.get)(&tuning) < least {
                (constant.set)(&mut tuning, least);
            }
        }
        tuning
    }

    /// `point` without changes that rounding undoes.
    #[must_use]
    pub(super) fn rounded(&self, mut point: Point) -> Point {
        for (axis, coordinate) in self.axes.iter().zip(&mut point) {
            let mut tuning = self.base;
            if let Some(at) = *coordinate {
                (axis.constant.set)(&mut tuning, axis.value(at));
            }
            if tuning == self.base {
                *coordinate = None;
            }
        }
        point
    }

    /// The constant of one coordinate.
    #[must_use]
    pub(super) fn constant(&self, axis: usize) -> &'static Constant {
        self.axes[axis].constant
    }
}

impl Axis {
    fn coordinate(&self, value: f64) -> f64 {
        let part = match self.scale {
            Linear => (value - self.low) / (self.high - self.low),
            Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        part.clamp(0.0, 1.0)
    }

    /// The value at a coordinate, with as many digits as say something.
    fn value(&self, coordinate: f64) -> f64 {
        let at = coordinate.clamp(0.0, 1.0);
        let (value, step) = match self.scale {
            Linear => {
                let width = self.high - self.low;
                (self.low + width * at, width / 50.0)
            }
            Log => {
                let value = self.low * (self.high / self.low).powf(at);
                (value, value / 10.0)
            }
        };
        let step = if self.constant.unit == Unit::Count {
            1.0
        } else {
            10_f64.powf(step.log10().floor())
        };
        let value = (value / step).round() / step.recip();
        value.clamp(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_point_fails_its_check() {
        let space = Space::new(&Tuning::default());
        for at in [0.0, 0.3, 0.5, 0.99, 1.0] {
            assert_eq!(
                space.tuning(&vec![Some(at); SEARCHED.len()]).check(),
                Ok(()),
                "{at}"
            );
        }
        for axis in 0..SEARCHED.len() {
            for at in [0.0, 1.0] {
                let mut point = vec![None; SEARCHED.len()];
                point[axis] = Some(at);
                assert_eq!(
                    space.tuning(&point).check(),
                    Ok(()),
                    "{} at {at}",
                    SEARCHED[axis].name
                );
            }
        }
    }

    #[test]
    fn the_base_is_at_home_and_a_change_is_what_it_says() {
        let base = Tuning::default();
        let space = Space::new(&base);
        let home: Point = space.home().into_iter().map(Some).collect();
        assert_eq!(space.rounded(home), vec![None; SEARCHED.len()]);
        assert_eq!(space.tuning(&vec![None; SEARCHED.len()]), base);
        let axis = SEARCHED
            .iter()
            .position(|it| it.name == "circuit.open_base")
            .unwrap();
        let mut point = vec![None; SEARCHED.len()];
        point[axis] = Some(0.5);
        let tuned = space.tuning(&point);
        // The middle of 0.25 and 5 in factors is 1.118, told with two digits.
        assert_eq!(
            tuned.circuit.open_base,
            scoring::time::Span::from_millis(1_100)
        );
        assert_eq!(space.constant(axis).name, "circuit.open_base");
    }

    #[test]
    fn a_base_out_of_range_widens_it() {
        let mut base = Tuning::default();
        base.draw.band = 1.0;
        let space = Space::new(&base);
        let axis = SEARCHED
            .iter()
            .position(|it| it.name == "draw.band")
            .unwrap();
        assert!((space.home()[axis] - 1.0).abs() < 1e-9);
    }
}
