//! What a configuration means for the request path, resolved once.
//!
//! Header values, URIs, JSON fragments and metric handles are made here, so that a request only clones shared bytes.
//!
//! # Invariants
//! - A [`Serving`] never changes after it is published; requests in flight keep the one that they began with.
//! - `wires[m][i]` belongs to `routing.models[m].targets[i]`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, InvalidHeaderValue, USER_AGENT,
};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::json;

use crate::config::{BaseUrl, Config, HttpVersion, LimitDialect, Provider, Scheme};
use crate::observe::metrics::{Metrics, ModelHandles, RouteHandles};
use crate::routing::{Model, Registry, Snapshot, Target};
use crate::upstream::{self, Origin, Origins, Protocol, TlsError, Transport};

/// What kind of answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/embeddings`.
    Embeddings,
}

impl Endpoint {
    const ALL: [Self; 3] = [Self::Chat, Self::Completions, Self::Embeddings];

    /// The path below a provider's base URL.
    const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
        }
    }
}

/// Why a checked configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS towards a provider cannot be set up.
    #[error("provider `{provider}`: {source}")]
    Tls {
        /// The provider's name.
        provider: String,
        /// What is wrong.
        source: TlsError,
    },
    /// A provider's address makes no URI.
    #[error("provider `{provider}`: {source}")]
    Uri {
        /// The provider's name.
        provider: String,
        /// What is wrong.
        source: InvalidUri,
    },
    /// A key or a name cannot stand in a header.
    #[error("provider `{provider}`: the {what} cannot stand in an HTTP header")]
    Header {
        /// The provider's name.
        provider: String,
        /// What it was.
        what: &'static str,
        /// What is wrong.
        source: InvalidHeaderValue,
    },
    /// A provider is a stand-in, but no stand-ins run.
    #[error("provider `{0}` has base_url \"mock\", but there is no [mock] section")]
    NoMock(String),
}

/// What everything behind a provider's base URL shares.
#[derive(Debug)]
pub struct Serving {
    /// The configuration itself.
    pub config: Arc<Config>,
    /// Models and routes.
    pub routing: Snapshot,
    /// How each route of each model is called.
    pub(super) wires: Vec<Vec<Wire>>,
    /// Metric handles of each model.
    pub(super) handles: Vec<ModelHandles>,
    /// The models' names, shared with records.
    pub(super) names: Vec<Arc<str>>,
    /// The answer to `GET /v1/models`.
    pub models_json: Bytes,
}

/// How a route is called.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) origin: Arc<Origin>,
    pub(super) uris: [Uri; Endpoint::ALL.len()],
    pub(super) headers: HeaderMap,
    /// The upstream's model name as a JSON string, quotes included.
    pub(super) model_json: Box<str>,
    pub(super) limits: LimitDialect,
    /// The route's name, as a header value and for records.
    pub(super) name_header: HeaderValue,
    pub(super) name: Arc<str>,
    pub(super) handles: RouteHandles,
}

/// What a snapshot is built with, besides the configuration; lives as long as the process.
#[derive(Debug)]
pub struct Lasting {
    /// Statistics by identity.
    pub registry: Arc<Registry>,
    /// Origins by address.
    pub origins: Origins,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

impl Serving {
    /// Resolves a checked configuration; `mock` is where the stand-in providers listen.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is changed then.
    pub fn build(
        config: Arc<Config>,
        lasting: &Lasting,
        mock: Option<SocketAddr>,
    ) -> Result<Self, BuildError> {
        let endpoints = config
            .providers
            .iter()
            .map(|provider| address(provider, mock))
            .collect::<Result<Vec<_>, _>>()?;
        let routing = Snapshot::new(&config, &lasting.registry);
        let mut wires = Vec::with_capacity(routing.models.len());
        for model in &routing.models {
            let of_model = model
                .targets
                .iter()
                .map(|target| wire(&config, &endpoints[target.provider], target, model, lasting))
                .collect::<Result<Vec<_>, _>>()?;
            wires.push(of_model);
        }
        let handles = routing
            .models
            .iter()
            .map(|model| lasting.metrics.model(&model.name))
            .collect();
        Ok(Self {
            names: routing
                .models
                .iter()
                .map(|model| Arc::from(&*model.name))
                .collect(),
            models_json: models_json(&routing),
            wires,
            handles,
            routing,
            config,
        })
    }

    /// The answer to `GET /v1/models/{id}`, if there is such a model.
    #[must_use]
    pub fn model_json(&self, name: &str) -> Option<Bytes> {
        self.routing.find(name)?;
        Some(Bytes::from(model_object(name).to_string()))
    }
}

fn address(provider: &Provider, mock: Option<SocketAddr>) -> Result<BaseUrl, BuildError> {
    match &provider.endpoint {
        crate::config::Endpoint::Url(url) => Ok(url.clone()),
        crate::config::Endpoint::Mock => {
            let at = mock.ok_or_else(|| BuildError::NoMock(provider.name.clone()))?;
            Ok(BaseUrl {
                scheme: Scheme::Http,
                host: at.ip().to_string(),
                port: at.port(),
                path: format!("/{}/v1", provider.name),
            })
        }
    }
}

fn wire(
    config: &Config,
    url: &BaseUrl,
    target: &Target,
    model: &Model,
    lasting: &Lasting,
) -> Result<Wire, BuildError> {
    let provider = &config.providers[target.provider];
    let key = &provider.keys[target.key];
    let named = || provider.name.clone();
    let uri = |endpoint: Endpoint| {
        format!("{}{}", url.path, endpoint.path())
            .parse::<Uri>()
            .map_err(|source| BuildError::Uri {
                provider: named(),
                source,
            })
    };
    let header = |text: &str, what: &'static str| {
        HeaderValue::from_str(text).map_err(|source| BuildError::Header {
            provider: named(),
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
    if !key.secret.is_empty() {
        let mut value = header(&format!("Bearer {}", key.secret.expose()), "key")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let name = target.identity.to_string();
    Ok(Wire {
        origin: origin(provider, url, &model.clocks, lasting)?,
        uris: [
            uri(Endpoint::Chat)?,
            uri(Endpoint::Completions)?,
            uri(Endpoint::Embeddings)?,
        ],
        headers,
        model_json: json!(target.identity.model).to_string().into(),
        limits: provider.limits,
        name_header: header(&name, "name")?,
        handles: lasting.metrics.route(&name),
        name: Arc::from(name),
    })
}

fn origin(
    provider: &Provider,
    url: &BaseUrl,
    clocks: &crate::config::Timeouts,
    lasting: &Lasting,
) -> Result<Arc<Origin>, BuildError> {
    let transport = Transport {
        protocol: match provider.http {
            HttpVersion::H1 => Protocol::Http1,
            HttpVersion::H2 => Protocol::Http2,
            HttpVersion::Auto => Protocol::Auto,
        },
        connect: clocks.connect,
        idle: provider.idle_timeout,
        extra_roots: provider.extra_roots.clone().unwrap_or_default(),
    };
    let scheme = match url.scheme {
        Scheme::Http => upstream::Scheme::Http,
        Scheme::Https => upstream::Scheme::Https,
    };
    lasting
        .origins
        .get(scheme, &url.host, url.port, transport)
        .map_err(|source| BuildError::Tls {
            provider: provider.name.clone(),
            source,
        })
}

fn models_json(routing: &Snapshot) -> Bytes {
    let data: Vec<_> = routing
        .models
        .iter()
        .map(|model| model_object(&model.name))
        .collect();
    Bytes::from(json!({"object": "list", "data": data}).to_string())
}

fn model_object(name: &str) -> serde_json::Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "trimtab"})
}
