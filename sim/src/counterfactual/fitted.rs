//! What world was it recorded in? Routes, their pace, and what went wrong when, as a scenario.
//!
//! What a recording cannot tell is left out: limits are only seen as refusals, so their share becomes a `429` fault for as long as it held; slowing under load, prompt caches, prices, retries' back-off and what routes have in common are not fitted at all.
//!
//! # Invariants
//! - The same recording gives the same scenario.
//! - Every route that was chosen or answered is in it, one that never answered with the pace of all together.

use scoring::retry::RetryPolicy;
use scoring::time::Span;
use scoring::{Class, Outcome};

use super::TooThin;
use super::log::{Leg, Log};
use super::pace::{self, Sample, Timed, median};
use super::stretch::{self, Failures, KINDS, Level, Stretch, stretches};
use crate::scenario::{
    Arrivals, Clocks, Fault, FaultKind, LOST_MS, Lengths, Limits, Model, Pace, Route, Scenario,
    Traffic,
};
use crate::trace::Trace;

/// Answered requests below which nothing is fitted.
const LEAST_ANSWERED: usize = 200;
/// Rounds between the pace and its level over time: each is fitted with the other held.
const ROUNDS: usize = 3;
/// Largest change of level that is left out as none.
const SAME: f64 = 0.01;
/// A refusal's time where none was recorded, as in a scenario file.
const REFUSAL: Span = Span::from_millis(30);
/// Shortest window in which shares are counted.
const LEAST_WINDOW: Span = Span::from_secs(60);
/// Picks below which such a window says nothing about weights.
const LEAST_PICKS: f64 = 20.0;
/// Least weight, relative to the sum of all.
const LEAST_WEIGHT: f64 = 1e-3;

/// Outcomes of failed attempts, in the order of [`Failures::failed`].
const FAILING: [Outcome; KINDS] = [
    Outcome::RateLimited,
    Outcome::Overloaded,
    Outcome::ServerError,
    Outcome::TimedOut,
    Outcome::Unreachable,
    Outcome::Disconnected,
    Outcome::Truncated,
    Outcome::KeyRejected,
    Outcome::Unsupported,
];

/// A recording and the world that was fitted to it.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The routes as they were, and what went wrong when. Weights and prices may be replaced by what is known.
    pub scenario: Scenario,
    /// The requests of the model that has the most, to run in it.
    pub trace: Trace,
    /// What could not be told.
    pub notes: Vec<String>,
    pub(super) log: Log,
}

/// Fits a scenario to what `trace` tells of its requests.
///
/// # Errors
/// When too few of them were answered.
pub fn world(trace: &Trace) -> Result<Fitted, TooThin> {
    let log = Log::new(trace);
    let legs = || log.rows.iter().flat_map(super::log::Row::legs);
    let answered = legs().filter(|it| it.outcome == Outcome::Success).count();
    if answered < LEAST_ANSWERED {
        return Err(TooThin {
            answered,
            needed: LEAST_ANSWERED,
        });
    }
    let last = log.trace.requests.last().map_or(Span::ZERO, |it| it.at);
    let duration = last.plus(Span::from_millis(1));
    let bin = stretch::bin(duration);
    let mut notes = Vec::new();
    let (paces, levels) = paces(&log, bin, &mut notes);
    let clocks = clocks(&log);
    let weights = weights(&log, bin.max(LEAST_WINDOW));
    let mut faults = Vec::new();
    let mut routes = Vec::new();
    for (index, name) in log.routes.iter().enumerate() {
        faults.extend(slow(index, &levels[index]));
        let own = || legs().filter(move |it| it.route == index);
        let refusal = refusal(own());
        let failures = failures(own(), bin);
        faults.extend(broken(index, &failures, (refusal, &clocks), cut(own())));
        routes.push(Route {
            name: name.clone(),
            parent: name.clone(),
            key: index,
            weight: weights[index] as f32,
            price_input: 0.0,
            price_output: 0.0,
            pace: paces[index],
            slowdown: None,
            refusal,
            cache_ttl: Span::ZERO,
            joins: Span::ZERO,
            told_rpm: None,
            told_tpm: None,
        });
    }
    let scenario = scenario(&log, routes, (duration, clocks, faults));
    Ok(Fitted {
        scenario,
        trace: log.trace.clone(),
        notes,
        log,
    })
}

