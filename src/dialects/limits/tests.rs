//! Tests of what each vendor is recorded to have said.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot build its input has failed"
)]

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use scoring::ceiling::{Dimension, LimitSource, Reading};
use scoring::time::Span;

use super::LimitDialect::{Anthropic, Azure, Gemini, Groq, None as Silent, OpenAi};
use super::reading::{Counted, place};
use super::*;

/// 2025-08-21T12:40:00Z, in seconds since the epoch.
const NOW: Duration = Duration::from_secs(1_755_780_000);

/// Every dialect.
const ALL: [LimitDialect; 6] = [OpenAi, Anthropic, Azure, Groq, Gemini, Silent];

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

/// A reading of a limit, what is left and a reset in milliseconds.
fn told(limit: f64, remaining: f64, reset_ms: u64) -> Option<Reading> {
    Some(Reading {
        limit: Some(limit),
        remaining: Some(remaining),
        reset: Some(Span::from_millis(reset_ms)),
        ..Reading::default()
    })
}

/// A reading of a refusal: limit, used, requested and a wait in milliseconds.
fn refused(limit: f64, used: f64, requested: f64, wait_ms: u64) -> Reading {
    Reading {
        limit: Some(limit),
        used: Some(used),
        requested: Some(requested),
        reset: Some(Span::from_millis(wait_ms)),
        window: Some(Span::from_secs(60)),
        ..Reading::default()
    }
}

#[test]
fn openai_headers() {
    let found = from_headers(
        OpenAi,
        &headers(&[
            ("content-type", "application/json"),
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-limit-tokens", "250000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("openai-processing-ms", "412"),
        ]),
        NOW,
    );
    let expected = LimitReport {
        requests: told(5_000.0, 4_999.0, 12),
        tokens: told(250_000.0, 0.0, 360_000),
        ..LimitReport::default()
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn openai_headers_under_the_older_name() {
    let pairs = [
        ("x-ratelimit-limit-tokens_usage_based", "40000"),
        ("x-ratelimit-remaining-tokens_usage_based", "39000"),
        ("x-ratelimit-reset-tokens_usage_based", "1s"),
    ];
    let found = from_headers(OpenAi, &headers(&pairs), NOW).unwrap();
    assert_eq!(found.tokens, told(40_000.0, 39_000.0, 1_000));
    assert_eq!(found.requests, None);
}

#[test]
fn azure_headers() {
    let found = from_headers(
        Azure,
        &headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "10"),
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "0"),
        ]),
        NOW,
    );
    let found = found.unwrap();
    assert_eq!(found.requests, told(60.0, 59.0, 10_000));
    assert_eq!(found.tokens, None);
}

#[test]
fn what_is_not_told_is_no_report() {
    for pairs in [
        &[
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "-1"),
        ][..],
        &[
            ("x-ratelimit-limit-tokens", "0"),
            ("x-ratelimit-remaining-tokens", "7"),
        ],
        &[("x-ratelimit-remaining-tokens", "0")],
        &[("x-ratelimit-remaining-requests", "-1")],
        &[("x-ratelimit-reset-requests", "1s")],
        &[("x-ratelimit-limit-requests", "many")],
        &[("x-ratelimit-limit-requests", "1000000000000000000")],
        &[("x-ratelimit-limit", "100")],
        &[("x-ratelimit-limit-images", "5")],
        &[("anthropic-ratelimit-unified-status", "allowed")],
        &[("anthropic-ratelimit-requests", "5")],
        &[],
    ] {
        for dialect in ALL {
            assert_eq!(
                from_headers(dialect, &headers(pairs), NOW),
                None,
                "{pairs:?}"
            );
        }
    }
}

#[test]
fn odd_values_leave_the_rest_standing() {
    for (remaining, reset, expected) in [
        ("-1", "1s", (None, Some(1_000))),
        ("7", "soon", (Some(7.0), None)),
        ("7", "-1s", (Some(7.0), None)),
        ("7", "1755780059", (Some(7.0), None)),
        ("7.9", "1.5", (Some(7.0), Some(1_500))),
        ("", "", (None, None)),
    ] {
        let pairs = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", remaining),
            ("x-ratelimit-reset-requests", reset),
        ];
        let found = from_headers(OpenAi, &headers(&pairs), NOW).unwrap();
        let found = found.requests.unwrap();
        let expected = (expected.0, expected.1.map(Span::from_millis));
        assert_eq!((found.remaining, found.reset), expected, "{pairs:?}");
        assert_eq!(found.limit, Some(60.0));
    }
}

