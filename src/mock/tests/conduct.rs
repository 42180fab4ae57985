//! Each fault, as a client sees it on the socket and as the ledger tells it.

use super::super::{End, FaultScript, Kind};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Posts a chat request for a fault model to a paced provider and returns what came, and the ledger's last line.
fn strike(model: &str, stream: bool) -> (Got, (End, String)) {
    bench(alpha(paced()), async |bench| {
        let body = chat(model, stream);
        let got = bench
            .post_for("/v1/chat/completions", &body, secs(300))
            .await;
        let last = bench.last();
        (got, last)
    })
}

#[test]
fn refusals_have_status_code_and_hint() {
    for (model, status, words, hint) in [
        ("s02", 429, "rate_limit_exceeded", None),
        ("s04", 503, "overloaded", None),
        ("s12", 400, "context_length_exceeded", None),
        ("s13", 400, "content_policy_violation", None),
        ("fault-429-after", 429, "rate_limit_exceeded", Some("2")),
        ("fault-429-after-9", 429, "rate_limit_exceeded", Some("9")),
        (
            "fault-429-absurd",
            429,
            "rate_limit_exceeded",
            Some("99999999999"),
        ),
        (
            "fault-429-negative",
            429,
            "rate_limit_exceeded",
            Some("-30"),
        ),
        ("fault-429-quota", 429, "insufficient_quota", None),
        ("fault-429-busy", 429, "high demand", None),
        ("fault-401", 401, "invalid_api_key", None),
        ("fault-403", 403, "permission_error", None),
        ("fault-404", 404, "model_not_found", None),
        ("fault-500", 500, "server_error", None),
        ("fault-502", 502, "<html>", None),
        ("fault-504", 504, "timed out", None),
        ("fault-529", 529, "overloaded_error", None),
    ] {
        for stream in [false, true] {
            let (got, (end, fault)) = strike(model, stream);
            assert_eq!(
                (got.status, got.ended, end),
                (status, Ended::Whole, End::Refused),
                "{model}"
            );
            assert!(
                got.body.contains(words) && !fault.is_empty(),
                "{model}: {}",
                got.body
            );
            assert_eq!(got.header("retry-after"), hint, "{model}");
        }
    }
    let (got, _) = strike("fault-429-ms", false);
    assert_eq!(
        (got.header("retry-after"), got.header("retry-after-ms")),
        (None, Some("1500"))
    );
    let (got, _) = strike("fault-429-date", false);
    assert!(got.header("retry-after").unwrap().ends_with(" GMT"));
}

#[test]
fn once_then_fine() {
    for (model, status, ended) in [
        ("s01", 429, Ended::Whole),
        ("s03", 500, Ended::Whole),
        ("s05", 0, Ended::Reset),
    ] {
        bench(alpha(ProviderScript::default()), async |bench| {
            for user in ["a", "b"] {
                let mut body = chat(model, false);
                body["user"] = json!(user);
                let got = bench.chat(&body).await;
                assert_eq!((got.status, got.ended), (status, ended), "{model} {user}");
                assert_eq!(bench.chat(&body).await.status, 200, "{model} {user}");
            }
            let tags: Vec<String> = bench
                .mock
                .attempts()
                .iter()
                .map(|it| it.tag.to_string())
                .collect();
            assert_eq!(tags, ["a", "a", "b", "b"]);
        });
    }
}

#[test]
fn s06_is_silent_for_two_minutes() {
    let (got, last) = strike("s06", true);
    assert_eq!(
        (got.status, got.ended, got.last.as_secs()),
        (0, Ended::Closed, 120)
    );
    assert_eq!(last, (End::Faulted, "silence".to_owned()));
}

