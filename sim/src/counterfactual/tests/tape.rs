//! Records a simulated run as the gateway records its own.
//!
//! # Invariants
//! - A recorded request tells no more than a line of the gateway's trace: whose answer never came has no length.

use std::cell::RefCell;
use std::collections::HashMap;

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::ceiling::LimitReport;
use scoring::route::End;
use scoring::select::{Decision, Pick};
use scoring::time::Time;
use scoring::tuning::Tuning;

use crate::engine::{self, Setup};
use crate::measure::{Recorder, Watch};
use crate::policy::{Flight, Glimpse, Kind, Moment, Policy, Seat, Visitor};
use crate::scenario::Scenario;
use crate::trace::{Request, Seen, Trace};
use crate::world::START;

/// What a run is recorded on.
#[derive(Default)]
struct Tape {
    requests: Vec<Request>,
    seen: Vec<Seen>,
    /// The request that an attempt belongs to, by the attempt's slot.
    sent: HashMap<usize, usize>,
    /// The request that is decided, or was the last to fail.
    at: usize,
}

struct Taped<'a, P> {
    inner: P,
    tape: &'a RefCell<Tape>,
}

impl<P: Policy> Policy for Taped<'_, P> {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let decision = self.inner.decide(moment, rng);
        let mut tape = self.tape.borrow_mut();
        if moment.tried.is_empty() {
            tape.at = tape.requests.len();
            tape.requests.push(*moment.truth.request);
            let chance = match decision {
                Decision::Picked(pick) => Some(pick.propensity),
                _ => None,
            };
            tape.seen.push(Seen {
                p_select: chance,
                ..Seen::default()
            });
        }
        decision
    }

    fn begin(&mut self, flight: &Flight, pick: &Pick) -> Option<Time> {
        let mut tape = self.tape.borrow_mut();
        let at = tape.at;
        tape.sent.insert(flight.slot, at);
        let seen = &mut tape.seen[at];
        seen.attempts += 1;
        seen.route = Some(flight.route as u16);
        seen.first.get_or_insert(flight.route as u16);
        drop(tape);
        self.inner.begin(flight, pick)
    }

    fn overdue(&mut self, flight: &Flight, now: Time) {
        self.inner.overdue(flight, now);
    }

    fn first_byte(&mut self, flight: &Flight, now: Time) {
        let mut tape = self.tape.borrow_mut();
        let at = tape.sent[&flight.slot];
        tape.seen[at].ttft = Some(now.since(flight.sent));
        drop(tape);
        self.inner.first_byte(flight, now);
    }

    fn limits(&mut self, flight: &Flight, report: &LimitReport, now: Time) {
        self.inner.limits(flight, report, now);
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        let mut tape = self.tape.borrow_mut();
        let at = tape.sent[&flight.slot];
        tape.at = at;
        let total = now.since(START.plus(tape.requests[at].at));
        let seen = &mut tape.seen[at];
        seen.total = Some(total);
        seen.outcome = Some(end.outcome);
        seen.first_took.get_or_insert(total);
        seen.first_outcome.get_or_insert(end.outcome);
        drop(tape);
        self.inner.finish(flight, end, now);
    }

    fn tick(&mut self, now: Time) {
        self.inner.tick(now);
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        self.inner.admits(route, now)
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        self.inner.glimpse(now)
    }

    fn pool(&self) -> Option<&scoring::select::Pool> {
        self.inner.pool()
    }
}

struct Recording<'a>(Setup<'a>);

impl Visitor for Recording<'_> {
    type Out = Trace;

    fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) -> Trace {
        let tape = RefCell::default();
        let recorder = Recorder::new(self.0.scenario, Watch::Numbers);
        let taped = |seat: &Seat<'_>| Taped {
            inner: make(seat),
            tape: &tape,
        };
        let _ = engine::run(&self.0, recorder, taped);
        let mut tape = tape.into_inner();
        for (request, seen) in tape.requests.iter_mut().zip(&tape.seen) {
            if seen.outcome != Some(Outcome::Success) {
                request.output = 1;
            }
        }
        let names = self.0.scenario.routes.iter().map(|it| it.name.clone());
        Trace {
            requests: tape.requests,
            seen: tape.seen,
            routes: names.collect(),
            ..Trace::default()
        }
    }
}

/// What the gateway would have recorded of `kind` in `scenario`.
pub(super) fn recording(
    kind: Kind,
    scenario: &Scenario,
    (trace, seed): (&Trace, u64),
    tuning: &Tuning,
) -> Trace {
    kind.visit(Recording(Setup {
        scenario,
        trace,
        seed,
        tuning,
    }))
}
