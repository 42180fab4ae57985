//! From what was taken down to the numbers that are told.
//!
//! # Invariants
//! - A number that does not apply is left out.

use scoring::time::{Span, Time};

use super::Values;
use super::episodes::{self, Course};
use super::recorder::{Recorder, Tally};
use crate::scenario::Scenario;
use crate::world::{START, World, worst};

/// How long after the last fault or surge things must be well again.
const SETTLE: Span = Span::from_secs(30);
/// How long after an episode shares are not yet judged as health.
const CONVALESCENCE: Span = Span::from_secs(60);

/// When the last fault and the last surge are over and had time to settle; the end if they never are.
pub(super) fn calm_again(scenario: &Scenario) -> Time {
    let faults = scenario.faults.iter().filter(|it| {
        let (chance, factor) = worst(it);
        chance > 0.03 || factor > 1.3
    });
    let ends = faults.map(|it| match (it.every, it.until) {
        (None, Some(until)) => until,
        _ => scenario.duration,
    });
    let surges = scenario
        .traffic
        .iter()
        .flat_map(|it| it.surges.iter().map(|surge| surge.until));
    match ends.chain(surges).max() {
        Some(last) => START.plus(last).plus(SETTLE),
        None => START.plus(scenario.duration),
    }
}

/// Every number that applies to the run.
pub(super) fn values(it: &Recorder<'_>, _: &World<'_>) -> Values {
    let mut values = Values::new();
    let requests = it.all.requests.max(1.0);
    let mut put = |name: &'static str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            values.insert(name, value);
        }
    };
    let part = |tally: &Tally, count: f64| (tally.requests > 0.0).then(|| count / tally.requests);
    put("requests", Some(it.all.requests));
    put("cost_ms", Some(it.cost_ms / requests));
    put("cost_raw_ms", Some(it.cost_raw_ms / requests));
    put("cost_error_ms", Some(cost_error(it, requests)));
    put("success", part(&it.all, it.all.served));
    put("success_incident", part(&it.incident, it.incident.served));
    put("success_after", part(&it.after, it.after.served));
    put("first_attempt", part(&it.all, it.all.first));
    put(
        "first_attempt_incident",
        part(&it.incident, it.incident.first),
    );
    put(
        "attempts",
        Some(it.attempts / (it.all.requests - it.shed).max(1.0)),
    );
    put("attempts_peak", (it.peak > 0.0).then_some(it.peak));
    put("p50", it.ratio.quantile(0.5));
    put("p95", it.ratio.quantile(0.95));
    put("p99", it.ratio.quantile(0.99));
    put("p99_ms", it.millis.quantile(0.99));
    let sent = it.sent.max(1.0);
    put("refused", Some(1e3 * it.refused / sent));
    put("refused_learned", it.keys.learned());
    put("refused_learning", it.keys.learning());
    put("shed", Some(it.shed / requests));
    put("utilisation", it.keys.used().map(|it| it.0));
    put("goodput", it.keys.used().map(|it| it.1));
    put("ceiling_error", it.keys.error());
    put("learned_s", it.keys.known_after());
    put("adapted_s", it.keys.adapted_after());
    put("load_cv", it.keys.load_cv());
    put("share_deviation", share_deviation(it));
    put("kept", (it.kept.0 > 0.0).then(|| it.kept.0 / it.kept.1));
    put(
        "first_ms",
        (it.firsts.1 > 0.0).then(|| it.firsts.0 / it.firsts.1),
    );
    put("explored", Some(it.explored / sent));
    put("probes", Some(it.probes / sent));
    let trips = (it.healthy_attempts > 0.0).then(|| 1e6 * it.trips / it.healthy_attempts);
    put("false_trips", trips);
    put(
        "unexplained",
        (it.compared > 0.0).then(|| it.unexplained / it.compared),
    );
    courses(it, &mut put);
    values
}

