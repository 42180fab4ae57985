//! What does a provider's refusal mean for its route, and for the client?
//!
//! Status first, then the error object's `code`, `type` and words: the same 429 can be our own quota (feeds the ceiling),
//! the provider's capacity (hurts health) or an unpaid bill (holds the key).
//! Google words its errors otherwise: a canonical `status`, a numeric `code`, `details` that name the reason or the quota, and in streams a list around it all.
//! Sources: OpenAI's error codes, Azure's 429 texts, Google's `google.rpc` codes and error details, Anthropic's page on errors,
//! the exceptions of Bedrock's operations (told as `type`), Cohere's errors, and the table of attempt outcomes in `scoring`'s README.
//!
//! # Invariants
//! - What is the client's own fault never hurts a route.

use http::StatusCode;
use scoring::outcome::Outcome;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it does to the route.
    pub outcome: Outcome,
    /// What the client is told if no other route answers.
    pub failure: Failure,
    /// What else can be done about it.
    pub remedy: Remedy,
}

/// What else can be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// What the outcome says.
    None,
    /// The prompt is too long for this model: a model with a larger context may take it.
    LargerContext,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    error: Option<Object<'a>>,
}

#[derive(Default, Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    code: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Option<&'a RawValue>,
}

impl<'a> Object<'a> {
    /// The error object in a body, empty if there is none.
    fn of(body: &'a [u8]) -> Self {
        let listed = body.trim_ascii_start().first() == Some(&b'[');
        let body = if listed {
            let all = serde_json::from_slice::<Vec<&'a RawValue>>(body);
            let first = all.ok().and_then(|all| all.into_iter().next());
            first.and_then(|first| serde_json::from_str(first.get()).ok())
        } else {
            serde_json::from_slice::<Body<'a>>(body).ok()
        };
        body.and_then(|body| body.error).unwrap_or_default()
    }

    /// Whether Google's details give one of the `reasons`. A quota of a day is still a quota: it feeds the ceiling.
    fn details_give(&self, reasons: &[&str]) -> bool {
        let details = self.details.map(RawValue::get).unwrap_or_default();
        let details = serde_json::from_str::<Vec<&RawValue>>(details).unwrap_or_default();
        let known = details
            .iter()
            .map(|detail| serde_json::from_str(detail.get()));
        known
            .flatten()
            .any(|detail: Detail<'_>| detail.gives(reasons))
    }

    /// Whether Google says by the message of a 400 that it refuses the key or its account; only the beginning counts, since the rest may quote the client.
    fn message_blames_key(&self, message: &str) -> bool {
        self.status.is_some() && KEY_MESSAGES.iter().any(|begin| message.starts_with(begin))
    }
}

/// One of Google's details: an `ErrorInfo` has a reason.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

impl Detail<'_> {
    fn gives(&self, reasons: &[&str]) -> bool {
        let reason = Text::lower(self.reason.as_ref());
        reasons.contains(&reason.as_str())
    }
}

/// A text or a whole number; anything else counts as none.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] &'a RawValue);

impl Text<'_> {
    fn lower(text: Option<&Self>) -> String {
        let Some(Self(raw)) = text else {
            return String::new();
        };
        let raw = raw.get();
        if raw.bytes().all(|byte| byte.is_ascii_digit()) {
            return raw.to_owned();
        }
        let mut text = serde_json::from_str::<String>(raw).unwrap_or_default();
        text.make_ascii_lowercase();
        text
    }
}

/// Codes and types that mean the bill, not the moment. Source: OpenAI error codes, Anthropic spend limits.
const BILL_WORDS: &[&str] = &["insufficient_quota", "billing", "spend_limit"];

/// Codes and types that mean the key, not the moment. Source: OpenAI error codes.
const KEY_WORDS: &[&str] = &[
    "invalid_api_key",
    "account_deactivated",
    "access_terminated",
];

