//! How providers really behave: the side that a gateway never sees.
//!
//! A route answers after `ttft + b·uncached input`, then `tpot` for each further token, both times a log-normal factor, the load and what is wrong at that instant.
//! A key admits by true token buckets, and tells of them in its vendor's words.
//!
//! # Invariants
//! - What befalls an attempt depends on scenario, seed, request, route, attempt, instant and load alone: the noise of a request on a route is the same whoever decided.
//! - Every attempt that was sent is ended exactly once.

mod cache;
mod dialect;
mod faults;
mod limits;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use scoring::ceiling::LimitReport;
use scoring::route::Ask;
use scoring::time::{Span, Time};
use scoring::{Class, Outcome};

use crate::scenario::{Clocks, Fault, FaultKind, Pace, Route, Scenario};
use crate::trace::{Request, Trace};

use cache::Cache;
use limits::{Charge, Quota, Refusal, charge};

pub(crate) use faults::worst;
pub(crate) use limits::BUCKETS;

/// When a run begins: above zero, as scoring wants it, and on a whole minute.
pub const START: Time = Time::from_micros(60_000_000);

/// How long a silent provider keeps a connection; that of the stand-ins.
const SILENCE: Span = Span::from_secs(120);

/// Time between the last token and the loss of the connection; that of the stand-ins.
const BREAKING: Span = Span::from_millis(5);

/// The providers of one run.
#[derive(Debug)]
pub struct World<'a> {
    scenario: &'a Scenario,
    trace: &'a Trace,
    seed: u64,
    sites: Vec<Site<'a>>,
    keys: Vec<Option<Quota>>,
}

/// One route as it stands.
#[derive(Debug)]
struct Site<'a> {
    route: &'a Route,
    faults: Vec<&'a Fault>,
    inflight: u32,
    cache: Option<Cache>,
    /// Mean of the log-normal factor, by class: exp(σ²/2).
    mean_noise: [f64; Class::COUNT],
}

/// One attempt, as the providers see it.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The request's index in the trace, or any number that tells requests apart.
    pub number: u64,
    /// The request.
    pub request: &'a Request,
    /// The route.
    pub route: usize,
    /// Attempts that the request made before this one.
    pub earlier: u32,
}

/// What befalls one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// How it ends.
    pub outcome: Outcome,
    /// From its start to the first content token; streams that get there.
    pub first: Option<Span>,
    /// From its start to its end.
    pub end: Span,
    /// From its start to the response's head, when limits are told.
    pub head: Option<Span>,
    /// What the provider asks us to wait.
    pub retry_after: Option<Span>,
    /// What the headers tell of limits.
    pub told: Option<Box<LimitReport>>,
    /// What a refusal's body tells of limits.
    pub refused: Option<Box<LimitReport>>,
    /// Input tokens that the route still kept.
    pub kept: u32,
    /// Output tokens handed over.
    pub output: u32,
    /// Tokens charged to the key; 0 if it was not asked or refused.
    pub(crate) charged: f64,
    /// Output tokens reserved that are to be settled.
    reserved: u32,
}

/// What sending a request to one candidate really means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected {
    /// Expected time of a complete answer, in ms, with its true output length.
    pub latency_ms: f64,
    /// Chance that the attempt fails; 0..=1.
    pub failure: f64,
    /// Expected time of a failed attempt, in ms.
    pub fail_ms: f64,
    /// Whether its limits admit the request now.
    pub admits: bool,
    /// How long until they do.
    pub wait: Span,
    /// Price, in ms at the scenario's exchange rate.
    pub price_ms: f64,
}

/// What is really the case for one request of one model: what an oracle may read.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    pub(crate) world: &'a World<'a>,
    /// The model's routes.
    pub(crate) routes: &'a [usize],
    pub(crate) request: &'a Request,
}

