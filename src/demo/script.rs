//! What happens in the demo, and when?
//!
//! Three stand-in providers of equal speed share the traffic by the operator's weights; after a while the one with the largest share slows down and begins to fail, stays bad, and is well again from one moment to the next.
//! Gateway and twin are each served by a set of stand-ins made from the same script and seed.
//!
//! # Invariants
//! - Phases follow one another without a gap and end at [`Story::length`].
//! - What the stand-ins are told is what [`Story::severity`] says.
//! - In health all three are within the selector's band, so that the operator's weights hold exactly.
//! - Faults strike before the first token only, so a request is never lost unless whoever routes it loses it.

use std::collections::BTreeMap;
use std::time::Duration;

use scoring::time::Span;

use crate::mock::{AnswerLength, FaultScript, Kind, ProviderScript, Script};

/// Routes of the demo's model.
pub(super) const ROUTES: usize = 3;

/// The route that degrades: the one that most traffic would suffer from.
pub(super) const SICK: usize = 0;

/// The name that clients ask for.
pub(super) const MODEL: &str = "demo";

/// The routes, in alphabetical order as the gateway's registry keeps them.
pub(super) const CAST: [Actor; ROUTES] = [
    Actor {
        name: "alder",
        path: "/alder/v1/chat/completions",
        weight: 0.5,
        ttft_ms: 120,
    },
    Actor {
        name: "birch",
        path: "/birch/v1/chat/completions",
        weight: 0.3,
        ttft_ms: 125,
    },
    Actor {
        name: "cedar",
        path: "/cedar/v1/chat/completions",
        weight: 0.2,
        ttft_ms: 115,
    },
];

/// Seconds of each phase at speed 1: long enough to see health, a slow decline, distress and the return.
const PHASES: [f64; Phase::ALL.len()] = [60.0, 45.0, 30.0, 45.0];

/// Factor on the sick route's latency at its worst.
const WORST_LATENCY: f64 = 4.0;

/// Share of the sick route's requests that fail at its worst.
const WORST_ERRORS: f64 = 0.4;

/// Time that a struck request takes to fail: a refusal by a busy provider's front takes some, but less than an answer.
const FAILURE_DELAY: Duration = Duration::from_millis(60);

/// Microseconds that an input token adds to the time to the first token: the median prompt of 1,020 tokens adds 61 ms.
const INPUT_COST: f64 = 60.0;

/// Time per output token: with it the median request takes 0.45 s and one in twenty more than 1.2 s.
const OUTPUT_COST: Duration = Duration::from_millis(2);

/// σ of each request's latency, as measured of hosted models within an hour.
const NOISE: f64 = 0.2;

/// Length of an answer if the request did not cut it: more than any request of the demo asks for.
const ENDLESS: u32 = 4_096;

/// One provider of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    pub(super) name: &'static str,
    /// Where its stand-in takes requests.
    pub(super) path: &'static str,
    /// The operator's share of the traffic; the cast's sum is 1.
    pub(super) weight: f32,
    /// Time to the first token of an empty prompt.
    ttft_ms: u64,
}

/// A part of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Healthy,
    Degrading,
    Bad,
    Recovered,
}

/// How bad the sick route is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Severity {
    /// Factor on latency; 1 is normal.
    pub(super) latency: f64,
    /// Share of requests that fail; 0..=1.
    pub(super) errors: f64,
}

/// The story at one speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Story {
    speed: f64,
}

impl Phase {
    pub(super) const ALL: [Self; 4] = [Self::Healthy, Self::Degrading, Self::Bad, Self::Recovered];

    /// One word for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degrading => "degrading",
            Self::Bad => "bad",
            Self::Recovered => "recovered",
        }
    }
}

impl Story {
    /// Seconds that the story takes at speed 1.
    pub(super) const SECONDS: f64 = PHASES[0] + PHASES[1] + PHASES[2] + PHASES[3];

    /// The story told `speed` times as fast; above 0.
    pub(super) const fn new(speed: f64) -> Self {
        Self { speed }
    }

    /// When `phase` begins.
    pub(super) fn start(self, phase: Phase) -> Span {
        let before: f64 = PHASES.iter().take(phase as usize).sum();
        Span::from_secs_f64(before / self.speed)
    }

    /// When the story ends.
    pub(super) fn length(self) -> Span {
        Span::from_secs_f64(Self::SECONDS / self.speed)
    }

    /// The phase at `at` since the beginning.
    pub(super) fn phase(self, at: Span) -> Phase {
        let begun = |phase: &&Phase| self.start(**phase) <= at;
        Phase::ALL
            .iter()
            .rev()
            .find(begun)
            .copied()
            .unwrap_or(Phase::Healthy)
    }

