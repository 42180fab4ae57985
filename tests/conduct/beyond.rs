//! Faults beyond the catalogue.

use std::time::Duration;

use serde_json::json;
use trimtab::mock::End;

use super::{
    Cast, WORDS, assert_broken_off, assert_complete, assert_usage, every, kind, ms, secs, told,
};
use crate::support::{Call, Client, Ended, Mode, Tongue, bench, pass_ms};

/// An error object before the first token is an error, though the status is 200.
#[test]
fn an_error_inside_a_success_fails_over() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("fault-error-event"), async |bench| {
            let answer = cast.ask(&bench, mode, "error").await;
            assert_complete(&answer, "spare");
            assert_usage(&answer);
            assert!((1..=2).contains(&bench.seen("primary").len()));
        });
    }
}

/// After the first token it is the last thing that the caller hears.
#[test]
fn an_error_inside_a_stream_ends_it() {
    for cast in Cast::ALL {
        bench(&cast.catalogue("fault-error-event-20"), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "error").await;
            let error = assert_broken_off(&answer);
            let (type_, said) = match cast.primary {
                Tongue::OpenAi => ("server_error", "processing your request"),
                Tongue::Anthropic => ("overloaded_error", "Overloaded"),
            };
            if cast.client == cast.primary {
                assert_eq!(error["type"], type_, "the provider's own words");
            }
            assert!(error["message"].as_str().unwrap().contains(said), "{error}");
            let words = answer
                .events()
                .iter()
                .filter(|event| event.is_word())
                .count();
            assert_eq!(words, 20);
            assert_eq!(bench.mock.attempts().len(), 1);
            assert_eq!(bench.in_flight(), 0);
        });
    }
}

/// Overload under any of its names, gateways' HTML pages, halves of answers: somebody else answers.
#[test]
fn what_is_no_answer_fails_over() {
    for fault in [
        "529",
        "502",
        "504",
        "429-busy",
        "429-quota",
        "401",
        "403",
        "404",
        "html",
        "down",
        "reset",
    ] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(&format!("fault-{fault}")), async |bench| {
                let answer = cast.ask(&bench, mode, "none").await;
                assert_complete(&answer, "spare");
                assert_usage(&answer);
                assert!((1..=2).contains(&bench.seen("primary").len()), "{fault}");
                assert!(answer.took < secs(4), "{fault}: {:?}", answer.took);
            });
        }
    }
}

/// Half of a whole answer, framed as complete.
#[test]
fn truncated_json_is_no_answer() {
    for cast in Cast::ALL {
        bench(&cast.catalogue("fault-truncated-json"), async |bench| {
            let answer = cast.ask(&bench, Mode::Whole, "half").await;
            assert_complete(&answer, "spare");
            assert!((1..=2).contains(&bench.seen("primary").len()));
        });
    }
}

/// Comments keep a connection alive, but they are no tokens.
#[test]
fn pings_are_no_tokens() {
    for cast in Cast::ALL {
        bench(&cast.catalogue("fault-pings"), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "ping").await;
            assert_complete(&answer, "spare");
            assert!(
                answer.took >= secs(10) && answer.took <= secs(15),
                "{:?}",
                answer.took
            );
            let primary = bench.seen("primary");
            assert_eq!((primary.len(), primary[0].end), (1, End::ClientLeft));
        });
    }
}

/// A whole answer that never gets beyond its blanks ends with the clock of the whole request.
#[test]
fn blanks_without_an_answer_end() {
    for cast in Cast::ALL {
        bench(
            &cast.with_clocks("fault-pings", "total = \"60s\""),
            async |bench| {
                let answer = cast.ask(&bench, Mode::Whole, "ping").await;
                assert!(answer.took <= secs(61), "{:?}", answer.took);
                if answer.status != 200 {
                    let error = answer.error().unwrap();
                    let expected = (504, told(cast.client).1.to_owned());
                    assert_eq!((answer.status, kind(cast.client, &error)), expected);
                }
            },
        );
    }
}

/// One token a second for ever ends with the clock of the whole request, and not as a success.
#[test]
fn a_drip_ends_with_the_total_clock() {
    for cast in Cast::ALL {
        bench(
            &cast.with_clocks("fault-drip", "total = \"90s\""),
            async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "drip").await;
                let error = answer.error().unwrap();
                assert_eq!(kind(cast.client, &error), told(cast.client).1);
                assert!(!answer.is_done());
                assert_ne!(answer.ended, Ended::Whole);
                assert!(
                    answer.took >= secs(90) && answer.took < secs(92),
                    "{:?}",
                    answer.took
                );
                pass_ms(1).await;
                assert_eq!(bench.seen("primary")[0].end, End::ClientLeft);
                assert_eq!(bench.in_flight(), 0);
            },
        );
    }
}