impl Truth<'_> {
    /// What sending the request to `candidate` at `now` really means.
    #[must_use]
    pub fn expected(&self, candidate: usize, _: &Ask, now: Time) -> Expected {
        self.world
            .expected(self.routes[candidate], self.request, now)
    }
}

impl<'a> World<'a> {
    /// The providers at the beginning of a run.
    #[must_use]
    pub fn new(scenario: &'a Scenario, trace: &'a Trace, seed: u64) -> Self {
        let site = |(index, route): (usize, &'a Route)| Site {
            route,
            faults: scenario
                .faults
                .iter()
                .filter(|fault| fault.on.contains(&index))
                .collect(),
            inflight: 0,
            cache: (route.cache_ttl > Span::ZERO).then(|| Cache::new(route.cache_ttl)),
            mean_noise: route.pace.map(|pace| (pace.noise * pace.noise / 2.0).exp()),
        };
        Self {
            scenario,
            trace,
            seed,
            sites: scenario.routes.iter().enumerate().map(site).collect(),
            keys: scenario
                .keys
                .iter()
                .map(|key| Quota::new(key, START))
                .collect(),
        }
    }

    /// Sends an attempt: charges its key, draws its fate.
    pub fn send(&mut self, sending: &Sending<'_>, now: Time) -> Fate {
        let request = sending.request;
        let age = now.since(START);
        let mut rng = self.noise(sending);
        let site = &mut self.sites[sending.route];
        site.inflight += 1;
        let struck = faults::strike(site.faults.iter().copied(), age, || rng.random());
        if let Some((kind, delay)) = struck
            && let Some(fate) = refusal(kind, delay.plus(site.route.refusal), &self.scenario.clocks)
        {
            return fate;
        }
        let key = site.route.key;
        let reserved = self.reserved(key, request);
        let dialect = self.scenario.keys[key].dialect;
        let mut told = None;
        if let Some(quota) = &mut self.keys[key] {
            let admitted = quota.admit(&charge(request.input, reserved), now);
            told = dialect::headers(dialect, &quota.levels(), now.as_micros()).map(Box::new);
            if let Err(refusal) = admitted {
                return limited(dialect, &refusal, told, self.sites[sending.route].route);
            }
        }
        let site = &self.sites[sending.route];
        let kept = request.input - site.uncached(request, self.trace, now);
        let pace = self.pace(sending, age, &mut rng);
        let settle = self.scenario.keys[key].settle;
        let fate = Fate {
            kept,
            charged: f64::from(request.input) + f64::from(reserved),
            reserved: if settle { reserved } else { 0 },
            ..self.answer(request, pace, struck)
        };
        let fate = Fate {
            told: fate.head.and(told),
            ..fate
        };
        self.sites[sending.route].remember(request, self.trace, now);
        fate
    }

    /// Ends an attempt: its place is free, and what it did not use is given back.
    pub fn end(&mut self, route: usize, fate: &Fate) {
        let site = &mut self.sites[route];
        site.inflight -= 1;
        let unused = fate.reserved.saturating_sub(fate.output);
        if unused > 0
            && let Some(quota) = &mut self.keys[site.route.key]
        {
            quota.settle(unused);
        }
    }

    /// What sending `request` to `route` at `now` really means.
    #[must_use]
    pub fn expected(&self, route: usize, request: &Request, now: Time) -> Expected {
        let site = &self.sites[route];
        let age = now.since(START);
        let class = request.class;
        let pace = site.route.pace[class.index()];
        let scale = site.scale(age, site.inflight + 1) * site.mean_noise[class.index()];
        let input = site.uncached(request, self.trace, now);
        let first = (pace.ttft_us + pace.per_token_us * f64::from(input)) * scale;
        let latency_ms = (first + decode(&pace, request.output) * scale) / 1e3;
        let (failure, fail_ms) = self.failing(site, age, latency_ms);
        let key = site.route.key;
        let wait = self.keys[key].as_ref().map_or(Span::ZERO, |quota| {
            let reserved = self.reserved(key, request);
            quota.wait(&charge(request.input, reserved), now)
        });
        Expected {
            latency_ms,
            failure,
            fail_ms,
            admits: wait == Span::ZERO,
            wait,
            price_ms: price(site.route, request) * 1e-6 * self.scenario.ms_per_millidollar,
        }
    }

