//! Signs requests to providers that want more than a header with a key.
//!
//! # Invariants
//! - No credential is printed.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::clock;
use crate::dialects::bedrock::credentials::Credentials;
use crate::dialects::bedrock::sign::{Call, SERVICE, Scope};

/// What signs the requests of one account.
pub(super) enum Signer {
    /// Amazon's signature, over the whole request.
    Amazon {
        credentials: Credentials,
        region: Box<str>,
        host: Box<str>,
    },
    /// A token of Google's, fetched ahead.
    Google(Arc<ArcSwapOption<HeaderValue>>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// Puts the signature into the headers. Without it the provider refuses the request, and says so.
    pub(super) fn sign(&self, uri: &Uri, body: &Bytes, headers: &mut HeaderMap) {
        match self {
            Self::Google(token) => {
                if let Some(token) = &*token.load() {
                    headers.insert(AUTHORIZATION, HeaderValue::clone(token));
                }
            }
            Self::Amazon {
                credentials,
                region,
                host,
            } => {
                let scope = Scope {
                    region,
                    service: SERVICE,
                    unix: clock::unix(),
                };
                let call = Call {
                    method: &Method::POST,
                    host,
                    path: uri.path(),
                    query: uri.query().unwrap_or_default(),
                    headers: &[],
                    body,
                };
                for (name, value) in credentials.authorise(&scope, &call).into_iter().flatten() {
                    headers.insert(name, value);
                }
            }
        }
    }
}
