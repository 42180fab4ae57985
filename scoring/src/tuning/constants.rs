//! Every constant by its name: what it is counted in, what it may be, how it is read and changed.
//!
//! Whoever treats constants alike, such as a search for better ones, goes through this table; whoever means one writes its field.
//!
//! # Invariants
//! - Every field of every group is listed once, in the order in which it is declared; a test compares with what `Debug` prints.
//! - Setting what was got changes nothing.
//! - A smallest value that is another constant's value names one that stands earlier in the table.

use super::{Tuning, TuningError};
use crate::time::Span;

/// One constant of the model.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Its name, as `group.field`.
    pub name: &'static str,
    /// What its value is counted in.
    pub unit: Unit,
    /// Its smallest value under given other constants.
    pub least: fn(&Tuning) -> f64,
    /// Its largest value.
    pub most: f64,
    /// Reads it; spans in seconds.
    pub get: fn(&Tuning) -> f64,
    /// Changes it; spans in seconds, rounded to what its type can hold.
    pub set: fn(&mut Tuning, f64),
}

/// What a constant's value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, kept to the microsecond.
    Seconds,
    /// A plain number, kept in single precision.
    Number,
    /// A whole number.
    Count,
}

impl Constant {
    /// Checks its value in `tuning` against its range.
    ///
    /// # Errors
    /// The value lies outside of the range, or is not a number.
    pub fn check(&self, tuning: &Tuning) -> Result<(), TuningError> {
        let (value, min) = ((self.get)(tuning), (self.least)(tuning));
        if value >= min && value <= self.most {
            return Ok(());
        }
        Err(TuningError {
            field: self.name,
            value,
            min,
            max: self.most,
        })
    }
}

/// Every constant, in the order in which they are declared.
#[must_use]
pub fn constants() -> &'static [Constant] {
    CONSTANTS
}

/// The constant called `name`, as `group.field`.
#[must_use]
pub fn constant(name: &str) -> Option<&'static Constant> {
    CONSTANTS.iter().find(|it| it.name == name)
}

/// A type of a field.
trait Kept: Copy {
    const UNIT: Unit;

    fn read(self) -> f64;

    fn kept(value: f64) -> Self;
}

impl Kept for Span {
    const UNIT: Unit = Unit::Seconds;

    fn read(self) -> f64 {
        self.as_secs_f64()
    }

    fn kept(value: f64) -> Self {
        Self::from_micros((value * 1e6).round() as u64)
    }
}

impl Kept for f32 {
    const UNIT: Unit = Unit::Number;

    fn read(self) -> f64 {
        self.into()
    }

    fn kept(value: f64) -> Self {
        value as Self
    }
}

impl Kept for u32 {
    const UNIT: Unit = Unit::Count;

    fn read(self) -> f64 {
        self.into()
    }

    fn kept(value: f64) -> Self {
        value.round() as Self
    }
}

/// The unit of the fields that `read` reads.
const fn unit<T: Kept>(_: fn(&Tuning) -> T) -> Unit {
    T::UNIT
}

/// Makes the table of `group { field: smallest, largest; }`, where a smallest value is a number or a field of the same group.
macro_rules! table {
    ($($group:ident { $($field:ident: $least:tt, $most:literal;)* })*) => {
        &[$($(Constant {
            name: concat!(stringify!($group), ".", stringify!($field)),
            unit: unit(|tuning| tuning.$group.$field),
            least: least!($group $least),
            most: $most,
            get: |tuning| tuning.$group.$field.read(),
            set: |tuning, value| tuning.$group.$field = Kept::kept(value),
        },)*)*]
    };
}

macro_rules! least {
    ($group:ident $number:literal) => {
        |_| $number
    };
    ($group:ident $field:ident) => {
        |tuning| tuning.$group.$field.read()
    };
}

