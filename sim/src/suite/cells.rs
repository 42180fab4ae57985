//! The cells of a suite, spread over threads.
//!
//! # Invariants
//! - A group's trace is made once and dropped when its last cell is done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use scoring::tuning::Tuning;

use super::{Progress, Suite, fit_trace};
use crate::engine::{self, Setup};
use crate::measure::{Measured, Recorder, Watch};
use crate::policy::{Kind, Policy, Seat, Visitor};
use crate::scenario::Scenario;
use crate::trace::{Trace, synthetic};

/// What was run for one scenario.
#[derive(Debug)]
pub(super) struct Group {
    /// Its index in the suite.
    pub(super) scenario: usize,
    /// The trace that replaced its traffic.
    pub(super) trace: Option<usize>,
    /// By seed, then by role.
    pub(super) cells: Vec<Vec<Measured>>,
}

/// What a cell runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A policy of the suite.
    Policy(Kind),
    /// The clairvoyant that honours the weights, with nothing wrong: what health is.
    Healthy,
}

/// The roles of a suite, in the order of [`Group::cells`].
pub(super) fn roles(suite: &Suite) -> Vec<Role> {
    let policies = suite.policies.iter().map(|kind| Role::Policy(*kind));
    policies.chain([Role::Healthy]).collect()
}

struct Job {
    group: usize,
    seed: usize,
    role: usize,
}

/// A trace that several cells share.
struct Shared {
    made: Mutex<Option<std::sync::Arc<(Scenario, Trace)>>>,
    left: AtomicUsize,
}

/// Runs every cell.
pub(super) fn run(suite: &Suite, progress: &impl Progress) -> Vec<Group> {
    let mut kinds: Vec<(usize, Option<usize>)> = Vec::new();
    for scenario in 0..suite.scenarios.len() {
        kinds.extend(suite.synthetic.then_some((scenario, None)));
        kinds.extend((0..suite.traces.len()).map(|trace| (scenario, Some(trace))));
    }
    let roles = roles(suite);
    let (seeds, width) = (suite.seeds.len(), roles.len());
    let jobs: Vec<Job> = (0..kinds.len() * seeds * width)
        .map(|job| Job {
            group: job / (seeds * width),
            seed: job / width % seeds,
            role: job % width,
        })
        .collect();
    let shared: Vec<Shared> = (0..kinds.len() * seeds)
        .map(|_| Shared {
            made: Mutex::new(None),
            left: AtomicUsize::new(width),
        })
        .collect();
    let results: Vec<Mutex<Option<Measured>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let (next, done, requests) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..suite.threads.max(1).min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    // Only hands out numbers; results are published by their locks.
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(number) else { break };
                    let place = &shared[job.group * seeds + job.seed];
                    let (measured, count) = cell(suite, kinds[job.group], (job, &roles), place);
                    if let Ok(mut slot) = results[number].lock() {
                        *slot = Some(measured);
                    }
                    let all = requests.fetch_add(count, Ordering::Relaxed) + count;
                    progress.done(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len(), all);
                }
            });
        }
    });
    let mut results = results
        .into_iter()
        .map(|it| it.into_inner().ok().flatten().unwrap_or_default());
    let group = |&(scenario, trace): &(usize, Option<usize>)| Group {
        scenario,
        trace,
        cells: (0..seeds)
            .map(|_| results.by_ref().take(width).collect())
            .collect(),
    };
    kinds.iter().map(group).collect()
}

fn cell(
    suite: &Suite,
    (scenario, trace): (usize, Option<usize>),
    (job, roles): (&Job, &[Role]),
    shared: &Shared,
) -> (Measured, u64) {
    let seed = suite.seeds[job.seed];
    let scenario = &suite.scenarios[scenario];
    let made = {
        let Ok(mut made) = shared.made.lock() else {
            return (Measured::default(), 0);
        };
        let make = || {
            let trace = match trace {
                None => synthetic(&scenario.traffic, scenario.duration, seed),
                Some(index) => fit_trace(&suite.traces[index].1, scenario, suite.fit, seed),
            };
            std::sync::Arc::new((scenario.fitted(&trace), trace))
        };
        std::sync::Arc::clone(made.get_or_insert_with(make))
    };
    if shared.left.fetch_sub(1, Ordering::Relaxed) == 1
        && let Ok(mut made) = shared.made.lock()
    {
        *made = None;
    }
    let (fitted, trace) = &*made;
    let role = roles[job.role];
    let measured = match role {
        Role::Policy(kind) => {
            let plotted = job.seed == 0 && suite.plotted.contains(&kind);
            let watch = if plotted {
                Watch::Plots
            } else {
                Watch::Numbers
            };
            one(kind, fitted, (trace, seed), &suite.tuning, watch)
        }
        Role::Healthy if fitted.faults.is_empty() => Measured::default(),
        Role::Healthy => {
            let mut healthy = fitted.clone();
            healthy.faults.clear();
            healthy.incident = None;
            one(
                Kind::OracleWeighted,
                &healthy,
                (trace, seed),
                &suite.tuning,
                Watch::Numbers,
            )
        }
    };
    (measured, trace.requests.len() as u64)
}

/// Runs one policy once.
pub(crate) fn one(
    kind: Kind,
    scenario: &Scenario,
    (trace, seed): (&Trace, u64),
    tuning: &Tuning,
    watch: Watch,
) -> Measured {
    let mut tuning = *tuning;
    if scenario.ms_per_millidollar > 0.0 {
        tuning.cost.ms_per_millidollar = scenario.ms_per_millidollar as f32;
    }
    kind.visit(Seated {
        setup: Setup {
            scenario,
            trace,
            seed,
            tuning: &tuning,
        },
        watch,
    })
}

/// A cell that waits for its policy.
struct Seated<'a> {
    setup: Setup<'a>,
    watch: Watch,
}

impl Visitor for Seated<'_> {
    type Out = Measured;

    fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) -> Measured {
        let recorder = Recorder::new(self.setup.scenario, self.watch);
        engine::run(&self.setup, recorder, make)
    }
}
