//! LiteLLM's `usage-based-routing-v2`: the deployment with the fewest tokens in this calendar minute.
//!
//! Source: `litellm/router_strategy/lowest_tpm_rpm_v2.py`.
//! Tokens count when an answer is complete, so what is in flight does not; requests count when sent.
//! A deployment over the tokens or requests that the operator configured is left out; with none left the request is refused for 60 s.
//! In its favour: an over-full one is passed over here, where the source finds it at the pre-call check and cools it.
//!
//! # Invariants
//! - Without configured limits nothing is left out; the fewest tokens win all the same.

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, Pick, ShedReason};
use scoring::time::{Span, Time};

use super::super::draw::{by_load, least};
use super::super::{Flight, Glimpse, Moment, Policy, Seat};
use super::cooldown::Cooldown;
use super::minute::Used;

/// What a refused client is told to wait.
const RETRY_AFTER: Span = Span::from_secs(60);

/// LiteLLM's `usage-based-routing-v2`.
#[derive(Clone, Debug)]
pub struct LitellmUsage {
    used: Vec<Used>,
    cooldown: Cooldown,
    open: Vec<usize>,
    tokens: Vec<f64>,
}

impl LitellmUsage {
    /// The policy over the seat's candidates.
    #[must_use]
    pub fn new(seat: &Seat<'_>) -> Self {
        let count = seat.candidates.len();
        Self {
            used: seat.candidates.iter().map(Used::new).collect(),
            cooldown: Cooldown::new(count),
            open: Vec::with_capacity(count),
            tokens: vec![0.0; count],
        }
    }
}

impl Policy for LitellmUsage {
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision {
        let now = moment.now;
        self.open.clear();
        let mut full = false;
        for route in self.cooldown.open(moment.tried, now) {
            let used = &self.used[route];
            if used.has_room(moment.ask.input_tokens.into(), now) {
                self.open.push(route);
                self.tokens[route] = used.tokens(now) as f64;
            } else {
                full = true;
            }
        }
        match least(&self.open, &self.tokens, rng) {
            Some(drawn) => drawn.decision(),
            None if full => Decision::Shed {
                retry_after: RETRY_AFTER,
                reason: ShedReason::Full,
            },
            None => self.cooldown.refusal(moment.tried, now),
        }
    }

    fn begin(&mut self, flight: &Flight, _: &Pick) -> Option<Time> {
        self.used[flight.route].add(0, 1, flight.sent);
        None
    }

    fn finish(&mut self, flight: &Flight, end: &End, now: Time) {
        self.cooldown.finish(flight.route, end, now);
        if end.outcome == Outcome::Success {
            let tokens = [end.input_tokens, end.output_tokens];
            let tokens = tokens.into_iter().flatten().map(u64::from).sum();
            self.used[flight.route].add(tokens, 0, now);
        }
    }

    fn admits(&self, route: usize, now: Time) -> bool {
        self.cooldown.admits(route, now)
    }

    fn glimpse(&self, now: Time) -> Vec<Glimpse> {
        let mut glimpses = by_load(self.used.iter().map(|it| it.tokens(now) as f64 + 1.0));
        self.cooldown.mark(&mut glimpses, now);
        glimpses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::{Drive, candidates};

    #[test]
    fn the_fewest_tokens_of_the_minute_win() {
        let mut drive = Drive::new(&[1.0; 2], LitellmUsage::new);
        assert!((drive.picked(&[]).propensity - 0.5).abs() < 1e-6);
        let flight = drive.begin(0);
        assert!(
            (drive.picked(&[]).propensity - 0.5).abs() < 1e-6,
            "in flight is not used"
        );
        drive.end(&flight, Outcome::Success);
        assert_eq!(drive.policy.used[0].tokens(drive.now), 1100);
        assert_eq!(drive.index(&[]), 1);
        drive.wait_ms(60_000);
        assert!(
            (drive.picked(&[]).propensity - 0.5).abs() < 1e-6,
            "another minute"
        );
    }

    #[test]
    fn over_the_configured_limits_is_left_out_and_none_left_refused() {
        let mut told = candidates(&[1.0; 2]);
        told[0].told_tpm = Some(2_000);
        told[1].told_rpm = Some(1);
        let mut drive = Drive::over(&told, LitellmUsage::new);
        drive.call(1, 10, Outcome::Success);
        assert_eq!(drive.index(&[]), 0, "1000 tokens fit into 2000");
        drive.call(0, 10, Outcome::Success);
        let refused = Decision::Shed {
            retry_after: Span::from_secs(60),
            reason: ShedReason::Full,
        };
        assert_eq!(
            drive.pick(&[]),
            refused,
            "1100 + 1000 tokens, 1 + 1 requests"
        );
        assert_eq!(drive.pick(&[0, 1]), Decision::Exhausted);
    }
}