/// Words by which providers say that they, and not we, are at their limit. Source: Azure and Anthropic error texts.
const CAPACITY_WORDS: &[&str] = &[
    "high demand",
    "overloaded",
    "temporarily unable",
    "at capacity",
    "no capacity",
    "currently unavailable",
    // Vertex's shared capacity, which is nobody's quota.
    "error-code-429",
];

/// Reasons in Google's details that mean the key. Source: `google/api/error_reason.proto`.
const KEY_REASONS: &[&str] = &["api_key_invalid", "api_key_expired", "consumer_suspended"];

/// The reason in Google's details that means the bill. Source: the same.
const BILL_REASONS: &[&str] = &["billing_disabled"];

/// How Google's messages begin when a 400 is about the key or its account.
const KEY_MESSAGES: &[&str] = &[
    "api key not valid",
    "api key expired",
    "user location is not supported",
];

/// How messages begin that are about the bill, Google's first; only the beginning counts, since the rest may quote the client.
const BILL_MESSAGES: &[&str] = &[
    "gemini api free tier is not available",
    "your prepayment credits are depleted",
    "this api method requires billing to be enabled",
    "your credit balance is too low",
    "you have reached your specified api usage limits",
];

/// Codes that mean that this route does not serve the model.
const UNSUPPORTED_WORDS: &[&str] = &["model_not_found", "deploymentnotfound", "unsupported_model"];

/// Words by which Bedrock says the same of an account or a region.
const UNSUPPORTED_PHRASES: &[&str] = &[
    "have access to the model",
    "provided model identifier is invalid",
    "on-demand throughput isn",
];

/// Exceptions by which AWS refuses a credential, which it may send with status 400.
const AWS_KEY_WORDS: &[&str] = &[
    "accessdenied",
    "unrecognizedclient",
    "expiredtoken",
    "invalidsignature",
    "incompletesignature",
    "missingauthenticationtoken",
];

/// Judges a response that is not a success; `body` may be cut short.
#[must_use]
pub fn refusal(status: StatusCode, body: &[u8]) -> Verdict {
    let object = Object::of(body);
    let code = Text::lower(object.code.as_ref());
    let kind = Text::lower(object.kind.as_ref());
    let message = Text::lower(object.message.as_ref());
    let says = |words: &[&str]| {
        words
            .iter()
            .any(|word| code.contains(word) || kind.contains(word))
    };
    let phrased = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    let unpaid = says(BILL_WORDS)
        || BILL_MESSAGES.iter().any(|it| message.starts_with(it))
        || object.details_give(BILL_REASONS);
    match status.as_u16() {
        402 => plain(Outcome::KeyRejected, Failure::UpstreamQuota),
        400 | 403 | 429 if unpaid => plain(Outcome::KeyRejected, Failure::UpstreamQuota),
        400 | 403 if phrased(UNSUPPORTED_PHRASES) => plain(Outcome::Unsupported, Failure::Upstream),
        400 if says(AWS_KEY_WORDS) => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        400 if says(&["servicequotaexceeded"]) => plain(Outcome::RateLimited, Failure::RateLimited),
        429 if says(&["modelnotready"]) => plain(Outcome::Overloaded, Failure::Overloaded),
        424 => plain(Outcome::ServerError, Failure::Upstream),
        498 => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        401 | 403 => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        400 | 429 if object.details_give(KEY_REASONS) => {
            plain(Outcome::KeyRejected, Failure::UpstreamAuth)
        }
        400 if object.message_blames_key(&message) => {
            plain(Outcome::KeyRejected, Failure::UpstreamAuth)
        }
        429 if says(KEY_WORDS) => plain(Outcome::KeyRejected, Failure::UpstreamAuth),
        429 | 500..=599 if says(&["overloaded_error"]) => {
            plain(Outcome::Overloaded, Failure::Overloaded)
        }
        429 if phrased(CAPACITY_WORDS) => plain(Outcome::Overloaded, Failure::Overloaded),
        429 => plain(Outcome::RateLimited, Failure::RateLimited),
        404 => plain(Outcome::Unsupported, Failure::Upstream),
        400 if says(UNSUPPORTED_WORDS) => plain(Outcome::Unsupported, Failure::Upstream),
        400 | 413 | 422 if too_long(&code, &message) => Verdict {
            remedy: Remedy::LargerContext,
            ..plain(Outcome::Rejected, Failure::TooLong)
        },
        413 if says(&["request_too_large"]) => plain(Outcome::Rejected, Failure::TooLarge),
        408 => plain(Outcome::TimedOut, Failure::Timeout),
        400..=499 => plain(Outcome::Rejected, Failure::BadRequest),
        503 | 529 => plain(Outcome::Overloaded, Failure::Overloaded),
        504 => plain(Outcome::ServerError, Failure::Timeout),
        _ => plain(Outcome::ServerError, Failure::Upstream),
    }
}

