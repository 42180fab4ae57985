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
        doubt: 177,
        since: SINCE_MASK - 3,
    };
    assert_eq!(Circuit::unpack(circuit.pack()), circuit);
    assert_eq!(Circuit::doubt_of(circuit.pack()), 177);
    let fullest = Circuit {
        position: Position::Unsupported,
        mult: 99,
        cusum: u32::MAX,
        doubt: u32::MAX,
        since: u32::MAX,
        ..circuit
    };
    let held = Circuit::unpack(fullest.pack());
    assert_eq!(
        (held.position, held.mult, held.cusum, held.streak),
        (Position::Unsupported, 15, CUSUM_MAX, 9)
    );
    assert_eq!((held.doubt, held.since), (255, SINCE_MASK));
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
    // Open for 1 s from second 10; where traffic is scarce, for 900 s.
    assert_eq!(circuit.due(tick(909.0), 0, &tuning()), None);
    assert!(
        circuit.due(tick(910.5), 0, &tuning()).is_some(),
        "scarce traffic waits no longer than this"
    );
}

#[test]
fn the_requests_that_a_probe_waits_for_double_four_times_at_most() {
    for (mult, requests) in [(0, 5), (1, 10), (4, 80), (5, 80)] {
        let circuit = Circuit {
            mult,
            ..open_at(10.0)
        };
        assert_eq!(circuit.due(tick(30.0), requests - 1, &tuning()), None);
        assert!(circuit.due(tick(30.0), requests, &tuning()).is_some());
    }
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
    for _ in 0..tuning().probes {
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
    let mut random = randoms(42);
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

/// Uniform numbers in 0..1 from a seed.
fn randoms(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    }
}

fn sampled(circuit: Circuit, failed: bool, now: Tick) -> Circuit {
    let sender = regular(0.0);
    if failed {
        circuit.failure(sender, now, blow(false), &tuning())
    } else {
        circuit.success(sender, now, 0.0, &tuning())
    }
}

#[test]
fn a_failure_and_forty_four_successes_cancel() {
    let mut circuit = sampled(Circuit::CLOSED, true, tick(0.0));
    for left in (0..44).rev() {
        circuit = sampled(circuit, false, tick(0.0));
        assert_eq!(circuit.doubt, left);
    }
    assert!(circuit.is_calm());
    let heavy = Blow {
        weight: 1.5,
        ..blow(false)
    };
    let heavy = Circuit::CLOSED.failure(regular(0.0), tick(0.0), heavy, &tuning());
    assert_eq!(heavy.doubt, 66);
}

#[test]
fn doubt_keeps_a_circuit_from_being_calm_and_has_an_end() {
    let mut circuit = Circuit::CLOSED;
    // 20 successes pay the CUSUM of one failure (2.53 at 0.268 each), never its doubt.
    for _ in 0..8 {
        circuit = sampled(circuit, true, tick(0.0));
        for _ in 0..20 {
            circuit = sampled(circuit, false, tick(0.0));
        }
    }
    assert_eq!((circuit.cusum, circuit.fails), (0, 0));
    assert_eq!(circuit.doubt, 140, "160 at most, less the last 20");
    assert!(!circuit.is_calm());
}

#[test]
fn one_failure_in_ten_is_doubted_within_a_hundred_attempts_and_stays_so_at_a_trickle() {
    let (mut random, runs) = (randoms(7), 2_000);
    let half = Tuning::default().draw.doubt_half as u32;
    let (mut within, mut samples) = (0, 0);
    for _ in 0..runs {
        let mut circuit = Circuit::CLOSED;
        let mut taken = 0;
        while circuit.admits() && circuit.doubt < half {
            circuit = sampled(circuit, random() < 0.1, tick(0.0));
            taken += 1;
        }
        samples += taken;
        within += u32::from(taken <= 100);
    }
    let mean = f64::from(samples) / f64::from(runs);
    assert!((25.0..45.0).contains(&mean), "{mean} attempts on average");
    assert!(within > runs * 97 / 100, "{within} of {runs} within 100");

    // Two attempts a second, without the CUSUM's verdict: fast counts would hold six attempts, which prove nothing.
    let rules = crate::rules::Rules::new(&Tuning::default());
    let (mut circuit, mut kept, attempts) = (Circuit::CLOSED, 0.0, 50_000u32);
    circuit.doubt = tuning().doubt_most;
    for nth in 0..attempts {
        let now = Tick::from_index(u64::from(nth) * 61 / 2);
        circuit = circuit.rested((-0.5f32 / 30.0).exp(), now);
        circuit = sampled(circuit, random() < 0.1, now);
        circuit.cusum = 0;
        circuit.fails = 0;
        kept += f64::from(rules.trust(circuit.doubt(1.0)));
    }
    let kept = kept / f64::from(attempts);
    assert!((0.15..0.33).contains(&kept), "keeps {kept} of its weight");
}

#[test]
fn what_failed_slowly_enough_to_become_a_habit_still_opens() {
    // 30 % that the slow counts have got used to: two failures not undone, and the habit excuses nothing.
    let habit = |doubt| {
        let mut circuit = Circuit {
            doubt,
            ..Circuit::CLOSED
        };
        for nth in 0..60 {
            let now = tick(f64::from(nth) * 2.0);
            let blow = Blow {
                base_rate: 0.3,
                ..blow(false)
            };
            circuit = match nth % 10 {
                0 | 3 | 7 => circuit.failure(regular(0.0), now, blow, &tuning()),
                _ => circuit.success(regular(0.0), now, 0.3, &tuning()),
            };
            circuit.doubt = doubt;
        }
        circuit.position
    };
    assert_eq!(habit(2 * tuning().doubt_step), Position::Open);
    assert_eq!(habit(2 * tuning().doubt_step - 1), Position::Closed);
}

#[test]
fn half_a_percent_is_hardly_ever_doubted() {
    let (mut random, mut circuit, mut doubted) = (randoms(11), Circuit::CLOSED, 0);
    for _ in 0..300_000 {
        circuit = sampled(circuit, random() < 0.005, tick(0.0));
        circuit.cusum = 0;
        circuit.fails = 0;
        doubted += u32::from(circuit.doubt >= 100);
    }
    assert!(doubted < 300_000 / 50, "{doubted} of 300 000");
}

#[test]
fn time_forgives_and_does_so_without_bias() {
    let doubtful = Circuit {
        doubt: 160,
        ..Circuit::CLOSED
    };
    let after = |left: f32, at: u64| doubtful.rested(left, Tick::from_index(at)).doubt;
    assert_eq!(after(1.0, 5), 160);
    // 160/e = 58.9.
    assert!([58, 59].contains(&after((-1.0f32).exp(), 5)));
    assert_eq!(after(0.0, 5), 0);
    // Ten samples a second for 3 s leave e^(−1/10) of it; rounded down each time, 130 would be left.
    for start in [0, 1_000, 77_777] {
        let mut circuit = doubtful;
        for nth in 0..30 {
            let now = Tick::from_index(start + nth * 6);
            circuit = circuit.rested((-0.1f32 / 30.0).exp(), now);
        }
        let exact = 160.0 * (-0.1f32).exp();
        assert!((circuit.doubt(1.0) - exact).abs() < 4.0, "{circuit:?}");
    }
}

#[test]
fn what_a_route_was_set_aside_for_excuses_nothing_on_the_ramp() {
    let fresh = recovered(open_at(10.0), 12.0);
    assert_eq!(fresh.doubt, 0);
    let excused = Blow {
        base_rate: 0.5,
        ..blow(false)
    };
    let fail = |it: Circuit| it.failure(regular(13.0), tick(13.0), excused, &tuning());
    // 4.5 + 2 × 2.53 is above 9; with the excuse it would be 4.5 + 2 × 1.61.
    let once = fail(fresh);
    assert!((once.cusum() - 7.03).abs() < 0.01, "{}", once.cusum());
    assert!(!fail(once).admits());
    let back = once.refunded(0.5, &tuning());
    assert!((back.cusum() - 4.5).abs() < 0.01, "{}", back.cusum());
    let better = once.success(regular(13.0), tick(13.0), 0.5, &tuning());
    assert!(
        (once.cusum() - better.cusum() - 0.268).abs() < 0.01,
        "{}",
        better.cusum()
    );
}
