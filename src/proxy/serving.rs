//! What a configuration means for the request path, resolved once.
//!
//! Header values, URIs, JSON fragments and metric handles are made here, so that a request only clones shared bytes.
//!
//! # Invariants
//! - A [`Serving`] never changes after it is published; requests in flight keep the one that they began with.
//! - `wires[m][i]` belongs to `routing.models[m].targets[i]`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::InvalidHeaderValue;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Uri};

use super::credential::{headers, signer};
use super::lasting::Lasting;
use super::listing::Listing;
use super::picture::Studio;
use super::sign::Signer;
use super::till::{self, Tills};
use crate::config::{BaseUrl, Config, Dialect, HttpVersion, LimitDialect, Provider, Scheme};
use crate::dialects::fixed::Omitted;
use crate::dialects::format::{Endpoint, Format, Speaker};
use crate::dialects::meeting::Malformed;
use crate::dialects::openai::splice::ModelName;
use crate::governance::prices::Book;
use crate::observe::Counter;
use crate::observe::metrics::{ModelHandles, RouteHandles};
use crate::observe::story::Via;
use crate::routing::{Maker, Model, Purposes, Snapshot, Target};
use crate::upstream::{self, Origin, Protocol, TlsError, Transport};

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
    /// A credential is not what its vendor gives out.
    #[error("provider `{provider}`, key `{key}`: {why}")]
    Credential {
        /// The provider's name.
        provider: String,
        /// The key's name.
        key: String,
        /// What is wrong, with nothing of the credential.
        why: Malformed,
    },
    /// A vendor's images cannot be asked for below a base URL.
    #[error("provider `{provider}`: images cannot be asked for below {url}")]
    Base {
        /// The provider's name.
        provider: String,
        /// The base URL.
        url: String,
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
    /// For each model a bit for each endpoint that one of its routes serves in other words than the client's.
    mixed: Vec<u32>,
    /// Every account, in the order of providers and their keys.
    pub(super) posts: Vec<Post>,
    /// For each model what each endpoint's requests go without of what a workflow fixes, by its number; empty for a plain model.
    omitted: Vec<Vec<Omitted>>,
    /// Metric handles of each model.
    pub(super) handles: Vec<ModelHandles>,
    /// The models' names, shared with records.
    pub(super) names: Vec<Arc<str>>,
    /// For each model what its answers depend on besides the requests: its routes, as they are written.
    pub(super) marks: Vec<Box<str>>,
    /// Prices and numbers, where books are kept.
    pub(super) tills: Tills,
    /// The list of models.
    pub(super) listing: Listing,
}

/// How a route is called.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) origin: Arc<Origin>,
    /// How each endpoint is served, by its number; none where the route cannot.
    lanes: Vec<Option<Lane>>,
    pub(super) headers: HeaderMap,
    pub(super) dialect: Dialect,
    /// Whether a stream may be asked for its usage.
    pub(super) stream_usage: bool,
    /// The account.
    pub(super) maker: Maker,
    /// What signs each request, where a header of the key alone is not enough.
    pub(super) signer: Option<Signer>,
    /// How images are made by an API of the provider's own, where it has one.
    pub(super) studio: Option<Arc<Studio>>,
    /// The upstream's model.
    pub(super) model: ModelName,
    /// The most output tokens that it writes, if known.
    pub(super) max_output_tokens: Option<u32>,
    pub(super) limits: LimitDialect,
    /// The route's name, as a header value and for records.
    pub(super) name_header: HeaderValue,
    pub(super) name: Arc<str>,
    /// The same in its parts, for records.
    pub(super) via: Arc<Via>,
    pub(super) handles: RouteHandles,
    /// Attempts begun on it for its model.
    pub(super) sent: Counter,
}

/// An account at a provider, as errands reach it.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) provider: Box<str>,
    pub(super) dialect: Dialect,
    /// Whether it keeps responses.
    pub(super) responses: bool,
    pub(super) maker: Maker,
    pub(super) origin: Arc<Origin>,
    /// The path of the base URL.
    pub(super) base: Box<str>,
    pub(super) headers: HeaderMap,
}

/// How a route serves one endpoint.
#[derive(Debug)]
pub(super) struct Lane {
    /// In whose words the provider is asked and answers.
    pub(super) format: Format,
    /// Where a whole answer is asked for.
    pub(super) whole: Uri,
    /// Where a stream is asked for.
    pub(super) stream: Uri,
}

impl Wire {
    /// How the route serves an endpoint.
    pub(super) fn lane(&self, endpoint: Endpoint) -> Option<&Lane> {
        self.lanes.get(endpoint.index())?.as_ref()
    }
}

