//! One call at a time: what each function does to the words.

use super::super::limits::Standing;
use super::super::*;
use super::START;
use crate::outcome::Outcome;
use crate::time::{Span, Time};
use crate::tuning::Tuning;

const NOW: Time = Time::from_micros(START);
const ASK: Charge = Charge {
    input_tokens: 1_000,
    reserved_output_tokens: 500,
};

fn fresh(told: &ToldLimits) -> (Gate, Limits) {
    (
        Gate::new(told, &Tuning::default()),
        Limits::new(told, &Tuning::default()),
    )
}

fn refusal(retry_after: Option<Span>) -> Refusal {
    Refusal {
        retry_after,
        jitter: 0.5,
        inflight: 8,
    }
}

fn succeed(gate: &Gate, limits: &Limits, charged: Charged, now: Time) {
    let settled = Settled {
        input: Some(1_000),
        output: Some(100),
        outcome: Outcome::Success,
    };
    settle(gate, limits, charged, settled, now);
}

#[test]
fn nothing_known_means_nothing_held() {
    let (gate, limits) = fresh(&ToldLimits::default());
    for _ in 0..1_000 {
        let charged = charge(&gate, &limits, ASK, NOW);
        succeed(&gate, &limits, charged, NOW);
    }
    let expected = Standing {
        blocked_until: None,
        utilisation: 0.0,
    };
    assert_eq!(standing(&gate, &limits, ASK, 1_000, NOW), expected);
    assert_eq!(wait(&gate, &limits, ASK, 1_000, NOW), Span::ZERO);
    assert_eq!(view(&gate, &limits, 1_000, NOW).ceilings, [None; 5]);
}

#[test]
fn told_limits_fill_by_charge_and_empty_by_settling() {
    let told = ToldLimits {
        requests_per_minute: Some(100),
        tokens_per_minute: Some(30_000),
        output_tokens_per_minute: Some(6_000),
        ..ToldLimits::default()
    };
    let (gate, limits) = fresh(&told);
    let charged: Vec<_> = (0..10).map(|_| charge(&gate, &limits, ASK, NOW)).collect();
    let shown = view(&gate, &limits, 10, NOW);
    let left = |view: &CeilingsView, dimension: Dimension| {
        view.ceilings[dimension.index()].unwrap().headroom
    };
    assert!((left(&shown, Dimension::Requests) - 90.0).abs() < 0.01);
    assert!((left(&shown, Dimension::Tokens) - 15_000.0).abs() < 1.0);
    assert!((left(&shown, Dimension::OutputTokens) - 1_000.0).abs() < 1.0);
    assert_eq!(shown.ceilings[Dimension::InputTokens.index()], None);
    assert_eq!(
        shown.ceilings[Dimension::Tokens.index()].unwrap().source,
        Source::Told
    );
    assert!(
        standing(&gate, &limits, ASK, 10, NOW).utilisation > 0.9,
        "the output tokens are nearly used up"
    );
    for charged in charged {
        succeed(&gate, &limits, charged, NOW);
    }
    let shown = view(&gate, &limits, 0, NOW);
    assert!((left(&shown, Dimension::Tokens) - 19_000.0).abs() < 1.0);
    assert!((left(&shown, Dimension::OutputTokens) - 5_000.0).abs() < 1.0);
    assert!(
        (left(&shown, Dimension::Requests) - 90.0).abs() < 0.01,
        "requests stay used"
    );
}

#[test]
fn what_never_arrived_costs_nothing() {
    let told = ToldLimits {
        requests_per_minute: Some(10),
        tokens_per_minute: Some(10_000),
        ..ToldLimits::default()
    };
    let (gate, limits) = fresh(&told);
    let charged = charge(&gate, &limits, ASK, NOW);
    settle(
        &gate,
        &limits,
        charged,
        Settled {
            input: None,
            output: None,
            outcome: Outcome::Unreachable,
        },
        NOW,
    );
    assert!(view(&gate, &limits, 0, NOW).utilisation < 1e-3);
    let charged = charge(&gate, &limits, ASK, NOW);
    settle(
        &gate,
        &limits,
        charged,
        Settled {
            input: None,
            output: None,
            outcome: Outcome::ServerError,
        },
        NOW,
    );
    let shown = view(&gate, &limits, 0, NOW);
    assert!(
        (shown.ceilings[0].unwrap().headroom - 9.0).abs() < 0.01,
        "a failed request counts"
    );
    assert!(
        (shown.ceilings[1].unwrap().headroom - 9_000.0).abs() < 1.0,
        "its output does not"
    );
}

