//! What follows a failed attempt: the same route, the next one, the next model, or the end?
//!
//! An untried route is better than waiting, waiting shortly is better than another model, and another model is better than giving up.
//! Which of these a failure deserves depends only on what it proves: a silent or unwilling route is not asked again, a stumbling one is asked once more.
//! The budget bounds the extra attempts of all requests together, because retries are what keeps an overload alive after its cause has gone.
//!
//! # Invariants
//! - Nothing is retried once a byte has reached the client, nor after `max_attempts`.
//! - A wait is never shorter than what the provider asked for, and always shorter than the time left.
//! - The budget never goes below zero nor above its cap; one word, no lock.

use rand::{Rng, RngExt};

use crate::cell::Word;
use crate::outcome::Outcome;
use crate::time::{Span, Tick, Time};
use crate::tuning::Tuning;

/// A wait from which on another model is preferred, if there is one: 3 s, a few times to first token.
const LONG_WAIT: Span = Span::from_secs(3);

/// Part by which a wait that the provider asked for is prolonged at most, so that clients do not come back together.
const SPREAD: f64 = 0.1;

/// Bits of the saved thousandths in the budget's word: 2^27 / 1000 = 134 217 attempts, above the largest cap.
const MILLI_BITS: u32 = 27;

/// Thousandths that one attempt costs.
const ATTEMPT: u64 = 1_000;

/// A budget of extra attempts shared by every request.
#[derive(Debug)]
pub struct RetryBudget {
    /// Tick of the last refill, and below it the saved thousandths of attempts.
    word: Word,
    /// Thousandths earned per client request.
    per_request: u64,
    /// Thousandths earned per second.
    per_second: f64,
    /// Most thousandths saved.
    cap: u64,
}

impl RetryBudget {
    /// A full budget.
    #[must_use]
    pub fn new(tuning: &Tuning) -> Self {
        let milli = |attempts: f32| f64::from(attempts) * ATTEMPT as f64;
        let cap = (milli(tuning.retry.cap) as u64).min((1 << MILLI_BITS) - 1);
        Self {
            word: Word::new(cap),
            per_request: milli(tuning.retry.ratio).round() as u64,
            per_second: milli(tuning.retry.per_second),
            cap,
        }
    }

    /// Earns the share of one client request.
    pub fn deposit(&self, now: Time) {
        self.word
            .update(|word| self.saved(word, now, self.per_request));
    }

    /// Pays for one extra attempt; false if the budget cannot.
    #[must_use]
    pub fn withdraw(&self, now: Time) -> bool {
        let affordable = |word: u64| milli(self.saved(word, now, 0)) >= ATTEMPT;
        let swap = self.word.update(|word| {
            if affordable(word) {
                self.saved(word, now, 0) - ATTEMPT
            } else {
                word
            }
        });
        swap.is_some_and(|swap| affordable(swap.before))
    }

    /// Extra attempts that could be paid for at `now`.
    #[must_use]
    pub fn left(&self, now: Time) -> f64 {
        milli(self.saved(self.word.load(), now, 0)) as f64 / ATTEMPT as f64
    }

    /// The word after the time since its tick and `earned` thousandths are added.
    fn saved(&self, word: u64, now: Time, earned: u64) -> u64 {
        let then = Tick::from_index(word >> MILLI_BITS);
        let tick = now.tick().max(then);
        let seconds = (tick.index() - then.index()) as f64 * TICK_SECONDS;
        let gained = (seconds * self.per_second).min(self.cap as f64) as u64;
        let saved = (milli(word) + gained + earned).min(self.cap);
        (tick.index() << MILLI_BITS) | saved
    }
}

/// Seconds in a tick.
const TICK_SECONDS: f64 = (1_u64 << crate::time::TICK_SHIFT) as f64 / 1e6;

/// The thousandths in a budget's word.
const fn milli(word: u64) -> u64 {
    word & ((1 << MILLI_BITS) - 1)
}

/// How often and how long one request is retried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; default 4, at least 1.
    pub max_attempts: u32,
    /// Extra attempts on the same route; default 1.
    pub same_route: u32,
    /// First back-off where the provider asks for none; default 250 ms. Doubles at each further one.
    pub base: Span,
    /// Longest back-off; default 8 s.
    pub cap: Span,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            same_route: 1,
            base: Span::from_millis(250),
            cap: Span::from_secs(8),
        }
    }
}

