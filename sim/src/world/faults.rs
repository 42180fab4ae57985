//! What is wrong with a route at an instant: the chance of each fault, and the factor on latency.
//!
//! # Invariants
//! - Pure in scenario and instant; of several faults that hold at once, the first that strikes wins.

use scoring::time::Span;

use crate::scenario::{Fault, FaultKind};

/// How far a fault has come, 0..=1, if it holds at `age` of the run.
pub(crate) fn progress(fault: &Fault, age: Span) -> Option<f64> {
    let age = match fault.every {
        Some(every) => age.as_micros() % every.as_micros().max(1),
        None => age.as_micros(),
    };
    let since = age.checked_sub(fault.from.as_micros())?;
    let Some(until) = fault.until else {
        return Some(0.0);
    };
    let length = until.as_micros() - fault.from.as_micros();
    (since < length).then(|| since as f64 / length as f64)
}

/// The chance that it strikes, `share` of the way.
pub(crate) fn chance(fault: &Fault, share: f64) -> f64 {
    fault.probability + (fault.probability_to - fault.probability) * share
}

/// The factor on latency, `share` of the way.
pub(crate) fn latency(fault: &Fault, share: f64) -> f64 {
    fault.latency + (fault.latency_to - fault.latency) * share
}

/// The product of the latency factors of `faults` at `age`.
pub(crate) fn latency_factor<'a>(faults: impl Iterator<Item = &'a Fault>, age: Span) -> f64 {
    faults
        .filter_map(|fault| Some(latency(fault, progress(fault, age)?)))
        .product()
}

/// The fault that strikes, by `draw` (0..1, asked for once for each that may).
pub(crate) fn strike<'a>(
    faults: impl Iterator<Item = &'a Fault>,
    age: Span,
    mut draw: impl FnMut() -> f64,
) -> Option<(FaultKind, Span)> {
    for fault in faults {
        let (Some(kind), Some(share)) = (fault.kind, progress(fault, age)) else {
            continue;
        };
        let chance = chance(fault, share);
        if chance >= 1.0 || (chance > 0.0 && draw() < chance) {
            return Some((kind, fault.delay));
        }
    }
    None
}

/// The largest chance of failure and the largest slow-down that a fault ever reaches.
pub(crate) fn worst(fault: &Fault) -> (f64, f64) {
    let chance = match fault.kind {
        Some(_) => fault.probability.max(fault.probability_to),
        None => 0.0,
    };
    (chance, fault.latency.max(fault.latency_to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flapping() -> Fault {
        Fault {
            on: vec![0],
            from: Span::from_secs(20),
            until: Some(Span::from_secs(40)),
            every: Some(Span::from_secs(40)),
            kind: Some(FaultKind::Error),
            probability: 0.0,
            probability_to: 0.4,
            latency: 1.0,
            latency_to: 3.0,
            delay: Span::ZERO,
        }
    }

    #[test]
    fn a_fault_holds_within_its_window_and_repeats() {
        let fault = flapping();
        for (second, expected) in [
            (0, None),
            (20, Some(0.0)),
            (30, Some(0.5)),
            (40, None),
            (70, Some(0.5)),
        ] {
            assert_eq!(progress(&fault, Span::from_secs(second)), expected);
        }
        assert!((chance(&fault, 0.5) - 0.2).abs() < 1e-12);
        assert!((latency_factor([fault].iter(), Span::from_secs(30)) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_first_that_strikes_wins() {
        let first = Fault {
            until: None,
            every: None,
            probability: 0.5,
            probability_to: 0.5,
            ..flapping()
        };
        let second = Fault {
            kind: Some(FaultKind::Silence),
            probability: 1.0,
            probability_to: 1.0,
            ..first.clone()
        };
        let faults = [first, second];
        let at = Span::from_secs(25);
        let struck = |draw: f64| strike(faults.iter(), at, || draw).map(|it| it.0);
        assert_eq!(struck(0.4), Some(FaultKind::Error));
        assert_eq!(struck(0.6), Some(FaultKind::Silence));
    }
}