#[test]
fn a_told_limit_is_never_exceeded_by_what_is_read() {
    let told = ToldLimits {
        tokens_per_minute: Some(60_000),
        ..ToldLimits::default()
    };
    let (gate, limits) = fresh(&told);
    let mut charged = charge(&gate, &limits, ASK, NOW);
    let reading = Reading {
        limit: Some(600_000.0),
        remaining: Some(599_000.0),
        ..Reading::default()
    };
    observe(
        &gate,
        &limits,
        &mut charged,
        &LimitReport {
            tokens: Some(reading),
            ..LimitReport::default()
        },
        NOW,
    );
    let shown = view(&gate, &limits, 1, NOW).ceilings[1].unwrap();
    assert_eq!(shown.source, Source::Told);
    assert!((shown.limit - 60_000.0).abs() < 1.0 && shown.headroom < 58_600.0);
}

#[test]
fn a_header_lowers_the_mirror_and_later_charges_count() {
    let (gate, limits) = fresh(&ToldLimits::default());
    let mut first = charge(&gate, &limits, ASK, NOW);
    for _ in 0..3 {
        charge(&gate, &limits, ASK, NOW);
    }
    let reading = Reading {
        limit: Some(60_000.0),
        remaining: Some(20_000.0),
        ..Reading::default()
    };
    let report = LimitReport {
        tokens: Some(reading),
        ..LimitReport::default()
    };
    observe(&gate, &limits, &mut first, &report, NOW);
    let shown = view(&gate, &limits, 4, NOW).ceilings[1].unwrap();
    assert_eq!(shown.source, Source::Header);
    assert!(
        (shown.headroom - 15_500.0).abs() < 1.0,
        "20 000 less three charges of 1 500: {}",
        shown.headroom
    );
    // A rosier reading of the same instant raises nothing: no time has passed.
    let rosy = Reading {
        remaining: Some(50_000.0),
        ..reading
    };
    observe(
        &gate,
        &limits,
        &mut first,
        &LimitReport {
            tokens: Some(rosy),
            ..report
        },
        NOW,
    );
    assert!((view(&gate, &limits, 4, NOW).ceilings[1].unwrap().headroom - 15_500.0).abs() < 1.0);
}

#[test]
fn non_positive_limits_are_ignored() {
    let (gate, limits) = fresh(&ToldLimits::default());
    let mut charged = charge(&gate, &limits, ASK, NOW);
    let odd = Reading {
        limit: Some(-1.0),
        remaining: Some(0.0),
        ..Reading::default()
    };
    observe(
        &gate,
        &limits,
        &mut charged,
        &LimitReport {
            tokens: Some(odd),
            ..LimitReport::default()
        },
        NOW,
    );
    assert_eq!(view(&gate, &limits, 1, NOW).ceilings, [None; 5]);
}

#[test]
fn a_daily_quota_is_waited_out_and_not_learned() {
    let (gate, limits) = fresh(&ToldLimits::default());
    let mut charged = charge(&gate, &limits, ASK, NOW);
    let quota = Reading {
        limit: Some(1_000.0),
        remaining: Some(0.0),
        reset: Some(Span::from_secs(7_200)),
        window: Some(Span::from_secs(86_400)),
        ..Reading::default()
    };
    let report = LimitReport {
        requests: Some(quota),
        refused: Some(Dimension::Requests),
        ..LimitReport::default()
    };
    observe(&gate, &limits, &mut charged, &report, NOW);
    reject(&gate, &limits, charged, refusal(None), NOW);
    let shown = view(&gate, &limits, 0, NOW);
    assert_eq!(shown.ceilings, [None; 5]);
    let (until, reason) = shown.hold.unwrap();
    assert_eq!(reason, HoldReason::Quota);
    assert!((until.since(NOW).as_secs_f64() - 7_200.0).abs() < 0.1);
}

#[test]
fn a_quota_with_the_name_of_a_rate_is_recognised() {
    let (gate, limits) = fresh(&ToldLimits::default());
    for used in 1..=5_u32 {
        let mut charged = charge(&gate, &limits, ASK, NOW);
        let reading = Reading {
            limit: Some(14_400.0),
            remaining: Some(14_400.0 - f64::from(used)),
            reset: Some(Span::from_secs_f64(f64::from(used) * 6.0 - 0.01)),
            ..Reading::default()
        };
        observe(
            &gate,
            &limits,
            &mut charged,
            &LimitReport {
                requests: Some(reading),
                ..LimitReport::default()
            },
            NOW,
        );
    }
    assert_eq!(
        view(&gate, &limits, 0, NOW).ceilings[0],
        None,
        "14 400 a day is no rate to pace"
    );
}

