//! Which constants can be tried beside the live ones, on the same statistics?
//!
//! Those that a decision reads and nothing that is recorded depends on: under another value of theirs the same words mean another choice, and the words stay what they are.
//! Any other constant shapes what is recorded (decays, fits, circuits, ceilings), so its effect shows only where traffic is replayed under it.
//!
//! # Invariants
//! - Every name stands in the table of [`constants()`](super::constants()), once.
//! - None of them changes a word of a route; a test compares the words.

/// The constants that are read at the moment of a decision and nowhere where something is recorded.
///
/// Not `cost.full_from`, which refusals read to learn how full a bucket was; not `circuit.ramp_start`, by which the ramp climbs; not `error.slow_prior`, which the circuit judges by.
/// Not the probes' constants either: a probe is claimed, and what is claimed is recorded.
const OF_CHOICE: [&str; 20] = [
    "error.fast_prior",
    "error.benefit",
    "latency.risk",
    "latency.dead_zone",
    "cost.failed_attempt_ms",
    "cost.ms_per_millidollar",
    "cost.affinity",
    "cost.busy_from",
    "cost.busy_weight",
    "cost.hot_from",
    "draw.band",
    "draw.edge",
    "draw.taper_from",
    "draw.taper_power",
    "draw.doubt_half",
    "draw.doubt_width",
    "draw.explore",
    "draw.explore_cap",
    "draw.explore_chance",
    "draw.explore_stale",
];

/// Whether the constant called `name` acts on the choice alone, so that another value can be tried on the same statistics.
#[must_use]
pub fn acts_on_choice(name: &str) -> bool {
    OF_CHOICE.contains(&name)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::sync::Arc;

    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::super::{Constant, Tuning, constants};
    use super::*;
    use crate::Class;
    use crate::outcome::Outcome;
    use crate::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
    use crate::select::{Candidate, Decision, Pool, Tried, select};
    use crate::time::{Span, Time};

    #[test]
    fn every_name_is_a_constant() {
        let known = constants().iter().filter(|it| acts_on_choice(it.name));
        let known: Vec<_> = known.map(|it| it.name).collect();
        assert_eq!(known, OF_CHOICE);
    }

    /// A hash of all words that a route went through under this tuning, with failures, refusals and recoveries in them.
    fn words(tuning: &Tuning) -> u64 {
        let told = ToldLimits {
            requests_per_minute: Some(600),
            ..ToldLimits::default()
        };
        let parent = Arc::new(Parent::default());
        let route = Arc::new(Route::new(parent, &Prior::default(), &told, tuning));
        let candidate = Candidate {
            route: Arc::clone(&route),
            weight: 1.0,
            rates: crate::cost::Rates::default(),
        };
        let pool = Pool::new(vec![candidate], *tuning);
        let ask = Ask {
            class: Class::Chat,
            input_tokens: 100,
            max_tokens: Some(50),
            deadline: None,
            probe_ok: true,
            affinity: None,
        };
        let mut rng = SmallRng::seed_from_u64(5);
        let mut now = Time::from_micros(10_000_000);
        let mut words = DefaultHasher::new();
        for turn in 0..600_u64 {
            now = now.plus(Span::from_millis(50));
            let decision = select(&pool, &ask, &Tried::default(), now, &mut rng);
            let Decision::Picked(pick) = decision else {
                continue;
            };
            let attempt = Attempt::begin(Arc::clone(&route), &ask, &pick, now);
            now = now.plus(Span::from_millis(200 + turn % 7 * 40));
            let outcome = match turn {
                100..=130 => Outcome::ServerError,
                300 | 301 => Outcome::RateLimited,
                _ => Outcome::Success,
            };
            let end = End {
                output_tokens: Some(20),
                retry_after: (turn == 300).then_some(Span::from_millis(80)),
                ..End::of(outcome)
            };
            attempt.finish(&end, now);
            if turn.is_multiple_of(5) {
                route.fit(now);
                route.sweep(now);
            }
            let whole = format!("{route:?}");
            let (line, _) = whole.split_once("limits: ").unwrap_or_default();
            assert!(line.contains("err_fast"), "{whole}");
            line.hash(&mut words);
        }
        words.finish()
    }

    fn changed(constant: &Constant) -> Tuning {
        let mut tuning = Tuning::default();
        let (least, now) = ((constant.least)(&tuning), (constant.get)(&tuning));
        // Halfway to an end of the range, or a value of the same order where the range is wide.
        let other = if now > least {
            f64::midpoint(least, now)
        } else {
            constant.most.min(1.0)
        };
        (constant.set)(&mut tuning, other);
        tuning
    }

    #[test]
    fn they_leave_what_is_recorded_alone() {
        let live = words(&Tuning::default());
        for constant in constants().iter().filter(|it| acts_on_choice(it.name)) {
            let tuning = changed(constant);
            assert_ne!(tuning, Tuning::default(), "{}", constant.name);
            assert_eq!(words(&tuning), live, "{}", constant.name);
        }
    }

    /// The test above finds constants that do not leave it alone.
    #[test]
    fn others_are_seen_to_shape_it() {
        let live = words(&Tuning::default());
        for name in [
            "error.tau_fast",
            "error.slow_prior",
            "latency.tau_drift",
            "circuit.doubt_step",
            "circuit.ramp_start",
            "cost.full_from",
            "ceiling.gate_default",
        ] {
            let constant = constants().iter().find(|it| it.name == name);
            assert!(!acts_on_choice(name));
            assert!(
                constant.is_some_and(|it| words(&changed(it)) != live),
                "{name}"
            );
        }
    }
}
