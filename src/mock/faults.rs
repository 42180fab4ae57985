//! Which fault strikes a request: by an operator's word, by the model's name, or by the script's schedule.
//!
//! A model name selects a fault without any configuration: `s01` to `s16` are the sixteen of the failover catalogue,
//! `fault-503` strikes always and `fault-once-503` once per tag. Only the part after the last `/` counts, in any case.
//!
//! # Invariants
//! - The order is: operator, model name, schedule; the first that strikes is the only one.
//! - Counted faults count per source and tag; the number of counters is bounded by [`TALLIES`].

use std::collections::HashMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use scoring::time::{Span, Time};

use super::catalogue::{Fault, Kind};
use super::script::FaultScript;

/// Counters kept per provider; on overflow all are forgotten, and counted faults begin anew.
const TALLIES: usize = 16_384;

/// The catalogue's faults by model name: kind, number, strikes per tag, and how long from the first.
const CATALOGUE: [(&str, Kind, Option<u32>, Option<Duration>); 16] = [
    ("s01", Kind::LimitedSeconds, Some(1), None),
    ("s02", Kind::Limited, None, None),
    ("s03", Kind::Internal, Some(1), None),
    ("s04", Kind::Unavailable, None, None),
    ("s05", Kind::Reset, Some(1), None),
    ("s06", Kind::Silence, None, None),
    ("s07", Kind::Late, None, None),
    ("s08", Kind::Cut, None, None),
    ("s09", Kind::Stall, None, None),
    ("s10", Kind::BadJson, None, None),
    ("s11", Kind::NoDone, None, None),
    ("s12", Kind::ContextLength, None, None),
    ("s13", Kind::ContentPolicy, None, None),
    ("s14", Kind::Cut, None, None),
    (
        "s15",
        Kind::Unavailable,
        None,
        Some(Duration::from_secs(60)),
    ),
    ("s16", Kind::Unavailable, None, None),
];

/// A fault that strikes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    /// How long the request waits before it fails.
    pub(super) delay: Duration,
}

/// The request that may be struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim<'a> {
    pub(super) model: &'a str,
    pub(super) tag: &'a str,
    /// When it came.
    pub(super) now: Time,
    /// Time since the mock was made.
    pub(super) age: Span,
}

/// A fault that a name or an operator chose, with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chosen {
    fault: Fault,
    times: Option<u32>,
    lasting: Option<Duration>,
}

/// How often, and since when, a counted fault has struck one tag.
#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u32,
    first: Time,
}

/// The faults of one provider at run time.
#[derive(Debug)]
pub(super) struct Faults {
    operator: Option<Chosen>,
    factor: f64,
    tallies: HashMap<String, Tally>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            operator: None,
            factor: 1.0,
            tallies: HashMap::new(),
        }
    }
}

impl Faults {
    /// Sets or clears the operator's fault; with `times`, it strikes each tag only as often.
    pub(super) fn set(&mut self, fault: Option<Fault>, times: Option<u32>) {
        self.operator = fault.map(|fault| Chosen {
            fault,
            times,
            lasting: None,
        });
        self.tallies.retain(|key, _| !key.starts_with("operator\0"));
    }

    /// Sets the operator's factor on latency; 1 is normal.
    pub(super) fn set_factor(&mut self, factor: f64) {
        self.factor = factor;
    }

    /// The operator's fault.
    pub(super) fn operator(&self) -> Option<Fault> {
        self.operator.map(|it| it.fault)
    }

    /// The operator's factor on latency.
    pub(super) fn operator_factor(&self) -> f64 {
        self.factor
    }

    /// Forgets how often anything struck.
    pub(super) fn forget(&mut self) {
        self.tallies.clear();
    }

