//! How each vendor tells its limits: header names, value formats, 429 bodies and the form of "come back later".
//!
//! # Invariants
//! - What a vendor does not tell is not told: Gemini and Bedrock send no limit header at all.
//! - A told wait is never shorter than the real one.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use scoring::time::Span;

use super::dates;
use super::limits::{Counted, Refusal, Standing, Standings};
use super::script::Vendor;

/// The header for a wait in milliseconds.
pub(super) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Names of the limit, remaining and reset headers of one dimension.
type Names = [&'static str; 3];

const REQUESTS: Names = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
];
const TOKENS: Names = [
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
];
const ANTHROPIC_REQUESTS: Names = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
const ANTHROPIC_TOKENS: Names = [
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
];
const ANTHROPIC_INPUT: Names = [
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
];
const ANTHROPIC_OUTPUT: Names = [
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

/// Writes the limits as they stand, in the vendor's words; `unix` is the wall clock.
pub(super) fn tell(vendor: Vendor, standings: &Standings, unix: Duration, headers: &mut HeaderMap) {
    let rows: [(Names, Option<Standing>); 4] = match vendor {
        Vendor::OpenAi | Vendor::Azure | Vendor::AzureUnknown => [
            (REQUESTS, standings.requests),
            (TOKENS, standings.tokens),
            (TOKENS, None),
            (TOKENS, None),
        ],
        Vendor::Groq => [
            (REQUESTS, standings.daily),
            (TOKENS, standings.tokens),
            (TOKENS, None),
            (TOKENS, None),
        ],
        Vendor::Anthropic => [
            (ANTHROPIC_REQUESTS, standings.requests),
            (ANTHROPIC_TOKENS, standings.tokens),
            (ANTHROPIC_INPUT, standings.input),
            (ANTHROPIC_OUTPUT, standings.output),
        ],
        Vendor::Gemini | Vendor::Bedrock | Vendor::Silent => return,
    };
    for (names, standing) in rows {
        let Some(standing) = standing else { continue };
        let [limit, remaining, reset] = names.map(HeaderName::from_static);
        if vendor == Vendor::AzureUnknown {
            headers.insert(limit, HeaderValue::from_static("-1"));
            headers.insert(remaining, HeaderValue::from_static("-1"));
            headers.insert(reset, HeaderValue::from_static("0"));
            continue;
        }
        headers.insert(limit, HeaderValue::from(standing.limit as u64));
        headers.insert(remaining, HeaderValue::from(standing.remaining as u64));
        headers.insert(reset, reset_value(vendor, standing.reset, unix));
    }
}

/// Writes when to come back after a refusal, in the vendor's headers.
pub(super) fn tell_wait(vendor: Vendor, wait: Span, headers: &mut HeaderMap) {
    let seconds = HeaderValue::from(dates::whole_seconds(wait));
    match vendor {
        Vendor::OpenAi | Vendor::Azure | Vendor::AzureUnknown => {
            headers.insert(RETRY_AFTER, seconds);
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(dates::whole_millis(wait)));
        }
        Vendor::Anthropic | Vendor::Groq => {
            headers.insert(RETRY_AFTER, seconds);
        }
        Vendor::Bedrock => {
            let name = HeaderName::from_static("x-amzn-errortype");
            headers.insert(name, HeaderValue::from_static("ThrottlingException"));
        }
        Vendor::Gemini | Vendor::Silent => {}
    }
}