#[test]
fn retry_after_holds_at_least_as_long() {
    for jitter in [0.0, 0.5, 0.999] {
        let (gate, limits) = fresh(&ToldLimits::default());
        let charged = charge(&gate, &limits, ASK, NOW);
        let refusal = Refusal {
            jitter,
            ..refusal(Some(Span::from_secs(2)))
        };
        reject(&gate, &limits, charged, refusal, NOW);
        let held = standing(&gate, &limits, ASK, 0, NOW)
            .blocked_until
            .unwrap()
            .since(NOW)
            .as_secs_f64();
        assert!((2.0..=2.22).contains(&held), "held for {held} s");
    }
}

#[test]
fn absurd_waits_are_bounded() {
    let (gate, limits) = fresh(&ToldLimits::default());
    let charged = charge(&gate, &limits, ASK, NOW);
    reject(
        &gate,
        &limits,
        charged,
        refusal(Some(Span::from_micros(u64::MAX))),
        NOW,
    );
    let until = standing(&gate, &limits, ASK, 0, NOW).blocked_until.unwrap();
    assert!(until.since(NOW) <= Tuning::default().ceiling.gate_max.plus(Span::from_secs(1)));
}

#[test]
fn requests_sent_before_the_answer_to_a_refusal_are_one_event() {
    let (gate, limits) = fresh(&ToldLimits::default());
    let charged: Vec<_> = (0..20).map(|_| charge(&gate, &limits, ASK, NOW)).collect();
    for (late, charged) in charged.into_iter().enumerate() {
        reject(
            &gate,
            &limits,
            charged,
            refusal(None),
            NOW.plus(Span::from_millis(50 + late as u64)),
        );
    }
    let held = standing(&gate, &limits, ASK, 0, NOW).blocked_until.unwrap();
    assert!(
        held.since(NOW) < Span::from_millis(1_200),
        "one pause of a second"
    );
}

#[test]
fn concurrency_is_lowered_below_what_was_refused_and_grows_again() {
    let told = ToldLimits {
        concurrency: Some(20),
        ..ToldLimits::default()
    };
    let (gate, limits) = fresh(&told);
    assert!(standing(&gate, &limits, ASK, 18, NOW).utilisation <= 0.95);
    assert!(standing(&gate, &limits, ASK, 20, NOW).utilisation > 0.95);
    let mut charged = charge(&gate, &limits, ASK, NOW);
    let report = LimitReport {
        refused: Some(Dimension::Concurrency),
        ..LimitReport::default()
    };
    observe(&gate, &limits, &mut charged, &report, NOW);
    reject(
        &gate,
        &limits,
        charged,
        Refusal {
            inflight: 11,
            ..refusal(None)
        },
        NOW,
    );
    let limit = |now| view(&gate, &limits, 0, now).ceilings[4].unwrap();
    assert!(
        (limit(NOW).limit - 9.0).abs() < 1e-9,
        "nine tenths of the ten that were admitted"
    );
    assert_eq!(limit(NOW).source, Source::Learned);
    let mut now = NOW;
    for _ in 0..3_600 {
        now = now.plus(Span::from_secs(1));
        sweep(&gate, &limits, now);
    }
    assert!(
        (limit(now).limit - 20.0).abs() < 1e-9,
        "never above what the operator told"
    );
}

#[test]
fn threads_charge_and_settle_without_losing_anything() {
    let told = ToldLimits {
        requests_per_minute: Some(1_000_000),
        tokens_per_minute: Some(1_000_000_000),
        ..ToldLimits::default()
    };
    let (gate, limits) = fresh(&told);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let charged = charge(&gate, &limits, ASK, NOW);
                    succeed(&gate, &limits, charged, NOW);
                }
            });
        }
    });
    let shown = view(&gate, &limits, 0, NOW);
    assert!((1_000_000.0 - shown.ceilings[0].unwrap().headroom - 40_000.0).abs() < 50.0);
    let used = 1_000_000_000.0 - shown.ceilings[1].unwrap().headroom;
    assert!((used / 44_000_000.0 - 1.0).abs() < 0.01, "{used}");
}

