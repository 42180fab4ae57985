//! Signs requests to providers that want more than a header with a key.
//!
//! # Invariants
//! - No credential is printed.
//! - What cannot be signed is not sent: a provider's refusal would be held against a key that it never saw.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::clock;
use crate::dialects::bedrock::credentials::Credentials;
use crate::dialects::bedrock::sign::{Call, SERVICE, Scope};

/// There is nothing to sign with.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the gateway has no credential for this provider now")]
pub(super) struct Unsigned;

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
    /// Puts the signature into the headers.
    ///
    /// # Errors
    /// [`Unsigned`] as long as no token could be fetched, and for credentials that no header can hold.
    pub(super) fn sign(
        &self,
        uri: &Uri,
        body: &Bytes,
        headers: &mut HeaderMap,
    ) -> Result<(), Unsigned> {
        match self {
            Self::Google(token) => {
                let token = token.load();
                let token = token.as_deref().ok_or(Unsigned)?;
                headers.insert(AUTHORIZATION, token.clone());
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
                headers.extend(credentials.authorise(&scope, &call).map_err(|_| Unsigned)?);
            }
        }
        Ok(())
    }
}