/// Judges an error object that came with status 200, in a stream or in a whole answer.
#[must_use]
pub fn error_in_success(body: &[u8]) -> Verdict {
    let object = Object::of(body);
    let named = canonical(&Text::lower(object.status.as_ref()));
    let named = named.or(typed(&Text::lower(object.kind.as_ref())));
    if let Some(status) = named.or(numbered(&Text::lower(object.code.as_ref()))) {
        return refusal(status, body);
    }
    let words = format!(
        "{} {} {}",
        Text::lower(object.code.as_ref()),
        Text::lower(object.kind.as_ref()),
        Text::lower(object.message.as_ref())
    );
    let account = [BILL_WORDS, KEY_WORDS].concat();
    let status = if account.iter().any(|word| words.contains(word))
        || words.contains("rate_limit")
        || words.contains("throttlingexception")
    {
        StatusCode::TOO_MANY_REQUESTS
    } else if words.contains("overloaded")
        || words.contains("serviceunavailableexception")
        || words.contains("modelnotreadyexception")
        || CAPACITY_WORDS.iter().any(|w| words.contains(w))
    {
        StatusCode::SERVICE_UNAVAILABLE
    } else if words.contains("modeltimeoutexception") {
        StatusCode::REQUEST_TIMEOUT
    } else if words.contains("invalid_request")
        || words.contains("validationexception")
        || words.contains("context_length")
        || words.contains("content_policy")
        || words.contains("content_filter")
    {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    refusal(status, body)
}

/// The HTTP status of an error that is numbered like one, as brokers of several providers number theirs.
fn numbered(code: &str) -> Option<StatusCode> {
    let number = code.parse().ok().filter(|code| (400..600).contains(code));
    StatusCode::from_u16(number?).ok()
}

/// The HTTP status that a canonical code of Google's stands for. Source: `google/rpc/code.proto`.
fn canonical(status: &str) -> Option<StatusCode> {
    Some(match status {
        "invalid_argument" | "failed_precondition" | "out_of_range" => StatusCode::BAD_REQUEST,
        "unauthenticated" => StatusCode::UNAUTHORIZED,
        "permission_denied" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "resource_exhausted" => StatusCode::TOO_MANY_REQUESTS,
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "deadline_exceeded" => StatusCode::GATEWAY_TIMEOUT,
        "internal" | "unknown" | "data_loss" | "aborted" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => return None,
    })
}

/// The HTTP status of a type of Anthropic's, which names the failure alone; the types that other vendors use too are judged with their words. Source: Anthropic API reference, "Errors".
fn typed(kind: &str) -> Option<StatusCode> {
    Some(match kind {
        "permission_error" => StatusCode::FORBIDDEN,
        "authentication_error" => StatusCode::UNAUTHORIZED,
        "billing_error" => StatusCode::PAYMENT_REQUIRED,
        "not_found_error" => StatusCode::NOT_FOUND,
        "request_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "rate_limit_error" => StatusCode::TOO_MANY_REQUESTS,
        "overloaded_error" => StatusCode::SERVICE_UNAVAILABLE,
        "timeout_error" => StatusCode::GATEWAY_TIMEOUT,
        _ => return None,
    })
}

fn too_long(code: &str, message: &str) -> bool {
    code.contains("context_length_exceeded")
        || message.contains("maximum context length")
        || message.contains("prompt is too long")
        || message.contains("exceed context limit")
        || (message.contains("input token count") && message.contains("exceeds"))
        || message.contains("input is too long")
        || message.contains("too many input tokens")
        || message.contains("too many tokens: size limit exceeded")
}

const fn plain(outcome: Outcome, failure: Failure) -> Verdict {
    Verdict {
        outcome,
        failure,
        remedy: Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let check = |status: u16, body: &str, outcome: Outcome| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                refusal(status, body.as_bytes()).outcome,
                outcome,
                "{status} {body}"
            );
        };
        let error = |code: &str, message: &str| {
            format!(r#"{{"error":{{"message":"{message}","type":"t","code":"{code}"}}}}"#)
        };
        check(
            429,
            &error("rate_limit_exceeded", "Rate limit reached"),
            Outcome::RateLimited,
        );
        check(
            429,
            &error("insufficient_quota", "You exceeded"),
            Outcome::KeyRejected,
        );
        check(
            429,
            &error("429", "The system is experiencing high demand"),
            Outcome::Overloaded,
        );
        check(429, "not json", Outcome::RateLimited);
        check(401, "", Outcome::KeyRejected);
        check(404, &error("model_not_found", "no"), Outcome::Unsupported);
        check(
            400,
            &error("context_length_exceeded", "too long"),
            Outcome::Rejected,
        );
        check(
            400,
            &error("content_policy_violation", "no"),
            Outcome::Rejected,
        );
        check(
            400,
            r#"{"error":{"code":400,"message":"x"}}"#,
            Outcome::Rejected,
        );
        check(500, "<html>", Outcome::ServerError);
        check(502, "", Outcome::ServerError);
        check(503, "", Outcome::Overloaded);
        check(529, "", Outcome::Overloaded);
        check(302, "", Outcome::ServerError);
        check(424, "", Outcome::ServerError);
        check(498, "", Outcome::KeyRejected);
        let aws = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","message":"m"}}}}"#);
        check(400, &aws("ExpiredTokenException"), Outcome::KeyRejected);
        check(
            400,
            &aws("ServiceQuotaExceededException"),
            Outcome::RateLimited,
        );
        check(429, &aws("ModelNotReadyException"), Outcome::Overloaded);
        check(429, &aws("ThrottlingException"), Outcome::RateLimited);
        let long = refusal(
            StatusCode::BAD_REQUEST,
            error("context_length_exceeded", "x").as_bytes(),
        );
        assert_eq!(long.remedy, Remedy::LargerContext);
        assert_eq!(long.failure, Failure::TooLong);
        let inside = error_in_success(error("server_error", "boom").as_bytes());
        assert_eq!(inside.outcome, Outcome::ServerError);
    }

    #[test]
    fn googles_refusals_are_told_apart() {
        use Outcome::{KeyRejected, Overloaded, RateLimited, Rejected, ServerError, TimedOut};
        let error = |code: u16, status: &str, message: &str, details: &str| {
            format!(
                r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{details}]}}}}"#
            )
        };
        let quota = |id: &str| {
            format!(
                r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{id}","quotaValue":"10"}}]}}"#
            )
        };
        let minute = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
        let day = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
        let plan = "You exceeded your current quota, please check your plan and billing details.";
        let invalid = r#"{"reason":"API_KEY_INVALID","domain":"googleapis.com"}"#;
        let quoted = r#"{"fieldViolations":[{"description":"perday API_KEY_INVALID"}]}"#;
        let vertex = "Resource exhausted. Please refer to https://h/docs/error-code-429";
        for (code, status, message, details, outcome) in [
            (
                429,
                "RESOURCE_EXHAUSTED",
                plan,
                minute.as_str(),
                RateLimited,
            ),
            (429, "RESOURCE_EXHAUSTED", plan, day.as_str(), RateLimited),
            (429, "RESOURCE_EXHAUSTED", vertex, "", Overloaded),
            (
                400,
                "INVALID_ARGUMENT",
                "API key not valid.",
                invalid,
                KeyRejected,
            ),
            (400, "INVALID_ARGUMENT", "API key expired.", "", KeyRejected),
            (
                400,
                "INVALID_ARGUMENT",
                "Invalid value: api key not valid, perday",
                quoted,
                Rejected,
            ),
            (
                503,
                "UNAVAILABLE",
                "The model is overloaded.",
                "",
                Overloaded,
            ),
            (500, "INTERNAL", "boom", "", ServerError),
            (504, "DEADLINE_EXCEEDED", "slow", "", ServerError),
        ] {
            let body = error(code, status, message, details);
            let listed = format!("[{body}]");
            for body in [&body, &listed] {
                let http = StatusCode::from_u16(code).unwrap();
                assert_eq!(refusal(http, body.as_bytes()).outcome, outcome, "{body}");
                assert_eq!(error_in_success(body.as_bytes()).outcome, outcome, "{body}");
            }
        }
        assert_eq!(
            refusal(StatusCode::REQUEST_TIMEOUT, b"[1]").outcome,
            TimedOut
        );
    }

    #[test]
    fn numbers_of_errors_may_be_statuses() {
        for (code, outcome) in [
            ("429", Outcome::RateLimited),
            ("\"503\"", Outcome::Overloaded),
            ("400", Outcome::Rejected),
            ("1305", Outcome::ServerError),
            ("-1", Outcome::ServerError),
        ] {
            let body = format!(r#"{{"error":{{"code":{code},"message":"m"}}}}"#);
            assert_eq!(error_in_success(body.as_bytes()).outcome, outcome, "{code}");
        }
    }

    #[test]
    fn a_larger_context_helps_google_too() {
        let long = br#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#;
        let verdict = refusal(StatusCode::BAD_REQUEST, long);
        assert_eq!(verdict.outcome, Outcome::Rejected);
        assert_eq!(verdict.remedy, Remedy::LargerContext);
    }

    /// Anthropic's error object.
    fn anthropics(kind: &str, message: &str) -> Vec<u8> {
        let error = format!(r#"{{"type":"{kind}","message":"{message}"}}"#);
        format!(r#"{{"type":"error","error":{error},"request_id":"req_1"}}"#).into_bytes()
    }

    #[test]
    fn anthropics_errors_are_told_by_type() {
        let told = |status: u16, kind: &str, outcome: Outcome, failure: Failure| {
            let body = anthropics(kind, "x");
            let http = StatusCode::from_u16(status).unwrap();
            for verdict in [refusal(http, &body), error_in_success(&body)] {
                assert_eq!(
                    (verdict.outcome, verdict.failure),
                    (outcome, failure),
                    "{kind}"
                );
            }
        };
        let overloaded = |status| {
            told(
                status,
                "overloaded_error",
                Outcome::Overloaded,
                Failure::Overloaded,
            )
        };
        [529, 503, 500, 429].into_iter().for_each(overloaded);
        told(
            429,
            "rate_limit_error",
            Outcome::RateLimited,
            Failure::RateLimited,
        );
        told(
            402,
            "billing_error",
            Outcome::KeyRejected,
            Failure::UpstreamQuota,
        );
        told(
            401,
            "authentication_error",
            Outcome::KeyRejected,
            Failure::UpstreamAuth,
        );
        told(
            403,
            "permission_error",
            Outcome::KeyRejected,
            Failure::UpstreamAuth,
        );
        told(
            404,
            "not_found_error",
            Outcome::Unsupported,
            Failure::Upstream,
        );
        told(
            413,
            "request_too_large",
            Outcome::Rejected,
            Failure::TooLarge,
        );
        told(
            400,
            "invalid_request_error",
            Outcome::Rejected,
            Failure::BadRequest,
        );
        told(500, "api_error", Outcome::ServerError, Failure::Upstream);
        told(504, "timeout_error", Outcome::ServerError, Failure::Timeout);
    }

    /// Who does not pay is told apart from who has no key, in every vendor's words.
    #[test]
    fn bills_are_told_apart_from_keys() {
        let google = |code: u16, status: &str, message: &str, reason: &str| {
            format!(
                r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}"}}]}}}}"#
            )
        };
        let openai = |code: &str| {
            format!(r#"{{"error":{{"message":"m","type":"{code}","param":null,"code":"{code}"}}}}"#)
        };
        let anthropic =
            |message| String::from_utf8(anthropics("invalid_request_error", message)).unwrap();
        let credit = "Your credit balance is too low to access the Anthropic API.";
        let (bill, key) = (Failure::UpstreamQuota, Failure::UpstreamAuth);
        for (status, body, failure) in [
            (429, openai("insufficient_quota"), bill),
            (429, openai("billing_not_active"), bill),
            (400, openai("billing_hard_limit_reached"), bill),
            (403, openai("insufficient_quota"), bill),
            (402, String::new(), bill),
            (400, anthropic(credit), bill),
            (403, anthropic(credit), bill),
            (429, openai("enforced_spend_limit_reached"), bill),
            (
                403,
                google(
                    403,
                    "PERMISSION_DENIED",
                    "This API method requires billing to be enabled.",
                    "X",
                ),
                bill,
            ),
            (
                403,
                google(403, "PERMISSION_DENIED", "m", "BILLING_DISABLED"),
                bill,
            ),
            (
                429,
                google(
                    429,
                    "RESOURCE_EXHAUSTED",
                    "Your prepayment credits are depleted.",
                    "X",
                ),
                bill,
            ),
            (
                400,
                google(
                    400,
                    "FAILED_PRECONDITION",
                    "Gemini API free tier is not available in your country.",
                    "X",
                ),
                bill,
            ),
            (401, openai("invalid_api_key"), key),
            (403, openai("access_terminated"), key),
            (429, openai("account_deactivated"), key),
            (
                403,
                google(403, "PERMISSION_DENIED", "m", "CONSUMER_SUSPENDED"),
                key,
            ),
        ] {
            let http = StatusCode::from_u16(status).unwrap();
            let verdict = refusal(http, body.as_bytes());
            assert_eq!(verdict.outcome, Outcome::KeyRejected, "{status} {body}");
            assert_eq!(verdict.failure, failure, "{status} {body}");
        }
    }

    #[test]
    fn anthropics_bad_requests_are_told_by_their_words() {
        let told = |message: &str, outcome: Outcome, remedy: Remedy| {
            let body = anthropics("invalid_request_error", message);
            for verdict in [
                refusal(StatusCode::BAD_REQUEST, &body),
                error_in_success(&body),
            ] {
                assert_eq!(
                    (verdict.outcome, verdict.remedy),
                    (outcome, remedy),
                    "{message}"
                );
            }
        };
        let broke = "Your credit balance is too low to access the Anthropic API.";
        told(broke, Outcome::KeyRejected, Remedy::None);
        let spent = "You have reached your specified API usage limits.";
        told(spent, Outcome::KeyRejected, Remedy::None);
        let quoted = "messages.0: your credit balance is too low, wrote the client";
        told(quoted, Outcome::Rejected, Remedy::None);
        let long = "prompt is too long: 210000 tokens > 200000 maximum";
        told(long, Outcome::Rejected, Remedy::LargerContext);
        let longer = "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000";
        told(longer, Outcome::Rejected, Remedy::LargerContext);
    }

    /// A list of errors is as long as its provider likes, and all but the first is not looked into.
    #[test]
    fn much_of_no_meaning_takes_little_memory() {
        let wide = format!("[{}0]", "{\"\":0},".repeat(20_000));
        let odd = format!(r#"{{"error":{{"message":{wide},"type":{wide}}}}}"#);
        for body in [wide, odd] {
            let memory = allocation_counter::measure(|| {
                let _ = refusal(StatusCode::BAD_REQUEST, body.as_bytes());
                let _ = error_in_success(body.as_bytes());
            });
            let most = 8 * body.len() as u64;
            assert!(memory.bytes_max < most, "{} of {most}", memory.bytes_max);
        }
    }
}
