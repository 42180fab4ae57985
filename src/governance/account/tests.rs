//! An account against a plain one that remembers everything, and under threads.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;

fn schedule(length: &str, style: Style) -> Schedule {
    Schedule {
        length: length.parse().unwrap(),
        style,
    }
}

fn aligned(length: &str) -> Schedule {
    schedule(length, Style::Aligned(TimeZone::UTC))
}

fn nano(amount: u64) -> Nano {
    Nano::new(amount)
}

#[test]
fn the_limit_is_reached_and_not_passed() {
    let account = Account::new(&aligned("1m"), 30);
    let limit = nano(100);
    let first = account.reserve(nano(60), limit).unwrap();
    assert_eq!(account.reserve(nano(41), limit), Err(nano(40)));
    let second = account.reserve(nano(40), limit).unwrap();
    assert_eq!(account.reserve(nano(1), limit), Err(Nano::ZERO));
    account.settle(first, nano(60), nano(10));
    let view = account.view(limit);
    assert_eq!((view.spent, view.reserved), (nano(10), nano(40)));
    assert_eq!(view.opens_at, None);
    // More than was reserved: the truth wins.
    account.settle(second, nano(40), nano(95));
    let expected = View {
        window: Window { start: 0, end: 60 },
        limit,
        spent: nano(105),
        reserved: Nano::ZERO,
        overruns: 1,
        opens_at: Some(60),
    };
    assert_eq!(account.view(limit), expected);
    assert_eq!(account.reserve(Nano::ZERO, limit), Err(Nano::ZERO));
    assert_eq!(account.opens_at(nano(101), limit), None);
}

#[test]
fn no_limit_refuses_nothing() {
    let account = Account::new(&aligned("1m"), 0);
    for _ in 0..3 {
        let tag = account.reserve(Nano::MAX, Nano::MAX).unwrap();
        account.settle(tag, Nano::MAX, Nano::MAX);
    }
    assert_eq!(account.view(nano(5)).spent, Nano::MAX);
}

#[test]
fn a_window_takes_nothing_with_it() {
    let (minute, limit) = (aligned("1m"), nano(10));
    let account = Account::new(&minute, 0);
    let before = account.reserve(nano(10), limit).unwrap();
    assert_eq!(account.turn(&minute, 59), 60);
    assert_eq!(account.left(limit), Nano::ZERO);
    assert_eq!(account.turn(&minute, 60), 120);
    assert_eq!(
        (account.left(limit), account.view(limit).reserved),
        (limit, Nano::ZERO)
    );
    let after = account.reserve(nano(4), limit).unwrap();
    account.settle(before, nano(10), nano(10));
    let view = account.view(limit);
    assert_eq!((view.spent, view.reserved), (Nano::ZERO, nano(4)));
    account.settle(after, nano(4), nano(4));
    assert_eq!(account.view(limit).spent, nano(4));
}

#[test]
fn a_clock_that_leaps_opens_once_and_one_set_back_never() {
    let (day, limit) = (aligned("1d"), nano(10));
    let account = Account::new(&day, 10 * 86_400);
    let spend = || assert!(account.reserve(limit, limit).is_ok());
    spend();
    for back in [10 * 86_400 - 1, 9 * 86_400, 0, i64::MIN] {
        account.turn(&day, back);
        assert_eq!(account.left(limit), Nano::ZERO, "{back}");
    }
    account.turn(&day, 40 * 86_400);
    spend();
    for again in [40 * 86_400, 11 * 86_400, 40 * 86_400 + 86_399] {
        account.turn(&day, again);
        assert_eq!(account.left(limit), Nano::ZERO, "{again}");
    }
    assert_eq!(account.view(limit).window, day.window_at(40 * 86_400));
}

#[test]
fn what_was_spent_before_a_restart_counts() {
    let (minute, limit) = (aligned("1m"), nano(100));
    let at = |second| Window {
        start: second,
        end: second + 1,
    };
    let account = Account::new(&minute, 130);
    account.restore(at(119), nano(1));
    account.restore(at(120), nano(2));
    account.restore(at(179), nano(4));
    account.restore(minute.window_at(125), nano(8));
    assert_eq!(account.view(limit).spent, nano(14));
    // The clock was set back before the restart: the later window stays.
    account.restore(minute.window_at(185), nano(16));
    account.restore(at(125), nano(32));
    let view = account.view(limit);
    assert_eq!((view.window, view.spent), (minute.window_at(185), nano(16)));

    let rolling = schedule("1m", Style::Rolling);
    let account = Account::new(&rolling, 130);
    account.restore(at(60), nano(1));
    account.restore(at(72), nano(2));
    account.restore(at(130), nano(4));
    account.restore(at(135), nano(8));
    assert_eq!(
        account.view(limit).spent,
        nano(12),
        "the first two are over by 135"
    );
    account.turn(&rolling, 192);
    assert_eq!(account.view(limit).spent, nano(8));
}

