//! Limits over the wire: headers on success, refusals in each vendor's words, and the moment they end.

use super::super::{LimitScript, Vendor};
use super::*;

fn limited(dialect: Vendor, tpm: u32) -> Script {
    let limits = LimitScript {
        dialect,
        tpm: Some(tpm),
        rpm: Some(60),
        ..LimitScript::default()
    };
    alpha(ProviderScript {
        limits,
        ..ProviderScript::default()
    })
}

/// A chat request that is charged 2 + `max_tokens`.
fn charging(max_tokens: u32) -> Value {
    let mut body = chat("gpt-4o", false);
    body["max_tokens"] = json!(max_tokens);
    body
}

#[test]
fn openai_tells_its_limits_on_success_and_refusal() {
    bench(limited(Vendor::OpenAi, 600), async |bench| {
        let got = bench.chat(&charging(298)).await;
        assert_eq!(got.status, 200);
        for (name, value) in [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "600"),
            ("x-ratelimit-remaining-tokens", "300"),
            ("x-ratelimit-reset-tokens", "30s"),
        ] {
            assert_eq!(got.header(name), Some(value), "{name}");
        }
        let got = bench.chat(&charging(398)).await;
        assert_eq!((got.status, got.header("retry-after")), (429, Some("10")));
        let body = got.json();
        assert_eq!(body["error"]["type"], "tokens");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("Limit 600, Used 300, Requested 400. Please try again in 10s."),
            "{message}"
        );
        assert_eq!(got.header("x-ratelimit-remaining-tokens"), Some("300"));
    });
}

#[test]
fn a_refused_request_passes_when_it_was_told_to_come_back() {
    bench(limited(Vendor::OpenAi, 600), async |bench| {
        bench.chat(&charging(598)).await;
        let got = bench.chat(&charging(98)).await;
        let millis: u64 = got.header("retry-after-ms").unwrap().parse().unwrap();
        assert!((9_900..=10_000).contains(&millis), "{millis}");
        tokio::time::sleep(Duration::from_millis(millis - 100)).await;
        assert_eq!(bench.chat(&charging(98)).await.status, 429);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.chat(&charging(98)).await.status, 200);
    });
}

#[test]
fn each_vendor_refuses_in_its_own_way() {
    for (vendor, told, words) in [
        (
            Vendor::Anthropic,
            Some("anthropic-ratelimit-tokens-limit"),
            "rate_limit_error",
        ),
        (
            Vendor::Azure,
            Some("x-ratelimit-limit-tokens"),
            "Rate limit is exceeded",
        ),
        (
            Vendor::AzureUnknown,
            Some("x-ratelimit-limit-tokens"),
            "Rate limit is exceeded",
        ),
        (
            Vendor::Groq,
            Some("x-ratelimit-limit-tokens"),
            "(TPM): Limit 600",
        ),
        (Vendor::Gemini, None, "RESOURCE_EXHAUSTED"),
        (Vendor::Bedrock, None, "Too many tokens"),
        (Vendor::Silent, None, "Too Many Requests"),
    ] {
        bench(limited(vendor, 600), async |bench| {
            bench.chat(&charging(598)).await;
            let got = bench.chat(&charging(298)).await;
            assert_eq!(got.status, 429, "{vendor:?}");
            assert!(got.body.contains(words), "{vendor:?}: {}", got.body);
            assert_eq!(
                told.is_some(),
                got.head.contains("ratelimit"),
                "{vendor:?}: {}",
                got.head
            );
            if let Some(name) = told {
                let expected = if vendor == Vendor::AzureUnknown {
                    "-1"
                } else {
                    "600"
                };
                assert_eq!(got.header(name), Some(expected));
            }
        });
    }
}

#[test]
fn keys_have_limits_of_their_own() {
    bench(limited(Vendor::OpenAi, 600), async |bench| {
        bench.chat(&charging(598)).await;
        assert_eq!(bench.chat(&charging(98)).await.status, 429);
        let body = charging(98).to_string();
        let length = body.len();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: m\r\nauthorization: Bearer other";
        let request = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        assert_eq!(
            bench.send(&request, Duration::from_secs(60)).await.status,
            200
        );
    });
}
