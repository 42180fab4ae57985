//! Which constants does scoring run with?
//!
//! The defaults with the file's values put in, checked by scoring itself.
//! Scoring names one constant out of range at a time, so each one named is reported, taken out, and the rest is checked again.
//!
//! # Invariants
//! - The returned tuning passes `Tuning::check`.

use scoring::retry::RetryPolicy;
use scoring::time::Span;
use scoring::tuning::{Tuning, TuningError, acts_on_choice};

use super::super::raw::{Override, RawModelRetry, RawRetry, RawScoring};
use super::super::report::Problem;
use super::super::settings::Shadow;
use super::super::units::written_span;
use super::super::written::{At, Period};
use super::Resolver;

impl Resolver<'_, '_> {
    pub(super) fn tuning(&mut self, raw: &RawScoring, retry: &RawRetry) -> Tuning {
        let mut start = Tuning::default();
        budget(retry, &mut start);
        self.changed(start, raw.overrides(), "scoring")
    }

    /// What is tried beside `live`.
    pub(super) fn shadow(&mut self, raw: &RawScoring, live: Tuning) -> Option<Shadow> {
        let raw = raw.shadow.as_ref()?;
        let (tried, others): (Vec<_>, Vec<_>) = raw
            .overrides()
            .into_iter()
            .partition(|change| acts_on_choice(change.name));
        for Override { name, span, .. } in others {
            let path = format!("scoring.shadow.{name}");
            let message = format!(
                "{path} shapes what is recorded, so it cannot be tried on what the live constants record"
            );
            let help = "expected it in a replay: `trimtab replay --config` with the value in [scoring], or `trimtab tune`";
            self.source
                .report(Problem::new(path, span, message).expected(help));
        }
        Some(Shadow {
            tuning: self.changed(live, tried, "scoring.shadow"),
            sample: raw
                .sample
                .as_ref()
                .map_or(Shadow::SAMPLE, |at| at.value as f32),
        })
    }

    /// `start` with the changes put in that its formulae can bear; the others are reported.
    fn changed(&mut self, start: Tuning, mut overrides: Vec<Override>, table: &str) -> Tuning {
        loop {
            let mut tuning = start;
            for change in &overrides {
                (change.apply)(&mut tuning);
            }
            let Err(error) = tuning.check() else {
                return tuning;
            };
            // Why: a bound may be another constant of the group, so the constant named need not be one that the file changes.
            let named = overrides
                .iter()
                .position(|change| change.name == error.field);
            let related = || {
                overrides
                    .iter()
                    .position(|change| same_group(change.name, error.field))
            };
            let Some(index) = named.or_else(related) else {
                return start;
            };
            let change = overrides.remove(index);
            self.out_of_range(&change, &error, table);
        }
    }

    fn out_of_range(&mut self, change: &Override, error: &TuningError, table: &str) {
        let TuningError {
            field,
            value,
            min,
            max,
        } = error;
        let Override { name, unit, .. } = change;
        let message = if name == field {
            format!("{table}.{field} is out of range")
        } else {
            format!("{table}.{name} puts {field}, {value}{unit}, out of its range")
        };
        self.source.report(
            Problem::new(format!("{table}.{name}"), change.span.clone(), message)
                .expected(format!("expected {field} from {min} to {max}{unit}")),
        );
    }

    pub(super) fn retry(&mut self, raw: &RawRetry) -> RetryPolicy {
        let raw = Policy {
            max_attempts: raw.max_attempts.as_ref(),
            same_route: raw.same_route.as_ref(),
            base: raw.base.as_ref(),
            cap: raw.cap.as_ref(),
        };
        self.policy(&raw, "retry", RetryPolicy::default())
    }

    pub(super) fn model_retry(
        &mut self,
        raw: &RawModelRetry,
        path: &str,
        default: RetryPolicy,
    ) -> RetryPolicy {
        let raw = Policy {
            max_attempts: raw.max_attempts.as_ref(),
            same_route: raw.same_route.as_ref(),
            base: raw.base.as_ref(),
            cap: raw.cap.as_ref(),
        };
        self.policy(&raw, path, default)
    }

    fn policy(&mut self, raw: &Policy<'_>, path: &str, default: RetryPolicy) -> RetryPolicy {
        let policy = RetryPolicy {
            max_attempts: raw.max_attempts.map_or(default.max_attempts, |at| at.value),
            same_route: raw.same_route.map_or(default.same_route, |at| at.value),
            base: raw.base.map_or(default.base, span),
            cap: raw.cap.map_or(default.cap, span),
        };
        if let Some(at) = raw.base.or(raw.cap).filter(|_| policy.cap < policy.base) {
            let base = written_span(policy.base);
            let cap = written_span(policy.cap);
            let key = if raw.base.is_some() { "base" } else { "cap" };
            self.source.report(
                Problem::new(
                    format!("{path}.{key}"),
                    at.span.clone(),
                    format!("the first back-off, {base:?}, is longer than the longest, {cap:?}"),
                )
                .expected("expected base to be at most cap"),
            );
        }
        policy
    }
}

/// What `[retry]` and a model's `retry` have in common.
struct Policy<'a> {
    max_attempts: Option<&'a At<u32>>,
    same_route: Option<&'a At<u32>>,
    base: Option<&'a At<Period>>,
    cap: Option<&'a At<Period>>,
}

fn budget(raw: &RawRetry, tuning: &mut Tuning) {
    let put = |raw: Option<&At<f64>>, constant: &mut f32| {
        if let Some(at) = raw {
            *constant = at.value as f32;
        }
    };
    put(raw.budget_ratio.as_ref(), &mut tuning.retry.ratio);
    put(
        raw.budget_floor_per_second.as_ref(),
        &mut tuning.retry.per_second,
    );
    put(raw.budget_cap.as_ref(), &mut tuning.retry.cap);
}

fn span(at: &At<Period>) -> Span {
    Span::from_micros(u64::try_from(at.value.0.as_micros()).unwrap_or(u64::MAX))
}

fn same_group(one: &str, other: &str) -> bool {
    one.split('.').next() == other.split('.').next()
}
