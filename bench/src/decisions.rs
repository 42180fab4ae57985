//! What is a decision measured on?
//!
//! A pool of routes that have served for a while: each has its own latencies, a few failures and told ceilings that never fill, so that every term of the cost is computed.
//! A turn is what the gateway does per request: it selects and begins one attempt, notes the first byte of an earlier one and ends a still earlier one, so that attempts overlap as they do in life.
//!
//! # Invariants
//! - Time moves by 150 to 250 µs a turn and the generator is seeded, so two runs take the same decisions.
//! - A turn allocates nothing: the queue of attempts in flight is as large as it gets before the first.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::Class;
use scoring::affinity::Affinity;
use scoring::cost::Rates;
use scoring::outcome::Outcome;
use scoring::route::{Ask, Attempt, End, Parent, Prior, Route, ToldLimits};
use scoring::select::{Candidate, Decision, Pick, Pool, Shadow, Tried, select, select_beside};
use scoring::shadow::{End as Ended, Tally, Weight};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;

/// Time between two requests in µs: 5,000 a second in the mean, uneven so that latencies vary.
const STEP_US: core::ops::Range<u64> = 150..251;

/// Attempts in flight at once, and so the turns that one takes: 400 ms.
const FLIGHTS: usize = 2_000;

/// Turns until an attempt's first byte: 100 ms.
const FIRST_BYTE: usize = 500;

/// Turns taken by each candidate before anything is measured: enough for every fit and window to be filled.
const TURNS: usize = 400;

/// Turns between two runs of the fitter: 4 a second.
const FIT_TURNS: usize = 1_250;

/// Input tokens that a session's route still keeps.
const KEPT: u32 = 700;

/// Every so many requests fail.
const FAILURES: u64 = 97;

/// A pool that has served, and the state of the one who asks it.
#[derive(Debug)]
pub struct Desk {
    pool: Arc<Pool>,
    ask: Ask,
    now: Time,
    rng: SmallRng,
    turns: u64,
    /// Whether every request has a home.
    in_session: bool,
    flights: VecDeque<Attempt<Arc<Route>>>,
    /// Constants that are tried beside, and what is counted of them.
    trial: Option<(Shadow, Tally)>,
}

impl Desk {
    /// A desk over `candidates` routes (1..=256) of four parents.
    #[must_use]
    pub fn new(candidates: usize) -> Self {
        Self::under(candidates, Tuning::default())
    }

    /// The same with prices that count, and every request a turn of a session that was served before.
    #[must_use]
    pub fn of_sessions(candidates: usize) -> Self {
        let mut tuning = Tuning::default();
        tuning.cost.ms_per_millidollar = 1.0;
        let mut desk = Self::under(candidates, tuning);
        desk.in_session = true;
        desk
    }

    /// The same with constants that are tried beside: half of the band.
    #[must_use]
    pub fn with_shadow(candidates: usize) -> Self {
        let mut tuning = Tuning::default();
        tuning.draw.band /= 2.0;
        let mut desk = Self::new(candidates);
        desk.trial = Some((Shadow::new(&tuning), Tally::new(candidates)));
        desk
    }

    fn under(candidates: usize, tuning: Tuning) -> Self {
        let parents: Vec<Arc<Parent>> = (0..4).map(|_| Arc::new(Parent::new())).collect();
        let told = ToldLimits {
            requests_per_minute: Some(10_000_000),
            tokens_per_minute: Some(u32::MAX),
            ..ToldLimits::default()
        };
        let candidates = (0..candidates).map(|index| {
            let parent = Arc::clone(&parents[index % parents.len()]);
            let route = Arc::new(Route::new(parent, &Prior::default(), &told, &tuning));
            Candidate {
                route,
                weight: 1.0,
                rates: Rates {
                    input: 150_000.0,
                    cached: 15_000.0,
                    output: 600_000.0,
                },
            }
        });
        let ask = Ask {
            class: Class::ChatStream,
            input_tokens: 800,
            max_tokens: None,
            deadline: None,
            probe_ok: true,
            affinity: None,
        };
        let mut desk = Self {
            pool: Arc::new(Pool::new(candidates.collect(), tuning)),
            ask,
            now: Time::from_micros(10_000_000),
            rng: SmallRng::seed_from_u64(7),
            turns: 0,
            in_session: false,
            flights: VecDeque::with_capacity(FLIGHTS + 1),
            trial: None,
        };
        desk.warm_up();
        desk
    }

