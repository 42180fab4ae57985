//! The options, and the pure parts played together: story, orders, draw, tally and summary, without a socket or a clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use scoring::time::Span;

use super::orders::Orders;
use super::script::{Phase, ROUTES, SICK};
use super::tally::{Ending, Sample, Side, Tally};
use super::*;

fn options() -> Options {
    Options {
        speed: 1.0,
        duration: None,
        rate: RATE,
        seed: SEED,
        plain: true,
        listen: None,
        admin: None,
    }
}

#[test]
fn a_duration_is_a_speed() {
    let asked = Options {
        duration: Some(30.0),
        ..options()
    };
    let plan = asked.plan(asked.view()).unwrap();
    assert_eq!(plan.story.length(), Span::from_secs(30));
    assert_eq!(plan.view, View::Plain);
    assert!(plan.listen.ip().is_loopback());
}

#[test]
fn what_cannot_be_played_is_refused() {
    let refused = |options: Options| options.plan(View::Plain).unwrap_err().to_string();
    assert_eq!(
        refused(Options {
            speed: 0.0,
            ..options()
        }),
        "--speed is 0: allowed are 0.1 to 30"
    );
    assert!(
        refused(Options {
            rate: f64::NAN,
            ..options()
        })
        .starts_with("--rate")
    );
    assert!(
        refused(Options {
            duration: Some(1.0),
            ..options()
        })
        .starts_with("--duration")
    );
    let listen = Some("0.0.0.0:80".parse().unwrap());
    assert!(
        refused(Options {
            listen,
            ..options()
        })
        .contains("--listen 0.0.0.0:80 is not on loopback")
    );
    assert!(
        refused(Options {
            admin: listen,
            ..options()
        })
        .contains("--admin 0.0.0.0:80 is not on loopback")
    );
}

/// A side that sends nothing to the sick route within a stretch of time.
struct Dodger {
    away: std::ops::Range<u64>,
    begun: [u64; ROUTES],
    rng: SmallRng,
}

impl Dodger {
    fn new(away: std::ops::Range<u64>) -> Self {
        let (begun, rng) = ([0; ROUTES], SmallRng::seed_from_u64(SEED));
        Self { away, begun, rng }
    }

    /// Serves a request that is due at `due`: on the sick route as well as it can just then.
    fn serve(&mut self, side: Side, story: Story, due: Span) -> Sample {
        let avoids = self.away.contains(&(due.as_micros() / 1_000_000));
        let route = twin::draw([avoids, false, false], &mut self.rng).unwrap();
        self.begun[route] += 1;
        let severity = story.severity(due);
        let sick = route == SICK;
        let failed = sick && self.rng.random::<f64>() < severity.errors;
        let factor = if sick && !failed {
            severity.latency
        } else {
            1.0
        };
        if failed {
            self.begun[1] += 1;
        }
        Sample {
            side,
            due,
            ended: due.plus(Span::from_millis(400).mul_f64(factor)),
            ending: Ending::Complete,
            attempts: 1 + u32::from(failed),
            route: Some(if failed { 1 } else { route }),
        }
    }
}

#[test]
fn a_side_that_leaves_in_time_is_told_from_one_that_stays() {
    let story = Story::new(1.0);
    let mut tally = Tally::new(story, Span::from_secs(5));
    let mut sides = [Dodger::new(75..140), Dodger::new(0..0)];
    let mut turned = Span::ZERO;
    for order in Orders::new(RATE, SEED).take_while(|order| order.due < story.length()) {
        while turned <= order.due {
            tally.turn(turned, sides.each_ref().map(|side| side.begun));
            turned = turned.plus(Span::from_millis(100));
        }
        for (side, dodger) in Side::BOTH.into_iter().zip(&mut sides) {
            tally.add(dodger.serve(side, story, order.due));
        }
    }
    let [adaptive, fixed] = Side::BOTH.map(|side| tally.side(side).clone());
    let seconds = |span: Option<Span>| span.unwrap().as_secs_f64();
    let (away, back) = (seconds(adaptive.shift.away), seconds(adaptive.shift.back));
    assert!((16.0..20.0).contains(&away), "seed {SEED}: {away} s");
    assert!((6.0..10.0).contains(&back), "seed {SEED}: {back} s");
    assert_eq!((fixed.shift.away, fixed.shift.back), (None, None));
    assert_eq!(adaptive.total().requests, fixed.total().requests);
    let first = [&adaptive, &fixed].map(|side| side.incident().first_success().unwrap());
    assert!(first[0] > 0.98 && first[1] < 0.90, "seed {SEED}: {first:?}");
    assert!(adaptive.sick_attempts() < fixed.sick_attempts() / 3);
    let p95 = |side: &tally::SideTally| side.incident().latency.percentile(0.95).unwrap();
    assert!(p95(&adaptive) < p95(&fixed));
    let summary = Summary::new(story, story.length(), &tally);
    assert_eq!(summary.lost(), 0);
    assert!(summary.to_string().contains("never"));
    assert_eq!(story.phase(turned), Phase::Recovered);
}
