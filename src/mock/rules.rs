//! What a provider refuses although nothing is wrong with it: requests that break its vendor's rules.
//!
//! # Invariants
//! - A rule looks at the request and at what the provider remembers, never at faults or limits.

use super::anthropic_rules;
use super::ask::{Ask, Extra};
use super::azure;
use super::bedrock_rules;
use super::cohere;
use super::counting_rules;
use super::endpoint::{Deed, Endpoint, Object};
use super::gemini_rules;
use super::ledger::Received;
use super::media;
use super::objects;
use super::refusals::Reply;
use super::responses;
use super::script::Prefill;
use super::state::Provider;
use super::tongue::Tongue;

/// The first rule that a request breaks.
pub(super) fn objection(
    provider: &Provider,
    ask: &Ask,
    request: &Received,
    tongue: Tongue,
) -> Option<Reply> {
    if ask.prefill.is_some() && provider.script.prefill == Prefill::Refuse {
        return Some(Reply::no_prefill());
    }
    if tongue == Tongue::Azure
        && let Some(reply) = azure::objection(request)
    {
        return Some(reply);
    }
    match (ask.endpoint, &ask.extra) {
        (Endpoint::Messages | Endpoint::CountTokens, Extra::Body(body)) => {
            let plain = request.header("anthropic-beta").is_none();
            anthropic_rules::objection(ask, body, request)
                .or_else(|| counting_rules::objection(ask.endpoint, body).filter(|_| plain))
        }
        (Endpoint::Responses, Extra::Body(body)) => responses::objection(provider, body),
        (Endpoint::Generate, Extra::Body(body)) => gemini_rules::objection(ask, body),
        (Endpoint::Converse | Endpoint::ConverseCount, Extra::Body(body)) => {
            bedrock_rules::objection(body, request)
                .or_else(|| counting_rules::objection(ask.endpoint, body))
        }
        (Endpoint::InputTokens | Endpoint::GenerateCount, Extra::Body(body)) => {
            counting_rules::objection(ask.endpoint, body)
        }
        (endpoint, Extra::Body(body)) if tongue == Tongue::Cohere => {
            cohere::objection(endpoint, body)
        }
        (Endpoint::Media(media), Extra::Body(body)) => media::objection(media, body),
        (Endpoint::Object(Object::Batch, Deed::Create), Extra::Body(body)) => {
            let id = body["input_file_id"].as_str().unwrap_or_default();
            objects::objection(provider, Object::File, Deed::Read, id)
        }
        (Endpoint::Object(object, deed), Extra::Id(id)) => {
            objects::objection(provider, object, deed, id)
        }
        _ => None,
    }
}

/// Whether a last message by the assistant is continued.
pub(super) fn continues(prefill: Prefill, tongue: Tongue) -> bool {
    match prefill {
        Prefill::Own => matches!(tongue, Tongue::Anthropic | Tongue::Bedrock),
        Prefill::Continue => true,
        Prefill::Ignore | Prefill::Refuse => false,
    }
}
