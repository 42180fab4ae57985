//! Tiers that let in together or not at all, and under threads.

use std::thread;

use proptest::prelude::*;

use super::*;

const NONE: RateLimits = RateLimits {
    requests_per_minute: None,
    input_tokens_per_minute: None,
    output_tokens_per_minute: None,
    concurrency: None,
};

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn tiers<const N: usize>(limits: [RateLimits; N]) -> [Tier; N] {
    limits.map(|limits| Tier {
        pace: Arc::default(),
        limits,
    })
}

fn refused(tiers: &[Tier], input: u64, now: Time) -> (usize, Rate, Span) {
    match pass(tiers, input, now) {
        Err(TooFast::Limit { index, rate, wait }) => (index, rate, wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_limit_is_told_with_its_wait() {
    let second = Span::from_secs(1);
    for (limits, rate, wait) in [
        (
            RateLimits {
                requests_per_minute: Some(1),
                ..NONE
            },
            Rate::Requests,
            Span::from_secs(60),
        ),
        (
            RateLimits {
                input_tokens_per_minute: Some(60),
                ..NONE
            },
            Rate::InputTokens,
            Span::from_secs(40),
        ),
        (
            RateLimits {
                concurrency: Some(1),
                ..NONE
            },
            Rate::Concurrency,
            second,
        ),
    ] {
        let tiers = tiers([NONE, limits]);
        let first = pass(&tiers, 50, at(100)).unwrap();
        assert_eq!(refused(&tiers, 50, at(100)), (1, rate, wait));
        assert_eq!(tiers[0].pace.in_flight(), 1, "a refusal holds no place");
        drop(first);
        assert!(pass(&tiers, 50, at(100).plus(wait)).is_ok());
    }
}

#[test]
fn output_is_charged_afterwards_and_who_owes_is_not_let_in() {
    let limits = RateLimits {
        output_tokens_per_minute: Some(60),
        ..NONE
    };
    let tiers = tiers([limits]);
    let (one, two) = (
        pass(&tiers, 0, at(100)).unwrap(),
        pass(&tiers, 0, at(100)).unwrap(),
    );
    one.settle(0, 59, at(100));
    assert!(pass(&tiers, 0, at(100)).is_ok(), "one token is left");
    two.settle(0, 30, at(100));
    let expected = (0, Rate::OutputTokens, Span::from_secs(30));
    assert_eq!(refused(&tiers, 0, at(100)), expected);
    assert!(pass(&tiers, 0, at(130)).is_ok());
}

#[test]
fn the_estimate_of_the_input_is_put_right() {
    let limits = RateLimits {
        input_tokens_per_minute: Some(60),
        ..NONE
    };
    for (actual, wait) in [(60, 60), (10, 10), (0, 0), (90, 90)] {
        let tiers = tiers([limits]);
        pass(&tiers, 60, at(100))
            .unwrap()
            .settle(actual, 5, at(100));
        let wait = Span::from_secs(wait);
        if wait > Span::ZERO {
            assert_eq!(refused(&tiers, 60, at(100)), (0, Rate::InputTokens, wait));
        }
        assert!(pass(&tiers, 60, at(100).plus(wait)).is_ok());
    }
}

#[test]
fn what_was_never_sent_is_given_back() {
    let limits = RateLimits {
        requests_per_minute: Some(1),
        input_tokens_per_minute: Some(60),
        output_tokens_per_minute: Some(60),
        concurrency: Some(1),
    };
    let tiers = tiers([limits; TIERS]);
    for _ in 0..10 {
        pass(&tiers, 60, at(100)).unwrap().unspend();
    }
    let more = vec![tiers[0].clone(); TIERS + 1];
    assert_eq!(
        pass(&more, 1, at(100)).unwrap_err(),
        TooFast::TooMany(TIERS + 1)
    );
}

#[test]
fn the_longest_wait_is_told() {
    let requests = |limit| RateLimits {
        requests_per_minute: Some(limit),
        ..NONE
    };
    let tiers = tiers([requests(4), requests(1), requests(2)]);
    assert!(pass(&tiers, 0, at(100)).is_ok());
    for alone in [&tiers[..1], &tiers[..1], &tiers[..1], &tiers[2..]] {
        assert!(pass(alone, 0, at(100)).is_ok());
    }
    assert_eq!(
        refused(&tiers, 0, at(100)),
        (1, Rate::Requests, Span::from_secs(60))
    );
}

fn limits() -> impl Strategy<Value = RateLimits> {
    let limit = || prop::option::of(1_u32..300);
    (limit(), limit(), limit()).prop_map(|(requests, input, output)| RateLimits {
        requests_per_minute: requests,
        input_tokens_per_minute: input,
        output_tokens_per_minute: output,
        concurrency: None,
    })
}

proptest! {
    #[test]
    fn waiting_that_long_suffices_and_a_refusal_spends_nothing(
        limits in prop::collection::vec(limits(), 1..=TIERS),
        asks in prop::collection::vec((0_u64..400, 0_u64..400, 0_u64..400, 0_u64..20_000_000), 1..60),
    ) {
        let tiers: Vec<Tier> = limits
            .into_iter()
            .map(|limits| Tier { pace: Arc::default(), limits })
            .collect();
        let mut now = at(100);
        for (input, actual, output, micros) in asks {
            now = now.plus(Span::from_micros(micros));
            let passes = match pass(&tiers, input, now) {
                Ok(passes) => passes,
                Err(TooFast::Limit { index, rate, wait }) => {
                    // Asked again at once it is the same: nothing was spent.
                    prop_assert_eq!(refused(&tiers, input, now), (index, rate, wait));
                    let short = Span::from_micros(wait.as_micros() - 1);
                    prop_assert!(pass(&tiers, input, now.plus(short)).is_err());
                    now = now.plus(wait);
                    pass(&tiers, input, now).unwrap()
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            };
            passes.settle(actual, output, now);
        }
        prop_assert!(tiers.iter().all(|tier| tier.pace.in_flight() == 0));
    }
}

#[test]
fn threads_share_tiers_of_which_each_is_tightest_in_turn() {
    const MANY: u32 = 1_000_000;
    for tight in 0..4 {
        let limits = |tier| RateLimits {
            requests_per_minute: Some(if tier == tight { 500 } else { MANY }),
            concurrency: Some(if tier == tight { 2 } else { MANY }),
            ..NONE
        };
        let tiers = tiers([limits(0), limits(1), limits(2), limits(3)]);
        let passed: u32 = thread::scope(|scope| {
            let one = |_| {
                scope.spawn(|| {
                    let passes = (0..5_000).filter(|_| pass(&tiers, 1, at(9)).is_ok());
                    passes.count() as u32
                })
            };
            let threads: Vec<_> = (0..4).map(one).collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(passed, 500);
        for tier in &tiers {
            // What is left on each is its limit less what passed: refusals spent nothing.
            let limit = tier.limits.requests_per_minute.unwrap();
            let left = u64::from(limit - passed);
            assert_eq!(tier.pace.requests.wait(left, limit, at(9)), Span::ZERO);
            assert!(tier.pace.requests.wait(left + 1, limit, at(9)) > Span::ZERO);
            assert_eq!(tier.pace.in_flight(), 0);
        }
    }
}