impl Serving {
    /// Resolves a checked configuration at the prices of a book; `mock` is where the stand-in providers listen.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is changed then.
    pub fn build(
        config: Arc<Config>,
        lasting: &Lasting,
        (mock, book): (Option<SocketAddr>, &Book),
    ) -> Result<Self, BuildError> {
        let endpoints = config
            .providers
            .iter()
            .map(|provider| address(provider, mock))
            .collect::<Result<Vec<_>, _>>()?;
        let purposes = Purposes {
            count: Endpoint::ALL.len(),
            serves: &|provider, model, purpose| {
                let endpoint = Endpoint::ALL.get(purpose);
                endpoint
                    .is_some_and(|endpoint| speaker(provider, model).format(*endpoint).is_some())
            },
        };
        let rating = till::rating(book);
        let routing = Snapshot::new(&config, &lasting.registry, purposes, &rating);
        let mut wires = Vec::with_capacity(routing.models.len());
        for model in &routing.models {
            let of_model = model
                .targets
                .iter()
                .map(|target| wire(&config, &endpoints[target.provider], target, model, lasting))
                .collect::<Result<Vec<_>, _>>()?;
            wires.push(of_model);
        }
        let posts = posts(&config, &endpoints, lasting)?;
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
            marks: (0..config.models.len())
                .map(|model| mark(&config, model))
                .collect(),
            listing: Listing::of(&routing),
            tills: Tills::default(),
            omitted: config.models.iter().map(omitted).collect(),
            mixed: wires.iter().map(|wires| mixed(wires)).collect(),
            wires,
            posts,
            handles,
            routing,
            config,
        })
    }

    /// The same, with prices and numbers for the books.
    #[must_use]
    pub fn with_tills(self, tills: Tills) -> Self {
        Self { tills, ..self }
    }

    /// Whether a route of the model serves the endpoint in other words than the client's.
    pub(super) fn is_mixed(&self, model: usize, endpoint: Endpoint) -> bool {
        let bits = self.mixed.get(model).copied().unwrap_or(0);
        bits >> endpoint.index() & 1 == 1
    }

    /// What requests of an endpoint go without in a workflow.
    pub(super) fn omitted(&self, workflow: usize, endpoint: Endpoint) -> Option<&Omitted> {
        self.omitted.get(workflow)?.get(endpoint.index())
    }
}

/// What the answers of a model depend on besides the requests: who may answer them.
fn mark(config: &Config, model: usize) -> Box<str> {
    let mut mark = String::new();
    let of = &config.models[model];
    let models = of.fallbacks.iter().chain(&of.larger_context);
    for &model in [model].iter().chain(models) {
        for route in &config.models[model].routes {
            let provider = &config.providers[route.provider];
            // Writing into a string cannot fail.
            let _ = write!(
                mark,
                "{:?} {:?} {:?} {:?};",
                provider.name, provider.dialect, provider.endpoint, route.model
            );
        }
    }
    mark.into()
}

fn omitted(model: &crate::config::Model) -> Vec<Omitted> {
    let of = |endpoint: Endpoint| {
        let parameters = &model.workflow.as_ref()?.parameters;
        // Why: a form takes every parameter as a part.
        let whole = endpoint.is_form().then(Omitted::default);
        Some(whole.unwrap_or_else(|| Omitted::of(endpoint.format(), parameters)))
    };
    Endpoint::ALL.into_iter().filter_map(of).collect()
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
                path: format!("/{}{}", provider.name, provider.dialect.stand_in_path()),
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
    let speaker = speaker(provider, &target.identity.model);
    let uri = |path: &str| {
        let version = version(provider, url, path);
        format!("{}{path}{version}", url.path)
            .parse::<Uri>()
            .map_err(|source| BuildError::Uri {
                provider: named(),
                source,
            })
    };
    let lane = |endpoint: Endpoint| {
        let format = speaker.format(endpoint);
        format
            .map(|format| {
                Ok(Lane {
                    format,
                    whole: uri(&path(&speaker, provider, url, (format, false)))?,
                    stream: uri(&path(&speaker, provider, url, (format, true)))?,
                })
            })
            .transpose()
    };
    let lanes = Endpoint::ALL
        .into_iter()
        .map(lane)
        .collect::<Result<Vec<_>, BuildError>>()?;
    let header = |text: &str, what: &'static str| {
        HeaderValue::from_str(text).map_err(|source| BuildError::Header {
            provider: named(),
            what,
            source,
        })
    };
    let headers = headers(provider, key, url)?;
    let name = target.identity.to_string();
    let origin = origin(provider, url, &model.clocks, lasting)?;
    let reached = (Arc::clone(&origin), transport(provider, &model.clocks));
    let studio = Studio::of(provider, key, url, reached).map_err(|url| BuildError::Base {
        provider: named(),
        url,
    })?;
    Ok(Wire {
        origin,
        studio: studio.map(Arc::new),
        lanes,
        headers,
        dialect: provider.dialect,
        stream_usage: provider.serves.stream_usage,
        maker: lasting.makers.maker(&provider.name, &key.name),
        signer: signer(provider, key, url, lasting)?,
        model: ModelName::new(&target.identity.model),
        max_output_tokens: target.max_output_tokens,
        limits: provider.limits,
        name_header: header(&name, "name")?,
        handles: lasting.metrics.route(&name),
        sent: lasting.metrics.sent(&model.name, &name),
        via: Arc::new(via(&name, provider, target, url)),
        name: Arc::from(name),
    })
}

