//! Which constants of scoring may be changed?
//!
//! One group of [`Tuning`] a table, one constant a key, each as it is written (`"3s"`, `0.15`, `3`) with its default taken from scoring itself.
//! The retry budget is missing here: it is written in `[retry]`.
//!
//! # Invariants
//! - Every constant of every other group can be written; a test compares the names.

use std::ops::Range;

use schemars::JsonSchema;
use scoring::tuning::Tuning;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::settings::Shadow;
use super::super::units::{shortest, written_span};
use super::super::written::{At, Period};

/// One constant that the file changes.
pub(in crate::config) struct Override {
    /// The constant's name, as `group.field`.
    pub(in crate::config) name: &'static str,
    /// Where its value stands.
    pub(in crate::config) span: Range<usize>,
    /// Unit of the numbers that scoring tells about it, after a space; empty for none.
    pub(in crate::config) unit: &'static str,
    /// Puts the value in.
    pub(in crate::config) apply: Box<dyn Fn(&mut Tuning)>,
}

/// A type that constants of scoring are written as.
trait Constant: Copy + 'static {
    /// The type that scoring keeps.
    type Tuned;

    /// Unit of the numbers that scoring tells about it.
    const UNIT: &'static str;

    /// Scoring's value of what is written.
    fn tuned(self) -> Self::Tuned;

    /// What scoring's value is written as.
    fn written(tuned: Self::Tuned) -> Value;
}

impl Constant for Period {
    type Tuned = scoring::time::Span;

    const UNIT: &'static str = " s";

    fn tuned(self) -> Self::Tuned {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        scoring::time::Span::from_micros(micros)
    }

    fn written(tuned: Self::Tuned) -> Value {
        written_span(tuned).into()
    }
}

impl Constant for f32 {
    type Tuned = Self;

    const UNIT: &'static str = "";

    fn tuned(self) -> Self::Tuned {
        self
    }

    fn written(tuned: Self::Tuned) -> Value {
        json!(shortest(tuned))
    }
}

impl Constant for u32 {
    type Tuned = Self;

    const UNIT: &'static str = "";

    fn tuned(self) -> Self::Tuned {
        self
    }

    fn written(tuned: Self::Tuned) -> Value {
        tuned.into()
    }
}