    /// Decides whether anything strikes `victim`.
    pub(super) fn strike(
        &mut self,
        schedule: &[FaultScript],
        victim: Victim<'_>,
        rng: &mut SmallRng,
    ) -> Option<Strike> {
        let by_name = named(victim.model).map(|it| (it, victim.model));
        let chosen = self
            .operator
            .map(|it| (it, "operator"))
            .into_iter()
            .chain(by_name);
        for (chosen, source) in chosen {
            if self.counts(source, victim, chosen.times, chosen.lasting) {
                return Some(Strike {
                    fault: chosen.fault,
                    delay: Duration::ZERO,
                });
            }
        }
        for (index, entry) in schedule.iter().enumerate() {
            let Some((kind, share)) = entry.kind.zip(progress(entry, victim)) else {
                continue;
            };
            let probability = ramp(entry.probability, entry.probability_to, share);
            let struck = probability >= 1.0 || rng.random::<f64>() < probability;
            if struck && self.counts(&format!("#{index}"), victim, entry.times, None) {
                return Some(Strike {
                    fault: kind,
                    delay: entry.delay,
                });
            }
        }
        None
    }

    /// The product of every latency factor that holds for `victim`.
    pub(super) fn latency_factor(&self, schedule: &[FaultScript], victim: Victim<'_>) -> f64 {
        schedule.iter().fold(self.factor, |product, entry| {
            product
                * progress(entry, victim).map_or(1.0, |share| {
                    ramp(entry.latency_factor, entry.latency_factor_to, share)
                })
        })
    }

    /// Counts one strike of a fault on the victim's tag; whether it is still within its bounds.
    fn counts(
        &mut self,
        source: &str,
        victim: Victim<'_>,
        times: Option<u32>,
        lasting: Option<Duration>,
    ) -> bool {
        if times.is_none() && lasting.is_none() {
            return true;
        }
        if self.tallies.len() >= TALLIES {
            self.tallies.clear();
        }
        let key = format!("{source}\0{}", victim.tag);
        let tally = self.tallies.entry(key).or_insert(Tally {
            count: 0,
            first: victim.now,
        });
        let over = times.is_some_and(|times| tally.count >= times)
            || lasting.is_some_and(|lasting| victim.now.since(tally.first) >= Span::from(lasting));
        tally.count = tally.count.saturating_add(1);
        !over
    }
}

/// Whether a model name stands for a fault, so that it is served even where models are listed.
pub(super) fn is_fault_model(model: &str) -> bool {
    named(model).is_some()
}

/// The fault that a model name stands for.
fn named(model: &str) -> Option<Chosen> {
    let name = model.rsplit('/').next().unwrap_or(model);
    // Why: most names are real models, and must not pay for a lower-case copy.
    if !name
        .as_bytes()
        .first()
        .is_some_and(|first| matches!(first, b's' | b'S' | b'f' | b'F'))
    {
        return None;
    }
    let name = name.to_ascii_lowercase();
    if let Some((_, kind, times, lasting)) = CATALOGUE.iter().find(|row| row.0 == name) {
        return Some(Chosen {
            fault: kind.fault(),
            times: *times,
            lasting: *lasting,
        });
    }
    let text = name.strip_prefix("fault-")?;
    let (text, times) = text
        .strip_prefix("once-")
        .map_or((text, None), |text| (text, Some(1)));
    Some(Chosen {
        fault: text.parse().ok()?,
        times,
        lasting: None,
    })
}

/// How far a schedule's entry has come, 0 to 1, if it holds for `victim` now.
fn progress(entry: &FaultScript, victim: Victim<'_>) -> Option<f64> {
    if !entry.models.is_empty() && !entry.models.iter().any(|model| model == victim.model) {
        return None;
    }
    let (from, age) = (Span::from(entry.from).as_micros(), victim.age.as_micros());
    let age = match entry.every {
        Some(every) => age % Span::from(every).as_micros().max(1),
        None => age,
    };
    let since = age.checked_sub(from)?;
    let Some(until) = entry.until else {
        return Some(0.0);
    };
    let length = Span::from(until).as_micros().saturating_sub(from);
    (since < length).then(|| since as f64 / length as f64)
}

