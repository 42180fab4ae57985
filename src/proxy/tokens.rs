//! Fetches the tokens that Google's cloud wants instead of a key, before they are needed.
//!
//! # Invariants
//! - No request waits for a token: one is fetched at the start and again well before it ends.
//! - A token that cannot be fetched leaves the old one in place, and is tried again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Uri};
use http_body_util::Full;
use scoring::time::{Span, Time};

use crate::clock;
use crate::dialects::meeting::Malformed;
use crate::dialects::vertex::token::{FORM_TYPE, ServiceAccount, Token};
use crate::upstream::{self, Origins, Pools, Protocol, Scheme, Transport};

/// How long before its end a token is replaced.
const AHEAD: Span = Span::from_secs(300);

/// How long a failed fetch rests.
const PAUSE: Span = Span::from_secs(5);

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer that is read, bytes; honest ones are below 4 KiB.
const MAX_ANSWER: usize = 64 * 1024;

/// A token as requests carry it; empty until the first was fetched.
pub(super) type Held = Arc<ArcSwapOption<HeaderValue>>;

struct Account {
    account: Arc<ServiceAccount>,
    held: Held,
    /// When it is to be fetched again.
    due: Time,
}

/// The tokens of all service accounts, which outlive reloads.
pub struct Tokens {
    known: Mutex<HashMap<u64, Account>>,
    hasher: RandomState,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            hasher: RandomState::new(),
        }
    }
}

impl Tokens {
    /// Where the token of a service account will be.
    ///
    /// # Errors
    /// [`Malformed`] where the text is no service account.
    pub(super) fn of(&self, secret: &str) -> Result<Held, Malformed> {
        let account = ServiceAccount::read(secret)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known
            .entry(self.hasher.hash_one(secret))
            .or_insert_with(|| Account {
                account: Arc::new(account),
                held: Held::default(),
                due: Time::from_micros(0),
            });
        Ok(Arc::clone(&entry.held))
    }

    /// Fetches what is due; called about once a second on the control thread.
    pub async fn refresh(&self, origins: &Origins, pools: &Pools) {
        let due: Vec<(u64, Arc<ServiceAccount>)> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock::now();
            let due = known.iter().filter(|(_, account)| account.due <= now);
            due.map(|(key, it)| (*key, Arc::clone(&it.account)))
                .collect()
        };
        for (key, account) in due {
            let fetched = tokio::time::timeout(PATIENCE, fetch(&account, origins, pools)).await;
            let fetched = fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = known.get_mut(&key) else {
                continue;
            };
            let now = clock::now();
            match fetched {
                Ok((token, lifetime)) => {
                    entry.held.store(Some(Arc::new(token)));
                    let ahead = lifetime.as_micros().saturating_sub(AHEAD.as_micros());
                    entry.due = now.plus(Span::from_micros(ahead).max(PAUSE));
                }
                Err(why) => {
                    tracing::warn!(why, "a token of Google's could not be fetched");
                    entry.due = now.plus(PAUSE);
                }
            }
        }
    }
}

async fn fetch(
    account: &ServiceAccount,
    origins: &Origins,
    pools: &Pools,
) -> Result<(HeaderValue, Span), String> {
    let uri: Uri = account
        .token_uri()
        .parse()
        .map_err(|_| "token_uri is no URL")?;
    let host = uri.host().ok_or("token_uri has no host")?;
    let (scheme, port) = match uri.scheme_str() {
        Some("http") => (Scheme::Http, 80),
        _ => (Scheme::Https, 443),
    };
    let transport = Transport {
        protocol: Protocol::Http1,
        connect: PATIENCE,
        idle: Duration::from_secs(30),
        extra_roots: Vec::new(),
    };
    let origin = origins
        .get(scheme, host, uri.port_u16().unwrap_or(port), transport)
        .map_err(|error| error.to_string())?;
    let form = account.form(clock::unix()).map_err(|why| why.to_string())?;
    let mut request = http::Request::new(Full::new(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.path().parse().map_err(|_| "token_uri has no path")?;
    let authority = uri.authority().map(|it| it.as_str()).unwrap_or(host);
    let authority = HeaderValue::from_str(authority).map_err(|_| "token_uri is no URL")?;
    request.headers_mut().insert(HOST, authority);
    let kind = HeaderValue::from_static(FORM_TYPE);
    request.headers_mut().insert(CONTENT_TYPE, kind);
    let sent = upstream::send(pools, &origin, request, clock::now(), |_| {}).await;
    let mut response = sent.map_err(|fault| fault.to_string())?;
    let mut body = Vec::new();
    while let Some(piece) = response.body.data().await {
        body.extend_from_slice(&piece.map_err(|fault| fault.to_string())?);
        if body.len() > MAX_ANSWER {
            return Err("the answer is too long".to_owned());
        }
    }
    if !response.head.status.is_success() {
        return Err(format!("refused with {}", response.head.status));
    }
    let token = Token::read(&body).map_err(|why| why.to_string())?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.text))
        .map_err(|_| "the token cannot stand in a header")?;
    value.set_sensitive(true);
    let micros = u64::try_from(token.lifetime.as_micros()).unwrap_or(u64::MAX);
    Ok((value, Span::from_micros(micros)))
}
