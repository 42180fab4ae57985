//! One error in each vendor's words: status, body and the headers that belong to it.
//!
//! Errors are thought of as OpenAI's; the tables here say what another vendor answers in the same case.
//!
//! # Invariants
//! - OpenAI's wording is what the [`Reply`] itself says.

use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::answer::Answer;
use super::azure;
use super::refusals::{self, JSON, Reply};
use super::tongue::{Tongue, Voice};

/// The header in which Amazon names an error.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What follows the name there, and means nothing to a client.
const CORAL: &str = ":http://internal.amazon.com/coral/com.amazon.bedrock/";

/// An error as it is said.
struct Said {
    status: u16,
    body: Value,
    /// Value of Amazon's header that names the error.
    name: Option<&'static str>,
}

impl Reply {
    /// The body in the vendor's words.
    pub(super) fn body(&self, voice: Voice) -> String {
        say(self, voice).body.to_string()
    }
}

/// The response in the vendor's words.
pub(super) fn response(reply: &Reply, voice: Voice) -> Response<Answer> {
    let said = say(reply, voice);
    let mut response = refusals::response(said.status, JSON, said.body.to_string());
    let name = said
        .name
        .map(|name| HeaderValue::from_str(&format!("{name}{CORAL}")));
    if let Some(Ok(name)) = name {
        response.headers_mut().insert(ERROR_TYPE, name);
    }
    response
}

fn say(reply: &Reply, voice: Voice) -> Said {
    match voice.tongue {
        Tongue::OpenAi => openai(reply),
        Tongue::Anthropic => anthropic(reply, voice),
        Tongue::Gemini => gemini(reply),
        Tongue::Bedrock => bedrock(reply),
        Tongue::Azure => azure(reply),
        Tongue::Cohere => cohere(reply, voice),
    }
}

fn openai(reply: &Reply) -> Said {
    let or_null = |text: &str| match text {
        "" => Value::Null,
        text => text.into(),
    };
    // Why: those who answer 529 do so in Anthropic's words.
    let body = if reply.status == 529 {
        json!({"type": "error", "error": {"type": reply.kind, "message": reply.message}})
    } else {
        json!({"error": {
            "message": reply.message,
            "type": reply.kind,
            "param": or_null(reply.param),
            "code": or_null(reply.code),
        }})
    };
    Said {
        status: reply.status,
        body,
        name: None,
    }
}

fn azure(reply: &Reply) -> Said {
    let said = openai(reply);
    let status = if reply.status == 529 {
        503
    } else {
        reply.status
    };
    match azure::error(reply) {
        Some(body) => Said {
            status,
            body,
            ..said
        },
        None => said,
    }
}

fn cohere(reply: &Reply, voice: Voice) -> Said {
    let message = match (reply.status, reply.code) {
        (_, "invalid_api_key") => "invalid api token".to_owned(),
        (_, "model_not_found") => format!(
            "model '{}' not found, make sure the correct model ID was used and that you have access to the model.",
            reply.about
        ),
        (_, "context_length_exceeded") => {
            "too many tokens: size limit exceeded by 1024 tokens".to_owned()
        }
        (429, _) => "You have exceeded the rate limit. Please wait and try again later.".to_owned(),
        (500, _) => "internal server error, this has been reported to our developers".to_owned(),
        _ => reply.message.clone(),
    };
    Said {
        status: if reply.status == 529 {
            503
        } else {
            reply.status
        },
        body: json!({"id": voice.request_id(), "message": message}),
        name: None,
    }
}

fn anthropic(reply: &Reply, voice: Voice) -> Said {
    let quota = reply.code == "insufficient_quota";
    let status = if quota { 402 } else { reply.status };
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let message = match reply.code {
        "invalid_api_key" => "invalid x-api-key".to_owned(),
        "model_not_found" => format!("model: {}", reply.about),
        "context_length_exceeded" => {
            "prompt is too long: 209214 tokens > 200000 maximum".to_owned()
        }
        "content_policy_violation" => "Output blocked by content filtering policy".to_owned(),
        "insufficient_quota" => "Your credit balance is too low to access the Anthropic API. \
             Please go to Plans & Billing to upgrade or purchase credits."
            .to_owned(),
        "unknown_url" => "Not Found".to_owned(),
        _ => reply.message.clone(),
    };
    Said {
        status,
        body: json!({
            "type": "error",
            "error": {"type": kind, "message": message},
            "request_id": voice.request_id(),
        }),
        name: None,
    }
}

fn gemini(reply: &Reply) -> Said {
    let status = match (reply.status, reply.code) {
        (_, "invalid_api_key") => 400,
        (529, _) => 503,
        (status, _) => status,
    };
    let name = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    let message = match reply.code {
        "invalid_api_key" => "API key not valid. Please pass a valid API key.".to_owned(),
        "model_not_found" => format!(
            "models/{} is not found for API version v1beta, or is not supported for generateContent. \
             Call ListModels to see the list of available models and their supported methods.",
            reply.about
        ),
        "insufficient_quota" => "Your prepayment credits are depleted. Please go to AI Studio to manage your \
                                 project and billing."
            .to_owned(),
        "context_length_exceeded" => {
            "The input token count (1209214) exceeds the maximum number of tokens allowed (1048576).".to_owned()
        }
        _ => match status {
            500 => "An internal error has occurred. Please retry or report in \
                    https://developers.generativeai.google/guide/troubleshooting"
                .to_owned(),
            503 => "The model is overloaded. Please try again later.".to_owned(),
            _ => reply.message.clone(),
        },
    };
    let mut details = Vec::new();
    if reply.code == "invalid_api_key" {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }));
    }
    if let Some(delay) = &reply.delay {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{delay}s"),
        }));
    }
    let mut error = json!({"code": status, "message": message, "status": name});
    if !details.is_empty() {
        error["details"] = details.into();
    }
    Said {
        status,
        body: json!({"error": error}),
        name: None,
    }
}

fn bedrock(reply: &Reply) -> Said {
    let (status, name, message) = match (reply.status, reply.code) {
        (_, "unsigned") => (403, "MissingAuthenticationTokenException", ""),
        (_, "signed_badly") => (403, "IncompleteSignatureException", ""),
        (_, "invalid_api_key") => (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (_, "model_not_found") => (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (_, "context_length_exceeded") => (
            400,
            "ValidationException",
            "Input is too long for requested model.",
        ),
        (_, "insufficient_quota") => (
            400,
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        (403, _) => (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        (404, _) => (404, "ResourceNotFoundException", ""),
        (429, _) => (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        ),
        (503 | 529, _) => (
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        (504, _) => (
            408,
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        ),
        (400..=499, _) => (400, "ValidationException", ""),
        _ => (
            500,
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
    };
    let message = if message.is_empty() {
        &reply.message
    } else {
        message
    };
    Said {
        status,
        body: json!({"message": message}),
        name: Some(name),
    }
}
