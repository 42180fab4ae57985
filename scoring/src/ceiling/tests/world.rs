//! A tiny world: seeded arrivals, providers with hidden buckets, and the ceilings that learn them; time is virtual.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::*;
use super::provider::{Dialect, Provider, Request};
use super::{SECOND, START};
use crate::outcome::Outcome;
use crate::time::{Span, Time};
use crate::tuning::Tuning;

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Arrival,
    Reaches {
        route: usize,
        request: Request,
        charged: Charged,
    },
    Refused {
        route: usize,
        request: Request,
        charged: Charged,
        report: LimitReport,
        retry_after: Option<Span>,
    },
    Headers {
        route: usize,
        charged: Charged,
        report: LimitReport,
    },
    Ends {
        route: usize,
        request: Request,
        charged: Charged,
    },
    Sweep,
}

pub(super) struct Route {
    pub(super) gate: Gate,
    pub(super) limits: Limits,
    pub(super) provider: Provider,
    pub(super) inflight: u32,
}

pub(super) struct World {
    pub(super) routes: Vec<Route>,
    pub(super) rng: StdRng,
    pub(super) now: u64,
    pub(super) sequence: u64,
    pub(super) queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    pub(super) events: Vec<Event>,
    pub(super) free: Vec<usize>,
    /// Requests per second.
    pub(super) demand: f64,
    pub(super) requests: u64,
    pub(super) shed: u64,
    pub(super) failed: u64,
    pub(super) shared: bool,
}

/// What happened between two instants.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) shed: u64,
    pub(super) failed: u64,
    pub(super) accepted: Vec<u64>,
    pub(super) refused: Vec<u64>,
    pub(super) units: Vec<f64>,
}

impl Tally {
    pub(super) fn refusals_per_thousand(&self) -> f64 {
        let refused: u64 = self.refused.iter().sum();
        let accepted: u64 = self.accepted.iter().sum();
        refused as f64 * 1_000.0 / (refused + accepted).max(1) as f64
    }
}

impl World {
    pub(super) fn new(seed: u64, demand: f64, providers: Vec<Provider>) -> Self {
        let told = ToldLimits::default();
        let tuning = Tuning::default();
        let route = |provider| Route {
            gate: Gate::new(&told, &tuning),
            limits: Limits::new(&told, &tuning),
            provider,
            inflight: 0,
        };
        let mut world = Self {
            routes: providers.into_iter().map(route).collect(),
            rng: StdRng::seed_from_u64(seed),
            now: START,
            sequence: 0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            demand,
            requests: 0,
            shed: 0,
            failed: 0,
            shared: false,
        };
        world.after(0, Event::Arrival);
        world.after(SECOND, Event::Sweep);
        world
    }

    pub(super) fn after(&mut self, micros: u64, event: Event) {
        let slot = if let Some(slot) = self.free.pop() {
            self.events[slot] = event;
            slot
        } else {
            self.events.push(event);
            self.events.len() - 1
        };
        self.sequence += 1;
        self.queue
            .push(Reverse((self.now + micros, self.sequence, slot)));
    }

    pub(super) fn now(&self) -> Time {
        Time::from_micros(self.now)
    }

    pub(super) fn count(&self) -> Tally {
        Tally {
            requests: self.requests,
            shed: self.shed,
            failed: self.failed,
            accepted: self
                .routes
                .iter()
                .map(|route| route.provider.accepted)
                .collect(),
            refused: self
                .routes
                .iter()
                .map(|route| route.provider.refused)
                .collect(),
            units: self
                .routes
                .iter()
                .map(|route| route.provider.accepted_units)
                .collect(),
        }
    }

    /// Runs for `seconds` and tells what happened in them.
    pub(super) fn run(&mut self, seconds: f64) -> Tally {
        let before = self.count();
        let until = self.now + (seconds * 1e6) as u64;
        while let Some(Reverse((at, _, slot))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = at;
            let event = self.events[slot];
            self.free.push(slot);
            self.handle(event);
        }
        self.now = until;
        let after = self.count();
        let less = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Tally {
            requests: after.requests - before.requests,
            shed: after.shed - before.shed,
            failed: after.failed - before.failed,
            accepted: less(&after.accepted, &before.accepted),
            refused: less(&after.refused, &before.refused),
            units: after
                .units
                .iter()
                .zip(&before.units)
                .map(|(a, b)| a - b)
                .collect(),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival => {
                let gap = -(1.0 - self.rng.random::<f64>()).ln() / self.demand;
                self.after((gap * 1e6) as u64, Event::Arrival);
                self.requests += 1;
                let request = Request::draw(&mut self.rng);
                self.dispatch(request);
            }
            Event::Reaches {
                route,
                request,
                charged,
            } => {
                let at = self.now;
                if self.provider(route).admit(&request, at) {
                    self.accepted(route, request, charged);
                } else {
                    self.refused(route, request, charged);
                }
            }
            Event::Refused {
                route,
                request,
                charged,
                report,
                retry_after,
            } => {
                self.rejected(route, charged, &report, retry_after);
                self.dispatch(request);
            }
            Event::Headers {
                route,
                mut charged,
                report,
            } => {
                let (it, now) = (&self.routes[route], self.now());
                observe(&it.gate, &it.limits, &mut charged, &report, now);
            }
            Event::Ends {
                route,
                request,
                charged,
            } => self.ended(route, request, charged),
            Event::Sweep => {
                for it in &self.routes {
                    sweep(&it.gate, &it.limits, self.now());
                }
                self.after(SECOND, Event::Sweep);
            }
        }
    }

