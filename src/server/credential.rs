//! Who sends a request: the holder of a virtual key, somebody with the gateway's token, anybody, or nobody who may?
//!
//! Every surface's SDKs put their key into another header, and all are looked at on every path.
//!
//! # Invariants
//! - A key that is good is never refused for what its address has tried before.
//! - What is compared is compared whole and in constant time: the token by itself, keys by their keyed hash.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use scoring::time::Span;

use crate::clock;
use crate::governance::{Ledger, Member, Presented};
use crate::proxy::Shared;

/// What stands before a key in `Authorization`.
const BEARER: &[u8] = b"Bearer ";

/// Who is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Nobody knows them; what they are told.
    Unknown(&'static str),
    /// They have tried too many keys; when they may try again.
    Guessing(Span),
}

const NO_KEY: &str = "No API key was provided. Send it as `Authorization: Bearer …`.";
const WRONG: &str =
    "Incorrect API key provided. Send the gateway's key as `Authorization: Bearer …`.";
const FALLEN: &str = "This API key has expired or was revoked.";

/// Who pays for a request with these headers; nobody where no key is asked for, or the gateway's own token was sent.
///
/// # Errors
/// [`Stranger`].
pub(super) fn payer(
    shared: &Shared,
    headers: &HeaderMap,
    source: IpAddr,
) -> Result<Option<Arc<Member>>, Stranger> {
    let serving = shared.serving.load();
    let token = serving.config.server.token.as_ref();
    if token.is_some_and(|token| presented(headers).any(|it| token.matches(it))) {
        return Ok(None);
    }
    let found = shared
        .lasting
        .ledger
        .as_ref()
        .map_or(Found::NONE, |ledger| look_up(ledger, headers));
    let is_required = token.is_some() || found.is_required;
    match found.who {
        Some(Presented::Member(member)) => Ok(Some(member)),
        Some(Presented::Fallen) => Err(stranger(shared, source, FALLEN)),
        Some(Presented::Unknown) => Err(stranger(shared, source, WRONG)),
        Some(Presented::Foreign) | None if !is_required => Ok(None),
        _ if presented(headers).next().is_some() => Err(stranger(shared, source, WRONG)),
        _ => Err(Stranger::Unknown(NO_KEY)),
    }
}

/// What the roster says.
struct Found {
    who: Option<Presented>,
    is_required: bool,
}

impl Found {
    const NONE: Self = Self {
        who: None,
        is_required: false,
    };
}

/// The best that can be said of what is presented: one good key is enough.
fn look_up(ledger: &Ledger, headers: &HeaderMap) -> Found {
    let roster = ledger.roster.load();
    let is_required = roster.is_required();
    if roster.is_empty() && !is_required {
        return Found::NONE;
    }
    let now = clock::unix_seconds();
    let mut who = None;
    for credential in presented(headers) {
        match (roster.look_up(&ledger.pepper, credential, now), &who) {
            (member @ Presented::Member(_), _) => {
                who = Some(member);
                break;
            }
            (Presented::Foreign, Some(_)) => {}
            (found, _) => who = Some(found),
        }
    }
    Found { who, is_required }
}

/// Notes a wrong key, or refuses to look at more of them.
fn stranger(shared: &Shared, source: IpAddr, message: &'static str) -> Stranger {
    match shared.lasting.sources.failed(source, clock::now()) {
        Ok(()) => Stranger::Unknown(message),
        Err(wait) => Stranger::Guessing(wait),
    }
}

/// Everything that is presented as a key.
fn presented(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, presented) = value.as_bytes().split_at_checked(BEARER.len())?;
        scheme.eq_ignore_ascii_case(BEARER).then_some(presented)
    });
    let others = ["x-api-key", "api-key", "x-goog-api-key"]
        .into_iter()
        .filter_map(|name| headers.get(name))
        .map(http::HeaderValue::as_bytes);
    bearer.into_iter().chain(others)
}
