//! How well the keys' ceilings are used, kept and known.
//!
//! A ceiling *binds* when traffic spread by the operator's weights, spilling over from what is full, fills it.
//! Only binding ceilings are judged: one that is never reached can be neither used up nor learned.
//!
//! # Invariants
//! - Used work is counted by the provider's own charges.

use scoring::ceiling::{CeilingsView, Dimension, Source};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;

use crate::policy::Policy;
use crate::scenario::Scenario;
use crate::trace::Request;
use crate::world::{BUCKETS, Fate, START, World};

/// How near a learned ceiling must be to count as learned, as a part.
const NEAR: f64 = 0.05;
/// How long it must stay there.
const STAYS: Span = Span::from_secs(10);
/// So long without a refusal means that the burst after a change is over.
const QUIET: Span = Span::from_secs(5);
/// Buckets that a ceiling is learned of: all but the daily one.
const LEARNED: usize = 4;
/// Least attempts a second on a key for its variation to say anything.
const LEAST_LOAD: f64 = 2.0;

/// One key.
#[derive(Clone, Debug, Default)]
struct Account {
    limited: bool,
    /// Units of each bucket that were accepted, and answered, once learned.
    accepted: [f64; BUCKETS],
    answered: [f64; BUCKETS],
    /// When it first refused, from the beginning or the last change on: before, there is nothing to learn from.
    refused_at: Option<Time>,
    /// The last refusal of the burst that began then; from the first 5 s of quiet on it stays.
    burst_until: Option<Time>,
    quiet: bool,
    /// Whether its limits change in the course of the run.
    changes: bool,
    /// Refusals before and after ceilings count as learned.
    learning: f64,
    learned: f64,
    /// Attempts in the present second and their sums over past ones: n, Σ, Σ².
    second: (u64, f64),
    load: (f64, f64, f64),
    /// Since when the learned ceiling is near, and when it was first near for long enough.
    near_since: [Option<Time>; LEARNED],
    near_at: [Option<Time>; LEARNED],
    /// Error of the learned ceiling: samples and sum.
    error: [(f64, f64); LEARNED],
}

/// Every key of a run.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    accounts: Vec<Account>,
    /// The key of each route.
    of: Vec<usize>,
    learned_at: Time,
    /// The last change of a limit, from which learning is timed anew.
    changed_at: Time,
    /// Work asked for since then, by bucket: input, output.
    demand: [f64; BUCKETS],
    /// Requests and their units so far, to turn a limit of one dimension into one of another.
    mix: [f64; BUCKETS],
    /// The part of a measured ceiling that is kept to; 0..=1.
    kept: f64,
    sent_learned: f64,
    /// How each bucket of each key binds: the ceiling's units over the counted time; 0 for not.
    binding: Vec<[f64; BUCKETS]>,
    ticks: u32,
    end: Time,
}