const CONSTANTS: &[Constant] = table! {
    error {
        tau_fast: 0.5, 60.0;
        tau_slow: 10.0, 3_600.0;
        fast_prior: 0.1, 1_000.0;
        slow_prior: 0.1, 1_000.0;
        parent_prior: 0.1, 1_000.0;
        base_rate: 0.0, 0.1;
        benefit: 0.0, 3.0;
    }
    latency {
        tau_drift: 1.0, 60.0;
        tau_fit: 30.0, 7_200.0;
        ridge: 0.1, 1_000.0;
        weight_min: 0.001, 0.5;
        weight_max: weight_min, 1.0;
        clip: 1.1, 10.0;
        risk: 0.0, 3.0;
        dead_zone: 0.0, 2.0;
        overdue: 1.5, 20.0;
        refund: overdue, 50.0;
        overdue_floor: 0.01, 60.0;
        degraded_ratio: 1.05, 10.0;
    }
    circuit {
        threshold: 1.0, 15.0;
        good_rate: 0.001, 0.1;
        bad_rate: 0.05, 0.9;
        doubt_step: 1.0, 255.0;
        doubt_most: 1.0, 255.0;
        doubt_rest: 1.0, 3_600.0;
        quiet_failures: 2.0, 7.0;
        quiet_attempts: 0.0, 100.0;
        open_base: 0.01, 60.0;
        open_cap: open_base, 600.0;
        open_requests: 0.0, 1_000.0;
        open_longest: open_cap, 3_600.0;
        open_jitter: 0.0, 0.5;
        doublings: 0.0, 10.0;
        probes: 1.0, 15.0;
        probe_expiry: 1.0, 600.0;
        probe_patience: 0.0, 60.0;
        ramp_successes: 1.0, 15.0;
        ramp_start: 0.01, 1.0;
        forget: 0.0, 1.0;
        flap_window: 0.0, 86_400.0;
        calm_window: 0.0, 86_400.0;
        hold_base: 1.0, 86_400.0;
        hold_cap: hold_base, 432_000.0;
        parent_window: 0.0, 60.0;
        parent_hold: 0.0, 600.0;
    }
    cost {
        failed_attempt_ms: 0.0, 600_000.0;
        ms_per_millidollar: 0.0, 1_000_000.0;
        affinity: 0.0, 1.0;
        busy_from: 0.0, 0.99;
        busy_weight: 0.0, 10.0;
        hot_from: busy_from, 1.0;
        full_from: hot_from, 1.0;
    }
    draw {
        band: 0.0, 10.0;
        edge: 0.0, 10.0;
        taper_from: 0.000_1, 1.0;
        taper_power: 0.5, 8.0;
        doubt_half: 1.0, 255.0;
        doubt_width: 1.0, 255.0;
        explore: 0.0, 0.1;
        explore_cap: 1.0, 100.0;
        explore_chance: 0.01, 1.0;
        explore_stale: 0.0, 3_600.0;
    }
    ceiling {
        drained_cut: 0.1, 1.0;
        unknown_cut: 0.1, 1.0;
        drained_window: 0.0, 3_600.0;
        event_gap: 0.0, 3_600.0;
        measure_window: 1.0, 600.0;
        probe_speed: 0.0, 0.1;
        probe_interval: 1.0, 86_400.0;
        probe_interval_max: probe_interval, 604_800.0;
        probe_requests: 0.0, 4_294_967_295.0;
        probe_from: 0.0, 1.0;
        same_ceiling: 0.0, 1.0;
        lowered_refusals: 0.0, 4_294_967_295.0;
        lowered_window: 0.0, 3_600.0;
        lowered_cut: 0.1, 1.0;
        gate_jitter: 0.0, 0.5;
        gate_default: 0.0, 3_600.0;
        gate_max: 1.0, 2_592_000.0;
        slice_burst: 1.0, 10.0;
        output_charge: 0.0, 1.0;
    }
    retry {
        ratio: 0.0, 1.0;
        per_second: 0.0, 1_000.0;
        cap: 1.0, 100_000.0;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field as `group.field`, read from what `Debug` prints.
    fn fields() -> Vec<String> {
        let mut found = Vec::new();
        let mut group = String::new();
        for line in format!("{:#?}", Tuning::default()).lines() {
            let Some((name, rest)) = line.trim().split_once(": ") else {
                continue;
            };
            match line.len() - line.trim_start().len() {
                4 => name.clone_into(&mut group),
                8 if !rest.is_empty() => found.push(format!("{group}.{name}")),
                _ => {}
            }
        }
        found
    }

    #[test]
    fn every_field_is_in_the_table_once_and_in_order() {
        let names: Vec<_> = constants().iter().map(|it| it.name.to_owned()).collect();
        assert!(names.len() > 70, "{}", names.len());
        assert_eq!(names, fields());
    }

    #[test]
    fn setting_what_was_got_changes_nothing() {
        for constant in constants() {
            let mut tuning = Tuning::default();
            let got = (constant.get)(&tuning);
            (constant.set)(&mut tuning, got);
            assert_eq!(tuning, Tuning::default(), "{}", constant.name);
        }
    }

    #[test]
    fn setting_changes_that_constant_and_no_other() {
        for constant in constants() {
            let mut tuning = Tuning::default();
            let (least, default) = ((constant.least)(&tuning), (constant.get)(&tuning));
            let other = if default < constant.most {
                constant.most
            } else {
                least
            };
            (constant.set)(&mut tuning, other);
            let got = (constant.get)(&tuning);
            assert!(
                (got - other).abs() <= 1e-6 * other.abs(),
                "{}: {got}",
                constant.name
            );
            let changed = constants()
                .iter()
                .filter(|it| (it.get)(&tuning).to_bits() != (it.get)(&Tuning::default()).to_bits());
            let changed: Vec<_> = changed.map(|it| it.name).collect();
            assert_eq!(changed, [constant.name]);
        }
    }

    #[test]
    fn units_are_those_of_the_fields() {
        let unit = |name| constant(name).map(|it| it.unit);
        assert_eq!(unit("error.tau_fast"), Some(Unit::Seconds));
        assert_eq!(unit("draw.band"), Some(Unit::Number));
        assert_eq!(unit("circuit.probes"), Some(Unit::Count));
        assert_eq!(unit("circuit.nothing"), None);
    }

    #[test]
    fn ranges_that_depend_on_another_constant_move_with_it() {
        let mut tuning = Tuning::default();
        tuning.cost.busy_from = 0.96;
        assert_eq!(tuning.check().map_err(|it| it.field), Err("cost.hot_from"));
        tuning.cost.hot_from = 0.97;
        assert_eq!(tuning.check(), Ok(()));
    }
}
