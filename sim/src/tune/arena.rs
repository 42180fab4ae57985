//! The cells that candidates are tried in, and how they did there.
//!
//! A cell is a scenario with a seed, on its own traffic or on a part of a recorded trace.
//! Only the product's own policy runs there; the clairvoyant that it is compared with runs once a cell, whatever the number of candidates.
//!
//! # Invariants
//! - What comes out does not depend on how many threads there are or which was faster.
//! - A cell's trace is made when its first candidate runs and dropped after its last: few are held at once.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use scoring::tuning::Tuning;

use super::loss::Loss;
use crate::measure::{Measured, Values, Watch};
use crate::policy::Kind;
use crate::scenario::Scenario;
use crate::suite::{Fit, Progress, fit_trace, one};
use crate::trace::{Trace, synthetic};

/// Who a cell is run for.
#[derive(Clone, Copy, Debug)]
enum Role<'a> {
    /// The product's own policy with these constants.
    Subject(&'a Tuning),
    /// The clairvoyant that honours the weights.
    Oracle,
    /// The same with nothing wrong: what health is.
    Healthy,
}

/// A scenario on some traffic: what cells share but for the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// Its scenario's index.
    pub(super) scenario: usize,
    /// The trace that replaces its traffic.
    pub(super) trace: Option<usize>,
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) group: Group,
    pub(super) seed: u64,
}

/// What is run, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) scenarios: &'a [Scenario],
    /// Traces by name: the half that is run.
    pub(super) traces: &'a [(String, Trace)],
    pub(super) threads: usize,
    pub(super) meter: Meter<'a>,
}

/// Counts cells for whoever wants to know.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a> {
    pub(super) progress: &'a dyn Progress,
    pub(super) done: &'a AtomicUsize,
    pub(super) requests: &'a AtomicU64,
    /// How many cells are expected in all.
    pub(super) of: usize,
}

impl std::fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("of", &self.of)
            .finish_non_exhaustive()
    }
}

impl Meter<'_> {
    fn add(&self, requests: usize) {
        // Statistics: nothing is published by them.
        let all = self.requests.fetch_add(requests as u64, Ordering::Relaxed) + requests as u64;
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.progress.done(done, self.of.max(done), all);
    }
}

/// Cells with what their clairvoyants did.
#[derive(Debug)]
pub(super) struct Arena<'a> {
    field: Field<'a>,
    pub(super) cells: Vec<Cell>,
    /// Cost of the clairvoyant and its 99th percentile in health, by cell.
    references: Vec<[Option<f64>; 2]>,
}

impl<'a> Arena<'a> {
    /// Runs the clairvoyants of `cells`.
    pub(super) fn new(field: Field<'a>, cells: Vec<Cell>) -> Self {
        let roles = [Role::Oracle, Role::Healthy];
        let measured = run(&field, &cells, &roles);
        let told =
            |it: &Measured, metric: &str| it.values.get(metric).copied().filter(|it| *it > 0.0);
        let reference = |it: &Vec<Measured>| [told(&it[0], "cost_ms"), told(&it[1], "p99")];
        Self {
            references: measured.iter().map(reference).collect(),
            field,
            cells,
        }
    }

    /// The losses of each tuning in each of the cells of that range.
    pub(super) fn losses(&self, tunings: &[Tuning], cells: Range<usize>) -> Vec<Vec<Loss>> {
        let roles: Vec<Role<'_>> = tunings.iter().map(Role::Subject).collect();
        let from = cells.start;
        let measured = run(&self.field, &self.cells[cells], &roles);
        let mut losses: Vec<Vec<Loss>> = tunings
            .iter()
            .map(|_| Vec::with_capacity(measured.len()))
            .collect();
        for (at, cell) in measured.into_iter().enumerate() {
            let bars = &self.field.scenarios[self.cells[from + at].group.scenario].bars;
            for (own, it) in losses.iter_mut().zip(cell) {
                own.push(Loss::new(
                    &compared(it.values, self.references[from + at]),
                    bars,
                ));
            }
        }
        losses
    }