fn scenario(
    log: &Log,
    routes: Vec<Route>,
    (duration, clocks, faults): (Span, Clocks, Vec<Fault>),
) -> Scenario {
    let keys = log.routes.iter().map(|name| Limits {
        name: name.clone(),
        burst: Span::from_secs(60),
        ..Limits::default()
    });
    let traffic = Traffic {
        class: class(log),
        rate: 0.0,
        arrivals: Arrivals::Poisson,
        lengths: Lengths::AzureConv,
        max_tokens: None,
        deadline: None,
        surges: Vec::new(),
        clients: 0,
        think: Span::ZERO,
        conversations: 0,
    };
    Scenario {
        name: "recorded".to_owned(),
        question: "What would another policy have made of the same requests?".to_owned(),
        duration,
        warmup: Span::ZERO,
        learned: Span::ZERO,
        incident: None,
        replicas: 1,
        clocks,
        retry: RetryPolicy::default(),
        lost_ms: LOST_MS,
        ms_per_millidollar: 0.0,
        traffic: vec![traffic],
        models: vec![Model {
            name: "main".to_owned(),
            routes: (0..routes.len()).collect(),
        }],
        routes,
        keys: keys.collect(),
        faults,
        bars: Vec::new(),
    }
}

/// The class of most requests.
fn class(log: &Log) -> Class {
    let count = |class: &Class| {
        let requests = log.trace.requests.iter();
        requests.filter(|it| it.class == *class).count()
    };
    Class::ALL
        .into_iter()
        .max_by_key(count)
        .unwrap_or(Class::ChatStream)
}

/// The times of each route's answers.
fn samples(log: &Log) -> Vec<Vec<Sample>> {
    let mut found = vec![Vec::new(); log.routes.len()];
    for (row, request) in log.rows.iter().zip(&log.trace.requests) {
        for leg in row.legs().filter(|it| it.outcome == Outcome::Success) {
            let decoded = match request.class.decodes() {
                true => f64::from(request.output.saturating_sub(1)),
                false => 0.0,
            };
            let sample = |timed, took: Span| Sample {
                at: leg.began.unwrap_or(leg.ended),
                class: request.class,
                timed,
                input: f64::from(request.input),
                decoded,
                took_us: took.as_micros() as f64,
            };
            let took = leg.began.and_then(|began| minus(leg.ended, began));
            let own = &mut found[leg.route];
            match leg.ttft.filter(|_| request.class.streams()) {
                Some(ttft) => {
                    own.push(sample(Timed::First, ttft));
                    let rest = took.and_then(|took| minus(took, ttft));
                    own.extend(
                        rest.filter(|_| decoded > 0.0)
                            .map(|it| sample(Timed::Rest, it)),
                    );
                }
                None => own.extend(took.map(|it| sample(Timed::Whole, it))),
            }
        }
    }
    found
}

fn minus(later: Span, earlier: Span) -> Option<Span> {
    let left = later.as_micros().checked_sub(earlier.as_micros());
    left.map(Span::from_micros)
}

type Paces = Vec<[Pace; Class::COUNT]>;
type Levels = Vec<Vec<Stretch<Level>>>;

/// Each route's pace, by class, and its level over time.
fn paces(log: &Log, bin: Span, notes: &mut Vec<String>) -> (Paces, Levels) {
    let samples = samples(log);
    let mut levels: Levels = vec![Vec::new(); samples.len()];
    let mut paces = Vec::new();
    for _ in 0..ROUNDS {
        paces = by_class(&samples, &levels);
        for (route, own) in samples.iter().enumerate() {
            let offs = own.iter().map(|it| {
                let pace = &paces[route][it.class.index()];
                (it.at, it.off(pace))
            });
            levels[route] = stretches(offs, bin, |level: &mut Level, off| level.add(off));
        }
    }
    for (name, own) in log.routes.iter().zip(&samples) {
        if own.len() < pace::LEAST {
            notes.push(format!(
                "{name} answered too seldom to tell its speed; it is taken to be that of all routes together"
            ));
        }
    }
    for (pace, levels) in paces.iter_mut().zip(&mut levels) {
        centre(pace, levels);
    }
    (paces, levels)
}

