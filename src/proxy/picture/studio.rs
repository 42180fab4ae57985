//! How is a vendor of images called, and where may a call go?
//!
//! # Invariants
//! - The key goes where [`images`](crate::images) says that it may; headers that the operator wrote go to the configured origin only.
//! - Hosts that a vendor names become origins in bounded number.

use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::Full;

use crate::config::{BaseUrl, Dialect, ImageRules, Key, Provider, Secret};
use crate::images::{Base, Call, Url, Vendor};
use crate::upstream::{self, Origin, Origins, Transport};

/// A vendor of images, as one key of one provider reaches it.
pub(in crate::proxy) struct Studio {
    pub(super) vendor: Vendor,
    pub(super) base: Base,
    secret: Secret,
    /// The configured origin.
    origin: Arc<Origin>,
    /// How to connect to the vendor's other hosts.
    transport: Transport,
    /// The operator's headers.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl fmt::Debug for Studio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Studio")
            .field("vendor", &self.vendor)
            .finish_non_exhaustive()
    }
}

/// The vendor whose rules a provider's images follow; none where its dialect's own endpoints serve them.
fn vendor(provider: &Provider) -> Option<Vendor> {
    match provider.dialect {
        Dialect::Stability => Some(Vendor::Stability),
        Dialect::Fal => Some(Vendor::Fal),
        Dialect::Replicate => Some(Vendor::Replicate),
        Dialect::Bfl => Some(Vendor::Bfl),
        Dialect::OpenAi => match provider.serves.images {
            ImageRules::OpenAi | ImageRules::None => None,
            ImageRules::Together => Some(Vendor::Together),
            ImageRules::Fireworks => Some(Vendor::Fireworks),
        },
        _ => None,
    }
}

impl Studio {
    /// How a provider's images are made on one of its keys, if by an API of its own; the error is a base URL that cannot be joined with others.
    pub(in crate::proxy) fn of(
        provider: &Provider,
        key: &Key,
        url: &BaseUrl,
        (origin, transport): (Arc<Origin>, Transport),
    ) -> Result<Option<Self>, String> {
        let Some(vendor) = vendor(provider) else {
            return Ok(None);
        };
        let text = url.to_string();
        let base = Base::parse(&text).ok_or(text)?;
        Ok(Some(Self {
            vendor,
            base,
            secret: key.secret.clone(),
            origin,
            transport,
            headers: provider.headers.clone(),
        }))
    }

    fn is_home(&self, url: &Url) -> bool {
        let home = self.base.at("/");
        (url.scheme(), url.host(), url.port()) == (home.scheme(), home.host(), home.port())
    }

    /// Whom a call goes to; none if the vendor has named too many hosts.
    pub(super) fn origin(&self, url: &Url, origins: &Origins) -> Option<Arc<Origin>> {
        if self.is_home(url) {
            return Some(Arc::clone(&self.origin));
        }
        origins.named(url.scheme(), url.host(), url.port(), &self.transport)
    }

    /// A call as it goes out; none if it makes no request.
    pub(super) fn request(&self, call: Call) -> Option<upstream::Request> {
        let mut headers = HeaderMap::with_capacity(8 + self.headers.len());
        headers.insert(HOST, HeaderValue::try_from(authority(&call.url)).ok()?);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("trimtab/", env!("CARGO_PKG_VERSION"))),
        );
        if self.is_home(&call.url) {
            headers.extend(self.headers.iter().cloned());
        }
        headers.extend(call.headers);
        if let Some(kind) = call.content_type {
            headers.insert(CONTENT_TYPE, kind);
        }
        if !self.secret.is_empty() {
            headers.extend(call.auth.header(self.secret.expose()));
        }
        let mut request = http::Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.url.path_and_query().parse::<Uri>().ok()?;
        *request.headers_mut() = headers;
        Some(request)
    }
}

/// The value of `Host`: the port is left out where the scheme implies it.
fn authority(url: &Url) -> String {
    let bracketed = url.host().contains(':');
    let host = if bracketed {
        format!("[{}]", url.host())
    } else {
        url.host().to_owned()
    };
    let implied = match url.scheme() {
        upstream::Scheme::Http => 80,
        upstream::Scheme::Https => 443,
    };
    if url.port() == implied {
        host
    } else {
        format!("{host}:{}", url.port())
    }
}