/// The value at `share` of the way from one to the other.
fn ramp(from: f64, to: Option<f64>, share: f64) -> f64 {
    to.map_or(from, |to| from + (to - from) * share)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the ramps compared are exact")]

    use rand::SeedableRng;

    use super::*;

    fn at(secs: u64, model: &'static str, tag: &'static str) -> Victim<'static> {
        let age = Span::from_secs(secs);
        Victim {
            model,
            tag,
            now: Time::from_micros(1).plus(age),
            age,
        }
    }

    fn kinds(faults: &mut Faults, schedule: &[FaultScript], victims: &[Victim<'_>]) -> Vec<String> {
        let rng = &mut SmallRng::seed_from_u64(7);
        let strike = |victim: &Victim<'_>| faults.strike(schedule, *victim, rng);
        let text = |it: Option<Strike>| it.map_or("-".to_owned(), |it| it.fault.to_string());
        victims.iter().map(strike).map(text).collect()
    }

    #[test]
    fn a_model_name_selects_each_fault_of_the_catalogue() {
        let faults = &mut Faults::default();
        for (name, kind, _, _) in CATALOGUE {
            let victim = Victim {
                model: name,
                ..at(1, "", "")
            };
            assert_eq!(
                kinds(faults, &[], &[victim]),
                [kind.fault().to_string()],
                "{name}"
            );
        }
        let victims = [
            at(1, "FAULT-cut-7", ""),
            at(1, "x/fault-503", ""),
            at(1, "gpt-4o", ""),
            at(1, "soup", ""),
        ];
        assert_eq!(kinds(faults, &[], &victims), ["cut-7", "503", "-", "-"]);
    }

    #[test]
    fn once_is_once_per_tag() {
        let victims = [
            at(1, "s03", "a"),
            at(2, "s03", "a"),
            at(3, "s03", "b"),
            at(3, "fault-once-reset", "a"),
        ];
        assert_eq!(
            kinds(&mut Faults::default(), &[], &victims),
            ["500", "-", "500", "reset"]
        );
    }

    #[test]
    fn s15_lasts_a_minute_from_its_first_request() {
        let victims = [
            at(100, "s15", ""),
            at(159, "s15", ""),
            at(160, "s15", ""),
            at(300, "s15", ""),
        ];
        assert_eq!(
            kinds(&mut Faults::default(), &[], &victims),
            ["503", "503", "-", "-"]
        );
    }

    #[test]
    fn a_schedule_holds_within_its_window_and_repeats() {
        let entry = FaultScript {
            from: Duration::from_secs(20),
            until: Some(Duration::from_secs(40)),
            every: Some(Duration::from_secs(40)),
            kind: Some(Kind::Internal.fault()),
            latency_factor: 1.0,
            latency_factor_to: Some(3.0),
            ..FaultScript::default()
        };
        let schedule = [entry];
        let victims = [
            at(0, "m", ""),
            at(20, "m", ""),
            at(39, "m", ""),
            at(40, "m", ""),
            at(61, "m", ""),
        ];
        let faults = &mut Faults::default();
        assert_eq!(
            kinds(faults, &schedule, &victims),
            ["-", "500", "500", "-", "500"]
        );
        assert_eq!(faults.latency_factor(&schedule, at(30, "m", "")), 2.0);
        assert_eq!(faults.latency_factor(&schedule, at(10, "m", "")), 1.0);
    }

    #[test]
    fn a_ramp_of_probability_strikes_more_and_more() {
        let schedule = [FaultScript {
            until: Some(Duration::from_secs(100)),
            kind: Some(Kind::Internal.fault()),
            probability: 0.0,
            probability_to: Some(0.4),
            ..FaultScript::default()
        }];
        let struck = |secs: u64| {
            let victims = vec![at(secs, "m", ""); 10_000];
            kinds(&mut Faults::default(), &schedule, &victims)
                .iter()
                .filter(|it| *it == "500")
                .count()
        };
        assert_eq!(struck(0), 0);
        assert!(
            (1_850..2_150).contains(&struck(50)),
            "seed 7: {}",
            struck(50)
        );
        assert_eq!(struck(100), 0);
    }

    #[test]
    fn the_operator_comes_first_and_can_be_counted() {
        let faults = &mut Faults::default();
        faults.set(Some(Kind::Overloaded.fault()), Some(1));
        let victims = [at(1, "s04", ""), at(1, "s04", "")];
        assert_eq!(kinds(faults, &[], &victims), ["529", "503"]);
        faults.set(None, None);
        assert_eq!(kinds(faults, &[], &[at(1, "m", "")]), ["-"]);
    }
}
