//! Is the world found again that was recorded, and is nothing claimed that was not?
//!
//! # Invariants
//! - Recorded with seed 4 in the world of the proofs.

use scoring::Outcome;
use scoring::time::Span;
use scoring::tuning::Tuning;

use super::super::world;
use super::proof::{LOGGED, WORLD, log, scenario};
use super::tape::recording;
use crate::policy::Kind;
use crate::scenario::{FaultKind, Scenario};
use crate::trace::{Trace, synthetic};

fn found(trace: &Trace) -> Scenario {
    world(trace).unwrap().scenario
}

fn near(found: f64, wanted: f64, part: f64) {
    assert!((found / wanted - 1.0).abs() < part, "{found}, not {wanted}");
}

#[test]
fn paces_faults_and_weights_are_found_again() {
    let found = found(&log(Kind::Static, LOGGED, 4, &Tuning::default()));
    let place = |name: &str| found.routes.iter().position(|it| it.name == name).unwrap();
    let truth = [
        ("a", 400.0, 10.0, 0.5),
        ("b", 600.0, 15.0, 0.3),
        ("c", 900.0, 20.0, 0.2),
    ];
    for (name, ttft_ms, tpot_ms, weight) in truth {
        let route = &found.routes[place(name)];
        let pace = &route.pace[scoring::Class::ChatStream.index()];
        // Base and slope trade places; what a usual prompt takes is what counts.
        let usual = pace.ttft_us + 1_000.0 * pace.per_token_us;
        near(usual, ttft_ms * 1e3 + 40_000.0, 0.05);
        near(pace.tpot_us, tpot_ms * 1e3, 0.03);
        near(pace.noise, 0.25, 0.1);
        near(route.weight.into(), weight, 0.12);
    }
    let slow = found.faults.iter().find(|it| it.latency > 1.3).unwrap();
    assert_eq!(slow.on, [place("b")]);
    assert_eq!(
        (slow.from, slow.until),
        (Span::from_secs(90), Some(Span::from_secs(150)))
    );
    near(slow.latency, 2.5, 0.1);
    let failing: Vec<_> = found.faults.iter().filter(|it| it.kind.is_some()).collect();
    assert!(failing.iter().all(|it| it.on == [place("c")]));
    assert!(
        failing
            .iter()
            .all(|it| it.kind == Some(FaultKind::Overloaded))
    );
    near(failing[0].probability, 0.02, 0.6);
    assert_eq!(found.routes[place("c")].refusal, Span::from_millis(30));
}

#[test]
fn refusals_for_quota_become_a_fault_for_as_long_as_they_came() {
    let text = format!(
        "{WORLD}[[faults]]\non = ['a']\nkind = '429'\nfrom = '60s'\nuntil = '120s'\nprobability = 0.5\n"
    );
    let world = scenario(&text, LOGGED);
    let requests = synthetic(&world.traffic, world.duration, 4);
    let trace = recording(Kind::Static, &world, (&requests, 4), &Tuning::default());
    let found = found(&trace);
    let limited = |it: &&crate::scenario::Fault| it.kind == Some(FaultKind::Limited(None));
    let limited: Vec<_> = found.faults.iter().filter(limited).collect();
    assert_eq!(limited.len(), 1, "{limited:?}");
    assert_eq!(limited[0].from, Span::from_secs(60));
    assert_eq!(limited[0].until, Some(Span::from_secs(120)));
    near(limited[0].probability, 0.5, 0.15);
}

#[test]
fn a_recording_without_first_attempts_judges_fewer() {
    let mut trace = log(Kind::Static, LOGGED, 4, &Tuning::default());
    let again = trace.seen.iter().filter(|it| it.attempts > 1).count() as u64;
    assert!(again > 3);
    for seen in &mut trace.seen {
        (seen.first, seen.first_took, seen.first_outcome) = (None, None, None);
    }
    let whole = trace.requests.len() as u64;
    let fitted = world(&trace).unwrap();
    let tuning = Tuning::default();
    let it = super::super::recorded(&fitted, Kind::Static, &tuning, 4).unwrap();
    assert_eq!((it.left_out.no_first, it.judged), (again, whole - again));
    assert!(it.left_out_ms > 0.0);
}

#[test]
fn what_has_no_end_or_no_fault_of_its_own_is_not_judged() {
    let mut trace = log(Kind::Static, LOGGED, 4, &Tuning::default());
    let outcomes = [Outcome::Rejected, Outcome::Canceled];
    for (seen, outcome) in trace.seen.iter_mut().zip(outcomes) {
        (seen.outcome, seen.first_outcome, seen.attempts) = (Some(outcome), Some(outcome), 1);
    }
    trace.seen[2].total = None;
    trace.seen[3].p_select = None;
    (trace.seen[4].route, trace.seen[4].attempts) = (None, 0);
    let left = world(&trace).unwrap().log.left_out;
    let counts = [
        left.rejected,
        left.canceled,
        left.no_end,
        left.no_chance,
        left.refused,
    ];
    assert_eq!(counts, [1; 5]);
    assert_eq!(left.bearing(), 4);
}

#[test]
fn routes_of_other_models_are_left_away() {
    let mut trace = log(Kind::Static, LOGGED, 4, &Tuning::default());
    trace.models = vec!["rare".to_owned(), "busy".to_owned()];
    trace.routes.push("elsewhere".to_owned());
    for (place, request) in trace.requests.iter_mut().enumerate() {
        request.model = u16::from(place % 3 > 0);
        if request.model == 0 {
            (trace.seen[place].route, trace.seen[place].first) = (Some(3), Some(3));
        }
    }
    let fitted = world(&trace).unwrap();
    assert_eq!(fitted.scenario.routes.len(), 3);
    assert_eq!(
        fitted.log.left_out.other_models,
        trace.requests.len().div_ceil(3) as u64
    );
}

#[test]
fn too_few_answers_fit_no_world() {
    let mut trace = log(Kind::Static, LOGGED, 4, &Tuning::default());
    trace.requests.truncate(150);
    trace.seen.truncate(150);
    let thin = world(&trace).unwrap_err();
    assert!(thin.answered > 140 && thin.needed == 200, "{thin}");
}
