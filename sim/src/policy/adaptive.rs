//! Ours: `scoring` itself, driven as the gateway drives it.
//!
//! # Invariants
//! - Nothing is decided here; each event is one call.

use std::collections::HashMap;
use std::sync::Arc;

use rand::rngs::SmallRng;
use scoring::affinity::{self, Affinity};
use scoring::ceiling::LimitReport;
use scoring::cost::Rates;
use scoring::outcome::Outcome;
use scoring::route::{Ask, Attempt, End, Prior, Route, ToldLimits};
use scoring::select::{self, Decision, Gate, Pick, Pool, Tried};
use scoring::time::Time;

use super::{Flight, Glimpse, Moment, Policy, Seat};

/// `scoring`'s own selection.
#[derive(Debug)]
pub struct Adaptive {
    pool: Pool,
    attempts: Vec<Option<Under>>,
    /// The candidate, the tokens and the time of each session's last turn that was answered, as the gateway remembers them.
    homes: HashMap<u64, (usize, u32, Time)>,
    /// Calls of [`Policy::tick`] so far.
    ticks: u32,
    /// What is asked when nobody asks: for plots.
    sample: Ask,
}

/// An attempt under way.
#[derive(Debug)]
struct Under {
    attempt: Attempt<Arc<Route>>,
    /// Whether its session moves with it.
    moves: bool,
}

/// Ticks of 250 ms between two sweeps.
const SWEEP_TICKS: u32 = 4;

impl Adaptive {
    /// The policy over the seat's candidates, whose parents other seats may share.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let candidates = seat.candidates.iter().map(|it| {
            let route = Route::new(
                (seat.parents)(&it.parent),
                &Prior::default(),
                &ToldLimits::default(),
                seat.tuning,
            );
            select::Candidate {
                route: Arc::new(route),
                weight: it.weight,
                // A nano-dollar is a thousand pico-dollars.
                rates: Rates {
                    input: (it.price_input * 1e3) as f32,
                    output: (it.price_output * 1e3) as f32,
                    ..Rates::default()
                },
            }
        });
        Self {
            pool: Pool::new(candidates.collect(), *seat.tuning),
            attempts: Vec::new(),
            homes: HashMap::new(),
            ticks: 0,
            sample: seat.sample,
        }
    }

    fn attempt(&mut self, flight: &Flight) -> Option<&mut Attempt<Arc<Route>>> {
        let under = self.attempts.get_mut(flight.slot)?.as_mut();
        under.map(|it| &mut it.attempt)
    }
}

impl Policy for Adaptive {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        select::select(&self.pool, moment.ask, moment.tried, moment.now, rng)
    }

    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        let explained = select::explain(&self.pool, moment.ask, moment.tried, moment.now);
        let candidates = explained.candidates.iter();
        Some(candidates.map(|it| f64::from(it.propensity)).collect())
    }

    fn affinity(&self, session: u64, input: u32, now: Time) -> Option<Affinity> {
        let (candidate, tokens, at) = *self.homes.get(&session)?;
        let cached_tokens = affinity::cached_tokens(tokens, input, now.since(at));
        (cached_tokens > 0).then_some(Affinity {
            candidate,
            cached_tokens,
        })
    }

    fn begin(&mut self, flight: &Flight, pick: &Pick) -> Option<Time> {
        let route = Arc::clone(&self.pool.candidates()[flight.route].route);
        let attempt = Attempt::begin(route, &flight.ask, pick, flight.sent);
        let overdue = attempt.overdue_at();
        if self.attempts.len() <= flight.slot {
            self.attempts.resize_with(flight.slot + 1, || None);
        }
        let moves = affinity::moves(&flight.ask, pick);
        self.attempts[flight.slot] = Some(Under { attempt, moves });
        Some(overdue)
    }

    fn overdue(&mut self, flight: &Flight, now: Time) {
        if let Some(attempt) = self.attempt(flight) {
            attempt.overdue(now);
        }
    }

    fn first_byte(&mut self, flight: &Flight, now: Time) {
        if let Some(attempt) = self.attempt(flight) {
            attempt.first_byte(now);
        }
    }

    fn limits(&mut self, flight: &Flight, report: &LimitReport, now: Time) {
        if let Some(attempt) = self.attempt(flight) {
            attempt.limits(report, now);
        }
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let Some(under) = self.attempts.get_mut(flight.slot).and_then(Option::take) else {
            return;
        };
        under.attempt.finish(end, now);
        if let (Some(session), true, Outcome::Success) = (flight.session, under.moves, end.outcome)
        {
            let turn = (flight.route, flight.ask.input_tokens, now);
            self.homes.insert(session, turn);
        }
    }

    fn tick(&mut self, now: Time) {
        self.pool.fit(now);
        self.ticks += 1;
        if self.ticks.is_multiple_of(SWEEP_TICKS) {
            for candidate in self.pool.candidates() {
                candidate.route.sweep(now);
            }
        }
    }

    fn admits(&self, route: usize, _: Time) -> bool {
        self.pool.candidates()[route].route.admits()
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        let explained = select::explain(&self.pool, &self.sample, &Tried::default(), now);
        let glimpse = |it: &select::Explained| Glimpse {
            score: it.score,
            state: match it.gate {
                Gate::Cold | Gate::Hot => 0,
                Gate::Recovering => 1,
                _ => 2,
            },
        };
        explained.candidates.iter().map(glimpse).collect()
    }

    fn pool(&self) -> Option<&Pool> {
        Some(&self.pool)
    }
}