/// What was tried so far for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct History {
    /// Attempts made, the failed one included.
    pub attempts: u32,
    /// Attempts made on the current route, the failed one included.
    pub same_route: u32,
    /// Candidates of the pool not tried yet.
    pub others: u32,
    /// Further models to fall back to.
    pub fallbacks: u32,
    /// The last wait of this request; zero if there was none.
    pub last_backoff: Span,
}

/// Whether a byte has reached the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Nothing was sent yet.
    No,
    /// The client has seen a part.
    Yes,
}

/// How the last attempt failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    /// How it ended.
    pub outcome: Outcome,
    /// What the provider asked us to wait.
    pub retry_after: Option<Span>,
    /// Whether a byte has reached the client.
    pub committed: Committed,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give the failure to the client.
    Stop,
    /// Try the same route after a wait.
    Same {
        /// How long to wait: jittered, at least what the provider asked for, less than the time left.
        wait: Span,
    },
    /// Try another route at once.
    Next,
    /// Try another model at once.
    NextModel,
}

/// What a failure proves about the route, when no other route is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// Nothing is worth trying.
    Never,
    /// The route will fail again: another model, if any.
    Elsewhere,
    /// The route is short of capacity: another model first, else the same route after a wait.
    ElsewhereFirst,
    /// The route may succeed shortly: the same route after a wait, then another model.
    Shortly,
}

/// What `outcome` proves.
const fn again(outcome: Outcome) -> Again {
    match outcome {
        Outcome::Success | Outcome::Rejected | Outcome::Canceled => Again::Never,
        Outcome::TimedOut | Outcome::KeyRejected | Outcome::Unsupported => Again::Elsewhere,
        Outcome::Overloaded => Again::ElsewhereFirst,
        // An answer cut before anything of it was passed on is as good as none.
        Outcome::RateLimited
        | Outcome::ServerError
        | Outcome::Unreachable
        | Outcome::Disconnected
        | Outcome::Truncated => Again::Shortly,
    }
}

/// The step after `failure`, when the client waits for `deadline_left` more.
#[must_use]
pub fn next(
    policy: &RetryPolicy,
    history: &History,
    failure: &Failure,
    deadline_left: Span,
    rng: &mut impl Rng,
) -> Step {
    let again = again(failure.outcome);
    let over = history.attempts >= policy.max_attempts || deadline_left == Span::ZERO;
    if again == Again::Never || over || failure.committed == Committed::Yes {
        return Step::Stop;
    }
    if history.others > 0 {
        return Step::Next;
    }
    let other_model = if history.fallbacks > 0 {
        Step::NextModel
    } else {
        Step::Stop
    };
    if again == Again::Elsewhere
        || (again == Again::ElsewhereFirst && other_model == Step::NextModel)
    {
        return other_model;
    }
    if history.same_route > policy.same_route {
        return other_model;
    }
    let long = failure.retry_after.is_some_and(|asked| asked > LONG_WAIT);
    if long && other_model == Step::NextModel {
        return other_model;
    }
    wait(policy, history, failure, deadline_left, rng)
        .map_or(other_model, |wait| Step::Same { wait })
}