/// A route's name in its parts.
fn via(name: &str, provider: &Provider, target: &Target, url: &BaseUrl) -> Via {
    let identity = &target.identity;
    let vendor = provider.vendor.unwrap_or(&provider.name);
    Via {
        route: name.into(),
        provider: provider.name.as_str().into(),
        vendor: vendor.into(),
        model: identity.model.as_str().into(),
        key: identity.key.as_str().into(),
        region: identity.region.as_str().into(),
        host: url.host.as_str().into(),
        port: url.port,
    }
}

/// A bit for each endpoint that a route serves in other words than the client's.
fn mixed(wires: &[Wire]) -> u32 {
    let other = |endpoint: &Endpoint| {
        wires.iter().any(|wire| {
            wire.lane(*endpoint)
                .is_some_and(|lane| lane.format != endpoint.format())
        })
    };
    let bits = Endpoint::ALL.iter().filter(|endpoint| other(endpoint));
    bits.fold(0, |bits, endpoint| bits | 1 << endpoint.index())
}

/// Every account, as errands reach it.
fn posts(
    config: &Config,
    endpoints: &[BaseUrl],
    lasting: &Lasting,
) -> Result<Vec<Post>, BuildError> {
    let mut posts = Vec::new();
    for (provider, url) in config.providers.iter().zip(endpoints) {
        for key in &provider.keys {
            posts.push(Post {
                provider: provider.name.as_str().into(),
                dialect: provider.dialect,
                responses: provider.serves.responses,
                maker: lasting.makers.maker(&provider.name, &key.name),
                origin: origin(provider, url, &config.timeouts, lasting)?,
                base: url.path.as_str().into(),
                headers: headers(provider, key, url)?,
            });
        }
    }
    Ok(posts)
}

const fn speaker<'a>(provider: &Provider, model: &'a str) -> Speaker<'a> {
    Speaker {
        dialect: provider.dialect,
        serves: provider.serves,
        model,
    }
}

/// The path below the base URL. Azure's API that ends in `/v1` is OpenAI's own.
fn path(
    speaker: &Speaker<'_>,
    provider: &Provider,
    url: &BaseUrl,
    (format, streamed): (Format, bool),
) -> String {
    if provider.dialect == Dialect::Azure && url.path.ends_with("/v1") {
        let plain = Speaker {
            dialect: Dialect::OpenAi,
            ..*speaker
        };
        return plain.path(format, streamed);
    }
    speaker.path(format, streamed)
}

/// The version in the query of Azure's deployments.
fn version(provider: &Provider, url: &BaseUrl, path: &str) -> String {
    match &provider.api_version {
        Some(version) if !url.path.ends_with("/v1") => {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{mark}api-version={version}")
        }
        _ => String::new(),
    }
}

fn origin(
    provider: &Provider,
    url: &BaseUrl,
    clocks: &crate::config::Timeouts,
    lasting: &Lasting,
) -> Result<Arc<Origin>, BuildError> {
    let scheme = match url.scheme {
        Scheme::Http => upstream::Scheme::Http,
        Scheme::Https => upstream::Scheme::Https,
    };
    lasting
        .origins
        .get(scheme, &url.host, url.port, transport(provider, clocks))
        .map_err(|source| BuildError::Tls {
            provider: provider.name.clone(),
            source,
        })
}

/// How connections to a provider are made.
fn transport(provider: &Provider, clocks: &crate::config::Timeouts) -> Transport {
    Transport {
        protocol: match provider.http {
            HttpVersion::H1 => Protocol::Http1,
            HttpVersion::H2 => Protocol::Http2,
            HttpVersion::Auto => Protocol::Auto,
        },
        connect: clocks.connect,
        idle: provider.idle_timeout,
        extra_roots: provider.extra_roots.clone().unwrap_or_default(),
    }
}
