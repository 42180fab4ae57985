//! The circuit, transition by transition: what trips it, what does not, and how it comes back.

#![allow(clippy::unwrap_used, reason = "a failing test should say where")]

use super::*;
use crate::tuning::Tuning;

fn tuning() -> CircuitTuning {
    Tuning::default().circuit
}

fn tick(seconds: f64) -> Tick {
    Tick::from_index(1_000 + (seconds * 1e6 / 16_384.0) as u64)
}

fn sender(role: Role, seconds: f64) -> Sender {
    Sender {
        role,
        started: tick(seconds),
        rested: 1.0,
    }
}

fn blow(quiet: bool) -> Blow {
    Blow {
        weight: 1.0,
        quiet,
        base_rate: 0.0,
        jitter: 0.5,
    }
}

fn regular(seconds: f64) -> Sender {
    sender(Role::Regular, seconds)
}

/// A circuit that tripped at `seconds`.
fn open_at(seconds: f64) -> Circuit {
    let mut circuit = Circuit::CLOSED;
    while circuit.admits() {
        circuit = circuit.failure(regular(seconds), tick(seconds), blow(false), &tuning());
    }
    circuit
}

/// A claimed probe at `seconds`, whatever the waiting time.
fn probing(circuit: Circuit, seconds: f64) -> Circuit {
    circuit.claim(tick(seconds), u64::MAX, &tuning()).unwrap()
}

fn recovered(mut circuit: Circuit, seconds: f64) -> Circuit {
    for _ in 0..tuning().probes {
        circuit = probing(circuit, seconds);
        circuit = circuit.success(sender(Role::Probe, seconds), tick(seconds), 0.0, &tuning());
    }
    circuit
}

#[test]
fn packing_keeps_every_field() {
    let circuit = Circuit {
        position: Position::KeyHeld,
        mult: 11,
        cusum: 2_001,
        streak: 9,
        ramp: 5,
        fails: 6,
        claimed: true,
        ready: false,
        doubt: 77,
        since: SINCE_MASK - 3,
    };
    assert_eq!(Circuit::unpack(circuit.pack()), circuit);
    assert_eq!(Circuit::unpack(Circuit::CLOSED.pack()), Circuit::CLOSED);
}

#[test]
fn four_failures_trip_a_busy_route_and_three_a_quiet_one() {
    let (mut busy, mut quiet) = (Circuit::CLOSED, Circuit::CLOSED);
    for nth in 1..=4 {
        busy = busy.failure(regular(1.0), tick(1.0), blow(false), &tuning());
        quiet = quiet.failure(regular(1.0), tick(1.0), blow(true), &tuning());
        assert_eq!(busy.admits(), nth < 4, "busy after {nth}");
        assert_eq!(quiet.admits(), nth < 3, "quiet after {nth}");
    }
}

#[test]
fn an_open_circuit_waits_for_time_and_traffic() {
    let circuit = open_at(10.0);
    assert_eq!(circuit.state(false), State::Open);
    assert_eq!(circuit.due(tick(10.5), 100, &tuning()), None, "too early");
    assert_eq!(
        circuit.due(tick(12.0), 4, &tuning()),
        None,
        "too few requests"
    );
    assert!(circuit.due(tick(12.0), 5, &tuning()).is_some());
    assert_eq!(circuit.due(tick(905.0), 0, &tuning()), None);
    assert!(
        circuit.due(tick(911.0), 0, &tuning()).is_some(),
        "scarce traffic waits no longer than this"
    );
}

#[test]
fn requests_to_wait_for_double_four_times() {
    let mut circuit = open_at(10.0);
    for (nth, requests) in [5, 10, 20, 40, 80, 80].into_iter().enumerate() {
        let now = 100.0 * (nth + 1) as f64;
        assert_eq!(circuit.due(tick(now), requests - 1, &tuning()), None);
        assert!(circuit.due(tick(now), requests, &tuning()).is_some());
        let probe = sender(Role::Probe, now);
        circuit = probing(circuit, now).failure(probe, tick(now), blow(false), &tuning());
    }
}

#[test]
fn a_failure_is_undone_by_forty_four_successes() {
    let fail =
        |circuit: Circuit, at: f64| circuit.failure(regular(at), tick(at), blow(false), &tuning());
    let mut circuit = fail(Circuit::CLOSED, 1.0);
    assert_eq!(Circuit::doubt_of(circuit.pack()), 44);
    for left in (0..44).rev() {
        circuit = circuit.success(regular(1.0), tick(1.0), 0.0, &tuning());
        assert_eq!(Circuit::doubt_of(circuit.pack()), left);
    }
    assert!(circuit.doubt == 0 && circuit.fails == 0);
}

