//! Which deployments are in cooldown: the only health state of LiteLLM's router.
//!
//! Source: `litellm/router_utils/cooldown_handlers.py`, `cooldown_cache.py` and `litellm/constants.py`.
//! Into cooldown goes a deployment with a 429, if there is more than one; with a status that is not retried (401, 404); with more than half of this minute's requests failed, at least 5 of them, if there is more than one; or with all of at least 1000 failed.
//! It lasts what Retry-After says in whole seconds, else 5 s.
//! Read freely in its favour: a lost connection counts as a 500, as its OpenAI client maps it, and not as the connection error that its cooldown ignores.
//!
//! # Invariants
//! - A success ends no cooldown; time alone does.
//! - The client's own faults count as failures of the minute and start no cooldown; its departures are not counted.

use scoring::Outcome;
use scoring::route::End;
use scoring::select::{Decision, ShedReason, Tried};
use scoring::time::{Span, Time};

use super::super::Glimpse;
use super::super::draw::untried;
use super::minute::minute;

/// How long a cooldown lasts where the answer does not say: `DEFAULT_COOLDOWN_TIME_SECONDS`.
const COOLDOWN: Span = Span::from_secs(5);

/// Share of failures above which a deployment is cooled: `DEFAULT_FAILURE_THRESHOLD_PERCENT`.
const FAILED_SHARE: f64 = 0.5;

/// Requests that this share needs: `DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`.
const FAILED_LEAST: u32 = 5;

/// Requests that must all have failed: `SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD`.
const ALL_FAILED_LEAST: u32 = 1000;

/// The cooldowns of a pool.
#[derive(Clone, Debug)]
pub(super) struct Cooldown {
    deployments: Vec<Deployment>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deployment {
    until: Time,
    /// How long its cooldown lasts, from its beginning.
    lasts: Span,
    minute: u64,
    successes: u32,
    failures: u32,
}

impl Cooldown {
    /// Nobody is in cooldown.
    pub(super) fn new(count: usize) -> Self {
        Self {
            deployments: vec![Deployment::default(); count],
        }
    }

    /// Whether a deployment may be used.
    pub(super) fn admits(&self, route: usize, now: Time) -> bool {
        now >= self.deployments[route].until
    }

    /// Deployments that may be used and were not tried.
    pub(super) fn open(&self, tried: &Tried, now: Time) -> impl Iterator<Item = usize> + Clone {
        untried(tried, self.deployments.len()).filter(move |&it| self.admits(it, now))
    }

    /// The refusal where no deployment may be used: asks to wait as long as the shortest cooldown lasts, or 5 s where there is none.
    pub(super) fn refusal(&self, tried: &Tried, now: Time) -> Decision {
        let left = untried(tried, self.deployments.len());
        if left.clone().next().is_none() {
            return Decision::Exhausted;
        }
        let cooling = left.filter(|&it| !self.admits(it, now));
        let shortest = cooling.map(|it| self.deployments[it].lasts).min();
        Decision::Shed {
            retry_after: shortest.unwrap_or(COOLDOWN),
            reason: ShedReason::Blocked,
        }
    }

    /// Marks those in cooldown as set aside.
    pub(super) fn mark(&self, glimpses: &mut [Glimpse], now: Time) {
        for (route, glimpse) in glimpses.iter_mut().enumerate() {
            glimpse.state = if self.admits(route, now) { 0 } else { 2 };
        }
    }

    /// An attempt has ended.
    pub(super) fn finish(&mut self, route: usize, end: &End, now: Time) {
        let alone = self.deployments.len() == 1;
        let deployment = &mut self.deployments[route];
        deployment.turn(minute(now));
        match end.outcome {
            Outcome::Canceled => return,
            Outcome::Success => deployment.successes += 1,
            _ => deployment.failures += 1,
        }
        let cool = match end.outcome {
            Outcome::Success | Outcome::Rejected | Outcome::Canceled => false,
            Outcome::RateLimited if !alone => true,
            Outcome::KeyRejected | Outcome::Unsupported => true,
            _ => deployment.fails_often(alone),
        };
        if cool {
            let told = end.retry_after.map(|it| it.as_micros() / 1_000_000);
            let lasts = told.filter(|&it| it > 0).map_or(COOLDOWN, Span::from_secs);
            deployment.until = now.plus(lasts);
            deployment.lasts = lasts;
        }
    }
}

impl Deployment {
    fn turn(&mut self, minute: u64) {
        if minute != self.minute {
            (self.minute, self.successes, self.failures) = (minute, 0, 0);
        }
    }