    /// The same pool, asked by another with a generator of its own; it has its attempts in flight already.
    #[must_use]
    pub fn beside(&self, seed: u64) -> Self {
        let mut desk = Self {
            pool: Arc::clone(&self.pool),
            ask: self.ask,
            now: self.now,
            rng: SmallRng::seed_from_u64(seed),
            turns: seed,
            in_session: self.in_session,
            flights: VecDeque::with_capacity(FLIGHTS + 1),
            trial: None,
        };
        (0..FLIGHTS).for_each(|_| desk.turn());
        desk
    }

    fn warm_up(&mut self) {
        let count = self.pool.candidates().len();
        for turn in 0..FLIGHTS + TURNS * count {
            self.turn();
            if turn.is_multiple_of(FIT_TURNS) {
                self.fit();
            }
        }
    }

    /// Runs the background fitter once over all routes.
    pub fn fit(&self) {
        for candidate in self.pool.candidates() {
            candidate.route.fit(self.now);
            candidate.route.sweep(self.now);
        }
    }

    /// Moves time on and selects; none if the request was refused, which a healthy pool never does.
    pub fn select(&mut self) -> Option<Pick> {
        self.now = self
            .now
            .plus(Span::from_micros(self.rng.random_range(STEP_US)));
        self.turns += 1;
        if self.in_session {
            self.ask.affinity = Some(Affinity {
                candidate: self.rng.random_range(0..self.pool.candidates().len()),
                cached_tokens: KEPT,
            });
        }
        match select(
            &self.pool,
            &self.ask,
            &Tried::default(),
            self.now,
            &mut self.rng,
        ) {
            Decision::Picked(pick) => Some(pick),
            Decision::Shed { .. } | Decision::Exhausted => None,
        }
    }

    /// Does what a request costs more that the shadow is asked about, and its usual selection: one whole comparison, counted at the decision and at the end.
    pub fn compare(&mut self) -> Option<Pick> {
        self.now = (self.now).plus(Span::from_micros(self.rng.random_range(STEP_US)));
        self.turns += 1;
        let (shadow, tally) = self.trial.as_ref()?;
        let (decision, compared) = select_beside(
            (&self.pool, shadow),
            (&self.ask, &Tried::default()),
            self.now,
            &mut self.rng,
            |index, live, shadow| tally.considered(index, live, shadow),
        );
        tally.decided(&compared);
        if let Some(weight) = Weight::of(&compared) {
            let end = Ended {
                first_succeeded: true,
                cost_ms: 812.5,
                ttft_ms: Some(101.25),
            };
            tally.ended(weight, &end);
        }
        match decision {
            Decision::Picked(pick) => Some(pick),
            Decision::Shed { .. } | Decision::Exhausted => None,
        }
    }

    /// Begins the attempt that was picked.
    pub fn begin(&mut self, pick: &Pick) {
        let route = Arc::clone(&self.pool.candidates()[pick.index].route);
        self.flights
            .push_back(Attempt::begin(route, &self.ask, pick, self.now));
    }

    /// Notes the first byte of the attempt that was begun [`FIRST_BYTE`] turns ago.
    pub fn first_byte(&mut self) {
        let at = self.flights.len().checked_sub(FIRST_BYTE);
        if let Some(attempt) = at.and_then(|at| self.flights.get_mut(at)) {
            attempt.first_byte(self.now);
        }
    }

    /// Ends the attempt that was begun [`FLIGHTS`] turns ago.
    pub fn finish(&mut self) {
        if self.flights.len() < FLIGHTS {
            return;
        }
        let failed = self.turns.is_multiple_of(FAILURES);
        let outcome = if failed {
            Outcome::ServerError
        } else {
            Outcome::Success
        };
        let end = End {
            input_tokens: Some(800),
            output_tokens: Some(20),
            ..End::of(outcome)
        };
        if let Some(attempt) = self.flights.pop_front() {
            attempt.finish(&end, self.now);
        }
    }

    /// One turn: select and begin a request, move two earlier ones on.
    pub fn turn(&mut self) {
        if let Some(pick) = self.select() {
            self.begin(&pick);
            self.first_byte();
            self.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_pool_refuses_nothing_and_spreads() {
        let mut desk = Desk::new(16);
        let mut seen = [0_u32; 16];
        for _ in 0..4_000 {
            let pick = desk.select();
            assert!(pick.is_some(), "refused after {} turns, seed 7", desk.turns);
            if let Some(pick) = pick {
                seen[pick.index] += 1;
                desk.begin(&pick);
                desk.first_byte();
                desk.finish();
            }
        }
        assert!(
            seen.iter().filter(|&&count| count > 0).count() > 4,
            "{seen:?}, seed 7"
        );
    }
}
