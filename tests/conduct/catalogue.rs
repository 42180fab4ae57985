//! The faults S01 to S16 but S15, streaming and not; the comment above each is what a pass needs.

use trimtab::mock::End;

use super::{
    Cast, PACED, WORDS, assert_broken_off, assert_complete, assert_usage, at, every, gaps, kind,
    ms, secs, told, within,
};
use crate::support::{Mode, Tongue, bench, pass_ms};

/// At least 1.8 s between two attempts on the same route, at most two attempts in the first 1.5 s.
#[test]
fn s01_waits_as_long_as_it_was_asked() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s01"), async |bench| {
            let answer = cast.ask(&bench, mode, "one").await;
            let (primary, all) = (bench.seen("primary"), bench.mock.attempts());
            assert_complete(&answer, if primary.len() > 1 { "s01" } else { "spare" });
            assert_usage(&answer);
            assert!(
                gaps(&primary).iter().all(|gap| *gap >= ms(1_800)),
                "{primary:?}"
            );
            assert!(within(&all, ms(1_500)) <= 2, "{all:?}");
            assert!(answer.took < secs(5), "{:?}", answer.took);
        });
    }
}

/// Back-off with jitter, then fail-over; at most 4 attempts in 3 s and 6 in all.
#[test]
fn s02_backs_off_and_fails_over() {
    for cast in Cast::ALL {
        let mut waits = Vec::new();
        for mode in [Mode::Whole, Mode::Stream, Mode::Whole, Mode::Stream] {
            bench(&cast.catalogue("s02"), async |bench| {
                let answer = cast.ask(&bench, mode, "two").await;
                assert_complete(&answer, "spare");
                assert_usage(&answer);
                let (primary, all) = (bench.seen("primary"), bench.mock.attempts());
                assert!(within(&all, secs(3)) <= 4 && all.len() <= 6, "{all:?}");
                let gaps = gaps(&primary);
                assert!(gaps.iter().all(|gap| *gap >= ms(100)), "{gaps:?}");
                waits.extend(gaps);
            });
        }
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 1, "no jitter: {waits:?}");
    }
}

/// One retry on the same route.
#[test]
fn s03_tries_the_same_route_once_more() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s03"), async |bench| {
            let answer = cast.ask(&bench, mode, "three").await;
            assert_complete(&answer, "s03");
            assert_usage(&answer);
            assert_eq!(bench.seen("primary").len(), 2);
            assert_eq!(bench.seen("spare").len(), 0);
            assert_eq!(answer.header("x-trimtab-attempts"), Some("2"));
        });
    }
}

/// Fail-over, at most 6 attempts on the primary.
#[test]
fn s04_fails_over() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s04"), async |bench| {
            let answer = cast.ask(&bench, mode, "four").await;
            assert_complete(&answer, "spare");
            assert_usage(&answer);
            assert!((1..=6).contains(&bench.seen("primary").len()));
            assert_eq!(bench.seen("spare").len(), 1);
        });
    }
}

/// Retry or fail-over.
#[test]
fn s05_survives_a_reset() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s05"), async |bench| {
            let answer = cast.ask(&bench, mode, "five").await;
            let primary = bench.seen("primary");
            assert_complete(&answer, if primary.len() > 1 { "s05" } else { "spare" });
            assert_usage(&answer);
            assert!(primary.len() <= 3, "{primary:?}");
            assert!(answer.took < secs(5));
        });
    }
}

/// The same on a connection that has served before, which may have been stale and so proves nothing.
#[test]
fn s05_survives_a_reset_of_a_connection_in_use() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s05"), async |bench| {
            for user in ["first", "second", "third"] {
                assert_complete(&cast.ask(&bench, mode, user).await, "s05");
            }
            assert!(bench.seen("primary").len() <= 9);
        });
    }
}

/// Ended within 100 s; the silent route is not tried again; fail-over after the first timeout.
#[test]
fn s06_gives_silence_up() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s06"), async |bench| {
            let answer = cast.ask(&bench, mode, "six").await;
            assert_complete(&answer, "spare");
            assert_usage(&answer);
            assert!(
                answer.took >= secs(30) && answer.took < secs(35),
                "{:?}",
                answer.took
            );
            let primary = bench.seen("primary");
            assert_eq!(primary.len(), 1);
            assert_eq!(primary[0].end, End::ClientLeft);
            assert!(
                primary[0].ended_us - primary[0].at_us < 31_000_000,
                "{primary:?}"
            );
        });
    }
}