#[test]
fn the_first_of_a_repeated_header_counts() {
    let mut map = headers(&[("x-ratelimit-limit-requests", "60")]);
    map.append("x-ratelimit-limit-requests", HeaderValue::from_static("9"));
    let found = from_headers(OpenAi, &map, NOW).unwrap();
    assert_eq!(found.requests.unwrap().limit, Some(60.0));
}

#[test]
fn groq_headers() {
    let found = from_headers(
        Groq,
        &headers(&[
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ]),
        NOW,
    );
    let found = found.unwrap();
    let requests = found.requests.unwrap();
    assert_eq!(requests.window, Some(Span::from_secs(86_400)));
    assert_eq!(requests.reset, Some(Span::from_millis(179_560)));
    assert_eq!(found.tokens, told(18_000.0, 17_997.0, 7_660));
}

#[test]
fn anthropic_headers() {
    let found = from_headers(
        Anthropic,
        &headers(&[
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-requests-reset", "2025-08-21T12:40:59Z"),
            ("anthropic-ratelimit-tokens-limit", "480000"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2025-08-21T12:39:59Z"),
            ("anthropic-ratelimit-input-tokens-limit", "400000"),
            ("anthropic-ratelimit-input-tokens-remaining", "399000"),
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2025-08-21T12:40:00.150Z",
            ),
            ("anthropic-ratelimit-output-tokens-limit", "80000"),
            ("anthropic-ratelimit-output-tokens-remaining", "79000"),
            (
                "anthropic-ratelimit-output-tokens-reset",
                "2025-08-21T14:40:01+02:00",
            ),
        ]),
        NOW,
    );
    let expected = LimitReport {
        requests: told(4_000.0, 3_999.0, 59_000),
        tokens: told(480_000.0, 0.0, 0),
        input_tokens: told(400_000.0, 399_000.0, 150),
        output_tokens: told(80_000.0, 79_000.0, 1_000),
        refused: None,
        source: LimitSource::Header,
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn dialects_that_tell_nothing_in_headers() {
    let pairs = [
        ("x-ratelimit-limit-requests", "60"),
        ("anthropic-ratelimit-requests-limit", "60"),
    ];
    for dialect in [Gemini, Silent] {
        assert_eq!(from_headers(dialect, &headers(&pairs), NOW), None);
    }
}

#[test]
fn openai_bodies_about_tokens() {
    for (limit, used, requested, wait, wait_ms) in [
        (250_000.0, 250_000.0, 149_514.0, "35.883s", 35_883),
        (10_000.0, 8_782.0, 8_172.0, "41.724s", 41_724),
        (15_000.0, 11_972.0, 4_351.0, "5.29s", 5_290),
        (10_000.0, 9_999.0, 60.0, "354ms", 354),
        (10_000.0, 10_000.0, 60_000.0, "6m0s", 360_000),
    ] {
        let body = format!(
            r#"{{"error":{{"message":"Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit {limit}, Used {used}, Requested {requested}. Please try again in {wait}. Visit https://platform to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}}}"#
        );
        let expected = LimitReport {
            tokens: Some(refused(limit, used, requested, wait_ms)),
            refused: Some(Dimension::Tokens),
            source: LimitSource::Body,
            ..LimitReport::default()
        };
        for dialect in [OpenAi, Azure, Groq] {
            assert_eq!(
                from_body(dialect, body.as_bytes()),
                Some(expected),
                "{body}"
            );
        }
    }
}

#[test]
fn a_refusal_without_a_size_names_the_dimension() {
    for body in [
        "limit reached on requests per min (RPM): Limit 0, Used 0, Requested 1.",
        "limit reached on requests per min (RPM)",
    ] {
        let found = from_body(OpenAi, body.as_bytes()).unwrap();
        assert_eq!(found.refused, Some(Dimension::Requests), "{body}");
        assert_eq!(found.requests, None, "{body}");
    }
}

/// What a message tells: limit, used, window in seconds, and whether it is about requests.
type Told = (f64, Option<f64>, u64, Counted);

#[test]
fn openai_bodies_about_other_limits() {
    for (message, expected) in [
        (
            "on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
            (500.0, Some(500.0), 60, Counted::Requests),
        ),
        (
            "on requests per day (RPD): Limit 10000, Used 10000, Requested 1. Please try again in 8.64s.",
            (10_000.0, Some(10_000.0), 86_400, Counted::Requests),
        ),
        (
            "tier `on_demand` on tokens per day (TPD): Limit 100000, Used 99338, Requested 1203. Please try again in 7m46.6s.",
            (100_000.0, Some(99_338.0), 86_400, Counted::Tokens),
        ),
        (
            "on requests per min. Limit: 3 / min. Please try again in 20s.",
            (3.0, None, 60, Counted::Requests),
        ),
        (
            "on tokens per min. Limit: 40,000 / min. Current: 41,000 / min. Contact us",
            (40_000.0, Some(41_000.0), 60, Counted::Tokens),
        ),
        (
            "on tokens_usage_based per min: Limit 200000, Used 199000, Requested 2000.",
            (200_000.0, Some(199_000.0), 60, Counted::Tokens),
        ),
        (
            "Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 12000.",
            (10_000.0, None, 60, Counted::Tokens),
        ),
        (
            "for `images on stones per day` on requests per minute (RPM): Limit 30, Used 30, Requested 1.",
            (30.0, Some(30.0), 60, Counted::Requests),
        ),
    ] {
        let expected: Told = expected;
        let (limit, used, window, counted) = expected;
        let body = format!("Rate limit reached for gpt-4 in organization org-x {message}");
        let mut found = from_body(OpenAi, body.as_bytes()).unwrap();
        let reading = place(&mut found, counted).unwrap();
        let window = Some(Span::from_secs(window));
        let read = (reading.limit, reading.used, reading.window);
        assert_eq!(read, (Some(limit), used, window), "{message}");
    }
}

#[test]
fn openai_bodies_that_tell_nothing() {
    for body in [
        r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}"#,
        "on images per min (IPM): Limit 5, Used 5, Requested 1.",
        "requests per min: Limit 5",
        "",
    ] {
        assert_eq!(from_body(OpenAi, body.as_bytes()), None, "{body}");
    }
}

#[test]
fn azure_bodies() {
    let tokens = "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2023-05-15 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds.";
    let found = from_body(Azure, tokens.as_bytes()).unwrap();
    assert_eq!(found.tokens.unwrap().reset, Some(Span::from_secs(26)));
    assert_eq!(found.refused, Some(Dimension::Tokens));
    assert_eq!(found.requests, None);
    let calls = "… have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second.";
    let found = from_body(Azure, calls.as_bytes()).unwrap();
    assert_eq!(found.requests.unwrap().reset, Some(Span::from_secs(1)));
    for capacity in [
        "The system is currently experiencing high demand and cannot process your request. Try again in 5 seconds.",
        "The service is temporarily unable to process your request. Please try again later.",
        "Rate limit is exceeded. Try again in 7 seconds.",
    ] {
        assert_eq!(from_body(Azure, capacity.as_bytes()), None, "{capacity}");
    }
}

#[test]
fn anthropic_bodies() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed the rate limit for your organization (0a1b) of 30,000 input tokens per minute. For details, refer to: https://docs"}}"#;
    let found = from_body(Anthropic, body.as_bytes()).unwrap();
    let reading = found.input_tokens.unwrap();
    assert_eq!(reading.limit, Some(30_000.0));
    assert_eq!(found.refused, Some(Dimension::InputTokens));
    assert_eq!(reading.window, Some(Span::from_secs(60)));
    for (text, limit) in [
        ("rate limit of 50 requests per minute", 50.0),
        ("rate limit of 1,000 requests per day", 1_000.0),
    ] {
        let found = from_body(Anthropic, text.as_bytes()).unwrap();
        assert_eq!(found.requests.unwrap().limit, Some(limit));
    }
    let output = from_body(Anthropic, b"of 8,000 output tokens per minute").unwrap();
    assert_eq!(output.output_tokens.unwrap().limit, Some(8_000.0));
    for silent in [
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        "Number of request tokens has exceeded your per-minute rate limit",
        "too many tokens per minute",
        "of 0 requests per minute",
    ] {
        assert_eq!(from_body(Anthropic, silent.as_bytes()), None, "{silent}");
    }
}

