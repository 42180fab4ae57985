//! What happens over time, gathered step by step.
//!
//! # Invariants
//! - The number of steps is fixed, however long the run.

use scoring::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Explanation, Gate, Tried};
use scoring::time::{Span, Time};

use super::histogram::Histogram;
use super::recorder::{Ending, FAILED_MS};
use super::series::{Reason, RouteSeries, Series, Why};
use crate::engine::sample;
use crate::policy::Policy;
use crate::scenario::Scenario;
use crate::trace::Request;
use crate::world::{START, World};

/// Steps of a run.
const STEPS: u64 = 240;
/// Lengths of the request that stands for all.
const TYPICAL: (u32, u32) = (1_000, 200);

/// A run over time, being gathered.
#[derive(Debug)]
pub(super) struct Plots {
    series: Series,
    step: Span,
    /// Steps that are closed.
    closed: usize,
    ratio: Histogram,
    typical: Request,
    ask: Ask,
    main: Vec<usize>,
}

impl Plots {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let step = Span::from_micros((scenario.duration.as_micros() / STEPS).max(1));
        let ask = sample(scenario);
        let mut typical = Request::chat(Span::ZERO, TYPICAL.0, TYPICAL.1);
        typical.class = ask.class;
        let main = scenario.models[0].routes.clone();
        let steps = STEPS as usize;
        let route = |&route: &usize| RouteSeries {
            name: scenario.routes[route].name.clone(),
            picks: vec![0; steps],
            failures: vec![0; steps],
            refused: vec![0; steps],
            score: vec![0.0; steps],
            state: vec![0; steps],
            truth: vec![0.0; steps],
        };
        let series = Series {
            step_s: step.as_secs_f64(),
            routes: main.iter().map(route).collect(),
            p50: vec![0.0; steps],
            p99: vec![0.0; steps],
            arrived: vec![0; steps],
            lost: vec![0; steps],
            shed: vec![0; steps],
            why: Vec::new(),
        };
        Self {
            series,
            step,
            closed: 0,
            ratio: Histogram::new(),
            typical,
            ask,
            main,
        }
    }

    /// The step that `now` lies in, and nothing after the run's end.
    fn at(&self, now: Time) -> Option<usize> {
        let step = now.since(START).as_micros() / self.step.as_micros();
        (step < STEPS).then_some(step as usize)
    }

    fn route(&mut self, route: usize) -> Option<&mut RouteSeries> {
        let position = self.main.iter().position(|it| *it == route)?;
        self.series.routes.get_mut(position)
    }

    pub(super) fn arrived(&mut self, now: Time) {
        if let Some(step) = self.at(now) {
            self.series.arrived[step] += 1;
        }
    }

    pub(super) fn picked(&mut self, route: usize, now: Time) {
        if let (Some(step), Some(series)) = (self.at(now), self.route(route)) {
            series.picks[step] += 1;
        }
    }

    pub(super) fn landed(&mut self, route: usize, outcome: Outcome, now: Time) {
        let Some(step) = self.at(now) else { return };
        let Some(series) = self.route(route) else {
            return;
        };
        match outcome {
            Outcome::Success | Outcome::Rejected | Outcome::Canceled => {}
            Outcome::RateLimited => series.refused[step] += 1,
            _ => series.failures[step] += 1,
        }
    }

    pub(super) fn ended(&mut self, ending: &Ending, ratio: f64) {
        let Some(step) = self.at(ending.now) else {
            return;
        };
        match ending.route {
            Some(_) => self.ratio.add(ratio),
            None if ending.attempts == 0 => self.series.shed[step] += 1,
            None => self.series.lost[step] += 1,
        }
    }

    /// Closes the steps that are over.
    pub(super) fn tick(&mut self, world: &World<'_>, policy: &impl Policy, now: Time) {
        while self.closed < STEPS as usize
            && START.plus(self.step.mul_f64((self.closed + 1) as f64)) <= now
        {
            self.close(self.closed, world, policy, now);
            self.closed += 1;
        }
    }

    fn close(&mut self, step: usize, world: &World<'_>, policy: &impl Policy, now: Time) {
        let quantile = |share| self.ratio.quantile(share).unwrap_or(0.0) as f32;
        self.series.p50[step] = quantile(0.5);
        self.series.p99[step] = quantile(0.99);
        self.ratio.clear();
        let glimpses = policy.glimpse(now);
        for (series, glimpse) in self.series.routes.iter_mut().zip(glimpses) {
            series.score[step] = glimpse.score;
            series.state[step] = glimpse.state;
        }
        let truths: Vec<_> = self
            .main
            .iter()
            .map(|&route| world.expected(route, &self.typical, now))
            .collect();
        let alternative = truths
            .iter()
            .map(|it| it.latency_ms)
            .fold(f64::MAX, f64::min);
        let cost = |it: &crate::world::Expected| {
            (1.0 - it.failure) * it.latency_ms + it.failure * (it.fail_ms + alternative + FAILED_MS)
        };
        let best = truths.iter().map(cost).fold(f64::MAX, f64::min);
        for (series, truth) in self.series.routes.iter_mut().zip(&truths) {
            series.truth[step] = (cost(truth) / best) as f32;
        }
        if let Some(pool) = policy.pool() {
            let explained = select::explain(pool, &self.ask, &Tried::default(), now);
            self.series.why.push(why(&explained));
        }
    }

    pub(super) fn done(self) -> Series {
        self.series
    }
}

fn why(explained: &Explanation) -> Why {
    Why {
        mode: explained.mode.map_or("none", |it| it.name()),
        routes: explained.candidates.iter().map(reason).collect(),
    }
}

fn reason(it: &select::Explained) -> Reason {
    Reason {
        gate: gate(it.gate),
        state: it.state.name(),
        model_ms: it.cost.model_ms,
        drift_ms: it.cost.drift_ms,
        utilisation_ms: it.cost.utilisation_ms,
        failure_ms: it.cost.failure_ms,
        price_ms: it.cost.price_ms,
        affinity_ms: it.cost.affinity_ms,
        failure: it.failure,
        utilisation: it.utilisation,
        score: it.score,
        weight: it.weight,
        part: it.ramp * it.taper,
        in_band: it.in_band,
        propensity: it.propensity,
    }
}

fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::Cold => "cold",
        Gate::Recovering => "recovering",
        Gate::Hot => "hot",
        Gate::Full => "full",
        Gate::Blocked => "blocked",
        Gate::Open => "open",
        Gate::Held => "held",
        Gate::Incapable => "incapable",
        Gate::Tried => "tried",
        Gate::Drained => "drained",
    }
}
