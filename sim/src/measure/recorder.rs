//! Takes down what happens in one run.
//!
//! # Invariants
//! - Nothing that is recorded changes what is decided.
//! - Only requests that arrive after the warm-up are counted.

use scoring::Outcome;
use scoring::route::Ask;
use scoring::select::{self, Decision, Explanation, Mode, Pick};
use scoring::time::{Span, Time};

use super::Values;
use super::episodes::{self, Episode};
use super::histogram::Histogram;
use super::keys::Keys;
use super::plots::Plots;
use super::series::Series;
use super::summary;
use crate::engine::Setup;
use crate::policy::{Moment, Policy};
use crate::scenario::Scenario;
use crate::trace::Request;
use crate::world::{Expected, Fate, START, Truth, World, price};

pub(crate) use scoring::shadow::FAILED_MS;

/// How far above the best a route may cost and still count as equal; as `scoring`'s band.
pub(crate) const BAND: f64 = 0.15;
/// How far above the least a chance of failure may be and still count as equal.
pub(crate) const FAILING: f64 = 0.01;
/// Every how many decisions one is explained and compared.
const CHECK_EVERY: u64 = 101;
/// Length of the windows in which the peak of attempts is looked for.
const PEAK: Span = Span::from_secs(10);
/// Requests in such a window below which it says nothing.
const PEAK_LEAST: u32 = 50;

/// Whether a run is also recorded over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Numbers only.
    Numbers,
    /// Numbers and what happened over time.
    Plots,
}

/// What one run gave.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Its numbers.
    pub values: Values,
    /// What happened over time, if it was asked for.
    pub series: Option<Series>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// The request.
    pub request: Request,
    /// When it arrived.
    pub began: Time,
    /// Now.
    pub now: Time,
    /// The route that answered; `None` if it was refused locally or lost.
    pub route: Option<usize>,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts that failed.
    pub failures: u32,
    /// How the first attempt ended.
    pub first: Option<Outcome>,
    /// See [`Recorder::equal`].
    pub equal_ms: f64,
}

/// Counts of requests in one part of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: f64,
    pub(super) served: f64,
    pub(super) first: f64,
}

impl Tally {
    fn add(&mut self, ending: &Ending) {
        self.requests += 1.0;
        self.served += f64::from(u8::from(ending.route.is_some()));
        self.first += f64::from(u8::from(ending.first == Some(Outcome::Success)));
    }
}

/// Takes down one run.
#[derive(Debug)]
pub struct Recorder<'a> {
    pub(super) scenario: &'a Scenario,
    /// `(a, b, c)` of the main model's routes in µs, by class: what the best of them takes in health.
    paces: Vec<[crate::scenario::Pace; scoring::Class::COUNT]>,
    weights: Vec<f64>,
    pub(super) all: Tally,
    pub(super) incident: Tally,
    pub(super) after: Tally,
    pub(super) shed: f64,
    pub(super) attempts: f64,
    pub(super) failed_attempts: f64,
    pub(super) cost_ms: f64,
    pub(super) cost_raw_ms: f64,
    /// Sum and sum of squares of what a request costs more than it would take in health.
    pub(super) beyond: (f64, f64),
    pub(super) ratio: Histogram,
    pub(super) millis: Histogram,
    pub(super) refused: f64,
    pub(super) sent: f64,
    /// Input tokens that were kept, and all that were sent.
    pub(super) kept: (f64, f64),
    /// Times to first tokens in ms, and their number.
    pub(super) firsts: (f64, f64),
    pub(super) explored: f64,
    pub(super) probes: f64,
    pub(super) picks: Vec<episodes::Pick>,
    pub(super) episodes: Vec<Episode>,
    /// Arrivals and attempts in the present window, and the worst ratio so far.
    window: (u64, u32, u32),
    pub(super) peak: f64,
    admitted: Vec<bool>,
    pub(super) trips: f64,
    pub(super) healthy_attempts: f64,
    decisions: u64,
    pub(super) compared: f64,
    pub(super) unexplained: f64,
    pub(super) keys: Keys,
    plots: Option<Plots>,
    /// What is really the case of each candidate; kept to be used again.
    really: Vec<Expected>,
}

impl<'a> Recorder<'a> {
    /// A recorder of one run of `scenario`.
    #[must_use]
    pub fn new(scenario: &'a Scenario, watch: Watch) -> Self {
        let main = &scenario.models[0].routes;
        let routes = || main.iter().map(|&route| &scenario.routes[route]);
        Self {
            scenario,
            paces: routes().map(|it| it.pace).collect(),
            weights: routes().map(|it| f64::from(it.weight)).collect(),
            all: Tally::default(),
            incident: Tally::default(),
            after: Tally::default(),
            shed: 0.0,
            attempts: 0.0,
            failed_attempts: 0.0,
            cost_ms: 0.0,
            cost_raw_ms: 0.0,
            beyond: (0.0, 0.0),
            ratio: Histogram::new(),
            millis: Histogram::new(),
            refused: 0.0,
            sent: 0.0,
            kept: (0.0, 0.0),
            firsts: (0.0, 0.0),
            explored: 0.0,
            probes: 0.0,
            picks: Vec::new(),
            episodes: episodes::episodes(scenario),
            window: (0, 0, 0),
            peak: 0.0,
            admitted: vec![true; main.len()],
            trips: 0.0,
            healthy_attempts: 0.0,
            decisions: 0,
            compared: 0.0,
            unexplained: 0.0,
            keys: Keys::new(scenario),
            plots: (watch == Watch::Plots).then(|| Plots::new(scenario)),
            really: Vec::new(),
        }
    }