/// A refusal with these violations.
fn gemini(violations: &str) -> String {
    format!(
        r#"{{"error":{{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{violations}]}},{{"@type":"type.googleapis.com/google.rpc.Help","links":[{{"description":"x","url":"https://x"}}]}},{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"19s"}}]}}}}"#
    )
}

#[test]
fn gemini_bodies() {
    let minute = r#"{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaCounteds":{"model":"gemini-2.0-flash","location":"global"},"quotaValue":"20"}"#;
    let day = r#"{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":200}"#;
    let input = r#"{"quotaValue":"250000","quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier"}"#;
    let report = |violations: &str| from_body(Gemini, gemini(violations).as_bytes());
    let expected = |limit, window| Reading {
        limit: Some(limit),
        reset: Some(Span::from_secs(19)),
        window: Some(Span::from_secs(window)),
        ..Reading::default()
    };
    let alone = report(minute).unwrap();
    assert_eq!(alone.requests, Some(expected(20.0, 60)));
    for both in [
        format!("{minute},{day},{input}"),
        format!("{input},{day},{minute}"),
    ] {
        let found = report(&both).unwrap();
        assert_eq!(found.requests, Some(expected(200.0, 86_400)));
        assert_eq!(found.input_tokens, Some(expected(250_000.0, 60)));
        assert_eq!((found.tokens, found.source), (None, LimitSource::Body));
        assert_eq!(found.refused, Some(Dimension::Requests));
    }
    let streamed = format!("[{}\n]", gemini(minute));
    assert_eq!(from_body(Gemini, streamed.as_bytes()), Some(alone));
}

