//! With which credential is an account asked, and how is it put into a request?
//!
//! # Invariants
//! - A key is in a header that is marked as sensitive, and in no message.

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::lasting::Lasting;
use super::serving::BuildError;
use super::sign::Signer;
use crate::config::{BaseUrl, Dialect, Key, Provider};
use crate::dialects::bedrock::credentials::Credentials;

/// Whether the secret of an account is no credential by itself: a service account's file, or a pair of Amazon's keys.
fn is_signed(provider: &Provider, key: &Key) -> bool {
    match provider.dialect {
        Dialect::Bedrock => !key.secret.is_empty(),
        Dialect::Vertex => key.secret.expose().trim_start().starts_with('{'),
        _ => false,
    }
}

/// What signs the requests of an account, where its key alone is not enough.
pub(super) fn signer(
    provider: &Provider,
    key: &Key,
    url: &BaseUrl,
    lasting: &Lasting,
) -> Result<Option<Signer>, BuildError> {
    if !is_signed(provider, key) {
        return Ok(None);
    }
    let wrong = |why| BuildError::Credential {
        provider: provider.name.clone(),
        key: key.name.clone(),
        why,
    };
    let secret = key.secret.expose();
    if provider.dialect == Dialect::Vertex {
        let held = lasting.tokens.of(secret).map_err(wrong)?;
        return Ok(Some(Signer::Google(held)));
    }
    let credentials = Credentials::read(secret).map_err(wrong)?;
    // The host names the region, unless it is a stand-in's or a private endpoint's.
    let named = url
        .host
        .strip_prefix("bedrock-runtime.")
        .and_then(|rest| rest.split('.').next());
    let region = named.unwrap_or(if provider.region.is_empty() {
        "us-east-1"
    } else {
        &provider.region
    });
    Ok(Some(Signer::Amazon {
        credentials,
        region: region.into(),
        host: url.authority().into(),
    }))
}

/// The headers that every request of an account has.
pub(super) fn headers(
    provider: &Provider,
    key: &Key,
    url: &BaseUrl,
) -> Result<HeaderMap, BuildError> {
    let header = |text: &str, what: &'static str| {
        HeaderValue::from_str(text).map_err(|source| BuildError::Header {
            provider: provider.name.clone(),
            what,
            source,
        })
    };
    let mut headers = HeaderMap::with_capacity(8 + provider.headers.len());
    headers.insert(HOST, header(&url.authority(), "address")?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("trimtab/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in &provider.headers {
        headers.insert(name.clone(), value.clone());
    }
    if !key.secret.is_empty() && !is_signed(provider, key) {
        let (name, text) = credential(provider.dialect, key.secret.expose());
        let mut value = header(&text, "key")?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The header that carries a key.
fn credential(dialect: Dialect, secret: &str) -> (HeaderName, String) {
    match dialect {
        Dialect::Azure => (HeaderName::from_static("api-key"), secret.to_owned()),
        // Why: tokens of a subscription are bearer tokens, keys of the API are not.
        Dialect::Anthropic if !secret.starts_with("sk-ant-oat") => {
            (HeaderName::from_static("x-api-key"), secret.to_owned())
        }
        Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), secret.to_owned()),
        Dialect::Fal => (AUTHORIZATION, format!("Key {secret}")),
        Dialect::Bfl => (HeaderName::from_static("x-key"), secret.to_owned()),
        _ => (AUTHORIZATION, format!("Bearer {secret}")),
    }
}