    /// A run begins.
    pub(crate) fn begin(&mut self, setup: &Setup<'_>) {
        self.picks.reserve(setup.trace.requests.len());
        self.keys.begin(setup.tuning);
    }

    fn counts(&self, began: Time) -> bool {
        began >= START.plus(self.scenario.warmup)
    }

    /// A request has arrived.
    pub(crate) fn arrived(&mut self, request: &Request, now: Time) {
        self.roll(now);
        self.window.1 += 1;
        self.keys.arrived(request, now);
        if let Some(plots) = &mut self.plots {
            plots.arrived(now);
        }
    }

    /// Closes the window of the peak when it is over.
    fn roll(&mut self, now: Time) {
        let index = now.as_micros() / PEAK.as_micros();
        if index == self.window.0 {
            return;
        }
        let (_, arrived, sent) = self.window;
        if arrived >= PEAK_LEAST && self.counts(now) {
            self.peak = self.peak.max(f64::from(sent) / f64::from(arrived));
        }
        self.window = (index, 0, 0);
    }

    /// Explains a decision before it is made, now and then.
    pub(crate) fn check(
        &mut self,
        policy: &impl Policy,
        moment: &Moment<'_>,
    ) -> Option<Explanation> {
        self.decisions += 1;
        if !self.decisions.is_multiple_of(CHECK_EVERY) {
            return None;
        }
        let pool = policy.pool()?;
        Some(select::explain(pool, moment.ask, moment.tried, moment.now))
    }