    /// The scenarios, by index.
    pub(super) fn scenarios(&self) -> &'a [Scenario] {
        self.field.scenarios
    }

    /// The name of a group, as reports have it.
    pub(super) fn name(&self, group: Group) -> String {
        let scenario = &self.field.scenarios[group.scenario].name;
        match group.trace {
            None => scenario.clone(),
            Some(trace) => format!("{scenario}@{}", self.field.traces[trace].0),
        }
    }

    /// Puts the cells into the order of `places`, each place once.
    pub(super) fn reorder(&mut self, places: &[usize]) {
        self.cells = places.iter().map(|&it| self.cells[it]).collect();
        self.references = places.iter().map(|&it| self.references[it]).collect();
    }
}

/// Adds what is told in comparison with the clairvoyants.
fn compared(mut values: Values, [cost, healthy]: [Option<f64>; 2]) -> Values {
    let ratio = |own: &str, of: Option<f64>| Some(values.get(own)? / of?);
    let (regret, p99) = (
        ratio("cost_ms", cost).map(|it| it - 1.0),
        ratio("p99", healthy),
    );
    values.extend(regret.map(|it| ("regret", it)));
    values.extend(p99.map(|it| ("p99_healthy", it)));
    values
}

/// A trace that the roles of a cell share.
struct Shared {
    made: Mutex<Option<Arc<(Scenario, Trace)>>>,
    left: AtomicUsize,
}

/// Every role in every cell, by cell.
fn run(field: &Field<'_>, cells: &[Cell], roles: &[Role<'_>]) -> Vec<Vec<Measured>> {
    let jobs = cells.len() * roles.len();
    let place = |_: &Cell| Shared {
        made: Mutex::new(None),
        left: AtomicUsize::new(roles.len()),
    };
    let shared: Vec<Shared> = cells.iter().map(place).collect();
    let results: Vec<Mutex<Option<Measured>>> = (0..jobs).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..field.threads.clamp(1, jobs.max(1)) {
            scope.spawn(|| {
                loop {
                    // Only hands out numbers; results are published by their locks.
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        break;
                    }
                    let (cell, role) = (job / roles.len(), job % roles.len());
                    let measured = shared[cell].run(field, cells[cell], roles[role]);
                    if let Ok(mut slot) = results[job].lock() {
                        *slot = Some(measured);
                    }
                }
            });
        }
    });
    let mut results = results
        .into_iter()
        .map(|it| it.into_inner().ok().flatten().unwrap_or_default());
    cells
        .iter()
        .map(|_| results.by_ref().take(roles.len()).collect())
        .collect()
}

impl Shared {
    fn run(&self, field: &Field<'_>, cell: Cell, role: Role<'_>) -> Measured {
        let made = {
            let Ok(mut made) = self.made.lock() else {
                return Measured::default();
            };
            Arc::clone(made.get_or_insert_with(|| Arc::new(traffic(field, cell))))
        };
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1
            && let Ok(mut made) = self.made.lock()
        {
            *made = None;
        }
        let (scenario, trace) = &*made;
        let go = |kind, scenario, tuning| {
            one(kind, scenario, (trace, cell.seed), tuning, Watch::Numbers)
        };
        let measured = match role {
            Role::Subject(tuning) => go(Kind::Adaptive, scenario, tuning),
            Role::Oracle => go(Kind::OracleWeighted, scenario, &Tuning::default()),
            Role::Healthy if !needs_health(scenario) => Measured::default(),
            Role::Healthy => {
                let mut healthy = scenario.clone();
                healthy.faults.clear();
                healthy.incident = None;
                go(Kind::OracleWeighted, &healthy, &Tuning::default())
            }
        };
        field.meter.add(trace.requests.len());
        measured
    }
}

/// Whether a bar compares with health.
fn needs_health(scenario: &Scenario) -> bool {
    !scenario.faults.is_empty() && scenario.bars.iter().any(|it| it.metric == "p99_healthy")
}

/// The scenario of a cell, its limits resolved, and its traffic.
fn traffic(field: &Field<'_>, cell: Cell) -> (Scenario, Trace) {
    let scenario = &field.scenarios[cell.group.scenario];
    let trace = match cell.group.trace {
        None => synthetic(&scenario.traffic, scenario.duration, cell.seed),
        Some(index) => fit_trace(&field.traces[index].1, scenario, Fit::Rate, cell.seed),
    };
    (scenario.fitted(&trace), trace)
}