/// One refusal that says nothing costs a second and no more, whatever the limits known and the size of the request.
#[test]
fn one_refusal_without_a_hint_is_a_short_pause() {
    let none = ToldLimits::default();
    let requests = ToldLimits {
        requests_per_minute: Some(60),
        ..none
    };
    let tokens = ToldLimits {
        tokens_per_minute: Some(10_000),
        ..none
    };
    let large = Charge {
        input_tokens: 1_000,
        reserved_output_tokens: 4_000,
    };
    for (name, told) in [("none", none), ("requests", requests), ("tokens", tokens)] {
        for ask in [ASK, large] {
            let (gate, limits) = fresh(&told);
            let charged = charge(&gate, &limits, ask, NOW);
            reject(&gate, &limits, charged, refusal(None), NOW);
            assert!(
                standing(&gate, &limits, ask, 0, NOW)
                    .blocked_until
                    .is_some()
            );
            let after = NOW.plus(Span::from_millis(1_200));
            let stands = standing(&gate, &limits, ask, 0, after);
            assert_eq!(stands.blocked_until, None, "{name}, {ask:?}");
            assert!(stands.utilisation <= 0.98, "{name}, {ask:?}: {stands:?}");
        }
    }
}

/// What is sent while a route pauses is refused for what is known already.
#[test]
fn retries_in_a_pause_do_not_lengthen_it() {
    let (gate, limits) = fresh(&ToldLimits::default());
    for step in 0..20 {
        let sent = NOW.plus(Span::from_millis(40 * step));
        let charged = charge(&gate, &limits, ASK, sent);
        let answered = sent.plus(Span::from_millis(10));
        reject(&gate, &limits, charged, refusal(None), answered);
    }
    let after = NOW.plus(Span::from_millis(1_200));
    assert_eq!(standing(&gate, &limits, ASK, 0, after).blocked_until, None);
}

/// Sends `requests` evenly over `seconds` from `from`; all are answered.
fn serve(gate: &Gate, limits: &Limits, from: Time, (seconds, requests): (u64, u64)) {
    for index in 0..requests {
        let now = from.plus(Span::from_micros(seconds * 1_000_000 * index / requests));
        let charged = charge(gate, limits, ASK, now);
        succeed(gate, limits, charged, now);
        sweep(gate, limits, now);
    }
}

/// Refusals that come now and then, with traffic between that an empty bucket would not have let through, are no limit.
#[test]
fn isolated_refusals_teach_no_ceiling() {
    for (apart, requests) in [(25, 10), (60, 30), (90, 90), (90, 2_000), (300, 600)] {
        let (gate, limits) = fresh(&ToldLimits::default());
        let mut now = NOW;
        for _ in 0..10 {
            let charged = charge(&gate, &limits, ASK, now);
            reject(&gate, &limits, charged, refusal(None), now);
            now = now.plus(Span::from_secs(2));
            serve(&gate, &limits, now, (apart - 2, requests));
            now = now.plus(Span::from_secs(apart - 2));
            let shown = view(&gate, &limits, 0, now);
            assert_eq!(shown.ceilings, [None; 5], "{apart} s apart");
            assert_eq!(wait(&gate, &limits, ASK, 0, now), Span::ZERO);
        }
    }
}

/// Two refusals close together in a quiet time are taken for a limit, but not for long once there is demand.
#[test]
fn a_rate_measured_over_few_requests_is_outgrown() {
    let (gate, limits) = fresh(&ToldLimits::default());
    for step in [0, 10] {
        let now = NOW.plus(Span::from_secs(step));
        let charged = charge(&gate, &limits, ASK, now);
        reject(&gate, &limits, charged, refusal(None), now);
        serve(&gate, &limits, now.plus(Span::from_secs(2)), (8, 8));
    }
    let limit = |now| view(&gate, &limits, 0, now).ceilings[1].unwrap().limit / 60.0;
    let mut now = NOW.plus(Span::from_secs(20));
    let learned = limit(now);
    for _ in 0..1_200 {
        now = now.plus(Span::from_millis(100));
        if wait(&gate, &limits, ASK, 0, now) == Span::ZERO {
            let charged = charge(&gate, &limits, ASK, now);
            succeed(&gate, &limits, charged, now);
        }
        sweep(&gate, &limits, now);
    }
    assert!(limit(now) > 8.0 * learned, "{} from {learned}", limit(now));
}
