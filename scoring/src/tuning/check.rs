//! Whether constants are what they may be.
//!
//! # Invariants
//! - A checked tuning makes every formula of the crate finite.
//! - The ranges are those of the table of [`constants()`], written there alone.

use super::{Tuning, constants};

/// The first constant found out of its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TuningError {
    /// The constant's name, as `group.field`.
    pub field: &'static str,
    /// The value given; spans in seconds.
    pub value: f64,
    /// Smallest value allowed; spans in seconds.
    pub min: f64,
    /// Largest value allowed; spans in seconds.
    pub max: f64,
}

impl core::fmt::Display for TuningError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} is {} but must lie in {}..={}",
            self.field, self.value, self.min, self.max
        )
    }
}

impl core::error::Error for TuningError {}

impl Tuning {
    /// Checks every constant against its range.
    ///
    /// # Errors
    /// The first constant that lies outside of its range, or is not a number.
    pub fn check(&self) -> Result<(), TuningError> {
        constants().iter().try_for_each(|it| it.check(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(Tuning::default().check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let mut tuning = Tuning::default();
        tuning.draw.band = f32::NAN;
        assert_eq!(tuning.check().map_err(|e| e.field), Err("draw.band"));
        tuning = Tuning::default();
        tuning.circuit.open_cap = Span::ZERO;
        let error = tuning.check().err().map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some("circuit.open_cap is 0 but must lie in 1..=600")
        );
    }
}