    /// Units per second that `bucket` of `key` admits in the long run at `now`; 0 for no limit.
    pub(crate) fn rate(&self, key: usize, bucket: usize, now: Time) -> f64 {
        self.keys[key]
            .as_ref()
            .map_or(0.0, |it| it.rate(bucket, now))
    }

    /// The operator's weight of each key: that of its routes of the first model together.
    pub(crate) fn key_weights(&self) -> Vec<f64> {
        let mut weights = vec![0.0; self.keys.len()];
        for &route in &self.scenario.models[0].routes {
            let route = &self.scenario.routes[route];
            weights[route.key] += f64::from(route.weight);
        }
        weights
    }

    /// What the key reserves of output tokens for a request.
    fn reserved(&self, key: usize, request: &Request) -> u32 {
        if !request.class.decodes() {
            return 0;
        }
        let unset = self.scenario.keys[key].unset_max_tokens;
        request.max_tokens.or(unset).unwrap_or(request.output)
    }

    /// The generator of one attempt's noise.
    fn noise(&self, sending: &Sending<'_>) -> SmallRng {
        let mixed = (self.seed ^ 0x9E37_79B9_7F4A_7C15)
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
            .wrapping_add(sending.number << 20)
            .wrapping_add((sending.route as u64) << 8)
            .wrapping_add(u64::from(sending.earlier));
        SmallRng::seed_from_u64(mixed)
    }

    /// Draws the time to the first token and of the rest.
    fn pace(&self, sending: &Sending<'_>, age: Span, rng: &mut SmallRng) -> (Span, Span) {
        let site = &self.sites[sending.route];
        let request = sending.request;
        let pace = site.route.pace[request.class.index()];
        let scale = site.scale(age, site.inflight);
        let now = START.plus(age);
        let input = site.uncached(request, self.trace, now);
        let first = (pace.ttft_us + pace.per_token_us * f64::from(input)) * scale;
        let rest = decode(&pace, request.output) * scale;
        let mut noisy = |micros: f64| {
            let normal: f64 = rng.sample(StandardNormal);
            Span::from_micros((micros * (pace.noise * normal).exp()).round() as u64)
        };
        (noisy(first), noisy(rest))
    }

    /// An answer at its pace, bent by a fault that lets it begin, and ended by the clocks that it overruns.
    fn answer(
        &self,
        request: &Request,
        (first, rest): (Span, Span),
        struck: Option<(FaultKind, Span)>,
    ) -> Fate {
        let clocks = &self.scenario.clocks;
        let streams = request.class.streams();
        let (fault, delay) = struck.map_or((None, Span::ZERO), |(kind, delay)| (Some(kind), delay));
        // Whoever is struck waits first; what was due meanwhile comes at once.
        let whole = first.plus(rest).max(delay);
        let mut first = first.max(delay);
        let mut head = if streams { first } else { whole };
        let mut end = if streams { first.plus(rest) } else { whole };
        if let Some(FaultKind::Late(secs)) = fault {
            let late = Span::from_secs(secs.into());
            (head, first) = (delay, delay.plus(late));
            end = if streams { first.plus(rest) } else { first };
            if head <= clocks.head && late > clocks.first_token {
                return Fate {
                    head: Some(head),
                    ..failed(Outcome::TimedOut, head.plus(clocks.first_token))
                };
            }
        }
        if head > clocks.head {
            return failed(Outcome::TimedOut, clocks.head);
        }
        let fate = Fate {
            first: streams.then_some(first),
            head: Some(head),
            output: request.output,
            ..failed(Outcome::Success, end)
        };
        match fault {
            Some(FaultKind::Cut(tokens)) => cut(fate, tokens, rest),
            _ => fate,
        }
        .halted(rest.mul_f64(1.0 / spoken(request.output).max(1.0)), clocks)
    }