#[test]
fn a_rolling_budget_says_when_enough_is_over() {
    let (rolling, limit) = (schedule("1m", Style::Rolling), nano(100));
    let account = Account::new(&rolling, 1_000);
    let spend = |amount| {
        let tag = account.reserve(nano(amount), limit).unwrap();
        account.settle(tag, nano(amount), nano(amount));
    };
    spend(30);
    account.turn(&rolling, 1_020);
    spend(70);
    assert_eq!(account.view(limit).opens_at, Some(1_062));
    for (amount, opens) in [(1, 1_062), (30, 1_062), (31, 1_082), (100, 1_082)] {
        assert_eq!(account.opens_at(nano(amount), limit), Some(opens));
        let later = Account::new(&rolling, 1_000);
        later.restore(
            Window {
                start: 1_000,
                end: 1_001,
            },
            nano(30),
        );
        later.restore(
            Window {
                start: 1_020,
                end: 1_021,
            },
            nano(70),
        );
        later.turn(&rolling, opens - 1);
        assert!(later.reserve(nano(amount), limit).is_err());
        later.turn(&rolling, opens);
        assert!(later.reserve(nano(amount), limit).is_ok());
    }
}

/// What may happen to an account.
#[derive(Clone, Debug)]
enum Step {
    Reserve(u64),
    /// Settles an open one, at so many percent.
    Settle(usize, u64),
    /// Time passes, or the clock is set back, and the control task comes.
    Pass(i64),
}

fn step(most: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..60).prop_map(Step::Reserve),
        4 => (0_usize..8, 0..=most).prop_map(|(which, percent)| Step::Settle(which, percent)),
        3 => (0_i64..30).prop_map(Step::Pass),
        1 => (-300_i64..300).prop_map(Step::Pass),
    ]
}

/// The plain account: it remembers every amount with its instant and looks all of them through.
#[derive(Debug, Default)]
struct Twin {
    open: Vec<(Tag, u64, Window)>,
    spent: Vec<(i64, u64, Window)>,
}

impl Twin {
    fn committed(&self, counts: impl Fn(Option<i64>, Window) -> bool) -> u64 {
        let open = self
            .open
            .iter()
            .filter(|it| counts(None, it.2))
            .map(|it| it.1);
        let spent = self.spent.iter().filter(|it| counts(Some(it.0), it.2));
        open.sum::<u64>() + spent.map(|it| it.1).sum::<u64>()
    }
}

const LIMIT: u64 = 100;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn an_aligned_account_is_its_twin(steps in prop::collection::vec(step(150), 1..120)) {
        let (minute, mut now) = (aligned("1m"), 1_000);
        let (account, mut twin) = (Account::new(&minute, now), Twin::default());
        let mut window = minute.window_at(now);
        for step in steps {
            let committed = twin.committed(|_, its| its == window);
            match step {
                Step::Reserve(amount) => match account.reserve(nano(amount), nano(LIMIT)) {
                    Ok(tag) => {
                        prop_assert!(committed + amount <= LIMIT);
                        twin.open.push((tag, amount, window));
                    }
                    Err(left) => {
                        prop_assert!(committed + amount > LIMIT);
                        prop_assert_eq!(left.get(), LIMIT.saturating_sub(committed));
                    }
                },
                Step::Settle(which, percent) if which < twin.open.len() => {
                    let (tag, amount, its) = twin.open.swap_remove(which);
                    let actual = amount * percent / 100;
                    account.settle(tag, nano(amount), nano(actual));
                    twin.spent.push((now, actual, its));
                }
                Step::Settle(..) => {}
                Step::Pass(seconds) => {
                    now += seconds;
                    let due = account.turn(&minute, now);
                    if now >= window.end {
                        window = minute.window_at(now);
                    }
                    prop_assert_eq!(due, window.end);
                }
            }
            let view = account.view(nano(LIMIT));
            prop_assert_eq!(view.window, window);
            prop_assert_eq!(view.spent.plus(view.reserved).get(), twin.committed(|_, its| its == window));
            prop_assert_eq!(view.reserved.get(), twin.committed(|at, its| at.is_none() && its == window));
        }
    }

    #[test]
    fn no_order_of_things_passes_the_limit(
        steps in prop::collection::vec(step(100), 1..120), rolls: bool,
    ) {
        let style = if rolls { Style::Rolling } else { Style::Aligned(TimeZone::UTC) };
        let (schedule, mut now) = (schedule("1m", style), 1_000);
        let account = Account::new(&schedule, now);
        let mut open = Vec::new();
        for step in steps {
            match step {
                Step::Reserve(amount) => {
                    open.extend(account.reserve(nano(amount), nano(LIMIT)).map(|tag| (tag, amount)));
                }
                Step::Settle(which, percent) if which < open.len() => {
                    let (tag, amount) = open.swap_remove(which);
                    account.settle(tag, nano(amount), nano(amount * percent / 100));
                }
                Step::Settle(..) => {}
                Step::Pass(seconds) => {
                    now += seconds;
                    account.turn(&schedule, now);
                }
            }
            let view = account.view(nano(LIMIT));
            prop_assert!(view.spent.plus(view.reserved) <= nano(LIMIT));
        }
    }

    #[test]
    fn a_rolling_account_forgets_in_time_and_not_too_soon(steps in prop::collection::vec(step(150), 1..120)) {
        let (rolling, mut now) = (schedule("1m", Style::Rolling), 1_000);
        let (account, mut twin) = (Account::new(&rolling, now), Twin::default());
        let nowhere = Window { start: 0, end: 0 };
        // The clock as the account sees it: it is never set back.
        let mut latest = now;
        for step in steps {
            // What must count, and what may: for two slices longer, as the present one is not over and widths are whole seconds.
            let least = twin.committed(|at, _| at.is_none_or(|at| at > latest - MINUTE));
            let most = twin.committed(|at, _| at.is_none_or(|at| at > latest - MINUTE - 4));
            match step {
                Step::Reserve(amount) => match account.reserve(nano(amount), nano(LIMIT)) {
                    Ok(tag) => {
                        prop_assert!(least + amount <= LIMIT);
                        twin.open.push((tag, amount, nowhere));
                    }
                    Err(_) => prop_assert!(most + amount > LIMIT),
                },
                Step::Settle(which, percent) if which < twin.open.len() => {
                    let (tag, amount, _) = twin.open.swap_remove(which);
                    let actual = amount * percent / 100;
                    account.settle(tag, nano(amount), nano(actual));
                    twin.spent.push((latest, actual, nowhere));
                }
                Step::Settle(..) => {}
                Step::Pass(seconds) => {
                    now += seconds;
                    latest = latest.max(now);
                    account.turn(&rolling, now);
                }
            }
            let view = account.view(nano(LIMIT));
            let open: u64 = twin.open.iter().map(|it| it.1).sum();
            prop_assert_eq!(view.reserved.get(), open);
        }
    }
}

