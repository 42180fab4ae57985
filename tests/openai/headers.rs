//! The headers that a response has, whatever it is.

use super::{with_raw, with_stand_in};
use crate::support::{Answer, Call, Mode, Reply, bench, chat};

fn assert_ids(answer: &Answer) -> String {
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(answer.header("request-id"), Some(id), "{answer:?}");
    assert_eq!(answer.header("x-trimtab-request-id"), Some(id));
    id.to_owned()
}

#[test]
fn every_response_has_an_id_of_its_own() {
    bench(&with_stand_in("m"), async |bench| {
        let mut ids = std::collections::BTreeSet::new();
        for call in [
            Call::chat(&chat("main", Mode::Whole)),
            Call::chat(&chat("main", Mode::Stream)),
            Call::chat(&chat("nobody", Mode::Whole)),
            Call::post("/v1/chat/completions", "nonsense"),
            Call::get("/v1/chat/completions"),
            Call::get("/v1/nothing"),
            Call::get("/v1/models"),
        ] {
            let id = assert_ids(&bench.call(&call).await);
            let digits = id.strip_prefix("req-").unwrap();
            assert!(
                digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(ids.insert(id));
        }
    });
}

#[test]
fn a_client_may_name_its_request() {
    bench(&with_stand_in("m"), async |bench| {
        for mode in Mode::BOTH {
            for name in ["x-request-id", "x-client-request-id"] {
                let call = Call::chat(&chat("main", mode)).header(name, "mine-1");
                assert_eq!(assert_ids(&bench.call(&call).await), "mine-1");
            }
        }
        for bad in [
            "two words".to_owned(),
            "x".repeat(129),
            "caf\u{e9}".to_owned(),
        ] {
            let call = Call::chat(&chat("main", Mode::Whole)).header("x-request-id", &bad);
            let answer = bench.call(&call).await;
            assert!(assert_ids(&answer).starts_with("req-"), "{answer:?}");
        }
    });
}

#[test]
fn an_answer_says_how_it_came_about() {
    bench(&with_stand_in("m"), async |bench| {
        for mode in Mode::BOTH {
            let answer = bench.chat(&chat("main", mode)).await;
            assert_eq!(answer.header("x-trimtab-route"), Some("alpha/m/key"));
            assert_eq!(answer.header("x-trimtab-attempts"), Some("1"));
            assert_eq!(answer.header("x-cache-status"), Some("BYPASS"));
            let upstream = answer.header("x-upstream-request-id").unwrap();
            assert!(upstream.starts_with("req_mock"), "{upstream}");
            let overhead: u64 = answer
                .header("x-trimtab-overhead-us")
                .unwrap()
                .parse()
                .unwrap();
            // Everybody's computing takes no time here, and what the provider took is not the gateway's.
            assert!(overhead < 3_000, "{overhead}");
            let timing = answer.header("server-timing").unwrap();
            let (gateway, provider) = timing.split_once(", ").unwrap();
            let ms = |entry: &str, name: &str| -> f64 {
                let prefix = format!("{name};dur=");
                entry.strip_prefix(&prefix).unwrap().parse().unwrap()
            };
            assert!(ms(gateway, "gateway") < 3.0, "{timing}");
            let took = ms(provider, "provider");
            let expected = if mode == Mode::Stream { 20.0 } else { 75.0 };
            assert!(
                (expected..expected + 5.0).contains(&took),
                "{mode:?}: {timing}"
            );
        }
    });
}

/// Back-off and failed attempts are not the gateway's own time.
#[test]
fn waiting_for_a_provider_is_not_overhead() {
    bench(&with_stand_in("s03"), async |bench| {
        for mode in Mode::BOTH {
            let mut body = chat("main", mode);
            body["user"] = format!("{mode:?}").into();
            let answer = bench.chat(&body).await;
            assert_eq!(answer.header("x-trimtab-attempts"), Some("2"));
            let overhead: u64 = answer
                .header("x-trimtab-overhead-us")
                .unwrap()
                .parse()
                .unwrap();
            assert!(overhead < 3_000, "{mode:?}: {overhead}");
        }
    });
}

/// Of a provider's headers the useful ones pass and no other.
#[test]
fn a_providers_headers_are_sifted() {
    let headers = "content-type: application/json\r\nx-ratelimit-remaining-requests: 7\r\nopenai-processing-ms: 12\r\n\
        x-request-id: theirs\r\nserver: nginx\r\nset-cookie: a=b\r\nvia: 1.1 proxy\r\nx-litellm-model-api-base: http://inner\r\n\
        content-encoding: identity\r\nx-powered-by: php\r\nstrict-transport-security: max-age=1\r\n";
    let reply = Reply::new("200 OK", headers, b"{\"choices\":[]}");
    with_raw(reply, async |bench, _raw| {
        let answer = bench.chat(&chat("main", Mode::Whole)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("7"));
        assert_eq!(answer.header("openai-processing-ms"), Some("12"));
        assert_eq!(answer.header("x-upstream-request-id"), Some("theirs"));
        for name in [
            "server",
            "set-cookie",
            "via",
            "x-litellm-model-api-base",
            "x-powered-by",
            "strict-transport-security",
            "authorization",
        ] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        assert!(!format!("{answer:?}").contains("sk-provider"));
    });
}

/// The decision is told to whoever asks, and to nobody else.
#[test]
fn a_decision_is_explained_on_request() {
    bench(&with_stand_in("m"), async |bench| {
        for mode in Mode::BOTH {
            let call = Call::chat(&chat("main", mode));
            assert_eq!(bench.call(&call).await.header("x-trimtab-decision"), None);
            let answer = bench.call(&call.header("x-trimtab-explain", "1")).await;
            let decision = answer.header("x-trimtab-decision").unwrap();
            let decision: serde_json::Value = serde_json::from_str(decision).unwrap();
            assert!(decision.to_string().contains("alpha/m/key"), "{decision}");
        }
    });
}
