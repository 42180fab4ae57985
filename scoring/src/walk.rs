//! Where does one request go next: this model's routes, the same route again, a further model, or nowhere?
//!
//! A request has a list of models: the one it names and its fallbacks.
//! The walk remembers what was tried and turns each selection and each failure into the next step; whoever drives it sends, waits and listens.
//! The gateway and the simulator drive the same walk, so that a replay takes the very steps that production takes.
//!
//! # Invariants
//! - Ends: every step makes an attempt, rules a route out, or moves on to a further model; attempts are bounded by the retry policy and by the budget.
//! - A model whose routes are all down is passed over as long as a further model has a route that is not.
//! - No extra attempt is made that the budget has not paid for.

use rand::Rng;

use crate::retry::{self, Failure, History, RetryBudget, RetryPolicy, Step};
use crate::select::{Decision, Mode, Pick, Tried};
use crate::time::{Span, Time};

/// One request's way through its models and their routes.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Models in the request's list.
    models: usize,
    /// Position in that list.
    at: usize,
    tried: Tried,
    /// Whether a route that is believed to be down may be used.
    desperate: bool,
    /// Attempts that the request had made before this walk.
    before: u32,
    /// Attempts begun.
    attempts: u32,
    /// Attempts begun on the present route.
    same_route: u32,
    /// The present route's index in its pool.
    route: usize,
    /// The last wait before a route was tried again, from which the next one grows.
    last_backoff: Span,
    /// The shortest time after which a route that is at its limits may serve again.
    retry_after: Option<Span>,
}

/// A failed attempt and what it leaves to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Setback<'a> {
    /// How often and how long the request may be retried.
    pub policy: &'a RetryPolicy,
    /// How the attempt failed.
    pub failure: &'a Failure,
    /// Candidates in the present model's pool, tried ones included.
    pub candidates: usize,
    /// Whether the prompt was too long and a model of a larger context stands ready that was not tried yet.
    pub larger_context: bool,
    /// How long the client still waits.
    pub deadline_left: Span,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give the failure to the client.
    Stop,
    /// Wait, then [`resume`](Walk::resume) on the same route.
    Again {
        /// How long; see [`Step::Same`].
        wait: Span,
    },
    /// Decide again, at once: another route, or another model.
    Decide,
    /// Replace the rest of the list by the model of the larger context, then decide again.
    LargerModel,
}

impl Walk {
    /// A walk over a list of `models`; earns the request's share of the retry budget.
    #[must_use]
    pub fn begin(models: usize, budget: &RetryBudget, now: Time) -> Self {
        budget.deposit(now);
        Self::resumed(models, 0)
    }

    /// A walk that takes a request up again whose answer broke off after `before` attempts.
    ///
    /// It earns nothing, since the request's share was earned when it began; its first attempt is an extra one, which whoever drives it has paid for.
    #[must_use]
    pub fn resumed(models: usize, before: u32) -> Self {
        Self {
            models,
            at: 0,
            tried: Tried::default(),
            desperate: false,
            before,
            attempts: 0,
            same_route: 0,
            route: 0,
            last_backoff: Span::ZERO,
            retry_after: None,
        }
    }

    /// The position of the model whose pool decides next; `None` if the walk is over.
    ///
    /// Past the end of the list it begins anew, once, if nothing was sent yet: a route that is believed to be down is better than no answer.
    pub fn model(&mut self) -> Option<usize> {
        if self.at < self.models {
            return Some(self.at);
        }
        if self.desperate || self.attempts > 0 || self.models == 0 {
            return None;
        }
        self.desperate = true;
        self.at = 0;
        Some(0)
    }

    /// The position last decided at.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The candidates of the present model that were tried.
    #[must_use]
    pub const fn tried(&self) -> &Tried {
        &self.tried
    }