#[test]
fn s07_sends_headers_and_is_late() {
    bench(alpha(paced()), async |bench| {
        let path = "/v1/chat/completions";
        let got = bench.post_for(path, &chat("s07", true), secs(10)).await;
        assert_eq!(
            (got.status, got.ended, got.body.len()),
            (200, Ended::Hung, 0)
        );
        let got = bench.chat(&chat("s07", true)).await;
        assert_eq!(
            (got.ended, got.content(), got.first.as_secs()),
            (Ended::Whole, words(60), 20)
        );
    });
}

#[test]
fn cuts_lose_the_rest() {
    for (model, ended) in [
        ("s08", Ended::Reset),
        ("s14", Ended::Reset),
        ("fault-cut-eof", Ended::Closed),
        ("fault-cut-clean", Ended::Whole),
    ] {
        let (got, (end, _)) = strike(model, true);
        assert_eq!(
            (got.status, got.ended, end),
            (200, ended, End::Faulted),
            "{model}"
        );
        assert_eq!(got.content(), words(40), "{model}");
        assert!(!got.body.contains("[DONE]") && !got.body.contains("\"stop\""));
        let (got, (end, _)) = strike(model, false);
        assert_eq!(
            (got.status, got.ended, end),
            (200, ended, End::Faulted),
            "{model}"
        );
        assert!(serde_json::from_str::<Value>(&got.body).is_err());
    }
    let (got, _) = strike("fault-cut-0", true);
    assert_eq!((got.content(), got.ended), (String::new(), Ended::Reset));
}

#[test]
fn s09_stalls_for_30_s() {
    bench(alpha(paced()), async |bench| {
        let got = bench
            .post_for("/v1/chat/completions", &chat("s09", true), secs(20))
            .await;
        assert_eq!((got.ended, got.content()), (Ended::Hung, words(20)));
        let got = bench.chat(&chat("s09", true)).await;
        assert_eq!(
            (got.ended, got.content(), got.last.as_secs()),
            (Ended::Whole, words(60), 31)
        );
    });
}

#[test]
fn s10_has_one_event_too_many() {
    let (got, (end, _)) = strike("s10", true);
    assert_eq!(
        (got.content(), got.ended, end),
        (words(60), Ended::Whole, End::Completed)
    );
    assert!(serde_json::from_str::<Value>(got.events()[9]).is_err());
    assert_eq!(got.events().last(), Some(&"[DONE]"));
    let (lost, (end, _)) = strike("fault-lost-json", true);
    assert!(!lost.content().contains("w9 ") && end == End::Faulted);
}

#[test]
fn s11_ends_without_done() {
    let (got, (end, _)) = strike("s11", true);
    assert_eq!(
        (got.content(), got.ended, end),
        (words(60), Ended::Whole, End::Completed)
    );
    assert!(!got.body.contains("[DONE]") && got.body.contains("\"stop\""));
    let (got, (end, _)) = strike("fault-no-done-open", true);
    assert_eq!(
        (got.content(), got.ended, end),
        (words(60), Ended::Hung, End::Open)
    );
}

#[test]
fn s15_is_over_after_a_minute() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(bench.chat(&chat("s15", true)).await.status);
            tokio::time::sleep(secs(4)).await;
        }
        assert_eq!(statuses.iter().filter(|it| **it == 503).count(), 15);
        assert_eq!(statuses[15..], [200; 5]);
    });
}

#[test]
fn prefill_is_refused_only_where_there_is_one() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let mut body = chat("fault-no-prefill", false);
        assert_eq!(bench.chat(&body).await.status, 200);
        body["messages"]
            .as_array_mut()
            .unwrap()
            .push(json!({"role": "assistant", "content": "w1 w2"}));
        let got = bench.chat(&body).await;
        assert!(got.status == 400 && got.body.contains("prefill"));
    });
}

