//! What is sent to a vendor next?
//!
//! # Invariants
//! - No credential is ever in a [`Call`]; it says only in which header the key goes, and a call beyond the vendor's API takes none.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::reach::Url;
use crate::chat::{Loss, Losses};
use crate::dialects::failure::Failure;

use super::job::Job;
use super::request::Malformed;

/// One HTTP request to a vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Headers besides host, length, content type and key.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body's type, where there is a body.
    pub content_type: Option<HeaderValue>,
    /// The whole body.
    pub body: Bytes,
    /// How the key is told.
    pub auth: Auth,
}

/// How a vendor is told the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Key …`, as fal wants it.
    Key,
    /// `x-key: …`, as BFL wants it.
    XKey,
    /// Not at all: the URL is signed, or public.
    None,
}

impl Auth {
    /// The header that carries `secret`; `None` where none is sent or the secret cannot stand in a header.
    #[must_use]
    pub fn header(self, secret: &str) -> Option<(HeaderName, HeaderValue)> {
        let (name, text) = match self {
            Self::None => return None,
            Self::Bearer => (AUTHORIZATION, format!("Bearer {secret}")),
            Self::Key => (AUTHORIZATION, format!("Key {secret}")),
            Self::XKey => (HeaderName::from_static("x-key"), secret.to_owned()),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }
}

/// A request, ready to be sent, and what will become of it.
#[derive(Debug)]
pub struct Start {
    /// Reads the answers.
    pub job: Job,
    /// The submission.
    pub call: Call,
    /// What the vendor is not told, none of it essential.
    pub losses: Losses,
}

/// Why a request is not sent to a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The vendor cannot be told something without which the request means something else; another may be.
    Lossy(Losses),
    /// No vendor could take it.
    Malformed(Malformed),
}

impl Unfit {
    /// What the client is told if no other vendor takes it.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Lossy(_) => Failure::Unsupported,
            Self::Malformed(_) => Failure::BadRequest,
        }
    }

    /// Refused for want of one thing.
    pub(super) fn lacking(what: &'static str) -> Self {
        let mut losses = Losses::default();
        losses.add(what, Loss::Meaning);
        Self::Lossy(losses)
    }
}

impl Call {
    /// A POST of JSON.
    pub(super) fn json(url: Url, auth: Auth, body: &Value) -> Self {
        Self {
            content_type: Some(HeaderValue::from_static("application/json")),
            body: Bytes::from(body.to_string()),
            ..Self::bare(Method::POST, url, auth)
        }
    }

    /// A POST of a form.
    pub(super) fn form(url: Url, auth: Auth, (kind, body): (HeaderValue, Bytes)) -> Self {
        Self {
            content_type: Some(kind),
            body,
            ..Self::bare(Method::POST, url, auth)
        }
    }

    /// A request without a body, for JSON.
    pub(super) fn bare(method: Method, url: Url, auth: Auth) -> Self {
        Self {
            method,
            url,
            headers: vec![(ACCEPT, HeaderValue::from_static("application/json"))],
            content_type: None,
            body: Bytes::new(),
            auth,
        }
    }

    /// The same with another `Accept`.
    pub(super) fn accepting(mut self, accept: &'static str) -> Self {
        self.headers = vec![(ACCEPT, HeaderValue::from_static(accept))];
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_where_its_vendor_wants_it() {
        for (auth, name, value) in [
            (Auth::Bearer, "authorization", "Bearer s"),
            (Auth::Key, "authorization", "Key s"),
            (Auth::XKey, "x-key", "s"),
        ] {
            let (header, secret) = auth.header("s").unwrap();
            assert_eq!((header.as_str(), secret.to_str().unwrap()), (name, value));
            assert!(secret.is_sensitive());
        }
        assert!(Auth::None.header("s").is_none());
        assert!(Auth::Bearer.header("s\r\nx: y").is_none());
    }
}
