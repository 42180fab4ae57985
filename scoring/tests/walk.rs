//! Whatever the pools decide and however attempts fail, a walk ends, and pays for what it does.
#![cfg(not(loom))]

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::cost::Terms;
use scoring::retry::{Committed, Failure, RetryBudget, RetryPolicy};
use scoring::select::{Decision, Mode, Pick, ShedReason};
use scoring::time::{Span, Time};
use scoring::tuning::Tuning;
use scoring::walk::{Next, Setback, Walk};

const NOW: Time = Time::from_micros(1_000_000);

/// Routes in each pool.
const ROUTES: usize = 3;

fn decision() -> impl Strategy<Value = Decision> {
    let picked = (
        0..ROUTES,
        prop::sample::select(vec![Mode::Normal, Mode::Probe, Mode::Hot, Mode::Panic]),
    );
    prop_oneof![
        6 => picked.prop_map(|(index, mode)| Decision::Picked(Pick {
            index,
            propensity: 1.0,
            mode,
            score: 1.0,
            band: 1,
            cost: Terms::default(),
        })),
        1 => (1u64..60).prop_map(|seconds| Decision::Shed {
            retry_after: Span::from_secs(seconds),
            reason: ShedReason::Full,
        }),
        1 => Just(Decision::Exhausted),
    ]
}

fn failure() -> impl Strategy<Value = Failure> {
    let outcomes = vec![
        Outcome::ServerError,
        Outcome::TimedOut,
        Outcome::RateLimited,
        Outcome::Unreachable,
        Outcome::KeyRejected,
        Outcome::Rejected,
        Outcome::Truncated,
    ];
    (
        prop::sample::select(outcomes),
        prop::option::of(0u64..20),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(outcome, seconds, committed)| Failure {
            outcome,
            retry_after: seconds.map(Span::from_secs),
            committed: if committed {
                Committed::Yes
            } else {
                Committed::No
            },
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_ends_and_pays(
        models in 0usize..5,
        decisions in prop::collection::vec(decision(), 64),
        failures in prop::collection::vec((failure(), any::<bool>()), 64),
        affordable in 0u32..6,
        seed in any::<u64>(),
    ) {
        let budget = RetryBudget::new(&Tuning { retry: scoring::tuning::RetryTuning { ratio: 0.0, per_second: 0.0, cap: 6.0 }, ..Tuning::default() });
        for _ in affordable..6 {
            prop_assert!(budget.withdraw(NOW));
        }
        let (policy, mut rng) = (RetryPolicy::default(), SmallRng::seed_from_u64(seed));
        let mut walk = Walk::begin(models, &budget, NOW);
        let (mut decisions, mut failures) = (decisions.into_iter(), failures.into_iter());
        let (mut last, mut passed) = (None, 0);
        'walk: while let Some(model) = walk.model() {
            prop_assert!(model < models);
            let Some(decision) = decisions.next() else {
                return Err(TestCaseError::fail("the walk does not end"));
            };
            let Some(pick) = walk.take(&decision) else {
                passed += usize::from(walk.attempts() == 0);
                continue;
            };
            if pick.mode == Mode::Panic && models > 1 {
                prop_assert!(passed >= models, "a model that is down was used before the others were asked");
            }
            loop {
                let Some((failure, admits)) = failures.next() else {
                    return Err(TestCaseError::fail("the attempts do not end"));
                };
                let setback = Setback { policy: &policy, failure: &failure, candidates: ROUTES, larger_context: false, deadline_left: Span::from_secs(30) };
                let next = walk.failed(&setback, &budget, NOW, &mut rng);
                prop_assert!(next == Next::Stop || failure.committed == Committed::No);
                last = Some(next);
                match next {
                    Next::Stop => break 'walk,
                    Next::Again { wait } => {
                        prop_assert!(wait < setback.deadline_left);
                        if !walk.resume(admits) {
                            prop_assert!(walk.tried().contains(pick.index));
                            break;
                        }
                    }
                    Next::Decide => break,
                    Next::LargerModel => return Err(TestCaseError::fail("no larger model was offered")),
                }
            }
        }
        prop_assert!(walk.attempts() <= policy.max_attempts);
        let paid = f64::from(affordable) - budget.left(NOW);
        prop_assert!(f64::from(walk.attempts()) <= paid + 1.0, "{} attempts, {paid} paid", walk.attempts());
        prop_assert!(last.is_none() || walk.attempts() > 0);
    }
}