/// The body of a 429 for the key's own quota, in the vendor's words.
pub(super) fn refusal_body(vendor: Vendor, refusal: &Refusal, model: &str) -> String {
    let body = match vendor {
        Vendor::OpenAi | Vendor::Groq => openai_body(refusal, model),
        Vendor::Azure | Vendor::AzureUnknown => {
            let seconds = dates::whole_seconds(refusal.wait);
            let rate = if is_requests(refusal.counted) {
                "call"
            } else {
                "token"
            };
            serde_json::json!({"error": {"code": "429", "message": format!(
                "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 \
                 have been limited: {rate} rate limit of your current pricing tier. Rate limit is exceeded. \
                 Please retry after {seconds} seconds.")}})
        }
        Vendor::Anthropic => serde_json::json!({"type": "error", "error": {
            "type": "rate_limit_error",
            "message": format!("This request would exceed your organization's rate limit of {:.0} {}.",
                refusal.limit, unit(refusal.counted)),
        }}),
        Vendor::Gemini => gemini_body(refusal),
        Vendor::Bedrock => {
            let what = if is_requests(refusal.counted) {
                "requests"
            } else {
                "tokens"
            };
            serde_json::json!({"message": format!("Too many {what}, please wait before trying again.")})
        }
        Vendor::Silent => serde_json::json!({"error": {
            "message": "Too Many Requests", "type": "rate_limit_error", "param": null, "code": "rate_limit_exceeded",
        }}),
    };
    body.to_string()
}

fn reset_value(vendor: Vendor, reset: Span, unix: Duration) -> HeaderValue {
    let text = match vendor {
        Vendor::Anthropic => dates::rfc3339(unix.saturating_add(reset.into())),
        Vendor::Azure => dates::whole_seconds(reset).to_string(),
        _ => dates::go(reset),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"))
}

fn openai_body(refusal: &Refusal, model: &str) -> serde_json::Value {
    let Refusal {
        limit,
        used,
        requested,
        ..
    } = refusal;
    let (kind, name) = match refusal.counted {
        Counted::Requests => ("requests", "requests per min (RPM)"),
        Counted::DailyRequests => ("requests", "requests per day (RPD)"),
        Counted::Tokens => ("tokens", "tokens per min (TPM)"),
        Counted::InputTokens => ("tokens", "input tokens per min (ITPM)"),
        Counted::OutputTokens => ("tokens", "output tokens per min (OTPM)"),
    };
    let wait = dates::go(refusal.wait);
    serde_json::json!({"error": {
        "message": format!(
            "Rate limit reached for {model} in organization org-mock on {name}: Limit {limit:.0}, Used {used:.0}, \
             Requested {requested:.0}. Please try again in {wait}."),
        "type": kind,
        "param": null,
        "code": "rate_limit_exceeded",
    }})
}

fn gemini_body(refusal: &Refusal) -> serde_json::Value {
    let quota = match refusal.counted {
        Counted::Requests => "GenerateRequestsPerMinutePerProjectPerModel",
        Counted::DailyRequests => "GenerateRequestsPerDayPerProjectPerModel",
        _ => "GenerateContentInputTokensPerModelPerMinute",
    };
    let metric = if is_requests(refusal.counted) {
        "requests"
    } else {
        "input_token_count"
    };
    let millis = dates::whole_millis(refusal.wait);
    let delay = format!("{}.{:03}s", millis / 1_000, millis % 1_000);
    serde_json::json!({"error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                "quotaMetric": format!("generativelanguage.googleapis.com/generate_content_{metric}"),
                "quotaId": quota,
                "quotaValue": format!("{:.0}", refusal.limit),
            }]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
        ],
    }})
}

fn is_requests(counted: Counted) -> bool {
    matches!(counted, Counted::Requests | Counted::DailyRequests)
}