/// Usage that is missing, negative or absurd neither fails a request nor enters the accounts.
#[test]
fn usage_that_lies_is_not_believed() {
    for fault in ["fault-no-usage", "fault-negative-usage", "fault-huge-usage"] {
        for (cast, mode) in every() {
            bench(&cast.catalogue(fault), async |bench| {
                let answer = cast.ask(&bench, mode, "usage").await;
                assert_complete(&answer, fault);
                assert_eq!(bench.mock.attempts().len(), 1);
                let metrics = bench.metrics().await;
                let output = metrics.sum("router_tokens_total", &["direction=\"output\""]);
                let counted = if mode == Mode::Stream {
                    f64::from(WORDS)
                } else {
                    0.0
                };
                assert!((output - counted).abs() < 0.5, "{fault} {mode:?}: {output}");
                let input = metrics.sum("router_tokens_total", &["direction=\"input\""]);
                assert!(input < 1_000.0, "{fault} {mode:?}: {input}");
                let view = bench.route("primary/");
                assert!(
                    view.tokens_in < 1_000 && view.tokens_out < 1_000,
                    "{view:?}"
                );
                assert!(bench.in_flight() == 0 && view.inflight == 0);
            });
        }
    }
}

/// A provider that answers after the client left answers nobody, and nobody is blamed.
#[test]
fn an_answer_to_nobody_is_nobodys_fault() {
    for (cast, mode) in every() {
        bench(&cast.catalogue("fault-deaf"), async |bench| {
            let mut client = Client::open(bench.address).await;
            client
                .send(&cast.client.ask("main", mode, "deaf").bytes())
                .await;
            pass_ms(100).await;
            drop(client);
            pass_ms(50).await;
            assert_eq!(bench.seen("primary")[0].end, End::ClientLeft);
            assert_eq!(bench.in_flight(), 0);
            let view = bench.route("primary/");
            assert_eq!(
                (
                    view.inflight,
                    view.outcomes[scoring::outcome::Outcome::Canceled.index()]
                ),
                (0, 1)
            );
            pass_ms(5_000).await;
            assert_eq!(bench.seen("primary")[0].end, End::AnsweredNobody);
            assert_eq!(bench.mock.attempts().len(), 1);
            let answer = cast.ask(&bench, mode, "after").await;
            assert_complete(&answer, "fault-deaf");
        });
    }
}

/// When nobody can answer, the caller hears so soon and in its own dialect.
#[test]
fn when_all_fail_the_caller_hears_it() {
    for cast in Cast::ALL {
        let spec = cast.catalogue("s04");
        for mode in Mode::BOTH {
            bench(&spec, async |bench| {
                bench
                    .mock
                    .set_fault("spare", Some("503".parse().unwrap()))
                    .unwrap();
                let answer = cast.ask(&bench, mode, "all").await;
                assert_eq!(answer.status, 503, "{answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert!(answer.error().unwrap()["message"].is_string());
                assert!(bench.mock.attempts().len() <= 3, "two retries at most");
                assert!(answer.took < secs(3), "{:?}", answer.took);
                assert_eq!(answer.header("x-trimtab-attempts"), Some("3"));
            });
        }
    }
}

/// A provider that nobody can reach is left for one that can be, and the connect clock is not needed for it.
#[test]
fn an_unreachable_provider_fails_over() {
    for cast in Cast::ALL {
        let spec = cast.catalogue("unused").with(
            "[providers.gone]\nbase_url = \"http://127.0.0.1:1/v1\"\n\
         [models.lost]\nroutes = [{ provider = \"gone\" }]\nfallbacks = [\"spare\"]",
        );
        for mode in Mode::BOTH {
            bench(&spec, async |bench| {
                let answer = cast.ask_for(&bench, "lost", mode, "lost").await;
                assert_complete(&answer, "spare");
                assert!(answer.took < Duration::from_secs(4), "{:?}", answer.took);
            });
        }
    }
}

/// Embeddings fail over like everything else.
#[test]
fn embeddings_fail_over() {
    bench(&Cast::SAME[0].catalogue("s04"), async |bench| {
        let body = json!({"model": "main", "input": ["a", "b"]}).to_string();
        let answer = bench.call(&Call::post("/v1/embeddings", body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2);
        assert_eq!(answer.model(), "spare");
        assert!(answer.took < ms(3_000));
    });
}