    fn fails_often(&self, alone: bool) -> bool {
        let total = self.successes + self.failures;
        let share = f64::from(self.failures) / f64::from(total.max(1));
        let all = self.successes == 0 && total >= ALL_FAILED_LEAST;
        all || !alone && total >= FAILED_LEAST && share > FAILED_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(600_000_000);

    /// Whether the first of `count` deployments is cooled by the last of these ends, and not before.
    fn cooled(count: usize, ends: &[(Outcome, usize)]) -> bool {
        let mut cooldown = Cooldown::new(count);
        for &(outcome, times) in ends {
            for _ in 0..times {
                assert!(cooldown.admits(0, NOW), "too early");
                cooldown.finish(0, &End::of(outcome), NOW);
            }
        }
        !cooldown.admits(0, NOW)
    }

    #[test]
    fn the_thresholds_are_the_published_ones() {
        use Outcome::{RateLimited, Rejected, ServerError, Success, TimedOut, Unsupported};
        assert!(!cooled(2, &[(ServerError, 4)]), "fewer than 5 requests");
        assert!(cooled(2, &[(ServerError, 5)]));
        assert!(
            !cooled(2, &[(Success, 5), (ServerError, 5)]),
            "half is not more than half"
        );
        assert!(cooled(2, &[(Success, 5), (TimedOut, 6)]));
        assert!(cooled(2, &[(RateLimited, 1)]));
        assert!(!cooled(1, &[(RateLimited, 1)]), "the only one stays");
        assert!(cooled(1, &[(Unsupported, 1)]), "404 is not retried");
        assert!(!cooled(1, &[(ServerError, 999)]));
        assert!(cooled(1, &[(ServerError, 1000)]));
        assert!(!cooled(2, &[(Rejected, 50)]), "400 never cools");
        assert!(!cooled(2, &[(Outcome::Canceled, 50)]));
    }

    #[test]
    fn counts_are_of_this_minute() {
        let mut cooldown = Cooldown::new(2);
        (0..4).for_each(|_| cooldown.finish(0, &End::of(Outcome::ServerError), NOW));
        let next = NOW.plus(Span::from_secs(60));
        cooldown.finish(0, &End::of(Outcome::ServerError), next);
        assert!(cooldown.admits(0, next));
    }

    #[test]
    fn it_lasts_five_seconds_or_what_was_told() {
        for (told, lasts) in [(None, 5_000), (Some(0), 5_000), (Some(20_300), 20_000)] {
            let mut cooldown = Cooldown::new(2);
            let end = End {
                retry_after: told.map(Span::from_millis),
                ..End::of(Outcome::RateLimited)
            };
            cooldown.finish(1, &end, NOW);
            let ends = NOW.plus(Span::from_millis(lasts));
            assert!(!cooldown.admits(1, ends.minus(Span::from_micros(1))));
            assert!(cooldown.admits(1, ends));
        }
    }

    #[test]
    fn none_left_is_a_refusal_with_the_shortest_cooldown() {
        let mut cooldown = Cooldown::new(2);
        let mut tried = Tried::default();
        for (route, wait) in [(0, 30), (1, 7)] {
            let end = End {
                retry_after: Some(Span::from_secs(wait)),
                ..End::of(Outcome::RateLimited)
            };
            cooldown.finish(route, &end, NOW);
        }
        let later = NOW.plus(Span::from_secs(3));
        let refusal = |wait| Decision::Shed {
            retry_after: Span::from_secs(wait),
            reason: ShedReason::Blocked,
        };
        assert_eq!(
            cooldown.refusal(&tried, later),
            refusal(7),
            "whole, not what is left"
        );
        tried.insert(1);
        assert_eq!(cooldown.refusal(&tried, later), refusal(30));
        tried.insert(0);
        assert_eq!(cooldown.refusal(&tried, later), Decision::Exhausted);
    }
}