#[test]
fn a_route_that_fails_now_and_then_is_doubted_until_it_rests() {
    let mut circuit = Circuit::CLOSED;
    for i in 0..100 {
        circuit = if i % 10 == 9 {
            circuit.failure(regular(1.0), tick(1.0), blow(false), &tuning())
        } else {
            circuit.success(regular(1.0), tick(1.0), 0.05, &tuning())
        };
    }
    // Each ten attempts add 44 − 9, so the third failure passes 100 and the fifth reaches the most.
    assert!(circuit.admits(), "10 % are no reason to trip");
    assert_eq!(circuit.doubt, 160);
    assert_eq!(circuit.rested(0.5).doubt, 80);
    assert_eq!(circuit.rested(1.0), circuit);
}

#[test]
fn what_it_was_set_aside_for_does_not_excuse_a_recovering_route() {
    let recovering = recovered(open_at(10.0), 12.0);
    let known_to_fail = Blow {
        base_rate: 0.3,
        ..blow(false)
    };
    let once = recovering.failure(regular(13.0), tick(13.0), known_to_fail, &tuning());
    let twice = once.failure(regular(13.0), tick(13.0), known_to_fail, &tuning());
    assert!(once.admits() && !twice.admits());
}

#[test]
fn one_probe_at_a_time_until_it_expires() {
    let circuit = probing(open_at(10.0), 12.0);
    assert_eq!(circuit.state(false), State::Probing);
    assert_eq!(circuit.claim(tick(20.0), u64::MAX, &tuning()), None);
    assert!(circuit.claim(tick(43.0), u64::MAX, &tuning()).is_some());
}

#[test]
fn a_failed_probe_doubles_the_wait() {
    let circuit = probing(open_at(10.0), 12.0);
    let circuit = circuit.failure(
        sender(Role::Probe, 12.0),
        tick(12.5),
        blow(false),
        &tuning(),
    );
    assert_eq!((circuit.position, circuit.mult), (Position::Open, 1));
    assert_eq!(circuit.due(tick(14.3), 100, &tuning()), None);
    assert_eq!(circuit.due(tick(14.6), 9, &tuning()), None);
    assert!(circuit.due(tick(14.6), 10, &tuning()).is_some());
}

#[test]
fn five_probes_then_a_ramp_of_successes() {
    let mut circuit = recovered(open_at(10.0), 12.0);
    let mut shares = vec![];
    for _ in 0..15 {
        assert_eq!(circuit.position, Position::Recovering);
        shares.push((circuit.share(&tuning()) * 100.0).round() as u32);
        circuit = circuit.success(regular(13.0), tick(13.0), 0.0, &tuning());
    }
    assert_eq!(
        shares,
        [15, 15, 15, 15, 15, 30, 30, 30, 30, 30, 60, 60, 60, 60, 60]
    );
    assert_eq!(circuit.position, Position::Closed);
}

#[test]
fn a_failure_on_the_ramp_halves_it_and_two_reopen() {
    let mut circuit = recovered(open_at(10.0), 12.0);
    for _ in 0..10 {
        circuit = circuit.success(regular(13.0), tick(13.0), 0.0, &tuning());
    }
    let hit = circuit.failure(regular(13.0), tick(13.0), blow(false), &tuning());
    assert!(hit.share(&tuning()) < circuit.share(&tuning()) * 0.6);
    let fresh = recovered(open_at(10.0), 12.0);
    let once = fresh.failure(regular(13.0), tick(13.0), blow(false), &tuning());
    let twice = once.failure(regular(13.0), tick(13.0), blow(false), &tuning());
    assert!(once.admits() && !twice.admits());
    assert_eq!(twice.mult, 1);
}

#[test]
fn what_was_sent_before_says_nothing_now() {
    let open = open_at(10.0);
    assert_eq!(open.success(regular(9.0), tick(11.0), 0.0, &tuning()), open);
    assert_eq!(
        open.failure(regular(9.0), tick(11.0), blow(false), &tuning()),
        open
    );
    let recovering = recovered(open, 12.0);
    assert_eq!(
        recovering.failure(regular(9.0), tick(13.0), blow(false), &tuning()),
        recovering
    );
}

#[test]
fn a_last_resort_may_close_but_never_prolongs() {
    let open = open_at(10.0);
    let resort = sender(Role::LastResort, 11.0);
    assert_eq!(
        open.failure(resort, tick(11.1), blow(false), &tuning()),
        open
    );
    let mut circuit = open;
    for _ in 0..5 {
        circuit = circuit.success(resort, tick(11.1), 0.0, &tuning());
    }
    assert_eq!(circuit.position, Position::Recovering);
}

