//! Carries each request along the walk, under a virtual clock.
//!
//! Events are taken in the order of time; a request is decided by the policy of its replica, sent to the [`World`], and led on by `scoring`'s own [`Walk`] when an attempt fails.
//! Overdue notices are events only where one will be needed: the attempt's fate is known when it is sent.
//!
//! # Invariants
//! - The same setup gives the same run, whatever else runs beside it.
//! - Every request ends exactly once: answered, refused locally, or lost.

mod queue;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::Outcome;
use scoring::retry::{Committed, Failure, RetryBudget};
use scoring::route::{Ask, End, Parent};
use scoring::select::{Decision, Pick, Tried};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::walk::{Next, Setback, Walk};

use crate::measure::{Ending, Recorder};
use crate::policy::{Candidate, Flight, Moment, Policy, Seat};
use crate::scenario::Scenario;
use crate::trace::{Request, Trace, draw};
use crate::world::{Fate, START, Sending, Truth, World};

use queue::{Event, Queue};

/// A request that short may serve as a probe, as in the gateway.
const PROBE_TOKENS: u32 = 16_384;

/// How often policies refit and sweep, as in the gateway.
pub(crate) const TICK: Span = Span::from_millis(250);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What is asked.
    pub trace: &'a Trace,
    /// Of noise and draws.
    pub seed: u64,
    /// The constants of the product's own policy.
    pub tuning: &'a Tuning,
}

/// One request under way.
#[derive(Debug)]
struct Live {
    number: u64,
    request: Request,
    replica: usize,
    walk: Walk,
    began: Time,
    deadline: Time,
    /// The client of a closed loop that asked.
    client: Option<u32>,
    /// What was asked last, and what was picked for it.
    pick: Option<(Ask, Pick)>,
    failures: u32,
    /// How its first attempt ended.
    first: Option<Outcome>,
    /// What equal routes cost on average less what the first one costs, in ms.
    equal_ms: f64,
}

/// One attempt in flight.
#[derive(Debug)]
struct Sent {
    live: u32,
    generation: u32,
    flight: Flight,
    /// Position of the model, the route in the world.
    model: usize,
    route: usize,
    fate: Fate,
    /// Whether its end is the client's deadline and not its own.
    cut: bool,
}

/// A run under way.
struct Run<'a, P> {
    setup: Setup<'a>,
    world: World<'a>,
    /// By replica, then model.
    policies: Vec<Vec<P>>,
    budgets: Vec<RetryBudget>,
    queue: Queue,
    now: Time,
    lives: Slots<Live>,
    sent: Slots<Sent>,
    /// Of the policies' draws.
    rng: SmallRng,
    recorder: Recorder<'a>,
    made: u64,
}

/// Things in numbered places, reused.
#[derive(Debug)]
struct Slots<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    fn put(&mut self, thing: T) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(thing);
                place
            }
            None => {
                self.places.push(Some(thing));
                (self.places.len() - 1) as u32
            }
        }
    }

    /// The place that the next thing will get.
    fn next(&self) -> usize {
        self.free
            .last()
            .map_or(self.places.len(), |it| *it as usize)
    }

    fn get(&mut self, place: u32) -> Option<&mut T> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    fn take(&mut self, place: u32) -> Option<T> {
        let thing = self.places.get_mut(place as usize)?.take();
        if thing.is_some() {
            self.free.push(place);
        }
        thing
    }
}