    /// Chance of failure at `age`, and the expected time of a failure in ms.
    fn failing(&self, site: &Site<'_>, age: Span, latency_ms: f64) -> (f64, f64) {
        let (mut passes, mut spent) = (1.0, 0.0);
        for fault in &site.faults {
            let (Some(kind), Some(share)) = (fault.kind, faults::progress(fault, age)) else {
                continue;
            };
            let chance = faults::chance(fault, share);
            let took = match kind {
                FaultKind::Late(secs)
                    if Span::from_secs(secs.into()) <= self.scenario.clocks.first_token =>
                {
                    continue;
                }
                FaultKind::Late(_) => self.scenario.clocks.first_token.as_millis_f64(),
                FaultKind::Silence => self.silence().as_millis_f64(),
                FaultKind::Cut(_) => latency_ms / 2.0,
                _ => fault.delay.plus(site.route.refusal).as_millis_f64(),
            };
            spent += passes * chance * took;
            passes *= 1.0 - chance;
        }
        let failure: f64 = 1.0 - passes;
        if failure > 0.0 {
            (failure, spent / failure)
        } else {
            (0.0, 0.0)
        }
    }

    /// How long silence is listened to.
    fn silence(&self) -> Span {
        let clocks = &self.scenario.clocks;
        clocks.head.min(clocks.total).min(SILENCE)
    }
}

impl Site<'_> {
    /// The factor on latency at `age` with `inflight` requests there.
    fn scale(&self, age: Span, inflight: u32) -> f64 {
        let crowding = self.route.slowdown.map_or(1.0, |it| {
            let beyond = f64::from(inflight.saturating_sub(it.from));
            1.0 + it.slope * beyond / f64::from(it.from)
        });
        if self.faults.is_empty() {
            return crowding;
        }
        crowding * faults::latency_factor(self.faults.iter().copied(), age)
    }

    /// Input tokens that are not in the route's prefix cache.
    fn uncached(&self, request: &Request, trace: &Trace, now: Time) -> u32 {
        self.cache.as_ref().map_or(request.input, |cache| {
            let cached = cache.cached(blocks(request, trace), now);
            request.input.saturating_sub(cached).max(1)
        })
    }

    /// Puts a request's prefix into the route's cache.
    fn remember(&mut self, request: &Request, trace: &Trace, now: Time) {
        if let Some(cache) = &mut self.cache {
            cache.remember(blocks(request, trace), now);
        }
    }
}

fn blocks<'t>(request: &Request, trace: &'t Trace) -> &'t [u64] {
    let from = request.block as usize;
    let range = from..from + usize::from(request.blocks);
    trace.blocks.get(range).unwrap_or_default()
}

/// µs of the tokens after the first, before noise and load.
fn decode(pace: &Pace, output: u32) -> f64 {
    pace.tpot_us * spoken(output)
}

/// Pauses between so many tokens.
fn spoken(tokens: u32) -> f64 {
    f64::from(tokens.saturating_sub(1))
}

/// What a request takes of each bucket when nothing is reserved beyond its answer.
pub(crate) fn plain_units(request: &Request) -> Charge {
    let output = if request.class.decodes() {
        request.output
    } else {
        0
    };
    charge(request.input, output)
}

/// What an accepted attempt took of each bucket in the end.
pub(crate) fn charged_units(request: &Request, fate: &Fate) -> Charge {
    let unused = f64::from(fate.reserved.saturating_sub(fate.output));
    let tokens = fate.charged - unused;
    let input = f64::from(request.input);
    [1.0, tokens, input, tokens - input, 1.0]
}

/// The price of a request in nano-dollars.
pub(crate) fn price(route: &Route, request: &Request) -> f64 {
    // A dollar per million tokens is 1000 nano-dollars a token.
    (route.price_input * f64::from(request.input) + route.price_output * f64::from(request.output))
        * 1e3
}

