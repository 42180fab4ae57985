//! The published numbers of the formula, and the states one by one.

use super::*;
use crate::policy::drive::Drive;

/// Sends `each` requests to each of the keys in 5 s, of which the last fails `failing`; then weights are renewed.
fn round(drive: &mut Drive<Bifrost>, each: usize, failing: usize) {
    let count = drive.policy.keys.len();
    for route in 0..count {
        for turn in 0..each {
            let fails = route == count - 1 && turn < failing;
            let outcome = [Outcome::Success, Outcome::ServerError][usize::from(fails)];
            drive.call(route, 0, outcome);
        }
    }
    drive.tick_ms(5_000);
}

fn last(drive: &Drive<Bifrost>) -> &Key {
    drive.policy.keys.last().unwrap()
}

#[test]
fn the_error_penalty_is_steep_and_saturates_at_ten_percent() {
    for (rate, expect) in [
        (0.005, 0.300),
        (0.02, 0.523),
        (0.1, 0.995),
        (0.102, 1.0),
        (1.0, 1.0),
    ] {
        let found = error_penalty(rate);
        assert!((found - expect).abs() < 1e-3, "{rate}: {found}");
    }
    assert!(error_penalty(0.1011) < 1.0);
}

#[test]
fn the_worst_weight_is_a_quarter_of_the_best() {
    assert!((weight(0.5 + 0.2 + 0.05) - 250.75).abs() < 1e-9);
    assert!((weight(0.0) - 1000.0).abs() < 1e-9);
    assert!((weight(-MOMENTUM) - 1000.0).abs() < 1e-9);
}

#[test]
fn penalties_fade_in_thirty_seconds_and_momentum_turns_at_97_percent() {
    assert!((decay(30.0) - 0.0995).abs() < 1e-3, "90 % gone");
    assert!((decay(120.0) / decay(60.0) - (-1.0f64).exp()).abs() < 1e-9);
    assert!((momentum(0.97) - 0.1).abs() < 1e-9);
    assert!(momentum(1.0) > 0.19 && momentum(0.92) < 0.002);
}

#[test]
fn utilisation_is_penalised_above_the_fair_share() {
    assert!(utilisation_penalty(0.2, 4) < 1e-9);
    assert!((utilisation_penalty(0.375, 4) - 0.5f64.powf(1.5)).abs() < 1e-9);
    assert!((utilisation_penalty(0.9, 4) - 1.0).abs() < 1e-9);
}

#[test]
fn error_rates_lead_through_the_states() {
    let mut drive = Drive::new(&[1.0; 2], Bifrost::new);
    round(&mut drive, 100, 2);
    assert_eq!(last(&drive).state, State::Healthy, "2 % is not above 2 %");
    round(&mut drive, 100, 4);
    assert_eq!(last(&drive).state, State::Degraded, "6 of 200");
    round(&mut drive, 100, 8);
    assert_eq!(last(&drive).state, State::Failed, "12 of 200");
    assert!(drive.shares(2)[1] < 1e-9);
    assert_eq!(drive.index(&[0]), 1, "the only one left serves");
    drive.tick_ms(30_000);
    assert_eq!(last(&drive).state, State::Recovering);
    round(&mut drive, 100, 0);
    assert_eq!(last(&drive).state, State::Healthy);
    round(&mut drive, 100, 100);
    assert_eq!(last(&drive).state, State::Failed);
}

#[test]
fn a_refusal_for_quota_takes_a_key_out_at_once_for_thirty_seconds() {
    let mut drive = Drive::new(&[1.0; 2], Bifrost::new);
    round(&mut drive, 100, 0);
    drive.call(1, 20, Outcome::RateLimited);
    assert_eq!(last(&drive).state, State::Failed);
    assert!((last(&drive).weight - 500.0).abs() < 1e-9, "halved");
    drive.tick_ms(25_000);
    assert_eq!(last(&drive).state, State::Failed);
    drive.tick_ms(10_000);
    assert_eq!(last(&drive).state, State::Recovering);
}

#[test]
fn a_key_outside_the_band_keeps_a_quarter_of_the_picks() {
    let mut drive = Drive::new(&[1.0; 4], Bifrost::new);
    round(&mut drive, 200, 3);
    assert_eq!(last(&drive).state, State::Healthy, "1.5 %");
    // 0.5·2.5·0.015^0.4·e^(−5/13) = 0.159, far below the band of 0.05.
    assert!(
        (last(&drive).weight - 841.0).abs() < 2.0,
        "{}",
        last(&drive).weight
    );
    let share = drive.shares(4)[3];
    assert!((share - 0.25).abs() < 0.02, "{share}");
    for _ in 0..50 {
        assert!((drive.picked(&[]).propensity - 0.25).abs() < 1e-6);
    }
    assert_eq!(drive.pick(&[0, 1, 2, 3]), Decision::Exhausted);
}

#[test]
fn weights_wait_for_the_renewal() {
    let mut drive = Drive::new(&[1.0; 2], Bifrost::new);
    (0..100).for_each(|_| drive.call(1, 0, Outcome::ServerError));
    drive.tick_ms(4_750);
    assert!((last(&drive).weight - 1000.0).abs() < 1e-9);
    drive.tick_ms(250);
    assert_eq!(last(&drive).state, State::Failed);
}