/// Runs one policy; `make` seats it at one model of one replica.
pub fn run<P: Policy>(
    setup: &Setup<'_>,
    mut recorder: Recorder<'_>,
    make: impl Fn(&Seat<'_>) -> P,
) -> crate::measure::Measured {
    let scenario = setup.scenario;
    let replicas = (0..scenario.replicas).map(|replica| seat(setup, replica, &make));
    let policies: Vec<Vec<P>> = replicas.collect();
    recorder.begin(setup);
    let mut run = Run {
        setup: *setup,
        world: World::new(scenario, setup.trace, setup.seed),
        policies,
        budgets: (0..scenario.replicas)
            .map(|_| RetryBudget::new(setup.tuning))
            .collect(),
        queue: Queue::default(),
        now: START,
        lives: Slots::new(),
        sent: Slots::new(),
        rng: SmallRng::seed_from_u64(setup.seed ^ 0x5EED_0F00_D5EE_D000),
        recorder,
        made: 0,
    };
    run.go();
    let Run {
        recorder,
        world,
        policies,
        now,
        ..
    } = run;
    recorder.finish(&world, &policies[0], now)
}

/// The policies of one replica, one a model.
pub(crate) fn seat<P: Policy>(
    setup: &Setup<'_>,
    replica: usize,
    make: &impl Fn(&Seat<'_>) -> P,
) -> Vec<P> {
    let scenario = setup.scenario;
    let parents: RefCell<HashMap<String, Arc<Parent>>> = RefCell::default();
    let parent = |name: &str| Arc::clone(parents.borrow_mut().entry(name.to_owned()).or_default());
    let candidate = |&route: &usize| {
        let it = &scenario.routes[route];
        Candidate {
            name: it.name.clone(),
            parent: it.parent.clone(),
            weight: it.weight,
            price_input: it.price_input * 1e3,
            price_output: it.price_output * 1e3,
            told_rpm: it.told_rpm,
            told_tpm: it.told_tpm,
        }
    };
    let models = scenario.models.iter().map(|model| {
        let candidates: Vec<_> = model.routes.iter().map(candidate).collect();
        make(&Seat {
            candidates: &candidates,
            replica,
            tuning: setup.tuning,
            sample: sample(scenario),
            parents: &parent,
        })
    });
    models.collect()
}

/// A typical request, for plots and explanations.
pub(crate) fn sample(scenario: &Scenario) -> Ask {
    let class = scenario
        .traffic
        .first()
        .map_or(scoring::Class::ChatStream, |it| it.class);
    Ask {
        class,
        input_tokens: 1_000,
        max_tokens: None,
        deadline: None,
        probe_ok: true,
        affinity: None,
    }
}

impl<P: Policy> Run<'_, P> {
    fn go(&mut self) {
        let end = START.plus(self.setup.scenario.duration);
        self.queue.push(START.plus(TICK), Event::Tick);
        self.clients();
        let trace = self.setup.trace;
        let mut arrivals = trace.requests.iter();
        let mut next = arrivals.next();
        loop {
            let arrival = next.map(|it| START.plus(it.at)).filter(|at| *at < end);
            match (arrival, self.queue.next_at()) {
                (Some(at), due) if due.is_none_or(|due| at <= due) => {
                    self.now = at;
                    if let Some(request) = next {
                        self.arrive(*request, None);
                    }
                    next = arrivals.next();
                }
                (_, Some(_)) => {
                    let Some((at, event)) = self.queue.pop() else {
                        break;
                    };
                    self.now = at;
                    if event == Event::Tick
                        && at >= end
                        && self.lives.free.len() == self.lives.places.len()
                    {
                        break;
                    }
                    self.step(event, end);
                }
                _ => break,
            }
        }
    }

    /// Lets the clients of closed loops ask for the first time, spread over their pause.
    fn clients(&mut self) {
        let mut number = 0;
        for traffic in &self.setup.scenario.traffic {
            for _ in 0..traffic.clients {
                let after = traffic.think.mul_f64(self.rng.random());
                self.queue.push(START.plus(after), Event::Client(number));
                number += 1;
            }
        }
    }

    /// The stream that a client of a closed loop belongs to.
    fn stream(&self, client: u32) -> Option<usize> {
        let mut left = client as usize;
        self.setup.scenario.traffic.iter().position(|it| {
            let own = left < it.clients;
            left = left.wrapping_sub(it.clients);
            own
        })
    }

    fn step(&mut self, event: Event, end: Time) {
        match event {
            Event::FirstByte(slot) => self.first_byte(slot),
            Event::Overdue(slot, generation) => self.overdue(slot, generation),
            Event::Finish(slot) => self.finish(slot),
            Event::Resume(live) => self.resume(live),
            Event::Client(client) if self.now < end => {
                if let Some(stream) = self.stream(client) {
                    let traffic = &self.setup.scenario.traffic[stream];
                    let request = Request {
                        at: self.now.since(START),
                        ..draw(traffic, &mut self.rng)
                    };
                    self.arrive(request, Some(client));
                }
            }
            Event::Client(_) => {}
            Event::Tick => self.tick(),
        }
    }

    fn tick(&mut self) {
        for policies in &mut self.policies {
            policies.iter_mut().for_each(|policy| policy.tick(self.now));
        }
        self.recorder.tick(&self.world, &self.policies[0], self.now);
        self.queue.push(self.now.plus(TICK), Event::Tick);
    }

    fn arrive(&mut self, request: Request, client: Option<u32>) {
        let scenario = self.setup.scenario;
        let number = self.made;
        self.made += 1;
        let replica = (number % scenario.replicas as u64) as usize;
        let total = scenario.clocks.total;
        let wait = request.deadline.map_or(total, |it| it.min(total));
        let walk = Walk::begin(scenario.models.len(), &self.budgets[replica], self.now);
        self.recorder.arrived(&request, self.now);
        let live = self.lives.put(Live {
            number,
            request,
            replica,
            walk,
            began: self.now,
            deadline: self.now.plus(wait),
            client,
            pick: None,
            failures: 0,
            first: None,
            equal_ms: 0.0,
        });
        self.decide(live);
    }

    /// Lets the walk and the policy choose, and sends; or ends the request.
    fn decide(&mut self, place: u32) {
        loop {
            let Some(live) = self.lives.get(place) else {
                return;
            };
            let Some(model) = live.walk.model() else {
                return self.ended(place, None);
            };
            let mut ask = ask(&live.request, live.deadline);
            let policy = &mut self.policies[live.replica][model];
            if let Some(session) = self.setup.trace.session_of(&live.request) {
                ask.affinity = policy.affinity(session, live.request.input, self.now);
            }
            let routes = &self.setup.scenario.models[model].routes;
            let truth = Truth {
                world: &self.world,
                routes,
                request: &live.request,
            };
            let tried = absent(self.setup.scenario, routes, self.now, live.walk.tried());
            let moment = Moment {
                ask: &ask,
                tried: &tried,
                now: self.now,
                truth: &truth,
            };
            let checked = self.recorder.check(policy, &moment);
            let decision = policy.decide(&moment, &mut self.rng);
            if checked.is_some() {
                self.recorder
                    .checked(checked, &decision, (&*policy, &moment));
            }
            if let Decision::Picked(pick) = &decision
                && live.walk.attempts() == 0
            {
                live.equal_ms = self.recorder.equal(&truth, (pick.index, &ask), self.now);
            }
            if let Some(pick) = live.walk.take(&decision) {
                live.pick = Some((ask, pick));
                return self.send(place);
            }
        }
    }

    /// Sends the request to the route picked.
    fn send(&mut self, place: u32) {
        let Some(live) = self.lives.get(place) else {
            return;
        };
        let Some((ask, pick)) = live.pick else {
            return;
        };
        let model = live.walk.position();
        let route = self.setup.scenario.models[model].routes[pick.index];
        let earlier = live.walk.attempts() - 1;
        let sending = Sending {
            number: live.number,
            request: &live.request,
            route,
            earlier,
        };
        let fate = self.world.send(&sending, self.now);
        let slot = self.sent.next();
        let flight = Flight {
            slot,
            route: pick.index,
            ask,
            sent: self.now,
            first_byte: None,
            session: self.setup.trace.session_of(&live.request),
        };
        self.recorder
            .sent((&live.request, &fate), (route, earlier), &pick, self.now);
        let policy = &mut self.policies[live.replica][model];
        let overdue = policy.begin(&flight, &pick);
        let own = self.now.plus(fate.end);
        let end = own.min(live.deadline);
        let generation = (self.made as u32) ^ (live.walk.attempts() << 28);
        let slot = slot as u32;
        let news = fate.first.map_or(end, |first| self.now.plus(first));
        if let Some(at) = overdue.filter(|at| *at < news && *at < end) {
            self.queue.push(at, Event::Overdue(slot, generation));
        }
        if news < end {
            self.queue.push(news, Event::FirstByte(slot));
        }
        self.queue.push(end, Event::Finish(slot));
        self.sent.put(Sent {
            live: place,
            generation,
            flight,
            model,
            route,
            fate,
            cut: own > end,
        });
    }

    fn first_byte(&mut self, slot: u32) {
        let Some(sent) = self.sent.get(slot) else {
            return;
        };
        sent.flight.first_byte = Some(self.now);
        let Some(live) = self.lives.get(sent.live) else {
            return;
        };
        let policy = &mut self.policies[live.replica][sent.model];
        policy.first_byte(&sent.flight, self.now);
        if let Some(told) = sent.fate.told.take() {
            policy.limits(&sent.flight, &told, self.now);
        }
    }

    fn overdue(&mut self, slot: u32, generation: u32) {
        let Some(sent) = self.sent.get(slot).filter(|it| it.generation == generation) else {
            return;
        };
        if let Some(live) = self.lives.get(sent.live) {
            self.policies[live.replica][sent.model].overdue(&sent.flight, self.now);
        }
    }

    fn finish(&mut self, slot: u32) {
        let Some(mut sent) = self.sent.take(slot) else {
            return;
        };
        if sent.cut {
            sent.fate = sent.fate.left(self.now.since(sent.flight.sent));
        }
        self.world.end(sent.route, &sent.fate);
        let Some(live) = self.lives.get(sent.live) else {
            return;
        };
        let outcome = sent.fate.outcome;
        let policy = &mut self.policies[live.replica][sent.model];
        if !sent.cut {
            for told in [sent.fate.told.take(), sent.fate.refused.take()]
                .into_iter()
                .flatten()
            {
                policy.limits(&sent.flight, &told, self.now);
            }
        }
        let served = outcome == Outcome::Success;
        let decodes = live.request.class.decodes();
        let end = End {
            outcome,
            input_tokens: served.then_some(live.request.input),
            output_tokens: (served && decodes).then_some(live.request.output),
            retry_after: sent.fate.retry_after.filter(|_| !sent.cut),
            jitter: self.rng.random(),
        };
        policy.finish(&sent.flight, &end, self.now);
        live.first.get_or_insert(outcome);
        self.recorder
            .landed((sent.route, &live.request), outcome, self.now);
        if served {
            return self.ended(sent.live, Some(sent.route));
        }
        live.failures += 1;
        let committed = sent.flight.first_byte.is_some();
        let failure = Failure {
            outcome,
            retry_after: end.retry_after,
            committed: if committed {
                Committed::Yes
            } else {
                Committed::No
            },
        };
        let setback = Setback {
            policy: &self.setup.scenario.retry,
            failure: &failure,
            candidates: self.setup.scenario.models[sent.model].routes.len(),
            larger_context: false,
            deadline_left: live.deadline.since(self.now),
        };
        let budget = &self.budgets[live.replica];
        match live.walk.failed(&setback, budget, self.now, &mut self.rng) {
            Next::Stop => self.ended(sent.live, None),
            Next::Again { wait } => self
                .queue
                .push(self.now.plus(wait), Event::Resume(sent.live)),
            Next::Decide | Next::LargerModel => self.decide(sent.live),
        }
    }

    fn resume(&mut self, place: u32) {
        let Some(live) = self.lives.get(place) else {
            return;
        };
        let Some((_, pick)) = live.pick else { return };
        let model = live.walk.position();
        let admits = self.policies[live.replica][model].admits(pick.index, self.now);
        if live.walk.resume(admits) {
            self.send(place);
        } else {
            self.decide(place);
        }
    }

    /// Ends a request: answered by `route`, or not at all.
    fn ended(&mut self, place: u32, route: Option<usize>) {
        let Some(live) = self.lives.take(place) else {
            return;
        };
        self.recorder.ended(&Ending {
            request: live.request,
            began: live.began,
            now: self.now,
            route,
            attempts: live.walk.attempts(),
            failures: live.failures,
            first: live.first,
            equal_ms: live.equal_ms,
        });
        if let Some(client) = live.client
            && let Some(stream) = self.stream(client)
        {
            let think = self.setup.scenario.traffic[stream].think;
            self.queue.push(self.now.plus(think), Event::Client(client));
        }
    }
}

/// The candidates that must not be picked: those tried, and those that the operator has not added yet.
fn absent(scenario: &Scenario, routes: &[usize], now: Time, tried: &Tried) -> Tried {
    let mut absent = *tried;
    for (candidate, &route) in routes.iter().enumerate() {
        let joins = scenario.routes[route].joins;
        if joins > Span::ZERO && now < START.plus(joins) {
            absent.insert(candidate);
        }
    }
    absent
}

/// What a policy is asked.
pub(crate) fn ask(request: &Request, deadline: Time) -> Ask {
    Ask {
        class: request.class,
        input_tokens: request.input,
        max_tokens: request.max_tokens,
        deadline: Some(deadline),
        probe_ok: request.input <= PROBE_TOKENS,
        affinity: None,
    }
}