/// Headers are no answer: the limit of the first token fails over, within 15 s.
#[test]
fn s07_gives_headers_without_a_token_up() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s07"), async |bench| {
            let answer = cast.ask(&bench, mode, "seven").await;
            assert_complete(&answer, "spare");
            assert_usage(&answer);
            assert!(answer.took <= secs(15), "{:?}", answer.took);
            assert_eq!(bench.seen("primary").len(), 1);
        });
    }
}

/// The whole answer or a clear error, never a truncated success.
#[test]
fn s08_never_presents_a_cut_stream_as_complete() {
    for cast in Cast::ALL {
        bench(&cast.catalogue("s08"), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "eight").await;
            let error = assert_broken_off(&answer);
            assert_eq!(kind(cast.client, &error), told(cast.client).0);
            assert_eq!(
                bench.seen("primary").len(),
                1,
                "nothing is retried after a byte was sent"
            );
            assert_eq!(bench.seen("spare").len(), 0);
            let whole = cast.ask(&bench, Mode::Whole, "eight").await;
            assert_complete(&whole, "spare");
            assert_usage(&whole);
        });
    }
}

/// However the provider cuts a stream, the caller can tell.
#[test]
fn s08_in_all_its_forms() {
    for cast in Cast::ALL {
        for cut in [
            "cut-40",
            "cut-eof-40",
            "cut-clean-40",
            "cut-1",
            "cut-clean-59",
            "truncated-json",
        ] {
            bench(&cast.catalogue(&format!("fault-{cut}")), async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "eight").await;
                assert_broken_off(&answer);
                let whole = cast.ask(&bench, Mode::Whole, "eight").await;
                assert_complete(&whole, "spare");
            });
        }
    }
}

/// Before the first token everything can still fall back.
#[test]
fn s08_before_the_first_token_fails_over() {
    for cut in ["cut-0", "cut-eof-0", "cut-clean-0"] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(&format!("fault-{cut}")), async |bench| {
                let answer = cast.ask(&bench, mode, "eight").await;
                assert_complete(&answer, "spare");
                assert_usage(&answer);
                assert!(bench.seen("primary").len() <= 2);
            });
        }
    }
}

/// Whole answer or clean error within 45 s, healthy afterwards.
#[test]
fn s09_ends_within_its_time() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s09"), async |bench| {
            let answer = cast.ask(&bench, mode, "nine").await;
            assert!(answer.took <= secs(45), "{:?}", answer.took);
            if answer.ended == crate::support::Ended::Whole {
                assert_complete(
                    &answer,
                    if bench.seen("spare").is_empty() {
                        "s09"
                    } else {
                        "spare"
                    },
                );
            } else {
                assert_broken_off(&answer);
            }
            let after = cast.ask_for(&bench, "spare", mode, "after").await;
            assert_complete(&after, "spare");
        });
    }
}

/// A stall is found by the clock between tokens, and only by it.
#[test]
fn s09_is_found_by_the_clock_between_tokens() {
    for cast in Cast::ALL {
        let spec = cast.with_clocks("s09", "between_tokens = \"5s\"");
        bench(&spec, async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "nine").await;
            let error = assert_broken_off(&answer);
            assert_eq!(kind(cast.client, &error), told(cast.client).1);
            let words = answer
                .events()
                .iter()
                .filter(|event| event.is_word())
                .count();
            assert_eq!(words, 20);
            let last = answer
                .events()
                .iter()
                .rev()
                .find(|event| event.is_word())
                .unwrap()
                .at;
            let silence = answer.took - last;
            assert!(silence >= secs(5) && silence < ms(5_500), "{silence:?}");
            pass_ms(1).await;
            assert_eq!(bench.seen("primary")[0].end, End::ClientLeft);
            let whole = cast.ask(&bench, Mode::Whole, "nine").await;
            assert_complete(&whole, "spare");
        });
    }
}