    /// Compares the explanation with the decision.
    pub(crate) fn checked(
        &mut self,
        explained: Option<Explanation>,
        decision: &Decision,
        (policy, moment): (&impl Policy, &Moment<'_>),
    ) {
        let (Some(explained), Decision::Picked(pick)) = (explained, decision) else {
            return;
        };
        let after = policy
            .pool()
            .map(|pool| select::explain(pool, moment.ask, moment.tried, moment.now));
        if after
            .is_none_or(|it| it.expected_output.to_bits() != explained.expected_output.to_bits())
        {
            // The decision was the one in a second that takes over how long answers have become.
            return;
        }
        if (explained.mode == Some(Mode::Probe)) != (pick.mode == Mode::Probe) {
            // Another request claimed the probe, or its share of the parent's.
            return;
        }
        self.compared += 1.0;
        let sum: f32 = explained.candidates.iter().map(|it| it.propensity).sum();
        let holds = explained.candidates.get(pick.index).is_some_and(|it| {
            let close =
                (it.cost.total() - pick.cost.total()).abs() <= 0.02 * pick.cost.total().abs();
            close && (it.propensity - pick.propensity).abs() <= 0.02 && (sum - 1.0).abs() <= 1e-3
        });
        self.unexplained += f64::from(u8::from(!holds));
    }

    /// What the routes that count as equal cost on average by weight, less what `index` costs; 0 if it is none of them. In ms.
    ///
    /// Which of them is drawn is the operator's choice and not the policy's, so the difference is not the policy's to win or lose.
    pub(crate) fn equal(
        &mut self,
        truth: &Truth<'_>,
        (index, ask): (usize, &Ask),
        now: Time,
    ) -> f64 {
        if truth.routes.len() != self.weights.len() {
            return 0.0;
        }
        self.really.clear();
        let all = 0..truth.routes.len();
        self.really
            .extend(all.map(|candidate| truth.expected(candidate, ask, now)));
        let least = |of: fn(&Expected) -> f64| self.really.iter().map(of).fold(f64::MAX, f64::min);
        let (alternative, safest) = (least(|it| it.latency_ms), least(|it| it.failure));
        let cost = |it: &Expected| {
            let failed = it.fail_ms + alternative + FAILED_MS;
            (1.0 - it.failure) * it.latency_ms + it.failure * failed + it.price_ms
        };
        let best = self.really.iter().map(cost).fold(f64::MAX, f64::min);
        let equal =
            |it: &Expected| cost(it) <= best * (1.0 + BAND) && it.failure <= safest + FAILING;
        let own = &self.really[index];
        if !equal(own) {
            return 0.0;
        }
        let equals = self.really.iter().zip(&self.weights);
        let equals = equals.filter(|(it, _)| equal(it));
        let (weight, sum) = equals.fold((0.0, 0.0), |(weight, sum), (it, own)| {
            (weight + own, sum + own * (it.latency_ms + it.price_ms))
        });
        sum / weight - own.latency_ms - own.price_ms
    }

    /// An attempt was sent.
    pub(crate) fn sent(
        &mut self,
        (request, fate): (&Request, &Fate),
        (route, earlier): (usize, u32),
        pick: &Pick,
        now: Time,
    ) {
        self.window.2 += 1;
        if earlier == 0 {
            self.picks.push(episodes::Pick {
                at: now,
                route: route as u16,
            });
            if let Some(plots) = &mut self.plots {
                plots.picked(route, now);
            }
        }
        self.keys.sent(request, (route, fate), now);
        if !self.counts(now) {
            return;
        }
        self.sent += 1.0;
        self.kept.0 += f64::from(fate.kept);
        self.kept.1 += f64::from(request.input);
        if let Some(first) = fate.first {
            self.firsts.0 += first.as_millis_f64();
            self.firsts.1 += 1.0;
        }
        match pick.mode {
            Mode::Explored => self.explored += 1.0,
            Mode::Probe => self.probes += 1.0,
            _ => {}
        }
        if !self.ill(route, now) {
            self.healthy_attempts += 1.0;
        }
    }

    /// Whether something is wrong with the route, or was a short time ago.
    fn ill(&self, route: usize, now: Time) -> bool {
        self.episodes.iter().any(|it| {
            it.route == route && it.from <= now && now < it.until.plus(Span::from_secs(60))
        })
    }

    /// An attempt has ended.
    pub(crate) fn landed(
        &mut self,
        (route, request): (usize, &Request),
        outcome: Outcome,
        now: Time,
    ) {
        if let Some(plots) = &mut self.plots {
            plots.landed(route, outcome, now);
        }
        if outcome == Outcome::Success {
            self.keys.served(route, request, now);
        }
        if self.counts(now) {
            self.refused += f64::from(u8::from(outcome == Outcome::RateLimited));
        }
    }

    /// A request has ended.
    pub(crate) fn ended(&mut self, ending: &Ending) {
        let best = self.best_ms(&ending.request);
        let took = ending.now.since(ending.began).as_millis_f64();
        if let Some(plots) = &mut self.plots {
            plots.ended(ending, took / best);
        }
        if !self.counts(ending.began) {
            return;
        }
        self.all.add(ending);
        if self.scenario.incident.is_some_and(|(from, until)| {
            (START.plus(from)..START.plus(until)).contains(&ending.began)
        }) {
            self.incident.add(ending);
        }
        if ending.began >= summary::calm_again(self.scenario) {
            self.after.add(ending);
        }
        let was_shed = ending.attempts == 0;
        self.shed += f64::from(u8::from(was_shed));
        self.attempts += f64::from(ending.attempts);
        self.failed_attempts += f64::from(ending.failures);
        let mut cost = took + FAILED_MS * f64::from(ending.failures);
        match ending.route {
            Some(route) => {
                self.ratio.add(took / best);
                self.millis.add(took);
                let nano = price(&self.scenario.routes[route], &ending.request);
                cost += nano * 1e-6 * self.scenario.ms_per_millidollar;
            }
            None => cost += self.scenario.lost_ms,
        }
        self.cost_raw_ms += cost;
        if ending.failures == 0 && ending.route.is_some() {
            cost += ending.equal_ms;
        }
        self.cost_ms += cost;
        let beyond = cost - best;
        self.beyond.0 += beyond;
        self.beyond.1 += beyond * beyond;
    }

    /// What the best route takes for a request in health, in ms.
    fn best_ms(&self, request: &Request) -> f64 {
        let class = request.class.index();
        let took = |pace: &crate::scenario::Pace| {
            pace.ttft_us
                + pace.per_token_us * f64::from(request.input)
                + pace.tpot_us * f64::from(request.output - 1)
        };
        let least = self.paces.iter().map(|it| took(&it[class]));
        least.fold(f64::MAX, f64::min).max(1.0) / 1e3
    }

    /// A quarter of a second has passed.
    pub(crate) fn tick<P: Policy>(&mut self, world: &World<'_>, policies: &[P], now: Time) {
        let Some(policy) = policies.first() else {
            return;
        };
        let main = &self.scenario.models[0].routes;
        for (candidate, &route) in main.iter().enumerate() {
            let admits = policy.admits(candidate, now);
            if self.admitted[candidate] && !admits && !self.ill(route, now) && self.counts(now) {
                self.trips += 1.0;
            }
            self.admitted[candidate] = admits;
        }
        self.keys.tick(world, policy, now);
        if let Some(plots) = &mut self.plots {
            plots.tick(world, policy, now);
        }
    }

    /// The run is over.
    pub(crate) fn finish<P: Policy>(
        mut self,
        world: &World<'_>,
        policies: &[P],
        now: Time,
    ) -> Measured {
        let _ = policies;
        self.keys.close(world, now);
        let values = summary::values(&self, world);
        Measured {
            values,
            series: self.plots.map(Plots::done),
        }
    }
}
