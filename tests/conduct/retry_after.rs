//! Every form in which a provider says when to come back, and the forms that say nothing.

use super::{Cast, assert_complete, every, gaps, ms, secs};
use crate::support::{Bench, Mode, bench, pass_ms, paused};

/// Asks once; the gaps between attempts on the primary, and how many the spare saw.
async fn conduct(cast: Cast, bench: &Bench, mode: Mode) -> (Vec<std::time::Duration>, usize) {
    let answer = cast.ask(bench, mode, "wait").await;
    let spare = bench.seen("spare").len();
    let model = answer.model();
    assert_complete(&answer, &model);
    assert!(answer.took < secs(6), "{:?}", answer.took);
    (gaps(&bench.seen("primary")), spare)
}

/// A short wait is kept to the millisecond, whichever header tells it.
#[test]
fn a_short_wait_is_kept() {
    for (fault, least) in [
        ("fault-once-429-after-1", ms(1_000)),
        ("fault-once-429-ms", ms(1_500)),
        // The date has whole seconds, of which the present one may be gone.
        ("fault-once-429-date", ms(1_000)),
    ] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(fault), async |bench| {
                let (gaps, _) = conduct(cast, &bench, mode).await;
                assert!(
                    gaps.iter().all(|gap| *gap >= least && *gap <= ms(3_400)),
                    "{fault}: {gaps:?}"
                );
            });
        }
    }
}

/// A wait that no client would bear is not waited for.
#[test]
fn a_long_wait_fails_over_at_once() {
    for fault in [
        "fault-429-after-30",
        "fault-429-ms-60000",
        "fault-429-date-60",
    ] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(fault), async |bench| {
                let (gaps, spare) = conduct(cast, &bench, mode).await;
                assert!(gaps.is_empty() && spare == 1, "{fault}: {gaps:?}, {spare}");
            });
        }
    }
}

/// Three thousand years and minus thirty seconds are no waits: neither kept nor followed at once.
#[test]
fn an_absurd_wait_is_no_wait() {
    for fault in ["fault-429-absurd", "fault-429-negative"] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(fault), async |bench| {
                let (gaps, _) = conduct(cast, &bench, mode).await;
                assert!(gaps.iter().all(|gap| *gap >= ms(100)), "{fault}: {gaps:?}");
            });
        }
    }
}

/// What a provider said wrongly once does not close its route for good.
#[test]
fn an_absurd_wait_is_forgotten() {
    for cast in Cast::ALL {
        for fault in ["fault-once-429-absurd", "fault-once-429-negative"] {
            bench(&cast.catalogue(fault), async |bench| {
                cast.ask(&bench, Mode::Whole, "once").await;
                for _ in 0..10 {
                    pass_ms(60_000).await;
                    cast.ask(&bench, Mode::Whole, "once").await;
                }
                let answer = cast.ask(&bench, Mode::Whole, "once").await;
                assert_complete(&answer, fault);
            });
        }
    }
}

/// Without a hint each wait is at least as long as the one before.
#[test]
fn back_offs_grow() {
    for cast in Cast::ALL {
        let text = cast.catalogue("s02").text();
        let text = text.replace(
            "max_attempts = 3",
            "max_attempts = 6\nsame_route = 4\nbase = \"200ms\"",
        );
        for _ in 0..6 {
            paused(|| async {
                let bench = Bench::start(&text, None).await;
                cast.ask(&bench, Mode::Whole, "grow").await;
                let gaps = gaps(&bench.seen("primary"));
                assert_eq!(gaps.len(), 4, "{gaps:?}");
                assert!(gaps.is_sorted_by(|a, b| *a <= *b + ms(1)), "{gaps:?}");
                assert!(gaps[0] >= ms(100) && gaps[0] <= ms(301), "{gaps:?}");
            });
        }
    }
}