/// The complete answer in place; nothing partial leaks.
#[test]
fn s10_drops_what_is_not_json() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s10"), async |bench| {
            for _ in 0..2 {
                let answer = cast.ask(&bench, mode, "ten").await;
                // A streamed answer loses nothing; a whole one that is half JSON is somebody else's to give.
                assert_complete(&answer, if mode == Mode::Stream { "s10" } else { "spare" });
                assert_usage(&answer);
            }
        });
    }
}

/// Finished promptly, with usage; whether the provider closes the transfer or not.
#[test]
fn s11_adds_the_end_marker() {
    for cast in Cast::ALL {
        for fault in ["s11", "fault-no-done-open"] {
            bench(&cast.catalogue(fault), async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "eleven").await;
                assert_complete(&answer, fault);
                assert_usage(&answer);
                assert!(answer.took <= secs(8), "{:?}", answer.took);
                assert_eq!(bench.mock.attempts().len(), 1);
            });
        }
        bench(&cast.catalogue("s11"), async |bench| {
            let answer = cast.ask(&bench, Mode::Whole, "eleven").await;
            assert_complete(&answer, "s11");
            assert_usage(&answer);
        });
    }
}

/// Exactly one attempt; then the provider's error.
#[test]
fn s12_asks_once_and_says_what_the_provider_said() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s12"), async |bench| {
            let answer = cast.ask(&bench, mode, "twelve").await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let error = answer.error().unwrap();
            if (cast.client, cast.primary) == (Tongue::OpenAi, Tongue::OpenAi) {
                assert_eq!(error["code"], "context_length_exceeded");
            }
            let said = match cast.primary {
                Tongue::OpenAi => "8192",
                Tongue::Anthropic => "prompt is too long",
            };
            assert!(error["message"].as_str().unwrap().contains(said), "{error}");
            assert_eq!(bench.seen("primary").len(), 1);
            assert_eq!(bench.seen("spare").len(), 0);
        });
    }
}

/// Exactly one attempt; then the configured larger model.
#[test]
fn s12_goes_to_the_larger_model() {
    for (cast, mode) in every() {
        let spec = cast
            .catalogue("unused")
            .with(
                "[models.small]\nroutes = [{ provider = \"primary\", model = \"s12\" }]\n\
                 fallbacks = [\"spare\"]\nlarger_context = \"large\"\n\
                 [models.large]\nroutes = [{ provider = \"wide\" }]",
            )
            .stand_in("wide", PACED);
        bench(&spec, async |bench| {
            let answer = cast.ask_for(&bench, "small", mode, "twelve").await;
            assert_complete(&answer, "large");
            assert_usage(&answer);
            assert_eq!(bench.seen("primary").len(), 1);
            assert_eq!(bench.seen("spare").len(), 0);
            assert_eq!(bench.seen("wide").len(), 1);
        });
    }
}

/// Exactly one attempt; the provider's reason reaches the caller; nobody else is asked.
#[test]
fn s13_is_not_routed_around() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s13"), async |bench| {
            let answer = cast.ask(&bench, mode, "thirteen").await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let error = answer.error().unwrap();
            if (cast.client, cast.primary) == (Tongue::OpenAi, Tongue::OpenAi) {
                assert_eq!(error["code"], "content_policy_violation");
            }
            let said = match cast.primary {
                Tongue::OpenAi => "safety system",
                Tongue::Anthropic => "content filtering policy",
            };
            assert!(error["message"].as_str().unwrap().contains(said), "{error}");
            assert_eq!(bench.mock.attempts().len(), 1);
        });
    }
}

/// The model that answered is named, usage is there, failed attempts are not billed.
#[test]
fn s16_bills_the_answer_only() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("s16"), async |bench| {
            let answer = cast.ask(&bench, mode, "sixteen").await;
            assert_complete(&answer, "spare");
            assert_usage(&answer);
            let route = answer.header("x-trimtab-route").unwrap();
            assert!(route.starts_with("spare/spare/"), "{route}");
            let metrics = bench.metrics().await;
            let output = metrics.sum("router_tokens_total", &["direction=\"output\""]);
            assert!((output - f64::from(WORDS)).abs() < 0.5, "{output}");
            let seen: u32 = bench
                .mock
                .attempts()
                .iter()
                .map(|attempt| attempt.output_tokens)
                .sum();
            assert_eq!(seen, WORDS);
            assert!(at(&bench.seen("spare")[0]) < secs(3));
        });
    }
}
