//! Errors in the client's dialect: status, object, and whether trying again may help.

use super::with_stand_in;
use crate::support::{Answer, Call, Ended, Mode, bench, chat};

/// What an error must be: status, `code`, and `x-should-retry`.
type Expected = (u16, Option<&'static str>, Option<&'static str>);

fn assert_error(answer: &Answer, (status, code, retry): Expected) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.ended, Ended::Whole);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-should-retry"), retry, "{answer:?}");
    let error = answer.json()["error"].clone();
    assert!(!error["message"].as_str().unwrap().is_empty(), "{answer:?}");
    assert!(error["type"].is_string(), "{answer:?}");
    assert_eq!(error["code"].as_str(), code, "{answer:?}");
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn requests_that_go_nowhere() {
    const NO: Option<&str> = Some("false");
    let table: [(Call, Expected); 12] = [
        (
            Call::chat(&chat("nobody", Mode::Whole)),
            (404, Some("model_not_found"), NO),
        ),
        (
            Call::chat(&chat("nobody", Mode::Stream)),
            (404, Some("model_not_found"), NO),
        ),
        (
            Call::chat(&chat("MAIN", Mode::Whole)),
            (404, Some("model_not_found"), NO),
        ),
        (Call::get("/v1/nothing"), (404, Some("unknown_url"), NO)),
        (Call::post("/v1", "{}"), (404, Some("unknown_url"), NO)),
        (
            Call::get("/v1/chat/completions"),
            (405, Some("method_not_allowed"), NO),
        ),
        (
            Call::post("/v1/models", "{}"),
            (405, Some("method_not_allowed"), NO),
        ),
        (
            Call::get("/v1/embeddings").method("DELETE"),
            (405, Some("method_not_allowed"), NO),
        ),
        (
            Call::get("/v1/models/nobody"),
            (404, Some("model_not_found"), NO),
        ),
        (Call::post("/v1/chat/completions", "{}"), (400, None, None)),
        (Call::post("/v1/chat/completions", "[]"), (400, None, None)),
        (Call::post("/v1/embeddings", "nonsense"), (400, None, None)),
    ];
    bench(&with_stand_in("m"), async |bench| {
        for (call, expected) in &table {
            assert_error(&bench.call(call).await, *expected);
        }
        assert_eq!(bench.mock.attempts().len(), 0, "nobody is asked");
        let answer = bench.chat(&chat("nobody", Mode::Whole)).await;
        assert_eq!(answer.json()["error"]["param"], "model");
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .contains("`nobody`")
        );
    });
}

/// What the client hears when the only route fails: the provider's words where they are an error object, never its doors.
#[test]
fn failures_of_the_only_route() {
    const NO: Option<&str> = Some("false");
    const YES: Option<&str> = Some("true");
    let table: [(&str, Expected); 14] = [
        ("500", (500, None, NO)),
        ("502", (502, Some("upstream_error"), NO)),
        ("503", (503, None, YES)),
        ("504", (504, None, NO)),
        ("429", (429, Some("rate_limit_exceeded"), YES)),
        ("429-busy", (429, None, YES)),
        ("429-quota", (429, Some("insufficient_quota"), NO)),
        ("401", (502, Some("upstream_auth"), NO)),
        ("403", (502, Some("upstream_auth"), NO)),
        ("html", (502, Some("upstream_error"), NO)),
        ("reset", (502, Some("upstream_error"), NO)),
        ("silence", (504, Some("upstream_timeout"), NO)),
        (
            "context-length",
            (400, Some("context_length_exceeded"), None),
        ),
        (
            "content-policy",
            (400, Some("content_policy_violation"), None),
        ),
    ];
    for (fault, expected) in table {
        for mode in Mode::BOTH {
            bench(&with_stand_in(&format!("fault-{fault}")), async |bench| {
                let answer = bench.chat(&chat("main", mode)).await;
                assert_error(&answer, expected);
                for secret in ["sk-alpha", "127.0.0.1", "<html>"] {
                    assert!(
                        !format!("{answer:?}").contains(secret),
                        "{secret}: {answer:?}"
                    );
                }
            });
        }
    }
}

/// An unpaid bill is the operator's, and no client's own retry helps.
#[test]
fn an_exhausted_quota_is_not_to_be_retried() {
    for mode in Mode::BOTH {
        bench(&with_stand_in("fault-429-quota"), async |bench| {
            let answer = bench.chat(&chat("main", mode)).await;
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{answer:?}");
            assert!(!answer.text().contains("billing"), "{answer:?}");
        });
    }
}

/// When to come back is told in both headers that clients read.
#[test]
fn a_wait_is_told_twice() {
    for mode in Mode::BOTH {
        bench(&with_stand_in("fault-429-ms-1500"), async |bench| {
            let answer = bench.chat(&chat("main", mode)).await;
            assert_error(&answer, (429, Some("rate_limit_exceeded"), Some("true")));
            let ms: u64 = answer.header("retry-after-ms").unwrap().parse().unwrap();
            let s: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=1_500).contains(&ms), "{answer:?}");
            assert_eq!(s, ms.div_ceil(1_000));
        });
    }
}

/// A 200 that holds an error is that error.
#[test]
fn an_error_with_status_200_gets_its_status() {
    for mode in Mode::BOTH {
        bench(&with_stand_in("fault-error-event"), async |bench| {
            let answer = bench.chat(&chat("main", mode)).await;
            assert!(answer.status >= 500, "{answer:?}");
            assert_eq!(answer.json()["error"]["type"], "server_error");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        });
    }
}