    /// How bad the sick route is at `at`.
    pub(super) fn severity(self, at: Span) -> Severity {
        let share = match self.phase(at) {
            Phase::Healthy | Phase::Recovered => 0.0,
            Phase::Bad => 1.0,
            Phase::Degrading => {
                let (from, to) = (self.start(Phase::Degrading), self.start(Phase::Bad));
                between(from, at).as_secs_f64() / between(from, to).as_secs_f64()
            }
        };
        Severity {
            latency: 1.0 + (WORST_LATENCY - 1.0) * share,
            errors: WORST_ERRORS * share,
        }
    }

    /// The stand-in providers that play it.
    pub(super) fn script(self, seed: u64) -> Script {
        let providers = CAST.iter().enumerate().map(|(index, actor)| {
            let faults = if index == SICK {
                self.faults()
            } else {
                Vec::new()
            };
            let provider = ProviderScript {
                ttft: Duration::from_millis(actor.ttft_ms),
                ttft_per_token: INPUT_COST,
                tpot: OUTPUT_COST,
                noise: NOISE,
                answer: AnswerLength::Fixed(ENDLESS),
                faults,
                ..ProviderScript::default()
            };
            (actor.name.to_owned(), provider)
        });
        Script {
            listen: None,
            seed,
            providers: providers.collect::<BTreeMap<_, _>>(),
        }
    }

    /// The sick route's faults: a ramp, then a plateau.
    fn faults(self) -> Vec<FaultScript> {
        let ramp = FaultScript {
            from: self.start(Phase::Degrading).into(),
            until: Some(self.start(Phase::Bad).into()),
            kind: Some(Kind::Unavailable.fault()),
            probability: 0.0,
            probability_to: Some(WORST_ERRORS),
            latency_factor: 1.0,
            latency_factor_to: Some(WORST_LATENCY),
            delay: FAILURE_DELAY,
            ..FaultScript::default()
        };
        let plateau = FaultScript {
            from: self.start(Phase::Bad).into(),
            until: Some(self.start(Phase::Recovered).into()),
            probability: WORST_ERRORS,
            probability_to: None,
            latency_factor: WORST_LATENCY,
            latency_factor_to: None,
            ..ramp.clone()
        };
        vec![ramp, plateau]
    }
}

/// The time from `from` to `to`, both since the beginning; none when it is the other way round.
pub(super) const fn between(from: Span, to: Span) -> Span {
    Span::from_micros(to.as_micros().saturating_sub(from.as_micros()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the numbers compared are exact")]

    use super::*;

    #[test]
    fn phases_follow_one_another_at_any_speed() {
        for speed in [0.5, 1.0, 6.0] {
            let story = Story::new(speed);
            for phase in Phase::ALL {
                assert_eq!(story.phase(story.start(phase)), phase, "speed {speed}");
            }
            assert_eq!(story.phase(story.length()), Phase::Recovered);
            assert_eq!(story.length(), Span::from_secs_f64(180.0 / speed));
        }
    }

    #[test]
    fn severity_ramps_and_ends() {
        let story = Story::new(1.0);
        for (secs, latency, errors) in [
            (0, 1.0, 0.0),
            (60, 1.0, 0.0),
            (105, 4.0, 0.4),
            (134, 4.0, 0.4),
            (135, 1.0, 0.0),
        ] {
            let severity = story.severity(Span::from_secs(secs));
            assert_eq!(
                (severity.latency, severity.errors),
                (latency, errors),
                "{secs} s"
            );
        }
        let half = story.severity(Span::from_micros(82_500_000));
        assert_eq!((half.latency, half.errors), (2.5, 0.2));
    }

    #[test]
    fn the_script_is_valid_and_tells_the_story() {
        for speed in [0.1, 1.0, 30.0] {
            let story = Story::new(speed);
            let script = story.script(7);
            assert!(script.check().is_ok(), "speed {speed}");
            let faults = &script.providers[CAST[SICK].name].faults;
            let worst = story.severity(story.start(Phase::Bad));
            assert_eq!(faults[0].probability_to, Some(worst.errors));
            assert_eq!(faults[1].latency_factor, worst.latency);
            assert_eq!(faults[0].until, Some(faults[1].from));
        }
        let sick = Story::new(1.0).script(7).providers;
        assert_eq!(
            sick.values()
                .filter(|provider| !provider.faults.is_empty())
                .count(),
            1
        );
    }

    #[test]
    fn weights_sum_to_one_and_names_are_sorted() {
        assert_eq!(CAST.iter().map(|actor| actor.weight).sum::<f32>(), 1.0);
        assert!(CAST.is_sorted_by_key(|actor| actor.name));
        assert!(
            CAST.iter()
                .all(|actor| actor.path.starts_with(&format!("/{}/v1/", actor.name)))
        );
        let heaviest = CAST.iter().all(|actor| actor.weight <= CAST[SICK].weight);
        assert!(heaviest, "the sick route carries most");
    }
}