/// How long to wait before the same route is tried again; `None` if there is not so much time.
fn wait(
    policy: &RetryPolicy,
    history: &History,
    failure: &Failure,
    deadline_left: Span,
    rng: &mut impl Rng,
) -> Option<Span> {
    let random = rng.random::<f64>();
    let (least, wait) = if let Some(asked) = failure.retry_after {
        (asked, asked.mul_f64(1.0 + SPREAD * random).max(asked))
    } else {
        let twice = history.last_backoff.plus(history.last_backoff);
        let backoff = policy.base.max(twice).min(policy.cap);
        (Span::ZERO, backoff.mul_f64(0.5 + random).min(policy.cap))
    };
    if wait < deadline_left {
        Some(wait)
    } else {
        (failure.retry_after.is_some() && least < deadline_left).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const LEFT: Span = Span::from_secs(30);

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Expect {
        Stop,
        Same,
        Next,
        NextModel,
    }
    use Expect::{Next as N, NextModel as M, Same as S, Stop as X};

    fn kind(step: Step) -> Expect {
        match step {
            Step::Stop => X,
            Step::Same { .. } => S,
            Step::Next => N,
            Step::NextModel => M,
        }
    }

    fn step(history: History, outcome: Outcome, retry_after: Option<Span>, left: Span) -> Step {
        let mut rng = StdRng::seed_from_u64(7);
        let failure = Failure {
            outcome,
            retry_after,
            committed: Committed::No,
        };
        next(&RetryPolicy::default(), &history, &failure, left, &mut rng)
    }

    fn tried(same_route: u32, others: u32, fallbacks: u32) -> History {
        History {
            attempts: same_route,
            same_route,
            others,
            fallbacks,
            last_backoff: Span::ZERO,
        }
    }

    /// Per outcome: another route left; then with none left: first failure, second failure on the same route,
    /// each with and without another model; then a long and a hopeless `Retry-After`, with and without another model.
    #[test]
    fn every_outcome_in_every_situation() {
        let long = Some(Span::from_secs(10));
        let hopeless = Some(Span::from_secs(86_400));
        let table = [
            (Outcome::Success, [X, X, X, X, X, X, X, X, X]),
            (Outcome::RateLimited, [N, S, S, M, X, M, S, M, X]),
            (Outcome::Overloaded, [N, M, S, M, X, M, S, M, X]),
            (Outcome::ServerError, [N, S, S, M, X, M, S, M, X]),
            (Outcome::TimedOut, [N, M, X, M, X, M, X, M, X]),
            (Outcome::Unreachable, [N, S, S, M, X, M, S, M, X]),
            (Outcome::Disconnected, [N, S, S, M, X, M, S, M, X]),
            (Outcome::Truncated, [N, S, S, M, X, M, S, M, X]),
            (Outcome::KeyRejected, [N, M, X, M, X, M, X, M, X]),
            (Outcome::Unsupported, [N, M, X, M, X, M, X, M, X]),
            (Outcome::Rejected, [X, X, X, X, X, X, X, X, X]),
            (Outcome::Canceled, [X, X, X, X, X, X, X, X, X]),
        ];
        assert_eq!(table.map(|(outcome, _)| outcome), Outcome::ALL);
        for (outcome, expected) in table {
            let situations = [
                step(tried(1, 3, 1), outcome, None, LEFT),
                step(tried(1, 0, 1), outcome, None, LEFT),
                step(tried(1, 0, 0), outcome, None, LEFT),
                step(tried(2, 0, 1), outcome, None, LEFT),
                step(tried(2, 0, 0), outcome, None, LEFT),
                step(tried(1, 0, 1), outcome, long, LEFT),
                step(tried(1, 0, 0), outcome, long, LEFT),
                step(tried(1, 0, 1), outcome, hopeless, LEFT),
                step(tried(1, 0, 0), outcome, hopeless, LEFT),
            ];
            assert_eq!(situations.map(kind), expected, "{}", outcome.name());
        }
    }

    #[test]
    fn nothing_follows_a_byte_the_last_attempt_or_the_deadline() {
        let mut rng = StdRng::seed_from_u64(7);
        let policy = RetryPolicy::default();
        for outcome in Outcome::ALL {
            let sent = Failure {
                outcome,
                retry_after: None,
                committed: Committed::Yes,
            };
            let unsent = Failure {
                committed: Committed::No,
                ..sent
            };
            let spent = History {
                attempts: policy.max_attempts,
                ..tried(1, 3, 3)
            };
            assert_eq!(
                next(&policy, &tried(1, 3, 3), &sent, LEFT, &mut rng),
                Step::Stop,
                "{}",
                outcome.name()
            );
            assert_eq!(
                next(&policy, &spent, &unsent, LEFT, &mut rng),
                Step::Stop,
                "{}",
                outcome.name()
            );
            assert_eq!(
                next(&policy, &tried(1, 3, 3), &unsent, Span::ZERO, &mut rng),
                Step::Stop,
                "{}",
                outcome.name()
            );
        }
    }

    #[test]
    fn a_wait_is_at_least_what_was_asked_and_less_than_what_is_left() {
        let policy = RetryPolicy::default();
        for seed in 0..200 {
            let mut rng = StdRng::seed_from_u64(seed);
            for asked in [1_u64, 500, 2_000, 29_999] {
                let asked = Span::from_millis(asked);
                let failure = Failure {
                    outcome: Outcome::RateLimited,
                    retry_after: Some(asked),
                    committed: Committed::No,
                };
                let Step::Same { wait } = next(&policy, &tried(1, 0, 0), &failure, LEFT, &mut rng)
                else {
                    unreachable!("seed {seed}: the wait fits")
                };
                assert!(
                    wait >= asked && wait < LEFT && wait <= asked.mul_f64(1.1),
                    "seed {seed}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn back_offs_double_are_jittered_and_capped() {
        let policy = RetryPolicy {
            same_route: 10,
            max_attempts: 20,
            ..RetryPolicy::default()
        };
        let failure = Failure {
            outcome: Outcome::RateLimited,
            retry_after: None,
            committed: Committed::No,
        };
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut history = tried(1, 0, 0);
            for attempt in 0..10 {
                let Step::Same { wait } =
                    next(&policy, &history, &failure, Span::from_secs(60), &mut rng)
                else {
                    unreachable!("seed {seed}: the wait fits")
                };
                let twice = history.last_backoff.plus(history.last_backoff);
                let expected = policy.base.max(twice).min(policy.cap);
                assert!(
                    wait >= expected.mul_f64(0.5) && wait <= policy.cap,
                    "seed {seed}, attempt {attempt}"
                );
                seen.insert(wait);
                history.last_backoff = wait;
                history.attempts += 1;
                history.same_route += 1;
            }
        }
        assert!(seen.len() > 500, "jitter must spread the waits");
    }

    #[test]
    fn the_outcome_table_and_the_steps_agree_on_what_ends_a_request() {
        for outcome in Outcome::ALL {
            let stops = outcome.effect().retry == crate::outcome::RetryClass::Stop;
            let truncated = outcome == Outcome::Truncated;
            assert_eq!(
                again(outcome) == Again::Never,
                stops && !truncated,
                "{}",
                outcome.name()
            );
        }
    }

    #[test]
    fn the_budget_earns_by_request_and_by_time() {
        let budget = RetryBudget::new(&Tuning::default());
        let start = Time::from_micros(1_000_000_000);
        while budget.withdraw(start) {}
        assert!(budget.left(start) < 1.0);
        for _ in 0..100 {
            budget.deposit(start);
        }
        assert!(
            (budget.left(start) - 10.0).abs() < 1.0,
            "a tenth of 100 requests"
        );
        while budget.withdraw(start) {}
        let later = start.plus(Span::from_secs(4));
        assert!((budget.left(later) - 12.0).abs() < 1.0, "3 per second");
        assert!(
            (budget.left(later.plus(Span::from_secs(3_600))) - 500.0).abs() < 1e-6,
            "the cap"
        );
    }

    #[test]
    fn the_budget_bounds_attempts_under_permanent_failure() {
        let budget = RetryBudget::new(&Tuning::default());
        let mut retries = 0_u64;
        for request in 0..60_000_u64 {
            let now = Time::from_micros(1_000_000 + request * 1_000);
            budget.deposit(now);
            for _ in 0..3 {
                retries += u64::from(budget.withdraw(now));
            }
        }
        let bound = 60_000 / 10 + 60 * 3 + 501;
        assert!(
            (bound - 100..=bound).contains(&retries),
            "{retries} of at most {bound}"
        );
    }

    #[test]
    fn an_older_instant_earns_nothing_twice() {
        let budget = RetryBudget::new(&Tuning::default());
        let late = Time::from_micros(100_000_000);
        while budget.withdraw(late) {}
        budget.deposit(Time::from_micros(1));
        assert!(budget.left(late) < 1.2);
    }

    #[cfg(not(loom))]
    #[test]
    fn threads_never_overdraw() {
        let budget = RetryBudget::new(&Tuning::default());
        let now = Time::from_micros(1_000_000);
        let paid = std::sync::atomic::AtomicU64::new(0);
        let held = budget.left(now);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        paid.fetch_add(
                            u64::from(budget.withdraw(now)),
                            std::sync::atomic::Ordering::Relaxed,
                        );
                    }
                });
            }
        });
        assert!((paid.into_inner() as f64 - held).abs() < 1.0);
    }
}