/// Standard error of the difference between two policies' mean costs on the same requests, if chance alone made it.
///
/// What a request costs beyond its time in health is noise and misfortune, drawn anew where two policies choose differently.
fn cost_error(it: &Recorder<'_>, requests: f64) -> f64 {
    let (sum, squares) = it.beyond;
    let mean = sum / requests;
    (2.0 * (squares / requests - mean * mean).max(0.0) / requests).sqrt()
}

/// Half the sum of differences between the shares of first attempts and the weights, while nothing is wrong.
fn share_deviation(it: &Recorder<'_>) -> Option<f64> {
    let main = &it.scenario.models[0].routes;
    let from = START.plus(it.scenario.warmup);
    let mut counts = vec![0.0; main.len()];
    let mut episodes = it.episodes.iter().peekable();
    let mut ill_until = Time::default();
    for pick in it.picks.iter().filter(|pick| pick.at >= from) {
        while let Some(episode) = episodes.next_if(|next| next.from <= pick.at) {
            ill_until = ill_until.max(episode.until.plus(CONVALESCENCE));
        }
        if pick.at < ill_until {
            continue;
        }
        if let Some(position) = main
            .iter()
            .position(|route| *route == usize::from(pick.route))
        {
            counts[position] += 1.0;
        }
    }
    let total: f64 = counts.iter().sum();
    let weights: Vec<f64> = main
        .iter()
        .map(|&route| f64::from(it.scenario.routes[route].weight))
        .collect();
    let weight: f64 = weights.iter().sum();
    let difference = |(count, own): (&f64, &f64)| (count / total - own / weight).abs();
    (total >= 1_000.0).then(|| 0.5 * counts.iter().zip(&weights).map(difference).sum::<f64>())
}

/// Detection and recovery over all episodes; one that was never noticed counts as long as it lasted.
fn courses(it: &Recorder<'_>, put: &mut impl FnMut(&'static str, Option<f64>)) {
    let end = START.plus(it.scenario.duration);
    let mut detect = Vec::new();
    let mut samples = Vec::new();
    let mut back: [Vec<f64>; 4] = Default::default();
    for (index, episode) in it.episodes.iter().enumerate() {
        let later = it.episodes[index + 1..]
            .iter()
            .find(|next| next.from >= episode.until);
        let quiet_until = later.map_or(end, |next| next.from);
        let Some(course) = episodes::follow(episode, &it.picks, quiet_until) else {
            continue;
        };
        let lasted = episode.until.since(episode.from).as_secs_f64();
        detect.push(course.detected.unwrap_or(lasted));
        samples.push(course.samples);
        if course.detected.is_some() && episode.until < end {
            recovered(&course, quiet_until.since(episode.until), &mut back);
        }
    }
    put("detect_s", median(&mut detect));
    put("detect_worst_s", detect.iter().copied().reduce(f64::max));
    let mean = samples.iter().sum::<f64>() / samples.len().max(1) as f64;
    put("bad_samples", (!samples.is_empty()).then_some(mean));
    let names = [
        "recover_half_s",
        "recover_half_requests",
        "recover_most_s",
        "recover_most_requests",
    ];
    for (name, list) in names.into_iter().zip(&mut back) {
        put(name, median(list));
    }
}

/// Adds one recovery; one that did not come counts as long as there was quiet.
fn recovered(course: &Course, quiet: Span, back: &mut [Vec<f64>; 4]) {
    let never = (quiet.as_secs_f64(), f64::from(u16::MAX));
    let (half, most) = (course.half.unwrap_or(never), course.most.unwrap_or(never));
    for (list, value) in back.iter_mut().zip([half.0, half.1, most.0, most.1]) {
        list.push(value);
    }
}

/// The median; of an even number the mean of the middle two.
fn median(list: &mut [f64]) -> Option<f64> {
    list.sort_by(f64::total_cmp);
    let middle = list.len() / 2;
    match list.len() {
        0 => None,
        length if length % 2 == 1 => Some(list[middle]),
        _ => Some((list[middle - 1] + list[middle]) / 2.0),
    }
}
