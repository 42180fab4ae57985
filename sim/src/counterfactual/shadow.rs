//! What would another policy have chosen? It follows the recording, sees what was seen, and is asked at each request; what it would do is not done.
//!
//! So its answer is about one step: this request, knowing what the recorded policy's choices have taught.
//!
//! # Invariants
//! - Events come in the order of time; each attempt that is told begins once and ends once.
//! - A request is asked about before its own attempt is told.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick, Tried};
use scoring::time::Time;
use scoring::tuning::Tuning;

use super::fitted::Fitted;
use super::log::Leg;
use crate::engine::{self, Setup, TICK};
use crate::policy::{Flight, Moment, Policy, Seat, Visitor, picked};
use crate::world::{START, Truth, World};

/// The policy's chances are not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unknown;

/// A policy that is to follow a recording.
pub(super) struct Following<'a, F> {
    pub(super) fitted: &'a Fitted,
    pub(super) world: &'a World<'a>,
    pub(super) tuning: &'a Tuning,
    pub(super) seed: u64,
    /// Told each request's place and the policy's chances.
    pub(super) each: F,
}

impl<E: FnMut(usize, &[f64])> Visitor for Following<'_, E> {
    type Out = Result<(), Unknown>;

    fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) -> Self::Out {
        let setup = Setup {
            scenario: &self.fitted.scenario,
            trace: &self.fitted.trace,
            seed: self.seed,
            tuning: self.tuning,
        };
        let mut policies = engine::seat(&setup, 0, &make);
        let Some(policy) = policies.pop() else {
            return Ok(());
        };
        let shadow = Shadow {
            fitted: self.fitted,
            world: self.world,
            policy,
            rng: SmallRng::seed_from_u64(self.seed),
            events: BinaryHeap::new(),
            made: 0,
            sent: Vec::new(),
            free: Vec::new(),
            next_tick: START.plus(TICK),
            each: self.each,
        };
        shadow.follow()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The last attempt of that request begins.
    Last(usize),
    /// The attempt in that slot is overdue.
    Overdue(usize, u64),
    /// It shows its first token.
    Token(usize),
    /// It ends.
    End(usize),
}

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    flight: Flight,
    outcome: Outcome,
    /// Its number among all.
    number: u64,
    output: u32,
}

struct Shadow<'a, P, F> {
    fitted: &'a Fitted,
    world: &'a World<'a>,
    policy: P,
    rng: SmallRng,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    made: u64,
    sent: Vec<Option<Sent>>,
    free: Vec<usize>,
    next_tick: Time,
    each: F,
}