/// Declares a group: its raw struct and what its values change.
macro_rules! group {
    ($(#[doc = $about:literal])* $raw:ident, $title:literal, $group:ident {
        $($(#[doc = $doc:literal])* $field:ident: $written:ty,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        #[schemars(rename = $title)]
        pub(in crate::config) struct $raw {
            $(
                $(#[doc = $doc])*
                #[schemars(extend("default" = <$written>::written(Tuning::default().$group.$field)))]
                $field: Option<At<$written>>,
            )*
        }

        impl $raw {
            fn overrides(&self, list: &mut Vec<Override>) {
                $(
                    if let Some(At { value, span }) = &self.$field {
                        let value = *value;
                        list.push(Override {
                            name: concat!(stringify!($group), ".", stringify!($field)),
                            span: span.clone(),
                            unit: <$written>::UNIT,
                            apply: Box::new(move |tuning| tuning.$group.$field = value.tuned()),
                        });
                    }
                )*
            }
        }
    };
}

/// Constants of the scoring.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Scoring")]
pub(in crate::config) struct RawScoring {
    /// Decayed error counts, and the failure probability made from them.
    error: RawError,
    /// The latency model and the drift from it.
    latency: RawLatency,
    /// The circuit: when a route is set aside, probed and taken back.
    circuit: RawCircuit,
    /// The expected cost of sending a request to a route.
    cost: RawCost,
    /// The draw among the good routes.
    draw: RawDraw,
    /// Rate limits learned from headers and refusals.
    ceiling: RawCeiling,
    /// Constants that are tried beside these, on the same statistics and without effect; none unless this table is written.
    pub(in crate::config) shadow: Option<RawShadow>,
}

/// Constants that are tried beside the live ones: a sample of first attempts is asked how it would have been decided under them, and nothing else is done. What is not written is as in `[scoring]`. Of the constants those can be tried that act on a choice alone: `fast_prior` and `benefit` of `error`, `risk` and `dead_zone` of `latency`, all of `cost` but `full_from`, and all of `draw`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ScoringShadow")]
pub(in crate::config) struct RawShadow {
    /// Share of the first attempts that are asked, up to 1.
    #[schemars(range(max = 1), extend("default" = shortest(Shadow::SAMPLE), "exclusiveMinimum" = 0))]
    pub(in crate::config) sample: Option<At<f64>>,
    /// As `[scoring.error]`.
    error: RawError,
    /// As `[scoring.latency]`.
    latency: RawLatency,
    /// As `[scoring.circuit]`.
    circuit: RawCircuit,
    /// As `[scoring.cost]`.
    cost: RawCost,
    /// As `[scoring.draw]`.
    draw: RawDraw,
    /// As `[scoring.ceiling]`.
    ceiling: RawCeiling,
}

impl RawShadow {
    /// Lists what the file changes against the live constants.
    pub(in crate::config) fn overrides(&self) -> Vec<Override> {
        let mut list = Vec::new();
        self.error.overrides(&mut list);
        self.latency.overrides(&mut list);
        self.circuit.overrides(&mut list);
        self.cost.overrides(&mut list);
        self.draw.overrides(&mut list);
        self.ceiling.overrides(&mut list);
        list
    }
}

impl RawScoring {
    /// Lists what the file changes.
    pub(in crate::config) fn overrides(&self) -> Vec<Override> {
        let mut list = Vec::new();
        self.error.overrides(&mut list);
        self.latency.overrides(&mut list);
        self.circuit.overrides(&mut list);
        self.cost.overrides(&mut list);
        self.draw.overrides(&mut list);
        self.ceiling.overrides(&mut list);
        list
    }
}

group! {
    /// Decayed error counts, and the failure probability made from them.
    RawError, "ScoringError", error {
        /// Time constant of the fast counts; range 0.5 to 60 s. Longer detects later, shorter forgets between samples.
        tau_fast: Period,
        /// Time constant of the slow counts, of the parent's and of drift in idleness; range 10 to 3600 s.
        tau_slow: Period,
        /// Weight of the slow rate in the fast one, in attempts (`m`); range 0.1 to 1000.
        fast_prior: f32,
        /// Weight of the parent's rate in the slow one, in attempts (`k`); range 0.1 to 1000.
        slow_prior: f32,
        /// Weight of the built-in error rate in the parent's one, in attempts; range 0.1 to 1000.
        parent_prior: f32,
        /// Error rate assumed of a provider never seen; range 0 to 0.1.
        base_rate: f32,
        /// Standard errors by which a chance of failure is lowered before it is priced, because chance alone explains that much; range 0 to 3.
        benefit: f32,
    }
}

group! {
    /// The latency model and the drift from it.
    RawLatency, "ScoringLatency", latency {
        /// Time constant of the drift; range 1 to 60 s.
        tau_drift: Period,
        /// Time constant of the fitted model; range 30 to 7200 s.
        tau_fit: Period,
        /// Weight of the prior in the fit, in samples; range 0.1 to 1000.
        ridge: f32,
        /// Smallest weight of one sample in the drift; range 0.001 to 0.5. Smaller is blind in bursts, larger is noisy.
        weight_min: f32,
        /// Largest weight of one sample in the drift; range `weight_min` to 1. Larger lets one slow answer move a route.
        weight_max: f32,
        /// Multiples of the prediction beyond which a sample is clipped in the fit; range 1.1 to 10.
        clip: f32,
        /// How many of the scale are added to the drift (`z`): mild aversion to risk; range 0 to 3.
        risk: f32,
        /// Part of the scale by which the drift is shrunk to zero, because noise alone explains that much; range 0 to 2.
        dead_zone: f32,
        /// Multiples of the predicted time after which an attempt in flight is overdue; range 1.5 to 20.
        overdue: f32,
        /// Multiples of the predicted time below which an overdue attempt that succeeds is refunded; range `overdue` to 50.
        refund: f32,
        /// Shortest time after which anything is overdue; range 10 ms to 60 s. Smaller takes scheduling noise for a hang.
        overdue_floor: Period,
        /// Ratio to the own baseline above which a route is degraded; range 1.05 to 10.
        degraded_ratio: f32,
    }
}

group! {
    /// The circuit: when a route is set aside, probed and taken back.
    RawCircuit, "ScoringCircuit", circuit {
        /// CUSUM threshold (`h`); range 1 to 15. At 9 a healthy 1 % trips falsely once in about a million attempts.
        threshold: f32,
        /// Least error rate taken as good (`p0`); range 0.001 to 0.1.
        good_rate: f32,
        /// Least error rate taken as bad (`p1`); range 0.05 to 0.9.
        bad_rate: f32,
        /// Successes that undo one failure in the doubt that tapers a route; range 1 to 255.
        doubt_step: u32,
        /// Largest doubt, in successes; range 1 to 255. More takes longer to be forgiven.
        doubt_most: u32,
        /// Time constant with which a route without samples is forgiven its doubt; range 1 to 3600 s.
        doubt_rest: Period,
        /// Consecutive failures that trip a route with little recent traffic; range 2 to 7.
        quiet_failures: u32,
        /// Recent attempts (fast counts) below which a route counts as having little traffic; range 0 to 100.
        quiet_attempts: f32,
        /// First open duration; range 10 ms to 60 s. Doubles at each failed probe.
        open_base: Period,
        /// Longest open duration in time alone; range `open_base` to 600 s.
        open_cap: Period,
        /// Requests of the pool that must pass before the first probe; range 0 to 1000. Doubles at each failed probe, four times at most.
        open_requests: u32,
        /// Longest open duration when traffic is scarce; range `open_cap` to 3600 s.
        open_longest: Period,
        /// Part of the open duration that is jittered either way; range 0 to 0.5.
        open_jitter: f32,
        /// Largest doubling exponent; range 0 to 10.
        doublings: u32,
        /// Successful probes in a row that close the circuit to a ramp; range 1 to 15.
        probes: u32,
        /// Time after which an unanswered probe no longer keeps others away; range 1 to 600 s.
        probe_expiry: Period,
        /// Extra wait of a due probe for a request that is fit to be one; range 0 to 60 s.
        probe_patience: Period,
        /// Successes that double the ramp; range 1 to 15.
        ramp_successes: u32,
        /// Share of the weight with which a route comes back; range 0.01 to 1.
        ramp_start: f32,
        /// Part of the counts and of the drift kept when a route comes back; range 0 to 1.
        forget: f32,
        /// A trip this soon after closing raises the exponent.
        flap_window: Period,
        /// Healthy time after which the exponent is forgotten.
        calm_window: Period,
        /// First hold of a rejected key or an unsupported model. Doubles at each repetition.
        hold_base: Period,
        /// Longest hold.
        hold_cap: Period,
        /// Two children that trip within this time trip their parent.
        parent_window: Period,
        /// How long a tripped parent lets only one of its children probe at a time.
        parent_hold: Period,
    }
}

group! {
    /// The expected cost of sending a request to a route.
    RawCost, "ScoringCost", cost {
        /// The operator's cost of one failed attempt (`δ`), in ms; range 0 to 600000.
        failed_attempt_ms: f32,
        /// Milliseconds that a thousandth of a dollar is worth (`λ`); range 0 to 1000000.
        ms_per_millidollar: f32,
        /// Part that counts of what a session's route saves by the tokens that it still keeps; range 0 to 1. At 0 sessions are not followed.
        affinity: f32,
        /// Utilisation from which a route becomes dearer; range 0 to 0.99.
        busy_from: f32,
        /// Extra latency at full utilisation, as a part of the latency; range 0 to 10.
        busy_weight: f32,
        /// Utilisation from which a route is used last; range `busy_from` to 1.
        hot_from: f32,
        /// Utilisation from which a route is not used at all; range `hot_from` to 1. The rest is the room in which our count may differ from the provider's.
        full_from: f32,
    }
}

group! {
    /// The draw among the good routes.
    RawDraw, "ScoringDraw", draw {
        /// Width of the band of good routes (`β`); range 0 to 10. 0.05 puts performance first, 1 the operator's weights.
        band: f32,
        /// Width of the band's edge, over which the weight falls from all to nothing; range 0 to 10.
        edge: f32,
        /// Error rate from which a route's weight is tapered; range 0.0001 to 1.
        taper_from: f32,
        /// Exponent of that taper; range 0.5 to 8. At 1 a route that fails at 10 % keeps a tenth of its weight.
        taper_power: f32,
        /// Doubt at which a route keeps half of its weight, in successes; range 1 to 255.
        doubt_half: f32,
        /// Doubt over which the weight falls from three quarters to a quarter, in successes; range 1 to 255.
        doubt_width: f32,
        /// Part of the cost that may be spent on exploration (`ε`), and of the picks; range 0 to 0.1.
        explore: f32,
        /// Most cost saved up for exploration, and most charged for one, in costs of the best; range 1 to 100.
        explore_cap: f32,
        /// Chance that a pick explores when that can be paid for, so that every route keeps a known propensity; range 0.01 to 1.
        explore_chance: f32,
        /// Age of the last sample from which a route is worth exploring.
        explore_stale: Period,
    }
}

group! {
    /// Rate limits learned from headers and refusals.
    RawCeiling, "ScoringCeiling", ceiling {
        /// Rate kept after a refusal by a drained bucket, as a part of the measured rate.
        drained_cut: f32,
        /// Rate kept after a refusal whose cause is unknown, as a part of the measured rate.
        unknown_cut: f32,
        /// A refusal this soon after another one means that the bucket was drained.
        drained_window: Period,
        /// Refusals closer together than this are one event.
        event_gap: Period,
        /// Window over which accepted work is measured.
        measure_window: Period,
        /// Upward probing speed, as a part of the rate per second.
        probe_speed: f32,
        /// First quiet time before probing upward.
        probe_interval: Period,
        /// Longest quiet time before probing upward.
        probe_interval_max: Period,
        /// Requests between two upward probes.
        probe_requests: u32,
        /// Utilisation above which a ceiling is probed.
        probe_from: f32,
        /// Two ceilings this close, as a part, count as the same.
        same_ceiling: f32,
        /// Refusals within `lowered_window` that mean the limit was lowered.
        lowered_refusals: u32,
        /// Time within which `lowered_refusals` refusals mean that the limit was lowered.
        lowered_window: Period,
        /// Rate kept when the limit was lowered.
        lowered_cut: f32,
        /// Part of a told `retry-after` that is jittered either way.
        gate_jitter: f32,
        /// Gate after a refusal that says nothing.
        gate_default: Period,
        /// Longest gate believed; a day by default, for daily quotas.
        gate_max: Period,
        /// Burst allowed within one slice, as a multiple of the rate.
        slice_burst: f32,
        /// Part of `max_tokens` charged at dispatch; range 0 to 1.
        output_charge: f32,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::super::schema;
    use super::*;

    /// Every constant of scoring as `group.field`, read from what `Debug` prints.
    fn constants() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut group = String::new();
        for line in format!("{:#?}", Tuning::default()).lines() {
            let Some((name, rest)) = line.trim().split_once(": ") else {
                continue;
            };
            match line.len() - line.trim_start().len() {
                4 => name.clone_into(&mut group),
                8 if !rest.is_empty() => {
                    found.insert(format!("{group}.{name}"));
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn every_constant_can_be_written() {
        let root = schema::value();
        let scoring = schema::definition(&root, &root["properties"]["scoring"]);
        let mut written = BTreeSet::new();
        let groups = scoring["properties"].as_object().into_iter().flatten();
        for (group, table) in groups.filter(|(group, _)| *group != "shadow") {
            let table = schema::definition(&root, table);
            for (field, _) in table["properties"].as_object().into_iter().flatten() {
                written.insert(format!("{group}.{field}"));
            }
        }
        let mut expected = constants();
        expected.retain(|name| !name.starts_with("retry."));
        assert!(expected.len() > 50, "{expected:?}");
        assert_eq!(written, expected);
    }
}