fn unit(counted: Counted) -> &'static str {
    match counted {
        Counted::Requests => "requests per minute",
        Counted::DailyRequests => "requests per day",
        Counted::Tokens => "tokens per minute",
        Counted::InputTokens => "input tokens per minute",
        Counted::OutputTokens => "output tokens per minute",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const UNIX: Duration = Duration::from_secs(1_755_780_059);

    fn standing(limit: f64, reset_ms: u64) -> Option<Standing> {
        Some(Standing {
            limit,
            remaining: limit - 1.0,
            reset: Span::from_millis(reset_ms),
        })
    }

    fn told(vendor: Vendor) -> HeaderMap {
        let standings = Standings {
            requests: standing(5_000.0, 12),
            tokens: standing(250_000.0, 360_000),
            input: standing(900.0, 1_000),
            output: None,
            daily: standing(14_400.0, 6_000),
        };
        let mut headers = HeaderMap::new();
        tell(vendor, &standings, UNIX, &mut headers);
        headers
    }

    fn refusal() -> Refusal {
        Refusal {
            counted: Counted::Tokens,
            limit: 250_000.0,
            used: 250_000.0,
            requested: 149_514.0,
            wait: Span::from_micros(35_883_360),
        }
    }

    #[test]
    fn each_vendor_uses_its_own_names_and_formats() {
        for (vendor, name, value) in [
            (Vendor::OpenAi, "x-ratelimit-limit-requests", "5000"),
            (Vendor::OpenAi, "x-ratelimit-remaining-requests", "4999"),
            (Vendor::OpenAi, "x-ratelimit-reset-requests", "12ms"),
            (Vendor::OpenAi, "x-ratelimit-reset-tokens", "6m0s"),
            (Vendor::Azure, "x-ratelimit-reset-requests", "1"),
            (Vendor::AzureUnknown, "x-ratelimit-limit-tokens", "-1"),
            (Vendor::AzureUnknown, "x-ratelimit-reset-tokens", "0"),
            (Vendor::Groq, "x-ratelimit-limit-requests", "14400"),
            (Vendor::Groq, "x-ratelimit-reset-requests", "6s"),
            (
                Vendor::Anthropic,
                "anthropic-ratelimit-input-tokens-limit",
                "900",
            ),
            (
                Vendor::Anthropic,
                "anthropic-ratelimit-input-tokens-reset",
                "2025-08-21T12:41:00Z",
            ),
        ] {
            assert_eq!(told(vendor).get(name).unwrap(), value, "{vendor:?} {name}");
        }
        assert!(
            told(Vendor::Anthropic)
                .get("anthropic-ratelimit-output-tokens-limit")
                .is_none()
        );
        for vendor in [Vendor::Gemini, Vendor::Bedrock, Vendor::Silent] {
            assert!(told(vendor).is_empty(), "{vendor:?}");
        }
    }

    #[test]
    fn each_vendor_refuses_in_its_own_words() {
        for (vendor, words) in [
            (
                Vendor::OpenAi,
                "on tokens per min (TPM): Limit 250000, Used 250000, Requested 149514. Please try again in 35.884s.",
            ),
            (
                Vendor::Azure,
                "Rate limit is exceeded. Please retry after 36 seconds.",
            ),
            (Vendor::Anthropic, r#""type":"rate_limit_error""#),
            (Vendor::Gemini, r#""retryDelay":"35.884s""#),
            (Vendor::Gemini, r#""quotaValue":"250000""#),
            (Vendor::Bedrock, "Too many tokens"),
        ] {
            let body = refusal_body(vendor, &refusal(), "gpt-4o");
            assert!(body.contains(words), "{vendor:?}: {body}");
        }
    }

    #[test]
    fn refusals_tell_whole_numbers_and_the_right_dimension() {
        let sliced = Refusal {
            counted: Counted::DailyRequests,
            limit: 360.0 / 7.0,
            wait: Span::from_secs(35),
            ..refusal()
        };
        for (vendor, words) in [
            (Vendor::Anthropic, "rate limit of 51 requests per day."),
            (Vendor::Azure, "call rate limit"),
            (Vendor::Gemini, r#""retryDelay":"35.000s""#),
        ] {
            let body = refusal_body(vendor, &sliced, "gpt-4o");
            assert!(body.contains(words), "{vendor:?}: {body}");
        }
    }

    #[test]
    fn the_wait_takes_the_vendors_form() {
        for (vendor, seconds, millis) in [
            (Vendor::OpenAi, Some("36"), Some("35884")),
            (Vendor::Anthropic, Some("36"), None),
            (Vendor::Groq, Some("36"), None),
            (Vendor::Gemini, None, None),
            (Vendor::Bedrock, None, None),
        ] {
            let mut headers = HeaderMap::new();
            tell_wait(vendor, refusal().wait, &mut headers);
            let text = |name: &HeaderName| headers.get(name).map(|it| it.to_str().unwrap());
            assert_eq!(
                (text(&RETRY_AFTER), text(&RETRY_AFTER_MS)),
                (seconds, millis),
                "{vendor:?}"
            );
        }
    }
}