impl<P: Policy, F: FnMut(usize, &[f64])> Shadow<'_, P, F> {
    fn follow(mut self) -> Result<(), Unknown> {
        for place in 0..self.fitted.trace.requests.len() {
            let now = START.plus(self.fitted.trace.requests[place].at);
            self.until(now);
            self.asked(place, now)?;
        }
        Ok(())
    }

    fn push(&mut self, at: Time, event: Event) {
        self.made += 1;
        self.events.push(Reverse((at, self.made, event)));
    }

    /// Lets everything happen that happens before `now`, or at it.
    fn until(&mut self, now: Time) {
        loop {
            let due = self.events.peek().map(|it| it.0.0);
            let next = due.map_or(self.next_tick, |at| at.min(self.next_tick));
            if next > now {
                return;
            }
            if due == Some(next) {
                if let Some(Reverse((at, _, event))) = self.events.pop() {
                    self.step(event, at);
                }
            } else {
                self.policy.tick(next);
                self.next_tick = next.plus(TICK);
            }
        }
    }

    fn step(&mut self, event: Event, now: Time) {
        match event {
            Event::Last(place) => {
                if let Some(leg) = self.fitted.log.rows[place].last {
                    self.begin(place, &leg, None, now);
                }
            }
            Event::Overdue(slot, number) => {
                if let Some(sent) = self.sent[slot].filter(|it| it.number == number) {
                    self.policy.overdue(&sent.flight, now);
                }
            }
            Event::Token(slot) => {
                if let Some(sent) = &mut self.sent[slot] {
                    sent.flight.first_byte = Some(now);
                    self.policy.first_byte(&sent.flight, now);
                }
            }
            Event::End(slot) => {
                if let Some(sent) = self.sent[slot].take() {
                    self.end(&sent, now);
                    self.free.push(slot);
                }
            }
        }
    }

    fn asked(&mut self, place: usize, now: Time) -> Result<(), Unknown> {
        let request = &self.fitted.trace.requests[place];
        let ask = self.ask(place, now);
        let truth = Truth {
            world: self.world,
            routes: &self.fitted.scenario.models[0].routes,
            request,
        };
        let moment = Moment {
            ask: &ask,
            tried: &Tried::default(),
            now,
            truth: &truth,
        };
        let chances = self.policy.propensities(&moment).ok_or(Unknown)?;
        (self.each)(place, &chances);
        // Deciding is asked for too: what a policy saves up, passes over or draws moves on with each request.
        let decision = self.policy.decide(&moment, &mut self.rng);
        let row = &self.fitted.log.rows[place];
        let (first, last) = (row.first, row.last);
        if let Some(leg) = first {
            let own = match decision {
                Decision::Picked(pick) if pick.index == leg.route => Some(pick),
                _ => None,
            };
            self.begin(place, &leg, own, now);
        }
        if let Some(began) = last.and_then(|it| it.began) {
            self.push(START.plus(began), Event::Last(place));
        }
        Ok(())
    }

    fn ask(&self, place: usize, now: Time) -> scoring::route::Ask {
        let request = &self.fitted.trace.requests[place];
        let total = self.fitted.scenario.clocks.total;
        let wait = request.deadline.map_or(total, |it| it.min(total));
        let session = self.fitted.trace.session_of(request);
        let affinity = |session| self.policy.affinity(session, request.input, now);
        scoring::route::Ask {
            affinity: session.and_then(affinity),
            ..engine::ask(request, now.plus(wait))
        }
    }

    fn begin(&mut self, place: usize, leg: &Leg, own: Option<Pick>, now: Time) {
        let Some(pick) = own.or(match picked(leg.route, 1.0) {
            Decision::Picked(pick) => Some(pick),
            _ => None,
        }) else {
            return;
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sent.push(None);
            self.sent.len() - 1
        });
        let flight = Flight {
            slot,
            route: leg.route,
            ask: self.ask(place, now),
            sent: now,
            first_byte: None,
            session: self
                .fitted
                .trace
                .session_of(&self.fitted.trace.requests[place]),
        };
        let overdue = self.policy.begin(&flight, &pick);
        let ended = START.plus(leg.ended).max(now);
        let token = leg.ttft.map(|it| now.plus(it)).filter(|at| *at < ended);
        let number = self.made;
        let news = token.unwrap_or(ended);
        if let Some(at) = overdue.filter(|at| *at < news) {
            self.push(at, Event::Overdue(slot, number));
        }
        if let Some(at) = token {
            self.push(at, Event::Token(slot));
        }
        self.push(ended, Event::End(slot));
        self.sent[slot] = Some(Sent {
            flight,
            outcome: leg.outcome,
            number,
            output: leg.output,
        });
    }

    fn end(&mut self, sent: &Sent, now: Time) {
        let served = sent.outcome == Outcome::Success;
        let ask = &sent.flight.ask;
        let end = End {
            outcome: sent.outcome,
            input_tokens: served.then_some(ask.input_tokens),
            output_tokens: (served && ask.class.decodes()).then_some(sent.output),
            retry_after: None,
            jitter: self.rng.random(),
        };
        self.policy.finish(&sent.flight, &end, now);
    }
}