#[test]
fn errors_inside_of_success() {
    let (got, (end, _)) = strike("fault-error-event-3", true);
    assert_eq!(
        (got.status, got.content(), end),
        (200, words(3), End::Faulted)
    );
    assert!(got.events().last().unwrap().contains("server_error"));
    let (got, _) = strike("fault-error-event", false);
    assert_eq!(
        (got.status, got.json()["error"]["type"].as_str()),
        (200, Some("server_error"))
    );
    for stream in [false, true] {
        let (got, (end, _)) = strike("fault-html", stream);
        assert_eq!((got.status, end), (200, End::Faulted));
        assert_eq!(got.header("content-type"), Some("text/html; charset=utf-8"));
    }
    let (got, _) = strike("fault-truncated-json", false);
    assert!(got.ended == Ended::Whole && serde_json::from_str::<Value>(&got.body).is_err());
}

#[test]
fn streams_that_never_get_anywhere() {
    let (got, (end, _)) = strike("fault-pings", true);
    assert_eq!(
        (got.ended, end, got.content()),
        (Ended::Hung, End::Open, String::new())
    );
    assert!(got.body.matches(": ping\n\n").count() >= 298);
    let (got, _) = strike("fault-drip", true);
    assert!(got.ended == Ended::Hung && got.content().contains("w298"));
    let (got, _) = strike("fault-drip", false);
    assert!(got.ended == Ended::Hung && got.status == 200);
}

#[test]
fn usage_can_be_absent_negative_or_absurd() {
    for (model, expected) in [
        ("fault-no-usage", Value::Null),
        ("fault-negative-usage", json!(-60)),
        ("fault-huge-usage", json!(1_000_000_000_000_000_000_u64)),
    ] {
        assert_eq!(
            strike(model, false).0.json()["usage"]["completion_tokens"],
            expected,
            "{model}"
        );
    }
}

#[test]
fn down_resets_and_can_be_taken_back() {
    let mut script = alpha(ProviderScript::default());
    script
        .providers
        .insert("beta".to_owned(), ProviderScript::default());
    bench(script, async |bench| {
        let down = |provider: &str| json!({"provider": provider, "fault": "down"});
        bench.post_for("/mock/faults", &down("alpha"), MINUTE).await;
        assert_eq!(bench.chat(&chat("m", false)).await.ended, Ended::Reset);
        assert_eq!(bench.last(), (End::Faulted, "down".to_owned()));
        let path = "/beta/v1/chat/completions";
        assert_eq!(
            bench.post_for(path, &chat("m", false), MINUTE).await.status,
            200
        );
        bench.post_for("/mock/faults", &down("beta"), MINUTE).await;
        assert_eq!(
            bench.post_for(path, &chat("m", false), MINUTE).await.ended,
            Ended::Reset
        );
        assert_eq!(bench.mock.attempts().len(), 2);
        let clear = json!({"provider": "beta", "fault": null});
        let state = bench.post_for("/mock/faults", &clear, MINUTE).await.json();
        assert_eq!(
            state["providers"]["beta"],
            json!({"fault": null, "latency_factor": 1.0, "in_flight": 0})
        );
        assert_eq!(
            bench.post_for(path, &chat("m", false), MINUTE).await.status,
            200
        );
    });
}

#[test]
fn a_schedule_delays_and_slows() {
    let faults = vec![
        FaultScript {
            until: Some(secs(10)),
            latency_factor: 3.0,
            ..FaultScript::default()
        },
        FaultScript {
            from: secs(20),
            until: Some(secs(30)),
            kind: Some(Kind::Internal.fault()),
            delay: secs(4),
            ..FaultScript::default()
        },
    ];
    bench(alpha(ProviderScript { faults, ..paced() }), async |bench| {
        assert_eq!(
            bench.chat(&chat("m", true)).await.first.as_millis() / 10,
            90
        );
        tokio::time::sleep(secs(17)).await;
        let got = bench.chat(&chat("m", true)).await;
        assert_eq!((got.status, got.last.as_secs()), (500, 4));
        tokio::time::sleep(secs(10)).await;
        assert_eq!(
            bench.chat(&chat("m", true)).await.first.as_millis() / 10,
            30
        );
    });
}