/// Each route's pace where it has answered enough, else that of all routes; a class that nobody asked for is as the busiest.
fn by_class(samples: &[Vec<Sample>], levels: &Levels) -> Paces {
    let of = |own: &[Sample], class: Class, levels: &[Stretch<Level>]| {
        let own: Vec<Sample> = own.iter().filter(|it| it.class == class).copied().collect();
        let level = |at: Span| stretch::at(levels, at).map_or(0.0, |it| it.held.mean());
        let pace = pace::fit(&own, &|at| level(at).exp());
        pace.map(|it| (own.len(), it))
    };
    let all: Vec<Sample> = samples.iter().flatten().copied().collect();
    let pooled = Class::ALL.map(|class| of(&all, class, &[]));
    let busiest = pooled.iter().flatten().max_by_key(|it| it.0);
    let busiest = busiest.map_or_else(Pace::default, |it| it.1);
    let route = |(own, levels): (&Vec<Sample>, &Vec<Stretch<Level>>)| {
        Class::ALL.map(|class| {
            let found = of(own, class, levels).or(pooled[class.index()]);
            found.map_or(busiest, |it| it.1)
        })
    };
    samples.iter().zip(levels).map(route).collect()
}

/// Makes the level that held for most answers 1.
fn centre(paces: &mut [Pace; Class::COUNT], levels: &mut [Stretch<Level>]) {
    let mut sorted: Vec<(f64, f64)> = levels
        .iter()
        .map(|it| (it.held.mean(), it.held.count))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sorted.iter().map(|it| it.1).sum::<f64>() / 2.0;
    let mut passed = 0.0;
    let middle = sorted.iter().find(|(_, count)| {
        passed += count;
        passed >= half
    });
    let Some(&(middle, _)) = middle else { return };
    let lift = middle.exp();
    for pace in paces {
        pace.ttft_us *= lift;
        pace.per_token_us *= lift;
        pace.tpot_us *= lift;
    }
    for level in levels {
        level.held = level.held.shifted(-middle);
    }
}

/// Slow-downs and speed-ups of a route.
fn slow(route: usize, levels: &[Stretch<Level>]) -> Vec<Fault> {
    let fault = |(place, it): (usize, &Stretch<Level>)| {
        let factor = it.held.mean().exp();
        (it.held.mean().abs() > SAME).then(|| Fault {
            latency: factor,
            latency_to: factor,
            ..fault(route, it.from, levels.get(place + 1).map(|next| next.from))
        })
    };
    levels.iter().enumerate().filter_map(fault).collect()
}

/// A fault that does nothing yet.
fn fault(route: usize, from: Span, until: Option<Span>) -> Fault {
    Fault {
        on: vec![route],
        from,
        until,
        every: None,
        kind: None,
        probability: 0.0,
        probability_to: 0.0,
        latency: 1.0,
        latency_to: 1.0,
        delay: Span::ZERO,
    }
}

/// How a route's attempts ended over time.
fn failures<'a>(legs: impl Iterator<Item = &'a Leg>, bin: Span) -> Vec<Stretch<Failures>> {
    let counted = legs.filter(|it| !matches!(it.outcome, Outcome::Rejected | Outcome::Canceled));
    let points = counted.map(|leg| {
        let at = leg.began.unwrap_or(leg.ended);
        let kind = FAILING.iter().position(|it| *it == leg.outcome);
        (at, (kind, took(leg)))
    });
    stretches(points, bin, |held: &mut Failures, (kind, took)| {
        held.attempts += 1.0;
        if let Some(kind) = kind {
            held.failed[kind] += 1.0;
            held.took_ms[kind] += took.map_or(0.0, Span::as_millis_f64);
        }
    })
}

fn took(leg: &Leg) -> Option<Span> {
    minus(leg.ended, leg.began?)
}

/// The failures of a route as faults; of several kinds at once each is as frequent among those that the earlier let pass.
fn broken(
    route: usize,
    failures: &[Stretch<Failures>],
    (refusal, clocks): (Span, &Clocks),
    cut: u32,
) -> Vec<Fault> {
    let mut found = Vec::new();
    for (place, it) in failures.iter().enumerate() {
        let until = failures.get(place + 1).map(|next| next.from);
        let mut passes = 1.0;
        for (kind, outcome) in FAILING.into_iter().enumerate() {
            let (count, held) = (it.held.failed[kind], &it.held);
            if count == 0.0 {
                continue;
            }
            let share = count / held.attempts;
            let probability = (share / passes).min(1.0);
            passes = (passes - share).max(1e-9);
            let took = Span::from_secs_f64(held.took_ms[kind] / count / 1e3);
            // An answer that breaks off begins as any other.
            let delay = match outcome {
                Outcome::Truncated => Span::ZERO,
                _ => minus(took, refusal).unwrap_or_default(),
            };
            found.push(Fault {
                kind: Some(named(outcome, (took, clocks), cut)),
                probability,
                probability_to: probability,
                delay,
                ..fault(route, it.from, until)
            });
        }
    }
    found
}