/// Threads that reserve and settle while another turns windows by so many seconds, each time half the limit is spent; what each window was charged, by its tag.
fn hammer(schedule: &Schedule, limit: Nano, step: i64) -> (Account, HashMap<Tag, u64>) {
    const EACH: u64 = 30_000;
    const TURNS: i64 = 300;
    let account = Account::new(schedule, 0);
    let charged = Mutex::new(HashMap::new());
    let done = AtomicBool::new(false);
    let spend = |seed: u64| {
        let mut own: HashMap<Tag, u64> = HashMap::new();
        let mut round = 0;
        while round < EACH || !done.load(Ordering::Relaxed) {
            round += 1;
            let amount = (round * 7 + seed * 13) % 40 + 1;
            if let Ok(tag) = account.reserve(nano(amount), limit) {
                let actual = amount * (round % 3) / 2;
                account.settle(tag, nano(amount), nano(actual));
                *own.entry(tag).or_default() += actual;
            }
        }
        let mut all = charged.lock().unwrap();
        own.into_iter()
            .for_each(|(tag, sum)| *all.entry(tag).or_default() += sum);
    };
    let turn = || {
        let mut within = true;
        for turn in 1..=TURNS {
            loop {
                let view = account.view(limit);
                within &= view.spent.plus(view.reserved) <= limit;
                if step == 0 || view.spent.get() >= limit.get() / 2 {
                    break;
                }
                thread::yield_now();
            }
            account.turn(schedule, turn * step);
        }
        // Why: a panic before this would leave the others running for ever.
        done.store(true, Ordering::Relaxed);
        assert!(within, "more than the limit was seen");
    };
    thread::scope(|scope| {
        let spend = &spend;
        (0..3).for_each(|seed| drop(scope.spawn(move || spend(seed))));
        scope.spawn(turn);
    });
    let charged = charged.into_inner().unwrap();
    (account, charged)
}

#[test]
fn threads_never_pass_the_limit_of_a_window() {
    let limit = nano(20_000);
    let (account, charged) = hammer(&aligned("1m"), limit, MINUTE);
    // Why: the last turn may come when the others have ended.
    assert!(charged.len() >= 300, "every window but the last was used");
    assert!(
        charged.values().all(|&sum| sum <= limit.get()),
        "{charged:?}"
    );
    assert_eq!(account.view(limit).reserved, Nano::ZERO);
}

#[test]
fn threads_lose_nothing() {
    for style in [Style::Rolling, Style::Aligned(TimeZone::UTC)] {
        let (account, charged) = hammer(&schedule("1m", style), Nano::MAX, 0);
        let view = account.view(Nano::MAX);
        let sum: u64 = charged.values().sum();
        assert_eq!((view.spent, view.reserved), (nano(sum), Nano::ZERO));
    }
}

#[test]
fn slices_hand_out_all_that_threads_spent() {
    let rolling = schedule("1m", Style::Rolling);
    let (account, charged) = hammer(&rolling, nano(5_000), 2);
    assert!(charged.values().sum::<u64>() > 5_000, "slices did expire");
    account.turn(&rolling, i64::MAX / 2);
    let view = account.view(nano(5_000));
    assert_eq!((view.spent, view.reserved), (Nano::ZERO, Nano::ZERO));
}
