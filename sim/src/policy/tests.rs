//! What every policy owes the engine, whatever its rule.
//!
//! # Invariants
//! - The same sequence of events drives every kind; seed 7.

use std::collections::BTreeSet;

use scoring::Outcome;
use scoring::select::Decision;

use super::drive::Drive;
use super::{Flight, Kind, Policy, Seat, Visitor};

/// Drives a policy through picks, attempts of every outcome and time, and checks each decision.
struct Walk(Kind);

impl Visitor for Walk {
    type Out = ();

    fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) {
        let mut drive = Drive::new(&[3.0, 1.0, 1.0, 2.0], make);
        let mut flights: Vec<Flight> = Vec::new();
        for round in 0..2000_usize {
            let mut tried = Vec::new();
            while tried.len() < 4 {
                match drive.pick(&tried) {
                    Decision::Picked(pick) => {
                        let name = self.0.name();
                        assert!(!tried.contains(&pick.index), "{name}: tried again");
                        assert!(pick.index < 4, "{name}");
                        let chance = pick.propensity;
                        assert!(chance > 0.0 && chance <= 1.0 + 1e-6, "{name}: {chance}");
                        flights.push(drive.begin(pick.index));
                        tried.push(pick.index);
                    }
                    Decision::Shed { .. } => break,
                    // Ours sets routes aside that it takes for unable to serve.
                    Decision::Exhausted if self.0.is_ours() => break,
                    Decision::Exhausted => panic!("{}: {tried:?}", self.0.name()),
                }
                if round % 3 == 0 {
                    break;
                }
            }
            assert_eq!(
                drive.pick(&[0, 1, 2, 3]),
                Decision::Exhausted,
                "{}",
                self.0.name()
            );
            drive.tick_ms(250);
            for (turn, mut flight) in flights.drain(..).enumerate() {
                if turn % 2 == 0 {
                    drive.first_byte(&mut flight);
                }
                drive.wait_ms(30);
                let outcome = match round % 5 {
                    0 => Outcome::ALL[(round / 5 + turn) % Outcome::COUNT],
                    _ => Outcome::Success,
                };
                drive.end(&flight, outcome);
            }
            let glimpses = drive.policy.glimpse(drive.now);
            assert_eq!(glimpses.len(), 4);
            for glimpse in glimpses {
                assert!(
                    (0.0..=1.0).contains(&glimpse.score),
                    "{} {glimpse:?}",
                    self.0.name()
                );
                assert!(glimpse.state <= 2);
            }
        }
    }
}

#[test]
fn every_policy_keeps_the_walks_contract() {
    // The oracles see no world here: they have tests of their own.
    for kind in Kind::ALL.into_iter().filter(|it| !it.is_oracle()) {
        kind.visit(Walk(kind));
    }
}

#[test]
fn names_are_unique_and_read_back() {
    let names: BTreeSet<_> = Kind::ALL.into_iter().map(Kind::name).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
        let kebab = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        assert!(kind.name().chars().all(kebab), "{}", kind.name());
        assert!(!kind.what().is_empty());
    }
    assert_eq!(Kind::from_name("nobody"), None);
    assert_eq!(Kind::ALL.into_iter().filter(|it| it.is_ours()).count(), 1);
    assert_eq!(Kind::ALL.into_iter().filter(|it| it.is_oracle()).count(), 2);
}

#[test]
fn propensities_are_the_chances_of_a_pick() {
    /// Checks that told chances of a repeated decision are its shares.
    struct Chances(Kind);

    impl Visitor for Chances {
        type Out = ();

        fn visit<P: Policy, F: Fn(&Seat<'_>) -> P>(self, make: F) {
            let mut drive = Drive::new(&[3.0, 1.0, 1.0], make);
            for round in 0..40 {
                for route in 0..3 {
                    let millis = [500, 520, 900][route];
                    let fails = route == 2 && round % 4 == 0;
                    drive.call(
                        route,
                        millis,
                        [Outcome::Success, Outcome::ServerError][usize::from(fails)],
                    );
                }
                drive.tick_ms(2_000);
            }
            let asked = drive.propensities();
            let mut told = [0.0; 3];
            let mut picks = [0.0; 3];
            for _ in 0..20_000 {
                let pick = drive.picked(&[]);
                picks[pick.index] += 1.0 / 20_000.0;
                told[pick.index] = f64::from(pick.propensity);
            }
            let name = self.0.name();
            for (asked, share) in asked.iter().flatten().zip(picks) {
                assert!((asked - share).abs() < 0.015, "{name}: {asked} {share}");
            }
            // The turns of a round robin are told as certain.
            if self.0 == Kind::RoundRobin {
                return;
            }
            for (told, share) in told.iter().zip(picks) {
                assert!((told - share).abs() < 0.015, "{name}: {told} {share}");
            }
        }
    }
    let drawing = [
        Kind::Static,
        Kind::RoundRobin,
        Kind::P2cPeakEwma,
        Kind::LinkerdBiaser,
        Kind::Agentgateway,
        Kind::LitellmShuffle,
        Kind::LitellmLatency,
        Kind::LitellmLatencyBuffered,
        Kind::LitellmUsage,
        Kind::GrpcWrr,
        Kind::GrpcWrrSmall,
        Kind::Bifrost,
        Kind::Prequal,
        Kind::EpsilonGreedy,
    ];
    for kind in drawing {
        kind.visit(Chances(kind));
    }
}