    /// Attempts begun on this walk so far.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The shortest time after which a route that was at its limits may serve again; `None` if none was.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Span> {
        self.retry_after
    }

    /// Rules a candidate of the present model out before it is decided on: it cannot carry this request.
    pub fn rule_out(&mut self, index: usize) {
        self.tried.insert(index);
    }

    /// Takes in what the present model's pool decided: the pick to attempt, or `None` to ask [`model`](Self::model) again.
    pub fn take(&mut self, decision: &Decision) -> Option<Pick> {
        match *decision {
            Decision::Picked(pick)
                if pick.mode == Mode::Panic && !self.desperate && self.models > 1 =>
            {
                self.advance();
                None
            }
            Decision::Picked(pick) => {
                self.route = pick.index;
                self.attempts += 1;
                self.same_route = 1;
                Some(pick)
            }
            Decision::Shed { retry_after, .. } => {
                let shortest = self
                    .retry_after
                    .map_or(retry_after, |it| it.min(retry_after));
                self.retry_after = Some(shortest);
                self.advance();
                None
            }
            Decision::Exhausted => {
                self.advance();
                None
            }
        }
    }

    /// Takes back the pick that was to be attempted: nothing was sent, since nobody pays for it there, and it is not decided on again.
    pub fn pass_over(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
        self.tried.insert(self.route);
    }

    /// Takes in a failed attempt, paying for what follows.
    pub fn failed(
        &mut self,
        setback: &Setback<'_>,
        budget: &RetryBudget,
        now: Time,
        rng: &mut impl Rng,
    ) -> Next {
        let step = if setback.larger_context {
            Step::NextModel
        } else {
            self.step(setback, rng)
        };
        if step == Step::Stop || !budget.withdraw(now) {
            return Next::Stop;
        }
        match step {
            Step::Same { wait } => {
                self.last_backoff = wait;
                return Next::Again { wait };
            }
            Step::NextModel if setback.larger_context => {
                self.models = self.at + 2;
                self.advance();
                return Next::LargerModel;
            }
            Step::NextModel => self.advance(),
            Step::Next | Step::Stop => self.tried.insert(self.route),
        }
        Next::Decide
    }

    /// Goes on after the wait of [`Next::Again`]; true if the same route is to be tried again.
    ///
    /// `admits` is whether it is still in use: others may have found out meanwhile that it is down.
    pub fn resume(&mut self, admits: bool) -> bool {
        if admits {
            self.attempts += 1;
            self.same_route += 1;
        } else {
            self.tried.insert(self.route);
        }
        admits
    }

    fn step(&self, setback: &Setback<'_>, rng: &mut impl Rng) -> Step {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut tried = self.tried;
        tried.insert(self.route);
        let history = History {
            attempts: self.before.saturating_add(self.attempts),
            same_route: self.same_route,
            others: count(setback.candidates).saturating_sub(tried.count()),
            fallbacks: count(self.models.saturating_sub(self.at + 1)),
            last_backoff: self.last_backoff,
        };
        retry::next(
            setback.policy,
            &history,
            setback.failure,
            setback.deadline_left,
            rng,
        )
    }

    fn advance(&mut self) {
        self.at += 1;
        self.tried = Tried::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Terms;
    use crate::outcome::Outcome;
    use crate::retry::Committed;
    use crate::select::ShedReason;
    use crate::tuning::Tuning;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const NOW: Time = Time::from_micros(1_000_000);

    fn picked(index: usize, mode: Mode) -> Decision {
        Decision::Picked(Pick {
            index,
            propensity: 1.0,
            mode,
            score: 1.0,
            band: 1,
            cost: Terms::default(),
        })
    }

    fn budget() -> RetryBudget {
        RetryBudget::new(&Tuning::default())
    }

    fn lose(walk: &mut Walk, outcome: Outcome, candidates: usize, larger_context: bool) -> Next {
        let failure = Failure {
            outcome,
            retry_after: None,
            committed: Committed::No,
        };
        let setback = Setback {
            policy: &RetryPolicy::default(),
            failure: &failure,
            candidates,
            larger_context,
            deadline_left: Span::from_secs(60),
        };
        walk.failed(&setback, &budget(), NOW, &mut StdRng::seed_from_u64(7))
    }

    #[test]
    fn routes_first_then_models_then_the_end() {
        let mut walk = Walk::begin(2, &budget(), NOW);
        assert_eq!(walk.model(), Some(0));
        assert!(walk.take(&picked(1, Mode::Normal)).is_some());
        assert_eq!(lose(&mut walk, Outcome::TimedOut, 2, false), Next::Decide);
        assert!(walk.tried().contains(1) && walk.model() == Some(0));
        assert!(walk.take(&picked(0, Mode::Normal)).is_some());
        assert_eq!(lose(&mut walk, Outcome::TimedOut, 2, false), Next::Decide);
        assert_eq!(walk.model(), Some(1));
        assert!(walk.tried().is_empty());
        assert!(walk.take(&picked(0, Mode::Normal)).is_some());
        assert_eq!(lose(&mut walk, Outcome::TimedOut, 1, false), Next::Stop);
        assert_eq!(walk.attempts(), 3);
    }

    #[test]
    fn a_resumed_walk_counts_what_was_tried_before_and_earns_nothing() {
        let poor = Tuning::default();
        let budget = RetryBudget::new(&poor);
        while budget.withdraw(NOW) {}
        let before = budget.left(NOW);
        let mut walk = Walk::resumed(2, 3);
        assert!(budget.left(NOW) <= before, "nothing earned");
        walk.take(&picked(0, Mode::Normal));
        assert_eq!(walk.attempts(), 1);
        // The fourth attempt was the last that the policy allows.
        assert_eq!(lose(&mut walk, Outcome::TimedOut, 2, false), Next::Stop);
        let mut fresh = Walk::resumed(2, 2);
        fresh.take(&picked(0, Mode::Normal));
        assert_eq!(lose(&mut fresh, Outcome::TimedOut, 2, false), Next::Decide);
    }

    #[test]
    fn a_model_that_is_down_is_passed_over_once() {
        let mut walk = Walk::begin(2, &budget(), NOW);
        assert!(walk.take(&picked(0, Mode::Panic)).is_none());
        assert_eq!(walk.model(), Some(1));
        assert!(walk.take(&picked(0, Mode::Panic)).is_none());
        assert_eq!(walk.model(), Some(0), "better than nothing");
        assert!(walk.take(&picked(0, Mode::Panic)).is_some());
    }

    #[test]
    fn shedding_remembers_the_soonest() {
        let mut walk = Walk::begin(2, &budget(), NOW);
        for seconds in [9, 4] {
            assert!(walk.model().is_some());
            let shed = Decision::Shed {
                retry_after: Span::from_secs(seconds),
                reason: ShedReason::Full,
            };
            assert!(walk.take(&shed).is_none());
        }
        assert_eq!(walk.retry_after(), Some(Span::from_secs(4)));
        assert_eq!(walk.model(), Some(0), "once more, desperately");
        assert!(walk.take(&Decision::Exhausted).is_none());
        assert!(walk.take(&Decision::Exhausted).is_none());
        assert_eq!(walk.model(), None);
    }

    #[test]
    fn a_stumbling_route_is_asked_again_unless_it_has_gone_down() {
        let mut walk = Walk::begin(1, &budget(), NOW);
        walk.take(&picked(0, Mode::Normal));
        assert!(matches!(
            lose(&mut walk, Outcome::ServerError, 1, false),
            Next::Again { .. }
        ));
        assert!(walk.clone().resume(true));
        assert!(!walk.resume(false));
        assert!(walk.tried().contains(0));
    }

    #[test]
    fn a_long_prompt_goes_to_the_larger_model() {
        let mut walk = Walk::begin(3, &budget(), NOW);
        walk.take(&picked(0, Mode::Normal));
        assert_eq!(
            lose(&mut walk, Outcome::Rejected, 4, true),
            Next::LargerModel
        );
        assert_eq!((walk.model(), walk.attempts()), (Some(1), 1));
        walk.take(&picked(0, Mode::Normal));
        assert_eq!(lose(&mut walk, Outcome::Rejected, 4, false), Next::Stop);
    }

    #[test]
    fn an_empty_budget_ends_the_walk() {
        let spent = budget();
        while spent.withdraw(NOW) {}
        let mut walk = Walk::begin(1, &budget(), NOW);
        walk.take(&picked(0, Mode::Normal));
        let failure = Failure {
            outcome: Outcome::ServerError,
            retry_after: None,
            committed: Committed::No,
        };
        let setback = Setback {
            policy: &RetryPolicy::default(),
            failure: &failure,
            candidates: 4,
            larger_context: false,
            deadline_left: Span::from_secs(60),
        };
        let next = walk.failed(&setback, &spent, NOW, &mut StdRng::seed_from_u64(7));
        assert_eq!(next, Next::Stop);
    }
}