    /// The provider behind a route: one for all if they share a key.
    fn provider(&mut self, route: usize) -> &mut Provider {
        &mut self.routes[if self.shared { 0 } else { route }].provider
    }

    fn accepted(&mut self, route: usize, request: Request, charged: Charged) {
        let provider = self.provider(route);
        let (dialect, report) = (provider.dialect, provider.report(None));
        let first = 300_000 + u64::from(request.input) * 40;
        if dialect == Dialect::Headers {
            let headers = Event::Headers {
                route,
                charged,
                report,
            };
            self.after(first, headers);
        }
        let ends = Event::Ends {
            route,
            request,
            charged,
        };
        self.after(first + u64::from(request.output) * 15_000, ends);
    }

    fn refused(&mut self, route: usize, mut request: Request, charged: Charged) {
        let at = self.now;
        request.tried |= 1 << route;
        let provider = self.provider(route);
        let report = provider.report(Some(&request));
        let wait = provider.wait(&request, at);
        let retry_after =
            matches!(provider.dialect, Dialect::RetryAfter | Dialect::Body).then_some(wait);
        let back = 20_000 + self.rng.random_range(0..40_000);
        let refused = Event::Refused {
            route,
            request,
            charged,
            report,
            retry_after,
        };
        self.after(back, refused);
    }

    fn rejected(
        &mut self,
        route: usize,
        mut charged: Charged,
        report: &LimitReport,
        retry_after: Option<Span>,
    ) {
        let now = self.now();
        let jitter = self.rng.random();
        let it = &mut self.routes[route];
        observe(&it.gate, &it.limits, &mut charged, report, now);
        let refusal = Refusal {
            retry_after,
            jitter,
            inflight: it.inflight,
        };
        reject(&it.gate, &it.limits, charged, refusal, now);
        it.inflight -= 1;
    }

    fn ended(&mut self, route: usize, request: Request, charged: Charged) {
        let (at, now) = (self.now, self.now());
        self.provider(route).give_back(&request, at);
        let it = &mut self.routes[route];
        it.inflight -= 1;
        let settled = Settled {
            input: Some(request.input),
            output: Some(request.output),
            outcome: Outcome::Success,
        };
        settle(&it.gate, &it.limits, charged, settled, now);
    }

    /// Draws among the routes that are neither held nor hot, as the selector does; sheds if there is none.
    pub(super) fn dispatch(&mut self, request: Request) {
        let now = self.now();
        let open = |(index, it): (usize, &Route)| {
            let stands = standing(&it.gate, &it.limits, request.charge(), it.inflight, now);
            let open = request.tried & (1 << index) == 0
                && stands.blocked_until.is_none()
                && stands.utilisation <= 0.95;
            open.then_some(index)
        };
        let replica = self.rng.random_range(0..self.routes.len());
        let open = |(index, it): (usize, &Route)| {
            open((index, it)).filter(|_| !self.shared || index == replica)
        };
        let routes: Vec<usize> = self.routes.iter().enumerate().filter_map(open).collect();
        if routes.is_empty() {
            if request.tried == 0 {
                self.shed += 1;
            } else {
                self.failed += 1;
            }
            return;
        }
        let route = routes[self.rng.random_range(0..routes.len())];
        let it = &mut self.routes[route];
        it.inflight += 1;
        let charged = charge(&it.gate, &it.limits, request.charge(), now);
        let way = 10_000 + self.rng.random_range(0..20_000);
        self.after(
            way,
            Event::Reaches {
                route,
                request,
                charged,
            },
        );
    }

    /// The ceiling in force, relative to the true one.
    pub(super) fn learned(&self, route: usize) -> Option<f64> {
        let it = &self.routes[route];
        let view = view(&it.gate, &it.limits, it.inflight, self.now());
        let dimension = it.provider.dimension();
        view.ceilings[dimension.index()].map(|ceiling| ceiling.limit / 60.0 / it.provider.rate)
    }

    /// The rate learned for the dimension that is limited, relative to the true one.
    pub(super) fn estimate(&self, route: usize) -> Option<f64> {
        let it = &self.routes[route];
        let dimension = it.provider.dimension();
        let learner = it.limits.lanes[dimension.index()].learner();
        (learner.rate > 0.0).then(|| learner.rate / it.provider.rate)
    }

    /// Share of the true ceiling that was used in `seconds`.
    pub(super) fn used(&self, tally: &Tally, route: usize, seconds: f64) -> f64 {
        tally.units[route] / self.routes[route].provider.rate / seconds
    }
}