fn named(outcome: Outcome, (took, clocks): (Span, &Clocks), cut: u32) -> FaultKind {
    match outcome {
        Outcome::RateLimited => FaultKind::Limited(None),
        Outcome::Overloaded => FaultKind::Overloaded,
        // One that takes much less than silence is better told by its time than by its name.
        Outcome::TimedOut if took.as_micros() * 2 >= clocks.head.as_micros() => FaultKind::Silence,
        Outcome::Unreachable => FaultKind::Unreachable,
        Outcome::Disconnected => FaultKind::Reset,
        Outcome::Truncated => FaultKind::Cut(cut),
        Outcome::KeyRejected => FaultKind::KeyRejected,
        Outcome::Unsupported => FaultKind::Unsupported,
        _ => FaultKind::Error,
    }
}

/// What a refusal of the route usually takes.
fn refusal<'a>(legs: impl Iterator<Item = &'a Leg>) -> Span {
    let refused = legs.filter(|it| {
        let kind = FAILING.iter().position(|known| *known == it.outcome);
        kind.is_some() && !matches!(it.outcome, Outcome::TimedOut | Outcome::Truncated)
    });
    let mut times: Vec<f64> = refused
        .filter_map(|it| Some(took(it)?.as_micros() as f64))
        .collect();
    match times.is_empty() {
        true => REFUSAL,
        false => Span::from_micros(median(&mut times) as u64),
    }
}

/// After how many tokens the route's answers usually broke off.
fn cut<'a>(legs: impl Iterator<Item = &'a Leg>) -> u32 {
    let cut = legs.filter(|it| it.outcome == Outcome::Truncated);
    let mut lengths: Vec<f64> = cut.map(|it| f64::from(it.output)).collect();
    (median(&mut lengths) as u32).max(1)
}

/// The clocks of an attempt: silence lasts as long as attempts usually did that timed out, unless answers took longer.
fn clocks(log: &Log) -> Clocks {
    let deadlines = log.trace.requests.iter().filter_map(|it| it.deadline);
    let mut clocks = Clocks {
        head: Span::from_secs(60),
        first_token: Span::from_secs(10),
        between_tokens: Span::from_secs(30),
        total: deadlines.max().unwrap_or(Span::from_secs(600)),
    };
    let legs = || log.rows.iter().flat_map(super::log::Row::legs);
    let timed_out = legs().filter(|it| it.outcome == Outcome::TimedOut);
    let mut silences: Vec<f64> = timed_out
        .filter_map(|it| Some(took(it)?.as_micros() as f64))
        .collect();
    let answered = legs().filter(|it| it.outcome == Outcome::Success);
    let longest = answered.filter_map(|it| it.ttft.or(took(it))).max();
    let silence = Span::from_micros(median(&mut silences) as u64);
    if longest.is_some_and(|longest| silence > longest) {
        clocks.head = silence;
    }
    clocks
}

/// The operator's weights: each route's median share of first attempts over time, or its share of all where the median is none.
fn weights(log: &Log, bin: Span) -> Vec<f64> {
    let count = log.routes.len();
    let mut bins: Vec<Vec<f64>> = Vec::new();
    let mut all = vec![0.0; count];
    for (row, request) in log.rows.iter().zip(&log.trace.requests) {
        let Some(first) = row.first else { continue };
        let place = (request.at.as_micros() / bin.as_micros().max(1)) as usize;
        if place >= bins.len() {
            bins.resize(place + 1, vec![0.0; count]);
        }
        bins[place][first.route] += 1.0;
        all[first.route] += 1.0;
    }
    let total: f64 = all.iter().sum();
    if total == 0.0 {
        return vec![1.0; count];
    }
    let sums: Vec<f64> = bins.iter().map(|it| it.iter().sum()).collect();
    let weight = |route: usize| {
        let told = bins
            .iter()
            .zip(&sums)
            .filter(|(_, sum)| **sum >= LEAST_PICKS);
        let mut shares: Vec<f64> = told.map(|(bin, sum)| bin[route] / sum).collect();
        let usual = median(&mut shares);
        let share = if usual > 0.0 {
            usual
        } else {
            all[route] / total
        };
        share.max(LEAST_WEIGHT)
    };
    (0..count).map(weight).collect()
}