#[test]
fn flapping_raises_the_exponent_and_calm_forgets_it() {
    let close = |circuit: Circuit, seconds: f64| {
        let mut circuit = recovered(circuit, seconds);
        while circuit.position == Position::Recovering {
            circuit = circuit.success(regular(seconds), tick(seconds), 0.0, &tuning());
        }
        circuit
    };
    let trip = |mut circuit: Circuit, seconds: f64| {
        while circuit.admits() {
            circuit = circuit.failure(regular(seconds), tick(seconds), blow(false), &tuning());
        }
        circuit
    };
    let once = close(open_at(10.0), 20.0);
    assert_eq!(trip(once, 50.0).mult, 1, "again within a minute");
    assert_eq!(
        trip(close(trip(once, 50.0), 60.0), 200.0).mult,
        1,
        "later: kept"
    );
    assert_eq!(
        trip(close(trip(once, 50.0), 60.0), 400.0).mult,
        0,
        "much later: forgotten"
    );
}

#[test]
fn a_rejected_key_is_held_and_each_repetition_doubles() {
    let held = Circuit::CLOSED.hold(Position::KeyHeld, regular(0.0), tick(0.0), &tuning());
    assert_eq!(held.state(false), State::KeyHeld);
    assert_eq!(held.due(tick(299.0), u64::MAX, &tuning()), None);
    assert!(held.due(tick(301.0), 0, &tuning()).is_some());
    let again = probing(held, 301.0).hold(
        Position::KeyHeld,
        sender(Role::Probe, 301.0),
        tick(301.0),
        &tuning(),
    );
    assert_eq!(again.due(tick(890.0), u64::MAX, &tuning()), None);
    assert!(again.due(tick(902.0), 0, &tuning()).is_some());
    assert_eq!(
        held.hold(Position::KeyHeld, regular(0.0), tick(1.0), &tuning()),
        held,
        "a burst counts once"
    );
}

#[test]
fn neutral_outcomes_give_the_probe_back() {
    let circuit = probing(open_at(10.0), 12.0);
    let back = circuit.neutral(sender(Role::Probe, 12.0), tick(12.5));
    assert!(back.claim(tick(12.5), 0, &tuning()).is_some());
    assert_eq!(
        Circuit::CLOSED.neutral(regular(0.0), tick(1.0)),
        Circuit::CLOSED
    );
}

#[test]
fn the_expected_samples_to_a_trip() {
    // Seed 42; a healthy 1 % is only checked for not tripping, because a million samples are needed for one.
    let mut state = 42u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    for (rate, expected, runs) in [
        (1.0, 4.0, 10),
        (0.4, 11.0, 4_000),
        (0.2, 31.0, 4_000),
        (0.1, 135.0, 2_000),
    ] {
        let mut samples = 0u32;
        for _ in 0..runs {
            let mut circuit = Circuit::CLOSED;
            while circuit.admits() {
                samples += 1;
                circuit = if random() < rate {
                    circuit.failure(regular(1.0), tick(1.0), blow(false), &tuning())
                } else {
                    circuit.success(regular(1.0), tick(1.0), 0.0, &tuning())
                };
            }
        }
        let mean = f64::from(samples) / f64::from(runs);
        assert!(
            (mean / expected - 1.0).abs() < 0.15,
            "at {rate}: {mean} samples instead of {expected}"
        );
    }
    let mut circuit = Circuit::CLOSED;
    let mut trips = 0;
    for _ in 0..300_000 {
        circuit = if random() < 0.01 {
            circuit.failure(regular(1.0), tick(1.0), blow(false), &tuning())
        } else {
            circuit.success(regular(1.0), tick(1.0), 0.01, &tuning())
        };
        if !circuit.admits() {
            trips += 1;
            circuit = Circuit::CLOSED;
        }
    }
    assert!(trips <= 2, "{trips} false trips in 300 000 samples at 1 %");
}

#[test]
fn old_ticks_are_made_harmless() {
    let mut circuit = recovered(open_at(10.0), 12.0);
    while circuit.position == Position::Recovering {
        circuit = circuit.success(regular(13.0), tick(13.0), 0.0, &tuning());
    }
    assert_eq!(circuit.refreshed(tick(60.0)), circuit);
    let later = Tick::from_index(1_000 + (1 << 27));
    assert_eq!(circuit.refreshed(later).since, 0);
}