#[test]
fn gemini_bodies_that_tell_nothing() {
    for violations in [
        "",
        r#"{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"0"}"#,
        r#"{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}"#,
        r#"{"quotaValue":"20"}"#,
        r#"{"quotaId":"Something","quotaValue":"20"}"#,
        r#"{"quotaId":7,"quotaValue":[]}"#,
        r#""odd""#,
    ] {
        let body = gemini(violations);
        assert_eq!(from_body(Gemini, body.as_bytes()), None, "{violations}");
    }
    for body in [
        "",
        "[]",
        "[1]",
        "{}",
        r#"{"error":{}}"#,
        r#"{"error":{"details":[1,"x"]}}"#,
    ] {
        assert_eq!(from_body(Gemini, body.as_bytes()), None, "{body}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for dialect in ALL {
            let _ = from_body(dialect, &bytes);
        }
    }

    #[test]
    fn quota_like_bodies_never_panic(
        words in proptest::collection::vec(
            prop_oneof![
                Just(" on "), Just("tokens"), Just("requests"), Just(" per "), Just("min"),
                Just("day"), Just("Limit"), Just("Used "), Just("Requested "), Just("try again in "),
                Just("9,99"), Just("7s"), Just(","), Just(" "), Just("token rate limit"),
            ],
            0..40,
        )
    ) {
        let body = words.concat();
        for dialect in ALL {
            let _ = from_body(dialect, body.as_bytes());
        }
    }

    #[test]
    fn arbitrary_header_values_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else {
            return Ok(());
        };
        let mut map = HeaderMap::new();
        for name in [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-reset",
        ] {
            map.insert(name, value.clone());
        }
        for dialect in ALL {
            let report = from_headers(dialect, &map, NOW);
            let tokens = report.and_then(|report| report.tokens);
            let numbers = tokens.map_or([None, None], |reading| [reading.limit, reading.remaining]);
            prop_assert!(numbers.into_iter().flatten().all(|number| number.is_finite() && number >= 0.0));
        }
    }
}