impl Keys {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let account = |key: &crate::scenario::Limits| Account {
            limited: [key.rpm, key.tpm, key.itpm, key.otpm, key.rpd]
                .iter()
                .any(Option::is_some),
            changes: !key.changes.is_empty(),
            ..Account::default()
        };
        let changes = scenario
            .keys
            .iter()
            .flat_map(|key| key.changes.iter().map(|it| it.0));
        Self {
            accounts: scenario.keys.iter().map(account).collect(),
            of: scenario.routes.iter().map(|it| it.key).collect(),
            learned_at: START.plus(scenario.learned),
            changed_at: START.plus(changes.max().unwrap_or(Span::ZERO)),
            demand: [0.0; BUCKETS],
            mix: [0.0; BUCKETS],
            kept: 1.0,
            sent_learned: 0.0,
            binding: vec![[0.0; BUCKETS]; scenario.keys.len()],
            ticks: 0,
            end: START.plus(scenario.duration),
        }
    }

    /// A run with these constants begins.
    pub(super) fn begin(&mut self, tuning: &Tuning) {
        self.kept = f64::from(tuning.ceiling.drained_cut);
    }

    fn any_limited(&self) -> bool {
        self.accounts.iter().any(|it| it.limited)
    }

    pub(super) fn arrived(&mut self, request: &Request, now: Time) {
        let units = crate::world::plain_units(request);
        let add = |(sum, it): (&mut f64, f64)| *sum += it;
        self.mix.iter_mut().zip(units).for_each(add);
        if now >= self.learned_at {
            self.demand.iter_mut().zip(units).for_each(add);
        }
    }

    pub(super) fn sent(&mut self, request: &Request, (route, fate): (usize, &Fate), now: Time) {
        let account = &mut self.accounts[self.of[route]];
        let second = now.as_micros() / 1_000_000;
        if second != account.second.0 {
            if now >= self.learned_at && account.second.0 > 0 && now < self.end {
                let count = account.second.1;
                let missed = (second - account.second.0 - 1) as f64;
                account.load.0 += 1.0 + missed;
                account.load.1 += count;
                account.load.2 += count * count;
            }
            account.second = (second, 0.0);
        }
        account.second.1 += 1.0;
        let learned = now >= self.learned_at;
        self.sent_learned += f64::from(u8::from(learned));
        if fate.outcome == scoring::Outcome::RateLimited {
            if now >= self.changed_at {
                account.refused_at.get_or_insert(now);
                account.quiet |= account
                    .burst_until
                    .is_some_and(|last| now.since(last) >= QUIET);
                if !account.quiet {
                    account.burst_until = Some(now);
                }
            }
            if learned {
                account.learned += 1.0;
            } else {
                account.learning += 1.0;
            }
        } else if learned && now < self.end && fate.charged > 0.0 {
            let units = crate::world::charged_units(request, fate);
            account
                .accepted
                .iter_mut()
                .zip(units)
                .for_each(|(sum, it)| *sum += it);
        }
    }

    pub(super) fn served(&mut self, route: usize, request: &Request, now: Time) {
        if now >= self.learned_at && now < self.end {
            let units = crate::world::plain_units(request);
            let account = &mut self.accounts[self.of[route]];
            account
                .answered
                .iter_mut()
                .zip(units)
                .for_each(|(sum, it)| *sum += it);
        }
    }

    /// Compares what is learned with what is true, once a second.
    pub(super) fn tick(&mut self, world: &World<'_>, policy: &impl Policy, now: Time) {
        self.ticks += 1;
        if !self.ticks.is_multiple_of(4) || !self.any_limited() {
            return;
        }
        let Some(pool) = policy.pool() else { return };
        for (route, candidate) in pool.candidates().iter().enumerate() {
            let key = self.of[route];
            if !self.accounts[key].limited {
                continue;
            }
            let view = candidate.route.view(now);
            for bucket in 0..LEARNED {
                let rate = world.rate(key, bucket, now);
                if rate > 0.0 {
                    let error = self.error_of((bucket, rate), &view.ceilings);
                    self.compare(key, (bucket, error), now);
                }
            }
        }
    }

    /// How far what is known is from a true rate, as a part: in its own dimension or, where refusals name none, in that of requests or tokens by the mix so far.
    fn error_of(&self, (bucket, rate): (usize, f64), known: &CeilingsView) -> f64 {
        let of = |dimension: usize| {
            let view = known.ceilings[dimension]?;
            // What was measured lies above what is kept to.
            let kept = if view.source == Source::Learned {
                self.kept
            } else {
                1.0
            };
            let limit = view.limit / kept / 60.0;
            Some((limit * self.mix[bucket] / self.mix[dimension] / rate - 1.0).abs())
        };
        let (requests, tokens) = (Dimension::Requests.index(), Dimension::Tokens.index());
        let errors = [of(bucket), of(requests), of(tokens)];
        errors.into_iter().flatten().fold(1.0, f64::min)
    }

    fn compare(&mut self, key: usize, (bucket, error): (usize, f64), now: Time) {
        let account = &mut self.accounts[key];
        if now >= self.learned_at && now < self.end {
            account.error[bucket].0 += 1.0;
            account.error[bucket].1 += error.min(1.0);
        }
        if now < self.changed_at {
            return;
        }
        if error > NEAR {
            account.near_since[bucket] = None;
            return;
        }
        let since = *account.near_since[bucket].get_or_insert(now);
        if now.since(since) >= STAYS {
            account.near_at[bucket].get_or_insert(since);
        }
    }

    /// Finds out which ceilings bound.
    pub(super) fn close(&mut self, world: &World<'_>, _: Time) {
        let seconds = self.end.since(self.learned_at).as_secs_f64();
        let from = self.learned_at.max(self.changed_at);
        for bucket in 0..BUCKETS {
            let limits: Vec<f64> = (0..self.accounts.len())
                .map(|key| match world.rate(key, bucket, from) {
                    rate if rate > 0.0 => rate * seconds,
                    _ => f64::INFINITY,
                })
                .collect();
            let weights = world.key_weights();
            let filled = spill(self.demand[bucket], &limits, &weights);
            for (key, full) in filled.into_iter().enumerate() {
                self.binding[key][bucket] = if full { limits[key] } else { 0.0 };
            }
        }
    }

    /// `(utilisation, goodput)` of the ceilings that bind; `None` if none does.
    pub(super) fn used(&self) -> Option<(f64, f64)> {
        let (mut keys, mut accepted, mut answered) = (0.0, 0.0, 0.0);
        for (account, binding) in self.accounts.iter().zip(&self.binding) {
            let part = |units: &[f64; BUCKETS]| {
                let shares = units.iter().zip(binding).filter(|it| *it.1 > 0.0);
                shares
                    .map(|(units, limit)| units / limit)
                    .fold(0.0, f64::max)
            };
            if binding.iter().any(|it| *it > 0.0) {
                keys += 1.0;
                accepted += part(&account.accepted);
                answered += part(&account.answered);
            }
        }
        (keys > 0.0).then(|| (accepted / keys, answered / keys))
    }

    /// Refusals of the worst key while learning, if any ceiling exists.
    pub(super) fn learning(&self) -> Option<f64> {
        let limited = self.accounts.iter().filter(|it| it.limited);
        limited.map(|it| it.learning).reduce(f64::max)
    }

    /// Refusals for each thousand attempts once learned, if any ceiling exists.
    pub(super) fn learned(&self) -> Option<f64> {
        let refused: f64 = self.accounts.iter().map(|it| it.learned).sum();
        (self.any_limited() && self.sent_learned > 0.0).then(|| 1e3 * refused / self.sent_learned)
    }

    /// Mean seconds until a binding ceiling was known, from its first refusal or, where headers tell, from the beginning or the last change; the whole run if one never was.
    pub(super) fn known_after(&self) -> Option<f64> {
        let known = |(key, bucket): (usize, usize)| {
            let account: &Account = &self.accounts[key];
            let at = account.near_at[bucket].unwrap_or(self.end);
            let refused = account.refused_at.filter(|refused| *refused <= at);
            let from = refused.unwrap_or(self.changed_at);
            at.since(from).as_secs_f64()
        };
        let (keys, sum) = self
            .bound()
            .map(known)
            .fold((0.0, 0.0), |(keys, sum), it| (keys + 1.0, sum + it));
        (keys > 0.0).then(|| sum / keys)
    }

    /// Seconds from the first refusal after a limit changed to the last of the burst; `None` if no limit changes.
    pub(super) fn adapted_after(&self) -> Option<f64> {
        let changed = self.accounts.iter().filter(|it| it.changes);
        let burst = |it: &Account| {
            let (from, until) = it.refused_at.zip(it.burst_until)?;
            Some(until.since(from).as_secs_f64())
        };
        changed.map(|it| burst(it).unwrap_or(0.0)).reduce(f64::max)
    }

    /// Mean error of the binding ceilings once learned.
    pub(super) fn error(&self) -> Option<f64> {
        let errors = self
            .bound()
            .map(|(key, bucket)| self.accounts[key].error[bucket]);
        let (samples, sum) = errors.fold((0.0, 0.0), |(n, s), it| (n + it.0, s + it.1));
        (samples > 0.0).then(|| sum / samples)
    }

    fn bound(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let keys = self.binding.iter().enumerate();
        keys.flat_map(|(key, binding)| {
            (0..LEARNED)
                .filter(move |bucket| binding[*bucket] > 0.0)
                .map(move |bucket| (key, bucket))
        })
    }

    /// Mean coefficient of variation of the load on a key, second by second, beyond that of chance.
    pub(super) fn load_cv(&self) -> Option<f64> {
        let cv = |account: &Account| {
            let (n, sum, squares) = account.load;
            let mean = sum / n;
            let variance = squares / n - mean * mean;
            (n >= 30.0 && mean >= LEAST_LOAD).then(|| ((variance - mean).max(0.0)).sqrt() / mean)
        };
        let all: Vec<f64> = self.accounts.iter().filter_map(cv).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

/// Which buckets are filled by `demand` that is spread by `weights` and spills over from full ones.
fn spill(demand: f64, limits: &[f64], weights: &[f64]) -> Vec<bool> {
    let mut full = vec![false; limits.len()];
    loop {
        let taken: f64 = (0..limits.len())
            .filter(|&i| full[i])
            .map(|i| limits[i])
            .sum();
        let weight: f64 = (0..limits.len())
            .filter(|&i| !full[i])
            .map(|i| weights[i])
            .sum();
        let left = demand - taken;
        let next: Vec<usize> = (0..limits.len())
            .filter(|&i| !full[i] && weight > 0.0 && left * weights[i] / weight >= limits[i])
            .collect();
        if next.is_empty() {
            return full;
        }
        next.into_iter().for_each(|i| full[i] = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_bind_where_traffic_spills_over() {
        let weights = [1.0; 4];
        let full = |shares: [f64; 4]| spill(100.0, &shares, &weights);
        assert_eq!(full([60.0, 30.0, 20.0, 15.0]), [false, true, true, true]);
        assert_eq!(full([60.0, 60.0, 60.0, 60.0]), [false; 4]);
        assert_eq!(full([20.0, 20.0, 20.0, 20.0]), [true; 4]);
        assert_eq!(
            full([f64::INFINITY, 10.0, 10.0, 10.0]),
            [false, true, true, true]
        );
    }
}