fn failed(outcome: Outcome, end: Span) -> Fate {
    Fate {
        outcome,
        first: None,
        end,
        head: None,
        retry_after: None,
        told: None,
        refused: None,
        kept: 0,
        output: 0,
        charged: 0.0,
        reserved: 0,
    }
}

/// A stream that breaks off after so many tokens, or a whole answer that breaks off halfway.
fn cut(fate: Fate, tokens: u32, rest: Span) -> Fate {
    let Some(first) = fate.first else {
        return Fate {
            outcome: Outcome::Disconnected,
            end: fate.end.plus(BREAKING),
            output: 0,
            ..fate
        };
    };
    let tokens = tokens.min(fate.output);
    let share = spoken(tokens) / spoken(fate.output).max(1.0);
    Fate {
        outcome: match tokens {
            0 => Outcome::Disconnected,
            _ => Outcome::Truncated,
        },
        first: (tokens > 0).then_some(first),
        end: first.plus(rest.mul_f64(share)).plus(BREAKING),
        output: tokens,
        ..fate
    }
}

impl Fate {
    /// The fate of an attempt that is broken off so long after its start, before its own end.
    pub(crate) fn left(self, after: Span) -> Self {
        let Some(first) = self.first.filter(|first| *first <= after) else {
            return Self {
                outcome: Outcome::TimedOut,
                end: after,
                output: 0,
                ..self
            };
        };
        let micros = |from: Span, to: Span| to.as_micros() as f64 - from.as_micros() as f64;
        let share = micros(first, after) / micros(first, self.end).max(1.0);
        Self {
            outcome: Outcome::Truncated,
            end: after,
            output: self.output.min(1 + (share * spoken(self.output)) as u32),
            ..self
        }
    }

    /// The fate once the clock between tokens has had its say; `gap` is the time between two.
    fn halted(self, gap: Span, clocks: &Clocks) -> Self {
        match self.first.map(|first| first.plus(clocks.between_tokens)) {
            Some(until) if gap > clocks.between_tokens && self.end > until => Self {
                outcome: Outcome::Truncated,
                end: until,
                output: 1,
                ..self
            },
            _ => self,
        }
    }
}

/// The fate of a request that a fault ends outright; `None` if it lets it begin.
fn refusal(kind: FaultKind, after: Span, clocks: &Clocks) -> Option<Fate> {
    let fate = match kind {
        FaultKind::Error => failed(Outcome::ServerError, after),
        FaultKind::Overloaded => failed(Outcome::Overloaded, after),
        FaultKind::Limited(retry_after) => Fate {
            retry_after: retry_after.and_then(dialect::believed),
            ..failed(Outcome::RateLimited, after)
        },
        FaultKind::KeyRejected => failed(Outcome::KeyRejected, after),
        FaultKind::Unsupported => failed(Outcome::Unsupported, after),
        FaultKind::Reset => failed(Outcome::Disconnected, after),
        FaultKind::Unreachable => failed(Outcome::Unreachable, after),
        FaultKind::Silence => failed(Outcome::Disconnected, after.plus(SILENCE)),
        FaultKind::Late(_) | FaultKind::Cut(_) => return None,
    };
    let head = clocks.head.min(clocks.total);
    Some(if fate.end > head {
        failed(Outcome::TimedOut, head)
    } else {
        fate
    })
}

/// The fate of a request that the key's limits refuse.
fn limited(
    dialect: crate::scenario::Dialect,
    refusal: &Refusal,
    told: Option<Box<LimitReport>>,
    route: &Route,
) -> Fate {
    Fate {
        head: Some(route.refusal),
        retry_after: dialect::retry_after(dialect, refusal.wait),
        told,
        refused: dialect::body(dialect, refusal).map(Box::new),
        ..failed(Outcome::RateLimited, route.refusal)
    }
}

#[cfg(test)]
mod tests;
