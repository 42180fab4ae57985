//! Tiers that pay together or not at all, and under threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::config::{Schedule, Style};

fn nano(amount: u64) -> Nano {
    Nano::new(amount)
}

/// Hard budgets of a day with these limits.
fn charges(limits: &[u64]) -> Vec<Charge> {
    let schedule = Schedule {
        length: "1d".parse().unwrap(),
        style: Style::Aligned(TimeZone::UTC),
    };
    let charge = |&limit| Charge {
        account: Arc::new(Account::new(&schedule, 0)),
        limit: nano(limit),
        hard: true,
        number: 1,
        length: schedule.length,
    };
    limits.iter().map(charge).collect()
}

/// Spent and reserved of each.
fn seen(charges: &[Charge]) -> Vec<(u64, u64)> {
    let views = charges.iter().map(|it| it.account.view(it.limit));
    views
        .map(|it| (it.spent.get(), it.reserved.get()))
        .collect()
}

#[test]
fn all_pay_or_none() {
    let charges = charges(&[100, 50, 100]);
    let hold = reserve(&[&charges], nano(30)).unwrap();
    assert_eq!(seen(&charges), [(0, 30); 3]);
    let refusal = reserve(&[&charges], nano(21)).unwrap_err();
    let expected = Refusal::Spent {
        tier: 0,
        index: 1,
        left: nano(20),
        opens_at: Some(86_400),
    };
    assert_eq!(refusal, expected);
    assert_eq!(seen(&charges), [(0, 30); 3]);
    hold.settle(nano(10));
    assert_eq!(seen(&charges), [(10, 0); 3]);
    let never = reserve(&[&charges], nano(51)).unwrap_err();
    assert!(matches!(never, Refusal::Spent { opens_at: None, .. }));
    assert!(reserve(&[], nano(5)).is_ok(), "who has no budget is free");
}

#[test]
fn a_hold_that_is_dropped_settles_at_what_it_was_told_before() {
    let charges = charges(&[100]);
    drop(reserve(&[&charges], nano(30)).unwrap());
    assert_eq!(seen(&charges), [(30, 0)], "unknown: all of it");
    let mut hold = reserve(&[&charges], nano(30)).unwrap();
    hold.if_untold(nano(7));
    assert_eq!(hold.amount(), nano(30));
    drop(hold);
    assert_eq!(seen(&charges), [(37, 0)]);
}

#[test]
fn a_soft_budget_counts_and_refuses_nothing() {
    let mut charges = charges(&[10, 100]);
    charges[0].hard = false;
    reserve(&[&charges], nano(80)).unwrap().settle(nano(80));
    assert_eq!(seen(&charges), [(80, 0); 2]);
    assert!(matches!(
        reserve(&[&charges], nano(21)),
        Err(Refusal::Spent { index: 1, .. })
    ));
}

#[test]
fn too_many_are_refused_and_not_left_out() {
    let charges = charges(&[100; MOST + 1]);
    assert!(reserve(&[&charges[..MOST]], nano(1)).is_ok());
    let refusal = reserve(&[&charges], nano(1)).unwrap_err();
    assert_eq!(refusal, Refusal::TooMany(MOST + 1));
    assert_eq!(seen(&charges)[MOST], (0, 0));
}

proptest! {
    #[test]
    fn a_refusal_leaves_every_tier_as_it_was(
        limits in prop::collection::vec(1_u64..200, 1..=MOST),
        amounts in prop::collection::vec((1_u64..60, 0_u64..=100, any::<bool>()), 1..60),
    ) {
        let charges = charges(&limits);
        let tightest = *limits.iter().min().unwrap();
        let (mut holds, mut spent, mut reserved) = (Vec::new(), 0, 0);
        for (amount, percent, settles) in amounts {
            match reserve(&[&charges], nano(amount)) {
                Ok(hold) => {
                    prop_assert!(spent + reserved + amount <= tightest);
                    reserved += amount;
                    holds.push(hold);
                }
                Err(Refusal::Spent { index, left, .. }) => {
                    prop_assert!(spent + reserved + amount > limits[index]);
                    prop_assert_eq!(left.get(), limits[index] - spent - reserved);
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
            if settles && let Some(hold) = holds.pop() {
                let held = hold.amount().get();
                let actual = held * percent / 100;
                hold.settle(nano(actual));
                (spent, reserved) = (spent + actual, reserved - held);
            }
            for view in seen(&charges) {
                prop_assert_eq!(view, (spent, reserved));
            }
        }
    }
}

/// Threads spend over four tiers, of which one is tight: its limit holds at every sample, and in the end every tier has been charged the same.
fn hammer(tight: usize) {
    const EACH: u64 = 20_000;
    let mut limits = [10_000_000; 4];
    limits[tight] = 100_000;
    let (charges, done) = (charges(&limits), AtomicBool::new(false));
    let (spent, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let one = |seed: u64| {
            let (charges, spent, refused) = (&charges, &spent, &refused);
            scope.spawn(move || {
                for round in 0..EACH {
                    let amount = (round * 11 + seed * 17) % 50 + 1;
                    match reserve(&[charges], nano(amount)) {
                        Ok(hold) => {
                            let actual = amount * (round % 3) / 2;
                            hold.settle(nano(actual));
                            spent.fetch_add(actual, Ordering::Relaxed);
                        }
                        Err(Refusal::Spent { index, .. }) => {
                            assert_eq!(index, tight);
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        };
        let spenders: Vec<_> = (0..4).map(one).collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (view, limit) in seen(&charges).into_iter().zip(limits) {
                    assert!(view.0 + view.1 <= limit, "{view:?}");
                }
                thread::yield_now();
            }
        });
        spenders.into_iter().for_each(|it| it.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let spent = spent.into_inner();
    assert!(refused.into_inner() > 0, "the tight one was reached");
    assert_eq!(seen(&charges), [(spent, 0); 4]);
}

#[test]
fn whichever_tier_is_tightest_holds_under_threads() {
    (0..4).for_each(hammer);
}
